//! What all partitions of a node share about their intake: counts, the bound as it is now, the rules, and who is told of changes.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::time::Timestamp;
use tokio::sync::watch;

use super::limits::{FlowConfig, LimitName};
use super::meter::RuntimeTime;
use super::policy::{Pace, Pressure, Throttle, reopens_at, share};
use super::rules::Rules;
use super::settings::Settings;
use super::watermarks::{self, WATERMARKS, Watermark, Watermarks};
use crate::config::NodeConfig;
use crate::metrics::Metrics;

/// What may still come into memory once nothing is begun any more, for each partition: what the reader of the intake has asked
/// for, and the herald that then reads ahead of it, 2 MiB each. Not more than half of a budget: many partitions need a large one.
const READ_AHEAD_BYTES: u64 = 4 * 1024 * 1024;
/// Between two steps of the bound: short enough that a standing queue of answers is noticed before it grows long, long enough
/// to see more than one of them.
const STEP_MS: i64 = 100;

/// What one partition says of its intake.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// When the broker stored what waits longest in memory to be begun, in milliseconds since 1970; 0 = nothing waits.
    pub(crate) head_stored_at: AtomicI64,
    /// How long the quickest answer waited for us since the last step; `u64::MAX` = there was none.
    pub(crate) answer_delay_ms: AtomicU64,
    /// All new work that the broker stored before this was taken, in milliseconds since 1970.
    pub(crate) reached: AtomicI64,
    /// How many orders are known to queue, beside those in memory.
    pub(crate) queued: AtomicU64,
    /// Why nothing is begun, as [`Throttle::to_number`].
    pub(crate) throttle: AtomicU64,
    /// The bulk lane waits behind new work, or for what is begun.
    pub(crate) is_bulk_held: AtomicBool,
    /// Until when what is begun counts as late, in milliseconds since 1970: lists of ordinary commands stand still.
    pub(crate) late_until: AtomicI64,
    /// Inputs that may still be taken before some of those that were are recorded.
    pub(crate) free_inputs: AtomicU64,
    /// Receipts that wait for their order.
    pub(crate) receipts: AtomicU64,
    /// Records of which not everything is out that they tell.
    pub(crate) outputs: AtomicU64,
    /// What waits in memory, by lane.
    pub(crate) lanes: [LaneFigures; 4],
}

/// What one partition has read of one lane and not taken.
#[derive(Debug, Default)]
pub(crate) struct LaneFigures {
    pub(crate) messages: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

impl LaneFigures {
    /// Says how it is now.
    pub(crate) fn set(&self, messages: usize, bytes: usize) {
        self.messages.store(messages as u64, Ordering::Relaxed);
        self.bytes.store(bytes as u64, Ordering::Relaxed);
    }

    /// Messages and bytes.
    pub(crate) fn get(&self) -> (u64, u64) {
        (self.messages.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}

/// The intake of a node.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(super) config: FlowConfig,
    /// The watermarks as they are configured.
    pub(super) configured_watermarks: Watermarks,
    /// The watermarks as they hold.
    pub(super) watermarks: [AtomicU64; WATERMARKS],
    pub(super) metrics: Arc<Metrics>,
    pub(super) figures: Vec<Figures>,
    pub(super) time: RuntimeTime,
    /// The bound on live orders as it is now.
    pub(super) cap: AtomicU64,
    /// Why it is lower than it is set to be, as [`Throttle::to_number`].
    lowered_by: AtomicU64,
    /// The bound was reached; see [`reopens_at`].
    is_full: AtomicBool,
    pressure: Mutex<Pressure>,
    is_out_of_memory: AtomicBool,
    /// When the bound moved last, in milliseconds since 1970.
    stepped_at: AtomicI64,
    /// Up to when somebody wants to know that all new work was taken.
    wanted: AtomicI64,
    /// The last answer delay that was looked at.
    answer_delay_ms: AtomicU64,
    pub(super) settings: Mutex<Settings>,
    pub(super) rules: Mutex<Arc<Rules>>,
    /// Counts the rules, so that nobody needs the lock to see that they are the same.
    pub(super) version: AtomicU64,
    changed: watch::Sender<u64>,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Flow {
    /// An intake as it is configured.
    pub(crate) fn new(node: &NodeConfig, partitions: u16, metrics: Arc<Metrics>) -> Self {
        let config = &node.flow;
        let configured_watermarks = watermarks::configured(node);
        let figures = || Figures {
            answer_delay_ms: AtomicU64::new(u64::MAX),
            free_inputs: AtomicU64::new(u64::MAX),
            ..Figures::default()
        };
        let flow = Self {
            config: config.clone(),
            configured_watermarks,
            watermarks: configured_watermarks.map(AtomicU64::new),
            metrics,
            figures: (0..partitions).map(|_| figures()).collect(),
            time: RuntimeTime::new(),
            cap: AtomicU64::new(config.live_orders),
            lowered_by: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
            pressure: Mutex::default(),
            is_out_of_memory: AtomicBool::new(false),
            stepped_at: AtomicI64::new(0),
            wanted: AtomicI64::new(0),
            answer_delay_ms: AtomicU64::new(0),
            settings: Mutex::default(),
            rules: Mutex::default(),
            version: AtomicU64::new(0),
            changed: watch::Sender::new(0),
        };
        flow.renew(&locked(&flow.settings), None);
        flow.metrics.live_orders_limit.set_size(config.live_orders);
        flow.metrics.memory_limit.set_size(config.memory_bytes);
        flow
    }

    /// What a partition says. Each writes only its own.
    pub(crate) fn figures(&self, partition: u16) -> &Figures {
        &self.figures[usize::from(partition)]
    }

    pub(crate) fn all_figures(&self) -> &[Figures] {
        &self.figures
    }

    // ---- Counting.

    /// So many more orders are begun and not committed (or, negative, fewer).
    pub(crate) fn adjust(&self, difference: i64) {
        if difference == 0 {
            return;
        }
        self.metrics.live_orders.adjust(difference);
        if difference < 0 && self.is_full() {
            self.reopen();
        }
    }

    fn reopen(&self) {
        let is_low = self.uncommitted() <= reopens_at(self.cap());
        if is_low && self.is_full.swap(false, Ordering::AcqRel) {
            self.tell();
        }
    }

    /// How many are begun and not committed.
    pub(crate) fn uncommitted(&self) -> u64 {
        u64::try_from(self.metrics.live_orders.get()).unwrap_or(0)
    }

    /// How many there may be now.
    pub(crate) fn cap(&self) -> u64 {
        self.cap.load(Ordering::Relaxed)
    }

    /// How many more may be begun by those who may only use this share of the bound, or of `least` if no more may be begun now.
    pub(crate) fn room_within(&self, share_of: Watermark, least: Option<u64>) -> u64 {
        let most = least.map_or(self.cap(), |least| least.min(self.cap()));
        share(most, self.watermark(share_of)).saturating_sub(self.uncommitted())
    }

    /// Why it is lower than it is set to be; none = it is not.
    pub(crate) fn lowered_by(&self) -> Option<Throttle> {
        if self.cap() >= self.effective(&LimitName::Orders).cap {
            return None;
        }
        // It was set higher a moment ago, and grows.
        Throttle::from_number(self.lowered_by.load(Ordering::Relaxed)).or(Some(Throttle::Growing))
    }

    /// How short memory is.
    pub(crate) fn pressure(&self) -> Pressure {
        *locked(&self.pressure)
    }

    /// Resident memory at which only the least may be begun, and at which nothing may; 0 = there is no budget.
    pub(crate) fn memory_marks(&self) -> (u64, u64) {
        let cap = self.effective(&LimitName::Memory).cap;
        Pressure::marks(cap, self.memory_reserve(cap))
    }

    fn memory_reserve(&self, cap: u64) -> u64 {
        (READ_AHEAD_BYTES * self.figures.len() as u64).min(cap / 2)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// The bound is reached: it opens again some way below it.
    pub(crate) fn fill(&self) {
        self.is_full.store(true, Ordering::Release);
        // Who was committed between the look and this has opened nothing, and nobody else might come by.
        self.reopen();
    }

    pub(crate) fn is_out_of_memory(&self) -> bool {
        self.is_out_of_memory.load(Ordering::Relaxed)
    }

    /// The process takes so many bytes of memory.
    pub(crate) fn observe_memory(&self, resident: u64) {
        self.metrics.resident_bytes.set_size(resident);
        let cap = self.effective(&LimitName::Memory).cap;
        let mut pressure = locked(&self.pressure);
        *pressure = Pressure::of(resident, cap, self.memory_reserve(cap), *pressure);
        let is_out = *pressure == Pressure::Hard;
        drop(pressure);
        if self.is_out_of_memory.swap(is_out, Ordering::AcqRel) != is_out {
            if is_out {
                tracing::warn!(resident, cap, "memory is short: no new work is begun");
            }
            self.tell();
        }
    }

    /// The bound moves with time. Whoever takes inputs comes by here, so it needs no timer of its own.
    pub(crate) fn pass(&self, now: Timestamp) {
        let last = self.stepped_at.load(Ordering::Relaxed);
        let is_due = now.0.saturating_sub(last) >= STEP_MS || now.0 < last;
        let order = Ordering::Relaxed;
        if is_due && self.stepped_at.compare_exchange(last, now.0, order, order).is_ok() {
            self.step();
        }
    }

    fn step(&self) {
        let delays =
            self.figures.iter().map(|figures| figures.answer_delay_ms.swap(u64::MAX, Ordering::Relaxed));
        let delay = delays.filter(|delay| *delay < u64::MAX).max();
        self.answer_delay_ms.store(delay.unwrap_or(0), Ordering::Relaxed);
        let (orders, before) = (self.effective(&LimitName::Orders).cap, self.cap());
        let pace = Pace { effective: before, lowered_by: None }.step(
            orders,
            self.watermark(Watermark::LiveOrdersLeast),
            delay,
            self.watermark(Watermark::AnswerDelay),
            self.uncommitted(),
            *locked(&self.pressure),
        );
        self.cap.store(pace.effective, Ordering::Relaxed);
        self.lowered_by.store(Throttle::to_number(pace.lowered_by), Ordering::Relaxed);
        self.metrics.live_orders_limit.set_size(pace.effective);
        if pace.effective > before && self.is_full.swap(false, Ordering::AcqRel) {
            self.tell();
        }
    }

    /// How long answers waited for us when it was last looked at.
    pub(crate) fn answer_delay_ms(&self) -> u64 {
        self.answer_delay_ms.load(Ordering::Relaxed)
    }

    /// Was all new work taken that was stored before this moment, in all partitions? A batch may hold orders of any of them.
    /// If not, the partitions find out: ask again.
    pub(crate) fn has_reached(&self, moment: Timestamp) -> bool {
        if self.figures.iter().all(|figures| figures.reached.load(Ordering::Relaxed) > moment.0) {
            return true;
        }
        self.wanted.fetch_max(moment.0, Ordering::Relaxed);
        false
    }

    /// Does somebody want to know how far this partition is?
    pub(crate) fn is_wanted(&self, partition: u16) -> bool {
        self.figures(partition).reached.load(Ordering::Relaxed) <= self.wanted.load(Ordering::Relaxed)
    }

    // ---- Rules.

    /// A watermark as it holds.
    pub(crate) fn watermark(&self, which: Watermark) -> u64 {
        self.watermarks[which as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The rules as they are, and their number.
    pub(crate) fn rules(&self) -> (Arc<Rules>, u64) {
        let rules = locked(&self.rules);
        (Arc::clone(&rules), self.version())
    }

    /// Hears of everything that may let the intake go on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}
