//! What is kept of a run: everything that the reports show, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ending::Ending;
use crate::auditor::{Tally, Verdict};
use crate::scenario::objective::{Leg, Unit};

/// The format of the file.
pub const FORMAT: &str = "doorbuster-loadtest-summary/1";

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// [`FORMAT`].
    pub format: String,
    /// What was run.
    pub scenario: Told,
    /// Where, with what, and by which command.
    pub environment: Environment,
    /// How it ended.
    pub ending: Ended,
    /// How all orders ended, those of the warm-up included.
    pub orders: Tally,
    /// What was measured in all.
    pub measured: Measured,
    /// The way of the measured orders.
    pub legs: Vec<LegTimes>,
    /// How late the generator was, for measured orders, in milliseconds.
    pub lateness: Quantiles,
    /// By class, without classes of which none came.
    pub classes: Vec<Group>,
    /// By phase.
    pub phases: Vec<PhaseTimes>,
    /// Seconds of a point.
    pub point_seconds: f64,
    /// What happened when, the warm-up included.
    pub points: Vec<Point>,
    /// What went wrong on purpose.
    pub faults: Vec<FaultTold>,
    /// What had to hold of the measurements.
    pub objectives: Vec<ObjectiveResult>,
    /// What had to hold of every order.
    pub invariants: Vec<InvariantResult>,
    /// What the broker did not take at once, and why.
    pub errors: Vec<ErrorResult>,
    /// What the auditor says.
    pub verdict: Verdict,
    /// Messages stored in each stream during the run.
    pub streams: BTreeMap<String, u64>,
    /// Seconds that the server needed after each kill -9, from its start to ready.
    pub restarts: Vec<f64>,
    /// What processes started for the run have used.
    pub resources: Vec<Resource>,
    /// The times of each leg as a log of `HdrHistogram`s; empty for a summary that was read from a file.
    #[serde(skip)]
    pub hdr_log: String,
}

/// The scenario of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the field of the scenario with this name")]
pub struct Told {
    pub name: String,
    pub about: String,
    pub text: String,
    pub seed: u64,
    pub time_scale: u32,
    /// Seconds.
    pub warm_up: f64,
    /// Seconds of all phases.
    pub duration: f64,
}

/// Where and with what.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Environment {
    /// The command line.
    pub command: String,
    /// When it began, UTC.
    pub started_at: String,
    /// Version of this program and how it was built.
    pub version: String,
    /// Whom the orders were sent to.
    pub target: String,
    /// What a journaled order survives.
    pub durability: String,
    /// Who answered the commands.
    pub participants: String,
    /// Processors that this machine gives.
    pub cores: u64,
    /// Operating system and processor family.
    pub system: String,
}

/// How it ended and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// In one word.
    pub how: Ending,
    /// The exit code.
    pub code: u8,
    /// Every reason, the worst first; empty if all held.
    pub reasons: Vec<String>,
}

/// What was measured in all.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Seconds from the first moment to the last end.
    pub seconds: f64,
    /// Orders that were sent after the warm-up.
    pub counted: u64,
    /// Orders that were due and never sent; with any, the run is invalid.
    pub unsent: u64,
    /// Of the counted, completed.
    pub completed: u64,
    /// Completed orders a second after the warm-up.
    pub throughput: f64,
    /// The part of all submitted orders that was refused by the broker, was turned away by the server, or did not end.
    pub errors_rate: f64,
    /// Dead letters of this run.
    pub dead_letters: u64,
    /// Poison messages that the broker took: so many dead letters must be there.
    pub poison: u64,
    /// Messages in streams for each order.
    pub messages_per_order: f64,
}

/// Percentiles, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Quantiles {
    pub count: u64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// A leg of the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LegTimes {
    /// Which.
    pub leg: Leg,
    /// From the intended moment.
    pub corrected: Quantiles,
    /// From the sending.
    pub raw: Quantiles,
    /// All percentiles from the intended moment: (part of all, milliseconds).
    pub curve: Vec<(f64, f64)>,
}

/// Times of a part of the orders, from the intended moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Which part.
    pub name: String,
    /// By leg, in the order of the way.
    pub legs: [Quantiles; 4],
}

/// A phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseTimes {
    /// Its label.
    pub label: String,
    /// Seconds from the beginning.
    pub begins: f64,
    /// Seconds from the beginning.
    pub ends: f64,
    /// The rates that were meant, at its beginning and end.
    pub rate: (f64, f64),
    /// Orders that were sent for it, those of the warm-up included.
    pub sent: u64,
    /// By leg, in the order of the way.
    pub legs: [Quantiles; 4],
}

/// A moment. Rates are in orders a second, times in milliseconds; none = nobody came to the end of that leg.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Point {
    pub second: f64,
    pub target: f64,
    pub sent: f64,
    pub acked: f64,
    pub committed: f64,
    pub completed: f64,
    pub ended: f64,
    pub open: u64,
    pub p50: [Option<f64>; 4],
    pub p99: [Option<f64>; 4],
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultTold {
    /// In words.
    pub label: String,
    /// Seconds from the beginning.
    pub begins: f64,
    /// Seconds from the beginning.
    pub ends: f64,
}

/// What came of an objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectiveResult {
    /// Its name.
    pub name: String,
    /// Of which phase or class only.
    pub part: Option<String>,
    /// What was measured; none = nothing, so it is missed.
    pub value: Option<f64>,
    /// How it must stand to the limit.
    pub comparison: String,
    /// The limit.
    pub limit: f64,
    /// Of value and limit.
    pub unit: Unit,
    /// How far it is on the good side, as a part of the limit.
    pub margin: f64,
    /// Does it hold?
    pub met: bool,
}

/// What came of an invariant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InvariantResult {
    /// Its key in the scenario.
    pub name: String,
    /// Does it count? False if the scenario switches it off, or if it cannot be judged.
    pub is_on: bool,
    /// How often it did not hold.
    pub violations: u64,
}

/// Something that did not go at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorResult {
    /// What.
    pub code: String,
    /// How often.
    pub count: u64,
    /// One of them.
    pub example: String,
}

/// What a process has used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Which process.
    pub process: String,
    /// Processor seconds during the run.
    pub cpu_seconds: f64,
    /// Resident memory at the end, in MiB.
    pub resident_mib: f64,
}

impl Summary {
    /// The times of a leg.
    pub fn leg(&self, leg: Leg) -> Option<&LegTimes> {
        self.legs.iter().find(|times| times.leg == leg)
    }

    /// Reads a summary.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let summary: Self = serde_json::from_str(text).map_err(|cause| cause.to_string())?;
        if summary.format == FORMAT {
            Ok(summary)
        } else {
            Err(format!("its format is {:?}, expected {FORMAT:?}", summary.format))
        }
    }

    /// As JSON on one line.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("finite numbers and texts have a JSON form")
    }

    /// Something else has to be told of the end; the worst comes first.
    pub fn also(&mut self, how: Ending, reason: String) {
        let worst = Ending::worst(&[self.ending.how, how]);
        if worst == self.ending.how {
            self.ending.reasons.push(reason);
        } else {
            self.ending.reasons.insert(0, reason);
        }
        self.ending.how = worst;
        self.ending.code = worst.code();
    }
}
