//! From text to values: what stands where, with all mistakes of form at once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use domain::ids::Token;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::meaning::Skew;
use super::outline::{Field, Kind, MOST_RATE, ROOT, Section};
use super::problem::{Problems, nearest};
use super::quantity::{self, Ramp};

/// The largest scenario, in bytes.
const MOST_BYTES: usize = 256 << 10;
/// The most keys under `[server]`.
const MOST_SETTINGS: usize = 64;
/// The longest time that may be written anywhere.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// A value of the form that its key asks for.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Whole(u64),
    Switch(bool),
    Rate(Ramp),
    Time(Duration),
    Times(Duration, Duration),
    Share(f64),
    Skew(Skew),
    Names(Vec<String>),
    Table(Values),
    Tables(Vec<Values>),
    Settings(BTreeMap<String, String>),
}

/// The values of one table.
#[derive(Debug, Clone, Default)]
pub(super) struct Values {
    /// The field that this table is, as `slo[2].`; empty for the whole file.
    pub(super) path: String,
    /// The line where it begins.
    pub(super) line: usize,
    fields: BTreeMap<&'static str, (Value, usize)>,
}

macro_rules! getter {
    ($name:ident, $variant:ident, $type:ty) => {
        pub(super) fn $name(&self, key: &str) -> Option<$type> {
            match self.fields.get(key) {
                Some((Value::$variant(value), _)) => Some(value.clone()),
                _ => None,
            }
        }
    };
}

impl Values {
    getter!(text, Text, String);
    getter!(whole, Whole, u64);
    getter!(switch, Switch, bool);
    getter!(rate, Rate, Ramp);
    getter!(time, Time, Duration);
    getter!(share, Share, f64);
    getter!(skew, Skew, Skew);
    getter!(names, Names, Vec<String>);
    getter!(settings, Settings, BTreeMap<String, String>);

    pub(super) fn times(&self, key: &str) -> Option<(Duration, Duration)> {
        match self.fields.get(key) {
            Some((Value::Times(least, most), _)) => Some((*least, *most)),
            _ => None,
        }
    }

    pub(super) fn table(&self, key: &str) -> Option<&Self> {
        match self.fields.get(key) {
            Some((Value::Table(values), _)) => Some(values),
            _ => None,
        }
    }

    pub(super) fn tables(&self, key: &str) -> &[Self] {
        match self.fields.get(key) {
            Some((Value::Tables(tables), _)) => tables,
            _ => &[],
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.fields.contains_key(key)
    }

    /// The line of a key; that of the table if it is not there.
    pub(super) fn line(&self, key: &str) -> usize {
        self.fields.get(key).map_or(self.line, |(_, line)| *line)
    }

    /// The full name of a key.
    pub(super) fn name(&self, key: &str) -> String {
        format!("{}{key}", self.path)
    }
}

/// Reads `text`. None = it is no TOML at all.
pub(super) fn read(text: &str, problems: &mut Problems) -> Option<Values> {
    if text.len() > MOST_BYTES {
        let size = format!("{} bytes", text.len());
        problems.add(0, "scenario", size, format!("write at most {MOST_BYTES} bytes"));
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, problems };
    for error in &errors {
        let line = error.span().map_or(0, |span| reader.line(&span));
        reader.problems.add(line, "TOML", "", error.message().to_owned());
    }
    if errors.is_empty() { Some(reader.table(&ROOT, table.get_ref(), String::new(), 0)) } else { None }
}

struct Reader<'a> {
    text: &'a str,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        1 + self.text.as_bytes().iter().take(span.start).filter(|byte| **byte == b'\n').count()
    }

    fn table(&mut self, section: &Section, table: &DeTable<'_>, path: String, line: usize) -> Values {
        for key in table.keys() {
            let word = key.get_ref().as_ref();
            if section.fields.iter().all(|field| field.key != word) {
                let known = section.fields.iter().map(|field| field.key);
                let remedy = match nearest(word, known.clone()) {
                    Some(meant) => format!("unknown key; did you mean {meant}?"),
                    None => format!("unknown key; expected one of {}", known.collect::<Vec<_>>().join(", ")),
                };
                self.problems.add(self.line(&key.span()), format!("{path}{word}"), "", remedy);
            }
        }
        let mut values = Values { path, line, fields: BTreeMap::new() };
        for field in section.fields {
            let name = values.name(field.key);
            match table.get(field.key) {
                Some(value) => {
                    let line = self.line(&value.span());
                    if let Some(read) = self.value(field, value, &name, line) {
                        values.fields.insert(field.key, (read, line));
                    }
                }
                None if field.needed => {
                    let remedy = format!("is missing; add {}", field.kind.expected());
                    self.problems.add(line, name, "", remedy);
                }
                None => {}
            }
        }
        values
    }

    fn value(
        &mut self,
        field: &Field,
        value: &Spanned<DeValue<'_>>,
        name: &str,
        line: usize,
    ) -> Option<Value> {
        let read = match (field.kind, value.get_ref()) {
            (Kind::Table(section), DeValue::Table(table)) => {
                return Some(Value::Table(self.table(section, table, format!("{name}."), line)));
            }
            (Kind::Tables(section, most), DeValue::Array(array)) if (1..=most).contains(&array.len()) => {
                return Some(Value::Tables(self.tables(section, array.iter(), name)));
            }
            (Kind::Settings, DeValue::Table(table)) => {
                return Some(Value::Settings(self.settings(table, name)));
            }
            (kind, value) => scalar(kind, value),
        };
        if read.is_none() {
            let found = shown(self.text, &value.span());
            self.problems.add(line, name, found, format!("expected {}", field.kind.expected()));
        }
        read
    }

    fn tables<'a, 'b: 'a>(
        &mut self,
        section: &Section,
        items: impl Iterator<Item = &'a Spanned<DeValue<'b>>>,
        name: &str,
    ) -> Vec<Values> {
        let mut tables = Vec::new();
        for (place, item) in items.enumerate() {
            let (line, name) = (self.line(&item.span()), format!("{name}[{}]", place + 1));
            match item.get_ref() {
                DeValue::Table(table) => tables.push(self.table(section, table, format!("{name}."), line)),
                _ => self.problems.add(line, name, shown(self.text, &item.span()), "expected a table"),
            }
        }
        tables
    }

    /// Keys with dots in them and tables within tables mean the same.
    fn settings(&mut self, table: &DeTable<'_>, name: &str) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::new();
        let mut open = vec![(String::new(), table)];
        while let Some((path, table)) = open.pop() {
            for (key, value) in table {
                let key = format!("{path}{}", key.get_ref());
                let text = match value.get_ref() {
                    DeValue::Table(inner) => {
                        open.push((format!("{key}."), inner));
                        continue;
                    }
                    DeValue::String(text) => text.to_string(),
                    DeValue::Integer(number) => number.as_str().replace('_', ""),
                    DeValue::Float(number) => number.as_str().to_owned(),
                    DeValue::Boolean(is) => is.to_string(),
                    DeValue::Datetime(_) | DeValue::Array(_) => {
                        let found = shown(self.text, &value.span());
                        let line = self.line(&value.span());
                        self.problems.add(
                            line,
                            format!("{name}.{key}"),
                            found,
                            "expected a number, a text or a switch",
                        );
                        continue;
                    }
                };
                settings.insert(key, text);
            }
        }
        if settings.len() > MOST_SETTINGS {
            self.problems.add(
                0,
                name,
                format!("{} keys", settings.len()),
                format!("write at most {MOST_SETTINGS}"),
            );
        }
        settings
    }
}

fn scalar(kind: Kind, value: &DeValue<'_>) -> Option<Value> {
    match (kind, value) {
        (Kind::Text(most), DeValue::String(text)) if text.len() <= most => {
            Some(Value::Text(text.to_string()))
        }
        (Kind::Choice(words), DeValue::String(text)) if words.contains(&text.as_ref()) => {
            Some(Value::Text(text.to_string()))
        }
        (Kind::Whole(least, most), DeValue::Integer(number)) if number.radix() == 10 => {
            let number = number.as_str().replace('_', "").parse().ok()?;
            (least..=most).contains(&number).then_some(Value::Whole(number))
        }
        (Kind::Switch, DeValue::Boolean(is)) => Some(Value::Switch(*is)),
        (Kind::Rate, DeValue::String(text)) => {
            quantity::ramp(text).filter(|ramp| ramp.from.max(ramp.to) <= MOST_RATE).map(Value::Rate)
        }
        (Kind::Time, DeValue::String(text)) => {
            quantity::time(text).filter(|time| *time <= LONGEST).map(Value::Time)
        }
        (Kind::Times, DeValue::String(text)) => {
            let (least, most) = quantity::times(text).filter(|(_, most)| *most <= LONGEST)?;
            Some(Value::Times(least, most))
        }
        (Kind::Share, DeValue::String(text)) => quantity::share(text).map(Value::Share),
        (Kind::Skew, DeValue::String(text)) => skew(text).map(Value::Skew),
        (Kind::Names(most), DeValue::Array(array)) if (1..=most).contains(&array.len()) => {
            names(array.iter().map(Spanned::get_ref)).map(Value::Names)
        }
        _ => None,
    }
}

/// Different tokens of a subject.
fn names<'a, 'b: 'a>(items: impl Iterator<Item = &'a DeValue<'b>>) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for item in items {
        let DeValue::String(text) = item else { return None };
        if Token::new(text).is_err() || names.iter().any(|name| name == text.as_ref()) {
            return None;
        }
        names.push(text.to_string());
    }
    Some(names)
}

fn skew(text: &str) -> Option<Skew> {
    if text == "uniform" {
        return Some(Skew::Uniform);
    }
    let exponent: f64 = text.strip_prefix("zipf(")?.strip_suffix(')')?.parse().ok()?;
    (0.1..=5.0).contains(&exponent).then_some(Skew::Zipf(exponent))
}

/// What stands in the file, on one line and not too long.
fn shown(text: &str, span: &Range<usize>) -> String {
    let found = text.get(span.clone()).unwrap_or_default();
    let line: String = found.lines().next().unwrap_or_default().chars().take(60).collect();
    if line.len() < found.len() { format!("{line}…") } else { line }
}
