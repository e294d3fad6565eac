//! One order under audit: everything that was seen of it, summed up.

use std::collections::BTreeMap;

use super::check::{Check, Findings};
use super::documents::Documents;
use super::events::Events;
use super::keys::Keys;
use super::money::{Money, Units};
use super::sums::{Sums, add_units};
use crate::contract::{Command, PageEvent, Submit};
use crate::ledger::{Change, Entry};
use crate::workload::Ends;

/// How far the judgement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The order has not ended.
    Open,
    /// It has ended, but something does not hold (yet: a rejected order is still being compensated).
    Unsettled,
    /// It has ended and was found clean; it is watched a while longer.
    Quiet,
}

/// Everything that was seen of one order.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) stage: Stage,
    pub(crate) legal: Ends,
    pub(crate) money: Money,
    pub(crate) ordered: Units,
    pub(crate) to_book: Vec<(Option<u32>, String, u32, i64, i64)>,
    /// The customer has asked to take something away.
    pub(crate) asked: bool,
    /// A participant has refused something.
    pub(crate) refused: bool,
    /// What the receipt of the submit said.
    pub(crate) accepted: Option<bool>,
    /// What the participants' books say.
    pub(crate) ledger: Sums,
    pub(crate) allocated: Units,
    pub(crate) out_of_stock: Units,
    pub(crate) given_back: Units,
    /// Served from stock that Doorbuster keeps: what its lines are. None = the allocation participant has given the units.
    pub(crate) own: Option<BTreeMap<u32, String>>,
    pub(crate) documents: Documents,
    pub(crate) events: Events,
    keys: Keys,
}

impl Case {
    pub(crate) fn new(submit: &Submit, legal: Ends) -> Self {
        Self {
            stage: Stage::Open,
            legal,
            money: Money::of(submit),
            ordered: submit.lines.iter().map(|line| (line.line, line.quantity)).collect(),
            to_book: super::documents::rows_to_book(submit),
            asked: false,
            refused: false,
            accepted: None,
            ledger: Sums::default(),
            allocated: Units::new(),
            out_of_stock: Units::new(),
            given_back: Units::new(),
            own: submit
                .is_own()
                .then(|| submit.lines.iter().map(|line| (line.line, line.sku.clone())).collect()),
            documents: Documents::default(),
            events: Events::default(),
            keys: Keys::default(),
        }
    }

    /// Nobody has told or done anything about it.
    pub(crate) fn is_untouched(&self) -> bool {
        self.accepted.is_none()
            && self.events.received == 0
            && self.ledger == Sums::default()
            && self.keys.are_none()
    }

    /// A participant has read a command.
    pub(crate) fn command(&mut self, command: &Command<'_>, findings: &mut Findings) {
        findings.holds(Check::Form, command.body.order_id == command.key, || {
            format!(
                "{}.{} is for {} but names {}",
                command.domain, command.name, command.key, command.body.order_id
            )
        });
        if !self.keys.see(command, findings) {
            return;
        }
        match (command.domain, command.name) {
            ("erp", "post") => {
                self.ledger.count("erp.queued");
                self.documents.post(&command.body, findings);
            }
            ("fulfillment", "release") => self.ledger.count("shipment.requested"),
            ("payment", "capture") => self.documents.capture(&command.body),
            _ => {}
        }
    }

    /// A participant has written something into its books.
    pub(crate) fn applied(&mut self, entry: &Entry<'_>, findings: &mut Findings) {
        self.keys.applied(entry.key, findings);
        if entry.change.is_refusal() {
            self.refused = true;
            self.keys.refused(entry.effect_id);
        }
        self.ledger.add_change(entry.change);
        match entry.change {
            Change::Allocated { units, refused } => {
                add_units(&mut self.allocated, units);
                add_units(&mut self.out_of_stock, refused);
                self.refused |= !refused.is_empty();
            }
            Change::AllocationRefused(lines) => add_units(&mut self.out_of_stock, lines),
            Change::AllocationReleased(lines) => add_units(&mut self.given_back, lines),
            Change::Captured { .. } => {
                let (captured, value) =
                    (self.ledger.captured.values().sum::<i64>(), self.money.cash(&self.ledger.departed));
                findings.holds(Check::CapturedIsDeparted, captured <= value, || {
                    format!("captured {captured} while {value} have departed")
                });
            }
            Change::PointsFinalized(_) => {
                let (points, share) =
                    (self.ledger.points_finalized, self.money.finalized(&self.ledger.departed));
                findings.holds(Check::PointsAreSpent, points <= share, || {
                    format!("{points} points finalized while the share of departed units is {share}")
                });
            }
            Change::Posted(key) => self.documents.posted(key),
            _ => {}
        }
    }

    /// A page has told an event. True if the order has just ended.
    pub(crate) fn event(&mut self, event: &PageEvent<'_>, findings: &mut Findings) -> bool {
        self.events.see(event, self.own.is_some(), findings)
    }

    /// What a parcel takes out of stock that Doorbuster keeps: item and units of each line.
    pub(crate) fn taken_by<'a>(&'a self, change: &'a Change) -> Option<(&'a str, Vec<(&'a str, u32)>)> {
        let (Some(own), Change::Departed { node, lines }) = (&self.own, change) else { return None };
        let taken = lines.iter().filter_map(|row| Some((own.get(&row.line)?.as_str(), row.quantity)));
        Some((node, taken.collect()))
    }
}
