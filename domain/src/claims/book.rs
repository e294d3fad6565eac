//! All live claims, and the sums of them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::claim::{Claim, MARKS_MOST, Side};
use super::mark::Mark;
use crate::shared_map::SharedMap;

/// Live claims by their id. A copy costs nothing; a change is as cheap with ten thousand claims as with ten.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Book {
    claims: SharedMap<Arc<str>, Claim>,
    last_ordinal: u64,
    soft: Amount,
    hard: Amount,
    bytes: usize,
}

/// The book without the sums, which follow from the claims.
#[derive(Serialize, Deserialize)]
struct Written {
    last_ordinal: u64,
    claims: SharedMap<Arc<str>, Claim>,
}

impl From<Written> for Book {
    fn from(Written { last_ordinal, claims }: Written) -> Self {
        let mut book = Self { last_ordinal, ..Self::default() };
        for (id, claim) in &claims {
            book.soft += claim.soft;
            book.hard += claim.hard;
            book.bytes += Claim::bytes(id, claim.taken);
        }
        book.claims = claims;
        book
    }
}

impl From<Book> for Written {
    fn from(book: Book) -> Self {
        Self { last_ordinal: book.last_ordinal, claims: book.claims }
    }
}

impl Book {
    /// The live claim with this id.
    pub fn get(&self, id: &str) -> Option<&Claim> {
        self.claims.get(id)
    }

    /// All live claims, by id.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Claim)> {
        self.claims.iter()
    }

    /// How many claims live.
    pub const fn len(&self) -> usize {
        self.claims.len()
    }

    /// True if none lives.
    pub const fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// The sum of what is soft.
    pub const fn soft(&self) -> Amount {
        self.soft
    }

    /// The sum of what is hard.
    pub const fn hard(&self) -> Amount {
        self.hard
    }

    /// The sum of what is held.
    pub fn live(&self) -> Amount {
        self.soft + self.hard
    }

    /// The most bytes that the claims take in a snapshot, whatever happens to them.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// True if nothing was ever claimed.
    pub const fn is_untouched(&self) -> bool {
        self.last_ordinal == 0
    }

    /// Takes `amount`. A claim that is there already stays as it is.
    pub fn take(&mut self, id: &Arc<str>, amount: Amount, hard: bool, share: Option<Mark>) {
        if self.claims.get(&**id).is_some() {
            return;
        }
        self.last_ordinal += 1;
        self.bytes += Claim::bytes(id, amount);
        let (soft, hard) = if hard { (Amount::ZERO, amount) } else { (amount, Amount::ZERO) };
        self.soft += soft;
        self.hard += hard;
        let claim = Claim {
            ordinal: self.last_ordinal,
            taken: amount,
            soft,
            hard,
            consumed: Amount::ZERO,
            share,
            marks: super::Marks::default(),
        };
        self.claims.insert(Arc::clone(id), claim);
    }

    /// Makes all of a claim hard.
    pub fn harden(&mut self, id: &str) {
        let Some(claim) = self.claims.get_mut(id) else { return };
        let soft = std::mem::take(&mut claim.soft);
        claim.hard += soft;
        self.soft -= soft;
        self.hard += soft;
    }

    /// Consumes `units` of a claim, hard ones first, with the money that stands for them. Gives what was consumed: not more than
    /// there is. The claim ends with its last unit.
    pub fn consume(&mut self, id: &str, units: i64, mark: Mark) -> Amount {
        self.leave(id, units, mark, Side::Hard)
    }

    /// Gives `units` of a claim back, soft ones first. Gives what was given back: not more than there is.
    pub fn give_back(&mut self, id: &str, units: i64, mark: Mark) -> Amount {
        self.leave(id, units, mark, Side::Soft)
    }

    /// What departs is hard first, what is given back soft first.
    fn leave(&mut self, id: &str, units: i64, mark: Mark, first: Side) -> Amount {
        let Some(claim) = self.claims.get_mut(id) else { return Amount::ZERO };
        let (soft, hard) = claim.split(units, first);
        claim.soft -= soft;
        claim.hard -= hard;
        if first == Side::Hard {
            claim.consumed += soft + hard;
        }
        claim.marks.add(mark, MARKS_MOST);
        self.soft -= soft;
        self.hard -= hard;
        if claim.live().is_zero() {
            self.bytes -= Claim::bytes(id, claim.taken);
            self.claims.remove(id);
        }
        soft + hard
    }
}
