//! The texts of the wire: references, remarks, times, currencies, and objects that are passed on unread.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::Key;
use crate::messages::leaf::NotOfForm;
use crate::messages::shape::Shape;
use crate::sharing::read_text;

const MOST_TEXT_CHARS: usize = 256;
const MOST_REMARK_CHARS: usize = 500;

macro_rules! checked_text {
    ($(#[$meta:meta])* $name:ident, $form:literal, $check:path, $schema:tt) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The value, if the text has the form.
            pub fn new(text: &str) -> Result<Self, NotOfForm> {
                if $check(text) { Ok(Self(text.into())) } else { Err(NotOfForm($form)) }
            }

            /// The text as it stands on the wire.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// A share of the text, for who keeps it.
            pub fn share(&self) -> Arc<str> {
                Arc::clone(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                read_text(deserializer, Self::new)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl Shape for $name {
            const FORM: &'static str = $form;
        }

        #[cfg(feature = "schemas")]
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}

checked_text! {
    /// A reference or a name that somebody else gave: opaque to us.
    Text, "a text of 1 to 256 characters without control characters", is_text,
    { "type": "string", "minLength": 1, "maxLength": 256, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]+$" }
}
checked_text! {
    /// A moment as somebody else wrote it, RFC 3339; kept as it came.
    Moment, "a time such as 2026-11-27T08:00:00Z (RFC 3339)", is_moment,
    { "type": "string", "format": "date-time" }
}

fn is_text(text: &str) -> bool {
    let mut count = 0;
    for character in text.chars() {
        count += 1;
        if character.is_control() || count > MOST_TEXT_CHARS {
            return false;
        }
    }
    count > 0
}

/// Form and ranges of each part; whether the month has that day is left to who reads the time.
fn is_moment(text: &str) -> bool {
    fn number(bytes: Option<&[u8]>, range: std::ops::RangeInclusive<u32>) -> bool {
        bytes.is_some_and(|bytes| {
            bytes.iter().all(u8::is_ascii_digit)
                && range.contains(&bytes.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
        })
    }
    let bytes = text.as_bytes();
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if bytes.len() > 40 || !separators.iter().all(|(at, expected)| bytes.get(*at) == Some(expected)) {
        return false;
    }
    let numbers = number(bytes.get(0..4), 0..=9999)
        && number(bytes.get(5..7), 1..=12)
        && number(bytes.get(8..10), 1..=31)
        && number(bytes.get(11..13), 0..=23)
        && number(bytes.get(14..16), 0..=59)
        && number(bytes.get(17..19), 0..=60);
    let mut rest = bytes.get(19..).unwrap_or_default();
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return false;
        }
        rest = &fraction[digits..];
    }
    let zone = match rest {
        b"Z" => true,
        [b'+' | b'-', hours_and_minutes @ ..] => {
            hours_and_minutes.len() == 5
                && hours_and_minutes[2] == b':'
                && number(hours_and_minutes.get(0..2), 0..=23)
                && number(hours_and_minutes.get(3..5), 0..=59)
        }
        _ => false,
    };
    numbers && zone
}

/// What a person or another system says in its own words. Any text is taken, so that a long one never makes an
/// answer unreadable; only the first 500 characters are kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Remark(Box<str>);

impl Remark {
    /// The remark, cut to 500 characters.
    pub fn new(text: &str) -> Self {
        Self(text.char_indices().nth(MOST_REMARK_CHARS).map_or(text, |(cut, _)| &text[..cut]).into())
    }

    /// What was said.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Remark {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(deserializer, |text| Ok::<_, NotOfForm>(Self::new(text)))
    }
}

impl Shape for Remark {
    const FORM: &'static str = "a text";
}

/// Three upper-case letters. Whether we can count in this currency is not said by the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CurrencyCode([u8; 3]);

impl CurrencyCode {
    /// The code, if `text` has the form of one.
    pub fn new(text: &str) -> Result<Self, NotOfForm> {
        match text.as_bytes().first_chunk::<3>() {
            Some(letters @ [b'A'..=b'Z', b'A'..=b'Z', b'A'..=b'Z']) if text.len() == 3 => Ok(Self(*letters)),
            _ => Err(NotOfForm(Self::FORM)),
        }
    }

    /// The code as it stands on the wire.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("three ASCII letters")
    }
}

impl Serialize for CurrencyCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CurrencyCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(deserializer, Self::new)
    }
}

impl fmt::Display for CurrencyCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Shape for CurrencyCode {
    const FORM: &'static str = "a currency code of three upper-case letters";
}

impl Shape for Key {
    const FORM: &'static str = "an id of the form [A-Za-z0-9_~-]{1,96}";
}

#[cfg(feature = "schemas")]
impl schemars::JsonSchema for CurrencyCode {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CurrencyCode".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Z]{3}$" })
    }
}

#[cfg(feature = "schemas")]
impl schemars::JsonSchema for Remark {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Remark".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "description": "The first 500 characters are kept." })
    }
}

#[cfg(feature = "schemas")]
impl schemars::JsonSchema for Key {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Key".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_~-]{1,96}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::{CurrencyCode, Moment, Remark, Text};

    #[test]
    fn texts_have_1_to_256_characters_and_no_control_characters() {
        for good in ["x", "käse", &"ä".repeat(256)] {
            assert!(Text::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a\nb", "\u{7f}", "\u{85}", &"ä".repeat(257)] {
            assert!(Text::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn moments_have_the_form_of_rfc_3339() {
        for good in ["2026-11-27T08:00:00Z", "2026-11-27T08:00:00.123456Z", "2026-11-27T08:00:60+05:30"] {
            assert!(Moment::new(good).is_ok(), "{good}");
        }
        let bad = [
            "",
            "2026-11-27",
            "2026-11-27T08:00:00",
            "2026-13-27T08:00:00Z",
            "2026-11-27T24:00:00Z",
            "2026-11-27T08:00:00.Z",
            "2026-11-27T08:00:00+0530",
            "2026-11-27T08:00:00+ä:3",
            "+026-11-27T08:00:00Z",
            "2026-11-27T08:00:00ZZ",
        ];
        for bad in bad {
            assert!(Moment::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn remarks_are_cut_between_characters() {
        assert_eq!(Remark::new(&"ä".repeat(501)).as_str(), "ä".repeat(500));
        assert_eq!(Remark::new("").as_str(), "");
    }

    #[test]
    fn currency_codes_are_three_upper_case_letters() {
        assert_eq!(CurrencyCode::new("EUR").unwrap().as_str(), "EUR");
        for bad in ["", "EU", "EURO", "eur", "ÄU"] {
            assert!(CurrencyCode::new(bad).is_err(), "{bad}");
        }
    }
}
