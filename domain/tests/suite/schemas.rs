//! The published schemas are those of the types, and the types read what the schemas say.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use domain::decider::Decider;
use domain::envelope::Envelope;
use domain::messages::decode;
use domain::schema::documents;
use domain::stock::Stock;
use domain::stock::message::KNOWN;
use serde_json::{Value, json};

use crate::golden::{envelope, golden, incoming, updating};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/contract/schemas")
}

fn with_examples() -> Vec<(String, Value)> {
    let documents = documents().into_iter().map(|document| {
        let mut schema = document.schema.to_value();
        schema["examples"] = json!([golden(&document.path)]);
        (document.path, schema)
    });
    documents.collect()
}

#[test]
fn given_the_types_when_their_schemas_are_made_then_the_published_ones_are_the_same() {
    let mut expected = BTreeSet::new();
    for (path, schema) in with_examples() {
        let file = folder().join(format!("{path}.json"));
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if updating() {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &text).unwrap();
        }
        let published =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(
            published, text,
            "{path} is stale: UPDATE_GOLDEN=1 cargo test -p doorbuster-domain --features schemas -- --test-threads=1"
        );
        expected.insert(file);
    }
    for plane in fs::read_dir(folder()).unwrap() {
        for file in fs::read_dir(plane.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            assert!(expected.contains(&file), "{} is no message any more", file.display());
        }
    }
}

/// The schema that a body is under, past references and choices.
fn resolve<'a>(root: &'a Value, schema: &'a Value, body: &Value) -> &'a Value {
    if let Some(pointer) = schema["$ref"].as_str() {
        return resolve(root, root.pointer(&pointer[1..]).unwrap_or_else(|| panic!("{pointer}")), body);
    }
    let fits = |choice: &&Value| match body {
        Value::Object(fields) => fields.keys().all(|name| choice["properties"].get(name).is_some()),
        _ => choice["type"] != "null",
    };
    let choices = schema["anyOf"].as_array().into_iter().flatten();
    choices.map(|choice| resolve(root, choice, body)).find(fits).unwrap_or(schema)
}

/// Compares a body with a schema field by field; gives the pointers of the required and of the other fields.
fn walk(
    root: &Value,
    schema: &Value,
    body: &Value,
    pointer: &str,
    required: &mut Vec<String>,
    free: &mut Vec<String>,
) {
    let schema = resolve(root, schema, body);
    match body {
        Value::Object(fields) if schema.get("properties").is_some() => {
            let names = schema["required"].as_array().cloned().unwrap_or_default();
            for (name, value) in fields {
                let property = &schema["properties"][name];
                assert!(!property.is_null(), "{pointer}/{name} is not in the schema");
                let list = if names.contains(&json!(name)) { &mut *required } else { &mut *free };
                list.push(format!("{pointer}/{name}"));
                walk(root, property, value, &format!("{pointer}/{name}"), required, free);
            }
            for name in names {
                assert!(fields.contains_key(name.as_str().unwrap()), "{pointer} has no {name}");
            }
        }
        Value::Array(rows) => {
            for (index, row) in rows.iter().enumerate() {
                walk(root, &schema["items"], row, &format!("{pointer}/{index}"), required, free);
            }
        }
        _ => {}
    }
}

#[test]
fn given_every_schema_when_compared_with_its_example_then_fields_and_requirements_agree() {
    for (path, schema) in with_examples() {
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{path}");
        let (mut required, mut free) = (Vec::new(), Vec::new());
        walk(&schema, &schema, &schema["examples"][0], "", &mut required, &mut free);
        if is_about_stock(&path) {
            assert!(!required.contains(&"/order_id".to_owned()), "{path}");
            continue;
        }
        let has_no_owner = ["evt/all.page", "dlq/dead_letter"].contains(&path.as_str());
        // Those of a reservation may have no order, and those of an order have no reservation.
        let is_of_either = path.starts_with("evt/exception.");
        let owner = match &*path {
            _ if has_no_owner || is_of_either || path.starts_with("reference/") => None,
            reservation if reservation.contains("/reservation") => Some("/reservation_id"),
            _ => Some("/order_id"),
        };
        let named = required
            .iter()
            .map(String::as_str)
            .filter(|field| ["/reservation_id", "/order_id"].contains(field));
        assert_eq!(named.min_by_key(|field| *field != owner.unwrap_or_default()), owner, "{path}");
    }
}

/// True for what a stock cell is told, and for what it and counters tell; an order tells of its own stock in two words.
fn is_about_stock(path: &str) -> bool {
    let of_orders = ["evt/stock.allocated", "evt/stock.released"];
    !of_orders.contains(&path)
        && ["fact/stock.", "evt/stock.", "evt/counter."].iter().any(|about| path.starts_with(about))
}

/// Reads a message of any kind of entity; gives the pointers of what is wrong with it.
fn refused(envelope: &Envelope) -> Vec<String> {
    let refusal = match envelope.domain.as_str() {
        "stock" => Stock::decode(envelope).err(),
        _ => decode(envelope).err(),
    };
    refusal.into_iter().flat_map(|refusal| refusal.violations).map(|violation| violation.pointer).collect()
}

#[test]
fn given_a_message_when_a_field_is_left_out_then_it_is_refused_exactly_if_the_schema_requires_it() {
    let schemas = with_examples();
    let of_stock = KNOWN.iter().map(|(plane, domain, name)| {
        let path = format!("{}/{domain}.{name}", plane.as_str());
        let body = golden(&path);
        (*plane, *domain, *name, path, body)
    });
    for (plane, domain, name, path, body) in incoming().chain(of_stock) {
        let schema = &schemas.iter().find(|(of, _)| *of == path).unwrap().1;
        let (mut required, mut free) = (Vec::new(), Vec::new());
        walk(schema, schema, &body, "", &mut required, &mut free);
        assert!(required.len() > 1, "{path}");
        for (pointer, is_required) in
            required.iter().map(|p| (p, true)).chain(free.iter().map(|p| (p, false)))
        {
            // A rule between fields that the schema cannot say: only the last tender may leave its amount out.
            let is_required =
                is_required || ["/tenders", "/tenders/0/amount_minor"].contains(&pointer.as_str());
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            let mut without = body.clone();
            without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).unwrap();
            let named = refused(&envelope(plane, domain, name, without.to_string()));
            let expected: &[&String] = if is_required { &[pointer] } else { &[] };
            assert_eq!(named.iter().collect::<Vec<_>>(), expected, "{path}");
        }
    }
}
