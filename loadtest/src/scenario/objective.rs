//! Objectives: a measurement, a limit, and how the two must stand to each other.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::meaning::Class;
use super::quantity;

/// Part of the way of an order, always from the moment when it was meant to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// Until the broker has stored the submit.
    Ack,
    /// Until the first event of the order.
    Accept,
    /// Until its receipt or the event says that it is committed or rejected.
    Commit,
    /// Until `order.completed`.
    Complete,
}

impl Leg {
    /// All of them, in the order of the way.
    pub const ALL: [Self; 4] = [Self::Ack, Self::Accept, Self::Commit, Self::Complete];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Accept => "accept",
            Self::Commit => "commit",
            Self::Complete => "complete",
        }
    }

    /// Its place in [`Leg::ALL`].
    pub const fn place(self) -> usize {
        self as usize
    }

    /// The leg with this name; `e2e` is the whole way.
    pub fn parse(name: &str) -> Option<Self> {
        let name = if name == "e2e" { "complete" } else { name };
        Self::ALL.into_iter().find(|leg| leg.as_str() == name)
    }
}

/// Which value of a leg.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// So many of one are not slower.
    Quantile(f64),
    /// The slowest.
    Max,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// The time of a leg.
    Leg(Leg, Statistic),
    /// Completed orders a second, from the end of the warm-up to the last end.
    Throughput,
    /// The part of submitted orders that the broker refused or that did not end.
    Errors,
    /// Dead letters.
    DeadLetters,
    /// Orders that have not ended.
    Open,
}

/// In what a metric is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// Orders a second.
    PerSecond,
    /// A part of one.
    Share,
    /// A number.
    Count,
}

impl Unit {
    /// How its values are written in a scenario.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Milliseconds => "a time such as \"50ms\"",
            Self::PerSecond => "a rate such as \"500/s\"",
            Self::Share => "a part of a hundred such as \"0.1%\"",
            Self::Count => "a whole number such as \"0\"",
        }
    }

    /// A value in words.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Milliseconds if value < 10.0 => format!("{value:.2} ms"),
            Self::Milliseconds => format!("{value:.0} ms"),
            Self::PerSecond => format!("{value:.1}/s"),
            Self::Share => format!("{:.3} %", value * 100.0),
            Self::Count => format!("{value:.0}"),
        }
    }
}

impl Metric {
    /// What can be written.
    pub const EXPECTED: &'static str = "ack, accept, commit, complete (or e2e) with .p50 … .p99.9 or .max; or throughput, errors.rate, dead_letters, open";

    /// The metric with this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "throughput" => return Some(Self::Throughput),
            "errors.rate" => return Some(Self::Errors),
            "dead_letters" => return Some(Self::DeadLetters),
            "open" => return Some(Self::Open),
            _ => {}
        }
        let (leg, statistic) = name.split_once('.')?;
        let statistic = match statistic {
            "max" => Statistic::Max,
            text => {
                let percent = quantity::share(&format!("{}%", text.strip_prefix('p')?))?;
                Statistic::Quantile(percent)
            }
        };
        Leg::parse(leg).map(|leg| Self::Leg(leg, statistic))
    }

    /// In what it is measured.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Leg(..) => Unit::Milliseconds,
            Self::Throughput => Unit::PerSecond,
            Self::Errors => Unit::Share,
            Self::DeadLetters | Self::Open => Unit::Count,
        }
    }

    /// A limit as it is written.
    pub fn limit(self, text: &str) -> Option<f64> {
        match self.unit() {
            Unit::Milliseconds => quantity::time(text).map(quantity::milliseconds),
            Unit::PerSecond => quantity::rate(text),
            Unit::Share => quantity::share(text),
            Unit::Count => text.parse::<u32>().ok().map(f64::from),
        }
    }
}

/// How a measurement must stand to its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Comparison {
    /// The comparison with this sign.
    pub fn parse(sign: &str) -> Option<Self> {
        [Self::Below, Self::AtMost, Self::Above, Self::AtLeast].into_iter().find(|one| one.as_str() == sign)
    }

    /// Its sign.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::AtLeast => ">=",
        }
    }

    /// Does it hold?
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Below => value < limit,
            Self::AtMost => value <= limit,
            Self::Above => value > limit,
            Self::AtLeast => value >= limit,
        }
    }

    /// How far the value is on the good side of the limit, as a part of the limit; negative = on the other.
    pub fn margin(self, value: f64, limit: f64) -> f64 {
        let distance = match self {
            Self::Below | Self::AtMost => limit - value,
            Self::Above | Self::AtLeast => value - limit,
        };
        if limit > 0.0 { distance / limit } else { distance }
    }
}

/// What must hold of a measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// Its name in reports.
    pub name: String,
    /// What is measured.
    pub metric: Metric,
    /// How it must stand to the limit.
    pub comparison: Comparison,
    /// The limit, in the unit of the metric.
    pub limit: f64,
    /// Only orders of this phase.
    pub phase: Option<String>,
    /// Only orders of this class.
    pub class: Option<Class>,
    /// Stop the run once it has not held for so long.
    pub abort_after: Option<Duration>,
}

impl Objective {
    /// `commit.p99<50ms`, as on the command line.
    pub fn parse(text: &str) -> Option<Self> {
        let at = text.find(['<', '>'])?;
        let signs = if text[at + 1..].starts_with('=') { 2 } else { 1 };
        let (metric, comparison) =
            (Metric::parse(text[..at].trim())?, Comparison::parse(&text[at..at + signs])?);
        let limit = metric.limit(text[at + signs..].trim())?;
        let name = text.to_owned();
        Some(Self { name, metric, comparison, limit, phase: None, class: None, abort_after: None })
    }
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Leg, Metric, Objective, Statistic};

    #[test]
    fn objectives_of_the_command_line_are_read() {
        let objective = Objective::parse("e2e.p99.9 <= 2s").unwrap();
        assert!(
            matches!(objective.metric, Metric::Leg(Leg::Complete, Statistic::Quantile(at)) if (at - 0.999).abs() < 1e-9)
        );
        assert!((objective.limit - 2_000.0).abs() < 1e-9);
        assert_eq!(objective.comparison, Comparison::AtMost);
        for text in ["commit.p99", "commit.p99<50", "speed<5ms", "commit.p101<5ms", "throughput>5%"] {
            assert_eq!(Objective::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_margin_is_negative_on_the_wrong_side() {
        assert!(Comparison::Below.margin(60.0, 50.0) < 0.0);
        assert!(Comparison::AtLeast.margin(60.0, 50.0) > 0.0);
        assert!(!Comparison::Below.holds(50.0, 50.0) && Comparison::AtMost.holds(50.0, 50.0));
    }
}
