//! Which message an envelope holds, by plane, domain and name.

use crate::decider::{Addressed, Participant};
use crate::envelope::{Envelope, Plane};
use crate::ids::{EntityId, Key, Token};
use crate::letter::recipient;
use crate::messages::body::{Format, read, read_with};
use crate::messages::inbound::{
    Failed, Submit, allocation, erp, loyalty, order, payment, reservation, shipment,
};
use crate::reason::{DeadReason, Refusal};

/// The schema major of every message of this version.
pub const MAJOR: &str = "v1";

macro_rules! message_types {
    ($($(#[$meta:meta])* $plane:ident $domain:literal $name:literal => $variant:ident($body:ty),)+) => {
        /// A message to an order.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Message {
            /// `order.submit`
            Submit(Box<Submit>),
            $(#[doc = concat!("`", $domain, ".", $name, "`")] $variant($body),)+
            /// Any participant's `failed`.
            Failed(Participant, Failed),
            /// A letter of one of its reservations.
            Reservation(reservation::Letter),
        }

        impl Message {
            /// The order that the body names; none = it is a letter, which names its reservation.
            pub fn order_id(&self) -> Option<&Key> {
                match self {
                    Self::Submit(body) => Some(&body.order_id),
                    $(Self::$variant(body) => Some(&body.order_id),)+
                    Self::Failed(_, body) => Some(&body.order_id),
                    Self::Reservation(_) => None,
                }
            }
        }

        /// Every message that is handled, as plane, domain and name; those of `reply` may come on `fact` too.
        pub const KNOWN: &[(Plane, &str, &str)] = &[
            (Plane::Intake, "order", "submit"),
            $((Plane::$plane, $domain, $name),)+
            (Plane::Reply, "loyalty", "failed"),
            (Plane::Reply, "payment", "failed"),
            (Plane::Reply, "allocation", "failed"),
            (Plane::Reply, "shipment", "failed"),
            (Plane::Reply, "erp", "failed"),
        ];

        /// Reads a message that has no rules between its fields; none = no such message.
        fn read_plain(plane: Plane, domain: &str, name: &str, format: Format, bytes: &[u8]) -> Result<Option<Message>, Refusal> {
            Ok(match (plane, domain, name) {
                $((Plane::$plane, $domain, $name) => Some(Message::$variant(read(format, bytes)?)),)+
                _ => None,
            })
        }

        /// The schema of a message that is handled, by domain and name.
        #[cfg(feature = "schemas")]
        pub(crate) fn schema(domain: &str, name: &str) -> schemars::Schema {
            use crate::schema::of_incoming;
            match (domain, name) {
                $(($domain, $name) => of_incoming::<$body>(),)+
                (_, "failed") => of_incoming::<Failed>(),
                _ => of_incoming::<Submit>(),
            }
        }
    };
}

message_types! {
    Ask "order" "cancel" => Cancel(order::Cancel),
    Reply "loyalty" "reserved" => PointsReserved(loyalty::Reserved),
    Reply "loyalty" "reserve_refused" => PointsRefused(loyalty::Refused),
    Reply "loyalty" "finalized" => PointsFinalized(loyalty::Moved),
    Reply "loyalty" "released" => PointsReleased(loyalty::Moved),
    Reply "loyalty" "accrued" => PointsAccrued(loyalty::Accrued),
    Reply "loyalty" "accrue_refused" => AccrualRefused(loyalty::Refused),
    Reply "payment" "authorized" => Authorized(payment::Authorized),
    Reply "payment" "declined" => Declined(payment::Declined),
    Reply "payment" "captured" => Captured(payment::Captured),
    Reply "payment" "capture_declined" => CaptureDeclined(payment::CaptureDeclined),
    Reply "payment" "voided" => Voided(payment::Voided),
    Reply "allocation" "allocated" => Allocated(allocation::Allocated),
    Reply "allocation" "refused" => AllocationRefused(allocation::Refused),
    Reply "allocation" "released" => AllocationReleased(allocation::Released),
    Reply "shipment" "accepted" => ShipmentAccepted(shipment::Accepted),
    Reply "shipment" "rejected" => ShipmentRejected(shipment::Rejected),
    Reply "shipment" "cancel_accepted" => ShipmentCancelAccepted(shipment::CancelAnswer),
    Reply "shipment" "cancel_rejected" => ShipmentCancelRejected(shipment::CancelAnswer),
    Fact "shipment" "departed" => Departed(shipment::Departed),
    Fact "shipment" "delivered" => Delivered(shipment::Delivered),
    Reply "erp" "posted" => DocumentPosted(erp::Posted),
    Reply "erp" "rejected" => DocumentRejected(erp::Rejected),
}

/// Reads the message to an order that `envelope` holds. `Err` is why it becomes a dead letter.
pub fn decode(envelope: &Envelope) -> Result<Addressed<Message>, Refusal> {
    if envelope.plane == Plane::Internal {
        return read_letter(envelope);
    }
    check_type(envelope)?;
    let format = Format::of_content_type(envelope.headers.get("content-type"))?;
    let message = read_message(envelope, format)?.ok_or_else(|| unknown_type(envelope))?;
    let key = message.order_id().ok_or_else(|| unknown_type(envelope))?.clone();
    let kind = Token::new("order").expect("a lower-case word");
    Ok(Addressed {
        entity: EntityId { tenant: envelope.tenant.clone(), kind, key },
        pointer: "/order_id",
        message,
    })
}

/// A letter of another entity: the order is whom it is for.
fn read_letter(envelope: &Envelope) -> Result<Addressed<Message>, Refusal> {
    let entity = recipient(envelope)?;
    let letter = reservation::Letter::read(envelope.name.as_str(), &envelope.body);
    let letter = letter.ok_or_else(|| unknown_type(envelope))?;
    let letter = letter.map_err(|error| Refusal::new(DeadReason::Schema, "", error.to_string()))?;
    Ok(Addressed { entity, pointer: "/reservation_id", message: Message::Reservation(letter) })
}

fn read_message(envelope: &Envelope, format: Format) -> Result<Option<Message>, Refusal> {
    let (plane, domain, name) = (envelope.plane, envelope.domain.as_str(), envelope.name.as_str());
    let body = &envelope.body;
    if (plane, domain, name) == (Plane::Intake, "order", "submit") {
        let submit = read_with(format, body, Submit::check_tenders, Submit::check_tenders_of_value)?;
        return Ok(Some(Message::Submit(Box::new(submit))));
    }
    let answers = matches!(plane, Plane::Reply | Plane::Fact);
    if let (true, "failed", Some(participant)) = (answers, name, who_answers(domain)) {
        return Ok(Some(Message::Failed(participant, read(format, body)?)));
    }
    match read_plain(plane, domain, name, format, body)? {
        None if plane == Plane::Fact => read_plain(Plane::Reply, domain, name, format, body),
        found => Ok(found),
    }
}

/// The participant whose answers have this domain token. Nodes answer as `shipment`; a node that cannot even read
/// the command may know no shipment and fail as `fulfillment`, the domain that it was commanded by.
fn who_answers(domain: &str) -> Option<Participant> {
    match domain {
        "shipment" => Some(Participant::Fulfillment),
        other => Participant::ALL.into_iter().find(|participant| participant.as_str() == other),
    }
}

/// A `ce-type` need not be there, but must not say anything else than the subject does.
pub(crate) fn check_type(envelope: &Envelope) -> Result<(), Refusal> {
    const POINTER: &str = "/headers/ce-type";
    let Some(given) = envelope.headers.get("ce-type") else { return Ok(()) };
    let kind = envelope.kind();
    let (named, major) = given.rsplit_once('.').unwrap_or((given, ""));
    let agrees = named.strip_suffix(&*kind).is_some_and(|root| root.ends_with('.'));
    let digits = major.strip_prefix('v').unwrap_or_default();
    let is_major = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !agrees || !is_major {
        let message = format!("found {given:.120}, expected retail.{kind}.{MAJOR} as the subject says");
        return Err(Refusal::new(DeadReason::Schema, POINTER, message));
    }
    if major != MAJOR {
        let message = format!("found major {major:.20}, expected {MAJOR}");
        return Err(Refusal::new(DeadReason::Version, POINTER, message));
    }
    Ok(())
}

fn unknown_type(envelope: &Envelope) -> Refusal {
    let plane = envelope.plane;
    let names: Vec<String> = KNOWN
        .iter()
        .filter(|(known, ..)| *known == plane || (plane == Plane::Fact && *known == Plane::Reply))
        .map(|(_, domain, name)| format!("{domain}.{name}"))
        .collect();
    let known = if names.is_empty() { "nothing yet".to_owned() } else { names.join(", ") };
    let subject = envelope.subject("retail", None);
    Refusal::new(
        DeadReason::UnknownType,
        "",
        format!("{subject} names no message; known on {}: {known}", plane.as_str()),
    )
}
