//! Messages as they were when version 1 was published. Every later version must read them and mean the same.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use domain::envelope::{Envelope, Headers, Plane};
use domain::ids::Token;
use domain::messages::decode::KNOWN;
use domain::messages::{Message, decode};
use domain::time::Timestamp;
use serde_json::Value;

/// Where the golden message of `path` lies, `reply/payment.captured` for example.
pub(crate) fn file(path: &str, ending: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/messages/v1/{path}.{ending}"))
}

/// The golden message of `path`.
pub(crate) fn golden(path: &str) -> Value {
    let file = file(path, "json");
    let text = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// True if golden files are to be written instead of compared.
pub(crate) fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

/// A message as it may come from outside.
pub(crate) fn envelope(plane: Plane, domain: &str, name: &str, body: impl Into<Bytes>) -> Envelope {
    Envelope {
        tenant: Token::new("main").unwrap(),
        plane,
        domain: Token::new(domain).unwrap(),
        name: Token::new(name).unwrap(),
        headers: Headers::new(),
        body: body.into(),
        stream: "RETAIL_INTAKE".into(),
        sequence: 1,
        item: None,
        stored_at: Timestamp(0),
    }
}

/// Every golden message that others send, with its path.
pub(crate) fn incoming() -> impl Iterator<Item = (Plane, &'static str, &'static str, String, Value)> {
    KNOWN.iter().map(|(plane, domain, name)| {
        let path = format!("{}/{domain}.{name}", plane.as_str());
        let body = golden(&path);
        (*plane, *domain, *name, path, body)
    })
}

fn written(message: &Message) -> Value {
    let value = match message {
        Message::Submit(body) => serde_json::to_value(body),
        Message::Cancel(body) => serde_json::to_value(body),
        Message::PointsReserved(body) => serde_json::to_value(body),
        Message::PointsRefused(body) | Message::AccrualRefused(body) => serde_json::to_value(body),
        Message::PointsFinalized(body) | Message::PointsReleased(body) => serde_json::to_value(body),
        Message::PointsAccrued(body) => serde_json::to_value(body),
        Message::Authorized(body) => serde_json::to_value(body),
        Message::Declined(body) => serde_json::to_value(body),
        Message::Captured(body) => serde_json::to_value(body),
        Message::CaptureDeclined(body) => serde_json::to_value(body),
        Message::Voided(body) => serde_json::to_value(body),
        Message::Allocated(body) => serde_json::to_value(body),
        Message::AllocationRefused(body) => serde_json::to_value(body),
        Message::AllocationReleased(body) => serde_json::to_value(body),
        Message::ShipmentAccepted(body) => serde_json::to_value(body),
        Message::ShipmentRejected(body) => serde_json::to_value(body),
        Message::ShipmentCancelAccepted(body) | Message::ShipmentCancelRejected(body) => {
            serde_json::to_value(body)
        }
        Message::Departed(body) => serde_json::to_value(body),
        Message::Delivered(body) => serde_json::to_value(body),
        Message::DocumentPosted(body) => serde_json::to_value(body),
        Message::DocumentRejected(body) => serde_json::to_value(body),
        Message::Failed(_, body) => serde_json::to_value(body),
        Message::Reservation(letter) => panic!("{letter:?} comes from nobody outside"),
    };
    value.unwrap()
}

#[test]
fn given_a_golden_message_when_read_and_written_then_nothing_is_lost() {
    for (plane, domain, name, path, body) in incoming() {
        let envelope = envelope(plane, domain, name, body.to_string());
        let addressed = decode(&envelope).unwrap_or_else(|refusal| panic!("{path}: {refusal:?}"));
        assert_eq!(addressed.entity.to_string(), "main:order:o-1001", "{path}");
        assert_eq!(addressed.pointer, "/order_id", "{path}");
        assert_eq!(written(&addressed.message), body, "{path}");
    }
}

#[test]
fn given_golden_messagepack_when_read_then_it_means_the_same_as_json() {
    for (plane, domain, name, path, body) in incoming() {
        let file = file(&path, "msgpack");
        if updating() {
            fs::write(&file, rmp_serde::to_vec_named(&body).unwrap()).unwrap();
        }
        let packed = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut envelope = envelope(plane, domain, name, packed);
        envelope.headers.push("Content-Type", "application/msgpack");
        let message = decode(&envelope).unwrap_or_else(|refusal| panic!("{path}: {refusal:?}")).message;
        assert_eq!(written(&message), body, "{path}");
    }
}

#[test]
fn given_a_reply_when_it_comes_as_a_fact_then_it_is_the_same_message() {
    for (plane, domain, name, path, body) in incoming().filter(|(plane, ..)| *plane == Plane::Reply) {
        let as_reply = decode(&envelope(plane, domain, name, body.to_string())).unwrap();
        let as_fact = decode(&envelope(Plane::Fact, domain, name, body.to_string())).unwrap();
        assert_eq!(as_fact.message, as_reply.message, "{path}");
    }
}
