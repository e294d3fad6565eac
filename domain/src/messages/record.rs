//! The macros that make a message type: one definition gives reading, writing, the check and the schema.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Visitor};

/// Reads the name of a field; a name that is not in the list is none.
pub(crate) struct FieldName<F: 'static>(pub(crate) &'static [(&'static str, F)]);

impl<'de, F: Copy> DeserializeSeed<'de> for FieldName<F> {
    type Value = Option<F>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<F>, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<F: Copy> Visitor<'_> for FieldName<F> {
    type Value = Option<F>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Option<F>, E> {
        Ok(self.0.iter().find(|(known, _)| *known == name).map(|(_, field)| *field))
    }
}

/// The name on the wire of a field that may be a raw identifier such as `r#type`.
pub(crate) const fn wire_name(identifier: &'static str) -> &'static str {
    match identifier.as_bytes() {
        [b'r', b'#', ..] => identifier.split_at(2).1,
        _ => identifier,
    }
}

/// Defines an object of the wire. Serde's own derive would also take an array by position, and would stop at
/// `null` for a list that may be left out; this reads objects only.
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
        #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schemas", schemars(transform = crate::schema::defaults_are_not_required))]
        pub struct $name {
            $($(#[$field_meta])*
            #[serde(skip_serializing_if = "crate::messages::shape::Shape::is_absent")]
            pub $field: $type,)*
        }

        const _: () = {
            use crate::messages::record::{FieldName, wire_name};
            use crate::messages::shape::{Faults, Shape, check_field};
            use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

            #[expect(non_camel_case_types, reason = "named as the fields are")]
            #[derive(Clone, Copy)]
            enum Field { $($field,)* }

            const FIELDS: &[(&str, Field)] = &[$((wire_name(stringify!($field)), Field::$field),)*];

            struct Fields;

            impl<'de> Visitor<'de> for Fields {
                type Value = $name;

                fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    out.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                    $(let mut $field: Option<$type> = None;)*
                    while let Some(field) = map.next_key_seed(FieldName(FIELDS))? {
                        match field {
                            $(Some(Field::$field) if $field.is_some() => {
                                return Err(A::Error::duplicate_field(wire_name(stringify!($field))));
                            }
                            Some(Field::$field) => $field = Some(map.next_value()?),)*
                            None => { map.next_value::<IgnoredAny>()?; }
                        }
                    }
                    Ok($name {
                        $($field: match $field.or_else(<$type as Shape>::missing) {
                            Some(value) => value,
                            None => return Err(A::Error::missing_field(wire_name(stringify!($field)))),
                        },)*
                    })
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    deserializer.deserialize_map(Fields)
                }
            }

            impl Shape for $name {
                const FORM: &'static str = "an object";

                fn check(value: &serde_json::Value, faults: &mut Faults) {
                    match value {
                        serde_json::Value::Object(object) => {
                            $(check_field::<$type>(object, wire_name(stringify!($field)), faults);)*
                        }
                        other => faults.unexpected(other, Self::FORM),
                    }
                }
            }
        };
    };
}

/// Defines a word out of a list. A word that is not in the list is read as `Unknown` instead of failing, so that a
/// newer sender is still understood in the rest of what it says.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$word_meta:meta])* $word:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(into = "&'static str")]
        pub enum $name {
            $($(#[$word_meta])* $word,)+
            /// A word that this version does not know.
            Unknown,
        }

        impl $name {
            /// The word as it stands on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text,)+ Self::Unknown => "unknown" }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::sharing::read_text(deserializer, |text| {
                    Ok::<_, std::convert::Infallible>(match text { $($text => Self::$word,)+ _ => Self::Unknown })
                })
            }
        }

        impl From<$name> for &'static str {
            fn from(word: $name) -> Self {
                word.as_str()
            }
        }

        impl crate::messages::shape::Shape for $name {
            const FORM: &'static str = concat!("a text, one of" $(, " ", $text)+);
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
                schemars::json_schema!({
                    "type": "string", "examples": [$($text),+],
                    "description": "One of the examples; a word that is not known is taken and opens an exception.",
                })
            }
        }
    };
}

pub(crate) use {record, words};
