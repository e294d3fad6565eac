//! Every bound of the actors, with its unit and why it has its default.

use std::time::Duration;

use domain::by_participant::ByParticipant;
use domain::further::Further;
use domain::messages::body::Format;
use serde::{Deserialize, Serialize};

use crate::flow::FlowConfig;
use crate::participant::settings::ParticipantSettings;

/// What a record may hold at most, events of other sizes being split over pages. Fixed: readers rely on it.
pub(crate) const MOST_RECORD_BYTES: usize = 256 * 1024;
/// See [`MOST_RECORD_BYTES`].
pub(crate) const MOST_DECISIONS: usize = 500;
/// See [`MOST_RECORD_BYTES`].
pub(crate) const MOST_EVENTS: usize = 900;
/// The largest event page.
pub(crate) const MOST_PAGE_BYTES: usize = 512 * 1024;
/// The largest row of a page: alone in its page, it stays below what the server takes as one message.
pub(crate) const MOST_ROW_BYTES: usize = 768 * 1024;
/// The largest single decision; one beyond it is a fault of the rules.
pub(crate) const MOST_DECISION_BYTES: usize = 768 * 1024;
/// The largest inbound body, of a message alone or of an item of a batch.
pub(crate) const MOST_BODY_BYTES: usize = 256 * 1024;
/// The largest inbound batch: what the server takes as one message unless it is configured for more.
pub(crate) const MOST_BATCH_BYTES: usize = 1024 * 1024;
/// The largest inbound headers, names and values.
pub(crate) const MOST_HEADER_BYTES: usize = 32 * 1024;
/// The most items of an inbound batch.
pub(crate) const MOST_BATCH_ITEMS: usize = 64;

const _: () = assert!(MOST_DECISION_BYTES >= MOST_RECORD_BYTES, "bounded-everything");
const _: () = assert!(MOST_DECISION_BYTES >= 2 * MOST_BODY_BYTES, "bounded-everything");

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The limits of a node. All lengths of time are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeConfig {
    /// Who this start is; no two starts may have the same, or one could take the other's fence for its own. Not configured.
    #[serde(skip)]
    pub instance: String,
    /// Inputs of a partition on their way from the reader to the ack of their record. More wait in the broker.
    pub in_flight_inputs: usize,
    /// Letters of entities that wait in front of one partition; what is beyond is dropped, and sent again at its deadline.
    pub letters_waiting: usize,
    /// Letters of a partition on their way from their box to the ack of their record, beside `in_flight_inputs`.
    pub letters_at_once: usize,
    /// How long a partition that is ready waits at its start for what the others put on the board.
    pub board_patience_ms: u64,
    /// Messages that a lane asks for at once; so many more wait in memory before they are taken.
    pub lane_batch: usize,
    /// Bytes of bodies that a lane holds before it reads on; beyond it only what is on its way already.
    pub lane_bytes: usize,
    /// Inputs taken in one cycle, before entities get their turn; a fifth of it is kept for new work.
    pub cycle_inputs: usize,
    /// How long a reader waits for messages before it looks up again.
    pub lane_patience_ms: u64,
    /// Records whose pages, dead letters and notices are not out yet; beyond it the next record waits.
    pub outputs_waiting: usize,
    /// The beat in which records that are not full are closed, where more is to be expected meanwhile; 0 = none.
    pub record_interval_ms: u64,
    /// Receipts that wait for their order; beyond it the answer is `pending` at once.
    pub receipts_waiting: usize,
    /// When the answer is `pending` if the sender gave no `Receipt-Deadline-Ms`.
    pub receipt_deadline_ms: i64,
    /// When new work is too old to begin if the sender gave no `ce-expirytime`.
    pub expiry_ms: i64,
    /// How often positions are recorded while nothing is decided.
    pub position_interval_ms: u64,
    /// How often inbound streams that are less than half full are purged.
    pub purge_interval_ms: u64,
    /// Go on when inputs are gone that were never read? Without it their partition is broken, until somebody decides.
    pub accept_lost_inputs: bool,
    /// The longest pause between two tries while the broker does not answer.
    pub retry_pause_ms: u64,
    /// When an entity whose deadline passed without an event is asked again.
    pub timer_retry_ms: i64,
    /// Commands sent to one participant and not answered, over all partitions of the node.
    pub in_flight_commands: InFlight,
    /// Rate, breaker, ramp and retry budget of each participant.
    pub participants: Participants,
    /// Which participants take several commands in one message (CONTRACT: command batch).
    pub command_batches: Batches,
    /// How the commands to each participant are written, alone and in batches.
    pub command_formats: Formats,
    /// Command batches that wait in front of one participant; what is beyond is dropped, and sent again at its deadline.
    pub send_queue: usize,
    /// Commands a second that recovery sends again to one participant.
    pub resend_per_second: u32,
    /// When an entity without inputs is packed in memory: then it takes a fraction of the room, and its next input some more
    /// microseconds.
    pub pack_after_ms: u64,
    /// When an entity without inputs leaves memory.
    pub idle_after_ms: i64,
    /// How old the oldest journal record may get that no snapshot covers: the bound on what a recovery replays.
    pub checkpoint_age_ms: i64,
    /// How often snapshots are taken.
    pub snapshot_interval_ms: u64,
    /// Snapshots stored together, 1 to 999.
    pub snapshot_batch: usize,
    /// How many snapshots, or rows of their index, may count no more before what counts is written again and the rest purged.
    pub snapshot_slack: usize,
    /// Entities read back into memory at the same time.
    pub loads_at_once: usize,
    /// How old a journal record must be to be purged, once snapshots cover it; 0 = for ever.
    pub journal_keep_ms: i64,
    /// How many bytes of a partition's journal are kept, covered by snapshots or not asked for any more; 0 = all.
    pub journal_keep_bytes: u64,
    /// How long the state of a closed entity can be asked for, and takes what still comes for it; 0 = for ever.
    pub closed_retention_ms: i64,
    /// How long it is known that a closed entity was there, so that its id is not taken for a new one; 0 = for ever. Not shorter
    /// than `closed_retention_ms`.
    pub known_retention_ms: i64,
    /// Kinds of events that are also published alone: `order.*`, one kind, or `!` and a kind to leave it out.
    pub singles: Vec<String>,
    /// Kinds of events that are told only where they are named here: the contract's list is told anyway.
    #[serde(with = "domain::further::names")]
    pub further: Further,
    /// How much new work is begun, and who is asked to come back later.
    pub flow: FlowConfig,
}

/// How many commands each participant may have to answer.
pub type InFlight = ByParticipant<u32>;
/// Whether each participant takes several commands in one message.
pub type Batches = ByParticipant<bool>;
/// What each participant reads.
pub type Formats = ByParticipant<Format>;
/// How each participant is asked.
pub type Participants = ByParticipant<ParticipantSettings>;

/// A few seconds of a peak; the command streams hold many times as many.
const IN_FLIGHT_COMMANDS: u32 = 10_000;

impl Default for NodeConfig {
    fn default() -> Self {
        let singles =
            ["order.*", "!order.status_changed", "shipment.dispatched", "refund.completed", "exception.*"];
        Self {
            instance: "node".to_owned(),
            in_flight_inputs: 2_000,
            letters_waiting: 10_000,
            letters_at_once: 2_000,
            board_patience_ms: 10_000,
            lane_batch: 500,
            lane_bytes: 2 * 1024 * 1024,
            cycle_inputs: 250,
            lane_patience_ms: 1_000,
            outputs_waiting: 64,
            record_interval_ms: 5,
            receipts_waiting: 100_000,
            receipt_deadline_ms: 2_000,
            expiry_ms: 600_000,
            position_interval_ms: 1_000,
            purge_interval_ms: 30_000,
            accept_lost_inputs: false,
            retry_pause_ms: 1_000,
            timer_retry_ms: 1_000,
            in_flight_commands: InFlight::all(IN_FLIGHT_COMMANDS),
            participants: Participants::default(),
            command_batches: Batches::default(),
            command_formats: Formats::default(),
            send_queue: 4_096,
            resend_per_second: 5_000,
            pack_after_ms: 2_000,
            idle_after_ms: 60_000,
            checkpoint_age_ms: 15_000,
            snapshot_interval_ms: 1_000,
            snapshot_batch: 250,
            snapshot_slack: 10_000,
            loads_at_once: 64,
            journal_keep_ms: 0,
            journal_keep_bytes: 0,
            closed_retention_ms: 180 * DAY_MS,
            known_retention_ms: 180 * DAY_MS,
            singles: singles.map(str::to_owned).to_vec(),
            further: Further::NONE,
            flow: FlowConfig::default(),
        }
    }
}

impl NodeConfig {
    pub(crate) const fn lane_patience(&self) -> Duration {
        Duration::from_millis(self.lane_patience_ms)
    }

    pub(crate) const fn record_interval(&self) -> Duration {
        Duration::from_millis(self.record_interval_ms)
    }

    pub(crate) const fn position_interval(&self) -> Duration {
        Duration::from_millis(self.position_interval_ms)
    }

    /// The pause before try `attempt` (from 0): doubles from 10 ms up to the longest.
    pub(crate) fn retry_pause(&self, attempt: u32) -> Duration {
        let doubled = 10_u64.saturating_mul(1 << attempt.min(16));
        Duration::from_millis(doubled.min(self.retry_pause_ms.max(1)))
    }

    /// Is this kind of event also published alone? The last entry that names it decides.
    pub(crate) fn is_single(&self, kind: &str) -> bool {
        let mut single = false;
        for entry in &self.singles {
            let (wanted, pattern) =
                entry.strip_prefix('!').map_or((true, entry.as_str()), |rest| (false, rest));
            let fits = match pattern.strip_suffix('*') {
                Some(prefix) => kind.starts_with(prefix),
                None => kind == pattern,
            };
            if fits {
                single = wanted;
            }
        }
        single
    }
}

#[cfg(test)]
mod tests {
    use super::NodeConfig;

    #[test]
    fn the_default_singles_are_those_of_the_contract() {
        let config = NodeConfig::default();
        for kind in [
            "order.received",
            "order.committed",
            "shipment.dispatched",
            "refund.completed",
            "exception.opened",
        ] {
            assert!(config.is_single(kind), "{kind}");
        }
        for kind in ["order.status_changed", "shipment.accepted", "payment.captured", "erp.posted"] {
            assert!(!config.is_single(kind), "{kind}");
        }
    }

    #[test]
    fn pauses_double_and_end_at_the_longest() {
        let config = NodeConfig::default();
        let pauses: Vec<_> =
            [0, 1, 6, 7, 40].iter().map(|attempt| config.retry_pause(*attempt).as_millis()).collect();
        assert_eq!(pauses, [10, 20, 640, 1_000, 1_000]);
    }
}
