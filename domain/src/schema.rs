//! JSON Schemas (2020-12) of the messages, made from the types that read and write them.

/// A field that may be left out has a default; schemars calls it required because reading has no default of its own.
pub(crate) fn defaults_are_not_required(schema: &mut schemars::Schema) {
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
pub(crate) fn of_incoming<T: schemars::JsonSchema>() -> schemars::Schema {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_deserialize()
        .into_generator()
        .into_root_schema_for::<T>()
}

/// The schema of what we write.
pub(crate) fn of_outgoing<T: schemars::JsonSchema>() -> schemars::Schema {
    schemars::generate::SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>()
}
