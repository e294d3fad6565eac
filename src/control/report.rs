//! How things are, as an operator is shown it.

use serde::Serialize;

use super::entry::rfc_3339;
use super::overrides::Override;

/// Something that is not as it is configured, because somebody asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct OverrideReport {
    /// What was done.
    #[schema(example = "flow.pause")]
    pub action: String,
    /// To what.
    #[schema(example = "tenant:main")]
    pub target: String,
    /// Since when.
    pub since: String,
    /// When it is taken back by itself; none = when somebody does it, or when the server ends.
    pub until: Option<String>,
    /// Why.
    pub reason: String,
    /// Who asked for it, as they said.
    pub operator: Option<String>,
}

impl From<Override> for OverrideReport {
    fn from(set: Override) -> Self {
        let intent = set.intent;
        Self {
            action: format!("{}.{}", intent.domain, intent.action),
            target: intent.target,
            since: intent.time,
            until: set.until.map(rfc_3339),
            reason: intent.reason,
            operator: intent.caller.operator,
        }
    }
}

/// The numbers of a limit; what it does not have is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
#[schema(as = LimitNumbers)]
pub struct Numbers {
    /// So many a second; 0 = as many as come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u64>,
    /// So many at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
    /// So many at the same time, or so many bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap: Option<u64>,
}

/// A limit: as it is configured, as it is in force, and how much of it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LimitReport {
    /// Its name in paths and on the command line.
    #[schema(example = "participant:erp")]
    pub name: String,
    /// What is counted.
    #[schema(example = "commands")]
    pub unit: String,
    /// As configured.
    pub configured: Numbers,
    /// As it is in force.
    pub effective: Numbers,
    /// How much of a cap is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<u64>,
}

/// How many commands may be open at a participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct BulkheadReport {
    /// The participant.
    #[schema(example = "erp")]
    pub system: String,
    /// The most as configured.
    pub configured: u64,
    /// The most now.
    pub effective: u64,
    /// How many are open.
    pub in_flight: u64,
    /// How many wait in front of it.
    pub waiting: u64,
}

/// What the intake does, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = IntakeMode)]
pub enum Mode {
    /// It begins new work as fast as it comes.
    Open,
    /// Some of it waits or is refused: see `throttled_by` and `paused`.
    Limited,
    /// It begins none, because somebody paused all.
    Paused,
    /// It begins none and finishes what is begun.
    Draining,
    /// The same, and nothing is left that is begun and not committed.
    Drained,
}

/// New work that was refused for now, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
#[schema(as = RefusedCounts)]
pub struct Refused {
    /// Its tenant or channel had used up its quota.
    pub quota: u64,
    /// It had queued for longer than its class may.
    pub overload: u64,
    /// Its tenant or channel was paused.
    pub paused: u64,
}

/// Everything about flow control on one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FlowReport {
    /// What the intake does.
    pub mode: Mode,
    /// What of it is paused, as scopes.
    pub paused: Vec<String>,
    /// Partitions that begin nothing although something waits, and why; empty if nothing holds them back.
    #[schema(example = json!(["partition 3: orders"]))]
    pub throttled_by: Vec<String>,
    /// Orders that are begun and not yet committed: their number is bounded.
    pub uncommitted_orders: u64,
    /// How many of them there may be right now: less than the limit `orders` while answers are late or memory is short.
    pub uncommitted_most: u64,
    /// Resident memory of the process in bytes; 0 = nobody can tell.
    pub memory_bytes: u64,
    /// Messages of the intake stream that the slowest partition has not reached; its own are among them.
    pub intake_waiting: u64,
    /// Orders that are known to queue in the broker.
    pub queued_orders: u64,
    /// How long the oldest new work has waited, in milliseconds; 0 = none waits.
    pub queue_delay_ms: u64,
    /// How long answers of participants wait for us, in milliseconds.
    pub answer_delay_ms: u64,
    /// New work that was refused for now.
    pub refused: Refused,
    /// The limits of the intake and of the participants.
    pub limits: Vec<LimitReport>,
    /// How many commands may be open at each participant.
    pub bulkheads: Vec<BulkheadReport>,
    /// What is not as it is configured.
    pub set: Vec<OverrideReport>,
}

/// The breaker of one participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct BreakerReport {
    /// The participant.
    #[schema(example = "erp")]
    pub system: String,
    /// `closed` lets through, `open` holds back, `half_open` tries.
    #[schema(example = "closed")]
    pub state: String,
    /// Since when.
    pub since: String,
    /// What somebody forced: `open` or `closed`; none = it judges by the answers.
    pub forced: Option<String>,
    /// Outcomes that it judges by.
    pub outcomes: u64,
    /// Failed answers and silence among them, in per cent.
    pub error_percent: u64,
    /// Slow answers among them, in per cent.
    pub slow_percent: u64,
    /// Commands that are open at the participant.
    pub in_flight: u64,
    /// Commands that wait in front of it.
    pub waiting: u64,
    /// Those of them that go first, because they give back.
    pub waiting_urgent: u64,
}
