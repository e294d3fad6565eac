//! Makes the summary of a run that is over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus::ports::SharedBus;

use super::judgement::{Books, Evidence, Findings, ended, errors_rate, invariants};
use super::letters::Letters;
use super::observer::{Observer, State};
use super::recorder::{Counts, Times};
use super::summary::{
    Environment, ErrorResult, FORMAT, FaultTold, Group, LegTimes, Measured, PhaseTimes, Summary, Told,
};
use super::{as_f64, hdr};
use crate::auditor::Verdict;
use crate::contract::Naming;
use crate::scenario::objective::Leg;
use crate::scenario::{Class, Scenario};

/// What is known at the end besides what was observed.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) aborted: Option<String>,
    pub(super) interrupted: bool,
    pub(super) books: Books,
    /// Dead letters of this run.
    pub(super) letters: Letters,
    pub(super) streams: BTreeMap<String, u64>,
    pub(super) seconds: f64,
}

pub(super) fn sum_up(
    scenario: &Scenario,
    environment: Environment,
    observer: &Arc<Observer>,
    outcome: Outcome,
) -> Summary {
    let state = observer.state();
    let recorder = &state.recorder;
    let dead_letters = outcome.letters.all();
    let mut verdict = state.auditor.verdict();
    if outcome.interrupted {
        forgive_open(&mut verdict);
    } else {
        check_letters(&mut verdict, &outcome.letters, recorder.counts);
    }
    check_stock(&mut verdict, scenario, recorder.counts.hot_departed);
    let orders = verdict.orders;
    let messages: u64 = outcome.streams.values().sum();
    let measured = Measured {
        seconds: outcome.seconds,
        counted: recorder.counts.counted,
        unsent: recorder.counts.unsent,
        completed: recorder.counts.completed,
        throughput: recorder.throughput(),
        errors_rate: errors_rate(orders, recorder),
        dead_letters,
        poison: recorder.counts.poison,
        messages_per_order: as_f64(messages) / as_f64(orders.submitted.max(1)),
    };
    let evidence = Evidence { recorder, orders, dead_letters };
    let objectives: Vec<_> =
        scenario.objectives.iter().map(|objective| evidence.judge(scenario, objective)).collect();
    let invariants = invariants(scenario, &verdict, outcome.books);
    let lateness = recorder.lateness.quantiles();
    let findings = Findings {
        objectives: &objectives,
        invariants: &invariants,
        lateness,
        measured,
        aborted: outcome.aborted,
        interrupted: outcome.interrupted,
    };
    Summary {
        format: FORMAT.to_owned(),
        scenario: told(scenario),
        environment,
        ending: ended(scenario, &findings),
        orders,
        measured,
        legs: legs(&state),
        lateness,
        classes: classes(&state),
        phases: phases(scenario, &state),
        point_seconds: recorder.series.width().as_secs_f64(),
        points: recorder.series.points().to_vec(),
        faults: faults(scenario),
        objectives,
        invariants,
        errors: errors(&state),
        verdict,
        streams: outcome.streams,
        restarts: Vec::new(),
        resources: Vec::new(),
        hdr_log: hdr_log(scenario, &state, outcome.seconds),
    }
}

/// Each poison message and each order that came too late becomes one dead letter. A wish may, if its order was turned away.
fn check_letters(verdict: &mut Verdict, letters: &Letters, counts: Counts) {
    let (found, expected) = ((letters.poison, letters.expired), (counts.poison, counts.expired));
    let what = match &letters.unexpected {
        Some(letter) => format!("a good message became a dead letter: {letter}"),
        None if found != expected => {
            format!(
                "expected {} of poison and {} too late, got {} and {}",
                expected.0, expected.1, found.0, found.1
            )
        }
        None if letters.wishes > verdict.orders.turned_away => {
            format!(
                "{} wishes found no order, {} were turned away",
                letters.wishes, verdict.orders.turned_away
            )
        }
        None => return verdict.checks += 1,
    };
    violated(verdict, "dead-letters-are-expected", &what);
}

/// What had no time to end is not lost.
fn forgive_open(verdict: &mut Verdict) {
    for check in ["order-ends", "reservation-ends", "no-hold-is-left", "stock-is-told"] {
        let open = verdict.by_check.remove(check).unwrap_or_default();
        verdict.violations_total -= open;
        verdict.violations.retain(|text| !text.starts_with(&format!("{check}:")));
    }
    verdict.clean = verdict.violations_total == 0;
}

/// No more units of the hot item leave than there are.
fn check_stock(verdict: &mut Verdict, scenario: &Scenario, departed: u64) {
    if scenario.stock.is_some() {
        return; // each cell is judged by itself, and orders that are allocated outside have units of their own
    }
    let Some(stock) = scenario.data.hot_sku.as_ref().and_then(|hot| hot.stock) else { return };
    if departed > u64::from(stock) {
        let what = format!("{departed} units departed, there were {stock}");
        violated(verdict, "stock-is-not-oversold", &what);
    } else {
        verdict.checks += 1;
    }
}

fn violated(verdict: &mut Verdict, check: &str, what: &str) {
    verdict.checks += 1;
    verdict.clean = false;
    verdict.violations_total += 1;
    *verdict.by_check.entry(check.to_owned()).or_default() += 1;
    verdict.violations.push(format!("{check}: -: {what}"));
}

fn told(scenario: &Scenario) -> Told {
    Told {
        name: scenario.name.clone(),
        about: scenario.about.clone(),
        text: scenario.text.clone(),
        seed: scenario.seed,
        time_scale: scenario.time_scale,
        warm_up: scenario.warm_up.as_secs_f64(),
        duration: scenario.duration().as_secs_f64(),
    }
}

fn legs(state: &State) -> Vec<LegTimes> {
    let of = |leg: Leg| LegTimes {
        leg,
        corrected: state.recorder.corrected[leg.place()].quantiles(),
        raw: state.recorder.raw[leg.place()].quantiles(),
        curve: state.recorder.corrected[leg.place()].curve(),
    };
    Leg::ALL.into_iter().map(of).collect()
}

fn hdr_log(scenario: &Scenario, state: &State, seconds: f64) -> String {
    let all = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let interval = (scenario.warm_up, all.saturating_sub(scenario.warm_up));
    hdr::log(&state.recorder.corrected, &state.recorder.raw, interval)
}

fn classes(state: &State) -> Vec<Group> {
    let of = |class: Class| Group {
        name: class.as_str().to_owned(),
        legs: state.recorder.classes[class.place()].each_ref().map(Times::quantiles),
    };
    let came = |group: &Group| group.legs.iter().any(|leg| leg.count > 0);
    Class::ALL.into_iter().map(of).filter(came).collect()
}

fn phases(scenario: &Scenario, state: &State) -> Vec<PhaseTimes> {
    let mut begins = 0.0;
    let with = scenario.phases.iter().zip(&state.recorder.phases);
    with.map(|(phase, (sent, legs))| {
        let ends = begins + phase.over.as_secs_f64();
        let times = PhaseTimes {
            label: phase.label.clone(),
            begins,
            ends,
            rate: (phase.ramp.from, phase.ramp.to),
            sent: *sent,
            legs: legs.each_ref().map(Times::quantiles),
        };
        begins = ends;
        times
    })
    .collect()
}

fn faults(scenario: &Scenario) -> Vec<FaultTold> {
    let of = |fault: &crate::scenario::Fault| FaultTold {
        label: fault.label(),
        begins: fault.at.as_secs_f64(),
        ends: (fault.at + fault.lasts).as_secs_f64(),
    };
    scenario.faults.iter().map(of).collect()
}

fn errors(state: &State) -> Vec<ErrorResult> {
    let of = |(trouble, (count, example)): (&super::observer::Trouble, &(u64, String))| ErrorResult {
        code: trouble.as_str().to_owned(),
        count: *count,
        example: example.clone(),
    };
    state.errors.iter().map(of).collect()
}

/// The last sequence of each stream; a stream that cannot be asked is left out, since this is for information only.
pub(super) async fn count(bus: &SharedBus, naming: &Naming) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for stream in naming.counted_streams() {
        if let Ok(bounds) = bus.bounds(&stream).await {
            counts.insert(stream, bounds.last);
        }
    }
    counts
}

pub(super) fn since(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let then = |stream: &String| before.get(stream).copied().unwrap_or(0);
    after.iter().map(|(stream, last)| (stream.clone(), last.saturating_sub(then(stream)))).collect()
}
