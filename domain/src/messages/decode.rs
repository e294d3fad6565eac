//! Which message an envelope holds, by plane, domain and name.

use crate::decider::{Addressed, Participant};
use crate::envelope::{Envelope, Plane};
use crate::ids::{EntityId, Key, Token};
use crate::messages::body::{Format, read, read_with};
use crate::messages::inbound::{Failed, Submit, allocation, erp, loyalty, order, payment, shipment};
use crate::messages::shape::Shape;
use crate::reason::{DeadReason, Refusal};

/// The schema major of every message of this version.
pub const MAJOR: &str = "v1";

/// A message to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named by its message; the types say the rest")]
pub enum Message {
    Submit(Box<Submit>),
    Cancel(order::Cancel),
    PointsReserved(loyalty::Reserved),
    PointsRefused(loyalty::Refused),
    PointsFinalized(loyalty::Moved),
    PointsReleased(loyalty::Moved),
    PointsAccrued(loyalty::Accrued),
    AccrualRefused(loyalty::Refused),
    Authorized(payment::Authorized),
    Declined(payment::Declined),
    Captured(payment::Captured),
    CaptureDeclined(payment::CaptureDeclined),
    Voided(payment::Voided),
    Allocated(allocation::Allocated),
    AllocationRefused(allocation::Refused),
    AllocationReleased(allocation::Released),
    ShipmentAccepted(shipment::Accepted),
    ShipmentCancelAccepted(shipment::CancelAnswer),
    ShipmentCancelRejected(shipment::CancelAnswer),
    Departed(shipment::Departed),
    Delivered(shipment::Delivered),
    DocumentPosted(erp::Posted),
    DocumentRejected(erp::Rejected),
    /// Any participant's `failed`.
    Failed(Participant, Failed),
}

/// What may be said on a plane, for the answer to an unknown name.
const KNOWN: [(&str, &str); 4] = [
    ("intake", "order: submit"),
    ("ask", "order: cancel"),
    (
        "reply",
        "loyalty: reserved, reserve_refused, finalized, released, accrued, accrue_refused, failed · payment: authorized, declined, \
         captured, capture_declined, voided, failed · allocation: allocated, refused, released, failed · shipment: accepted, \
         cancel_accepted, cancel_rejected, failed · erp: posted, rejected, failed",
    ),
    ("fact", "shipment: departed, delivered · all that is known on reply"),
];

/// Reads the message to an order that `envelope` holds. `Err` is why it becomes a dead letter.
pub fn decode(envelope: &Envelope) -> Result<Addressed<Message>, Refusal> {
    check_type(envelope)?;
    let format = Format::of_content_type(envelope.headers.get("content-type"))?;
    let (domain, name) = (envelope.domain.as_str(), envelope.name.as_str());
    let message = match (envelope.plane, domain, name) {
        (Plane::Intake, "order", "submit") => {
            let submit =
                read_with(format, &envelope.body, Submit::check_tenders, Submit::check_tenders_of_value)?;
            Message::Submit(Box::new(submit))
        }
        (Plane::Ask, "order", "cancel") => Message::Cancel(read(format, &envelope.body)?),
        (Plane::Fact, "shipment", "departed") => Message::Departed(read(format, &envelope.body)?),
        (Plane::Fact, "shipment", "delivered") => Message::Delivered(read(format, &envelope.body)?),
        (Plane::Reply | Plane::Fact, domain, name) => {
            answer(domain, name, format, &envelope.body)?.ok_or_else(|| unknown_type(envelope))?
        }
        _ => return Err(unknown_type(envelope)),
    };
    let key = message.order_id().clone();
    let kind = Token::new("order").expect("a lower-case word");
    Ok(Addressed {
        entity: EntityId { tenant: envelope.tenant.clone(), kind, key },
        pointer: "/order_id",
        message,
    })
}

/// A participant's answer; none = there is no such answer.
fn answer(domain: &str, name: &str, format: Format, body: &[u8]) -> Result<Option<Message>, Refusal> {
    fn read_as<T: Shape>(
        make: fn(T) -> Message,
        format: Format,
        body: &[u8],
    ) -> Result<Option<Message>, Refusal> {
        read(format, body).map(|content| Some(make(content)))
    }
    match (domain, name) {
        ("loyalty", "reserved") => read_as(Message::PointsReserved, format, body),
        ("loyalty", "reserve_refused") => read_as(Message::PointsRefused, format, body),
        ("loyalty", "finalized") => read_as(Message::PointsFinalized, format, body),
        ("loyalty", "released") => read_as(Message::PointsReleased, format, body),
        ("loyalty", "accrued") => read_as(Message::PointsAccrued, format, body),
        ("loyalty", "accrue_refused") => read_as(Message::AccrualRefused, format, body),
        ("payment", "authorized") => read_as(Message::Authorized, format, body),
        ("payment", "declined") => read_as(Message::Declined, format, body),
        ("payment", "captured") => read_as(Message::Captured, format, body),
        ("payment", "capture_declined") => read_as(Message::CaptureDeclined, format, body),
        ("payment", "voided") => read_as(Message::Voided, format, body),
        ("allocation", "allocated") => read_as(Message::Allocated, format, body),
        ("allocation", "refused") => read_as(Message::AllocationRefused, format, body),
        ("allocation", "released") => read_as(Message::AllocationReleased, format, body),
        ("shipment", "accepted") => read_as(Message::ShipmentAccepted, format, body),
        ("shipment", "cancel_accepted") => read_as(Message::ShipmentCancelAccepted, format, body),
        ("shipment", "cancel_rejected") => read_as(Message::ShipmentCancelRejected, format, body),
        ("erp", "posted") => read_as(Message::DocumentPosted, format, body),
        ("erp", "rejected") => read_as(Message::DocumentRejected, format, body),
        (domain, "failed") => match who_answers(domain) {
            Some(participant) => Ok(Some(Message::Failed(participant, read(format, body)?))),
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

/// The participant whose answers have this domain token: nodes answer as `shipment`.
fn who_answers(domain: &str) -> Option<Participant> {
    match domain {
        "shipment" => Some(Participant::Fulfillment),
        "fulfillment" => None,
        other => Participant::ALL.into_iter().find(|participant| participant.as_str() == other),
    }
}

/// A `ce-type` need not be there, but must not say anything else than the subject does.
fn check_type(envelope: &Envelope) -> Result<(), Refusal> {
    const POINTER: &str = "/headers/ce-type";
    let Some(given) = envelope.headers.get("ce-type") else { return Ok(()) };
    let kind = envelope.kind();
    let (named, major) = given.rsplit_once('.').unwrap_or((given, ""));
    let agrees = named.strip_suffix(&*kind).is_some_and(|root| root.ends_with('.'));
    if !agrees {
        let message = format!("found {given:.120}, expected retail.{kind}.{MAJOR} as the subject says");
        return Err(Refusal::new(DeadReason::Schema, POINTER, message));
    }
    let digits = major.strip_prefix('v').unwrap_or_default();
    match major {
        MAJOR => Ok(()),
        _ if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let message = format!("found major {major:.20}, expected {MAJOR}");
            Err(Refusal::new(DeadReason::Version, POINTER, message))
        }
        _ => Err(Refusal::new(
            DeadReason::Schema,
            POINTER,
            format!("found {given:.120}, expected the suffix .{MAJOR}"),
        )),
    }
}

fn unknown_type(envelope: &Envelope) -> Refusal {
    let plane = envelope.plane.as_str();
    let known = KNOWN.iter().find(|(of, _)| *of == plane).map_or("nothing yet", |(_, names)| names);
    let message = format!("no message {} on {plane}; known there: {known}", envelope.kind());
    Refusal::new(DeadReason::UnknownType, "", message)
}

impl Message {
    /// The order that the body names.
    pub fn order_id(&self) -> &Key {
        match self {
            Self::Submit(body) => &body.order_id,
            Self::Cancel(body) => &body.order_id,
            Self::PointsReserved(body) => &body.order_id,
            Self::PointsRefused(body) | Self::AccrualRefused(body) => &body.order_id,
            Self::PointsFinalized(body) | Self::PointsReleased(body) => &body.order_id,
            Self::PointsAccrued(body) => &body.order_id,
            Self::Authorized(body) => &body.order_id,
            Self::Declined(body) => &body.order_id,
            Self::Captured(body) => &body.order_id,
            Self::CaptureDeclined(body) => &body.order_id,
            Self::Voided(body) => &body.order_id,
            Self::Allocated(body) => &body.order_id,
            Self::AllocationRefused(body) => &body.order_id,
            Self::AllocationReleased(body) => &body.order_id,
            Self::ShipmentAccepted(body) => &body.order_id,
            Self::ShipmentCancelAccepted(body) | Self::ShipmentCancelRejected(body) => &body.order_id,
            Self::Departed(body) => &body.order_id,
            Self::Delivered(body) => &body.order_id,
            Self::DocumentPosted(body) => &body.order_id,
            Self::DocumentRejected(body) => &body.order_id,
            Self::Failed(_, body) => &body.order_id,
        }
    }
}
