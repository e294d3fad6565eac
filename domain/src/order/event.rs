//! What can happen to an order, as it is recorded. Persisted: names and meaning stay, see the golden files.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::content::Content;
use super::effect::{Giveback, Kind, Units, UnitsAt};
pub use super::exception::{Exception, ExceptionKind, HoldType};
use super::status::Status;
use super::stock::Backordered;
use crate::envelope::Envelope;
use crate::money::{Minor, Points, Span};
use crate::reason::Reason;
use crate::time::Timestamp;

/// An allocation row as answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocatedUnits {
    /// The reference that the allocation gave.
    pub allocation_ref: Arc<str>,
    /// Index of the line.
    pub line: u16,
    /// How many units.
    pub quantity: u32,
    /// Where they are.
    pub node: Arc<str>,
}

/// Units that left, by where they stood before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepartedUnits {
    /// Index of the line.
    pub line: u16,
    /// Of the units released to the shipment that the fact names.
    pub released: u32,
    /// Of units that were not allocated yet: the coming allocation counts as used.
    pub pending: u32,
}

/// One departure, as the node told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// The shipment that the fact names.
    pub shipment_id: Arc<str>,
    /// Index of that shipment, if it is one of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipment: Option<u16>,
    /// What tells this departure from others of the shipment: the parcel id, else the `ce-id`.
    pub mark: Arc<str>,
    /// The parcel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parcel_id: Option<Arc<str>>,
    /// Where it left from.
    pub node: Arc<str>,
    /// Who carries it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<Arc<str>>,
    /// How it can be followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking: Option<Arc<str>>,
    /// What left.
    pub units: Vec<DepartedUnits>,
}

/// Units that will not leave, by where they stood before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelledFrom {
    /// They waited for an allocation.
    Pending,
    /// They were with the node of this shipment, and it gave them back.
    Shipment(u16),
}

/// Why units will not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelCause {
    /// Somebody asked for it.
    Customer,
    /// No node has them.
    OutOfStock,
}

/// By how much the demand for a line changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemandChange {
    /// Index of the line.
    pub line: u16,
    /// Units: sold, or negative if they were cancelled.
    pub units: i64,
}

/// Units of one departure that were delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveredParcel {
    /// Index of the departure.
    pub departure: u16,
    /// What was delivered of it.
    pub units: Vec<Units>,
}

/// Why a document exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// The order as committed.
    Book,
    /// Units taken away, others stay.
    Amend,
    /// The last units taken away, none ever left.
    Cancel,
    /// Units that left.
    Ship,
    /// What is charged for them.
    Invoice,
    /// What was captured.
    Receipt,
}

/// How many kinds of document there are.
pub const DOCUMENT_KINDS: usize = 6;

impl DocumentKind {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Book => "book",
            Self::Amend => "amend",
            Self::Cancel => "cancel",
            Self::Ship => "ship",
            Self::Invoice => "invoice",
            Self::Receipt => "receipt",
        }
    }
}

/// A document that is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentDue {
    /// Its kind.
    pub kind: DocumentKind,
    /// The units and fees that it names.
    pub spans: Vec<Span>,
    /// Indexes of the documents that must be posted before it.
    pub depends_on: Vec<u16>,
    /// What tenders paid: (index of the tender, amount, settlement reference).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenders: Vec<(u16, Minor, Option<Arc<str>>)>,
    /// What points paid, in minor units.
    #[serde(default)]
    pub points_value_minor: Minor,
    /// The shipment that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipment_id: Option<Arc<str>>,
}

/// What happened. `effect` names the effect that was answered, by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the fields repeat the words of the contract; each variant says what they mean together"
)]
pub enum Event {
    /// A message came before its order; it waits.
    Parked {
        envelope: Box<Envelope>,
        until: Timestamp,
    },
    /// Nobody came for the oldest parked messages, so many: they are dead letters.
    ParkedExpired {
        messages: u16,
    },
    /// The order came to be.
    Submitted(Box<Content>),
    /// It may never commit.
    Rejected {
        reason: Reason,
        version: u64,
    },
    /// A command was decided; `deadline` none = it waits for its participant.
    EffectIntended {
        kind: Kind,
        at: Timestamp,
        deadline: Option<Timestamp>,
    },
    /// A command goes out: for the first time, or again.
    EffectSent {
        effect: Arc<str>,
        at: Timestamp,
        deadline: Timestamp,
    },
    /// The participant said "not applied, try again".
    EffectRetrying {
        effect: Arc<str>,
        deadline: Timestamp,
    },
    /// It was not applied, and its participant's gate is closed: it waits again.
    EffectWaits {
        effect: Arc<str>,
    },
    /// It was never applied and is no longer wanted.
    EffectSuperseded {
        effect: Arc<str>,
    },
    /// Re-sending has stopped: the participant may have forgotten the key.
    EffectExhausted {
        effect: Arc<str>,
    },
    /// A definitive refusal that has no rule of its own.
    EffectRefused {
        effect: Arc<str>,
        code: Arc<str>,
    },
    PointsReserved {
        effect: Arc<str>,
        points: Points,
        reservation_ref: Arc<str>,
    },
    PointsRefused {
        effect: Arc<str>,
    },
    PointsFinalized {
        effect: Arc<str>,
        points: Points,
    },
    PointsReleased {
        effect: Arc<str>,
        points: Points,
    },
    Accrued {
        effect: Arc<str>,
        points_delta: Points,
        target_points: Points,
    },
    /// The loyalty platform is not there: earned points are posted once it is.
    AccrualDeferred {
        points_delta: Points,
        target_points: Points,
    },
    Authorized {
        effect: Arc<str>,
        tender: u16,
        amount_minor: Minor,
        authorization_ref: Arc<str>,
    },
    Declined {
        effect: Arc<str>,
        tender: u16,
        amount_minor: Minor,
    },
    Captured {
        effect: Arc<str>,
        tender: u16,
        amount_minor: Minor,
        settlement_ref: Arc<str>,
    },
    CaptureDeclined {
        effect: Arc<str>,
        tender: u16,
        amount_minor: Minor,
        code: Arc<str>,
    },
    Voided {
        effect: Arc<str>,
        tender: u16,
        amount_minor: Minor,
    },
    /// All prerequisites hold: the order is an obligation.
    Committed {
        version: u64,
    },
    /// Units that shall not leave, asked for before the commit; applied with it.
    CancelNoted {
        lines: Vec<Units>,
    },
    /// The whole order shall not leave.
    CancelWished {
        reason: Arc<str>,
    },
    Allocated {
        effect: Arc<str>,
        allocations: Vec<AllocatedUnits>,
    },
    AllocationRefused {
        effect: Arc<str>,
        lines: Vec<Units>,
        code: Arc<str>,
    },
    /// Allocated units are ours no more.
    AllocationReleased {
        effect: Arc<str>,
        releases: Vec<Giveback>,
    },
    /// Units go to a node under a new shipment.
    ShipmentPlanned {
        node: Arc<str>,
        units: Vec<AllocatedUnits>,
    },
    ShipmentAccepted {
        effect: Arc<str>,
        shipment: u16,
    },
    ShipmentCancelled {
        effect: Arc<str>,
        shipment: u16,
        lines: Vec<Units>,
    },
    ShipmentCancelRejected {
        effect: Arc<str>,
        shipment: u16,
    },
    Departed(Arc<Departure>),
    Delivered {
        shipment_id: Arc<str>,
        parcel_id: Option<Arc<str>>,
        parcels: Vec<DeliveredParcel>,
    },
    /// A delivery came before its departure; it is applied with it. No lines = all of it.
    DeliveryNoted {
        shipment_id: Arc<str>,
        parcel_id: Option<Arc<str>>,
        lines: Vec<Units>,
    },
    /// Units will not leave.
    UnitsCancelled {
        from: CancelledFrom,
        cause: CancelCause,
        lines: Vec<Units>,
    },
    /// The reservation holds what was asked of it; backordered units wait for stock.
    StockHeld {
        effect: Arc<str>,
        reservation: u16,
        lines: Vec<UnitsAt>,
        backordered: Vec<Backordered>,
    },
    /// What it holds is sold, and stands at these nodes.
    StockCommitted {
        effect: Arc<str>,
        reservation: u16,
        lines: Vec<UnitsAt>,
        backordered: Vec<Backordered>,
    },
    /// It holds nothing; so much of these lines could have been had.
    StockRefused {
        effect: Arc<str>,
        reservation: u16,
        lines: Vec<Units>,
        code: Arc<str>,
    },
    /// Units that had waited have a node.
    StockFound {
        reservation: u16,
        allocation_id: Arc<str>,
        lines: Vec<UnitsAt>,
    },
    /// Units that had waited will get no stock.
    StockGivenUp {
        reservation: u16,
        allocation_id: Arc<str>,
        lines: Vec<Units>,
    },
    /// What left is off the stock.
    StockConsumed {
        effect: Arc<str>,
    },
    /// What was not needed went back.
    StockReleased {
        effect: Arc<str>,
        reservation: u16,
        lines: Vec<UnitsAt>,
    },
    /// Whoever plans is told what was sold, or cancelled again.
    DemandSignalled {
        lines: Vec<DemandChange>,
    },
    DocumentDue(Arc<DocumentDue>),
    DocumentPosted {
        effect: Arc<str>,
        document: u16,
        document_no: Arc<str>,
    },
    DocumentRejected {
        effect: Arc<str>,
        document: u16,
        code: Arc<str>,
    },
    Fulfilling,
    Cancelling,
    Cancelled {
        reason: Reason,
    },
    Completed,
    HoldPlaced {
        hold: HoldType,
    },
    HoldResolved {
        hold: HoldType,
    },
    ExceptionOpened(Box<Exception>),
    /// A derived status changed; all of them as they are now.
    StatusChanged(Status),
}
