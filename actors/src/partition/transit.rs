//! How old messages are when they are read although somebody waited for them: their way from the broker, and by how much its
//! clock differs from ours. What is older than that has waited for us.

use domain::time::Timestamp;

/// How long a least age counts; clocks are put right now and then.
const WINDOW_MS: i64 = 60_000;

/// The least age of this window and the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Transit {
    since: Timestamp,
    /// In milliseconds; negative if the broker's clock is ahead.
    least: Option<i64>,
    before: Option<i64>,
}

impl Transit {
    /// A message for which somebody waited was stored then, and read now.
    pub(super) fn see(&mut self, stored_at: Timestamp, now: Timestamp) {
        if !(0..WINDOW_MS).contains(&now.ms_since(self.since)) {
            *self = Self { since: now, least: None, before: self.least };
        }
        let age = now.ms_since(stored_at);
        self.least = Some(self.least.map_or(age, |least| least.min(age)));
    }

    /// How long what was stored then waits for us, in milliseconds.
    pub(super) fn waited_ms(&self, stored_at: Timestamp, now: Timestamp) -> u64 {
        let usual = self.least.into_iter().chain(self.before).min().unwrap_or(0);
        u64::try_from(now.ms_since(stored_at).saturating_sub(usual)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;

    use super::Transit;

    #[test]
    fn given_clocks_that_differ_when_something_waits_then_only_the_waiting_counts() {
        for gap in [-700, 0, 5_000] {
            let mut transit = Transit::default();
            let stored = |at: i64| Timestamp(at - gap);
            transit.see(stored(1_000), Timestamp(1_030));
            transit.see(stored(2_000), Timestamp(2_003));
            transit.see(stored(3_000), Timestamp(3_090));
            assert_eq!(transit.waited_ms(stored(4_000), Timestamp(4_253)), 250, "{gap}");
            assert_eq!(transit.waited_ms(stored(4_000), Timestamp(4_001)), 0, "{gap}");
        }
    }

    #[test]
    fn given_a_clock_that_is_put_right_when_two_windows_are_over_then_the_new_gap_counts() {
        let mut transit = Transit::default();
        transit.see(Timestamp(0), Timestamp(10));
        for minute in 1..3 {
            let now = Timestamp(minute * 60_000 + 10);
            transit.see(now.plus_ms(-900), now);
        }
        let now = Timestamp(200_000);
        assert_eq!(transit.waited_ms(now.plus_ms(-1_000), now), 100);
    }
}
