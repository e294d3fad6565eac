//! The events of cells, counters and reservations, as far as they are looked at.

use std::borrow::Cow;

use serde::Deserialize;

use crate::auditor::check::{Check, Findings};
use crate::contract::PageEvent;

/// Whom an event is about. Entities of several kinds may have the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::auditor) enum Concerns {
    Order,
    Cell,
    Counter,
    Reservation,
}

impl Concerns {
    /// By the type of the event: an order tells itself what it was given. Exceptions say whose they are.
    pub(in crate::auditor) fn of(event: &PageEvent<'_>) -> Self {
        match event.kind.split_once('.') {
            Some(("exception", _)) if event.data.get().contains(r#""reservation_id""#) => Self::Reservation,
            Some(("stock", "allocated" | "released")) => Self::Order,
            Some(("stock", _)) => Self::Cell,
            Some(("counter", _)) => Self::Counter,
            Some(("reservation", _)) => Self::Reservation,
            _ => Self::Order,
        }
    }
}

/// The order that a reservation is for: its name begins with it.
pub(in crate::auditor) fn order_of(reservation: &str) -> &str {
    reservation.split_once('~').map_or(reservation, |(order, _)| order)
}

/// The reservation that a claim belongs to.
pub(super) fn reservation_of(claim: &str) -> &str {
    claim.split_once(':').map_or(claim, |(reservation, _)| reservation)
}

/// The numbers of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub(super) struct Level {
    pub(super) on_hand: i64,
    pub(super) soft: i64,
    pub(super) hard: i64,
    pub(super) backordered: i64,
    pub(super) available: i64,
}

/// What cells and counters tell; what an event has not is empty or zero.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told<'a> {
    #[serde(borrow)]
    pub(super) r#move: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) claim_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) movement_id: Cow<'a, str>,
    pub(super) quantity: i64,
    pub(super) hard: bool,
    pub(super) level: Level,
    pub(super) uses: i64,
    pub(super) uses_taken: i64,
}

impl<'a> Told<'a> {
    /// The data of an event; none = it is not of the form of the contract.
    pub(super) fn read(event: &PageEvent<'a>, findings: &mut Findings) -> Option<Self> {
        let told = serde_json::from_str(event.data.get()).ok();
        findings.holds(Check::Form, told.is_some(), || {
            format!("data of {} cannot be read: {}", event.kind, event.data)
        });
        told
    }
}

/// Events of one entity are numbered 1, 2, 3 … False if this one was told before.
pub(super) fn is_next(last: &mut u64, event: &PageEvent<'_>, findings: &mut Findings) -> bool {
    let expected = *last + 1;
    findings.holds(Check::EventsAreDense, event.sequence == expected, || {
        format!("{} {} has sequence {}, expected {expected}", event.kind, event.id, event.sequence)
    });
    let is_new = event.sequence >= expected;
    *last = event.sequence.max(*last);
    is_new
}
