//! `loadtest table`: everything that is aimed at, measured in one go, with what was reached beside it.
//!
//! Reading order: `goals` (what is aimed at), this file (the parts), `ring` (against the bare broker), `engine` and `shards`
//! (without a broker), `peaks` (open loop). Very many orders that wait are measured by [`crate::standing`].

mod engine;
mod goals;
mod peaks;
mod ring;
mod shards;

use std::io::Write as _;
use std::time::Duration;

use loadtest::table::{Row, Sample, Table};
use peaks::Lengths;
use serde::Serialize;

use crate::composition;
use crate::exit::{Exit, Failure};
use crate::hot_cell::in_process;
use crate::raw::child::Child;
use crate::raw::cli::{Inside, InsideOptions, Part, StandingOptions, TableOptions};
use crate::raw::contest::{Programs, programs};
use crate::raw::stage::trouble;
use crate::standing;

/// No measurement inside a process takes longer.
const INSIDE_WITHIN: Duration = Duration::from_mins(10);

const SETTLE_MS: u32 = 5_000;

/// How large the parts are.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// Orders of one run against the broker.
    ring: u32,
    /// Orders of one round without a broker.
    engine: u32,
    /// Orders of one round of actors against a loop.
    shards: u32,
    /// Orders that wait.
    standing: u32,
    /// How long peaks take.
    peaks: Lengths,
}

impl Scale {
    const fn of(orders: u32) -> Self {
        let peaks = Lengths { steady: 5, ramp: 8, before: 5, spike: 5, after: 10 };
        Self { ring: orders, engine: orders, shards: orders, standing: orders * 10, peaks }
    }
}

const WHOLE: Scale = Scale {
    ring: 8_000,
    engine: 6_000,
    shards: 20_000,
    standing: 1_000_000,
    peaks: Lengths { steady: 60, ramp: 60, before: 20, spike: 60, after: 60 },
};
const QUICK: Scale = Scale {
    ring: 1_600,
    engine: 2_000,
    shards: 5_000,
    standing: 30_000,
    peaks: Lengths { steady: 15, ramp: 15, before: 5, spike: 10, after: 20 },
};

/// Measures all parts and prints the table.
pub(crate) async fn measure(options: &TableOptions) -> Result<Exit, Failure> {
    let scale = match options.orders {
        Some(orders) => Scale::of(orders),
        None if options.quick => QUICK,
        None => WHOLE,
    };
    let rounds = options.rounds();
    let programs = programs(options.doorbuster.as_deref())?;
    let mut table = Table::default();
    if options.wants(Part::Ring) {
        let (rows, invalid) = ring::rows(&programs, scale.ring, rounds).await?;
        table.rows.extend(rows);
        table.invalid.extend(invalid);
    }
    if options.wants(Part::Engine) {
        table.rows.extend(without_broker(&programs, scale, rounds).await?);
    }
    if options.wants(Part::Standing) {
        table.rows.extend(waiting(scale.standing).await?);
    }
    if options.wants(Part::Peaks) {
        let (rows, invalid) = peaks::rows(&programs, scale.peaks).await?;
        table.rows.extend(rows);
        table.invalid.extend(invalid);
    }
    let exit = if table.is_whole() { Exit::Clean } else { Exit::CheckFailed };
    let text =
        if options.json { serde_json::to_string(&table).map_err(trouble)? + "\n" } else { table.text() };
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(trouble)?;
    Ok(exit)
}

/// The measurement of a process that [`without_broker`] has started: one line.
pub(crate) fn inside(options: &InsideOptions) -> Result<Exit, Failure> {
    let (orders, rounds) = (options.orders, options.rounds);
    let line = composition::block_on(async {
        match options.what {
            Inside::Engine => line(&engine::messages_per_core_second(u64::from(orders), rounds).await?),
            Inside::Shards => {
                let orders = usize::try_from(orders).map_err(trouble)?;
                line(&shards::actors_against_loop(orders, rounds).await?)
            }
            Inside::Cell => line(&in_process::rounds(u64::from(orders), rounds).await?),
        }
    })?;
    writeln!(std::io::stdout().lock(), "{line}").map_err(trouble)?;
    Ok(Exit::Clean)
}

fn line(measured: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(measured).map_err(trouble)
}

async fn without_broker(programs: &Programs, scale: Scale, rounds: u32) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for (what, goal, orders, note) in [
        (
            Inside::Engine,
            goals::ENGINE,
            scale.engine,
            "streams in memory; the node's threads, all in batches",
        ),
        (Inside::Shards, goals::ACTORS, scale.shards, "rules alone, the same messages; one thread each"),
    ] {
        tell(&format!("{} without a broker", what.as_str()));
        let (orders_word, rounds_word) = (orders.to_string(), rounds.to_string());
        let arguments = ["inside", what.as_str(), "--orders", &orders_word, "--rounds", &rounds_word];
        let mut child = Child::start(&programs.loadtest, &arguments.map(str::to_owned), &[])?;
        let values: Vec<f64> = child.hear(INSIDE_WITHIN).await?;
        child.end().await;
        rows.push(goal.row(&Sample::of(values), format!("{orders} orders a round; {note}")));
    }
    Ok(rows)
}

async fn waiting(orders: u32) -> Result<Vec<Row>, Failure> {
    let options = StandingOptions { orders, erp_orders: 0, cells: 0, json: false, settle: SETTLE_MS };
    let report = standing::report(&options).await?;
    let (all, few) = (&report.all_orders_message_microseconds, &report.few_orders_message_microseconds);
    let among = format!("{orders} orders, default sync");
    let once = |value: f64| Sample::of([value]);
    let bytes = |bytes: u64| once(Duration::from_nanos(bytes).as_secs_f64() * 1e9 / 1_000.0);
    Ok(vec![
        goals::MANY.row(&Sample::ratio(all, few), format!("wishes to cancel; {among}")),
        goals::LIVE.row(&bytes(report.live_bytes_per_order), among.clone()),
        goals::PASSIVATED.row(&bytes(report.passivated_bytes_per_order), among.clone()),
        goals::FIRST_INPUT
            .row(&once(report.after_kill_first_input_seconds), format!("after kill -9; {among}")),
        goals::ALL_LIVE.row(
            &once(report.after_kill_all_answer_seconds),
            format!("until a sample of 1,000 is read; {among}"),
        ),
    ])
}

fn tell(what: &str) {
    tracing::info!("{what}");
}
