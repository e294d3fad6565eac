//! The statuses that people read, derived from the state by one pure function; nothing else writes one.

use serde::{Deserialize, Serialize};

use super::state::{DocumentState, LineUnits, Phase, State, TenderLedger};
use crate::decider::Participant;

macro_rules! status {
    ($(#[$doc:meta])* $name:ident { $($word:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[expect(missing_docs, reason = "the words are those of LIFECYCLE 3.17")]
        pub enum $name { #[default] $($word),+ }

        impl $name {
            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text,)+ }
            }
        }
    };
}

status!(/** Of the money. */ Payment { None = "none", NotRequired = "not_required", Authorized = "authorized", PartiallyCaptured = "partially_captured", Captured = "captured", Overcaptured = "overcaptured", Voided = "voided", Failed = "failed" });
status!(/** Of the goods. */ Fulfillment { None = "none", InProgress = "in_progress", Partial = "partial", Shipped = "shipped", Delivered = "delivered", Cancelled = "cancelled" });
status!(/** Of the points. */ Loyalty { None = "none", Pending = "pending", Reserved = "reserved", PartlyFinalized = "partly_finalized", Finalized = "finalized", Released = "released", Failed = "failed" });
status!(/** Of the documents. */ Erp { NotDue = "not_due", Queued = "queued", PartlyPosted = "partly_posted", Posted = "posted", Exception = "exception" });
status!(/** Of returns. */ Return { None = "none" });
status!(/** Of the stock. */ Stock { None = "none", Soft = "soft", Backordered = "backordered", PartlyAllocated = "partly_allocated", Allocated = "allocated", Consumed = "consumed" });
status!(
    /** What a customer reads. */
    Display { Processing = "processing", Confirmed = "confirmed", Preparing = "preparing", PartlyShipped = "partly_shipped", Shipped = "shipped", Delivered = "delivered", OnHold = "on_hold", Cancelling = "cancelling", Cancelled = "cancelled", Rejected = "rejected" }
);

/// All statuses of an order. Its version is that of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as in the contract; each type says what it is of")]
pub struct Status {
    pub payment: Payment,
    pub fulfillment: Fulfillment,
    pub loyalty: Loyalty,
    pub erp: Erp,
    #[serde(rename = "return")]
    pub returns: Return,
    pub stock: Stock,
    pub display: Display,
}

/// Derives all statuses.
pub fn derive(state: &State) -> Status {
    if state.content.is_none() {
        return Status::default();
    }
    let fulfillment = fulfillment(state);
    Status {
        payment: payment(state),
        fulfillment,
        loyalty: loyalty(state),
        erp: erp(state),
        returns: Return::None,
        stock: stock(state),
        display: display(state, fulfillment),
    }
}

fn payment(state: &State) -> Payment {
    let sum = |part: fn(&TenderLedger) -> i64| state.tenders.iter().map(part).sum::<i64>();
    let (authorized, captured, released) = (sum(|t| t.authorized), sum(|t| t.captured), sum(|t| t.released));
    let spans = state.live_spans();
    let due: i64 = (0..state.tenders.len())
        .flat_map(|tender| spans.clone().map(move |span| state.cells().tender_value(tender, span)))
        .sum();
    if captured == 0 && state.content().cash_due() == 0 {
        Payment::NotRequired
    } else if captured > due {
        Payment::Overcaptured
    } else if captured > 0 && captured >= due {
        Payment::Captured
    } else if captured > 0 {
        Payment::PartiallyCaptured
    } else if authorized > released {
        Payment::Authorized
    } else if authorized > 0 {
        Payment::Voided
    } else if state.tenders.iter().any(|tender| tender.declined) {
        Payment::Failed
    } else {
        Payment::None
    }
}

fn fulfillment(state: &State) -> Fulfillment {
    let sum = |part: fn(&LineUnits) -> u32| state.lines.iter().map(|line| u64::from(part(line))).sum::<u64>();
    let (departed, live) = (sum(LineUnits::departed), sum(LineUnits::live));
    let (delivered, released) = (sum(|line| line.delivered), sum(|line| line.released));
    if live == 0 && !state.lines.is_empty() {
        Fulfillment::Cancelled
    } else if departed == 0 && released == 0 {
        Fulfillment::None
    } else if departed == 0 {
        Fulfillment::InProgress
    } else if departed < live {
        Fulfillment::Partial
    } else if delivered == live {
        Fulfillment::Delivered
    } else {
        Fulfillment::Shipped
    }
}

fn loyalty(state: &State) -> Loyalty {
    let ledger = &state.redemption;
    if state.effects.iter().any(|effect| effect.kind.is_for(Participant::Loyalty)) {
        Loyalty::Pending
    } else if ledger.refused || ledger.finalizing + ledger.releasing + state.accrual.posting.abs() > 0 {
        Loyalty::Failed
    } else if ledger.reserved == 0 {
        Loyalty::None
    } else if ledger.finalized + ledger.released < ledger.reserved {
        if ledger.finalized > 0 { Loyalty::PartlyFinalized } else { Loyalty::Reserved }
    } else if ledger.finalized > 0 {
        Loyalty::Finalized
    } else {
        Loyalty::Released
    }
}

fn erp(state: &State) -> Erp {
    let of = |wanted: fn(&DocumentState) -> bool| {
        state.documents.iter().filter(|document| wanted(&document.state)).count()
    };
    let posted = of(|document| matches!(document, DocumentState::Posted(_)));
    if of(|document| matches!(document, DocumentState::Rejected(_))) > 0 {
        Erp::Exception
    } else if state.documents.is_empty() {
        Erp::NotDue
    } else if posted == state.documents.len() {
        Erp::Posted
    } else if posted > 0 {
        Erp::PartlyPosted
    } else {
        Erp::Queued
    }
}

fn stock(state: &State) -> Stock {
    let (mut pending, mut released, mut departed, mut backordered) = (0_u64, 0_u64, 0_u64, 0_u64);
    for line in &state.lines {
        backordered += u64::from(line.backordered);
        pending += u64::from(line.pending);
        released += u64::from(line.released);
        departed += u64::from(line.departed());
    }
    match (pending, released, departed) {
        _ if backordered > 0 => Stock::Backordered,
        (0, 0, 1..) => Stock::Consumed,
        (0, 1.., _) => Stock::Allocated,
        (_, 0, 0) if holds_goods(state) => Stock::Soft,
        (_, 0, 0) => Stock::None,
        _ => Stock::PartlyAllocated,
    }
}

/// Until it is known where they are, units that are held are held softly.
fn holds_goods(state: &State) -> bool {
    let goods = state.stock.as_ref().and_then(|stock| stock.goods());
    goods.is_some_and(|(_, reservation)| !reservation.rows.is_empty())
}

fn display(state: &State, fulfillment: Fulfillment) -> Display {
    match state.phase {
        Phase::Rejected => return Display::Rejected,
        Phase::Cancelled => return Display::Cancelled,
        Phase::Cancelling => return Display::Cancelling,
        _ if !state.holds.is_empty() => return Display::OnHold,
        Phase::Unborn | Phase::Received | Phase::Reserving => return Display::Processing,
        Phase::Committed | Phase::Fulfilling | Phase::Completed => {}
    }
    match fulfillment {
        Fulfillment::Delivered => Display::Delivered,
        Fulfillment::Shipped => Display::Shipped,
        Fulfillment::Partial => Display::PartlyShipped,
        Fulfillment::InProgress => Display::Preparing,
        Fulfillment::None | Fulfillment::Cancelled => Display::Confirmed,
    }
}
