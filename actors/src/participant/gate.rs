//! One gate, as numbers that are changed in one step each: read and changed at every decision, by all threads, without a lock
//! and without memory.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};

use domain::gates::{self, BreakerState, Urgency};
use domain::time::Timestamp;

use super::control::HeldBy;
use super::pace::Pace;
use super::retry_budget::RetryBudget;
use super::settings::ParticipantSettings;

/// The part of every limit that only urgent commands may use, so that new work never holds up what gives back.
pub(super) const URGENT_PART: u32 = 20;

/// So many places of a cap only urgent commands may use: at least one, unless there is only one place in all.
const fn kept_of_cap(cap: i64) -> i64 {
    let part = cap / URGENT_PART as i64;
    if part == 0 && cap > 1 { 1 } else { part }
}

/// One gate.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) cap: AtomicI64,
    pub(super) in_flight: AtomicI64,
    /// In [`BreakerState::ALL`].
    pub(super) breaker: AtomicU8,
    pub(super) since: AtomicI64,
    /// Commands that may still go out while the breaker is half open.
    pub(super) probes: AtomicI64,
    pub(super) pace: Pace,
    pub(super) burst: AtomicU32,
    pub(super) slow_ms: AtomicI64,
    /// How many effects wait, of all partitions together, and the urgent ones of them.
    pub(super) waiting: AtomicI64,
    pub(super) waiting_urgent: AtomicI64,
    /// By partition.
    pub(super) waiting_at: Box<[AtomicI64]>,
    pub(super) answered: AtomicU32,
    pub(super) slow: AtomicU32,
    pub(super) failed: AtomicU32,
    /// Commands sent for the first time since the start.
    pub(super) sent: AtomicU64,
    /// Nothing is known of the participant yet.
    pub(super) untried: AtomicBool,
    pub(super) first_probes: AtomicI64,
    /// Asked only when something is sent again, which is rare.
    pub(super) budget: Mutex<RetryBudget>,
}

impl Gate {
    pub(super) fn new(settings: &ParticipantSettings, cap: u32, partitions: u16, now: Timestamp) -> Self {
        Self {
            cap: AtomicI64::new(i64::from(cap)),
            in_flight: AtomicI64::default(),
            breaker: AtomicU8::default(),
            since: AtomicI64::new(now.0),
            probes: AtomicI64::default(),
            pace: Pace::new(settings.rate_per_second, settings.burst),
            burst: AtomicU32::new(settings.burst),
            slow_ms: AtomicI64::new(settings.slow_ms.into()),
            waiting: AtomicI64::default(),
            waiting_urgent: AtomicI64::default(),
            waiting_at: (0..partitions).map(|_| AtomicI64::default()).collect(),
            answered: AtomicU32::default(),
            slow: AtomicU32::default(),
            failed: AtomicU32::default(),
            sent: AtomicU64::default(),
            untried: AtomicBool::new(true),
            first_probes: AtomicI64::new(settings.probes.into()),
            budget: Mutex::new(RetryBudget::new(settings.retry_percent, settings.retries_per_second, now)),
        }
    }

    pub(super) fn breaker(&self) -> BreakerState {
        BreakerState::ALL[usize::from(self.breaker.load(Ordering::Relaxed))]
    }

    /// How many more commands of this urgency may go out now.
    pub(super) fn room(&self, urgency: Urgency, now: Timestamp) -> i64 {
        let breaker = self.breaker();
        if breaker == BreakerState::Open {
            return 0;
        }
        let (cap, burst) = (self.cap.load(Ordering::Relaxed), i64::from(self.burst.load(Ordering::Relaxed)));
        let is_urgent = urgency == Urgency::Urgent;
        let kept = |part: i64| if is_urgent { 0 } else { part };
        let places = cap - kept(kept_of_cap(cap)) - self.in_flight.load(Ordering::Relaxed);
        if places <= 0 {
            return 0;
        }
        let paced =
            i64::try_from(self.pace.room(now)).unwrap_or(i64::MAX) - kept(burst / i64::from(URGENT_PART));
        let probes =
            if breaker == BreakerState::HalfOpen { self.probes.load(Ordering::Relaxed) } else { i64::MAX };
        places.min(paced).min(probes).max(0)
    }

    /// What keeps ordinary commands that wait from going now; none = they may go, or none waits.
    pub(super) fn held_by(&self, now: Timestamp) -> Option<HeldBy> {
        if self.waiting.load(Ordering::Relaxed) <= 0 || self.room(Urgency::Ordinary, now) > 0 {
            return None;
        }
        let cap = self.cap.load(Ordering::Relaxed);
        Some(match self.breaker() {
            BreakerState::Open => HeldBy::Breaker,
            BreakerState::HalfOpen if self.probes.load(Ordering::Relaxed) <= 0 => HeldBy::Probes,
            _ if self.in_flight.load(Ordering::Relaxed) >= cap - kept_of_cap(cap) => HeldBy::InFlight,
            _ => HeldBy::Rate,
        })
    }

    /// Commands go out.
    pub(super) fn went(&self, commands: u32, now: Timestamp) {
        self.pace.take(commands, now);
        if self.breaker() == BreakerState::HalfOpen {
            self.probes.fetch_sub(i64::from(commands), Ordering::Relaxed);
        }
    }

    /// Commands did not go out after all.
    pub(super) fn came_back(&self, commands: u32) {
        self.pace.give_back(commands);
        if self.breaker() == BreakerState::HalfOpen {
            self.probes.fetch_add(i64::from(commands), Ordering::Relaxed);
        }
    }

    /// What a decision sees: new commands go behind those that wait.
    pub(super) fn view(&self, now: Timestamp) -> gates::Gate {
        let breaker = self.breaker();
        let mut gate = gates::Gate { ordinary: false, urgent: false, breaker };
        let (cap, burst) = (self.cap.load(Ordering::Relaxed), self.burst.load(Ordering::Relaxed));
        let places = cap - self.in_flight.load(Ordering::Relaxed);
        let probes = breaker != BreakerState::HalfOpen || self.probes.load(Ordering::Relaxed) > 0;
        if breaker == BreakerState::Open || places <= 0 || !probes {
            return gate;
        }
        gate.urgent = self.waiting_urgent.load(Ordering::Relaxed) == 0 && self.pace.has_room(1, now);
        gate.ordinary = gate.urgent
            && places > kept_of_cap(cap)
            && self.waiting.load(Ordering::Relaxed) == 0
            && self.pace.has_room(1 + burst / URGENT_PART, now);
        gate
    }
}
