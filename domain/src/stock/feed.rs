//! What is known from outside: counts, announced receipts, what is set aside, and how old all of it is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::policies::StalePolicy;
use super::said::Said;
use crate::claims::{Mark, Marks};
use crate::sharing::Shared;
use crate::time::Timestamp;

/// How many movements a cell remembers that belong to no claim: facts, and departures that nobody held. One that comes again after
/// so many others counts again, unless its `ce-time` is not after the last count.
pub const MOVEMENTS_MOST: usize = 1_024;
/// How many announced receipts a cell keeps.
pub const INBOUND_MOST: usize = 32;
/// How many promotions may have units set aside in one cell.
pub const SET_ASIDE_MOST: usize = 16;
/// How many changes are kept to tell those before a count from those after it.
const CHANGES_MOST: usize = 256;
/// How many of them, the newest, are never put together.
const EXACT: usize = 64;

/// Units that are expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbound {
    /// What announced them.
    pub movement: Arc<str>,
    /// How many are still expected.
    pub quantity: u32,
    /// When.
    pub expected_at: Timestamp,
}

/// Units that are for one promotion alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// The promotion.
    pub promotion: Arc<str>,
    /// How many units.
    pub quantity: u32,
    /// How many of them are held or gone; more than `quantity` = the promotion also sold what is for everybody.
    pub used: i64,
    /// When they are for everybody again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl SetAside {
    /// Units that nobody else may have.
    pub fn unused(&self) -> i64 {
        (i64::from(self.quantity) - self.used).max(0)
    }
}

/// The last count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Units that were there then.
    pub on_hand: i64,
    /// When.
    pub as_of: Timestamp,
    /// How many more there were than we knew of.
    pub drift: i64,
}

/// What is done because what is known is too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// What.
    pub policy: StalePolicy,
    /// Units that are not sold meanwhile, under `use_last_known_minus_buffer`.
    pub buffer: u32,
}

/// What is known from outside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Feed {
    /// The movements that belong to no claim.
    pub movements: Marks,
    /// What the newest of them said, in the same order; fewer than those if nothing is known of older ones. None = it was no fact, or a
    /// version recorded it that did not note what it said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    said: Vec<Option<Said>>,
    /// Announced receipts, earliest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inbound: Vec<Inbound>,
    /// What is set aside, in the order it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<SetAside>,
    /// The last count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
    /// When the last fact came.
    pub heard_at: Timestamp,
    /// When what is known is too old; none = never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fresh_until: Option<Timestamp>,
    /// It is too old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale: Option<Stale>,
}

impl Feed {
    /// Was this movement applied already, as far as is remembered?
    pub fn has_seen(&self, mark: Mark) -> bool {
        self.movements.has(mark)
    }

    /// What this movement said, as far as that is remembered.
    pub fn said(&self, mark: Mark) -> Option<Said> {
        let at = self.said.len().checked_sub(self.movements.since(mark)? + 1)?;
        self.said[at]
    }

    /// Remembers a movement and what it said; the oldest goes beyond the most that are remembered.
    pub fn remember(&mut self, mark: Mark, said: Option<Said>) {
        self.movements.add(mark, MOVEMENTS_MOST);
        if said.is_some() || !self.said.is_empty() {
            self.said.push(said);
            let over = self.said.len().saturating_sub(MOVEMENTS_MOST);
            drop(self.said.drain(..over));
        }
    }

    /// What a promotion has set aside.
    pub fn aside(&self, promotion: &str) -> Option<&SetAside> {
        self.set_aside.iter().find(|aside| *aside.promotion == *promotion)
    }

    /// Units that are for other promotions than this one.
    pub fn unused_by_others(&self, promotion: Option<&str>) -> i64 {
        let others = self.set_aside.iter().filter(|aside| Some(&*aside.promotion) != promotion);
        others.map(SetAside::unused).sum()
    }

    /// When so many more units may be there, as far as is announced for later than `now`.
    pub fn promise(&self, units: i64, now: Timestamp) -> Option<Timestamp> {
        let mut expected = 0;
        let coming = self.inbound.iter().filter(|inbound| inbound.expected_at > now);
        let enough = |inbound: &&Inbound| {
            expected += i64::from(inbound.quantity);
            expected >= units
        };
        coming.into_iter().find(enough).map(|inbound| inbound.expected_at)
    }

    /// Takes a receipt off what was announced, if it names what announced it.
    pub fn received(&mut self, reference: Option<&str>, quantity: u32) {
        let announced = self.inbound.iter().position(|inbound| Some(&*inbound.movement) == reference);
        let Some(at) = announced else { return };
        let inbound = &mut self.inbound[at];
        inbound.quantity = inbound.quantity.saturating_sub(quantity);
        if inbound.quantity == 0 {
            self.inbound.remove(at);
        }
    }

    /// Adds an announcement; the most overdue one makes room.
    pub fn announced(&mut self, inbound: Inbound) {
        let at = self.inbound.partition_point(|known| known.expected_at <= inbound.expected_at);
        self.inbound.insert(at, inbound);
        if self.inbound.len() > INBOUND_MOST {
            self.inbound.remove(0);
        }
    }
}

/// Changes of what is there since the last count, oldest first. Old ones are put together, so it always reaches back to the count, in
/// steps that are coarser the older they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Changes(Shared<Vec<Change>>);

/// Units that came (or left) after the first moment, until the second.
type Change = (Timestamp, Timestamp, i64);

impl Changes {
    /// True if nothing changed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes a change.
    pub fn add(&mut self, at: Timestamp, delta: i64) {
        if let Some((_, until, sum)) = self.0.last_mut()
            && *until == at
        {
            *sum += delta;
            return;
        }
        if self.0.len() >= CHANGES_MOST {
            self.thin(at);
        }
        // Exactly at that moment: nothing of it is before.
        self.0.push((at.plus_ms(-1), at, delta));
    }

    /// Puts old neighbours together, the coarser the older they are, until a quarter of the place is free.
    fn thin(&mut self, now: Timestamp) {
        for share in [64, 32, 16, 8, 4, 2, 1, 0] {
            let (old, exact) = self.0.split_at(self.0.len() - EXACT);
            let mut thin: Vec<Change> = Vec::with_capacity(CHANGES_MOST);
            for change in old {
                match thin.last_mut() {
                    Some(last)
                        if change.1.ms_since(last.0).saturating_mul(share) <= now.ms_since(change.1) =>
                    {
                        *last = (last.0, change.1, last.2 + change.2);
                    }
                    _ => thin.push(*change),
                }
            }
            thin.extend_from_slice(exact);
            if thin.len() <= CHANGES_MOST - EXACT || share == 0 {
                self.0 = thin.into();
                return;
            }
        }
    }

    /// How many units came after `as_of`. Of changes that were put together around it nobody knows any more: they count if more left
    /// than came, so that what is there is rather too little than too much.
    pub fn since(&self, as_of: Timestamp) -> i64 {
        let later = self.0.iter().filter(|(_, until, _)| *until > as_of);
        later.map(|(from, _, delta)| if *from < as_of { (*delta).min(0) } else { *delta }).sum()
    }

    /// Forgets what is before a count.
    pub fn forget_until(&mut self, as_of: Timestamp) {
        if self.0.iter().any(|(_, until, _)| *until <= as_of) {
            self.0.retain(|(_, until, _)| *until > as_of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CHANGES_MOST, Changes};
    use crate::time::Timestamp;

    #[test]
    fn changes_after_a_count_are_told_from_those_before_it() {
        let mut changes = Changes::default();
        for (at, delta) in [(10, 5), (20, -2), (20, -1), (30, -4)] {
            changes.add(Timestamp(at), delta);
        }
        assert_eq!([9, 10, 19, 20, 30].map(|at| changes.since(Timestamp(at))), [-2, -7, -7, -4, 0]);
        changes.forget_until(Timestamp(20));
        assert_eq!(changes.since(Timestamp(0)), -4);
    }

    #[test]
    fn many_changes_lose_no_unit_and_take_a_bounded_place() {
        let mut changes = Changes::default();
        for at in 1..=10_000 {
            changes.add(Timestamp(at * 10), -1);
        }
        assert!(changes.0.len() <= CHANGES_MOST);
        assert_eq!(changes.since(Timestamp(0)), -10_000);
        assert_eq!(changes.since(Timestamp(99_500)), -50, "the newest are exact");
        let around_old = -changes.since(Timestamp(50_000));
        assert!((5_000..5_700).contains(&around_old), "{around_old}: rather too many left than too few");
    }
}
