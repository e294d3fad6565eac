//! How things are, as an operator is shown it.

use actors::participant::settings::ParticipantSettings;
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

/// The settings of a participant that are in force. Times are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct BreakerSettings {
    /// Commands a second, re-sends included.
    pub rate_per_second: u32,
    /// Commands that may go at once after a pause.
    pub burst: u32,
    /// Failed answers and silence, in per cent of all outcomes of the window, at which the breaker opens.
    pub error_percent: u32,
    /// Slow answers, in per cent of all answers of the window, at which it opens.
    pub slow_percent: u32,
    /// An answer is slow if it takes longer.
    pub slow_ms: u32,
    /// The length of the window.
    pub window_ms: u32,
    /// Fewer outcomes in a window open nothing.
    pub least_outcomes: u32,
    /// How long it stays open before the participant is probed.
    pub open_ms: u32,
    /// Commands that go out while it is half open.
    pub probes: u32,
    /// How long it takes from the first answer after an outage to the full rate.
    pub ramp_ms: u32,
    /// The rate right after an outage, in per cent of the full one.
    pub ramp_from_percent: u32,
    /// Re-sends, in per cent of the commands sent for the first time.
    pub retry_percent: u32,
    /// Re-sends a second that are allowed in any case.
    pub retries_per_second: u32,
    /// The most commands that may be open.
    pub max_in_flight: u32,
}

impl BreakerSettings {
    /// In the words of the API.
    pub const fn of(settings: &ParticipantSettings, max_in_flight: u32) -> Self {
        Self {
            rate_per_second: settings.rate_per_second,
            burst: settings.burst,
            error_percent: settings.error_percent,
            slow_percent: settings.slow_percent,
            slow_ms: settings.slow_ms,
            window_ms: settings.window_ms,
            least_outcomes: settings.least_outcomes,
            open_ms: settings.open_ms,
            probes: settings.probes,
            ramp_ms: settings.ramp_ms,
            ramp_from_percent: settings.ramp_from_percent,
            retry_percent: settings.retry_percent,
            retries_per_second: settings.retries_per_second,
            max_in_flight,
        }
    }
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
    /// By what it judges, and what else holds for the participant. A limit or bulkhead that is set on its own goes before `rate_per_second`,
    /// `burst` and `max_in_flight`.
    pub settings: BreakerSettings,
    /// They differ from the configuration.
    pub settings_changed: bool,
}
