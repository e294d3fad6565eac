//! A summary as one HTML file that needs nothing from outside: charts as SVG, tables, and the data itself.

mod chart;
mod charts;
mod markup;
mod tables;

use std::fmt::Write as _;

use super::compare::{Comparison, compare};
use super::ending::Ending;
use super::summary::Summary;
use crate::scenario::objective::Leg;
pub(super) use markup::escaped;
use markup::{embedded, ms};

/// The page; beside a baseline if there is one, of which nothing may be worse by more than `most`.
pub fn page(summary: &Summary, baseline: Option<(&Summary, f64)>) -> String {
    let comparison = baseline.map(|(before, most)| compare(before, summary, most));
    let before = baseline.map(|(before, _)| before);
    let parts = [
        head(summary),
        tiles(summary),
        reasons(summary),
        section(
            "Over time",
            &[charts::rates(summary, before), charts::times(summary), charts::open(summary)].concat(),
        ),
        section("Percentiles", &format!("{}{}", charts::curve(summary, before), tables::legs(summary))),
        comparison.as_ref().map_or_else(String::new, compared),
        section("Objectives", &tables::objectives(summary)),
        section("Invariants", &tables::invariants(summary)),
        section("Phases", &tables::phases(summary)),
        section("Classes", &tables::classes(summary)),
        tables::troubles(summary),
        section("Conditions", &tables::conditions(summary)),
        scenario(summary),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{} – load test</title><style>{}</style></head><body>{}\
         <script type=\"application/json\" id=\"summary\">{}</script><script>{}</script></body></html>\n",
        escaped(&summary.scenario.name),
        include_str!("style.css"),
        parts.concat(),
        embedded(&summary.json()),
        include_str!("script.js"),
    )
}

fn section(title: &str, content: &str) -> String {
    if content.is_empty() { String::new() } else { format!("<section><h2>{title}</h2>{content}</section>") }
}

fn head(summary: &Summary) -> String {
    let ending = &summary.ending;
    let class = match ending.how {
        Ending::Good => "good",
        Ending::Interrupted | Ending::RunInvalid => "warn",
        _ => "bad",
    };
    format!(
        "<header><h1>{}<span class=\"badge {class}\">{} (exit code {})</span></h1><p>{}</p><p class=\"faint\">{} · {}</p></header>",
        escaped(&summary.scenario.name),
        ending.how.as_str(),
        ending.code,
        escaped(&summary.scenario.about),
        escaped(&summary.environment.started_at),
        escaped(&summary.environment.target),
    )
}

fn tiles(summary: &Summary) -> String {
    let leg = |leg: Leg| summary.leg(leg).map(|times| times.corrected).unwrap_or_default();
    let (commit, complete, measured) = (leg(Leg::Commit), leg(Leg::Complete), summary.measured);
    let tiles = [
        (format!("{:.1}/s", measured.throughput), "completed".to_owned()),
        (format!("{} ms", ms(commit.p50)), "commit, p50".to_owned()),
        (format!("{} ms", ms(commit.p99)), "commit, p99".to_owned()),
        (format!("{} ms", ms(complete.p99)), "complete, p99".to_owned()),
        (summary.orders.submitted.to_string(), format!("orders, {} open", summary.orders.open)),
        (
            summary.verdict.violations_total.to_string(),
            format!("violations in {} checks", summary.verdict.checks),
        ),
        (format!("{} ms", ms(summary.lateness.p99)), "lateness of the generator, p99".to_owned()),
    ];
    let tiles =
        tiles.map(|(value, name)| format!("<div class=\"tile\"><b>{value}</b><span>{name}</span></div>"));
    format!("<div class=\"tiles\">{}</div>", tiles.concat())
}

fn reasons(summary: &Summary) -> String {
    if summary.ending.reasons.is_empty() {
        return String::new();
    }
    let items: Vec<String> =
        summary.ending.reasons.iter().map(|reason| format!("<li>{}</li>", escaped(reason))).collect();
    section("Why", &format!("<ul>{}</ul>", items.concat()))
}

fn compared(comparison: &Comparison) -> String {
    let mut content = String::new();
    for reservation in &comparison.reservations {
        // Writing into a string does not fail.
        let _ = write!(content, "<p class=\"warn\">Not alike: {}</p>", escaped(reservation));
    }
    content.push_str(&tables::differences(comparison));
    section("Against the baseline", &content)
}

fn scenario(summary: &Summary) -> String {
    format!(
        "<section><h2>Scenario</h2><details><summary>{} (seed {}, time scale {})</summary><pre>{}</pre></details></section>",
        escaped(&summary.scenario.name),
        summary.scenario.seed,
        summary.scenario.time_scale,
        escaped(&summary.scenario.text)
    )
}

#[cfg(test)]
mod tests {
    use super::page;
    use crate::run::example::example;

    #[test]
    fn a_page_has_its_parts_and_needs_nothing_from_outside() {
        let mut summary = example();
        summary.scenario.about = "<script>alert(1)</script>".to_owned();
        let page = page(&summary, Some((&example(), 0.05)));
        let parts = [
            "Over time",
            "Percentiles",
            "Against the baseline",
            "Objectives",
            "Invariants",
            "Phases",
            "Classes",
            "Conditions",
            "Scenario",
            "survives killed processes",
            "loadtest run steady",
            "commit.p99",
            "no_double_effect",
            "(raw)",
            "id=\"summary\"",
            "prefers-color-scheme: dark",
        ];
        for part in parts {
            assert!(page.contains(part), "{part} is missing");
        }
        assert_eq!(page.matches("<figure").count(), 4);
        for foreign in ["http://", "https://", "src=", "<link", "@import", "alert(1)</script>", "NaN"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }
}
