//! What must hold of a run, and whether it did.

use std::time::Duration;

use super::as_f64;
use super::ending::Ending;
use super::recorder::Recorder;
use super::summary::{Ended, InvariantResult, Measured, ObjectiveResult, Quantiles};
use crate::auditor::{Tally, Verdict};
use crate::scenario::objective::{Metric, Objective};
use crate::scenario::quantity::milliseconds;
use crate::scenario::{Invariant, Scenario};

/// Whether the auditor sees what participants write into their books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Books {
    Seen,
    Unseen,
}

/// What objectives are judged by.
pub(super) struct Evidence<'a> {
    pub(super) recorder: &'a Recorder,
    pub(super) orders: Tally,
    pub(super) dead_letters: u64,
}

impl Evidence<'_> {
    /// What was measured for an objective, in the unit of its metric; none = nothing.
    fn value(&self, scenario: &Scenario, objective: &Objective) -> Option<f64> {
        let recorder = self.recorder;
        match objective.metric {
            Metric::Leg(leg, statistic) => {
                let legs = match (&objective.phase, objective.class) {
                    (Some(label), _) => {
                        let place = scenario.phases.iter().position(|phase| phase.label == *label)?;
                        &recorder.phases.get(place)?.1
                    }
                    (None, Some(class)) => &recorder.classes[class.place()],
                    (None, None) => &recorder.corrected,
                };
                legs[leg.place()].value(statistic)
            }
            Metric::Throughput => Some(recorder.throughput()),
            Metric::Errors => Some(errors_rate(self.orders, recorder)),
            Metric::DeadLetters => Some(as_f64(self.dead_letters)),
            Metric::Open => Some(as_f64(self.orders.open)),
        }
    }

    pub(super) fn judge(&self, scenario: &Scenario, objective: &Objective) -> ObjectiveResult {
        let value = self.value(scenario, objective);
        let (comparison, limit) = (objective.comparison, objective.limit);
        let part = objective.phase.clone().or_else(|| objective.class.map(|class| class.as_str().to_owned()));
        ObjectiveResult {
            name: objective.name.clone(),
            part,
            value,
            comparison: comparison.as_str().to_owned(),
            limit,
            unit: objective.metric.unit(),
            margin: value.map_or(-1.0, |value| comparison.margin(value, limit)),
            // What was not measured was not shown to hold.
            met: value.is_some_and(|value| comparison.holds(value, limit)),
        }
    }
}

/// The part of submitted orders that the broker refused, that the server did not begin, or that did not end.
pub(super) fn errors_rate(orders: Tally, recorder: &Recorder) -> f64 {
    let sent = recorder.counts.sent.max(1);
    as_f64(orders.open + orders.turned_away + recorder.counts.refused) / as_f64(sent)
}

/// Looks at the objectives that may stop a run while it goes on.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// For each objective, since when it has not held.
    since: Vec<Option<Duration>>,
}

impl Watch {
    /// The objective that has not held for too long, if there is one. Only times are looked at: rates and counts are known at
    /// the end.
    pub(super) fn look(
        &mut self,
        scenario: &Scenario,
        evidence: &Evidence<'_>,
        at: Duration,
    ) -> Option<String> {
        self.since.resize(scenario.objectives.len(), None);
        for (objective, since) in scenario.objectives.iter().zip(&mut self.since) {
            let Some(bound) = objective.abort_after else { continue };
            let value = evidence.value(scenario, objective);
            let is_missed = matches!(objective.metric, Metric::Leg(..))
                && value.is_some_and(|value| !objective.comparison.holds(value, objective.limit));
            if !is_missed {
                *since = None;
            } else if at.saturating_sub(*since.get_or_insert(at)) >= bound {
                return Some(objective.name.clone());
            }
        }
        None
    }
}

/// What came of each invariant. Without the books of the participants some cannot be judged, and are not said to hold.
pub(super) fn invariants(scenario: &Scenario, verdict: &Verdict, books: Books) -> Vec<InvariantResult> {
    let of = |invariant: Invariant| {
        let counts = invariant.checks().iter().filter_map(|check| verdict.by_check.get(*check));
        InvariantResult {
            name: invariant.as_str().to_owned(),
            is_on: scenario.invariants.contains(&invariant)
                && (books == Books::Seen || invariant.is_seen_without_books()),
            violations: counts.sum(),
        }
    };
    Invariant::ALL.into_iter().map(of).collect()
}

/// What was found, as far as it decides how a run ends.
pub(super) struct Findings<'a> {
    pub(super) objectives: &'a [ObjectiveResult],
    pub(super) invariants: &'a [InvariantResult],
    pub(super) lateness: Quantiles,
    pub(super) measured: Measured,
    /// The objective that stopped the run.
    pub(super) aborted: Option<String>,
    pub(super) interrupted: bool,
}

/// How the run ends, and every reason.
pub(super) fn ended(scenario: &Scenario, findings: &Findings<'_>) -> Ended {
    let mut all = Vec::new();
    if findings.interrupted {
        all.push((
            Ending::Interrupted,
            "asked to end before all orders had ended; what was measured until then is told".to_owned(),
        ));
    }
    for one in findings.invariants.iter().filter(|one| one.is_on && one.violations > 0) {
        all.push((
            Ending::InvariantViolated,
            format!("invariant {}: {} violations", one.name, one.violations),
        ));
    }
    let most = milliseconds(scenario.most_lateness);
    if findings.lateness.p99 > most {
        let text = format!(
            "the generator could not keep up: p99 lateness {:.1} ms, allowed are {most} ms (run.max_lateness); lower the rate or take a machine with more free cores",
            findings.lateness.p99
        );
        all.push((Ending::RunInvalid, text));
    }
    if findings.measured.unsent > 0 {
        let text = format!(
            "{} orders were due and never sent, because {} were under way (run.in_flight)",
            findings.measured.unsent, scenario.in_flight
        );
        all.push((Ending::RunInvalid, text));
    }
    if findings.measured.counted == 0 {
        all.push((Ending::RunInvalid, "no order came after the warm-up, so nothing was measured".to_owned()));
    }
    if let Some(name) = &findings.aborted {
        all.push((Ending::Aborted, format!("stopped because this did not hold for too long: {name}")));
    }
    for one in findings.objectives.iter().filter(|one| !one.met) {
        let value = one.value.map_or_else(|| "nothing".to_owned(), |value| one.unit.show(value));
        let part = one.part.as_ref().map_or_else(String::new, |part| format!(" ({part})"));
        let text = format!(
            "objective {}{part}: measured {value}, must be {} {}",
            one.name,
            one.comparison,
            one.unit.show(one.limit)
        );
        all.push((Ending::ObjectiveMissed, text));
    }
    let endings: Vec<Ending> = all.iter().map(|(ending, _)| *ending).collect();
    let how = Ending::worst(&endings);
    Ended { how, code: how.code(), reasons: all.into_iter().map(|(_, text)| text).collect() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Books, Evidence, Findings, Watch, ended, invariants};
    use crate::auditor::{Tally, Verdict};
    use crate::run::ending::Ending;
    use crate::run::recorder::{Begun, Recorder};
    use crate::run::summary::{Measured, Quantiles};
    use crate::scenario::objective::Leg;
    use crate::scenario::{Class, Scenario};

    fn scenario(more: &str) -> Scenario {
        let least =
            "schema = \"doorbuster-loadtest/1\"\n[[phases]]\nlabel = \"p\"\nrate = \"1/s\"\nover = \"9s\"\n";
        Scenario::parse("t", &format!("{least}{more}"), None).unwrap()
    }

    /// One order whose commit took 100 ms.
    fn recorder(scenario: &Scenario) -> Recorder {
        let start = Instant::now();
        let mut recorder = Recorder::new(scenario, start);
        let begun = Begun {
            number: 0,
            intended: start,
            sent: start,
            class: Class::Standard,
            phase: 0,
            is_hot: false,
            copies: 1,
        };
        recorder.begun(begun);
        recorder.reached(0, Leg::Commit, start + Duration::from_millis(100));
        recorder.reached(0, Leg::Complete, start + Duration::from_secs(2));
        recorder
    }

    fn slo(metric: &str, op: &str, value: &str, more: &str) -> String {
        format!("[[slo]]\nmetric = \"{metric}\"\nop = \"{op}\"\nvalue = \"{value}\"\n{more}")
    }

    #[tokio::test(start_paused = true)]
    async fn objectives_are_judged_by_what_was_measured_and_missed_if_nothing_was() {
        let text = [
            slo("commit.p99", "<", "150ms", ""),
            slo("commit.p99", "<", "50ms", "phase = \"p\"\n"),
            slo("ack.p99", "<", "1s", ""),
            slo("throughput", ">=", "0.4/s", ""),
            slo("errors.rate", "<=", "0%", ""),
            slo("commit.p50", "<", "1s", "class = \"refused\"\n"),
        ];
        let scenario = scenario(&text.concat());
        let recorder = recorder(&scenario);
        let evidence = Evidence { recorder: &recorder, orders: Tally::default(), dead_letters: 0 };
        let met: Vec<bool> =
            scenario.objectives.iter().map(|objective| evidence.judge(&scenario, objective).met).collect();
        assert_eq!(met, [true, false, false, true, true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_is_stopped_by_what_has_not_held_for_so_long() {
        let scenario = scenario(&slo("commit.p99", "<", "50ms", "abort_after = \"3s\"\n"));
        let recorder = recorder(&scenario);
        let evidence = Evidence { recorder: &recorder, orders: Tally::default(), dead_letters: 0 };
        let mut watch = Watch::default();
        let mut look = |second| watch.look(&scenario, &evidence, Duration::from_secs(second)).is_some();
        assert_eq!([1, 2, 3, 4].map(&mut look), [false, false, false, true]);
    }

    #[test]
    fn what_cannot_be_judged_is_not_said_to_hold() {
        let judged = invariants(&scenario(""), &Verdict::default(), Books::Unseen);
        let names: Vec<&str> = judged.iter().filter(|one| one.is_on).map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["no_lost", "exactly_one_terminal", "form_of_contract"]);
    }

    fn end(scenario: &Scenario, verdict: &Verdict, p99: f64, aborted: bool, interrupted: bool) -> Ending {
        let findings = Findings {
            objectives: &[],
            invariants: &invariants(scenario, verdict, Books::Seen),
            lateness: Quantiles { p99, ..Quantiles::default() },
            measured: Measured { counted: 1, ..Measured::default() },
            aborted: aborted.then(|| "x".to_owned()),
            interrupted,
        };
        ended(scenario, &findings).how
    }

    #[test]
    fn each_way_to_end_is_found() {
        let scenario = scenario("[invariants]\nno_double_effect = false\n");
        let violated = |check: &str| Verdict {
            by_check: [(check.to_owned(), 2)].into_iter().collect(),
            ..Verdict::default()
        };
        let clean = Verdict::default();
        assert_eq!(end(&scenario, &clean, 4.9, false, false), Ending::Good);
        assert_eq!(end(&scenario, &clean, 5.1, false, false), Ending::RunInvalid);
        assert_eq!(end(&scenario, &clean, 0.1, true, false), Ending::Aborted);
        assert_eq!(end(&scenario, &clean, 9.9, false, true), Ending::Interrupted);
        assert_eq!(end(&scenario, &violated("order-ends"), 9.9, true, false), Ending::InvariantViolated);
        assert_eq!(
            end(&scenario, &violated("key-applied-once"), 0.1, false, false),
            Ending::Good,
            "it is switched off"
        );
    }
}
