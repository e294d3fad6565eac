//! The shape of a body: which fields there must be and of which form, with every fault named by its JSON pointer.
//!
//! Typed reading stops at the first fault. Only a body that was refused by it is checked again here, so that the
//! sender learns of all faults at once and a good message costs nothing extra.

use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::reason::Violation;

/// How many faults of one body are named; the rest is left out, because a body of 256 KiB may hold very many.
pub const MOST_VIOLATIONS: usize = 100;

const MOST_CHARS_SHOWN: usize = 80;

/// Something that a body may hold.
pub trait Shape: DeserializeOwned + Serialize {
    /// What is expected, in words that end the sentence "found 7, expected …".
    const FORM: &'static str;

    /// Adds a violation for each fault of `value`.
    fn check(value: &Value, faults: &mut Faults) {
        if Self::deserialize(value).is_err() {
            faults.unexpected(value, Self::FORM);
        }
    }

    /// What a missing field means; none = it must be there.
    fn missing() -> Option<Self> {
        None
    }

    /// True if the field is left out when it is written.
    fn is_absent(&self) -> bool {
        false
    }
}

/// The faults found so far, and the place that is being looked at.
#[derive(Debug, Default)]
pub struct Faults {
    pointer: String,
    found: Vec<Violation>,
}

impl Faults {
    /// Names a fault at the current place.
    pub fn push(&mut self, message: impl Into<String>) {
        if self.found.len() < MOST_VIOLATIONS {
            self.found.push(Violation { pointer: self.pointer.clone(), message: message.into() });
        }
    }

    /// Names a fault at the current place: what was found there, and what should be.
    pub fn unexpected(&mut self, found: &Value, expected: &str) {
        let mut shown: String = found.to_string();
        if let Some((cut, _)) = shown.char_indices().nth(MOST_CHARS_SHOWN) {
            shown.truncate(cut);
            shown.push('…');
        }
        self.push(format!("found {shown}, expected {expected}"));
    }

    /// Looks one level deeper, at the field or index `token`.
    pub fn within(&mut self, token: impl std::fmt::Display, look: impl FnOnce(&mut Self)) {
        let length = self.pointer.len();
        write!(self.pointer, "/{token}").expect("writing to a string cannot fail");
        look(self);
        self.pointer.truncate(length);
    }

    /// True if nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All faults, in the order of the fields.
    pub fn into_violations(self) -> Vec<Violation> {
        self.found
    }
}

/// Checks one field of an object.
pub(crate) fn check_field<T: Shape>(
    object: &serde_json::Map<String, Value>,
    name: &'static str,
    faults: &mut Faults,
) {
    faults.within(name, |faults| match object.get(name) {
        Some(value) => T::check(value, faults),
        None if T::missing().is_some() => {}
        None => faults.push(format!("missing, expected {}", T::FORM)),
    });
}

impl<T: Shape> Shape for Option<T> {
    const FORM: &'static str = T::FORM;

    fn check(value: &Value, faults: &mut Faults) {
        if !value.is_null() {
            T::check(value, faults);
        }
    }

    fn missing() -> Option<Self> {
        Some(None)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

/// A list of at least `LEAST` and at most `MOST` rows; with `LEAST` 0 it may also be missing or null, which is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct List<T, const LEAST: usize, const MOST: usize>(Vec<T>);

impl<T, const LEAST: usize, const MOST: usize> List<T, LEAST, MOST> {
    /// The list of these rows; none if there are too few or too many.
    pub fn new(rows: Vec<T>) -> Option<Self> {
        (LEAST..=MOST).contains(&rows.len()).then_some(Self(rows))
    }

    /// The rows.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const LEAST: usize, const MOST: usize> std::ops::Deref for List<T, LEAST, MOST> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'a, T, const LEAST: usize, const MOST: usize> IntoIterator for &'a List<T, LEAST, MOST> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'de, T: Deserialize<'de>, const LEAST: usize, const MOST: usize> Deserialize<'de>
    for List<T, LEAST, MOST>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default();
        let count = rows.len();
        Self::new(rows).ok_or_else(|| {
            serde::de::Error::custom(format_args!("found {count} rows, expected {LEAST} to {MOST}"))
        })
    }
}

impl<T: Shape, const LEAST: usize, const MOST: usize> Shape for List<T, LEAST, MOST> {
    const FORM: &'static str = "a list";

    fn check(value: &Value, faults: &mut Faults) {
        let rows = match value {
            Value::Array(rows) => rows,
            Value::Null if LEAST == 0 => return,
            other => return faults.unexpected(other, Self::FORM),
        };
        if !(LEAST..=MOST).contains(&rows.len()) {
            faults.push(format!("found {} rows, expected {LEAST} to {MOST}", rows.len()));
        }
        for (index, row) in rows.iter().enumerate().take(MOST) {
            faults.within(index, |faults| T::check(row, faults));
        }
    }

    fn missing() -> Option<Self> {
        (LEAST == 0).then(|| Self(Vec::new()))
    }

    fn is_absent(&self) -> bool {
        LEAST == 0 && self.0.is_empty()
    }
}

#[cfg(feature = "schemas")]
impl<T: schemars::JsonSchema, const LEAST: usize, const MOST: usize> schemars::JsonSchema
    for List<T, LEAST, MOST>
{
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("List_{LEAST}_{MOST}_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = schemars::json_schema!({
            "type": "array", "items": generator.subschema_for::<T>(), "maxItems": MOST,
        });
        if LEAST == 0 {
            schema.insert("type".into(), serde_json::json!(["array", "null"]));
            schema.insert("default".into(), serde_json::json!([]));
        } else {
            schema.insert("minItems".into(), LEAST.into());
        }
        schema
    }
}
