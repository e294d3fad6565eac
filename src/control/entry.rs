//! What the audit keeps of an act: an entry before it, one after it, and one when its time is over.
//!
//! Persisted: names and meaning of the fields stay. Each entry holds the hash of the one before it, so that none can be
//! changed, taken out or put in without all later ones showing it.

use domain::ids::Token;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::act::Act;

/// What `prev_hash` says in the first entry of a stream.
pub const NOTHING_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Which of the entries about an act it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditKind)]
pub enum Kind {
    /// It is about to be done. Written first: without it nothing is done.
    Intent,
    /// It was done, or refused.
    Outcome,
    /// Its time was over, and it was taken back.
    Reverted,
    /// It was asked for and cannot be done as things are: it was not begun.
    Refused,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Outcome => "outcome",
            Self::Reverted => "reverted",
            Self::Refused => "refused",
        }
    }
}

/// Who asked for an act. Nobody proves it yet: there are no tokens, so only who reaches the loopback address may ask.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AuditCaller)]
pub struct Caller {
    /// What the header `Operator` said.
    #[schema(example = "kim")]
    pub operator: Option<String>,
    /// How that was proven: `none`.
    #[schema(example = "none")]
    pub auth: String,
    /// From which address it came.
    #[schema(example = "127.0.0.1:53422")]
    pub remote: Option<String>,
    /// The id of the request.
    pub request_id: String,
    /// Its idempotency key.
    pub idempotency_key: String,
}

/// One entry of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = AuditEntry)]
pub struct Entry {
    /// Its id; the outcome and the reversal of an act name the intent's.
    pub id: String,
    /// Which of the entries about the act it is.
    pub kind: Kind,
    /// When: RFC 3339, UTC.
    #[schema(example = "2026-11-25T14:03:11.042Z")]
    pub time: String,
    /// The start of the server that did it. What it changed ended with it.
    pub instance: String,
    /// The id of the intent; its own where there is none other.
    pub intent: String,
    /// What kind of thing it is about: `flow`, `breaker`.
    #[schema(example = "flow")]
    pub domain: String,
    /// What is done.
    #[schema(example = "pause")]
    pub action: String,
    /// To what.
    #[schema(example = "tenant:main")]
    pub target: String,
    /// The values that are set.
    #[schema(value_type = Object)]
    pub parameters: Value,
    /// Why, as the operator said.
    pub reason: String,
    /// Until when it holds; without it, until it is undone or the server ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Who asked for it.
    pub caller: Caller,
    /// How it was before: on outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// How it is afterwards: on outcomes and reversals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
    /// `applied`, or the code of the problem: on all but intents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// SHA-256 of the whole body of the entry before it, in hexadecimal digits.
    pub prev_hash: String,
}

impl Entry {
    /// What its message says in `ce-type`.
    pub fn message_type(&self, root: &str) -> String {
        format!("{root}.audit.{}.v1", self.kind.as_str())
    }

    /// The tenant token of its subject: whose it is, or `main` for what is everybody's.
    pub fn tenant(&self) -> &str {
        self.target.strip_prefix("tenant:").filter(|name| Token::new(name).is_ok()).unwrap_or("main")
    }

    /// The partition token of its subject, 0 for what is not about one.
    pub fn partition(&self) -> u16 {
        self.target.strip_prefix("partition:").and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// The intent of `act`, without a place in the chain yet.
    pub fn intent(
        id: String,
        instance: &str,
        act: &Act,
        reason: &str,
        (now, until): (Timestamp, Option<Timestamp>),
        caller: &Caller,
    ) -> Self {
        Self {
            intent: id.clone(),
            id,
            kind: Kind::Intent,
            time: rfc_3339(now),
            instance: instance.to_owned(),
            domain: act.domain().to_owned(),
            action: act.action().to_owned(),
            target: act.target(),
            parameters: act.parameters(),
            reason: reason.to_owned(),
            until: until.map(rfc_3339),
            caller: caller.clone(),
            before: None,
            after: None,
            result: None,
            prev_hash: NOTHING_BEFORE.to_owned(),
        }
    }

    /// A later entry about the same act.
    #[must_use]
    pub fn followed_by(&self, id: String, kind: Kind, now: Timestamp, result: &str) -> Self {
        Self { id, kind, time: rfc_3339(now), result: Some(result.to_owned()), ..self.clone() }
    }
}

/// SHA-256 of an entry's body as it is stored.
pub fn hash(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        text.push(char::from_digit(u32::from(byte >> 4), 16).expect("four bits are one digit"));
        text.push(char::from_digit(u32::from(byte & 15), 16).expect("four bits are one digit"));
        text
    })
}

/// A moment as RFC 3339 with milliseconds.
pub fn rfc_3339(moment: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(moment.0)
        .map_or_else(|_| moment.0.to_string(), |time| format!("{time:.3}"))
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;

    use super::{NOTHING_BEFORE, hash, rfc_3339};

    #[test]
    fn hashes_are_those_that_everybody_computes() {
        // The published test vector of SHA-256 for "abc".
        assert_eq!(hash(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(NOTHING_BEFORE.len(), hash(b"").len());
    }

    #[test]
    fn times_are_rfc_3339_with_milliseconds() {
        assert_eq!(rfc_3339(Timestamp(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc_3339(Timestamp(1_764_079_391_042)), "2025-11-25T14:03:11.042Z");
    }
}
