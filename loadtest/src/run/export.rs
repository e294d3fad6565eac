//! A run for other programs: results as `JUnit` tests, the time series as CSV, and the times as a log of `HdrHistogram`s.

use std::fmt::Write;

use super::Summary;
use super::ending::Ending;
use super::summary::Point;
use crate::scenario::objective::Leg;

/// One test and how it went.
struct Case {
    name: String,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    Failed(String),
    Skipped(&'static str),
}

/// Objectives, invariants and the run itself as a `JUnit` report: what CI servers show.
pub fn junit(summary: &Summary) -> String {
    let suites = [
        ("run", vec![of_run(summary)]),
        ("objectives", objectives(summary)),
        ("invariants", invariants(summary)),
    ];
    let failed = |cases: &[Case]| count(cases, |outcome| matches!(outcome, Outcome::Failed(_)));
    let all: usize = suites.iter().map(|(_, cases)| cases.len()).sum();
    let all_failed: usize = suites.iter().map(|(_, cases)| failed(cases)).sum();
    let name = escaped(&summary.scenario.name);
    let seconds = summary.measured.seconds;
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{name}\" tests=\"{all}\" failures=\"{all_failed}\" \
         errors=\"0\" time=\"{seconds:.3}\">\n"
    );
    for (suite, cases) in &suites {
        let skipped = count(cases, |outcome| matches!(outcome, Outcome::Skipped(_)));
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "  <testsuite name=\"{suite}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{skipped}\" timestamp=\"{}\" \
             time=\"{seconds:.3}\">",
            cases.len(),
            failed(cases),
            escaped(&summary.environment.started_at)
        );
        for case in cases {
            text.push_str(&element(&summary.scenario.name, suite, case));
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn count(cases: &[Case], is: impl Fn(&Outcome) -> bool) -> usize {
    cases.iter().filter(|case| is(&case.outcome)).count()
}

fn element(scenario: &str, suite: &str, case: &Case) -> String {
    let head =
        format!("    <testcase classname=\"{}.{suite}\" name=\"{}\"", escaped(scenario), escaped(&case.name));
    match &case.outcome {
        Outcome::Passed => format!("{head}/>\n"),
        Outcome::Failed(why) => format!("{head}><failure message=\"{}\"/></testcase>\n", escaped(why)),
        Outcome::Skipped(why) => format!("{head}><skipped message=\"{}\"/></testcase>\n", escaped(why)),
    }
}

/// What no objective and no invariant says: invalid, interrupted, aborted, worse than the baseline.
fn of_run(summary: &Summary) -> Case {
    let ending = &summary.ending;
    let is_told_elsewhere =
        matches!(ending.how, Ending::Good | Ending::ObjectiveMissed | Ending::InvariantViolated);
    let why = || format!("{}: {}", ending.how.as_str(), ending.reasons.join("; "));
    let outcome = if is_told_elsewhere { Outcome::Passed } else { Outcome::Failed(why()) };
    Case { name: "ended as it should".to_owned(), outcome }
}

fn objectives(summary: &Summary) -> Vec<Case> {
    let case = |one: &super::summary::ObjectiveResult| {
        let measured =
            one.value.map_or_else(|| "nothing was measured".to_owned(), |value| one.unit.show(value));
        let wanted = format!("{} {}", one.comparison, one.unit.show(one.limit));
        let outcome =
            if one.met { Outcome::Passed } else { Outcome::Failed(format!("{measured}, must be {wanted}")) };
        let part = one.part.as_ref().map(|part| format!(" ({part})")).unwrap_or_default();
        Case { name: format!("{}{part}", one.name), outcome }
    };
    summary.objectives.iter().map(case).collect()
}

fn invariants(summary: &Summary) -> Vec<Case> {
    let case = |one: &super::summary::InvariantResult| {
        let outcome = match (one.is_on, one.violations) {
            (false, _) => Outcome::Skipped("it is switched off, or cannot be judged"),
            (true, 0) => Outcome::Passed,
            (true, violations) => Outcome::Failed(format!("{violations} violations")),
        };
        Case { name: one.name.clone(), outcome }
    };
    summary.invariants.iter().map(case).collect()
}

/// A text in XML: nothing in it becomes markup, and what XML cannot hold at all is left out.
fn escaped(text: &str) -> String {
    let is_allowed = |letter: &char| !letter.is_control() || matches!(letter, '\n' | '\t');
    let kept: String =
        text.chars().filter(is_allowed).filter(|letter| !matches!(letter, '\u{fffe}' | '\u{ffff}')).collect();
    super::page::escaped(&kept).replace('\n', "&#10;").replace('\t', "&#9;")
}

/// What happened when: a line for each point, with rates in orders a second and times in milliseconds. A cell is empty where nobody
/// came to the end of a leg.
pub fn csv(summary: &Summary) -> String {
    let legs = || Leg::ALL.iter().map(|leg| leg.as_str());
    let times = legs().flat_map(|leg| [format!("{leg}_p50_ms"), format!("{leg}_p99_ms")]);
    let rates = ["second", "target", "sent", "acked", "committed", "completed", "ended", "open"];
    let heads: Vec<String> = rates.map(str::to_owned).into_iter().chain(times).collect();
    let lines = summary.points.iter().map(line);
    [heads.join(",")].into_iter().chain(lines).map(|line| line + "\n").collect()
}

fn line(point: &Point) -> String {
    let rates =
        [point.second, point.target, point.sent, point.acked, point.committed, point.completed, point.ended];
    let cell = |time: Option<f64>| time.map(|time| time.to_string()).unwrap_or_default();
    let times = point.p50.into_iter().zip(point.p99).flat_map(|(p50, p99)| [cell(p50), cell(p99)]);
    let rates = rates.into_iter().map(|rate| rate.to_string()).chain([point.open.to_string()]);
    rates.chain(times).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::super::Ending;
    use super::super::example::example;
    use super::{csv, junit};

    #[test]
    fn given_a_run_that_held_then_every_test_passes() {
        let text = junit(&example());
        let tests = text.matches("<testcase ").count();
        assert!(
            text.contains(&format!("<testsuites name=\"steady\" tests=\"{tests}\" failures=\"0\"")),
            "{text}"
        );
        assert!(
            text.contains("<testcase classname=\"steady.objectives\" name=\"commit.p99 &lt;= 250ms\"/>"),
            "{text}"
        );
        assert!(!text.contains("<failure"), "{text}");
    }

    #[test]
    fn given_what_did_not_hold_then_its_own_test_fails_and_says_by_how_much() {
        let mut summary = example();
        summary.objectives[0].met = false;
        summary.objectives[0].value = Some(900.0);
        summary.invariants[0].violations = 3;
        summary.invariants[1].is_on = false;
        summary.also(Ending::ObjectiveMissed, "too slow".to_owned());
        let text = junit(&summary);
        assert!(text.contains("failures=\"2\""), "{text}");
        assert!(text.contains("name=\"ended as it should\"/>"), "its tests tell it: {text}");
        assert!(text.contains(", must be &lt;= "), "{text}");
        assert!(text.contains("<failure message=\"3 violations\"/>"), "{text}");
        assert_eq!(text.matches("<skipped ").count(), 1, "{text}");
        summary.also(Ending::RunInvalid, "the generator\nwas <late> \u{1}".to_owned());
        let text = junit(&summary);
        assert!(text.contains("run invalid: the generator&#10;was &lt;late&gt; ; too slow"), "{text}");
    }

    #[test]
    fn given_points_then_each_is_a_line_with_as_many_cells_as_there_are_heads() {
        let text = csv(&example());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(
            lines[0],
            "second,target,sent,acked,committed,completed,ended,open,ack_p50_ms,ack_p99_ms,accept_p50_ms,accept_p99_ms,\
             commit_p50_ms,commit_p99_ms,complete_p50_ms,complete_p99_ms"
        );
        assert_eq!(lines[2], "1,50,50,50,49,48,49,7,1,3,2,9,3,30,,");
    }
}
