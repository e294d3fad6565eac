//! The JSON Schema of a scenario, made from its outline, for editors that complete and check while one writes.

use serde_json::{Map, Value, json};

use super::outline::{FORMAT, Kind, ROOT, Section};

/// The whole schema.
pub fn schema() -> Value {
    let mut schema = object(&ROOT);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(format!("Scenario of a load test ({FORMAT})"));
    schema
}

fn object(section: &Section) -> Value {
    let mut properties = Map::new();
    for field in section.fields {
        let mut property = form(field.kind);
        property["description"] = json!(field.about);
        properties.insert(field.key.to_owned(), property);
    }
    let needed: Vec<&str> =
        section.fields.iter().filter(|field| field.needed).map(|field| field.key).collect();
    let mut object = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !needed.is_empty() {
        object["required"] = json!(needed);
    }
    object
}

fn form(kind: Kind) -> Value {
    const NUMBER: &str = r"[0-9]+(\.[0-9]+)?";
    let time = format!("({NUMBER}(us|ms|s|m|h))+");
    let text = |pattern: String| json!({ "type": "string", "pattern": format!("^{pattern}$") });
    match kind {
        Kind::Text(most) => json!({ "type": "string", "maxLength": most }),
        Kind::Whole(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Choice(words) => json!({ "enum": words }),
        Kind::Rate => text(format!(r"{NUMBER}k?(\.\.{NUMBER}k?)?/s")),
        Kind::Time => text(time),
        Kind::Times => text(format!(r"{time}(\.\.{time})?")),
        Kind::Share => text(format!("{NUMBER}%")),
        Kind::Skew => text(format!(r"(uniform|zipf\({NUMBER}\))")),
        Kind::Names(most) => json!({
            "type": "array",
            "minItems": 1,
            "maxItems": most,
            "uniqueItems": true,
            "items": { "type": "string", "pattern": "^[a-z0-9_-]{1,32}$" },
        }),
        Kind::Table(section) => object(section),
        Kind::Tables(section, most) => {
            json!({ "type": "array", "minItems": 1, "maxItems": most, "items": object(section) })
        }
        Kind::Settings => json!({ "type": "object" }),
    }
}
