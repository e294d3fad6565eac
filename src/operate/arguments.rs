//! What can be asked of a running server on the command line.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::backpressure::BackpressureOptions;

/// Where the server is, and how it shall be told.
#[derive(Debug, Clone, Args)]
pub struct ApiOptions {
    /// The HTTP address of the server.
    #[arg(
        long,
        value_name = "URL",
        env = "DOORBUSTER_API",
        default_value = "http://127.0.0.1:8470",
        global = true
    )]
    pub api: String,
    /// Print JSON on stdout, as the API gives it; a problem, too.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What every act comes with.
#[derive(Debug, Clone, Args)]
pub struct ActOptions {
    /// Why it is done, for whoever reads the audit; asked for if it is missing.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Do it without asking.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Never ask: what would have to be asked is a mistake of usage.
    #[arg(long)]
    pub no_input: bool,
    /// Only look whether it could be done.
    #[arg(long)]
    pub dry_run: bool,
    /// The key of this act; a new one without it. Give it again to learn how an act went whose answer was lost.
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Who asks, for the audit. Nobody proves it.
    #[arg(long, value_name = "NAME", env = "DOORBUSTER_OPERATOR")]
    pub operator: Option<String>,
}

impl ActOptions {
    /// Was anything said that only an act has?
    pub(super) const fn is_given(&self) -> bool {
        self.reason.is_some() || self.yes || self.dry_run || self.idempotency_key.is_some()
    }
}

/// For how long an act holds.
#[derive(Debug, Clone, Copy, Args)]
pub struct TimeToLive {
    /// Take it back by itself after this time: `90s`, `10m`, `2h`; a second to seven days. Without it, somebody has to.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub ttl: Option<Duration>,
}

/// `doorbuster flow`.
#[derive(Debug, Clone, Args)]
pub struct FlowOptions {
    /// The server.
    #[command(flatten)]
    pub api: ApiOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: FlowCommand,
}

/// What can be done to the flow of work.
#[derive(Debug, Clone, Subcommand)]
pub enum FlowCommand {
    /// Show what the intake does, all limits and bulkheads, and what is not as it is configured.
    Show,
    /// Take no new work; what is begun goes on.
    Pause {
        /// `all`, `tenant:<name>`, `channel:<name>` or `partition:<number>`.
        #[arg(long, value_name = "SCOPE", default_value = "all")]
        scope: String,
        /// For how long.
        #[command(flatten)]
        ttl: TimeToLive,
        /// Why, and how.
        #[command(flatten)]
        act: ActOptions,
    },
    /// Take new work again.
    Resume {
        /// The scope that was paused.
        #[arg(long, value_name = "SCOPE", default_value = "all")]
        scope: String,
        /// Why, and how.
        #[command(flatten)]
        act: ActOptions,
    },
    /// Take no new work and finish what is begun; the process goes on.
    Drain {
        /// For how long.
        #[command(flatten)]
        ttl: TimeToLive,
        /// Why, and how.
        #[command(flatten)]
        act: ActOptions,
    },
    /// End a drain.
    Undrain {
        /// Why, and how.
        #[command(flatten)]
        act: ActOptions,
    },
    /// Show limits, or set other numbers for one.
    Limit(LimitOptions),
    /// Show who holds whom back and why: lanes, lists of commands, limits, memory. Or set other watermarks: what is left out is as
    /// configured.
    Backpressure(Box<BackpressureOptions>),
    /// Show how many commands may be open at the participants, or set another number for one.
    Bulkhead(BulkheadOptions),
}

/// `doorbuster flow limit`.
#[derive(Debug, Clone, Args)]
pub struct LimitOptions {
    /// The limit; without it, all are shown.
    pub name: Option<String>,
    /// So many a second; 0 = as many as come.
    #[arg(long, value_name = "N", requires = "name")]
    pub rate: Option<u64>,
    /// So many at once.
    #[arg(long, value_name = "N", requires = "name")]
    pub burst: Option<u64>,
    /// So many at the same time, or so many bytes.
    #[arg(long, value_name = "N", requires = "name")]
    pub cap: Option<u64>,
    /// Put the configured numbers in force again.
    #[arg(long, requires = "name", conflicts_with_all = ["rate", "burst", "cap", "ttl"])]
    pub reset: bool,
    /// For how long.
    #[command(flatten)]
    pub ttl: TimeToLive,
    /// Why, and how.
    #[command(flatten)]
    pub act: ActOptions,
}

/// `doorbuster flow bulkhead`.
#[derive(Debug, Clone, Args)]
pub struct BulkheadOptions {
    /// The participant: `loyalty`, `payment`, `allocation`, `fulfillment` or `erp`; without it, all are shown.
    pub system: Option<String>,
    /// So many commands may be open.
    #[arg(long, value_name = "N", requires = "system")]
    pub max: Option<u64>,
    /// Put the configured number in force again.
    #[arg(long, requires = "system", conflicts_with_all = ["max", "ttl"])]
    pub reset: bool,
    /// For how long.
    #[command(flatten)]
    pub ttl: TimeToLive,
    /// Why, and how.
    #[command(flatten)]
    pub act: ActOptions,
}

/// `doorbuster breaker`.
#[derive(Debug, Clone, Args)]
pub struct BreakerOptions {
    /// The server.
    #[command(flatten)]
    pub api: ApiOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: BreakerCommand,
}

/// What can be done to a circuit breaker. A system is `loyalty`, `payment`, `allocation`, `fulfillment` or `erp`.
#[derive(Debug, Clone, Subcommand)]
pub enum BreakerCommand {
    /// Show all breakers.
    List,
    /// Hold all commands to a participant back; they wait in a list, oldest first.
    ForceOpen {
        /// The participant.
        system: String,
        /// For how long.
        #[command(flatten)]
        ttl: TimeToLive,
        /// Why, and how.
        #[command(flatten)]
        act: ActOptions,
    },
    /// Let commands through, whatever the participant answers.
    ForceClose {
        /// The participant.
        system: String,
        /// For how long.
        #[command(flatten)]
        ttl: TimeToLive,
        /// Why, and how.
        #[command(flatten)]
        act: ActOptions,
    },
    /// Try with a few commands now.
    HalfOpen {
        /// The participant.
        system: String,
        /// Why, and how.
        #[command(flatten)]
        act: ActOptions,
    },
    /// Show the settings of a participant, or set others: breaker, rate, cap, ramp, retry budget. What is left out is as configured.
    Set(Box<BreakerSetOptions>),
    /// Forget what was forced and counted, and judge by the answers again.
    Reset {
        /// The participant.
        system: String,
        /// Why, and how.
        #[command(flatten)]
        act: ActOptions,
    },
}

/// `doorbuster breaker set`.
#[derive(Debug, Clone, Args)]
pub struct BreakerSetOptions {
    /// The participant.
    pub system: String,
    /// Commands a second, re-sends included.
    #[arg(long, value_name = "N")]
    pub rate_per_second: Option<u32>,
    /// Commands that may go at once after a pause.
    #[arg(long, value_name = "N")]
    pub burst: Option<u32>,
    /// Failed answers and silence, in per cent of all outcomes of the window, at which the breaker opens.
    #[arg(long, value_name = "PERCENT")]
    pub error_percent: Option<u32>,
    /// Slow answers, in per cent of all answers of the window, at which it opens.
    #[arg(long, value_name = "PERCENT")]
    pub slow_percent: Option<u32>,
    /// An answer is slow if it takes longer.
    #[arg(long, value_name = "MS")]
    pub slow_ms: Option<u32>,
    /// The length of the window. A window of another length begins empty.
    #[arg(long, value_name = "MS")]
    pub window_ms: Option<u32>,
    /// Fewer outcomes in a window open nothing.
    #[arg(long, value_name = "N")]
    pub least_outcomes: Option<u32>,
    /// How long the breaker stays open before the participant is probed.
    #[arg(long, value_name = "MS")]
    pub open_ms: Option<u32>,
    /// Commands that go out while it is half open.
    #[arg(long, value_name = "N")]
    pub probes: Option<u32>,
    /// How long it takes from the first answer after an outage to the full rate.
    #[arg(long, value_name = "MS")]
    pub ramp_ms: Option<u32>,
    /// The rate right after an outage, in per cent of the full one.
    #[arg(long, value_name = "PERCENT")]
    pub ramp_from_percent: Option<u32>,
    /// Re-sends, in per cent of the commands sent for the first time.
    #[arg(long, value_name = "PERCENT")]
    pub retry_percent: Option<u32>,
    /// Re-sends a second that are allowed in any case.
    #[arg(long, value_name = "N")]
    pub retries_per_second: Option<u32>,
    /// The most commands that may be open.
    #[arg(long, value_name = "N")]
    pub max_in_flight: Option<u32>,
    /// Put the configured settings in force again.
    #[arg(long, conflicts_with = "ttl")]
    pub reset: bool,
    /// For how long.
    #[command(flatten)]
    pub ttl: TimeToLive,
    /// Why, and how.
    #[command(flatten)]
    pub act: ActOptions,
}

impl BreakerSetOptions {
    /// What was given, by the name of the field.
    pub(super) fn given(&self) -> Map<String, Value> {
        let numbers = [
            ("rate_per_second", self.rate_per_second),
            ("burst", self.burst),
            ("error_percent", self.error_percent),
            ("slow_percent", self.slow_percent),
            ("slow_ms", self.slow_ms),
            ("window_ms", self.window_ms),
            ("least_outcomes", self.least_outcomes),
            ("open_ms", self.open_ms),
            ("probes", self.probes),
            ("ramp_ms", self.ramp_ms),
            ("ramp_from_percent", self.ramp_from_percent),
            ("retry_percent", self.retry_percent),
            ("retries_per_second", self.retries_per_second),
            ("max_in_flight", self.max_in_flight),
        ];
        numbers.into_iter().filter_map(|(field, number)| Some((field.to_owned(), number?.into()))).collect()
    }
}

/// `doorbuster audit`.
#[derive(Debug, Clone, Args)]
pub struct AuditOptions {
    /// The server.
    #[command(flatten)]
    pub api: ApiOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// What can be done with the audit.
#[derive(Debug, Clone, Subcommand)]
pub enum AuditCommand {
    /// Show the newest entries; with --json one on each line.
    Tail {
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=500))]
        limit: u64,
        /// Those after this sequence instead of the newest.
        #[arg(long, value_name = "SEQUENCE")]
        after: Option<u64>,
        /// Go on with those that come, until interrupted.
        #[arg(long, short = 'f')]
        follow: bool,
    },
    /// Read the whole audit and check its chain; exit code 1 if it is broken.
    Verify,
}

/// A number and a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let expected =
        || format!("{text:?}: expected a whole number and ms, s, m, h or d, for example 90s or 10m");
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| expected())?;
    let factor: u64 = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(expected()),
    };
    number.checked_mul(factor).map(Duration::from_millis).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::duration;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        for (text, ms) in
            [("500ms", 500), ("90s", 90_000), ("10m", 600_000), ("2h", 7_200_000), ("7d", 604_800_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for wrong in ["", "10", "m", "1.5h", "-1s", "10 m", "99999999999999999999d"] {
            assert!(duration(wrong).unwrap_err().contains("for example 90s"), "{wrong}");
        }
    }
}
