//! How a repetition is recognised: by a mark of its id, so that what is remembered has a fixed size however long ids are.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// 64 bits of the SHA-256 of an id and of what it is the id of. Nobody finds two ids with the same mark without trying for years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(u64);

impl Mark {
    /// The mark of something that happened in the world: a fact's `movement_id`.
    pub fn of_fact(movement_id: &str) -> Self {
        Self::of("fact", "", movement_id)
    }

    /// The mark of a departure of a claim's (or a reservation's) units, by its `movement_id`: one parcel may hold units of several.
    pub fn of_departure(owner: &str, movement_id: &str) -> Self {
        Self::of("departure", owner, movement_id)
    }

    /// The mark of something that a claim gives back, by its `release_id`: one release may be of several claims.
    pub fn of_release(claim_id: &str, release_id: &str) -> Self {
        Self::of("release", claim_id, release_id)
    }

    /// The mark of who or what a claim counts for besides the whole: a customer, a promotion.
    pub fn of_name(name: &str) -> Self {
        Self::of("name", "", name)
    }

    /// The mark of what something says, by its kind.
    pub fn of_content(kind: &str, content: &str) -> Self {
        Self::of("content", kind, content)
    }

    /// Half of its bits, for what need not be told apart from everything; never zero.
    pub fn short(self) -> NonZeroU32 {
        NonZeroU32::new((self.0 >> 32) as u32).unwrap_or(NonZeroU32::MIN)
    }

    fn of(kind: &str, owner: &str, id: &str) -> Self {
        // No kind, owner or id holds a zero byte, so no two of them run together.
        let parts = [kind.as_bytes(), b"\0", owner.as_bytes(), b"\0", id.as_bytes()];
        let digest = parts.into_iter().fold(Sha256::new(), Sha256::chain_update).finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Self(u64::from_be_bytes(first))
    }
}

/// The newest marks, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Marks(Vec<Mark>);

impl Marks {
    /// Is this one of them?
    pub fn has(&self, mark: Mark) -> bool {
        self.0.contains(&mark)
    }

    /// Remembers one more, and forgets the oldest beyond `most`.
    pub fn add(&mut self, mark: Mark, most: usize) {
        let over = (self.0.len() + 1).saturating_sub(most);
        drop(self.0.drain(..over));
        self.0.push(mark);
    }

    /// How many were remembered after this one; none if it is not one of them.
    pub fn since(&self, mark: Mark) -> Option<usize> {
        self.0.iter().rev().position(|known| *known == mark)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{Mark, Marks};

    #[test]
    fn the_oldest_is_forgotten_first() {
        let marks = ["a", "b", "c"].map(Mark::of_fact);
        let mut known = Marks::default();
        for mark in marks {
            known.add(mark, 2);
        }
        assert_eq!(marks.map(|mark| known.has(mark)), [false, true, true]);
        assert_eq!(known.len(), 2);
    }

    #[test]
    fn the_same_id_of_different_things_is_not_the_same() {
        assert_ne!(Mark::of_fact("m-1"), Mark::of_departure("r-1:1:1", "m-1"));
        assert_ne!(Mark::of_departure("r-1:2:1", "m-1"), Mark::of_departure("r-1:1:1", "m-1"));
        assert_eq!(Mark::of_fact("m-1"), Mark::of_fact("m-1"));
    }
}
