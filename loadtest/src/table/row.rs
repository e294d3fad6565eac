//! One goal, and what was measured of it.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};

use super::sample::Sample;

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better: `at_least` is the least that will do.
    More,
    /// Less is better: `at_least` is the most that will do.
    Less,
}

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// What is measured.
    pub name: &'static str,
    /// In which unit: `x` is a ratio.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// What must be reached.
    pub at_least: f64,
    /// What is wished for.
    pub aim: f64,
}

impl Goal {
    /// True if a value is good enough.
    pub fn is_met_by(&self, value: f64) -> bool {
        match self.better {
            Better::More => value >= self.at_least,
            Better::Less => value <= self.at_least,
        }
    }

    /// The goal with what was measured; `note` says how, or why not.
    pub fn row(self, sample: &Sample, note: impl Into<String>) -> Row {
        let value = sample.median();
        let interval = sample.interval();
        Row {
            name: self.name,
            unit: self.unit,
            value,
            low: interval.map(|(low, _)| low),
            high: interval.map(|(_, high)| high),
            at_least: self.at_least,
            aim: self.aim,
            better: self.better,
            met: value.is_some_and(|value| self.is_met_by(value)),
            runs: sample.len(),
            note: note.into(),
        }
    }
}

/// A line of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What was measured.
    pub name: &'static str,
    /// In which unit.
    pub unit: &'static str,
    /// The median; none = it could not be measured.
    #[serde(serialize_with = "rounded")]
    pub value: Option<f64>,
    /// Where the true median begins; none = measured once.
    #[serde(serialize_with = "rounded")]
    pub low: Option<f64>,
    /// Where it ends.
    #[serde(serialize_with = "rounded")]
    pub high: Option<f64>,
    /// What must be reached.
    pub at_least: f64,
    /// What is wished for.
    pub aim: f64,
    /// Which way is better.
    pub better: Better,
    /// Whether `value` is good enough.
    pub met: bool,
    /// How many runs the median is of.
    pub runs: usize,
    /// How it was measured, or why it was not.
    pub note: String,
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn rounded<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(|value| (value * 1e4).round() / 1e4).serialize(serializer)
}

/// All lines.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Table {
    /// In the order of the goals.
    pub rows: Vec<Row>,
    /// Runs that did not count, and why.
    pub invalid: Vec<String>,
}

impl Table {
    /// True if every goal was measured and no run was invalid.
    pub fn is_whole(&self) -> bool {
        self.invalid.is_empty() && self.rows.iter().all(|row| row.value.is_some())
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{:<74} {:>10} {:>21} {:>10} {:>10}  {:<6}\n",
            "what", "median", "(95 % of medians)", "at least", "aim", ""
        );
        for row in &self.rows {
            let value = row.value.map_or("–".to_owned(), number);
            let interval = row
                .low
                .zip(row.high)
                .map_or(String::new(), |(low, high)| format!("({} – {})", number(low), number(high)));
            let name = format!("{} [{}]", row.name, row.unit);
            let verdict = if row.met { "met" } else { "missed" };
            let (at_least, aim) = (number(row.at_least), number(row.aim));
            writeln!(text, "{name:<74} {value:>10} {interval:>21} {at_least:>10} {aim:>10}  {verdict:<6}")
                .expect(WRITES);
            if !row.note.is_empty() {
                writeln!(text, "    {}", row.note).expect(WRITES);
            }
        }
        for why in &self.invalid {
            writeln!(text, "INVALID: {why}").expect(WRITES);
        }
        text
    }
}

const WRITES: &str = "writing to a String cannot fail";

/// Three significant digits are more than such runs give.
fn number(value: f64) -> String {
    if value.abs() >= 1_000.0 {
        let whole = format!("{value:.0}");
        let digits = whole.trim_start_matches('-');
        let grouped: Vec<&str> = digits
            .as_bytes()
            .rchunks(3)
            .rev()
            .map(|group| std::str::from_utf8(group).unwrap_or_default())
            .collect();
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}{}", grouped.join(","))
    } else if value.abs() >= 100.0 {
        format!("{value:.0}")
    } else if value.abs() >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Better, Goal, Table, number};
    use crate::table::Sample;

    const GOAL: Goal = Goal { name: "cost", unit: "x", better: Better::More, at_least: 1.2, aim: 1.5 };

    #[test]
    fn given_a_goal_when_the_median_reaches_it_then_it_is_met() {
        assert!(GOAL.row(&Sample::of([1.0, 1.3, 1.4]), "").met);
        assert!(!GOAL.row(&Sample::of([1.0, 1.1, 1.4]), "").met);
        let less = Goal { better: Better::Less, ..GOAL };
        assert!(less.row(&Sample::of([1.1]), "").met);
        assert!(!less.row(&Sample::of([1.3]), "").met);
    }

    #[test]
    fn given_nothing_measured_when_the_row_is_made_then_it_is_missed_and_the_table_is_not_whole() {
        let row = GOAL.row(&Sample::default(), "no nats-server");
        assert!(!row.met);
        let table = Table { rows: vec![row], invalid: Vec::new() };
        assert!(!table.is_whole());
        assert!(table.text().contains("missed"), "{}", table.text());
        assert!(table.text().contains("no nats-server"));
    }

    #[test]
    fn given_a_table_when_it_is_written_for_programs_then_each_row_has_the_promised_fields() {
        let table = Table { rows: vec![GOAL.row(&Sample::of([1.0, 1.25, 2.0]), "")], invalid: Vec::new() };
        let value = serde_json::to_value(&table).unwrap();
        let row = &value["rows"][0];
        assert_eq!(row["name"], "cost");
        assert_eq!(row["unit"], "x");
        assert_eq!(row["value"], 1.25);
        assert_eq!((&row["low"], &row["high"]), (&1.0.into(), &2.0.into()));
        assert_eq!((&row["at_least"], &row["aim"], &row["met"]), (&1.2.into(), &1.5.into(), &true.into()));
    }

    #[test]
    fn numbers_are_short() {
        let written = [0.5, 12.34, 123.4, 1_234.5, 1_234_567.0].map(number);
        assert_eq!(written, ["0.50", "12.3", "123", "1,234", "1,234,567"]);
    }
}
