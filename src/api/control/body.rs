//! Reading the body of an act: all its mistakes at once, each with pointer, value and remedy.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::api::problem::{Mistake, Problem};
use crate::api::problem_code::Code;

/// The fields of a body. What was not asked for when it is finished is unknown.
pub(super) struct Fields {
    given: Map<String, Value>,
    known: Vec<&'static str>,
    mistakes: Vec<Mistake>,
}

impl Fields {
    /// The fields of a JSON object; an empty body has none.
    pub(super) fn read(body: &[u8]) -> Result<Self, Problem> {
        let given = if body.iter().all(u8::is_ascii_whitespace) {
            Map::new()
        } else {
            match serde_json::from_slice(body) {
                Ok(Value::Object(given)) => given,
                Ok(_) => return Err(not_an_object("it is JSON, but no object")),
                Err(error) => return Err(not_an_object(&error.to_string())),
            }
        };
        Ok(Self { given, known: Vec::new(), mistakes: Vec::new() })
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.given.remove(name).filter(|value| !value.is_null())
    }

    fn wrong(&mut self, name: &str, code: &str, message: String, value: Value) {
        self.mistakes.push(Mistake::new(format!("/{name}"), code, message).given(value));
    }

    /// A mistake that the reader of the fields found.
    pub(super) fn mistake(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// A text that is read into something, or left out.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.take(name)?;
        let Value::String(text) = &value else {
            self.wrong(name, "wrong_type", "must be a text".to_owned(), value);
            return None;
        };
        match read(text) {
            Ok(read) => Some(read),
            Err(message) => {
                self.wrong(name, "malformed", message, value);
                None
            }
        }
    }

    /// A text with a length in this range of characters; a mistake if it is left out.
    pub(super) fn text(&mut self, name: &'static str, length: RangeInclusive<usize>, what: &str) -> String {
        let (least, most) = (*length.start(), *length.end());
        if self.given.get(name).is_none_or(Value::is_null) {
            self.take(name);
            let message = format!("is missing: {what}, {least} to {most} characters");
            self.mistakes.push(Mistake::new(format!("/{name}"), "missing", message));
            return String::new();
        }
        let read = self.optional(name, |text| {
            let text = text.trim();
            let fits = length.contains(&text.chars().count()) && !text.contains(char::is_control);
            if fits {
                return Ok(text.to_owned());
            }
            Err(format!("must have {least} to {most} characters and no line breaks: {what}"))
        });
        read.unwrap_or_default()
    }

    /// A whole number in this range, or left out.
    pub(super) fn number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
        unit: &str,
    ) -> Option<u64> {
        let value = self.take(name)?;
        let (least, most) = (range.start(), range.end());
        match value.as_u64() {
            Some(number) if range.contains(&number) => Some(number),
            Some(_) => {
                self.wrong(name, "out_of_range", format!("must be from {least} to {most} {unit}"), value);
                None
            }
            None => {
                let message = format!("must be a whole number from {least} to {most} {unit}");
                self.wrong(name, "wrong_type", message, value);
                None
            }
        }
    }

    /// The same, and a mistake if it is left out.
    pub(super) fn needed_number(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u64>,
        unit: &str,
    ) -> Option<u64> {
        if self.given.get(name).is_none_or(Value::is_null) {
            let message =
                format!("is missing: a whole number from {} to {} {unit}", range.start(), range.end());
            self.mistakes.push(Mistake::new(format!("/{name}"), "missing", message));
        }
        self.number(name, range, unit)
    }

    /// An object whose values are texts, each read with its name; empty if it is left out.
    pub(super) fn texts<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&str, &str) -> Result<T, String>,
    ) -> BTreeMap<String, T> {
        let given = match self.take(name) {
            None => return BTreeMap::new(),
            Some(Value::Object(given)) => given,
            Some(value) => {
                self.wrong(name, "wrong_type", "must be an object of texts".to_owned(), value);
                return BTreeMap::new();
            }
        };
        let mut found = BTreeMap::new();
        for (key, value) in given {
            match read(&key, value.as_str().unwrap_or_default()) {
                Ok(read) => drop(found.insert(key, read)),
                Err(message) => {
                    self.wrong(&format!("{name}/{}", escaped(&key)), "malformed", message, value);
                }
            }
        }
        found
    }

    /// No mistake so far?
    pub(super) fn is_right(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// All mistakes, fields that nobody asked for included.
    pub(super) fn finish(mut self) -> Vec<Mistake> {
        let known = self.known.join(", ");
        for (name, value) in std::mem::take(&mut self.given) {
            let pointer = format!("/{}", escaped(&name));
            let message = format!("is not known here; known are: {known}");
            self.mistakes.push(Mistake::new(pointer, "unknown_field", message).given(value));
        }
        self.mistakes
    }
}

/// A name as one part of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn not_an_object(detail: &str) -> Problem {
    Problem::new(Code::BadRequest, format!("the body cannot be read as a JSON object: {detail}"))
        .hint(r#"send a JSON object such as {"reason": "why it is done"}"#)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Fields;

    #[test]
    fn every_mistake_is_told_at_once_with_pointer_value_and_remedy() {
        let body = json!({ "reason": "no", "ttl_ms": 5, "rate": "fast", "scope": "shop", "a/b": 1 });
        let mut fields = Fields::read(body.to_string().as_bytes()).unwrap();
        let reason = fields.text("reason", 5..=500, "why it is done");
        let ttl = fields.number("ttl_ms", 1_000..=10_000, "ms");
        let rate = fields.number("rate", 0..=10, "orders a second");
        let scope: Option<u8> = fields.optional("scope", |_| Err("expected `all`".to_owned()));
        assert_eq!((reason.as_str(), ttl, rate, scope), ("", None, None, None));
        let found: Vec<_> = fields
            .finish()
            .into_iter()
            .map(|mistake| (mistake.pointer, mistake.code, mistake.message, mistake.value.unwrap()))
            .collect();
        let row = |pointer: &str, code: &str, message: &str, value| {
            (pointer.to_owned(), code.to_owned(), message.to_owned(), value)
        };
        assert_eq!(
            found,
            [
                row(
                    "/reason",
                    "malformed",
                    "must have 5 to 500 characters and no line breaks: why it is done",
                    json!("no")
                ),
                row("/ttl_ms", "out_of_range", "must be from 1000 to 10000 ms", json!(5)),
                row(
                    "/rate",
                    "wrong_type",
                    "must be a whole number from 0 to 10 orders a second",
                    json!("fast")
                ),
                row("/scope", "malformed", "expected `all`", json!("shop")),
                row(
                    "/a~1b",
                    "unknown_field",
                    "is not known here; known are: reason, ttl_ms, rate, scope",
                    json!(1)
                ),
            ]
        );
    }

    #[test]
    fn what_is_left_out_or_null_is_not_there() {
        let mut fields = Fields::read(br#"{"ttl_ms": null, "reason": null}"#).unwrap();
        assert_eq!(fields.number("ttl_ms", 1..=2, "ms"), None);
        assert_eq!(fields.text("reason", 5..=500, "why"), "");
        assert_eq!(fields.finish().len(), 1, "the reason is needed");
        assert!(Fields::read(b"").unwrap().finish().is_empty());
    }

    #[test]
    fn what_is_no_object_is_no_body() {
        for body in ["[]", "7", "{", "\"pause\"", "{\"a\":1}}"] {
            assert!(Fields::read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
