//! A message as it arrived: where from, with which headers, which bytes. The journal keeps it whole.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

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
        }
    }

    /// The plane with this token.
    pub fn parse(token: &str) -> Option<Self> {
        [Self::Intake, Self::Ask, Self::Fact, Self::Reply, Self::Bulk]
            .into_iter()
            .find(|p| p.as_str() == token)
    }
}

/// Header names and values in the order they came. Names are compared without regard to case.
///
/// A copy shares what it was copied from: a message is read by many and changed by none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Headers(Arc<Vec<Header>>);

/// A header's name or value; what the program itself writes is not copied.
type Text = Cow<'static, str>;

/// A header: its name and its value.
pub type Header = (Text, Text);

impl From<Vec<Header>> for Headers {
    fn from(headers: Vec<Header>) -> Self {
        Self(Arc::new(headers))
    }
}

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// No headers yet, with room for some.
    pub fn with_capacity(headers: usize) -> Self {
        Self(Arc::new(Vec::with_capacity(headers)))
    }

    /// Adds a header at the end.
    pub fn push(&mut self, name: impl Into<Text>, value: impl Into<Text>) {
        Arc::make_mut(&mut self.0).push((name.into(), value.into()));
    }

    /// The same headers and one more.
    #[must_use]
    pub fn with(mut self, name: impl Into<Text>, value: impl Into<Text>) -> Self {
        self.push(name, value);
        self
    }

    /// The first value of a header; one without text says nothing and counts as missing.
    pub fn get(&self, name: &str) -> Option<&str> {
        let named = |known: &str, value: &str| known.eq_ignore_ascii_case(name) && !value.is_empty();
        self.iter().find(|(known, value)| named(known, value)).map(|(_, value)| value)
    }

    /// All headers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, String)> for Headers {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(Arc::new(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()))
    }
}

/// One message from outside (or one item of a batch), as it came. Persisted in the journal: names and meaning stay.
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
    /// The stream it was stored in.
    pub stream: String,
    /// Its sequence in that stream.
    pub sequence: u64,
    /// Its place in a batch, from 0; none if it came alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u16>,
    /// When the broker stored it.
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

#[cfg(test)]
mod tests {
    use super::Headers;

    #[test]
    fn a_header_without_text_counts_as_missing() {
        let headers = Headers::new().with("ce-id", "").with("CE-ID", "m1").with("ce-correlationid", "");
        assert_eq!(headers.get("ce-id"), Some("m1"));
        assert_eq!(headers.get("ce-correlationid"), None);
    }
}
