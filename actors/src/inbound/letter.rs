//! How a message becomes a dead letter.

use bus::layout::Layout;
use domain::decider::{Asked, Decider};
use domain::envelope::{Envelope, Headers, Plane};
use domain::ids::Key;
use domain::messages::depth::check_pack;
use domain::reason::{DeadReason, Refusal};

use super::{Elsewhere, Refused};
use crate::config::MOST_HEADER_BYTES;
use crate::partition::Addressee;
use crate::record::DeadLetter;

/// So much of a body is kept: with base64 around it, it still fits into a message.
const MOST_KEPT_BYTES: usize = 512 * 1024;

/// The longest id that is repeated to the sender.
const MOST_ID_CHARS: usize = 96;

/// Makes a dead letter, and finds out who wants to know.
pub(crate) fn refuse<D: Decider>(layout: &Layout, envelope: Envelope, refusal: Refusal) -> Refused {
    let wants_receipt = matches!(envelope.plane, Plane::Intake | Plane::Ask);
    let reply_to = envelope.headers.get("Reply-To").filter(|_| wants_receipt).map(str::to_owned);
    let reply_to = reply_to.filter(|subject| layout.receipt_allowed(subject, &envelope.tenant));
    let named = envelope.headers.get("Key").map(str::to_owned).or_else(|| id_in_body::<D>(&envelope));
    let key = named.as_deref().and_then(|text| Key::new(text).ok());
    let order_id = named.map_or_else(|| "-".to_owned(), |text| text.chars().take(MOST_ID_CHARS).collect());
    let domain = envelope.domain.clone();
    let asked = Asked::of(envelope.plane);
    let addressee = reply_to.map(|reply_to| Addressee { reply_to, order_id, domain, asked });
    refused(envelope, key, refusal, addressee)
}

/// Makes a dead letter of a message whose key is known.
pub(crate) fn refused(
    envelope: Envelope,
    key: Option<Key>,
    refusal: Refusal,
    addressee: Option<Addressee>,
) -> Refused {
    let letter = DeadLetter {
        envelope: trimmed(envelope),
        key,
        reason: refusal.reason,
        violations: refusal.violations,
    };
    Refused { letter, addressee }
}

impl Elsewhere {
    /// No server takes the item under its own subject.
    pub(crate) fn refused(self, cause: &str) -> Refused {
        let refusal =
            Refusal::new(DeadReason::Oversize, "", format!("the item cannot be handed on: {cause}"));
        refused(self.envelope, None, refusal, None)
    }
}

fn id_in_body<D: Decider>(envelope: &Envelope) -> Option<String> {
    if envelope.body.len() > crate::config::MOST_BODY_BYTES {
        return None;
    }
    let body: serde_json::Value = if super::screening::is_message_pack(&envelope.headers) {
        check_pack(&envelope.body).ok()?;
        rmp_serde::from_slice(&envelope.body).ok()?
    } else {
        serde_json::from_slice(&envelope.body).ok()?
    };
    // Of the kind that most messages are for, or of the one that the subject names.
    let kind = D::kind();
    let named = [kind.as_str(), envelope.domain.as_str()].map(|kind| body.get(format!("{kind}_id")));
    Some(named.into_iter().flatten().next()?.as_str()?.to_owned())
}

/// What is far over the limits would not fit into a record.
fn trimmed(mut envelope: Envelope) -> Envelope {
    envelope.body.truncate(MOST_KEPT_BYTES);
    let bytes = envelope.headers.bytes();
    if bytes > MOST_HEADER_BYTES {
        let mut room = MOST_HEADER_BYTES;
        let mut kept = Headers::new();
        for (name, value) in envelope.headers.iter() {
            let Some(left) = room.checked_sub(name.len() + value.len()) else { continue };
            room = left;
            kept.push(name, value);
        }
        envelope.headers = kept;
    }
    envelope
}
