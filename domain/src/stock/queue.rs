//! Claims that wait for stock: who was committed first is served first.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::claims::{Amount, Claim};
use crate::shared_map::SharedMap;
use crate::time::Timestamp;

/// A claim that waits. It is served whole or not at all, and nobody overtakes who stands at the head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct Waiting {
    /// How many units.
    pub quantity: u32,
    /// Are they promised as soon as they are there?
    pub hard: bool,
    /// Since when: the time of the commit.
    pub since: Timestamp,
    /// Counts those who ever waited here: who came first among equals.
    pub ordinal: u64,
    /// The promotion whose set-aside units it may take.
    pub promotion: Option<Arc<str>>,
}

/// Written by position: there may be thousands.
type Row = (u32, bool, Timestamp, u64, Option<Arc<str>>);

impl From<Row> for Waiting {
    fn from((quantity, hard, since, ordinal, promotion): Row) -> Self {
        Self { quantity, hard, since, ordinal, promotion }
    }
}

impl From<Waiting> for Row {
    fn from(Waiting { quantity, hard, since, ordinal, promotion }: Waiting) -> Self {
        (quantity, hard, since, ordinal, promotion)
    }
}

/// All claims that wait, by id and in their order. A copy costs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Queue {
    claims: SharedMap<Arc<str>, Waiting>,
    order: SharedMap<(Timestamp, u64), Arc<str>>,
    last_ordinal: u64,
    units: i64,
    /// Those of them that may take units which are set aside.
    promoted: i64,
    bytes: usize,
}

/// The queue without what follows from the claims.
#[derive(Serialize, Deserialize)]
struct Written {
    last_ordinal: u64,
    claims: SharedMap<Arc<str>, Waiting>,
}

impl From<Written> for Queue {
    fn from(Written { last_ordinal, claims }: Written) -> Self {
        let mut queue = Self { last_ordinal, ..Self::default() };
        for (id, waiting) in &claims {
            queue.order.insert((waiting.since, waiting.ordinal), Arc::clone(id));
            queue.count(waiting.promotion.is_some(), i64::from(waiting.quantity));
            queue.bytes += Self::bytes_of(id, waiting.quantity, waiting.promotion.as_deref());
        }
        queue.claims = claims;
        queue
    }
}

impl From<Queue> for Written {
    fn from(queue: Queue) -> Self {
        Self { last_ordinal: queue.last_ordinal, claims: queue.claims }
    }
}

impl Queue {
    /// The claim with this id, if it waits.
    pub fn get(&self, id: &str) -> Option<&Waiting> {
        self.claims.get(id)
    }

    /// Who is served next.
    pub fn head(&self) -> Option<(&Arc<str>, &Waiting)> {
        let (_, id) = self.order.first()?;
        Some((id, self.claims.get(&**id)?))
    }

    /// How many claims wait.
    pub const fn len(&self) -> usize {
        self.claims.len()
    }

    /// True if nobody waits.
    pub const fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// True if nobody ever waited.
    pub const fn is_untouched(&self) -> bool {
        self.last_ordinal == 0
    }

    /// All units that are waited for.
    pub const fn units(&self) -> i64 {
        self.units
    }

    /// Units that are waited for under a promotion that has units set aside.
    pub const fn promoted(&self) -> i64 {
        self.promoted
    }

    const fn count(&mut self, is_promoted: bool, units: i64) {
        self.units += units;
        if is_promoted {
            self.promoted += units;
        }
    }

    /// The most bytes that those who wait take in a snapshot, now and once they are served.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The most bytes that one of them takes.
    pub fn bytes_of(id: &str, quantity: u32, promotion: Option<&str>) -> usize {
        Claim::bytes(id, Amount::units(quantity)) + promotion.map_or(0, str::len)
    }

    /// Puts a claim behind those who wait as long or longer.
    pub fn add(
        &mut self,
        id: &Arc<str>,
        quantity: u32,
        hard: bool,
        since: Timestamp,
        promotion: Option<&Arc<str>>,
    ) {
        self.leave(id);
        self.last_ordinal += 1;
        self.count(promotion.is_some(), i64::from(quantity));
        self.bytes += Self::bytes_of(id, quantity, promotion.map(|promotion| &**promotion));
        let waiting =
            Waiting { quantity, hard, since, ordinal: self.last_ordinal, promotion: promotion.cloned() };
        self.order.insert((since, waiting.ordinal), Arc::clone(id));
        self.claims.insert(Arc::clone(id), waiting);
    }

    /// Its units are promised as soon as they are there.
    pub fn harden(&mut self, id: &str) {
        if let Some(waiting) = self.claims.get_mut(id) {
            waiting.hard = true;
        }
    }

    /// It waits for fewer units, keeping its place.
    pub fn shrink(&mut self, id: &str, by: u32) {
        let Some(waiting) = self.claims.get_mut(id) else { return };
        if waiting.quantity <= by {
            self.leave(id);
            return;
        }
        let before = Self::bytes_of(id, waiting.quantity, waiting.promotion.as_deref());
        waiting.quantity -= by;
        let after = Self::bytes_of(id, waiting.quantity, waiting.promotion.as_deref());
        let is_promoted = waiting.promotion.is_some();
        self.count(is_promoted, -i64::from(by));
        self.bytes = self.bytes - before + after;
    }

    /// Takes a claim out: it is served, or nobody wants it any more.
    pub fn leave(&mut self, id: &str) {
        let Some(waiting) = self.claims.remove(id) else { return };
        self.order.remove(&(waiting.since, waiting.ordinal));
        self.count(waiting.promotion.is_some(), -i64::from(waiting.quantity));
        self.bytes -= Self::bytes_of(id, waiting.quantity, waiting.promotion.as_deref());
    }
}
