//! What was found out about one cell that everybody wants.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use loadtest::shoppers::HoldReport;
use loadtest::workload::Latency;
use serde::{Deserialize, Serialize};

/// Everything.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Report {
    /// On a nats-server and a server of their own.
    pub over_nats: OverNats,
    /// In one process, on streams in memory; several rounds.
    pub in_process: Vec<Round>,
    /// What was not as it must be.
    pub wrong: Vec<String>,
}

/// How it went on a nats-server.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct OverNats {
    /// How many connections shoppers had.
    pub connections: u32,
    /// How many holds were unanswered at most.
    pub in_flight: u32,
    /// Came each message alone?
    pub single: bool,
    /// There is enough; what is held is let go of again.
    pub held: Phase,
    /// There are few units, which are kept; all others are refused.
    pub sold_out: Phase,
    /// How many units there were then.
    pub units: u64,
    /// Questions for the availability over HTTP while there is enough.
    pub availability_http: Questions,
    /// The same over core NATS.
    pub availability_nats: Questions,
}

/// How a phase went.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Phase {
    /// What shoppers heard.
    #[serde(flatten)]
    pub holds: HoldReport,
    /// Holds that were answered in a second.
    pub holds_per_second: f64,
    /// Decisions of the cell that changed it, in a second: takes and releases.
    pub cell_changes_per_second: f64,
    /// Processor time of the server for each hold, with its release.
    pub server_microseconds: f64,
    /// The same of nats-server.
    pub nats_microseconds: f64,
    /// Messages at the broker for each hold, by stream.
    pub messages: BTreeMap<String, f64>,
}

/// How questions were answered.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Questions {
    /// How many were asked.
    pub asked: u64,
    /// How many had no good answer.
    pub failed: u64,
    /// From when a question was meant to be asked until its answer, in milliseconds.
    pub ms: Latency,
}

/// One round without a broker. The cell has a thread of its own; reservations are on another one.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Round {
    /// Decisions of the cell for each second of processor time of its thread, letters and journal included.
    pub cell_decisions_per_core_second: f64,
    /// Processor time of all threads of the node for each hold with its release.
    pub node_microseconds: f64,
    /// Holds that were answered in a second, shoppers in the same process.
    pub holds_per_second: f64,
}

const WRITES: &str = "writing to a String cannot fail";

impl Report {
    /// For people.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let over = &self.over_nats;
        let messages = if over.single { "each alone" } else { "in batches" };
        let (connections, in_flight) = (over.connections, over.in_flight);
        writeln!(text, "over NATS: {connections} connections, {in_flight} unanswered, messages {messages}")
            .expect(WRITES);
        for (name, phase) in [("held and let go", &over.held), ("sold out", &over.sold_out)] {
            let Phase { holds, holds_per_second, cell_changes_per_second, .. } = phase;
            let refused: u64 = holds.refused.values().sum();
            writeln!(
                text,
                "  {name:<16} {holds_per_second:>8.0} holds/s  {cell_changes_per_second:>8.0} changes of the cell/s  {} held, {refused} refused  receipt p50/p99/max {} ms",
                holds.held,
                latency(&holds.receipt_ms),
            )
            .expect(WRITES);
            let all: f64 = phase.messages.values().sum();
            writeln!(
                text,
                "  {:<16} {:>8.1} us/hold server  {:>8.1} us/hold nats-server  {all:.2} messages/hold",
                "", phase.server_microseconds, phase.nats_microseconds
            )
            .expect(WRITES);
        }
        for (name, questions) in [("HTTP", &over.availability_http), ("NATS", &over.availability_nats)] {
            writeln!(
                text,
                "  availability over {name}: {} asked, {} failed, p50/p99/max {} ms",
                questions.asked,
                questions.failed,
                latency(&questions.ms)
            )
            .expect(WRITES);
        }
        for round in &self.in_process {
            writeln!(
                text,
                "in one process: {:>8.0} cell decisions/s and core  {:>6.1} us/hold of the node  {:>8.0} holds/s",
                round.cell_decisions_per_core_second, round.node_microseconds, round.holds_per_second
            )
            .expect(WRITES);
        }
        for wrong in &self.wrong {
            writeln!(text, "WRONG: {wrong}").expect(WRITES);
        }
        text
    }
}

fn latency(latency: &Latency) -> String {
    format!("{:.2}/{:.2}/{:.2}", latency.p50, latency.p99, latency.max)
}
