//! `doorbuster demo`: the whole system at work in one process, with simulated participants, and audited.

mod progress;
mod stage;
mod summary;

use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actors::config::{Batches, Formats};
use domain::messages::body::Format;
use loadtest::contract::Naming;
use loadtest::demo::{Report, RunError, RunOptions};
use loadtest::simulators::{Profile, Profiles};
use loadtest::workload::Mix;

use crate::cli::DemoOptions;
use crate::composition;
use crate::config::Config;
use crate::embedded::Embedded;
use crate::exit::{Exit, Failure};
use crate::telemetry;
use progress::Display;
use stage::Stage;

/// What finishing may take after the last order has ended.
const DRAIN: Duration = Duration::from_secs(20);

/// Runs the orders and prints what was found.
///
/// # Errors
/// Exit code 3: the NATS server that was asked for is missing, too old or out of reach.
pub fn run(options: &DemoOptions) -> Result<Exit, Failure> {
    telemetry::log_to_stderr("warn");
    composition::block_on(demonstrate(options))
}

async fn demonstrate(options: &DemoOptions) -> Result<Exit, Failure> {
    let stage = match options.nats.as_deref() {
        None => Stage::in_memory(),
        Some("") => Stage::on_own_server().await?,
        Some(url) => Stage::on_server(url).await?,
    };
    let mut config = Config::default();
    if options.batch {
        config.node.command_batches = Batches::all(true);
    }
    config.node.command_formats = Formats::all(format(options));
    let embedded = Embedded::start(&config, &stage.bus, &stage.layout).await;
    let outcome = tokio::select! {
        biased;
        report = async {
            // So that the first orders are not measured against the start.
            embedded.until_ready().await;
            play(options, &stage).await
        } => Some(report),
        _ = tokio::signal::ctrl_c() => None,
    };
    // All orders have ended, so a node that does not finish is not waited for.
    if !embedded.drain(DRAIN).await {
        tracing::warn!("the node did not drain in time");
    }
    let durability = stage.durability.clone();
    stage.strike().await;
    let Some(outcome) = outcome else {
        return Err(Failure {
            exit: Exit::CheckFailed,
            what: "interrupted before the orders had ended, so nothing was audited".to_owned(),
            remedy: "give fewer --orders".to_owned(),
        });
    };
    let report = outcome.map_err(|error| {
        let remedy = "look after the NATS server, then run the demo again";
        Failure::unavailable(format!("the run broke off: {error}"), remedy)
    })?;
    let text =
        if options.json { summary::json(&report, &durability) } else { summary::text(&report, &durability) };
    // Whoever closed stdout does not want to read it; the exit code still says how it went.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(if report.verdict.clean { Exit::Clean } else { Exit::CheckFailed })
}

async fn play(options: &DemoOptions, stage: &Stage) -> Result<Report, RunError> {
    let seed = options.seed.unwrap_or_else(any_seed);
    let mix = Mix::named(&options.mix).expect("the command line takes only names of mixes");
    let batches = options.batch.then_some(stage.layout.partitions);
    let run = RunOptions {
        mix,
        rate: options.rate,
        profiles: Profiles::all(Profile { batches, format: format(options), ..Profile::CALM }),
        format: format(options),
        ..RunOptions::new(u64::from(options.orders), seed, "demo")
    };
    let naming = Naming::new(&stage.layout.root, "main");
    let display = Display::new();
    loadtest::demo::run(run, stage.bus.clone(), naming, move |progress| display.show(&progress)).await
}

fn format(options: &DemoOptions) -> Format {
    if options.format == "msgpack" { Format::MessagePack } else { Format::Json }
}

/// Another one each time; printed with the result.
fn any_seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Small enough to be typed again.
    since.as_secs() % 1_000_000
}
