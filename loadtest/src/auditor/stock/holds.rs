//! Reservations: each that was asked for or told of ends once.

use std::collections::{HashMap, VecDeque};

use super::told::is_next;
use crate::auditor::check::{Check, Findings};
use crate::contract::PageEvent;

/// Reservations that have ended and are still watched.
const QUIET: usize = 10_000;

/// All reservations of a run that have not ended, and the last that have.
#[derive(Debug, Default)]
pub(super) struct Holds {
    all: HashMap<Box<str>, Hold>,
    quiet: VecDeque<Box<str>>,
}

#[derive(Debug, Default)]
struct Hold {
    sequence: u64,
    end: Option<Box<str>>,
}

/// What was heard of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::auditor) enum Heard {
    /// Everything is held.
    Held,
    /// It cannot be held, or not all of what was sold with it.
    Refused,
    /// Something else.
    Other,
}

impl Holds {
    /// A customer is about to ask for it, so it has to end.
    pub(super) fn asked(&mut self, reservation: &str) {
        self.all.entry(reservation.into()).or_default();
    }

    /// Those that have not ended.
    pub(super) fn open(&self) -> impl Iterator<Item = &str> {
        self.all.iter().filter(|(_, hold)| hold.end.is_none()).map(|(reservation, _)| &**reservation)
    }

    /// Judges an event of a reservation.
    pub(super) fn event(&mut self, event: &PageEvent<'_>, findings: &mut Findings) -> Option<Heard> {
        let reservation = event.key.as_ref();
        // One that was forgotten goes on where nobody knows it, and is found by its number.
        let hold = self.all.entry(reservation.into()).or_default();
        if !is_next(&mut hold.sequence, event, findings) {
            return None;
        }
        let (heard, is_end) = match event.kind.as_ref() {
            "reservation.held" => (Heard::Held, false),
            "reservation.given_up" => (Heard::Refused, false),
            "reservation.refused" => (Heard::Refused, true),
            "reservation.released" | "reservation.expired" | "reservation.consumed" => (Heard::Other, true),
            _ => (Heard::Other, false),
        };
        let is_live = hold.end.is_none();
        findings.holds(Check::ReservationEndsOnce, is_live || !(is_end || heard == Heard::Held), || {
            format!("{} after {:?}", event.kind, hold.end)
        });
        if is_end && is_live {
            hold.end = Some(event.kind.as_ref().into());
            self.quiet.push_back(reservation.into());
            if self.quiet.len() > QUIET
                && let Some(oldest) = self.quiet.pop_front()
            {
                self.all.remove(&oldest);
            }
        }
        Some(heard)
    }
}
