//! Defaults, file, environment and flags, laid over each other key by key, each value checked against its default's type.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use crate::exit::Failure;

/// `config/default.toml`: every key with its default, unit and reason.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Variables of the environment that begin like ours but are no configuration of the server.
const NOT_CONFIGURATION: [&str; 4] =
    ["DOORBUSTER_NATS_SERVER", "DOORBUSTER_SEED", "DOORBUSTER_API", "DOORBUSTER_OPERATOR"];

const REMEDY: &str = "config/default.toml has every key with its unit, default and reason";

/// The defaults as a table.
pub(super) fn defaults() -> Table {
    DEFAULTS.parse().expect("config/default.toml is compiled in, and a test reads it")
}

/// All keys of a table with their values, `section.key`, sub-sections included.
pub fn flatten(table: &Table) -> BTreeMap<String, Value> {
    fn walk(prefix: &str, table: &Table, into: &mut BTreeMap<String, Value>) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                Value::Table(inner) => walk(&key, inner, into),
                other => {
                    into.insert(key, other.clone());
                }
            }
        }
    }
    let mut keys = BTreeMap::new();
    walk("", table, &mut keys);
    keys
}

/// The variable of the environment that sets `key`.
pub fn environment_name(key: &str) -> String {
    format!("DOORBUSTER_{}", key.replace('.', "_").to_uppercase())
}

/// Lays the text of a file over `table`. All mistakes are told at once, each with file and line.
pub(super) fn lay_file(table: &mut Table, path: &Path, text: &str) -> Result<(), Failure> {
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(1, |span| line_of(text, span.start));
        Failure::usage(format!("{}:{at}: {}", path.display(), error.message()), "correct the TOML syntax")
    })?;
    let mut mistakes = Vec::new();
    let mut tell = |offset: usize, what: String| {
        mistakes.push(format!("{}:{}: {what}", path.display(), line_of(text, offset)));
    };
    lay_section(table, document.get_ref(), "", &mut tell);
    if mistakes.is_empty() { Ok(()) } else { Err(Failure::usage(mistakes.join("\n"), REMEDY)) }
}

fn lay_section(known: &mut Table, given: &DeTable<'_>, section: &str, tell: &mut impl FnMut(usize, String)) {
    for (name, value) in given {
        let path = if section.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{section}.{}", name.get_ref())
        };
        let names = known.keys().cloned().collect::<Vec<_>>().join(", ");
        match (known.get_mut(name.get_ref().as_ref()), value.get_ref()) {
            (None, _) => tell(name.span().start, format!("unknown key `{path}`; known here: {names}")),
            (Some(Value::Table(inner)), DeValue::Table(given)) => lay_section(inner, given, &path, tell),
            (Some(slot), given) => match plain(given) {
                Some(value) if value.same_type(slot) => *slot = value,
                _ => tell(
                    value.span().start,
                    format!("`{path}` must be {}, found {}", a(slot.type_str()), a(given.type_str())),
                ),
            },
        }
    }
}

/// The value without its place in the file; none for kinds of value that no key has.
fn plain(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::String(text.to_string())),
        DeValue::Boolean(flag) => Some(Value::Boolean(*flag)),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::Integer)
        }
        DeValue::Array(items) => {
            items.iter().map(|item| plain(item.get_ref())).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// Lays the variables that begin with `DOORBUSTER_` over `table`.
pub(super) fn lay_environment(
    table: &mut Table,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<(), Failure> {
    let keys: BTreeMap<String, String> =
        flatten(table).into_keys().map(|key| (environment_name(&key), key)).collect();
    for (name, value) in variables {
        if !name.starts_with("DOORBUSTER_") || NOT_CONFIGURATION.contains(&name.as_str()) {
            continue;
        }
        let Some(key) = keys.get(&name) else {
            let known = keys.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(Failure::usage(
                format!("environment: unknown variable {name}; known are: {known}"),
                REMEDY,
            ));
        };
        lay_text(table, key, &name, &value)?;
    }
    Ok(())
}

/// Sets one known key from a text, read as the type that the key has.
pub(super) fn lay_text(table: &mut Table, key: &str, from: &str, text: &str) -> Result<(), Failure> {
    let mut slot = Value::Table(std::mem::take(table));
    let value = key
        .split('.')
        .try_fold(&mut slot, |at, part| at.get_mut(part))
        .expect("callers pass keys of the defaults, and layers never remove a key");
    let read = match value {
        Value::Integer(_) => text.trim().replace('_', "").parse().ok().map(Value::Integer),
        Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        _ => Some(Value::String(text.to_owned())),
    };
    let expected = a(value.type_str());
    let outcome = match read {
        Some(read) => {
            *value = read;
            Ok(())
        }
        None => Err(Failure::usage(format!("{from}: `{key}` must be {expected}, found {text:?}"), REMEDY)),
    };
    let Value::Table(back) = slot else { unreachable!("it was put there as a table") };
    *table = back;
    outcome
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn a(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}
