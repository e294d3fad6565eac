//! What a cell is told: facts from outside, and letters of reservations.

use super::Stock;
use crate::claims::letters::Question;
use crate::decider::{Addressed, Decider};
use crate::envelope::{Envelope, Plane};
use crate::ids::{EntityId, Key};
use crate::kinds::Kind;
use crate::letter::recipient;
use crate::messages::body::{Format, read_with};
use crate::messages::decode::check_type;
use crate::messages::inbound::stock::{Adjusted, Baseline, CellFact, Inbound, Received, SetAside};
use crate::messages::text::{Moment, Text};
use crate::reason::{DeadReason, Refusal};
use crate::time::Timestamp;

/// What a cell is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// `stock.baseline`
    Baseline(Baseline),
    /// `stock.received`
    Received(Received),
    /// `stock.adjusted`
    Adjusted(Adjusted),
    /// `stock.inbound`
    Inbound(Inbound),
    /// `stock.set_aside`
    SetAside(SetAside),
    /// A letter of a reservation.
    Question(Question),
}

impl Message {
    /// The movement that a fact tells of; none for a question.
    pub fn movement_id(&self) -> Option<&Text> {
        match self {
            Self::Baseline(fact) => Some(&fact.movement_id),
            Self::Received(fact) => Some(&fact.movement_id),
            Self::Adjusted(fact) => Some(&fact.movement_id),
            Self::Inbound(fact) => Some(&fact.movement_id),
            Self::SetAside(fact) => Some(&fact.movement_id),
            Self::Question(_) => None,
        }
    }
}

/// Every message of the contract that a cell reads, as plane, domain and name.
pub const KNOWN: &[(Plane, &str, &str)] = &[
    (Plane::Fact, "stock", "baseline"),
    (Plane::Fact, "stock", "received"),
    (Plane::Fact, "stock", "adjusted"),
    (Plane::Fact, "stock", "inbound"),
    (Plane::Fact, "stock", "set_aside"),
];

/// The schema of a message of the contract, by its name.
#[cfg(feature = "schemas")]
pub(crate) fn schema(name: &str) -> schemars::Schema {
    use crate::schema::of_incoming;
    match name {
        "baseline" => of_incoming::<Baseline>(),
        "received" => of_incoming::<Received>(),
        "adjusted" => of_incoming::<Adjusted>(),
        "inbound" => of_incoming::<Inbound>(),
        _ => of_incoming::<SetAside>(),
    }
}

/// Reads what a cell is told. `Err` is why it becomes a dead letter.
pub(super) fn decode(envelope: &Envelope) -> Result<Addressed<Message>, Refusal> {
    if envelope.domain.as_str() != Stock::NAME {
        return Err(unknown_type(envelope));
    }
    if envelope.plane == Plane::Internal {
        let entity = recipient(envelope)?;
        let question = Question::read(envelope.name.as_str(), &envelope.body)?;
        let question = question.ok_or_else(|| unknown_type(envelope))?;
        return Ok(Addressed { entity, pointer: "", message: Message::Question(question) });
    }
    check_type(envelope)?;
    match (envelope.plane, envelope.name.as_str()) {
        (Plane::Fact, "baseline") => fact(envelope, Message::Baseline),
        (Plane::Fact, "received") => fact(envelope, Message::Received),
        (Plane::Fact, "adjusted") => fact(envelope, Message::Adjusted),
        (Plane::Fact, "inbound") => fact(envelope, Message::Inbound),
        (Plane::Fact, "set_aside") => fact(envelope, Message::SetAside),
        _ => Err(unknown_type(envelope)),
    }
}

fn fact<T: CellFact>(envelope: &Envelope, make: fn(T) -> Message) -> Result<Addressed<Message>, Refusal> {
    let format = Format::of_content_type(envelope.headers.get("content-type"))?;
    let body: T = read_with(format, &envelope.body, T::check_sense, T::check_value)?;
    let (sku, node) = body.cell();
    let text = format!("{sku}~{node}");
    let key = Key::new(&text).expect("two keys whose length was checked");
    if let Some(given) = envelope.headers.get("Key").filter(|given| *given != text) {
        let message = format!("found {given:.120}, expected {text} as the body says, or no such header");
        return Err(Refusal::new(DeadReason::Schema, "/headers/Key", message));
    }
    let entity = EntityId { tenant: envelope.tenant.clone(), kind: Stock::kind(), key };
    Ok(Addressed { entity, pointer: "/sku", message: make(body) })
}

/// A moment whose day was checked when it was read.
pub(super) fn moment(moment: &Moment) -> Timestamp {
    Timestamp::read(moment.as_str()).unwrap_or_default()
}

/// SKU and node of a cell; the node has no `~`.
pub(super) fn sku_and_node(key: &str) -> (&str, &str) {
    key.rsplit_once('~').unwrap_or((key, ""))
}

fn unknown_type(envelope: &Envelope) -> Refusal {
    let names: Vec<String> = KNOWN.iter().map(|(_, domain, name)| format!("{domain}.{name}")).collect();
    let message = format!(
        "{} names no message to a stock cell; known on fact: {}",
        envelope.subject("retail", None),
        names.join(", ")
    );
    Refusal::new(DeadReason::UnknownType, "", message)
}
