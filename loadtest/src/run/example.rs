//! A summary for tests of what is made of summaries.

use std::collections::BTreeMap;

use super::ending::Ending;
use super::summary::{
    Ended, Environment, FORMAT, FaultTold, Group, InvariantResult, LegTimes, Measured, ObjectiveResult,
    PhaseTimes, Point, Quantiles, Summary, Told,
};
use crate::auditor::{Tally, Verdict};
use crate::scenario::Invariant;
use crate::scenario::objective::{Leg, Unit};

/// A summary with something in every part, for tests of what is made of summaries.
pub(super) fn example() -> Summary {
    let times = |scale: f64| Quantiles {
        count: 1_000,
        p50: 5.0 * scale,
        p90: 9.0 * scale,
        p99: 30.0 * scale,
        p999: 80.0 * scale,
        max: 95.0 * scale,
    };
    let by_leg = [times(1.0), times(2.0), times(3.0), times(9.0)];
    let leg = |leg: Leg| LegTimes {
        leg,
        corrected: by_leg[leg.place()],
        raw: by_leg[leg.place()],
        curve: vec![(0.0, 1.0), (0.5, 5.0), (0.99, 30.0), (1.0, 95.0)],
    };
    let point = |second| Point {
        second,
        target: 50.0,
        sent: 50.0,
        acked: 50.0,
        committed: 49.0,
        completed: 48.0,
        ended: 49.0,
        open: 7,
        p50: [Some(1.0), Some(2.0), Some(3.0), None],
        p99: [Some(3.0), Some(9.0), Some(30.0), None],
    };
    let invariant =
        |one: Invariant| InvariantResult { name: one.as_str().to_owned(), is_on: true, violations: 0 };
    Summary {
        format: FORMAT.to_owned(),
        scenario: Told {
            name: "steady".to_owned(),
            about: "An example.".to_owned(),
            text: "schema = \"doorbuster-loadtest/1\"".to_owned(),
            seed: 1,
            time_scale: 1,
            warm_up: 1.0,
            duration: 3.0,
        },
        environment: Environment {
            command: "loadtest run steady".to_owned(),
            durability: "survives killed processes".to_owned(),
            cores: 2,
            ..Environment::default()
        },
        ending: Ended { how: Ending::Good, code: 0, reasons: Vec::new() },
        orders: Tally { submitted: 150, completed: 150, ..Tally::default() },
        measured: Measured { throughput: 48.0, counted: 100, completed: 100, ..Measured::default() },
        legs: Leg::ALL.into_iter().map(leg).collect(),
        lateness: times(0.01),
        classes: vec![Group { name: "standard".to_owned(), legs: by_leg }],
        phases: vec![PhaseTimes {
            label: "steady".to_owned(),
            begins: 0.0,
            ends: 3.0,
            rate: (50.0, 50.0),
            sent: 150,
            legs: by_leg,
        }],
        point_seconds: 1.0,
        points: vec![point(0.0), point(1.0), point(2.0)],
        faults: vec![FaultTold { label: "erp down".to_owned(), begins: 1.0, ends: 2.0 }],
        objectives: vec![objective()],
        invariants: Invariant::ALL.into_iter().map(invariant).collect(),
        errors: Vec::new(),
        verdict: Verdict { clean: true, checks: 9, ..Verdict::default() },
        streams: BTreeMap::new(),
        restarts: vec![0.5],
        resources: Vec::new(),
        hdr_log: String::new(),
    }
}

fn objective() -> ObjectiveResult {
    ObjectiveResult {
        name: "commit.p99 <= 250ms".to_owned(),
        part: None,
        value: Some(90.0),
        comparison: "<=".to_owned(),
        limit: 250.0,
        unit: Unit::Milliseconds,
        margin: 0.64,
        met: true,
    }
}
