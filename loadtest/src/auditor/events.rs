//! The events of one order as the pages tell them.

use super::check::{Check, Findings};
use super::sums::Sums;
use crate::contract::PageEvent;

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// `order.completed`
    Completed,
    /// `order.cancelled`
    Cancelled,
    /// `order.rejected`
    Rejected,
}

impl End {
    fn of(kind: &str) -> Option<Self> {
        match kind {
            "order.completed" => Some(Self::Completed),
            "order.cancelled" => Some(Self::Cancelled),
            "order.rejected" => Some(Self::Rejected),
            _ => None,
        }
    }
}

/// What the events of one order have told so far.
#[derive(Debug, Default)]
pub(crate) struct Events {
    last_sequence: u64,
    last_version: u64,
    pub(crate) told: Sums,
    pub(crate) received: u32,
    pub(crate) committed: u32,
    pub(crate) accepted: u32,
    pub(crate) end: Option<End>,
}

impl Events {
    /// Takes an event. Gives true if the order has just ended. `is_own`: it is served from stock that Doorbuster keeps.
    pub(crate) fn see(&mut self, event: &PageEvent<'_>, is_own: bool, findings: &mut Findings) -> bool {
        findings.holds(Check::EventsAreDense, event.sequence == self.last_sequence + 1, || {
            format!(
                "{} {} has sequence {}, expected {}",
                event.kind,
                event.id,
                event.sequence,
                self.last_sequence + 1
            )
        });
        if event.sequence <= self.last_sequence {
            return false; // told before: counting it again would only repeat the finding
        }
        findings.holds(Check::EventsAreDense, event.order_version >= self.last_version, || {
            format!(
                "order_version goes back from {} to {} at {}",
                self.last_version, event.order_version, event.kind
            )
        });
        self.last_sequence = event.sequence;
        self.last_version = self.last_version.max(event.order_version);
        // What stock of our own gives stands in no participant's books: the cells are judged for it.
        let readable = (is_own && event.kind == "stock.allocated") || self.told.add_event(event);
        findings.holds(Check::Form, readable, || {
            format!("data of {} cannot be read: {}", event.kind, event.data)
        });
        match event.kind.as_ref() {
            "order.received" => self.received += 1,
            "order.committed" => self.committed += 1,
            "order.accepted" => self.accepted += 1,
            _ => {}
        }
        let Some(end) = End::of(&event.kind) else { return false };
        findings.holds(Check::FinalIsFinal, self.end.is_none(), || format!("{end:?} after {:?}", self.end));
        let has_just_ended = self.end.is_none();
        self.end.get_or_insert(end);
        has_just_ended
    }
}
