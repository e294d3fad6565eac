//! `doorbuster setup`: the streams as they have to be, or how they differ from that.

use std::io::Write;
use std::time::Duration;

use bus::layout::Layout;
use bus::nats::{ConnectError, DurabilityProfile, NatsBus, Setup, SetupError, Sync};
use tokio::time::{Instant, sleep};

use crate::cli::SetupOptions;
use crate::composition;
use crate::exit::{Exit, Failure};
use crate::telemetry;

/// How long a server is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two attempts to reach it.
const AGAIN: Duration = Duration::from_millis(250);

/// Shows or makes the differences.
///
/// # Errors
/// Exit code 3 if the server is out of reach or too old, 1 if something cannot be changed.
pub fn run(options: &SetupOptions) -> Result<Exit, Failure> {
    telemetry::log_to_stderr("error");
    composition::block_on(set_up(options))
}

async fn set_up(options: &SetupOptions) -> Result<Exit, Failure> {
    let bus = reach(&options.nats).await?;
    let layout = Layout::new(options.root.as_str(), options.partitions, options.replicas);
    let setup = Setup::new(&bus);
    let work = if options.apply { setup.apply(&layout).await } else { setup.plan(&layout).await };
    let differences = work.map_err(|error| failure(&options.nats, error))?;

    let mut out = std::io::stdout().lock();
    for difference in &differences {
        print(&mut out, difference);
    }
    let summary = match (differences.len(), options.apply) {
        (0, _) => "nothing to do: all streams are as they have to be".to_owned(),
        (number, true) => format!("applied {number} differences"),
        (number, false) => format!("{number} differences; `doorbuster setup --apply` makes them go"),
    };
    print(&mut out, &summary);
    let profile =
        DurabilityProfile { replicas: options.replicas, sync: Sync::Unknown, server: Some(bus.version()) };
    tell(&format!("durability: {profile}"));
    Ok(if differences.is_empty() || options.apply { Exit::Clean } else { Exit::CheckFailed })
}

/// A connection within [`PATIENCE`]; a server that is too old is not waited for.
///
/// # Errors
/// Exit code 3 with what is there instead.
pub(crate) async fn reach(url: &str) -> Result<NatsBus, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let error = match composition::nats(url, left.max(AGAIN)).await {
            Ok(bus) => return Ok(bus),
            Err(error) => error,
        };
        let hopeless = !matches!(error, ConnectError::Unreachable { .. });
        if hopeless || Instant::now() + AGAIN >= deadline {
            return Err(Failure::unavailable(error.to_string(), remedy(&error)));
        }
        sleep(AGAIN).await;
    }
}

/// What to do about a connection that cannot be had.
pub(crate) fn remedy(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Unreachable { .. } => {
            "start one, for example with `nats-server -c config/nats-server.conf`, or correct the URL"
        }
        ConnectError::TooOld { .. } | ConnectError::UnreadableVersion(_) => {
            "upgrade nats-server; older ones lose or repeat records in ways that the journal cannot bear"
        }
    }
}

fn failure(url: &str, error: SetupError) -> Failure {
    match error {
        SetupError::Unavailable(error) => Failure::unavailable(
            format!("{url}: {error}"),
            "start nats-server with JetStream (a `jetstream` block or the flag -js), then run setup again",
        ),
        SetupError::Unchangeable(_) => Failure {
            exit: Exit::CheckFailed,
            what: error.to_string(),
            remedy: "give the values that the streams were made with, or make new streams on another server"
                .to_owned(),
        },
        SetupError::Refused { .. } => Failure {
            exit: Exit::CheckFailed,
            what: error.to_string(),
            remedy: "look at the limits of the JetStream account and at the free space of its disk"
                .to_owned(),
        },
    }
}

fn print(out: &mut impl Write, line: &impl std::fmt::Display) {
    // Whoever closed stdout does not want to read it; the exit code still says how it went.
    let _ = writeln!(out, "{line}");
}

fn tell(line: &str) {
    // As above, for stderr.
    let _ = writeln!(std::io::stderr(), "{line}");
}
