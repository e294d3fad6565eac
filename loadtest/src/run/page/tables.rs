//! The tables of a page.

use super::markup::{escaped, ms, table};
use crate::run::compare::{Comparison, change};
use crate::run::summary::{Quantiles, Summary};
use crate::scenario::objective::Leg;

const HEADS: [&str; 7] = ["milliseconds", "count", "p50", "p90", "p99", "p99.9", "max"];

fn row(name: &str, times: &Quantiles) -> Vec<String> {
    let values = [times.p50, times.p90, times.p99, times.p999, times.max].map(ms);
    [vec![escaped(name), times.count.to_string()], values.to_vec()].concat()
}

/// Each leg from the intended moment, and beside it from the sending.
pub(super) fn legs(summary: &Summary) -> String {
    let mut rows = Vec::new();
    for leg in &summary.legs {
        rows.push(row(&format!("{}, from the intended moment", leg.leg.as_str()), &leg.corrected));
        rows.push(row(&format!("{}, from the sending (raw)", leg.leg.as_str()), &leg.raw));
    }
    rows.push(row("lateness of the generator", &summary.lateness));
    table(&HEADS, &rows)
}

pub(super) fn phases(summary: &Summary) -> String {
    let slowest = summary.phases.iter().map(|phase| phase.legs[Leg::Commit.place()].p99).fold(0.0, f64::max);
    let rows: Vec<Vec<String>> = summary
        .phases
        .iter()
        .map(|phase| {
            let (commit, complete) = (&phase.legs[Leg::Commit.place()], &phase.legs[Leg::Complete.place()]);
            let (from, to) = phase.rate;
            let rate = if from.total_cmp(&to).is_eq() {
                format!("{from:.0}/s")
            } else {
                format!("{from:.0}..{to:.0}/s")
            };
            let width = if slowest > 0.0 { commit.p99 / slowest * 120.0 } else { 0.0 };
            let bar = format!("<span class=\"bar\" style=\"width:{width:.0}px\"></span>{}", ms(commit.p99));
            vec![
                escaped(&phase.label),
                rate,
                format!("{:.0}–{:.0} s", phase.begins, phase.ends),
                phase.sent.to_string(),
                ms(commit.p50),
                bar,
                ms(complete.p50),
                ms(complete.p99),
            ]
        })
        .collect();
    let heads = [
        "phase",
        "rate meant",
        "time",
        "sent",
        "commit p50 ms",
        "commit p99 ms",
        "complete p50 ms",
        "complete p99 ms",
    ];
    table(&heads, &rows)
}

pub(super) fn classes(summary: &Summary) -> String {
    let mut rows = Vec::new();
    for class in &summary.classes {
        for leg in [Leg::Commit, Leg::Complete] {
            rows.push(row(&format!("{}, {}", class.name, leg.as_str()), &class.legs[leg.place()]));
        }
    }
    table(&HEADS, &rows)
}

pub(super) fn objectives(summary: &Summary) -> String {
    if summary.objectives.is_empty() {
        return "<p class=\"faint\">The scenario names none.</p>".to_owned();
    }
    let rows: Vec<Vec<String>> = summary
        .objectives
        .iter()
        .map(|one| {
            let part = one.part.as_ref().map_or_else(String::new, |part| format!(" ({part})"));
            vec![
                escaped(&format!("{}{part}", one.name)),
                one.value.map_or_else(|| "nothing".to_owned(), |value| one.unit.show(value)),
                format!("{} {}", escaped(&one.comparison), one.unit.show(one.limit)),
                format!("{:+.0} %", one.margin * 100.0),
                mark(one.met, "met", "missed"),
            ]
        })
        .collect();
    table(&["objective", "measured", "must be", "margin", ""], &rows)
}

fn mark(is_good: bool, good: &str, bad: &str) -> String {
    if is_good {
        format!("<b class=\"good\">✓ {good}</b>")
    } else {
        format!("<b class=\"bad\">✗ {bad}</b>")
    }
}

pub(super) fn invariants(summary: &Summary) -> String {
    let rows: Vec<Vec<String>> = summary
        .invariants
        .iter()
        .map(|one| {
            let held = if one.is_on {
                mark(one.violations == 0, "held", "violated")
            } else {
                "not judged".to_owned()
            };
            vec![escaped(&one.name), one.violations.to_string(), held]
        })
        .collect();
    let told: Vec<String> = summary
        .verdict
        .violations
        .iter()
        .take(20)
        .map(|text| format!("<li>{}</li>", escaped(text)))
        .collect();
    let told = if told.is_empty() { String::new() } else { format!("<ul>{}</ul>", told.concat()) };
    format!(
        "<p class=\"faint\">{} checks by the auditor, during and after the run.</p>{}{told}",
        summary.verdict.checks,
        table(&["invariant", "violations", ""], &rows)
    )
}

pub(super) fn troubles(summary: &Summary) -> String {
    if summary.errors.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = summary
        .errors
        .iter()
        .map(|one| vec![escaped(&one.code), one.count.to_string(), escaped(&one.example)])
        .collect();
    format!("<section><h2>Errors</h2>{}</section>", table(&["what", "how often", "such as"], &rows))
}

pub(super) fn differences(comparison: &Comparison) -> String {
    let rows: Vec<Vec<String>> = comparison
        .differences
        .iter()
        .map(|one| {
            let verdict = if one.is_regression { mark(false, "", "regression") } else { String::new() };
            vec![
                escaped(&one.what),
                one.unit.show(one.before),
                one.unit.show(one.after),
                change(one),
                verdict,
            ]
        })
        .collect();
    table(&["measurement", "baseline", "this run", "change", ""], &rows)
}

pub(super) fn conditions(summary: &Summary) -> String {
    let (environment, measured) = (&summary.environment, &summary.measured);
    let orders = summary.orders;
    let mut rows = vec![
        ("command", format!("<code>{}</code>", escaped(&environment.command))),
        ("durability", escaped(&environment.durability)),
        ("versions", escaped(&environment.version)),
        ("machine", format!("{} cores, {}", environment.cores, escaped(&environment.system))),
        ("participants", escaped(&environment.participants)),
        (
            "orders",
            format!(
                "{} submitted: {} completed, {} cancelled, {} rejected, {} turned away, {} open",
                orders.submitted,
                orders.completed,
                orders.cancelled,
                orders.rejected,
                orders.turned_away,
                orders.open
            ),
        ),
        (
            "measured",
            format!(
                "{} orders after {:.1} s of warm-up, in {:.1} s",
                measured.counted, summary.scenario.warm_up, measured.seconds
            ),
        ),
        ("poison", format!("{} sent, {} dead letters", measured.poison, measured.dead_letters)),
        ("broker messages", format!("{:.1} for each order", measured.messages_per_order)),
    ];
    for seconds in &summary.restarts {
        rows.push(("restarted", format!("ready {seconds:.2} s after kill -9")));
    }
    for one in &summary.resources {
        let text = format!(
            "{}: {:.1} s of processor time, {:.0} MiB at the end",
            escaped(&one.process),
            one.cpu_seconds,
            one.resident_mib
        );
        rows.push(("used", text));
    }
    let rows: Vec<String> =
        rows.into_iter().map(|(name, text)| format!("<dt>{name}</dt><dd>{text}</dd>")).collect();
    format!("<dl>{}</dl>", rows.concat())
}
