//! The rules for one message that need no state: size, headers, shape, and that it names an entity of this partition.

use std::sync::Arc;

use bus::layout::Layout;
use bus::ports::Stored;
use domain::decider::Decider;
use domain::envelope::{Envelope, Headers, Plane};
use domain::ids::Token;
use domain::reason::{DeadReason, Refusal, Violation};
use domain::time::Timestamp;

use super::letter::{refuse, refused};
use super::{Arrival, Item, Refused};
use crate::config::{MOST_BODY_BYTES, MOST_HEADER_BYTES};

/// Reads the stored subject. Tokens that the contract does not allow are named in a dead letter with the nearest allowed ones.
pub(super) fn envelope(layout: &Layout, stream: &Arc<str>, stored: Stored) -> Result<Envelope, Box<Refused>> {
    let parts = layout.parse_inbound(&stored.subject);
    let (plane, texts) = match &parts {
        Some(subject) => (subject.plane, [subject.tenant, subject.domain, subject.name]),
        None => (Plane::Fact, ["main", "unknown", "unknown"]),
    };
    let tokens = texts.map(Token::new);
    let wrong = tokens.iter().find_map(|token| token.as_ref().err().map(ToString::to_string));
    let wrong = wrong.or_else(|| parts.is_none().then(|| "not a subject of this contract".to_owned()));
    let [tenant, domain, name] =
        std::array::from_fn(|at| tokens[at].clone().unwrap_or_else(|_| nearest_token(texts[at])));
    let envelope = Envelope {
        tenant,
        plane,
        domain,
        name,
        headers: stored.headers,
        body: stored.body,
        stream: Arc::clone(stream),
        sequence: stored.sequence,
        item: None,
        stored_at: Timestamp(stored.timestamp_ns / 1_000_000),
    };
    match wrong {
        None => Ok(envelope),
        Some(wrong) => {
            let refusal =
                Refusal::new(DeadReason::Schema, "", format!("subject {}: {wrong}", stored.subject));
            Err(Box::new(refused(envelope, None, refusal, None)))
        }
    }
}

fn nearest_token(text: &str) -> Token {
    let nearest: String = text
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' { c } else { '_' })
        .take(32)
        .collect();
    Token::new(&nearest).unwrap_or_else(|_| Token::new("unknown").expect("a word is a token"))
}

/// Judges one message as far as that needs no state. How deep its body is nested, the decoder looks at before it reads it.
pub(super) fn screen<D: Decider>(layout: &Layout, partition: u16, envelope: Envelope) -> Item<D::Message> {
    if let Err(refusal) = outside(layout, &envelope, MOST_BODY_BYTES) {
        return Item::Refused(refuse::<D>(layout, envelope, refusal));
    }
    let addressed = match D::decode(&envelope) {
        Ok(addressed) => addressed,
        Err(refusal) => return Item::Refused(refuse::<D>(layout, envelope, refusal)),
    };
    if addressed.entity.key.partition(layout.partitions) != partition {
        let text = format!(
            "{} lives in another partition than the key of the subject; both must be the same id",
            addressed.entity.key
        );
        let refusal = Refusal::new(DeadReason::Schema, addressed.pointer, text);
        return Item::Refused(refuse::<D>(layout, envelope, refusal));
    }
    Item::Accepted(Arrival { entity: addressed.entity, envelope, message: addressed.message })
}

/// Size and headers: all that is looked at before the body.
pub(super) fn outside(layout: &Layout, envelope: &Envelope, most_bytes: usize) -> Result<(), Refusal> {
    let headers = envelope.headers.bytes();
    for (what, pointer, bytes, most) in [
        ("the body", "", envelope.body.len(), most_bytes),
        ("all headers", "/headers", headers, MOST_HEADER_BYTES),
    ] {
        if bytes > most {
            let text = format!("{what}: {bytes} bytes, at most {most} are taken");
            return Err(Refusal::new(DeadReason::Oversize, pointer, text));
        }
    }
    let mut violations = Vec::new();
    let mut violation = |name: &str, message: String| {
        violations.push(Violation { pointer: format!("/headers/{name}"), message });
    };
    let reply_to = envelope.headers.get("Reply-To").filter(|_| may_have_receipt(envelope));
    if let Some(reply_to) = reply_to.filter(|subject| !layout.receipt_allowed(subject, &envelope.tenant)) {
        let allowed = format!("_INBOX. or {}.v1.receipt.{}.", layout.root, envelope.tenant);
        violation("Reply-To", format!("{reply_to:?} is not allowed; expected a subject under {allowed}"));
    }
    let content_type = envelope.headers.get("content-type");
    if let Some(found) = content_type.filter(|found| !is_json(found) && !is_message_pack(&envelope.headers)) {
        violation("content-type", format!("{found:?}; expected application/json or application/msgpack"));
    }
    let mut reason = DeadReason::Schema;
    if let Some(found) = envelope.headers.get("ce-type") {
        match major_of(found, envelope) {
            Some(1) => {}
            Some(other) if violations.is_empty() => {
                reason = DeadReason::Version;
                let message = format!("major {other} in {found:?}; this version reads major 1");
                violations.push(Violation { pointer: "/headers/ce-type".to_owned(), message });
            }
            _ => {
                let message =
                    format!("{found:?} contradicts the subject; expected retail.{}.v1", envelope.kind());
                violations.push(Violation { pointer: "/headers/ce-type".to_owned(), message });
            }
        }
    }
    if violations.is_empty() { Ok(()) } else { Err(Refusal { reason, violations }) }
}

const fn may_have_receipt(envelope: &Envelope) -> bool {
    matches!(envelope.plane, Plane::Intake | Plane::Ask)
}

/// The schema major of a type that names this message.
fn major_of(ce_type: &str, envelope: &Envelope) -> Option<u32> {
    let (name, version) = ce_type.rsplit_once('.')?;
    let (_root, kind) = name.split_once('.')?;
    let (domain, name) = kind.split_once('.')?;
    let agrees = domain == envelope.domain.as_str() && name == envelope.name.as_str();
    version.strip_prefix('v')?.parse().ok().filter(|_| agrees)
}

fn media_type(value: &str) -> &str {
    value.split(';').next().unwrap_or(value).trim()
}

fn is_json(value: &str) -> bool {
    media_type(value).eq_ignore_ascii_case("application/json")
}

/// Is the body MessagePack? Otherwise it is JSON.
pub(super) fn is_message_pack(headers: &Headers) -> bool {
    headers
        .get("content-type")
        .is_some_and(|value| media_type(value).eq_ignore_ascii_case("application/msgpack"))
}
