//! A rate: so many at once, and then so many a second.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota as Rate, RateLimiter};
use tokio::time::Instant;

use super::limits::Setting;

/// The time of the runtime: it does not go back, and stands still where that is paused.
#[derive(Debug, Clone, Copy)]
pub(super) struct RuntimeTime {
    since: Instant,
}

impl RuntimeTime {
    /// A time that begins now.
    pub(super) fn new() -> Self {
        Self { since: Instant::now() }
    }
}

impl Clock for RuntimeTime {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.since.elapsed()
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, RuntimeTime, NoOpMiddleware<Duration>>;

/// One rate. Lock-free: partitions of several threads share it.
#[derive(Debug)]
pub(crate) struct Meter {
    rate: u64,
    burst: u64,
    time: RuntimeTime,
    limiter: Limiter,
}

impl Meter {
    /// The rate of a setting; none = it has none. One that is `spent` begins with its burst used up, so that changing a limit
    /// over and over lets nobody through.
    pub(super) fn new(setting: Setting, time: RuntimeTime, spent: bool) -> Option<Self> {
        let number = |value: u64| NonZeroU32::new(u32::try_from(value).unwrap_or(u32::MAX));
        let (rate, burst) = (number(setting.rate)?, number(setting.burst.max(1))?);
        let limiter = Limiter::direct_with_clock(Rate::per_second(rate).allow_burst(burst), time);
        if spent {
            let _whole_burst = limiter.check_n(burst); // all of a new one is there to be taken
        }
        Some(Self { rate: setting.rate, burst: setting.burst, time, limiter })
    }

    /// Has it these numbers?
    pub(super) const fn is(&self, setting: Setting) -> bool {
        self.rate == setting.rate && self.burst == setting.burst
    }

    /// Takes one.
    ///
    /// # Errors
    /// There is none: how many milliseconds until the next.
    pub(crate) fn take(&self) -> Result<(), u64> {
        self.limiter.check().map(drop).map_err(|until| {
            let wait = until.wait_time_from(self.time.now());
            // A millisecond more than nothing: rounded down, one would come back too early for ever.
            u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Meter, RuntimeTime};
    use crate::flow::limits::Setting;

    const TEN: Setting = Setting { rate: 10, burst: 5, cap: 0 };

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let meter = Meter::new(TEN, RuntimeTime::new(), false).unwrap();
        for _ in 0..5 {
            assert_eq!(meter.take(), Ok(()));
        }
        assert_eq!(meter.take(), Err(101));
        tokio::time::advance(Duration::from_millis(101)).await;
        assert_eq!((meter.take(), meter.take()), (Ok(()), Err(100)));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_spent_lets_nobody_through_at_once() {
        let meter = Meter::new(TEN, RuntimeTime::new(), true).unwrap();
        assert!(meter.take().is_err());
        assert!(Meter::new(Setting::default(), RuntimeTime::new(), true).is_none(), "no rate, no meter");
    }
}
