//! One claim.

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::mark::{Mark, Marks};

/// How many departures and releases a claim remembers while it lives. Each takes at least one unit, and the one that takes the last
/// unit ends the claim, so a claim for fewer units needs fewer.
pub const MARKS_MOST: usize = 16;

/// What somebody holds. Whatever was done: taken = soft + hard + consumed + given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct Claim {
    /// Counts the claims of the book from 1: a greater one is newer.
    pub ordinal: u64,
    /// What was taken in the beginning.
    pub taken: Amount,
    /// What may still be let go: a cart, an order that is not committed.
    pub soft: Amount,
    /// What somebody was promised.
    pub hard: Amount,
    /// What is gone for good.
    pub consumed: Amount,
    /// Who or what it counts for besides the whole: a customer, a promotion.
    pub share: Option<Mark>,
    /// The departures and releases that were applied.
    pub marks: Marks,
}

/// A claim as it is written: by position, because a snapshot holds ten thousand of them.
type Row = (u64, (i64, i64), (i64, i64), (i64, i64), (i64, i64), Option<Mark>, Marks);

impl From<Row> for Claim {
    fn from((ordinal, taken, soft, hard, consumed, share, marks): Row) -> Self {
        let amount = |(units, minor)| Amount { units, minor };
        let [taken, soft, hard, consumed] = [taken, soft, hard, consumed].map(amount);
        Self { ordinal, taken, soft, hard, consumed, share, marks }
    }
}

impl From<Claim> for Row {
    fn from(claim: Claim) -> Self {
        let pair = |amount: Amount| (amount.units, amount.minor);
        let Claim { ordinal, taken, soft, hard, consumed, share, marks } = claim;
        (ordinal, pair(taken), pair(soft), pair(hard), pair(consumed), share, marks)
    }
}

/// How firm something is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It may still be let go.
    Soft,
    /// It is promised.
    Hard,
}

impl Claim {
    /// Splits off `units`, those of the `first` side first, with the money that stands for them: (soft, hard). Not more than there is.
    pub fn split(&self, units: i64, first: Side) -> (Amount, Amount) {
        match first {
            Side::Soft => {
                let soft = self.soft.share(units);
                (soft, self.hard.share(units - soft.units))
            }
            Side::Hard => {
                let hard = self.hard.share(units);
                (self.soft.share(units - hard.units), hard)
            }
        }
    }

    /// How much those units are, both sides together.
    pub fn part(&self, units: i64, first: Side) -> Amount {
        let (soft, hard) = self.split(units, first);
        soft + hard
    }

    /// What it holds now.
    pub fn live(&self) -> Amount {
        self.soft + self.hard
    }

    /// What was given back of it.
    pub fn given_back(&self) -> Amount {
        self.taken - self.live() - self.consumed
    }

    /// The most bytes that it takes in a snapshot under this id, whatever happens to it.
    pub fn bytes(id: &str, taken: Amount) -> usize {
        /// Heads of the pair, the row, its four amounts and the list; the ordinal.
        const FRAME: usize = 2 + 2 + 4 + 3 + 9;
        const MARK: usize = 9;
        let number = |number: i64| if (0..128).contains(&number) { 1 } else { 9 };
        let marks = usize::try_from(taken.units - 1).unwrap_or_default().min(MARKS_MOST);
        FRAME + id.len() + 4 * (number(taken.units) + number(taken.minor)) + MARK + marks * MARK
    }
}
