//! How orders are mixed.

use crate::chance::PerMille;

/// What kinds of orders come, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// All alike, for measuring: a member, 3 lines, points redeemed, one card, one parcel.
    Standard,
    /// All sorts of orders.
    Mixed {
        /// How many meet a refusal of some kind.
        refusals: PerMille,
        /// How many are cancelled in whole or in part.
        cancels: PerMille,
        /// How many are submitted twice.
        duplicates: PerMille,
    },
}

impl Mix {
    /// All sorts, mostly good: 8 % refusals, 8 % cancels, 5 % duplicates.
    pub const fn mixed() -> Self {
        Self::Mixed { refusals: 80, cancels: 80, duplicates: 50 }
    }

    /// The mix with this name: `standard` or `mixed`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "standard" => Some(Self::Standard),
            "mixed" => Some(Self::mixed()),
            _ => None,
        }
    }
}
