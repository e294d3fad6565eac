//! Two runs side by side: what became better, what became worse, and whether it is worse by more than is allowed.

use std::fmt::Write as _;

use serde::Serialize;

use super::summary::Summary;
use crate::scenario::objective::{Leg, Unit};

/// Less than this is no difference, whatever part of a short time it is: the clock of a busy machine is not finer.
const NOISE_MS: f64 = 1.0;

/// One measurement of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// What was measured.
    pub what: String,
    /// In which unit.
    pub unit: Unit,
    /// By the first run.
    pub before: f64,
    /// By the second.
    pub after: f64,
    /// How much worse the second is, as a part of the first; negative = better.
    pub worse: f64,
    /// Worse by more than is allowed.
    pub is_regression: bool,
}

/// Both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// What differs between the runs besides the measurements, so that they may not be comparable.
    pub reservations: Vec<String>,
    /// The measurements.
    pub differences: Vec<Difference>,
}

impl Comparison {
    /// Names of what is worse by more than is allowed.
    pub fn regressions(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.is_regression)
    }
}

/// Compares two runs; `most` is the allowed worsening as a part of one. What counts is p50 and p99 of each leg and the
/// throughput: the tail beyond is shown, but too rare to judge by.
pub fn compare(before: &Summary, after: &Summary, most: f64) -> Comparison {
    let mut differences = Vec::new();
    let throughput = (before.measured.throughput, after.measured.throughput);
    let worse = part(throughput.0 - throughput.1, throughput.0);
    differences.push(Difference {
        what: "throughput".to_owned(),
        unit: Unit::PerSecond,
        before: throughput.0,
        after: throughput.1,
        worse,
        is_regression: worse > most,
    });
    for leg in Leg::ALL {
        let Some((old, new)) = before.leg(leg).zip(after.leg(leg)) else { continue };
        if old.corrected.count == 0 || new.corrected.count == 0 {
            continue;
        }
        let (old, new) = (old.corrected, new.corrected);
        for (name, before, after, counts) in [
            ("p50", old.p50, new.p50, true),
            ("p99", old.p99, new.p99, true),
            ("p99.9", old.p999, new.p999, false),
            ("max", old.max, new.max, false),
        ] {
            let worse = part(after - before, before);
            let is_regression = counts && worse > most && after - before > NOISE_MS;
            let what = format!("{}.{name}", leg.as_str());
            differences.push(Difference {
                what,
                unit: Unit::Milliseconds,
                before,
                after,
                worse,
                is_regression,
            });
        }
    }
    Comparison { reservations: reservations(before, after), differences }
}

fn part(difference: f64, whole: f64) -> f64 {
    if whole > 0.0 { difference / whole } else { 0.0 }
}

fn reservations(before: &Summary, after: &Summary) -> Vec<String> {
    let (old, new) = (&before.environment, &after.environment);
    let pairs = [
        ("scenario", before.scenario.text.as_str(), after.scenario.text.as_str()),
        ("target", old.target.as_str(), new.target.as_str()),
        ("durability", old.durability.as_str(), new.durability.as_str()),
        ("version", old.version.as_str(), new.version.as_str()),
        ("participants", old.participants.as_str(), new.participants.as_str()),
        ("system", old.system.as_str(), new.system.as_str()),
    ];
    let differ = pairs.into_iter().filter(|(_, before, after)| before != after);
    let mut all: Vec<String> = differ.map(|(what, ..)| format!("{what} differs")).collect();
    if old.cores != new.cores {
        all.push(format!("{} cores and {} cores", old.cores, new.cores));
    }
    for (name, summary) in [("first", before), ("second", after)] {
        if summary.ending.code == super::Ending::RunInvalid.code() {
            all.push(format!("the {name} run is invalid"));
        }
    }
    all
}

/// The comparison as text. Writing into a string does not fail.
pub fn text(comparison: &Comparison) -> String {
    let mut page = String::new();
    for reservation in &comparison.reservations {
        let _ = writeln!(page, "not alike: {reservation}");
    }
    let _ = writeln!(page, "{:<16}{:>14}{:>14}{:>10}", "", "before", "after", "change");
    for one in &comparison.differences {
        let (before, after) = (one.unit.show(one.before), one.unit.show(one.after));
        let word = if one.is_regression { "  REGRESSION" } else { "" };
        let _ = writeln!(page, "{:<16}{before:>14}{after:>14}{:>10}{word}", one.what, change(one));
    }
    page
}

/// How the value changed, with its sign.
pub(super) fn change(one: &Difference) -> String {
    format!("{:+.1} %", part(one.after - one.before, one.before) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::{compare, text};
    use crate::run::example::example;
    use crate::run::summary::Quantiles;

    #[test]
    fn what_is_worse_by_more_than_allowed_is_a_regression() {
        let before = example();
        let mut after = example();
        after.legs[2].corrected.p99 = before.legs[2].corrected.p99 * 1.2;
        after.measured.throughput = before.measured.throughput * 0.97;
        let comparison = compare(&before, &after, 0.05);
        let names: Vec<&str> = comparison.regressions().map(|one| one.what.as_str()).collect();
        assert_eq!(names, ["commit.p99"]);
        assert!(comparison.reservations.is_empty());
        assert!(text(&comparison).contains("+20.0 %  REGRESSION"), "{}", text(&comparison));
        assert_eq!(compare(&before, &after, 0.25).regressions().count(), 0);
        assert_eq!(compare(&before, &after, 0.01).regressions().count(), 2);
    }

    #[test]
    fn less_than_a_millisecond_is_no_regression_and_other_conditions_are_told() {
        let mut before = example();
        before.legs[0].corrected = Quantiles { count: 9, p50: 0.2, p90: 0.2, p99: 0.4, p999: 0.4, max: 0.4 };
        let mut after = before.clone();
        after.legs[0].corrected.p50 = 0.6;
        after.environment.cores = 64;
        let comparison = compare(&before, &after, 0.05);
        assert_eq!(comparison.regressions().count(), 0);
        assert_eq!(comparison.reservations, ["2 cores and 64 cores"]);
    }
}
