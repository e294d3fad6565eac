//! Headers in one piece of memory: a message has a dozen names and values, and taking and giving back a piece for each of them
//! costs more than everything that is done with them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Header names and values in the order they came. Names are compared without regard to case.
///
/// A copy shares what it was copied from: a message is read by many and changed by none.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Headers(Arc<str>);

/// Writes headers one after the other; can be used again and again, and then takes memory only once.
#[derive(Debug, Clone, Default)]
pub struct HeaderWriter(String);

/// In [`Headers`] each name and each value stands behind its length: digits of six bits, lowest first, as characters of ASCII;
/// all but the last have this bit in addition.
const MORE: u8 = 1 << 6;

fn push_length(text: &mut String, mut length: usize) {
    let more = usize::from(MORE);
    let digit = |digit: usize| u8::try_from(digit).expect("a digit has seven bits at most");
    while length >= more {
        text.push(char::from(digit(length % more + more)));
        length /= more;
    }
    text.push(char::from(digit(length)));
}

fn push_text(text: &mut String, part: &str) {
    push_length(text, part.len());
    text.push_str(part);
}

/// Where the text that begins with its length at `at` begins and ends; none = there is no more.
fn place_of(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let (mut length, mut unit) = (0, 1);
    loop {
        let digit = *bytes.get(at)?;
        at += 1;
        if digit < MORE {
            length += usize::from(digit) * unit;
            return Some((at, at + length));
        }
        length += usize::from(digit - MORE) * unit;
        unit *= usize::from(MORE);
    }
}

impl HeaderWriter {
    /// A writer with room for so many bytes of names, values and their lengths.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// Adds a header at the end.
    pub fn push(&mut self, name: &str, value: &str) {
        push_text(&mut self.0, name);
        push_text(&mut self.0, value);
    }

    /// Adds a header of which the value comes in pieces.
    pub fn push_pieces(&mut self, name: &str, pieces: &[&str]) {
        push_text(&mut self.0, name);
        push_length(&mut self.0, pieces.iter().map(|piece| piece.len()).sum());
        for piece in pieces {
            self.0.push_str(piece);
        }
    }

    /// The first value of a header, as [`Headers::get`] gives it.
    pub fn get(&self, name: &str) -> Option<&str> {
        get(&self.0, name)
    }

    /// All headers so far, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        Iter::over(&self.0)
    }

    /// Forgets what was written; the writer begins anew.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The headers so far; the writer begins anew.
    pub fn finish(&mut self) -> Headers {
        let headers = Headers(self.0.as_str().into());
        self.0.clear();
        headers
    }
}

/// Names and values are passed over by their lengths: nothing of them is looked at but the names that are as long as `name`.
fn get<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (bytes, mut at) = (text.as_bytes(), 0);
    while let Some((begin, end)) = place_of(bytes, at) {
        let value = place_of(bytes, end)?;
        if end - begin == name.len()
            && value.0 < value.1
            && bytes[begin..end].eq_ignore_ascii_case(name.as_bytes())
        {
            return text.get(value.0..value.1);
        }
        at = value.1;
    }
    None
}

struct Iter<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iter<'a> {
    const fn over(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn take_text(&mut self) -> Option<&'a str> {
        let (begin, end) = place_of(self.text.as_bytes(), self.at)?;
        self.at = end;
        self.text.get(begin..end)
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.take_text()?, self.take_text()?))
    }
}

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header at the end. Copies all others: a [`HeaderWriter`] does not.
    pub fn push(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) {
        let mut writer =
            HeaderWriter::with_capacity(self.0.len() + name.as_ref().len() + value.as_ref().len() + 8);
        writer.0.push_str(&self.0);
        writer.push(name.as_ref(), value.as_ref());
        *self = writer.finish();
    }

    /// The same headers and one more.
    #[must_use]
    pub fn with(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.push(name, value);
        self
    }

    /// The first value of a header; one without text says nothing and counts as missing.
    pub fn get(&self, name: &str) -> Option<&str> {
        get(&self.0, name)
    }

    /// All headers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        Iter::over(&self.0)
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.lengths().count()
    }

    /// How many bytes all names and values have.
    pub fn bytes(&self) -> usize {
        self.lengths().sum()
    }

    /// The bytes of each name with its value.
    fn lengths(&self) -> impl Iterator<Item = usize> {
        let (bytes, mut at) = (self.0.as_bytes(), 0);
        std::iter::from_fn(move || {
            let name = place_of(bytes, at)?;
            let value = place_of(bytes, name.1)?;
            at = value.1;
            Some(name.1 - name.0 + value.1 - value.0)
        })
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut writer = HeaderWriter::default();
        for (name, value) in pairs {
            writer.push(name.as_ref(), value.as_ref());
        }
        writer.finish()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list().entries(self.iter()).finish()
    }
}

/// A list of pairs, as it always was.
impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // MessagePack writes in front how many there are.
        let mut pairs = serializer.serialize_seq(Some(self.len()))?;
        for pair in self.iter() {
            pairs.serialize_element(&pair)?;
        }
        pairs.end()
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Headers;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of header names and values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut pairs: A) -> Result<Headers, A::Error> {
        let mut writer = HeaderWriter::default();
        while let Some((name, value)) = pairs.next_element::<(Cow<'de, str>, Cow<'de, str>)>()? {
            writer.push(&name, &value);
        }
        Ok(writer.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::{HeaderWriter, Headers};

    #[test]
    fn a_header_without_text_counts_as_missing() {
        let headers = Headers::new().with("ce-id", "").with("CE-ID", "m1").with("ce-correlationid", "");
        assert_eq!(headers.get("ce-id"), Some("m1"));
        assert_eq!(headers.get("ce-correlationid"), None);
    }

    #[test]
    fn names_and_values_of_any_length_come_back_in_their_order() {
        let lengths = [0, 1, 62, 63, 64, 65, 4_095, 4_096, 70_000, 300_000];
        let texts: Vec<String> =
            lengths.iter().map(|length| "ü".repeat(length / 2) + &"x".repeat(length % 2)).collect();
        let mut writer = HeaderWriter::default();
        for text in &texts {
            writer.push_pieces(text, &["a", text, ""]);
        }
        let headers = writer.finish();
        let expected: Vec<(&str, String)> =
            texts.iter().map(|text| (text.as_str(), format!("a{text}"))).collect();
        let found: Vec<(&str, String)> =
            headers.iter().map(|(name, value)| (name, value.to_owned())).collect();
        assert_eq!((found, headers.len()), (expected, lengths.len()));
        assert_eq!(writer.finish(), Headers::new(), "it begins anew");
        let copy: Headers = headers.iter().collect();
        let read: Headers = serde_json::from_str(&serde_json::to_string(&headers).unwrap()).unwrap();
        assert_eq!((&copy, &read), (&headers, &headers));
    }
}
