//! What is known about one order: little is stored, every status is derived.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::content::Content;
use super::effect::{Effect, KINDS, Kind};
use super::event::{DOCUMENT_KINDS, DocumentDue, DocumentKind, Exception, HoldType};
pub use super::goods::{EarlyDelivery, Parcel, Shipment, ShipmentRow};
use super::ledgers::is_default;
pub use super::ledgers::{AccrualLedger, LineUnits, RedemptionLedger, TenderLedger};
use super::status::Status;
use super::stock::StockLedger;
use crate::envelope::Envelope;
use crate::money::{Cells, Minor, Points, Span};
use crate::reason::Reason;
use crate::sharing::Shared;
use crate::time::Timestamp;

/// Where an order stands in its life (LIFECYCLE 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nobody has submitted it; early messages may wait for it.
    #[default]
    Unborn,
    /// Journaled, nothing reserved.
    Received,
    /// Points and money are being reserved.
    Reserving,
    /// An obligation to fulfil.
    Committed,
    /// At least one unit was released to a node.
    Fulfilling,
    /// Every unit has left or is cancelled, and nothing is open.
    Completed,
    /// The whole order is being taken back.
    Cancelling,
    /// Taken back, everything settled.
    Cancelled,
    /// Never committed.
    Rejected,
}

impl Phase {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 9] = [
        Self::Unborn,
        Self::Received,
        Self::Reserving,
        Self::Committed,
        Self::Fulfilling,
        Self::Completed,
        Self::Cancelling,
        Self::Cancelled,
        Self::Rejected,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unborn => "unborn",
            Self::Received => "received",
            Self::Reserving => "reserving",
            Self::Committed => "committed",
            Self::Fulfilling => "fulfilling",
            Self::Completed => "completed",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }

    /// Committed at some time.
    pub const fn was_committed(self) -> bool {
        matches!(
            self,
            Self::Committed | Self::Fulfilling | Self::Completed | Self::Cancelling | Self::Cancelled
        )
    }

    /// Nothing leads out of it.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Rejected)
    }
}

/// A message that came before its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// As it came.
    pub envelope: Envelope,
    /// Until when it waits.
    pub until: Timestamp,
}

/// How far a document is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DocumentState {
    /// Due; waits for those it depends on.
    Queued,
    /// On its way.
    Posting,
    /// The ERP has it under this number.
    Posted(Arc<str>),
    /// The ERP refused it with this code.
    Rejected(Arc<str>),
}

/// A document and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// What it says.
    pub due: Arc<DocumentDue>,
    /// The ordinal of its kind, from 1.
    pub ordinal: u32,
    /// How far it is.
    pub state: DocumentState,
}

/// Everything about one order. The default is an order that nobody has heard of. Persisted in snapshots: names and meaning
/// stay, and a new field needs a value that older snapshots mean by its absence.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Where it stands.
    pub phase: Phase,
    /// Messages that came before the submit, oldest first.
    #[serde(skip_serializing_if = "is_default")]
    pub parked: Vec<Parked>,
    /// What was submitted; none while unborn.
    pub content: Option<Arc<Frozen>>,
    /// Units, by line.
    #[serde(skip_serializing_if = "Shared::is_empty")]
    pub lines: Shared<Vec<LineUnits>>,
    /// Money, by tender.
    #[serde(skip_serializing_if = "Shared::is_empty")]
    pub tenders: Shared<Vec<TenderLedger>>,
    /// Points that pay.
    #[serde(skip_serializing_if = "is_default")]
    pub redemption: RedemptionLedger,
    /// Points that are earned.
    #[serde(skip_serializing_if = "is_default")]
    pub accrual: AccrualLedger,
    /// What was released to nodes.
    #[serde(skip_serializing_if = "Shared::is_empty")]
    pub shipments: Shared<Vec<Shipment>>,
    /// What left, in the order it was told.
    #[serde(skip_serializing_if = "Shared::is_empty")]
    pub departures: Shared<Vec<Parcel>>,
    /// Deliveries that came before their departures.
    #[serde(skip_serializing_if = "is_default")]
    pub early_deliveries: Vec<EarlyDelivery>,
    /// Documents, in the order they were due.
    #[serde(skip_serializing_if = "Shared::is_empty")]
    pub documents: Shared<Vec<Document>>,
    /// Open commands, oldest first.
    #[serde(skip_serializing_if = "Shared::is_empty")]
    pub effects: Shared<Vec<Effect>>,
    /// Prerequisites that were sent, told to be not applied, and no longer wanted. At most one for each tender and the points.
    #[serde(skip_serializing_if = "is_default")]
    pub given_up: Vec<Effect>,
    /// The last ordinal of each kind of effect.
    #[serde(skip_serializing_if = "is_default")]
    pub ordinals: [u32; KINDS],
    /// The last ordinal of each kind of document.
    #[serde(skip_serializing_if = "is_default")]
    pub document_ordinals: [u32; DOCUMENT_KINDS],
    /// Its reservations; none = it never asked for one.
    #[serde(skip_serializing_if = "is_default")]
    pub stock: Option<Arc<StockLedger>>,
    /// Why it stands still.
    #[serde(skip_serializing_if = "is_default")]
    pub holds: Vec<HoldType>,
    /// What a person must look at.
    #[serde(skip_serializing_if = "is_default")]
    pub exceptions: Vec<Exception>,
    /// The whole order shall not leave.
    #[serde(skip_serializing_if = "is_default")]
    pub cancel_reason: Option<Arc<str>>,
    /// How the submit was settled, and at which version.
    #[serde(skip_serializing_if = "is_default")]
    pub outcome: Option<(u64, Option<Reason>)>,
    /// Units were cancelled because no node has them.
    #[serde(skip_serializing_if = "is_default")]
    pub stock_refused: bool,
    /// The demand of an order without reservations was told; of one with them, its [`StockLedger`] says so.
    #[serde(skip_serializing_if = "is_default")]
    pub demand_told: bool,
    /// Why it was cancelled.
    #[serde(skip_serializing_if = "is_default")]
    pub cancelled_reason: Option<Reason>,
    /// The statuses as they were last told.
    #[serde(skip_serializing_if = "is_default")]
    pub status: Status,
}

/// The submit and its cells, split once. Written as the submit alone: the same submit always splits the same way.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Content", into = "Content")]
pub struct Frozen {
    /// As submitted.
    pub content: Content,
    /// Split once (M4).
    pub cells: Cells,
}

impl From<Content> for Frozen {
    fn from(content: Content) -> Self {
        Self { cells: content.cells(), content }
    }
}

impl From<Frozen> for Content {
    fn from(frozen: Frozen) -> Self {
        frozen.content
    }
}

impl State {
    /// What was submitted.
    ///
    /// # Panics
    /// If the order is unborn: callers judge the phase first.
    pub fn content(&self) -> &Content {
        &self.frozen().content
    }

    /// The cells of what was submitted.
    ///
    /// # Panics
    /// If the order is unborn: callers judge the phase first.
    pub fn cells(&self) -> &Cells {
        &self.frozen().cells
    }

    fn frozen(&self) -> &Frozen {
        self.content.as_ref().expect("an order that was submitted has its content")
    }

    /// The last ordinal of effects of this kind; 0 = there was none.
    pub fn last_ordinal(&self, kind: &Kind) -> u32 {
        match kind.index().checked_sub(KINDS) {
            None => self.ordinals[kind.index()],
            Some(letter) => self.stock.as_ref().map_or(0, |stock| stock.ordinals[letter]),
        }
    }

    /// Counts one more effect of this kind; gives its ordinal.
    pub(super) fn next_ordinal(&mut self, kind: &Kind) -> u32 {
        let ordinal = match kind.index().checked_sub(KINDS) {
            None => &mut self.ordinals[kind.index()],
            Some(letter) => &mut self.stock_mut().ordinals[letter],
        };
        *ordinal += 1;
        *ordinal
    }

    /// Its reservations, to be changed.
    pub(super) fn stock_mut(&mut self) -> &mut StockLedger {
        Arc::make_mut(self.stock.get_or_insert_default())
    }

    /// Has any unit left?
    pub fn any_departed(&self) -> bool {
        self.lines.iter().any(|line| line.departed() > 0)
    }

    /// Is every unit cancelled?
    pub fn all_cancelled(&self) -> bool {
        !self.lines.is_empty() && self.lines.iter().all(|line| line.live() == 0)
    }

    /// The spans of units that have left or still may, fees included unless nothing will ever leave.
    pub fn live_spans(&self) -> impl Iterator<Item = Span> + Clone + '_ {
        let lines =
            self.lines.iter().enumerate().map(|(index, line)| Content::line_span(index, 0, line.live()));
        let fees = (!self.all_cancelled()).then(|| self.content().fee_spans());
        lines.chain(fees.into_iter().flatten())
    }

    /// The spans of units that have left.
    pub fn departed_spans(&self) -> impl Iterator<Item = Span> + '_ {
        self.lines.iter().enumerate().map(|(index, line)| Content::line_span(index, 0, line.departed()))
    }

    /// What was paid with tenders, before tax, for merchandise that left (M10).
    pub fn accrual_basis(&self) -> Minor {
        self.departed_spans().map(|span| self.cells().eligible_net(span)).sum()
    }

    /// How many points must have been posted by now.
    pub fn accrual_target(&self) -> Points {
        let content = self.content();
        if content.member_id.is_none() || !self.phase.was_committed() {
            return 0;
        }
        let earned = i128::from(self.accrual_basis()) * i128::from(content.accrual.points);
        i64::try_from(earned / i128::from(content.accrual.per_minor.max(1))).unwrap_or(i64::MAX)
    }

    /// The open effect with this id.
    pub fn effect(&self, id: &str) -> Option<&Effect> {
        self.effects.iter().find(|effect| *effect.id == *id)
    }

    /// The open effect with this id, or one that was given up: another copy of its command may still be applied.
    pub fn effect_ever_sent(&self, id: &str) -> Option<&Effect> {
        self.effect(id).or_else(|| self.given_up.iter().find(|effect| *effect.id == *id))
    }

    /// Open effects of which `wanted` holds.
    pub fn effects_where(&self, wanted: impl Fn(&Kind) -> bool) -> impl Iterator<Item = &Effect> {
        self.effects.iter().filter(move |effect| wanted(&effect.kind))
    }

    /// Units of a line that a node was asked to give back from a shipment.
    pub fn cancel_asked(&self, shipment: u16, line: u16) -> u32 {
        self.effects
            .iter()
            .filter_map(|effect| match &effect.kind {
                Kind::CancelShipment { shipment: asked, lines } if *asked == shipment => Some(lines),
                _ => None,
            })
            .flatten()
            .filter(|units| units.line == line)
            .map(|units| units.quantity)
            .sum()
    }

    /// `{order}-s{n}` for the shipment with this index.
    pub fn shipment_id(&self, shipment: u16) -> String {
        format!("{}-s{}", self.content().order_id, shipment + 1)
    }

    /// The index of the shipment with this id, if it is one of ours.
    pub fn shipment_index(&self, shipment_id: &str) -> Option<u16> {
        let ordinal: u16 =
            shipment_id.strip_prefix(self.content().order_id.as_str())?.strip_prefix("-s")?.parse().ok()?;
        let index = ordinal.checked_sub(1)?;
        (usize::from(index) < self.shipments.len()).then_some(index)
    }

    /// `{tenant}:{order}:{document}:{n}`.
    pub fn document_key(&self, document: u16) -> String {
        let Document { due, ordinal, .. } = &self.documents[usize::from(document)];
        let content = self.content();
        let (tenant, order_id) = (content.tenant.as_str(), content.order_id.as_str());
        [tenant, ":", order_id, ":", due.kind.as_str(), ":", &ordinal.to_string()].concat()
    }

    /// The index of the document with this key.
    pub fn document_index(&self, key: &str) -> Option<u16> {
        let content = self.content();
        let rest = key.strip_prefix(content.tenant.as_str())?.strip_prefix(':')?;
        let rest = rest.strip_prefix(content.order_id.as_str())?.strip_prefix(':')?;
        let (kind, digits) = rest.split_once(':')?;
        let ordinal: u32 = digits.parse().ok().filter(|_| !digits.starts_with(['0', '+']))?;
        let is_it = |document: &Document| document.due.kind.as_str() == kind && document.ordinal == ordinal;
        self.documents.iter().position(is_it).and_then(|index| u16::try_from(index).ok())
    }

    /// Has the document with this index been posted?
    pub fn is_posted(&self, document: u16) -> bool {
        matches!(self.documents[usize::from(document)].state, DocumentState::Posted(_))
    }

    /// The first document of a kind.
    pub fn first_document(&self, kind: DocumentKind) -> Option<u16> {
        self.documents
            .iter()
            .position(|document| document.due.kind == kind)
            .and_then(|index| u16::try_from(index).ok())
    }
}
