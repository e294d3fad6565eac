//! `loadtest stock`: one stock cell that everybody wants. How many holds of it are answered in a second, over NATS and in one process,
//! and how long somebody waits meanwhile who only asks how much is left.
//!
//! Reading order: [`options`], this file (the parts), `over_nats` and `asking` (a real server), [`in_process`] (without a broker),
//! [`report`].

mod asking;
pub mod in_process;
pub mod options;
mod over_nats;
pub mod report;
mod shelf;

use std::io::Write as _;
use std::time::Duration;

use options::StockOptions;
use report::{Report, Round};

use crate::exit::{Exit, Failure};
use crate::raw::child::Child;
use crate::raw::contest::{Programs, programs};
use crate::raw::stage::trouble;

/// No measurement inside a process takes longer.
const INSIDE_WITHIN: Duration = Duration::from_mins(10);

/// Measures and prints what was found.
pub(crate) async fn measure(options: &StockOptions) -> Result<Exit, Failure> {
    let programs = programs(options.doorbuster.as_deref())?;
    let in_process = if options.rounds > 0 { without_broker(&programs, options).await? } else { Vec::new() };
    tracing::info!("one cell over NATS");
    let (over_nats, wrong) = over_nats::measure(options, &programs.doorbuster).await?;
    let exit = if wrong.is_empty() { Exit::Clean } else { Exit::CheckFailed };
    let report = Report { over_nats, in_process, wrong };
    let text =
        if options.json { serde_json::to_string(&report).map_err(trouble)? + "\n" } else { report.text() };
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(trouble)?;
    Ok(exit)
}

/// In a process of its own, so that nothing else has threads there.
async fn without_broker(programs: &Programs, options: &StockOptions) -> Result<Vec<Round>, Failure> {
    tracing::info!("one cell in one process");
    let (holds, rounds) = (options.round_holds.to_string(), options.rounds.to_string());
    let arguments = ["inside", "cell", "--orders", &holds, "--rounds", &rounds];
    let mut child = Child::start(&programs.loadtest, &arguments.map(str::to_owned), &[])?;
    let rounds = child.hear(INSIDE_WITHIN).await?;
    child.end().await;
    Ok(rounds)
}
