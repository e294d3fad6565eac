//! How much may be asked again: a share of what was asked for the first time, and a little in any case. Pure, with the time
//! passed in. Without it, a participant that fails gets a multiple of its load exactly then.

use domain::time::Timestamp;

/// What is left to spend. Counted in thousandths of a re-send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryBudget {
    percent: u32,
    per_second: u32,
    balance: u64,
    /// How many first sends are paid in.
    paid_for: u64,
    paid_at: Timestamp,
    /// First sends of the last full window and of the one that runs, and when that began.
    recent: [u64; 2],
    window_since: Timestamp,
}

/// One re-send.
const ONE: u64 = 1_000;

/// For how long what is not spent is kept, in milliseconds: an outage after a quiet day gets no day's worth of re-sends.
const KEPT_MS: u64 = 10_000;

impl RetryBudget {
    pub(crate) const fn new(percent: u32, per_second: u32, now: Timestamp) -> Self {
        let balance = per_second as u64 * ONE;
        Self { percent, per_second, balance, paid_for: 0, paid_at: now, recent: [0; 2], window_since: now }
    }

    /// Other numbers from now on. What is there is kept, as far as they allow as much.
    pub(crate) const fn set(&mut self, percent: u32, per_second: u32) {
        (self.percent, self.per_second) = (percent, per_second);
    }

    /// May one command be sent again? `sent` counts the first sends since the beginning.
    pub(crate) fn withdraw(&mut self, sent: u64, now: Timestamp) -> bool {
        self.pay_in(sent, now);
        let allowed = self.balance >= ONE;
        if allowed {
            self.balance -= ONE;
        }
        allowed
    }

    /// Takes in what was sent for the first time. The more often this is called, the more exactly old shares are forgotten.
    pub(crate) fn pay_in(&mut self, sent: u64, now: Timestamp) {
        let elapsed_ms = |since: Timestamp| u64::try_from(now.ms_since(since)).unwrap_or(0);
        let news = sent.saturating_sub(self.paid_for);
        let by_time = elapsed_ms(self.paid_at).saturating_mul(u64::from(self.per_second));
        let in_window = elapsed_ms(self.window_since);
        if in_window >= KEPT_MS {
            let last = if in_window < 2 * KEPT_MS { self.recent[1] } else { 0 };
            (self.recent, self.window_since) = ([last, 0], now);
        }
        self.recent[1] = self.recent[1].saturating_add(news);
        self.paid_for = self.paid_for.max(sent);
        self.paid_at = self.paid_at.max(now);
        let most_by_time = u64::from(self.per_second).saturating_mul(KEPT_MS);
        let most = self.share(self.recent[0].saturating_add(self.recent[1])).saturating_add(most_by_time);
        self.balance = self.balance.saturating_add(self.share(news)).saturating_add(by_time).min(most);
    }

    fn share(&self, sent: u64) -> u64 {
        sent.saturating_mul(u64::from(self.percent)).saturating_mul(ONE / 100)
    }
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;
    use proptest::prelude::*;

    use super::RetryBudget;

    #[test]
    fn given_a_share_and_a_floor_when_retries_come_then_both_are_spent_and_no_more() {
        let mut budget = RetryBudget::new(20, 10, Timestamp(0));
        let spent = |budget: &mut RetryBudget, sent, now| {
            (0..1_000).filter(|_| budget.withdraw(sent, Timestamp(now))).count()
        };
        assert_eq!(spent(&mut budget, 0, 0), 10, "the floor of a second");
        assert_eq!(spent(&mut budget, 100, 0), 20, "a fifth of what was sent");
        assert_eq!(spent(&mut budget, 100, 500), 5, "and half a second of the floor");
        assert_eq!(spent(&mut budget, 100, 60_500), 100, "what is not spent is kept for ten seconds");
        assert_eq!(spent(&mut budget, 100, 1), 0, "a clock that goes back pays nothing");
    }

    #[test]
    fn given_a_long_time_without_trouble_when_it_comes_then_only_the_last_while_counts() {
        let mut budget = RetryBudget::new(20, 10, Timestamp(0));
        for second in 0..1_000_u64 {
            budget.pay_in(second * 100, Timestamp(i64::try_from(second).unwrap() * 1_000));
        }
        let spent = (0..100_000).filter(|_| budget.withdraw(99_900, Timestamp(999_000))).count();
        assert!(
            (300..=500).contains(&spent),
            "{spent}: a share of ten to twenty seconds and the floor of ten"
        );
    }

    proptest! {
        /// invariant: bounded-everything
        #[test]
        fn however_they_come_retries_never_exceed_share_and_floor(
            percent in 0_u32..200,
            per_second in 1_u32..50,
            steps in prop::collection::vec((0_u64..500, 0_i64..5_000, 0_u32..300), 1..60),
        ) {
            let mut budget = RetryBudget::new(percent, per_second, Timestamp(0));
            let (mut sent, mut now, mut allowed) = (0_u64, 0_i64, 0_u64);
            for (more, later, tries) in steps {
                (sent, now) = (sent + more, now + later);
                for _ in 0..tries {
                    allowed += u64::from(budget.withdraw(sent, Timestamp(now)));
                }
                let share = sent * u64::from(percent) / 100;
                let floor = u64::from(per_second) * (1_000 + now.unsigned_abs()) / 1_000;
                prop_assert!(allowed <= share + floor + 1, "{allowed} of {share} + {floor}");
            }
        }

        #[test]
        fn a_retry_is_always_allowed_again_after_a_second(percent in 0_u32..200, per_second in 1_u32..50) {
            let mut budget = RetryBudget::new(percent, per_second, Timestamp(0));
            while budget.withdraw(0, Timestamp(0)) {}
            prop_assert!(budget.withdraw(0, Timestamp(1_000)));
        }
    }
}
