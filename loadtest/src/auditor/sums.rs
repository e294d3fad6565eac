//! Sums of what happened to one order: once as the participants' books say, once as the events tell it.

use std::collections::BTreeMap;

use super::money::Units;
use crate::contract::{DocumentRow, LineQuantity, PageEvent};
use crate::ledger::Change;

/// Sums over changes, or over the events about them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sums {
    pub(crate) authorized: BTreeMap<String, i64>,
    pub(crate) captured: BTreeMap<String, i64>,
    pub(crate) voided: BTreeMap<String, i64>,
    pub(crate) points_reserved: i64,
    pub(crate) points_finalized: i64,
    pub(crate) points_released: i64,
    pub(crate) accrued: i64,
    pub(crate) departed: Units,
    /// How many there were of each kind that has an event of its own.
    pub(crate) counts: BTreeMap<&'static str, u32>,
}

impl Sums {
    /// Adds an entry of a participant's books.
    pub(crate) fn add_change(&mut self, change: &Change) {
        let kind = match change {
            Change::PointsReserved(points) => {
                self.points_reserved += points;
                "loyalty.reserved"
            }
            Change::PointsFinalized(points) => {
                self.points_finalized += points;
                "loyalty.finalized"
            }
            Change::PointsReleased(points) => {
                self.points_released += points;
                "loyalty.released"
            }
            Change::PointsAccrued(points) => {
                self.accrued += points;
                "loyalty.accrued"
            }
            Change::Authorized { tender, amount_minor } => {
                add(&mut self.authorized, tender, *amount_minor);
                "payment.authorized"
            }
            Change::Captured { tender, amount_minor } => {
                add(&mut self.captured, tender, *amount_minor);
                "payment.captured"
            }
            Change::Voided { tender, amount_minor } => {
                add(&mut self.voided, tender, *amount_minor);
                "payment.voided"
            }
            Change::Departed { lines, .. } => {
                add_units(&mut self.departed, lines);
                "shipment.dispatched"
            }
            Change::Declined => "payment.declined",
            Change::Allocated { .. } => "stock.allocated",
            Change::CancelAccepted => "shipment.cancelled",
            Change::Posted(_) => "erp.posted",
            // A departure implies acceptance, so an acceptance that is answered later has no event of its own.
            Change::ShipmentAccepted
            | Change::PointsRefused
            | Change::AllocationRefused(_)
            | Change::AllocationReleased(_)
            | Change::CancelRejected
            | Change::PostRefused => return,
        };
        self.count(kind);
    }

    /// Adds an event. Gives false if its data cannot be read.
    pub(crate) fn add_event(&mut self, event: &PageEvent<'_>) -> bool {
        let Some(kind) = COUNTED.iter().find(|kind| **kind == event.kind) else { return true };
        self.count(kind);
        let Ok(data) = serde_json::from_str::<crate::contract::EventData<'_>>(event.data.get()) else {
            return false;
        };
        match *kind {
            "loyalty.reserved" => self.points_reserved += data.points,
            "loyalty.finalized" => self.points_finalized += data.points,
            "loyalty.released" => self.points_released += data.points,
            "loyalty.accrued" => self.accrued += data.points_delta,
            "payment.authorized" => add(&mut self.authorized, &data.tender, data.amount_minor),
            "payment.captured" => add(&mut self.captured, &data.tender, data.amount_minor),
            "payment.voided" => add(&mut self.voided, &data.tender, data.amount_minor),
            "shipment.dispatched" => add_units(&mut self.departed, &rows(&data.lines)),
            _ => {}
        }
        true
    }

    /// Counts one of a kind.
    pub(crate) fn count(&mut self, kind: &'static str) {
        *self.counts.entry(kind).or_default() += 1;
    }
}

/// Event types with exactly one cause in the books or among the commands.
const COUNTED: [&str; 14] = [
    "loyalty.reserved",
    "loyalty.finalized",
    "loyalty.released",
    "loyalty.accrued",
    "payment.authorized",
    "payment.captured",
    "payment.voided",
    "payment.declined",
    "stock.allocated",
    "shipment.requested",
    "shipment.dispatched",
    "shipment.cancelled",
    "erp.queued",
    "erp.posted",
];

fn add(sums: &mut BTreeMap<String, i64>, tender: &str, amount: i64) {
    if let Some(sum) = sums.get_mut(tender) {
        *sum += amount;
    } else {
        sums.insert(tender.to_owned(), amount);
    }
}

/// Adds rows to units by line.
pub(crate) fn add_units(units: &mut Units, rows: &[LineQuantity]) {
    for row in rows.iter().filter(|row| row.quantity > 0) {
        *units.entry(row.line).or_default() += row.quantity;
    }
}

/// Rows that name a line.
pub(crate) fn rows(rows: &[DocumentRow<'_>]) -> Vec<LineQuantity> {
    rows.iter().filter_map(|row| row.line.map(|line| LineQuantity { line, quantity: row.quantity })).collect()
}
