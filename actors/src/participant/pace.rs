//! How fast a participant is sent to: a rate with a burst, shared by all threads without a lock.
//!
//! The generic cell rate algorithm: one number, the time at which everything that was sent would have been due at the rate.
//! It may run ahead of the clock by as much as the burst is worth. The rate may change while it runs, and does so all the
//! time while a participant comes back: a change grants no new burst.

use std::sync::atomic::{AtomicI64, Ordering};

use domain::time::Timestamp;

const MS_NS: i64 = 1_000_000;
const SECOND_NS: i64 = 1_000 * MS_NS;

/// The rate of one participant.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Nanoseconds since 1970 at which what was sent would have been due.
    due: AtomicI64,
    /// Nanoseconds between two commands.
    interval: AtomicI64,
    /// Nanoseconds that `due` may run ahead.
    ahead: AtomicI64,
}

impl Pace {
    pub(crate) fn new(rate_per_second: u32, burst: u32) -> Self {
        let pace = Self { due: AtomicI64::new(0), interval: AtomicI64::new(1), ahead: AtomicI64::new(1) };
        pace.set(rate_per_second, burst);
        pace
    }

    /// Changes the rate from now on. What was sent is not forgotten, so this grants no new burst.
    pub(crate) fn set(&self, rate_per_second: u32, burst: u32) {
        // Rounded up: rather a thousandth too slow than too fast.
        let interval = u64::from(rate_per_second.max(1));
        let interval = i64::try_from(SECOND_NS.unsigned_abs().div_ceil(interval)).unwrap_or(SECOND_NS);
        self.interval.store(interval, Ordering::Relaxed);
        self.ahead.store(interval.saturating_mul(i64::from(burst.max(1))), Ordering::Relaxed);
    }

    /// Spends the burst: what comes next comes at the rate.
    pub(crate) fn spend_burst(&self, now: Timestamp) {
        let spent = now.0.saturating_mul(MS_NS).saturating_add(self.ahead.load(Ordering::Relaxed));
        self.due.fetch_max(spent, Ordering::Relaxed);
    }

    /// How many commands may go now.
    pub(crate) fn room(&self, now: Timestamp) -> usize {
        let now = now.0.saturating_mul(MS_NS);
        let due = self.due.load(Ordering::Relaxed).max(now);
        let room = now.saturating_add(self.ahead.load(Ordering::Relaxed)).saturating_sub(due);
        usize::try_from(room / self.interval.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// May so many commands go now? Asked at every decision: it multiplies where [`Pace::room`] divides.
    pub(crate) fn has_room(&self, commands: u32, now: Timestamp) -> bool {
        let now = now.0.saturating_mul(MS_NS);
        let due = self.due.load(Ordering::Relaxed).max(now);
        let cost = self.interval.load(Ordering::Relaxed).saturating_mul(i64::from(commands));
        due.saturating_add(cost) <= now.saturating_add(self.ahead.load(Ordering::Relaxed))
    }

    /// So many commands go.
    pub(crate) fn take(&self, commands: u32, now: Timestamp) {
        let now = now.0.saturating_mul(MS_NS);
        let cost = self.interval.load(Ordering::Relaxed).saturating_mul(i64::from(commands));
        let mut due = self.due.load(Ordering::Relaxed);
        loop {
            let next = due.max(now).saturating_add(cost);
            match self.due.compare_exchange_weak(due, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(found) => due = found,
            }
        }
    }
}

impl Pace {
    /// So many commands did not go after all.
    pub(crate) fn give_back(&self, commands: u32) {
        let cost = self.interval.load(Ordering::Relaxed).saturating_mul(i64::from(commands));
        // What lies behind the clock is worth a burst and no more.
        self.due.fetch_sub(cost, Ordering::Relaxed);
    }
}

/// The part of a rate that is in force a while after an outage: it grows evenly up to the whole, and is never nothing.
pub(crate) fn ramped(full: u32, from_percent: u32, ramp_ms: u32, elapsed_ms: i64) -> u32 {
    let elapsed = u64::try_from(elapsed_ms).unwrap_or(0);
    let ramp = u64::from(ramp_ms);
    if elapsed >= ramp {
        return full;
    }
    let from = u64::from(from_percent.min(100));
    let share_millionths = from * 10_000 + (100 - from) * 10_000 * elapsed / ramp;
    let part = u64::from(full) * share_millionths / 1_000_000;
    u32::try_from(part.max(1)).unwrap_or(full).min(full.max(1))
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;
    use proptest::prelude::*;

    use super::{Pace, ramped};

    /// How many commands go if as many as may go do so every `step` ms.
    fn sent(pace: &Pace, from: i64, until: i64, step: usize) -> usize {
        let mut sent = 0;
        for now in (from..until).step_by(step) {
            let room = pace.room(Timestamp(now));
            pace.take(u32::try_from(room).unwrap(), Timestamp(now));
            sent += room;
        }
        sent
    }

    #[test]
    fn a_burst_goes_at_once_and_then_the_rate_holds() {
        let pace = Pace::new(100, 20);
        assert_eq!(pace.room(Timestamp(1_000)), 20);
        assert_eq!(sent(&pace, 1_000, 2_000, 10), 20 + 99);
        assert_eq!(pace.room(Timestamp(60_000)), 20, "a long pause is worth a burst and no more");
    }

    #[test]
    fn what_was_sent_beyond_the_room_is_paid_for_later() {
        let pace = Pace::new(100, 10);
        pace.take(30, Timestamp(0));
        assert_eq!(pace.room(Timestamp(200)), 0);
        assert_eq!(pace.room(Timestamp(210)), 1);
    }

    #[test]
    fn what_did_not_go_after_all_may_go_later_and_is_worth_no_more_than_a_burst() {
        let pace = Pace::new(100, 10);
        pace.take(10, Timestamp(1_000));
        pace.give_back(4);
        assert_eq!(pace.room(Timestamp(1_000)), 4);
        pace.give_back(50);
        assert_eq!(pace.room(Timestamp(1_000)), 10);
    }

    #[test]
    fn another_rate_grants_no_new_burst() {
        let pace = Pace::new(10, 10);
        assert_eq!(sent(&pace, 0, 1, 1), 10);
        pace.set(10, 10);
        assert_eq!(pace.room(Timestamp(0)), 0);
        pace.set(1_000, 1_000);
        pace.spend_burst(Timestamp(0));
        assert_eq!(sent(&pace, 0, 1_000, 10), 990);
    }

    #[test]
    fn a_rate_grows_evenly_after_an_outage() {
        let at = |elapsed| ramped(1_000, 10, 10_000, elapsed);
        assert_eq!(
            [at(-5), at(0), at(5_000), at(9_999), at(10_000), at(i64::MAX)],
            [100, 100, 550, 999, 1_000, 1_000]
        );
        assert_eq!(ramped(5, 1, 10_000, 0), 1, "never nothing");
        assert_eq!(ramped(1_000, 100, 0, 0), 1_000);
    }

    proptest! {
        /// invariant: bounded-everything
        #[test]
        fn no_window_has_more_than_rate_and_burst(
            rate in 1_u32..2_000,
            burst in 1_u32..500,
            pauses in prop::collection::vec((0_i64..300, 0_u32..10), 1..40),
        ) {
            let pace = Pace::new(rate, burst);
            let (mut now, mut times) = (0, Vec::new());
            for (pause, wanted) in pauses {
                now += pause;
                let room = u32::try_from(pace.room(Timestamp(now))).unwrap();
                prop_assert!(pace.has_room(room, Timestamp(now)) && !pace.has_room(room + 1, Timestamp(now)));
                let taken = wanted.min(room);
                pace.take(taken, Timestamp(now));
                times.extend(std::iter::repeat_n(now, taken as usize));
            }
            for (index, begin) in times.iter().enumerate() {
                for (last, end) in times.iter().enumerate().skip(index) {
                    let allowed = i64::from(rate) * (end - begin) / 1_000 + i64::from(burst) + 1;
                    prop_assert!(i64::try_from(last - index + 1).unwrap() <= allowed);
                }
            }
        }

        #[test]
        fn a_ramp_never_goes_back_and_ends_at_the_whole(
            full in 1_u32..1_000_000,
            from in 1_u32..101,
            ramp in 0_u32..600_000,
            elapsed in 0_i64..700_000,
        ) {
            let (now, later) = (ramped(full, from, ramp, elapsed), ramped(full, from, ramp, elapsed + 1));
            prop_assert!((1..=full).contains(&now) && now <= later);
            prop_assert_eq!(ramped(full, from, ramp, i64::from(ramp)), full);
        }
    }
}
