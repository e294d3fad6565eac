//! The charts of a page.

use super::chart::{Band, Chart, Line, Scale, nines};
use crate::run::summary::{Point, Summary};
use crate::scenario::objective::{Leg, Unit};

/// Orders a second: meant, sent, committed, completed.
pub(super) fn rates(summary: &Summary, before: Option<&Summary>) -> String {
    let line = |of: &Summary, name: &str, colour, is_dashed, value: fn(&Point) -> f64| Line {
        name: name.to_owned(),
        colour,
        is_dashed,
        points: of.points.iter().map(|point| (middle(of, point), Some(value(point)))).collect(),
    };
    let mut lines = vec![
        line(summary, "meant", 5, true, |point| point.target),
        line(summary, "sent", 1, false, |point| point.sent),
        line(summary, "committed or rejected", 2, false, |point| point.committed),
        line(summary, "completed", 3, false, |point| point.completed),
    ];
    lines.extend(before.map(|before| line(before, "completed, baseline", 3, true, |point| point.completed)));
    let (bands, limits) = (bands(summary), Vec::new());
    let (x, y) = (Scale::Seconds, Scale::Number);
    Chart { title: "Orders a second", x, y, unit: "/s", lines, bands, limits }.figure()
}

/// Percentiles of each second.
pub(super) fn times(summary: &Summary) -> String {
    let line = |name: &str, colour, is_dashed, value: &dyn Fn(&Point) -> Option<f64>| Line {
        name: name.to_owned(),
        colour,
        is_dashed,
        points: summary.points.iter().map(|point| (middle(summary, point), value(point))).collect(),
    };
    let lines = vec![
        line("ack p99", 1, false, &|point| point.p99[Leg::Ack.place()]),
        line("commit p50", 2, true, &|point| point.p50[Leg::Commit.place()]),
        line("commit p99", 2, false, &|point| point.p99[Leg::Commit.place()]),
        line("complete p50", 3, true, &|point| point.p50[Leg::Complete.place()]),
        line("complete p99", 3, false, &|point| point.p99[Leg::Complete.place()]),
    ];
    // A limit of a phase or class is no limit for all.
    let whole = summary.objectives.iter().filter(|one| one.unit == Unit::Milliseconds && one.part.is_none());
    let limits = whole.map(|one| (one.limit, one.name.clone())).collect();
    let title = "Milliseconds from the intended moment, by the second in which the leg ended";
    let (x, y) = (Scale::Seconds, Scale::Milliseconds);
    Chart { title, x, y, unit: "ms", lines, bands: bands(summary), limits }.figure()
}

/// Orders under way.
pub(super) fn open(summary: &Summary) -> String {
    let points =
        summary.points.iter().map(|point| (middle(summary, point), Some(crate::run::as_f64(point.open))));
    let line = Line { name: "under way".to_owned(), colour: 4, is_dashed: false, points: points.collect() };
    let (x, y) = (Scale::Seconds, Scale::Number);
    let (bands, limits) = (bands(summary), Vec::new());
    Chart { title: "Orders under way", x, y, unit: "", lines: vec![line], bands, limits }.figure()
}

/// All percentiles of each leg.
pub(super) fn curve(summary: &Summary, before: Option<&Summary>) -> String {
    let mut lines = Vec::new();
    for (of, is_before) in [(Some(summary), false), (before, true)] {
        let Some(of) = of else { continue };
        for leg in &of.legs {
            // The slowest of n orders stands at one nth: beyond it nothing was measured.
            let most = 1.0 - 1.0 / crate::run::as_f64(leg.corrected.count.max(2));
            let place = |(part, value): &(f64, f64)| (nines(part.min(most)), Some(*value));
            let points = leg.curve.iter().map(place).collect();
            let word = if is_before { ", baseline" } else { "" };
            let name = format!("{}{word}", leg.leg.as_str());
            lines.push(Line { name, colour: leg.leg.place() + 1, is_dashed: is_before, points });
        }
    }
    let title = "Percentiles from the intended moment, milliseconds";
    let (x, y) = (Scale::Nines, Scale::Milliseconds);
    Chart { title, x, y, unit: "ms", lines, bands: Vec::new(), limits: Vec::new() }.figure()
}

/// A point stands in the middle of its time.
fn middle(summary: &Summary, point: &Point) -> f64 {
    point.second + summary.point_seconds / 2.0
}

fn bands(summary: &Summary) -> Vec<Band> {
    let phase = |phase: &crate::run::summary::PhaseTimes| Band {
        from: phase.begins,
        to: phase.ends,
        label: phase.label.clone(),
        kind: "phase",
    };
    let mut bands: Vec<Band> = summary.phases.iter().map(phase).collect();
    if summary.scenario.warm_up > 0.0 {
        let label = "warm-up, not measured".to_owned();
        bands.push(Band { from: 0.0, to: summary.scenario.warm_up, label, kind: "warmup" });
    }
    bands.extend(summary.faults.iter().map(|fault| Band {
        from: fault.begins,
        to: fault.ends,
        label: fault.label.clone(),
        kind: if fault.ends > fault.begins { "fault" } else { "moment" },
    }));
    bands
}
