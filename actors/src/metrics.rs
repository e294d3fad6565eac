//! What is counted: plain atomics, one set for a node. The server gives them names and help texts.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use bus::layout::Lane;
use dashmap::DashMap;
use domain::bounds::Bound;
use domain::decider::Participant;
use domain::reason::DeadReason;
use domain::time::Timestamp;

use crate::flow::watermarks::WATERMARKS;

/// Only goes up.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add_one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Changes it by `difference`.
    pub fn adjust(&self, difference: i64) {
        self.0.fetch_add(difference, Ordering::Relaxed);
    }

    /// Makes it this value.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Makes it this value, or the highest that there is.
    pub(crate) fn set_size(&self, value: u64) {
        self.set(i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// What it is now.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many buckets a [`Histogram`] has: values up to 2^31 are told apart.
pub const BUCKETS: usize = 32;

/// Counts values by their power of two: bucket n holds those from 2^(n-1) up to, but not including, 2^n; bucket 0 holds 0.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
}

impl Histogram {
    /// Counts one value.
    pub fn record(&self, value: u64) {
        let bucket = (u64::BITS - value.leading_zeros()) as usize;
        self.buckets[bucket.min(BUCKETS - 1)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// The counts of all buckets.
    pub fn buckets(&self) -> [u64; BUCKETS] {
        std::array::from_fn(|bucket| self.buckets[bucket].load(Ordering::Relaxed))
    }

    /// The sum of all values.
    pub fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }

    pub(crate) fn record_us(&self, time: Duration) {
        self.record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }
}

/// The most that any entity had of something, in this minute or the last one in which anything was decided, and how much it may
/// have.
#[derive(Debug, Default)]
pub struct Fullest {
    minute: AtomicI64,
    now: AtomicU64,
    before: AtomicU64,
    most: AtomicU64,
}

impl Fullest {
    /// An entity has so many, of so many that it may have.
    pub fn note(&self, at: Timestamp, there: usize, most: usize) {
        let minute = at.0 / 60_000;
        if self.minute.load(Ordering::Relaxed) != minute
            && self.minute.swap(minute, Ordering::Relaxed) != minute
        {
            self.before.store(self.now.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        }
        self.now.fetch_max(there as u64, Ordering::Relaxed);
        self.most.store(most as u64, Ordering::Relaxed);
    }

    /// How many the fullest had.
    pub fn there(&self) -> u64 {
        self.now.load(Ordering::Relaxed).max(self.before.load(Ordering::Relaxed))
    }

    /// How many it may have; 0 = none of them has decided yet.
    pub fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }
}

/// All counters of a node.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Messages taken from each lane, in the order of [`Lane::ALL`].
    pub inputs: [Counter; 4],
    /// Messages that a lane's stream is known to have lost at its end, in the order of [`Lane::ALL`].
    pub lost: [Counter; 4],
    /// Messages that were gone before they were read, in the order of [`Lane::ALL`].
    pub missing: [Counter; 4],
    /// Decisions: versions of entities.
    pub decisions: Counter,
    /// Events published in pages.
    pub events: Counter,
    /// Records appended.
    pub records: Counter,
    /// Bytes of the records, as stored.
    pub record_bytes: Counter,
    /// Decisions in a record.
    pub record_decisions: Histogram,
    /// Microseconds from closing a record to its ack.
    pub append_us: Histogram,
    /// Commands handed to the bus, in the order of [`Participant::ALL`].
    pub commands: [Counter; 5],
    /// Commands dropped before the bus; their deadlines send them again.
    pub commands_dropped: [Counter; 5],
    /// Commands sent and not answered.
    pub in_flight: [Gauge; 5],
    /// How many commands may be sent and not answered.
    pub in_flight_limit: [Gauge; 5],
    /// Effects that wait for their participant's gate.
    pub waiting: [Gauge; 5],
    /// How the breaker stands, as a place in `BreakerState::ALL`.
    pub breaker_state: [Gauge; 5],
    /// How often a breaker opened.
    pub breaker_opened: [Counter; 5],
    /// Effects that had to wait for a breaker.
    pub breaker_waits: [Counter; 5],
    /// Commands a second that are allowed now.
    pub rate_limit: [Gauge; 5],
    /// Effects that had to wait for the rate.
    pub rate_waits: [Counter; 5],
    /// Commands sent again because they were not answered.
    pub retries: [Counter; 5],
    /// Commands not sent again when they were due: the breaker, the rate or the retry budget held them back.
    pub retries_refused: [Counter; 5],
    /// New orders that were not taken because what they need is not there.
    pub refused_new: Counter,
    /// Event pages stored.
    pub pages: Counter,
    /// Events published alone.
    pub notices: Counter,
    /// Receipts that said `accepted`.
    pub receipts_accepted: Counter,
    /// Receipts that said `rejected`.
    pub receipts_rejected: Counter,
    /// Receipts that said `pending`.
    pub receipts_pending: Counter,
    /// Dead letters by reason, in the order of [`REASONS`].
    pub dead_letters: [Counter; 9],
    /// Repeated inputs that were recognised.
    pub repeated: Counter,
    /// Letters from one entity to another that were put into the box of a partition.
    pub letters: Counter,
    /// Letters dropped: the box was full, its partition had ended, or the recipient is set aside. They are sent again.
    pub letters_dropped: Counter,
    /// Letters in the boxes.
    pub letters_waiting: Gauge,
    /// How many letters all boxes hold.
    pub letters_waiting_limit: Gauge,
    /// How full the fullest entities were of what is bounded, in the order of [`Bound::ALL`].
    pub fullest: [Fullest; Bound::ALL.len()],
    /// Rows on the board: entities that let all decisions look at something of them.
    pub posted: Gauge,
    /// Items of batches that went on to their own partition.
    pub handed_on: Counter,
    /// Deadlines delivered to entities.
    pub timers: Counter,
    /// Faults caught in the rules.
    pub panics: Counter,
    /// Partitions lost to another owner.
    pub fenced: Counter,
    /// Decisions replayed by recoveries.
    pub replayed: Counter,
    /// Snapshots stored.
    pub snapshots: Counter,
    /// Entities that left memory, their snapshots being stored.
    pub passivated: Counter,
    /// Entities that were packed in memory.
    pub packed: Counter,
    /// Entities that were opened again for a message.
    pub unpacked: Counter,
    /// Entities read back from their snapshots.
    pub loaded: Counter,
    /// Entities that are known, closed ones too. Told with every round of snapshots.
    pub known: Gauge,
    /// Those of them that are in memory.
    pub in_memory: Gauge,
    /// Snapshots written again so that their old page could go.
    pub rewritten: Counter,
    /// Closed entities that are not known any more.
    pub forgotten: Counter,
    /// Journal records purged because snapshots cover them.
    pub purged_records: Counter,
    /// Orders that are begun and not committed.
    pub live_orders: Gauge,
    /// How many of them there may be now.
    pub live_orders_limit: Gauge,
    /// The watermarks of back-pressure that hold, in the order of their ranges.
    pub watermarks: [Gauge; WATERMARKS],
    /// Resident memory of the process, in bytes, as it was last looked at.
    pub resident_bytes: Gauge,
    /// How many bytes it may take; 0 = no budget.
    pub memory_limit: Gauge,
    /// New work that was refused for now, in the order of [`RefusedFor::ALL`].
    pub refused: [Counter; 3],
    /// Orders that are known to queue, beside those in memory.
    pub queued: Gauge,
    /// Known entities by phase.
    pub phases: DashMap<&'static str, i64>,
}

/// Why new work was refused for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedFor {
    /// Its tenant or channel has used up its quota.
    Quota,
    /// It queued for longer than its class may.
    Overload,
    /// Its tenant or channel is paused.
    Paused,
}

impl RefusedFor {
    /// All of them, in a fixed order.
    pub const ALL: [Self; 3] = [Self::Quota, Self::Overload, Self::Paused];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Overload => "overload",
            Self::Paused => "paused",
        }
    }
}

/// The reasons of [`Metrics::dead_letters`].
pub const REASONS: [DeadReason; 9] = [
    DeadReason::Schema,
    DeadReason::Version,
    DeadReason::Oversize,
    DeadReason::UnknownType,
    DeadReason::UnknownEntity,
    DeadReason::Conflict,
    DeadReason::Quarantined,
    DeadReason::Expired,
    DeadReason::Overloaded,
];

impl Metrics {
    pub(crate) fn input(&self, lane: Lane) -> &Counter {
        &self.inputs[lane.index()]
    }

    pub(crate) fn dead_letter(&self, reason: DeadReason) {
        let place = REASONS.iter().position(|known| *known == reason).expect("all reasons are listed");
        self.dead_letters[place].add_one();
    }

    pub(crate) fn refused_for(&self, cause: RefusedFor) -> &Counter {
        &self.refused[cause as usize]
    }

    pub(crate) fn waiting_of(&self, participant: Participant) -> &Gauge {
        &self.waiting[participant.index()]
    }

    pub(crate) fn phase_changed(&self, from: Option<&'static str>, to: Option<&'static str>) {
        if from == to {
            return;
        }
        for (phase, difference) in [(from, -1), (to, 1)] {
            if let Some(phase) = phase {
                *self.phases.entry(phase).or_default() += difference;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;

    use super::{Fullest, Histogram};

    #[test]
    fn the_fullest_of_a_minute_is_shown_until_the_next_but_one() {
        let fullest = Fullest::default();
        for (minute, there) in [(1, 4), (1, 9), (1, 3)] {
            fullest.note(Timestamp(minute * 60_000), there, 10);
        }
        assert_eq!((fullest.there(), fullest.most()), (9, 10));
        fullest.note(Timestamp(2 * 60_000), 2, 10);
        assert_eq!(fullest.there(), 9, "it was so a moment ago");
        fullest.note(Timestamp(3 * 60_000), 1, 10);
        assert_eq!(fullest.there(), 2);
    }

    #[test]
    fn values_fall_into_the_bucket_of_their_power_of_two() {
        let histogram = Histogram::default();
        for value in [0, 1, 2, 3, 4, u64::MAX >> 1] {
            histogram.record(value);
        }
        let buckets = histogram.buckets();
        assert_eq!((buckets[0], buckets[1], buckets[2], buckets[3], buckets[31]), (1, 1, 2, 1, 1));
    }
}
