//! Letters: what one entity says to another. They go through memory, so they may be lost; who needs an answer asks again.

use std::fmt;

use bytes::Bytes;

use crate::decider::Trace;
use crate::envelope::{Envelope, Headers, Plane};
use crate::ids::{EntityId, Key, Token};
use crate::reason::{DeadReason, Refusal};
use crate::time::Timestamp;

/// The header that says whom a letter is for: a key, as the kind is the domain of its envelope.
const RECIPIENT: &str = "ce-subject";

/// A message from one entity to another. It goes out after the ack, without a broker message where both are in this process.
/// Two letters from one entity to another arrive in the order in which they were sent, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Who gets it; of the same tenant.
    pub to: EntityId,
    /// The name token, `hold` for example; the domain token is the kind of the recipient.
    pub name: &'static str,
    /// A JSON object.
    pub body: Bytes,
}

impl Letter {
    /// The letter as its recipient's input. `version` is that of the sender when it was sent.
    ///
    /// # Panics
    /// If the name is no token: the rules name their letters.
    pub fn envelope(self, from: &EntityId, version: u64, trace: Trace<'_>, now: Timestamp) -> Envelope {
        let mut headers = Headers::new().with(RECIPIENT, self.to.key.as_str());
        for (name, value) in [
            ("ce-correlationid", trace.correlation_id),
            ("traceparent", trace.traceparent),
            ("tracestate", trace.tracestate),
        ] {
            if let Some(value) = value {
                headers = headers.with(name, value);
            }
        }
        Envelope {
            tenant: self.to.tenant,
            plane: Plane::Internal,
            domain: self.to.kind,
            name: Token::new(self.name).expect("letters are named by tokens"),
            headers,
            body: self.body,
            stream: from.to_string().into(),
            sequence: version,
            item: None,
            stored_at: now,
        }
    }
}

/// Whom a letter is for, and that it is one.
///
/// # Errors
/// A message that is no letter: it came from outside.
pub fn recipient(envelope: &Envelope) -> Result<EntityId, Refusal> {
    let key = envelope.headers.get(RECIPIENT).filter(|_| envelope.plane == Plane::Internal);
    let key = key.and_then(|key| Key::new(key).ok()).ok_or_else(|| {
        let text = format!("{} is a letter between entities; nobody else can send it", envelope.kind());
        Refusal::new(DeadReason::UnknownType, "", text)
    })?;
    Ok(EntityId { tenant: envelope.tenant.clone(), kind: envelope.domain.clone(), key })
}

/// What entities let the decisions of their node look at, by kind and key, within one tenant. It lives in memory alone and
/// may be old: a hint. What a decision uses of it goes into its events.
pub trait Board<T>: fmt::Debug {
    /// What this entity posted last; none = nothing, or it is not known here.
    fn look(&self, kind: &str, key: &str) -> Option<T>;
}

/// A board on which nothing was posted.
#[derive(Debug, Clone, Copy)]
pub struct EmptyBoard;

impl<T> Board<T> for EmptyBoard {
    fn look(&self, _: &str, _: &str) -> Option<T> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Letter, recipient};
    use crate::decider::Trace;
    use crate::envelope::Plane;
    use crate::ids::{EntityId, Key, Token};
    use crate::time::Timestamp;

    fn entity(kind: &str, key: &str) -> EntityId {
        EntityId {
            tenant: Token::new("main").unwrap(),
            kind: Token::new(kind).unwrap(),
            key: Key::new(key).unwrap(),
        }
    }

    #[test]
    fn a_letter_arrives_as_a_message_that_names_who_gets_it_and_who_wrote_it() {
        let to = entity("stock", "SKU-A~n-1");
        let letter = Letter { to: to.clone(), name: "take", body: "{}".into() };
        let trace = Trace { correlation_id: Some("c-1"), ..Trace::default() };
        let mut envelope = letter.envelope(&entity("reservation", "r-1"), 4, trace, Timestamp(7));
        assert_eq!((envelope.kind().as_str(), envelope.plane), ("stock.take", Plane::Internal));
        assert_eq!(
            (envelope.source(), envelope.id().as_str()),
            ("main:reservation:r-1", "main:reservation:r-1:4")
        );
        assert_eq!(envelope.headers.get("ce-correlationid"), Some("c-1"));
        assert_eq!(recipient(&envelope).unwrap(), to);
        envelope.plane = Plane::Fact;
        assert!(recipient(&envelope).is_err(), "from outside nobody writes letters");
        assert_eq!(Plane::parse(Plane::Internal.as_str()), None);
    }
}
