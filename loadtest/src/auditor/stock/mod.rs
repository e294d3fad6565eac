//! Stock that Doorbuster keeps, judged from its events, from what warehouses say and from what they send away.
//!
//! Reading order: [`told`] (the events as they are read), [`cells`] (units, at every prefix), [`counters`] (uses), [`holds`]
//! (reservations), then [`Stock`] below, which hands each event to whom it concerns and judges what is left when all is quiet.

mod cells;
mod counters;
mod holds;
mod told;

use super::check::{Check, Findings};
use crate::contract::{PageEvent, StockFact};
use cells::Cells;
use counters::Counters;
use holds::Holds;

pub(super) use holds::Heard;
pub(super) use told::{Concerns, order_of};

/// All that is known of the stock of a run.
#[derive(Debug, Default)]
pub(super) struct Stock {
    cells: Cells,
    counters: Counters,
    holds: Holds,
}

impl Stock {
    /// Nobody tells what warehouses send away.
    pub(super) fn without_books(&mut self) {
        self.cells.sees_departures = false;
    }

    /// A warehouse or the ERP is about to say something.
    pub(super) fn fact(&mut self, fact: &StockFact) {
        self.cells.sent(fact);
    }

    /// So many uses there are of a promotion or coupon.
    pub(super) fn limited(&mut self, counter: String, uses: u32) {
        self.counters.limited(counter, uses);
    }

    /// A customer is about to hold something.
    pub(super) fn asked(&mut self, reservation: &str) {
        self.holds.asked(reservation);
    }

    /// Units of an order that is served from here have left a node.
    pub(super) fn departed(&mut self, sku: &str, node: &str, units: u32) {
        self.cells.departed(&format!("{sku}~{node}"), i64::from(units));
    }

    /// An event of a cell, a counter or a reservation. Gives what it says of a reservation.
    pub(super) fn event(
        &mut self,
        concerns: Concerns,
        event: &PageEvent<'_>,
        findings: &mut Findings,
    ) -> Option<Heard> {
        match concerns {
            Concerns::Cell => self.cells.event(event, findings),
            Concerns::Counter => self.counters.event(event, findings),
            Concerns::Reservation => return self.holds.event(event, findings),
            Concerns::Order => {}
        }
        None
    }

    /// Has everything that was said before the first order been heard?
    pub(super) fn is_heard(&self) -> bool {
        self.cells.unheard() == 0
    }

    /// True if everything was heard and nothing is held any more but final uses of orders that are sold.
    pub(super) fn is_settled(&self, is_sold: impl Fn(&str) -> bool) -> bool {
        self.is_heard()
            && self.cells.is_even()
            && self.held(is_sold).next().is_none()
            && self.holds.open().next().is_none()
    }

    /// Who holds units or uses: claim and what it holds.
    fn held(&self, is_sold: impl Fn(&str) -> bool) -> impl Iterator<Item = (&str, i64)> {
        let is_sold = move |claim: &str| is_sold(order_of(told::reservation_of(claim)));
        self.cells.held().chain(self.counters.held(is_sold))
    }

    /// Judges what is left when nothing more comes. `is_live`: has this order not ended? `is_sold`: may something of it have left?
    pub(super) fn closing(&self, is_live: impl Fn(&str) -> bool, is_sold: impl Fn(&str) -> bool) -> Findings {
        let mut findings = Findings::default();
        self.cells.closing(&mut findings);
        let is_live = |reservation: &str| is_live(order_of(reservation));
        for (claim, units) in self.held(is_sold).filter(|(claim, _)| !is_live(told::reservation_of(claim))) {
            findings.holds(Check::NoHoldIsLeft, false, || {
                format!("{claim} still holds {units}, and its order has ended")
            });
        }
        for reservation in self.holds.open().filter(|reservation| !is_live(reservation)) {
            findings.holds(Check::ReservationEnds, false, || format!("{reservation} has not ended"));
        }
        findings
    }
}
