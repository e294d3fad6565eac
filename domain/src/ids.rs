//! Names of things on the wire: tenants, keys, partitions. Checked once, when they are made.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sharing::{Word, read_text};

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not allowed here: expected {expected}")]
pub struct InvalidId {
    /// What was given, cut to 120 characters.
    pub text: String,
    /// The allowed form, as the contract writes it.
    pub expected: &'static str,
}

impl InvalidId {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.chars().take(120).collect(), expected }
    }
}

const KEY_FORM: &str = "[A-Za-z0-9_~-]{1,96}";
const TOKEN_FORM: &str = "[a-z0-9_-]{1,32}";

fn is_key(text: &str) -> bool {
    (1..=96).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'~' | b'-'))
}

fn is_token(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

/// The id of an entity: an order id, a reservation id, or `<sku>~<node>`. Copies share one text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// Checks `text` against `[A-Za-z0-9_~-]{1,96}`.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        if is_key(text) { Ok(Self(text.into())) } else { Err(InvalidId::new(text, KEY_FORM)) }
    }

    /// The key as it stands in subjects, headers and bodies.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition that this key lives in: FNV-1a 32 of its bytes modulo `partitions`, as the broker computes it.
    pub fn partition(&self, partitions: u16) -> u16 {
        let hash = self
            .0
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        u16::try_from(hash % u32::from(partitions.max(1))).expect("a remainder of a u16 is a u16")
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(deserializer, Self::new)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A tenant, a domain or a message name: one lower-case token of a subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(Word);

/// The tokens that nearly every message has; they need no memory of their own.
const KNOWN_TOKENS: [&str; 25] = [
    "main",
    "order",
    "loyalty",
    "payment",
    "allocation",
    "shipment",
    "fulfillment",
    "erp",
    "batch",
    "submit",
    "cancel",
    "reserved",
    "finalized",
    "released",
    "accrued",
    "authorized",
    "captured",
    "voided",
    "allocated",
    "accepted",
    "departed",
    "delivered",
    "posted",
    "rejected",
    "failed",
];

impl Token {
    /// Checks `text` against `[a-z0-9_-]{1,32}`.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        if let Some(known) = KNOWN_TOKENS.into_iter().find(|known| *known == text) {
            return Ok(Self(Word::Known(known)));
        }
        if is_token(text) {
            Ok(Self(Word::Shared(text.into())))
        } else {
            Err(InvalidId::new(text, TOKEN_FORM))
        }
    }

    /// The token as it stands in subjects.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(deserializer, Self::new)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Who an entity is: the same key may name an order of one tenant and another order of another tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntityId {
    /// The tenant, `main` by default.
    pub tenant: Token,
    /// `order`, `reservation` or `stock`.
    pub kind: Token,
    /// The key within tenant and kind.
    pub key: Key,
}

impl fmt::Display for EntityId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}", self.tenant, self.kind, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, Token};

    #[test]
    fn keys_and_tokens_have_the_form_of_the_contract() {
        assert!(Key::new("o-1001").is_ok() && Key::new("SKU-A~n_1").is_ok());
        for bad in ["", "a.b", "o$1", "o:1", "käse", "o@home", &"a".repeat(97)] {
            assert!(Key::new(bad).is_err(), "{bad}");
        }
        assert!(Token::new("psp-a").is_ok() && Token::new("Main").is_err() && Token::new("").is_err());
    }

    #[test]
    fn partition_is_fnv_1a_as_the_broker_computes_it() {
        // FNV-1a 32 of "a" is 0xe40c292c, of "foobar" 0xbf9cf968 (the published test vectors).
        assert_eq!(Key::new("a").unwrap().partition(8), (0xe40c_292c_u32 % 8) as u16);
        assert_eq!(Key::new("foobar").unwrap().partition(64), (0xbf9c_f968_u32 % 64) as u16);
    }
}
