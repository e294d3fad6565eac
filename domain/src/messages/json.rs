//! An object that goes through us unread.

use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::messages::shape::Shape;

/// An object that is passed on whole, fields that we do not know included. Kept as compact JSON text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JsonObject(Box<str>);

impl JsonObject {
    /// The object as JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Map<String, Value>> for JsonObject {
    fn from(object: Map<String, Value>) -> Self {
        Self(Value::Object(object).to_string().into())
    }
}

impl Serialize for JsonObject {
    /// As it is in JSON; value by value in MessagePack.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serde_json::from_str::<&RawValue>(&self.0)
                .map_err(S::Error::custom)?
                .serialize(serializer);
        }
        serde_json::from_str::<Value>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Self::from)
    }
}

impl Shape for JsonObject {
    const FORM: &'static str = "an object";
}

#[cfg(feature = "schemas")]
impl schemars::JsonSchema for JsonObject {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "JsonObject".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object" })
    }
}
