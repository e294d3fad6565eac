//! Seeded chance: every decision is a pure function of a seed and of names, so a run can be repeated.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A stream of numbers that depends only on what it was made of (splitmix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

/// How often something happens: so many times in a thousand.
pub type PerMille = u32;

impl Dice {
    /// Dice for `seed` and `names`; other names give other numbers.
    pub fn new(seed: u64, names: &[&str]) -> Self {
        let mut state = seed;
        for name in names {
            for byte in name.bytes() {
                state = (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
            state = mixed(state ^ 0xff);
        }
        Self(state)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// A number from 0 to `bound - 1`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound.max(1)
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// The same for small numbers, such as quantities.
    pub fn small(&mut self, least: u32, most: u32) -> u32 {
        u32::try_from(self.between(u64::from(least), u64::from(most))).unwrap_or(most)
    }

    /// The same for amounts in minor units, which are never negative here.
    pub fn amount(&mut self, least: i64, most: i64) -> i64 {
        let span = u64::try_from(most.saturating_sub(least)).unwrap_or(0);
        least + i64::try_from(self.below(span + 1)).unwrap_or(0)
    }

    /// Does something happen that happens so often?
    pub fn happens(&mut self, rate: PerMille) -> bool {
        self.below(1000) < u64::from(rate)
    }

    /// A number from 0 to just below 1.
    #[expect(
        clippy::cast_precision_loss,
        reason = "both numbers have 53 bits, and a double holds them exactly"
    )]
    pub fn unit(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of several; the slice is not empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        let place = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        &choices[place]
    }
}

const fn mixed(mut state: u64) -> u64 {
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// A hash that is the same in every run.
pub(crate) fn digest<T: Hash + ?Sized>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn given_the_same_names_when_rolled_then_the_same_numbers_come() {
        let rolls = |seed, names: &[&str]| {
            let mut dice = Dice::new(seed, names);
            [dice.roll(), dice.roll(), dice.roll()]
        };
        assert_eq!(rolls(1, &["a", "b"]), rolls(1, &["a", "b"]));
        assert_ne!(rolls(1, &["a", "b"]), rolls(1, &["ab"]));
        assert_ne!(rolls(1, &["a"]), rolls(2, &["a"]));
    }

    #[test]
    fn given_a_rate_when_rolled_often_then_it_happens_about_so_often() {
        let mut dice = Dice::new(7, &[]);
        let times = (0..10_000).filter(|_| dice.happens(100)).count();
        assert!((800..1200).contains(&times), "{times}");
        assert!(!dice.happens(0) && dice.happens(1000));
    }
}
