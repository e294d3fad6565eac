//! Who holds whom back: what each partition has read and not taken, what it waits for, and how near the node is to its limits.

use std::sync::atomic::{AtomicU64, Ordering};

use bus::layout::Lane;
use domain::time::Timestamp;
use serde::Serialize;

use super::flow::{ThrottledPartition, waited_ms};
use crate::config::{MOST_BATCH_ITEMS, NodeConfig};
use crate::flow::{Figures, Flow, Pressure, Throttle, Watermark};

/// How much one lane of one partition holds in memory, and how much else one partition has under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    messages: u64,
    bytes: u64,
    inputs: u64,
    receipts: u64,
    outputs: u64,
    queued: u64,
    /// With fewer free ones nothing is taken: a batch is not taken in parts.
    least_free_inputs: u64,
}

impl Bounds {
    pub(super) fn of(config: &NodeConfig) -> Self {
        let least_free_inputs = MOST_BATCH_ITEMS.min(config.in_flight_inputs) as u64;
        Self {
            messages: config.lane_batch as u64,
            bytes: config.lane_bytes as u64,
            inputs: config.in_flight_inputs as u64,
            receipts: config.receipts_waiting as u64,
            outputs: config.outputs_waiting as u64,
            queued: config.flow.herald_window as u64,
            least_free_inputs,
        }
    }

    /// The same, with the watermarks that hold now.
    pub(super) fn now(self, flow: &Flow) -> Self {
        let (messages, bytes) = (flow.watermark(Watermark::LaneBatch), flow.watermark(Watermark::LaneBytes));
        Self { messages, bytes, ..self }
    }
}

/// How full something is that every partition has: the fullest of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fullest {
    /// So much the fullest has.
    pub there: u64,
    /// So much each may have.
    pub most: u64,
}

impl Fullest {
    fn of(there: impl Iterator<Item = u64>, most: u64) -> Self {
        Self { there: there.max().unwrap_or(0), most }
    }
}

/// One lane, over all partitions of the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LanePressure {
    /// `replies`, `work`, `intake` or `bulk`, in the order in which they are served.
    pub lane: &'static str,
    /// Messages that are read and not taken.
    pub messages: u64,
    /// The size of their bodies.
    pub bytes: u64,
    /// At so many messages a partition reads on no more.
    pub messages_most: u64,
    /// At so many bytes a partition reads on no more.
    pub bytes_most: u64,
    /// Messages that the fullest partition has read and not taken; a batch that was asked for may go beyond the most.
    pub fullest_messages: u64,
    /// The size of the bodies that the fullest partition has read and not taken.
    pub fullest_bytes: u64,
    /// Partitions that read on no more.
    pub full: Vec<u16>,
    /// Messages in the stream behind the partition that is furthest behind: no partition has more to read.
    pub stream_lag: u64,
}

/// A partition in which something is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionPressure {
    /// Which one.
    pub partition: u16,
    /// Why it begins no new work although some waits; none = it does, or none waits.
    pub throttle: Option<Throttle>,
    /// How long the first new work has waited, in milliseconds; 0 = none waits.
    pub queue_delay_ms: u64,
    /// Inputs wait, and it takes none, because as many as may be are taken and not recorded.
    pub waits_for_records: bool,
    /// Something of the bulk lane waits behind new work, or for room that is not kept for it.
    pub bulk_is_held: bool,
    /// Answers and facts wait for it too long: lists of ordinary commands stand still, and only the least is begun.
    pub is_late: bool,
}

/// How near the bound on orders is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OrdersPressure {
    /// Orders begun and not committed.
    pub uncommitted: u64,
    /// How many there may be right now.
    pub most: u64,
    /// How many there may be as it is set.
    pub limit: u64,
    /// Why there may be fewer now: answers, memory, or growing back.
    pub lowered_by: Option<Throttle>,
}

/// What short memory does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryState {
    /// Nothing.
    Enough,
    /// Only the least number of orders is begun.
    Slows,
    /// Nothing is begun.
    Stops,
}

impl From<Pressure> for MemoryState {
    fn from(pressure: Pressure) -> Self {
        match pressure {
            Pressure::None => Self::Enough,
            Pressure::Soft => Self::Slows,
            Pressure::Hard => Self::Stops,
        }
    }
}

/// How near the budget of memory is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryPressure {
    /// Resident memory as it was last looked at; 0 = nobody looks.
    pub resident: u64,
    /// From here on only the least is begun; 0 = there is no budget.
    pub slows_at: u64,
    /// From here on nothing is begun; 0 = there is no budget.
    pub stops_at: u64,
    /// What it does now.
    pub state: MemoryState,
}

/// Who holds whom back in a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backpressure {
    /// The lanes.
    pub lanes: Vec<LanePressure>,
    /// The partitions in which something is held back.
    pub partitions: Vec<PartitionPressure>,
    /// The bound on orders.
    pub orders: OrdersPressure,
    /// The budget of memory.
    pub memory: MemoryPressure,
    /// Inputs that are taken and not recorded.
    pub inputs: Fullest,
    /// Receipts that wait for their order.
    pub receipts: Fullest,
    /// Records that wait until what they tell is out.
    pub outputs: Fullest,
    /// Orders that are known to queue.
    pub queued: Fullest,
}

const fn name(lane: Lane) -> &'static str {
    match lane {
        Lane::Replies => "replies",
        Lane::Work => "work",
        Lane::Intake => "intake",
        Lane::Bulk => "bulk",
    }
}

impl Backpressure {
    /// Out of what the partitions say of themselves.
    pub(super) fn of(
        (figures, throttles): (&[Figures], &[ThrottledPartition]),
        bounds: Bounds,
        lags: [u64; 4],
        now: Timestamp,
        (orders, memory): (OrdersPressure, MemoryPressure),
    ) -> Self {
        let lane = |lane: Lane| {
            let held = || figures.iter().map(|figures| figures.lanes[lane.index()].get());
            let is_full = |(messages, bytes)| messages >= bounds.messages || bytes >= bounds.bytes;
            LanePressure {
                lane: name(lane),
                messages: held().map(|(messages, _)| messages).sum(),
                bytes: held().map(|(_, bytes)| bytes).sum(),
                messages_most: bounds.messages,
                bytes_most: bounds.bytes,
                fullest_messages: held().map(|(messages, _)| messages).max().unwrap_or(0),
                fullest_bytes: held().map(|(_, bytes)| bytes).max().unwrap_or(0),
                full: (0..)
                    .zip(held())
                    .filter(|(_, held)| is_full(*held))
                    .map(|(number, _)| number)
                    .collect(),
                stream_lag: lags[lane.index()],
            }
        };
        let partition = |(partition, figures): (u16, &Figures)| {
            let something_waits = figures.lanes.iter().any(|lane| lane.get().0 > 0);
            let is_without = figures.free_inputs.load(Ordering::Relaxed) < bounds.least_free_inputs;
            let held = throttles.iter().find(|held| held.partition == partition);
            PartitionPressure {
                partition,
                throttle: held.map(|held| held.reason),
                queue_delay_ms: waited_ms(now, figures.head_stored_at.load(Ordering::Relaxed)),
                waits_for_records: something_waits && is_without,
                bulk_is_held: figures.is_bulk_held.load(Ordering::Relaxed),
                is_late: now.0 < figures.late_until.load(Ordering::Relaxed),
            }
        };
        let is_held = |it: &PartitionPressure| {
            it.throttle.is_some() || it.waits_for_records || it.bulk_is_held || it.is_late
        };
        Self {
            lanes: Lane::ALL.map(lane).to_vec(),
            partitions: (0..).zip(figures).map(partition).filter(is_held).collect(),
            orders,
            memory,
            inputs: Fullest::of(
                relaxed(figures, |it| &it.free_inputs).map(|free| bounds.inputs.saturating_sub(free)),
                bounds.inputs,
            ),
            outputs: Fullest::of(relaxed(figures, |it| &it.outputs), bounds.outputs),
            receipts: Fullest::of(relaxed(figures, |it| &it.receipts), bounds.receipts),
            queued: Fullest::of(relaxed(figures, |it| &it.queued), bounds.queued),
        }
    }
}

fn relaxed(figures: &[Figures], of: fn(&Figures) -> &AtomicU64) -> impl Iterator<Item = u64> {
    figures.iter().map(move |figures| of(figures).load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use bus::layout::Lane;
    use domain::time::Timestamp;

    use super::super::flow::ThrottledPartition;
    use super::{
        Backpressure, Bounds, Fullest, MemoryPressure, MemoryState, OrdersPressure, PartitionPressure,
    };
    use crate::flow::{Figures, Throttle};

    const BOUNDS: Bounds = Bounds {
        messages: 10,
        bytes: 1_000,
        inputs: 4,
        receipts: 30,
        outputs: 9,
        queued: 40,
        least_free_inputs: 4,
    };
    const NOW: Timestamp = Timestamp(10_000);

    fn of(figures: &[Figures], throttles: &[ThrottledPartition]) -> Backpressure {
        let orders = OrdersPressure { uncommitted: 0, most: 1, limit: 1, lowered_by: None };
        let memory = MemoryPressure { resident: 0, slows_at: 0, stops_at: 0, state: MemoryState::Enough };
        Backpressure::of((figures, throttles), BOUNDS, [1, 2, 3, 4], NOW, (orders, memory))
    }

    fn figures() -> Vec<Figures> {
        let free = || {
            let figures = Figures::default();
            figures.free_inputs.store(4, Ordering::Relaxed);
            figures
        };
        (0..3).map(|_| free()).collect()
    }

    #[test]
    fn given_nothing_that_waits_then_nobody_is_held_back() {
        let figures = figures();
        figures[0].free_inputs.store(0, Ordering::Relaxed);
        let found = of(&figures, &[]);
        assert!(found.partitions.is_empty(), "all inputs are under way, and no more are there: {found:?}");
        let lags: Vec<_> = found.lanes.iter().map(|lane| (lane.lane, lane.stream_lag)).collect();
        assert_eq!(lags, [("replies", 1), ("work", 2), ("intake", 3), ("bulk", 4)]);
    }

    #[test]
    fn given_lanes_that_are_full_by_number_or_by_size_then_they_are_named_and_summed() {
        let figures = figures();
        figures[0].lanes[Lane::Work.index()].set(10, 50);
        figures[1].lanes[Lane::Work.index()].set(9, 999);
        figures[2].lanes[Lane::Work.index()].set(1, 1_000);
        let work = &of(&figures, &[]).lanes[Lane::Work.index()];
        assert_eq!((work.messages, work.bytes, &work.full[..]), (20, 2_049, &[0, 2][..]));
        assert_eq!((work.fullest_messages, work.fullest_bytes), (10, 1_000));
    }

    #[test]
    fn given_partitions_that_are_full_to_different_degrees_then_the_fullest_is_told_with_its_bound() {
        let figures = figures();
        figures[1].free_inputs.store(1, Ordering::Relaxed);
        figures[0].receipts.store(7, Ordering::Relaxed);
        figures[2].receipts.store(29, Ordering::Relaxed);
        figures[2].queued.store(11, Ordering::Relaxed);
        figures[1].outputs.store(8, Ordering::Relaxed);
        let found = of(&figures, &[]);
        let expected = [(3, 4), (29, 30), (8, 9), (11, 40)].map(|(there, most)| Fullest { there, most });
        assert_eq!([found.inputs, found.receipts, found.outputs, found.queued], expected);
        figures[1].free_inputs.store(9, Ordering::Relaxed);
        assert_eq!(of(&figures, &[]).inputs.there, 0, "what is handed over brings its own");
    }

    #[test]
    fn given_what_a_partition_waits_for_then_it_is_named() {
        let figures = figures();
        figures[0].late_until.store(NOW.0 + 1, Ordering::Relaxed);
        figures[1].free_inputs.store(3, Ordering::Relaxed);
        figures[1].lanes[Lane::Replies.index()].set(1, 1);
        figures[2].head_stored_at.store(NOW.0 - 70, Ordering::Relaxed);
        figures[2].late_until.store(NOW.0, Ordering::Relaxed);
        let throttled = ThrottledPartition { partition: 2, reason: Throttle::Growing, queue_delay_ms: 70 };
        let none = |partition| PartitionPressure {
            partition,
            throttle: None,
            queue_delay_ms: 0,
            waits_for_records: false,
            bulk_is_held: false,
            is_late: false,
        };
        assert_eq!(
            of(&figures, &[throttled]).partitions,
            [
                PartitionPressure { is_late: true, ..none(0) },
                PartitionPressure { waits_for_records: true, ..none(1) },
                PartitionPressure { throttle: Some(Throttle::Growing), queue_delay_ms: 70, ..none(2) },
            ]
        );
    }
}
