//! When orders come: a pure function of the phases, the spacing and the seed, so that nothing that happens can shift it.

use std::time::Duration;

use crate::chance::Dice;
use crate::scenario::quantity::Ramp;
use crate::scenario::{Phase, Scenario, Spacing};

/// An order that is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number, from 0.
    pub number: u64,
    /// When, from the beginning of the run.
    pub at: Duration,
    /// In which phase.
    pub phase: usize,
}

/// All arrivals of a run, in order.
#[derive(Debug, Clone)]
pub struct Arrivals {
    phases: Vec<Phase>,
    spacing: Spacing,
    dice: Dice,
    number: u64,
    /// Which phase it is in, when that began, and how many orders are expected before it.
    phase: usize,
    begin: Duration,
    before: f64,
    /// How many orders are expected until the next arrival.
    due: f64,
}

impl Arrivals {
    /// The arrivals of a scenario.
    pub fn new(scenario: &Scenario) -> Self {
        let due = if scenario.spacing == Spacing::Even { -0.5 } else { 0.0 };
        let dice = Dice::new(scenario.seed, &["arrivals"]);
        let (phases, spacing) = (scenario.phases.clone(), scenario.spacing);
        Self { phases, spacing, dice, number: 0, phase: 0, begin: Duration::ZERO, before: 0.0, due }
    }
}

impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        self.due += match self.spacing {
            Spacing::Even => 1.0,
            // The time between two customers who know nothing of each other.
            Spacing::Poisson => -(1.0 - self.dice.unit()).ln(),
        };
        loop {
            let phase = self.phases.get(self.phase)?;
            let (inside, expected) = (self.due - self.before, expected(phase));
            if inside < expected {
                let at = self.begin + within(phase, inside);
                let arrival = Arrival { number: self.number, at, phase: self.phase };
                self.number += 1;
                return Some(arrival);
            }
            self.before += expected;
            self.begin += phase.over;
            self.phase += 1;
        }
    }
}

/// How many orders a phase brings.
pub fn expected(phase: &Phase) -> f64 {
    phase.ramp.from.midpoint(phase.ramp.to) * phase.over.as_secs_f64()
}

/// After which time within a phase so many of its orders have come.
fn within(phase: &Phase, orders: f64) -> Duration {
    let (Ramp { from, to }, over) = (phase.ramp, phase.over.as_secs_f64());
    let steeper = (to - from) / over;
    let seconds = if steeper.abs() < 1e-9 {
        orders / from
    } else {
        // orders = from * t + steeper * t^2 / 2
        (2.0_f64.mul_add(steeper * orders, from * from).max(0.0).sqrt() - from) / steeper
    };
    Duration::try_from_secs_f64(seconds.clamp(0.0, over)).unwrap_or(phase.over)
}

/// The rate that is meant at a moment, in orders a second; 0 after the last phase.
pub fn rate_at(phases: &[Phase], at: Duration) -> f64 {
    let mut begin = Duration::ZERO;
    for phase in phases {
        if at < begin + phase.over {
            let part = at.saturating_sub(begin).as_secs_f64() / phase.over.as_secs_f64();
            return (phase.ramp.to - phase.ramp.from).mul_add(part, phase.ramp.from);
        }
        begin += phase.over;
    }
    0.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Arrival, Arrivals, rate_at};
    use crate::scenario::Scenario;

    fn scenario(arrivals: &str, phases: &[(&str, &str)]) -> Scenario {
        let phase =
            |(rate, over): &(&str, &str)| format!("[[phases]]\nrate = \"{rate}\"\nover = \"{over}\"\n");
        let phases = phases.iter().map(phase).collect::<Vec<_>>().concat();
        let text = format!("schema = \"doorbuster-loadtest/1\"\n{phases}[run]\narrivals = \"{arrivals}\"\n");
        Scenario::parse("t", &text, None).unwrap()
    }

    fn arrivals(spacing: &str, phases: &[(&str, &str)]) -> Vec<Arrival> {
        Arrivals::new(&scenario(spacing, phases)).collect()
    }

    #[test]
    fn even_arrivals_are_as_many_as_the_rate_says_and_equally_far_apart() {
        let all = arrivals("even", &[("10/s", "2s"), ("100/s", "1s")]);
        assert_eq!(all.len(), 120);
        assert_eq!(all[0].at, Duration::from_millis(50));
        assert_eq!(all[1].at.saturating_sub(all[0].at).as_millis(), 100);
        assert_eq!(all.iter().filter(|arrival| arrival.phase == 1).count(), 100);
        assert!(
            all.iter().enumerate().all(|(place, arrival)| arrival.number == u64::try_from(place).unwrap())
        );
    }

    #[test]
    fn a_ramp_brings_the_mean_of_its_ends_and_ever_more() {
        let all = arrivals("even", &[("0..100/s", "10s")]);
        assert_eq!(all.len(), 500);
        let early = all.iter().filter(|arrival| arrival.at < Duration::from_secs(5)).count();
        assert!((124..=126).contains(&early), "{early}");
        let down = arrivals("even", &[("100..0/s", "10s")]);
        assert!((374..=376).contains(&down.iter().filter(|one| one.at < Duration::from_secs(5)).count()));
    }

    #[test]
    fn arrivals_by_chance_are_in_order_about_as_many_and_the_same_again() {
        let phases = [("200/s", "10s"), ("0/s", "5s"), ("200..400/s", "10s")];
        let all = arrivals("poisson", &phases);
        assert!((4_700..5_300).contains(&all.len()), "{}", all.len());
        assert!(all.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert!(all.iter().all(|one| one.phase != 1), "nobody comes at a rate of zero");
        assert_eq!(all, arrivals("poisson", &phases));
    }

    #[test]
    fn the_rate_that_is_meant_follows_the_phases() {
        let phases = scenario("even", &[("0..100/s", "10s"), ("50/s", "10s")]).phases;
        assert!((rate_at(&phases, Duration::from_secs(5)) - 50.0).abs() < 1e-9);
        assert!((rate_at(&phases, Duration::from_secs(12)) - 50.0).abs() < 1e-9);
        assert!(rate_at(&phases, Duration::from_secs(20)).abs() < 1e-9);
    }
}
