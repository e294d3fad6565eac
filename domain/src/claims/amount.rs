//! How much is claimed: a number of units or uses, and money where a budget is counted.

use std::ops::{Add, AddAssign, Sub, SubAssign};

use serde::{Deserialize, Serialize};

/// An amount of something limited. Sums of them stay far inside 64 bits: a part is a `u32`, and money is checked when it comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Amount {
    /// Units of a cell, uses of a counter.
    pub units: i64,
    /// Minor units of a budget; always 0 in a cell.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub minor: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self { units: 0, minor: 0 };

    /// Units without money.
    pub fn units(units: u32) -> Self {
        Self { units: i64::from(units), minor: 0 }
    }

    /// True if there is nothing of either.
    pub const fn is_zero(self) -> bool {
        self.units == 0 && self.minor == 0
    }

    /// The part of this that `units` of its units are worth, the last unit taking what division left over. All of it if there are
    /// not more units.
    #[must_use]
    pub fn share(self, units: i64) -> Self {
        if units >= self.units {
            return self;
        }
        let minor = i128::from(self.minor) * i128::from(units) / i128::from(self.units.max(1));
        Self { units, minor: i64::try_from(minor).expect("a part of an i64") }
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { units: self.units + other.units, minor: self.minor + other.minor }
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { units: self.units - other.units, minor: self.minor - other.minor }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Amount {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

#[cfg(test)]
mod tests {
    use super::Amount;

    #[test]
    fn the_last_share_takes_what_division_left_over() {
        let whole = Amount { units: 3, minor: 100 };
        let first = whole.share(1);
        assert_eq!(first, Amount { units: 1, minor: 33 });
        let second = (whole - first).share(1);
        assert_eq!(second, Amount { units: 1, minor: 33 });
        assert_eq!((whole - first - second).share(1), Amount { units: 1, minor: 34 });
        assert_eq!(Amount { units: 0, minor: 7 }.share(1), Amount { units: 0, minor: 7 });
    }
}
