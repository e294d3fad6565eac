//! The checks by name, and what a round of checks has found.

use std::fmt::Debug;

/// Something that must be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Every order that was taken ends.
    OrderEnds,
    /// It ends once, in a way that is legal for it, and nothing happens to it afterwards.
    FinalIsFinal,
    /// Captured is the value of the departed units, per tender, to the minor unit, and never more at any moment.
    CapturedIsDeparted,
    /// Authorized is what was captured and voided, per tender; committed orders are fully authorized.
    AuthorizedIsSpent,
    /// Points reserved are finalized or released; finalized is the share of the departed units.
    PointsAreSpent,
    /// Points earned are the rule applied to shipped card value.
    AccrualIsTheRule,
    /// Allocated units departed or were given back; nothing is taken away unasked.
    UnitsAreConserved,
    /// Each idempotency key is applied once.
    KeyAppliedOnce,
    /// One idempotency key has one payload.
    KeyHasOnePayload,
    /// An effect changes its key only after a negative answer.
    EffectKeyStays,
    /// Events of an order are numbered 1, 2, 3 … and each stands once in the pages; versions never go back.
    EventsAreDense,
    /// The records of a partition come in order.
    PagesInOrder,
    /// Events say what the participants' books say.
    EventsAgreeWithLedgers,
    /// Documents are complete: their sums are those of the order.
    DocumentsAreComplete,
    /// Each document goes out once, after those it depends on are posted.
    DocumentsInOrder,
    /// A receipt says what became of the order.
    ReceiptIsTrue,
    /// Units in a cell are those that were counted and came in less those that left, at every moment; held ones are those of its claims.
    StockIsConserved,
    /// Nobody gets a unit that is not there and may not be sold beyond it.
    StockIsNotOversold,
    /// Uses of promotions and coupons are never above their limit.
    UsesAreWithinLimits,
    /// Each reservation ends once, and nothing is held by it afterwards.
    ReservationEndsOnce,
    /// Each reservation ends.
    ReservationEnds,
    /// Cells tell of every fact that was said, and of every unit that left a node.
    StockIsTold,
    /// No unit and no use is held for an order that has ended.
    NoHoldIsLeft,
    /// Messages have the form of the contract.
    Form,
}

impl Check {
    /// The name, as it stands in violations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderEnds => "order-ends",
            Self::FinalIsFinal => "final-is-final",
            Self::CapturedIsDeparted => "captured-is-departed",
            Self::AuthorizedIsSpent => "authorized-is-spent",
            Self::PointsAreSpent => "points-are-spent",
            Self::AccrualIsTheRule => "accrual-is-the-rule",
            Self::UnitsAreConserved => "units-are-conserved",
            Self::KeyAppliedOnce => "key-applied-once",
            Self::KeyHasOnePayload => "key-has-one-payload",
            Self::EffectKeyStays => "effect-key-stays",
            Self::EventsAreDense => "events-are-dense",
            Self::PagesInOrder => "pages-in-order",
            Self::EventsAgreeWithLedgers => "events-agree-with-ledgers",
            Self::DocumentsAreComplete => "documents-are-complete",
            Self::DocumentsInOrder => "documents-in-order",
            Self::ReceiptIsTrue => "receipt-is-true",
            Self::StockIsConserved => "stock-is-conserved",
            Self::StockIsNotOversold => "stock-is-not-oversold",
            Self::UsesAreWithinLimits => "uses-are-within-limits",
            Self::ReservationEndsOnce => "reservation-ends-once",
            Self::ReservationEnds => "reservation-ends",
            Self::StockIsTold => "stock-is-told",
            Self::NoHoldIsLeft => "no-hold-is-left",
            Self::Form => "form",
        }
    }
}

/// What a round of checks has found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// How many checks were made.
    pub(crate) checks: u64,
    /// What did not hold.
    pub(crate) violations: Vec<(Check, String)>,
}

impl Findings {
    /// `got` must be `expected`.
    pub(crate) fn equal<T: PartialEq + Debug + ?Sized>(
        &mut self,
        check: Check,
        what: &str,
        expected: &T,
        got: &T,
    ) {
        self.holds(check, expected == got, || format!("{what}: expected {expected:?}, got {got:?}"));
    }

    /// `truth` must be true.
    pub(crate) fn holds(&mut self, check: Check, truth: bool, what: impl FnOnce() -> String) {
        self.checks += 1;
        if !truth {
            self.violations.push((check, what()));
        }
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }
}
