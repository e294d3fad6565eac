//! What reservations hold for an order, as far as it knows. What is not needed is derived from it and never remembered, so that
//! whatever order the answers come in, the same is given back in the end.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::effect::{HoldAsked, LETTERS, Units, UnitsAt};
use super::ledgers::is_default;
use crate::ids::Key;
use crate::time::Timestamp;

/// How far a reservation is, as the order sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Asked for.
    Asked,
    /// It holds everything until the order commits.
    Held,
    /// The order has committed and told it.
    Committing,
    /// What it holds is sold, and where it stands is known.
    Allocated,
    /// It holds nothing.
    Refused,
    /// All that is left goes back.
    Ending,
    /// Nothing is left.
    Ended,
}

impl Stage {
    /// The word in the view.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Held => "held",
            Self::Committing => "committing",
            Self::Allocated => "allocated",
            Self::Refused => "refused",
            Self::Ending => "ending",
            Self::Ended => "ended",
        }
    }
}

/// Units that wait for stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backordered {
    /// Index of the line.
    pub line: u16,
    /// How many units.
    pub quantity: u32,
    /// When they are expected.
    #[serde(default, skip_serializing_if = "is_default")]
    pub promised_at: Option<Timestamp>,
}

/// One reservation of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Its id.
    pub id: Key,
    /// How far it is.
    pub stage: Stage,
    /// Goods, not uses of promotions and coupons alone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub goods: bool,
    /// What it holds: neither left nor given back. One row for each line and node.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rows: Vec<UnitsAt>,
    /// What waits for stock, and until when.
    #[serde(default, skip_serializing_if = "is_default")]
    pub backordered: Vec<Backordered>,
    /// What became of units that had waited, as it named it: applied once.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allocations: Vec<Arc<str>>,
    /// Something left from where it was not held, or went back alone: what is left at the end may stand elsewhere than we think.
    #[serde(default, skip_serializing_if = "is_default")]
    pub uneven: bool,
}

impl Reservation {
    fn new(id: Key, goods: bool) -> Self {
        Self {
            id,
            stage: Stage::Asked,
            goods,
            rows: Vec::new(),
            backordered: Vec::new(),
            allocations: Vec::new(),
            uneven: false,
        }
    }

    /// Units of a line that it holds.
    pub fn held(&self, line: u16) -> u32 {
        sum(self.rows.iter().filter(|row| row.line == line))
    }

    /// Units of a line that wait for stock.
    pub fn waits(&self, line: u16) -> u32 {
        self.at(line, None)
    }

    /// Units of a line at a node; none = those that wait for stock.
    pub fn at(&self, line: u16, node: Option<&str>) -> u32 {
        sum(self.rows.iter().filter(|row| row.line == line && row.node.as_deref() == node))
    }

    /// Takes units of a line off what it holds at a node; gives how many it did not hold there.
    fn take(&mut self, line: u16, node: Option<&str>, mut quantity: u32) -> u32 {
        for row in self.rows.iter_mut().filter(|row| row.line == line && row.node.as_deref() == node) {
            let taken = quantity.min(row.quantity);
            row.quantity -= taken;
            quantity -= taken;
        }
        self.rows.retain(|row| row.quantity > 0);
        quantity
    }

    fn put(&mut self, row: UnitsAt) {
        match self.rows.iter_mut().find(|known| known.line == row.line && known.node == row.node) {
            Some(known) => known.quantity = known.quantity.saturating_add(row.quantity),
            None => self.rows.push(row),
        }
    }

    /// So many units of a line that waited do so no more.
    fn wait_no_more(&mut self, line: u16, mut quantity: u32) {
        for waiting in self.backordered.iter_mut().filter(|waiting| waiting.line == line) {
            let taken = quantity.min(waiting.quantity);
            waiting.quantity -= taken;
            quantity -= taken;
        }
        self.backordered.retain(|waiting| waiting.quantity > 0);
    }
}

/// What others say is not bounded by us.
fn sum<'a>(rows: impl Iterator<Item = &'a UnitsAt>) -> u32 {
    rows.fold(0, |sum, row| sum.saturating_add(row.quantity))
}

/// All reservations of an order, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StockLedger {
    /// Few: each but the last was refused, or holds promotions and coupons alone.
    pub reservations: Vec<Reservation>,
    /// The last ordinal of each kind of letter.
    #[serde(skip_serializing_if = "is_default")]
    pub ordinals: [u32; LETTERS],
    /// How many departures, oldest first, were taken off the stock.
    #[serde(skip_serializing_if = "is_default")]
    pub consumed: u16,
    /// The demand of the order was told.
    #[serde(skip_serializing_if = "is_default")]
    pub signalled: bool,
}

impl StockLedger {
    /// The reservation that the goods of the order come from: the last one.
    pub fn goods(&self) -> Option<(u16, &Reservation)> {
        self.find_last(|reservation| reservation.goods)
    }

    /// The reservation of promotions and coupons alone.
    pub fn counters(&self) -> Option<(u16, &Reservation)> {
        self.find_last(|reservation| !reservation.goods)
    }

    fn find_last(&self, wanted: impl Fn(&Reservation) -> bool) -> Option<(u16, &Reservation)> {
        let at = self.reservations.iter().rposition(wanted)?;
        Some((u16::try_from(at).ok()?, &self.reservations[at]))
    }

    /// The index of the last reservation with this id.
    pub fn index_of(&self, id: &Key) -> Option<u16> {
        self.find_last(|reservation| reservation.id == *id).map(|(index, _)| index)
    }

    /// One more was asked for.
    pub(super) fn asked(&mut self, asked: &HoldAsked) {
        self.reservations.push(Reservation::new(asked.reservation_id.clone(), !asked.lines.is_empty()));
    }

    /// The one that the customer made was asked for.
    pub(super) fn attached(&mut self, id: Key) {
        self.reservations.push(Reservation::new(id, true));
    }

    /// It said what it holds.
    pub(super) fn holds(&mut self, index: u16, stage: Stage, rows: &[UnitsAt], waiting: &[Backordered]) {
        let Some(known) = self.reservations.get_mut(usize::from(index)) else { return };
        known.stage = stage;
        if !known.goods {
            return;
        }
        known.backordered = waiting.to_vec();
        let waiting =
            waiting.iter().map(|row| UnitsAt { line: row.line, node: None, quantity: row.quantity });
        known.rows = Vec::with_capacity(rows.len() + waiting.len());
        rows.iter().cloned().chain(waiting).for_each(|row| known.put(row));
    }

    /// Units that had waited have a node.
    pub(super) fn found(&mut self, index: u16, allocation_id: &Arc<str>, rows: &[UnitsAt]) {
        let Some(known) = self.reservations.get_mut(usize::from(index)) else { return };
        known.allocations.push(Arc::clone(allocation_id));
        for row in rows {
            known.take(row.line, None, row.quantity);
            known.wait_no_more(row.line, row.quantity);
        }
        rows.iter().cloned().for_each(|row| known.put(row));
    }

    /// Units that had waited will get none.
    pub(super) fn gave_up(&mut self, index: u16, allocation_id: &Arc<str>, lines: &[Units]) {
        let Some(known) = self.reservations.get_mut(usize::from(index)) else { return };
        known.allocations.push(Arc::clone(allocation_id));
        for units in lines {
            known.take(units.line, None, units.quantity);
            known.wait_no_more(units.line, units.quantity);
        }
    }

    /// The next departure is consumed: its units have left from a node.
    pub(super) fn left(&mut self, index: u16, node: &str, units: impl Iterator<Item = Units>) {
        self.consumed += 1;
        let Some(known) = self.reservations.get_mut(usize::from(index)) else { return };
        for units in units {
            let elsewhere = known.take(units.line, Some(node), units.quantity);
            known.uneven |= elsewhere > 0;
        }
    }

    /// Units go back: a release cannot fail, so they are gone once it is written.
    pub(super) fn gives_back(&mut self, index: u16, ends: bool, lines: &[UnitsAt]) {
        let Some(known) = self.reservations.get_mut(usize::from(index)) else { return };
        if ends {
            known.stage = Stage::Ending;
            known.rows.clear();
            known.backordered.clear();
            return;
        }
        known.uneven = true;
        for units in lines {
            known.take(units.line, units.node.as_deref(), units.quantity);
            if units.node.is_none() {
                known.wait_no_more(units.line, units.quantity);
            }
        }
    }

    /// It moved on without holding anything else.
    pub(super) fn moves(&mut self, index: u16, stage: Stage) {
        let Some(known) = self.reservations.get_mut(usize::from(index)) else { return };
        known.stage = stage;
        if matches!(stage, Stage::Refused | Stage::Ended) {
            known.rows.clear();
            known.backordered.clear();
        }
    }
}
