//! The intake of a node, for who looks at it and who changes it while it runs. Everything here answers at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bus::layout::Lane;
use domain::time::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

pub use crate::flow::limits::{
    LEAST_MEMORY, LimitName, MOST_LIVE_ORDERS, MOST_NAME_BYTES, MOST_RATE, Scope, Setting,
};
pub use crate::flow::watermarks::{WatermarkChange, WatermarkState};
pub use crate::flow::{Change, SettingError, Throttle};

use super::backpressure::{Backpressure, Bounds, MemoryPressure, OrdersPressure};
use super::board::Board;
use crate::clock::SharedClock;
use crate::flow::Flow;
use crate::metrics::{Metrics, RefusedFor};

/// Whether the node begins new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As fast as it comes.
    Open,
    /// Some of it waits, or is refused: see [`FlowState::throttles`] and [`FlowState::pauses`].
    Limited,
    /// None: somebody has paused it.
    Paused,
    /// None: somebody drains the node, and orders are still begun and not committed.
    Draining,
    /// None, and all that were begun are committed or given up.
    Drained,
}

/// A pause, and when it ends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PauseState {
    /// What it reaches.
    pub scope: Scope,
    /// In so many milliseconds; none = when somebody ends it.
    pub reverts_in_ms: Option<u64>,
}

/// A limit as it is configured, as it holds, and how much of it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitState {
    /// Which one.
    pub name: LimitName,
    /// As the configuration says.
    pub configured: Setting,
    /// As it holds: configured, or set by somebody.
    pub effective: Setting,
    /// Orders or bytes that count against its cap now; none for a limit without a cap.
    pub used: Option<u64>,
    /// True if somebody has set it.
    pub is_set: bool,
    /// When that reverts, in so many milliseconds; none = when somebody clears it.
    pub reverts_in_ms: Option<u64>,
}

/// Why a partition begins nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ThrottledPartition {
    /// Which one.
    pub partition: u16,
    /// Why.
    pub reason: Throttle,
    /// How long the first that waits has waited, in milliseconds.
    pub queue_delay_ms: u64,
}

/// New work that was refused for now, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RefusedCounts {
    /// A tenant or channel had used up its quota.
    pub quota: u64,
    /// It had queued for longer than its class may.
    pub overload: u64,
    /// Its tenant or channel was paused.
    pub paused: u64,
}

/// How the intake is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlowState {
    /// In one word.
    pub mode: Mode,
    /// Orders begun and not committed.
    pub uncommitted_orders: u64,
    /// How many there may be right now: the limit `orders`, or less while answers are late or memory is short.
    pub uncommitted_most: u64,
    /// Resident memory in bytes, as it was last looked at; 0 = nobody looks.
    pub resident_bytes: u64,
    /// Messages in the stream of the intake behind the partition that is furthest behind: no partition has more to read.
    pub intake_lag: u64,
    /// Orders that are known to queue, beside those that stand in memory.
    pub queued_orders: u64,
    /// How long the longest waiting new work has waited, in milliseconds; 0 = none waits.
    pub queue_delay_ms: u64,
    /// How long answers wait for us, in milliseconds.
    pub answer_delay_ms: u64,
    /// Partitions that begin nothing although something waits, and why.
    pub throttles: Vec<ThrottledPartition>,
    /// What is paused.
    pub pauses: Vec<PauseState>,
    /// All limits.
    pub limits: Vec<LimitState>,
    /// What was refused.
    pub refused: RefusedCounts,
}

/// A handle to the intake of a node. Clones are handles to the same one; it may be used on any thread.
#[derive(Debug, Clone)]
pub struct FlowControl {
    flow: Arc<Flow>,
    board: Arc<Board>,
    metrics: Arc<Metrics>,
    clock: SharedClock,
    bounds: Bounds,
}

impl FlowControl {
    pub(super) const fn new(
        flow: Arc<Flow>,
        board: Arc<Board>,
        metrics: Arc<Metrics>,
        clock: SharedClock,
        bounds: Bounds,
    ) -> Self {
        Self { flow, board, metrics, clock, bounds }
    }

    /// How it is.
    pub fn state(&self) -> FlowState {
        let now = self.clock.now();
        let throttles = self.throttles(now);
        let pauses: Vec<PauseState> = self.flow.look(|settings| {
            let shown = |(scope, until): &(Scope, Option<Instant>)| PauseState {
                scope: scope.clone(),
                reverts_in_ms: until.map(left_ms),
            };
            settings.pauses.iter().map(shown).collect()
        });
        let uncommitted_orders = self.flow.uncommitted();
        let figures = self.flow.all_figures();
        let heads = figures.iter().map(|figures| figures.head_stored_at.load(Ordering::Relaxed));
        let refused = |cause: RefusedFor| self.metrics.refused_for(cause).get();
        FlowState {
            mode: self.mode(&pauses, &throttles, uncommitted_orders),
            uncommitted_orders,
            uncommitted_most: self.flow.cap(),
            resident_bytes: u64::try_from(self.metrics.resident_bytes.get()).unwrap_or(0),
            intake_lag: self.lag(Lane::Intake),
            queued_orders: figures.iter().map(|it| it.queued.load(Ordering::Relaxed)).sum(),
            queue_delay_ms: heads.map(|head| waited_ms(now, head)).max().unwrap_or(0),
            answer_delay_ms: self.flow.answer_delay_ms(),
            throttles,
            pauses,
            limits: self.limits(),
            refused: RefusedCounts {
                quota: refused(RefusedFor::Quota),
                overload: refused(RefusedFor::Overload),
                paused: refused(RefusedFor::Paused),
            },
        }
    }

    fn mode(&self, pauses: &[PauseState], throttles: &[ThrottledPartition], uncommitted: u64) -> Mode {
        match uncommitted {
            0 if self.is_draining() => Mode::Drained,
            _ if self.is_draining() => Mode::Draining,
            _ if pauses.iter().any(|pause| pause.scope == Scope::All) => Mode::Paused,
            _ if throttles.is_empty() && pauses.is_empty() => Mode::Open,
            _ => Mode::Limited,
        }
    }

    fn throttles(&self, now: Timestamp) -> Vec<ThrottledPartition> {
        let lowered_by = self.flow.lowered_by();
        let shown = (0..).zip(self.flow.all_figures()).filter_map(|(partition, figures)| {
            let reason = match Throttle::from_number(figures.throttle.load(Ordering::Relaxed))? {
                Throttle::Orders => lowered_by.unwrap_or(Throttle::Orders),
                reason => reason,
            };
            let queue_delay_ms = waited_ms(now, figures.head_stored_at.load(Ordering::Relaxed));
            Some(ThrottledPartition { partition, reason, queue_delay_ms })
        });
        shown.collect()
    }

    /// Who holds whom back right now, and what is full.
    pub fn backpressure(&self) -> Backpressure {
        let now = self.clock.now();
        let orders = OrdersPressure {
            uncommitted: self.flow.uncommitted(),
            most: self.flow.cap(),
            limit: self.flow.effective(&LimitName::Orders).cap,
            lowered_by: self.flow.lowered_by(),
        };
        let (slows_at, stops_at) = self.flow.memory_marks();
        let memory = MemoryPressure {
            resident: u64::try_from(self.metrics.resident_bytes.get()).unwrap_or(0),
            slows_at,
            stops_at,
            state: self.flow.pressure().into(),
        };
        let lags = Lane::ALL.map(|lane| self.lag(lane));
        let (figures, bounds) = (self.flow.all_figures(), self.bounds.now(&self.flow));
        Backpressure::of((figures, &self.throttles(now)), bounds, lags, now, (orders, memory))
    }

    /// Messages in the stream of a lane behind the partition that is furthest behind.
    fn lag(&self, lane: Lane) -> u64 {
        let partitions = u16::try_from(self.flow.all_figures().len()).unwrap_or(u16::MAX);
        let places = self.board.places(lane, partitions);
        let reached = places.iter().filter_map(|place| place.position).map(|position| position.sequence);
        self.board.stream_end(lane).saturating_sub(reached.min().unwrap_or(u64::MAX))
    }

    /// All limits, in a fixed order.
    pub fn limits(&self) -> Vec<LimitState> {
        self.flow.limit_names().iter().filter_map(|name| self.limit(name).ok()).collect()
    }

    /// One limit.
    ///
    /// # Errors
    /// There is no such one.
    pub fn limit(&self, name: &LimitName) -> Result<LimitState, SettingError> {
        let unknown = || SettingError::Unknown(format!("{name} has no limit of its own"));
        let configured = self.flow.configured(name).ok_or_else(unknown)?;
        let (is_set, until) = self.flow.look(|settings| {
            let set = settings.overrides.get(name);
            (set.is_some(), set.and_then(|(_, until)| *until))
        });
        let used = match name {
            LimitName::Orders => Some(self.flow.uncommitted()),
            LimitName::Memory => u64::try_from(self.metrics.resident_bytes.get()).ok(),
            LimitName::Rate | LimitName::Tenant(_) | LimitName::Channel(_) => None,
        };
        let effective = self.flow.effective(name);
        Ok(LimitState {
            name: name.clone(),
            configured,
            effective,
            used,
            is_set,
            reverts_in_ms: until.map(left_ms),
        })
    }

    /// Changes a limit, until somebody clears it or the time is over.
    ///
    /// # Errors
    /// There is no such limit, or a number is out of its bounds: nothing has changed.
    pub fn set_limit(
        &self,
        name: &LimitName,
        change: Change,
        ttl: Option<Duration>,
    ) -> Result<LimitState, SettingError> {
        self.flow.set_limit(name, change, ttl)?;
        self.limit(name)
    }

    /// Lets a limit be as it is configured.
    ///
    /// # Errors
    /// There is no such limit.
    pub fn clear_limit(&self, name: &LimitName) -> Result<LimitState, SettingError> {
        self.flow.clear_limit(name)?;
        self.limit(name)
    }

    /// The watermarks of back-pressure and the classes of channels.
    pub fn watermarks(&self) -> WatermarkState {
        self.flow.watermark_state()
    }

    /// Sets other watermarks and classes, until somebody clears them or the time is over. They replace those that were set before;
    /// what is not named is as configured. Each partition goes by them from its next cycle on.
    ///
    /// # Errors
    /// A number, a name or the time is out of its bounds: nothing has changed.
    pub fn set_watermarks(
        &self,
        change: WatermarkChange,
        ttl: Option<Duration>,
    ) -> Result<WatermarkState, SettingError> {
        self.flow.set_watermarks(change, ttl)?;
        Ok(self.watermarks())
    }

    /// Lets watermarks and classes be as they are configured. False: they are.
    pub fn clear_watermarks(&self) -> bool {
        self.flow.clear_watermarks()
    }

    /// Begins no new work of this scope, until somebody resumes it or the time is over. Work of a tenant or channel is refused
    /// with a receipt that says when to come again; all other work waits in the broker. Facts, wishes and answers go on.
    ///
    /// # Errors
    /// There is no such partition, there are too many pauses, or the time is out of bounds.
    pub fn pause(&self, scope: Scope, ttl: Option<Duration>) -> Result<(), SettingError> {
        self.flow.pause(scope, ttl)
    }

    /// Ends a pause. False: there was none of exactly this scope.
    pub fn resume(&self, scope: &Scope) -> bool {
        self.flow.resume(scope)
    }

    /// Begins no new work and finishes what is begun; the node is not ready meanwhile. It goes on when somebody ends it or the
    /// time is over.
    ///
    /// # Errors
    /// The time is out of bounds.
    pub fn drain(&self, ttl: Option<Duration>) -> Result<(), SettingError> {
        self.flow.drain(ttl)
    }

    /// Ends a drain. False: there was none.
    pub fn undrain(&self) -> bool {
        self.flow.undrain()
    }

    /// True while somebody drains the node.
    pub fn is_draining(&self) -> bool {
        self.flow.look(|settings| settings.drain.is_some())
    }

    /// The process takes so many bytes of memory. Whoever can measure it says so, again and again; the budget holds as well
    /// as that is done.
    pub fn observe_memory(&self, resident: u64) {
        self.flow.observe_memory(resident);
    }
}

fn left_ms(until: Instant) -> u64 {
    u64::try_from(until.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn waited_ms(now: Timestamp, since_ms: i64) -> u64 {
    if since_ms == 0 { 0 } else { u64::try_from(now.ms_since(Timestamp(since_ms))).unwrap_or(0) }
}
