//! A message as it arrived: where from, with which headers, which bytes. The journal keeps it whole.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use crate::headers::{HeaderWriter, Headers};
use crate::ids::{Key, Token};
use crate::time::Timestamp;

/// Which plane a message came on; says what it means and whether it may be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plane {
    /// New work that may be refused.
    Intake,
    /// Wishes about existing work.
    Ask,
    /// What happened, unasked.
    Fact,
    /// Answers of participants to our commands.
    Reply,
    /// Completed sales, late and in batches.
    Bulk,
    /// Letters between our own entities; nothing from outside comes on it.
    Internal,
}

impl Plane {
    /// The token in the subject.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Ask => "ask",
            Self::Fact => "fact",
            Self::Reply => "reply",
            Self::Bulk => "bulk",
            Self::Internal => "internal",
        }
    }

    /// The plane with this token, if others may publish on it.
    pub fn parse(token: &str) -> Option<Self> {
        [Self::Intake, Self::Ask, Self::Fact, Self::Reply, Self::Bulk]
            .into_iter()
            .find(|p| p.as_str() == token)
    }
}

/// One message from outside (or one item of a batch), or a letter of another entity, as it came. Persisted in the journal: names and meaning stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The tenant of the subject.
    pub tenant: Token,
    /// The plane of the subject.
    pub plane: Plane,
    /// The domain token of the subject, `order` or `payment` for example.
    pub domain: Token,
    /// The name token of the subject, `submit` or `captured` for example.
    pub name: Token,
    /// Its headers, or those of the batch item.
    pub headers: Headers,
    /// Its body, unchanged.
    pub body: Bytes,
    /// The stream it was stored in; of a letter, who wrote it.
    pub stream: Arc<str>,
    /// Its sequence in that stream; of a letter, the version of who wrote it.
    pub sequence: u64,
    /// Its place in a batch, from 0; none if it came alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u16>,
    /// When the broker stored it; of a letter, when it was written.
    pub stored_at: Timestamp,
}

impl Envelope {
    /// `<domain>.<name>`.
    pub fn kind(&self) -> String {
        format!("{}.{}", self.domain, self.name)
    }

    /// The `ce-source`, or the stream if the sender gave none.
    pub fn source(&self) -> &str {
        self.headers.get("ce-source").unwrap_or(&self.stream)
    }

    /// The `ce-id`, or `<stream>:<sequence>` if the sender gave none.
    pub fn id(&self) -> String {
        match (self.headers.get("ce-id"), self.item) {
            (Some(id), _) => id.to_owned(),
            (None, None) => format!("{}:{}", self.stream, self.sequence),
            (None, Some(item)) => format!("{}:{}#{item}", self.stream, self.sequence),
        }
    }

    /// The subject that the sender published to, with `key` as its last token.
    pub fn subject(&self, root: &str, key: Option<&Key>) -> String {
        let last = key.map_or("-", Key::as_str);
        format!("{root}.v1.{}.{}.{}.{}.{last}", self.plane.as_str(), self.tenant, self.domain, self.name)
    }
}
