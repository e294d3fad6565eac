//! Who holds whom back, as an operator is shown it.

use std::collections::BTreeMap;

use serde::Serialize;

/// Something that is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct HeldReport {
    /// What does not go on.
    #[schema(example = "new work of partition 3")]
    pub what: String,
    /// Who holds it back: an operator, a limit, a breaker, a bulkhead, or work that is behind.
    #[schema(example = "limit orders")]
    pub by: String,
    /// Why, in one word: `paused`, `draining`, `orders`, `answers`, `memory`, `rate`, `growing`, `records`, `bulk`, `lane_full`,
    /// `breaker`, `probes` or `in_flight`.
    #[schema(example = "orders")]
    pub reason: String,
    /// Why, in words.
    #[schema(example = "50000 orders are begun and not committed, of at most 50000")]
    pub detail: String,
    /// How long the first of it has waited, in milliseconds, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_ms: Option<u64>,
}

/// One lane, over all partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LaneReport {
    /// `replies`, `work`, `intake` or `bulk`, in the order in which they are served.
    #[schema(example = "intake")]
    pub lane: String,
    /// Messages that are read and not taken.
    pub messages: u64,
    /// The size of their bodies.
    pub bytes: u64,
    /// At so many messages a partition reads on no more.
    pub messages_most: u64,
    /// At so many bytes a partition reads on no more.
    pub bytes_most: u64,
    /// Partitions that read on no more: the rest waits in the broker.
    pub full: Vec<u16>,
    /// Messages in the stream behind the partition that is furthest behind; its own are among them.
    pub stream_waiting: u64,
}

/// The list of commands that wait in front of a participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ListReport {
    /// The participant.
    #[schema(example = "erp")]
    pub system: String,
    /// Commands that wait.
    pub waiting: u64,
    /// Those of them that go first, because they give back.
    pub waiting_urgent: u64,
    /// Commands that are open at the participant.
    pub in_flight: u64,
    /// How many that may be.
    pub max_in_flight: u64,
    /// Why the ordinary ones do not go now: `breaker`, `probes`, `in_flight`, `rate` or `answers`; none = they go, or none waits.
    pub held_by: Option<String>,
}

/// The bound on orders that are begun and not committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct OrdersReport {
    /// So many there are.
    pub uncommitted: u64,
    /// So many there may be right now.
    pub most: u64,
    /// So many there may be as it is set: the limit `orders`.
    pub limit: u64,
    /// Why there may be fewer now: `answers`, `memory` or `growing`; none = there may not.
    pub lowered_by: Option<String>,
}

/// The budget of memory, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct MemoryReport {
    /// Resident memory of the process; 0 = nobody can tell.
    pub resident: u64,
    /// From here on only the least number of orders is begun; 0 = there is no budget.
    pub slows_at: u64,
    /// From here on nothing is begun; 0 = there is no budget.
    pub stops_at: u64,
    /// `enough`, `slows` or `stops`.
    #[schema(example = "enough")]
    pub state: String,
}

/// A class of channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ClassReport {
    /// `low`, `normal` or `high`.
    #[schema(example = "low")]
    pub class: String,
    /// New work of it that has queued for longer is refused for now, in milliseconds; 0 = it queues until it expires.
    pub patience_ms: u64,
    /// Its channels; `*` are all that have no class of their own.
    pub channels: Vec<String>,
}

/// The watermarks of back-pressure. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct Watermarks {
    /// Answers and facts that wait longer for us mean that only the least is begun, and that lists of ordinary commands stand still.
    pub answer_delay_ms: u64,
    /// So many orders may be begun and not committed whatever waits.
    pub live_orders_least: u64,
    /// How long work of class normal may queue before it is refused for now; 0 = until it expires.
    pub patience_normal_ms: u64,
    /// How long work of class low may.
    pub patience_low_ms: u64,
    /// What a refused sender is told at least to wait.
    pub retry_after_ms: u64,
    /// Once new work waits longer, those who wait are told.
    pub herald_after_ms: u64,
    /// Messages of a lane that are read and not taken; beyond it a partition reads on no more.
    pub lane_batch: u64,
    /// Bytes of their bodies, likewise.
    pub lane_bytes: u64,
    /// Once so many per cent of the orders that may be are begun and not committed, work of class low is refused for now.
    pub low_percent: u64,
    /// Once so many are, late sales (the bulk lane) wait.
    pub bulk_percent: u64,
    /// The class of each channel that has one, `low`, `normal` or `high`; `*` are all others.
    pub classes: BTreeMap<String, String>,
}

/// The watermarks as they are configured, and as they are in force.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct WatermarksReport {
    /// As configured.
    pub configured: Watermarks,
    /// As they are in force.
    pub effective: Watermarks,
}

/// Who holds whom back, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct BackpressureReport {
    /// Everything that is held back; empty = nothing is.
    pub held: Vec<HeldReport>,
    /// What waits in memory and in the streams.
    pub lanes: Vec<LaneReport>,
    /// What waits in front of the participants.
    pub lists: Vec<ListReport>,
    /// How near the bound on orders is.
    pub orders: OrdersReport,
    /// How near the budget of memory is.
    pub memory: MemoryReport,
    /// Classes of channels in the order in which they give way while new work queues.
    pub gives_way: Vec<ClassReport>,
    /// By what it slows, refuses, tells and reads no further.
    pub watermarks: WatermarksReport,
}
