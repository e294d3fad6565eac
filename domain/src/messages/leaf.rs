//! The numbers of the wire: whole numbers with a least value and a unit.

use serde::{Deserialize, Serialize};

use crate::messages::shape::Shape;

/// A value outside the form of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {0}")]
pub struct NotOfForm(
    /// The form, in words.
    pub &'static str,
);

macro_rules! number {
    ($(#[$meta:meta])* $name:ident, $integer:ident, $integer_text:literal, at least $least:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = $integer_text)]
        pub struct $name($integer);

        impl $name {
            /// The value, if it is large enough.
            pub const fn new(value: $integer) -> Option<Self> {
                if value >= $least { Some(Self(value)) } else { None }
            }

            /// The value.
            pub const fn get(self) -> $integer {
                self.0
            }
        }

        impl TryFrom<$integer> for $name {
            type Error = NotOfForm;
            fn try_from(value: $integer) -> Result<Self, NotOfForm> {
                Self::new(value).ok_or(NotOfForm(Self::FORM))
            }
        }

        impl Shape for $name {
            const FORM: &'static str = concat!("a whole number of at least ", $least, " (", $integer_text, ")");
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
                schemars::json_schema!({ "type": "integer", "minimum": $least, "maximum": $integer::MAX })
            }
        }
    };
}

number! {
    /// An amount of money in minor units (cents for EUR) of the currency that stands beside it; never negative.
    Minor, i64, "i64", at least 0
}
number! {
    /// A step of money in minor units that something is counted by; never zero, so it may divide.
    PerMinor, i64, "i64", at least 1
}
number! {
    /// Loyalty points; never negative.
    Points, i64, "i64", at least 0
}
number! {
    /// Units of a line; never zero.
    Quantity, u32, "u32", at least 1
}
number! {
    /// The number that an order gives one of its lines.
    LineNumber, u32, "u32", at least 1
}

/// The greatest [`Whole`], and the least with its sign changed: sums of a million of them fit.
const MOST_WHOLE: i64 = 1_000_000_000_000;

/// Units that may also be fewer than none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct Whole(i64);

impl Whole {
    /// The value.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Whole {
    type Error = NotOfForm;
    fn try_from(value: i64) -> Result<Self, NotOfForm> {
        (-MOST_WHOLE..=MOST_WHOLE).contains(&value).then_some(Self(value)).ok_or(NotOfForm(Self::FORM))
    }
}

impl Shape for Whole {
    const FORM: &'static str = "a whole number between -1000000000000 and 1000000000000";
}

#[cfg(feature = "schemas")]
impl schemars::JsonSchema for Whole {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Whole".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": -MOST_WHOLE, "maximum": MOST_WHOLE })
    }
}

impl Shape for i64 {
    const FORM: &'static str = "a whole number";
}

impl Shape for u32 {
    const FORM: &'static str = "a whole number of at least 0";
}

impl Shape for bool {
    const FORM: &'static str = "true or false";
}
