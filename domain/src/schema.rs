//! JSON Schemas (2020-12) of the messages, made from the types that read and write them.

use schemars::Schema;

use crate::messages::decode;
use crate::messages::outbound::{answers, commands, events, reservations, stock_events};
use crate::reference::values::{Item, Limits, Node};
use crate::reservation::message as reservation;
use crate::stock::message as stock;

/// The schema of one message.
#[derive(Debug)]
pub struct Document {
    /// `<plane>/<domain>.<name>`; the receipt has no domain.
    pub path: String,
    /// The schema, without examples.
    pub schema: Schema,
}

/// The schemas of all messages, in and out, and of the values of reference data.
pub fn documents() -> Vec<Document> {
    let read = decode::KNOWN.iter().map(|(plane, domain, name)| {
        (format!("{}/{domain}.{name}", plane.as_str()), decode::schema(domain, name))
    });
    let read = read.chain(reservation::KNOWN.iter().map(|(plane, domain, name)| {
        (format!("{}/{domain}.{name}", plane.as_str()), reservation::schema(name))
    }));
    let commands = commands::schemas().into_iter().map(|(kind, schema)| (format!("cmd/{kind}"), schema));
    let stock = stock::KNOWN
        .iter()
        .map(|(plane, domain, name)| (format!("{}/{domain}.{name}", plane.as_str()), stock::schema(name)));
    let events = events::schemas()
        .into_iter()
        .chain(stock_events::schemas())
        .chain(reservations::schemas())
        .map(|(kind, schema)| (format!("evt/{kind}"), schema));
    let others = [
        ("evt/all.page".to_owned(), of_outgoing::<answers::Page<'static>>()),
        ("receipt/receipt".to_owned(), of_outgoing::<answers::Receipt<'static>>()),
        ("receipt/reservation".to_owned(), of_outgoing::<reservations::ReservationReceipt<'static>>()),
        ("dlq/dead_letter".to_owned(), of_outgoing::<answers::DeadLetter<'static>>()),
        ("reference/node".to_owned(), of_incoming::<Node>()),
        ("reference/item".to_owned(), of_incoming::<Item>()),
        ("reference/promotion".to_owned(), of_incoming::<Limits>()),
        ("reference/coupon".to_owned(), of_incoming::<Limits>()),
    ];
    read.chain(stock)
        .chain(commands)
        .chain(events)
        .chain(others)
        .map(|(path, schema)| Document::new(path, schema))
        .collect()
}

impl Document {
    fn new(path: String, mut schema: Schema) -> Self {
        schema.insert("$id".to_owned(), format!("urn:doorbuster:v1:{}", path.replace('/', ":")).into());
        schema.insert("title".to_owned(), path.clone().into());
        Self { path, schema }
    }
}

/// A field that may be left out has a default; schemars calls it required because reading has no default of its own.
pub(crate) fn defaults_are_not_required(schema: &mut Schema) {
    let defaulted: Vec<String> = schema
        .get("properties")
        .and_then(serde_json::Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(_, property)| property.get("default").is_some())
        .map(|(name, _)| name.clone())
        .collect();
    if let Some(serde_json::Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| !defaulted.iter().any(|defaulted| name == defaulted));
    }
}

/// The schema of what we read.
pub(crate) fn of_incoming<T: schemars::JsonSchema>() -> Schema {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_deserialize()
        .into_generator()
        .into_root_schema_for::<T>()
}

/// The schema of what we write.
pub(crate) fn of_outgoing<T: schemars::JsonSchema>() -> Schema {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>()
}
