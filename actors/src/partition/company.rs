//! How long a record waits for company. A broker message costs the same for one decision as for fifty, so at a part of the load,
//! when an append is back before much has gathered, the next record waits for the next beat. All partitions of a node have the same
//! beat, so what they send goes out in one go, and threads wake once for all of them. A record waits only if more is to be
//! expected meanwhile: where little happens nobody would come, and the one who is there should not wait.

use std::time::Duration;

use tokio::time::Instant;

/// For how long decisions are counted before the count says what is to be expected.
const WINDOW: Duration = Duration::from_millis(100);

/// A window that is this many times as old says nothing about now.
const STALE: u32 = 5;

/// How many decisions must be expected between two beats for a record to wait.
const WORTH_WAITING_FOR: u128 = 2;

/// The beat of a node, and what a partition knows of its own pace.
#[derive(Debug)]
pub(super) struct Company {
    /// Beats are whole intervals after this.
    began: Instant,
    /// From beat to beat; zero = nobody ever waits.
    interval: Duration,
    window_began: Instant,
    counted: u32,
    /// How many decisions came in the last window that is over, and how long it was.
    before: (u32, Duration),
}

impl Company {
    pub(super) fn new(began: Instant, interval: Duration) -> Self {
        Self { began, interval, window_began: began, counted: 0, before: (0, WINDOW) }
    }

    /// A record with so many decisions is closed.
    pub(super) fn closed(&mut self, decisions: usize, now: Instant) {
        self.look(now);
        self.counted = self.counted.saturating_add(u32::try_from(decisions).unwrap_or(u32::MAX));
    }

    /// Until when the next record waits, unless it is full before; none = it goes at once.
    pub(super) fn waits_until(&mut self, now: Instant) -> Option<Instant> {
        self.look(now);
        let (decisions, took) = self.before;
        let expected = u128::from(decisions) * self.interval.as_micros();
        if expected < WORTH_WAITING_FOR * took.as_micros() {
            return None;
        }
        let interval = self.interval.as_nanos();
        let since = now.saturating_duration_since(self.began).as_nanos() % interval.max(1);
        let left = u64::try_from(interval - since).unwrap_or(u64::MAX);
        Some(now + Duration::from_nanos(left))
    }

    fn look(&mut self, now: Instant) {
        let took = now.saturating_duration_since(self.window_began);
        if took < WINDOW {
            return;
        }
        // After a pause the first burst goes out without waiting, and is counted anew.
        self.before = if took < WINDOW * STALE { (self.counted, took) } else { (0, WINDOW) };
        (self.counted, self.window_began) = (0, now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Company;

    const INTERVAL: Duration = Duration::from_millis(5);
    const MILLISECOND: Duration = Duration::from_millis(1);

    /// Records of `decisions` each, `gap` after each other, for about a second; gives a beat soon after, too.
    fn after_a_second(decisions: usize, gap: Duration) -> (Company, Instant) {
        let began = Instant::now();
        let (mut company, mut now) = (Company::new(began, INTERVAL), began);
        while now < began + Duration::from_secs(1) {
            company.closed(decisions, now);
            now += gap;
        }
        (company, began + Duration::from_secs(1))
    }

    #[test]
    fn a_record_waits_for_the_beat_where_much_is_to_come() {
        let (mut company, beat) = after_a_second(1, MILLISECOND);
        for late in [Duration::ZERO, MILLISECOND, 4 * MILLISECOND] {
            assert_eq!(company.waits_until(beat + late), Some(beat + INTERVAL), "{late:?} after a beat");
        }
    }

    #[test]
    fn nothing_waits_where_nobody_would_come() {
        let (mut company, beat) = after_a_second(1, 4 * MILLISECOND);
        assert_eq!(company.waits_until(beat + MILLISECOND), None);
    }

    #[test]
    fn the_first_after_a_pause_does_not_wait_and_neither_does_its_sequel() {
        let (mut company, beat) = after_a_second(50, MILLISECOND);
        let later = beat + Duration::from_secs(1);
        assert_eq!(company.waits_until(later), None);
        company.closed(1, later);
        assert_eq!(company.waits_until(later + MILLISECOND), None);
    }

    #[test]
    fn without_an_interval_nothing_waits() {
        let began = Instant::now();
        let mut company = Company::new(began, Duration::ZERO);
        for millisecond in 0..1_000 {
            company.closed(1_000, began + MILLISECOND * millisecond);
        }
        assert_eq!(company.waits_until(began + MILLISECOND * 1_000), None);
    }
}
