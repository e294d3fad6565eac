//! The rules of admission: counts and times come in, integers go out. They know no clock and no message.

use serde::Serialize;

/// Why no new work is begun right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Throttle {
    /// Somebody has paused the intake, or this partition's.
    Paused,
    /// Somebody drains the node.
    Draining,
    /// As many orders are begun and not committed as may be.
    Orders,
    /// Answers to what is begun wait too long for us, so fewer orders may be begun.
    Answers,
    /// The process takes nearly all the memory that it may, so none may be begun, or only the least.
    Memory,
    /// As many orders were begun as may be in this time.
    Rate,
    /// The bound on orders was lowered before, and has not grown back yet: as many are begun as may be meanwhile.
    Growing,
}

impl Throttle {
    const ALL: [Self; 7] =
        [Self::Paused, Self::Draining, Self::Orders, Self::Answers, Self::Memory, Self::Rate, Self::Growing];

    /// As a number, for counters that several threads share; none is 0.
    pub(crate) const fn to_number(this: Option<Self>) -> u64 {
        match this {
            Some(this) => this as u64 + 1,
            None => 0,
        }
    }

    /// Out of the number again.
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    }
}

/// How short memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pressure {
    /// Enough.
    #[default]
    None,
    /// Only the least number of orders may be begun.
    Soft,
    /// None may.
    Hard,
}

impl Pressure {
    /// What `resident` bytes of a budget of `cap` mean, given what it was before: it falls only some way below where it rose,
    /// or the intake would open and close at every page. So many bytes of `reserve` may still come, whatever is begun. A cap of
    /// 0 is no budget.
    pub(crate) fn of(resident: u64, cap: u64, reserve: u64, before: Self) -> Self {
        if cap == 0 {
            return Self::None;
        }
        let share = |of_32: u64| Self::share(cap, reserve, of_32);
        let (was_hard, was_short) = (before == Self::Hard, before != Self::None);
        if resident >= share(30) || (was_hard && resident >= share(28)) {
            Self::Hard
        } else if resident >= share(27) || (was_short && resident >= share(25)) {
            Self::Soft
        } else {
            Self::None
        }
    }

    /// Where it rises to soft and to hard; 0 without a budget.
    pub(crate) fn marks(cap: u64, reserve: u64) -> (u64, u64) {
        (Self::share(cap, reserve, 27), Self::share(cap, reserve, 30))
    }

    fn share(cap: u64, reserve: u64, of_32: u64) -> u64 {
        cap.saturating_sub(reserve) / 32 * of_32
    }
}

/// What the decision whether new work is begun looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Load {
    /// Orders begun and not committed.
    pub(crate) uncommitted: u64,
    /// How many there may be.
    pub(crate) cap: u64,
    /// What is begun waits too long for us: no more than these may be begun and not committed until it does not.
    pub(crate) least: Option<u64>,
    /// The bound was reached, and not enough of them were committed since.
    pub(crate) is_full: bool,
    /// Memory is so short that nothing may be begun.
    pub(crate) is_out_of_memory: bool,
    /// How many partitions have new work waiting.
    pub(crate) sharing: u64,
}

/// How many orders one partition may begin now.
///
/// # Errors
/// None: says why.
pub(crate) fn room(load: Load) -> Result<u64, Throttle> {
    if load.is_out_of_memory {
        return Err(Throttle::Memory);
    }
    let left = load.cap.saturating_sub(load.uncommitted);
    if load.is_full || left == 0 {
        return Err(Throttle::Orders);
    }
    let left = load.least.map_or(left, |least| left.min(least.saturating_sub(load.uncommitted)));
    if left == 0 {
        return Err(Throttle::Answers);
    }
    // At least one, or with little left nobody would ever go on.
    Ok(left.div_ceil(load.sharing.max(1)))
}

/// How much of the bound on live orders those may use that give way: so many per cent of it, and at least one place.
pub(crate) fn share(cap: u64, percent: u64) -> u64 {
    cap.saturating_mul(percent).div_ceil(100)
}

/// Once the bound was reached, the intake opens again when so few are left: not for every single one.
pub(crate) fn reopens_at(cap: u64) -> u64 {
    cap - (cap / 16).max(1)
}

/// The bound on live orders as it moves: down while answers wait for us, up again while they do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) effective: u64,
    /// Why it is lower than it is set to be; none = it is not.
    pub(crate) lowered_by: Option<Throttle>,
}

impl Pace {
    /// One step. `delay` is how long even the quickest answer of the last step waited, in milliseconds; none = there was none.
    pub(crate) fn step(
        self,
        configured: u64,
        least: u64,
        delay: Option<u64>,
        target: u64,
        uncommitted: u64,
        pressure: Pressure,
    ) -> Self {
        let least = least.min(configured);
        if pressure != Pressure::None {
            return Self::of(least, configured, Throttle::Memory);
        }
        let (effective, why) = if delay.is_some_and(|delay| delay > target) {
            // From what is there, not from what might be: a bound that nobody reaches slows nobody.
            let there = uncommitted.min(self.effective);
            (there - there / 8, Throttle::Answers)
        } else {
            (self.effective.saturating_add(self.effective / 16 + 1), Throttle::Growing)
        };
        Self::of(effective.clamp(least, configured), configured, why)
    }

    fn of(effective: u64, configured: u64, why: Throttle) -> Self {
        Self { effective, lowered_by: (effective < configured).then_some(why) }
    }
}

/// How long whoever stands behind `position` others may have to wait, if it goes on as it went: `taken` in `window_ms`. Never
/// more than `most_ms`, after which the work has expired anyway.
pub(crate) fn estimated_wait_ms(position: u64, taken: u64, window_ms: u64, most_ms: u64) -> u64 {
    if taken == 0 {
        return most_ms;
    }
    (position.saturating_mul(window_ms) / taken).min(most_ms)
}

#[cfg(test)]
mod tests {
    use super::{Load, Pace, Pressure, Throttle, estimated_wait_ms, reopens_at, room, share};

    #[test]
    fn given_a_load_when_work_waits_then_so_much_of_it_may_begin() {
        let load = Load { uncommitted: 90, cap: 100, sharing: 1, ..Load::default() };
        for (given, then) in [
            (load, Ok(10)),
            (Load { sharing: 4, ..load }, Ok(3)),
            (Load { sharing: 64, ..load }, Ok(1)),
            (Load { sharing: 0, ..load }, Ok(10)),
            (Load { uncommitted: 100, ..load }, Err(Throttle::Orders)),
            (Load { uncommitted: 130, ..load }, Err(Throttle::Orders)),
            (Load { is_full: true, ..load }, Err(Throttle::Orders)),
            (Load { least: Some(95), ..load }, Ok(5)),
            (Load { least: Some(90), ..load }, Err(Throttle::Answers)),
            (Load { least: Some(200), ..load }, Ok(10)),
            (Load { is_out_of_memory: true, ..load }, Err(Throttle::Memory)),
        ] {
            assert_eq!(room(given), then, "{given:?}");
        }
    }

    #[test]
    fn given_a_bound_when_some_give_way_then_they_have_a_share_of_it_and_never_none() {
        for ((cap, percent), then) in
            [((50_000, 80), 40_000), ((10, 50), 5), ((1, 50), 1), ((3, 1), 1), ((7, 100), 7), ((0, 50), 0)]
        {
            assert_eq!(share(cap, percent), then, "{percent} per cent of {cap}");
        }
    }

    #[test]
    fn every_reason_comes_back_out_of_its_number() {
        for reason in [None].into_iter().chain(Throttle::ALL.map(Some)) {
            assert_eq!(Throttle::from_number(Throttle::to_number(reason)), reason);
        }
        assert_eq!(Throttle::from_number(Throttle::ALL.len() as u64 + 1), None);
    }

    #[test]
    fn given_a_bound_that_was_reached_when_some_are_committed_then_it_opens_below_it() {
        for (cap, then) in [(1, 0), (10, 9), (160, 150), (50_000, 46_875)] {
            assert_eq!(reopens_at(cap), then, "{cap}");
        }
    }

    #[test]
    fn given_answers_that_wait_when_time_passes_then_fewer_orders_are_live_and_never_too_few() {
        let step =
            |pace: Pace, delay, uncommitted| pace.step(1_000, 100, delay, 500, uncommitted, Pressure::None);
        let pace = Pace { effective: 1_000, lowered_by: None };
        let late = Some(Throttle::Answers);
        for (delay, uncommitted, then, lowered_by) in [
            (None, 900, 1_000, None),
            (Some(500), 900, 1_000, None),
            (Some(501), 800, 700, late),
            (Some(501), 50, 100, late),
            (Some(501), 5_000, 875, late),
        ] {
            let then = Pace { effective: then, lowered_by };
            assert_eq!(step(pace, delay, uncommitted), then, "{delay:?} {uncommitted}");
        }
        let mut slow = Pace { effective: 100, lowered_by: late };
        slow = step(slow, Some(0), 100);
        assert_eq!(slow, Pace { effective: 107, lowered_by: Some(Throttle::Growing) });
        for _ in 0..40 {
            slow = step(slow, Some(0), 100);
        }
        assert_eq!(slow, pace, "it grows back");
        let short = pace.step(1_000, 100, None, 500, 0, Pressure::Soft);
        assert_eq!(short, Pace { effective: 100, lowered_by: Some(Throttle::Memory) });
        assert_eq!(
            pace.step(50, 100, Some(900), 500, 10, Pressure::None).effective,
            50,
            "the least is no more than the bound"
        );
    }

    #[test]
    fn given_a_budget_when_memory_grows_and_shrinks_then_pressure_follows_with_some_slack() {
        let (cap, reserve) = (4_000, 800);
        for (resident, before, then) in [
            (2_600, Pressure::None, Pressure::None),
            (2_700, Pressure::None, Pressure::Soft),
            (2_600, Pressure::Soft, Pressure::Soft),
            (2_400, Pressure::Soft, Pressure::None),
            (3_000, Pressure::None, Pressure::Hard),
            (2_900, Pressure::Hard, Pressure::Hard),
            (2_700, Pressure::Hard, Pressure::Soft),
            (9_999, Pressure::None, Pressure::Hard),
        ] {
            assert_eq!(Pressure::of(resident, cap, reserve, before), then, "{resident} after {before:?}");
        }
        assert_eq!(Pressure::of(u64::MAX, 0, 9, Pressure::Hard), Pressure::None, "no budget");
        assert_eq!((Pressure::marks(cap, reserve), Pressure::marks(0, 0)), ((2_700, 3_000), (0, 0)));
    }

    #[test]
    fn given_a_pace_when_somebody_asks_then_the_wait_is_what_it_takes_to_come_to_him() {
        for ((position, taken, window), then) in [
            ((0, 100, 10_000), 0),
            ((50, 100, 10_000), 5_000),
            ((1_000_000, 1, 10_000), 600_000),
            ((5, 0, 10_000), 600_000),
            ((u64::MAX, 7, 10_000), 600_000),
        ] {
            assert_eq!(estimated_wait_ms(position, taken, window, 600_000), then, "{position}");
        }
    }
}
