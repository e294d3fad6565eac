//! What is measured: the way of each order in legs, from the moment when it was meant to be sent.
//!
//! Percentiles come from histograms and are never averaged. Beside the time from the intended moment ("corrected") stands the
//! time from the real sending ("raw"): where they differ, the generator was late, and the raw one flatters.

use std::collections::HashMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::Instant;

use super::series::{Series, Sign};
use super::summary::Quantiles;
use crate::scenario::objective::{Leg, Statistic};
use crate::scenario::{Class, Scenario};

/// An hour in microseconds: what is slower counts as this.
const SLOWEST: u64 = 3_600_000_000;

/// Times of one kind, in microseconds, with three digits.
#[derive(Debug, Clone)]
pub(super) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new(3).expect("three digits are allowed"))
    }
}

impl Times {
    pub(super) fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(SLOWEST).clamp(1, SLOWEST);
        self.0.record(micros).expect("it grows as far as an hour, which is far below its bound");
    }

    pub(super) fn clear(&mut self) {
        self.0.reset();
    }

    /// All of them, in microseconds.
    pub(super) const fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    /// In milliseconds; none if nothing was recorded.
    pub(super) fn value(&self, statistic: Statistic) -> Option<f64> {
        let micros = match statistic {
            Statistic::Quantile(quantile) => self.0.value_at_quantile(quantile),
            Statistic::Max => self.0.max(),
        };
        (self.count() > 0).then(|| milliseconds(micros))
    }

    pub(super) fn quantiles(&self) -> Quantiles {
        let at = |quantile| self.value(Statistic::Quantile(quantile)).unwrap_or(0.0);
        Quantiles {
            count: self.count(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: self.value(Statistic::Max).unwrap_or(0.0),
        }
    }

    /// The curve of all percentiles: (part of all, milliseconds).
    pub(super) fn curve(&self) -> Vec<(f64, f64)> {
        let steps = self.0.iter_quantiles(5);
        steps
            .map(|step| (rounded(step.quantile_iterated_to()), milliseconds(step.value_iterated_to())))
            .take(500)
            .collect()
    }
}

/// Divided once, so that it is told with no more than three digits.
fn milliseconds(micros: u64) -> f64 {
    super::as_f64(micros) / 1_000.0
}

/// Six digits are enough to tell where on a curve something stands.
fn rounded(part: f64) -> f64 {
    (part * 1e6).round() / 1e6
}

/// Times of each leg.
pub(super) type Legs = [Times; 4];

/// What has happened to one order so far.
#[derive(Debug)]
struct Running {
    intended: Instant,
    sent: Instant,
    class: Class,
    phase: usize,
    counts: bool,
    seen: [bool; 4],
    has_ended: bool,
    is_hot: bool,
    /// How many of its copies were not turned away.
    copies: u32,
}

/// An order that was just sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub(super) number: u64,
    pub(super) intended: Instant,
    pub(super) sent: Instant,
    pub(super) class: Class,
    pub(super) phase: usize,
    pub(super) is_hot: bool,
    /// How often it was sent.
    pub(super) copies: u32,
}

/// How often what happened.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// Orders whose sending was begun, and those of them that are measured.
    pub(super) sent: u64,
    pub(super) counted: u64,
    /// Poison messages that the broker has stored.
    pub(super) poison: u64,
    /// Attempts that had to be repeated: stream full, no definite answer.
    pub(super) full: u64,
    pub(super) unknown: u64,
    /// Messages that the broker refused for good.
    pub(super) refused: u64,
    /// Orders that were due and never sent, because there was no room for more under way.
    pub(super) unsent: u64,
    /// Messages whose sending was given up at the end.
    pub(super) given_up: u64,
    /// Measured orders that were completed.
    pub(super) completed: u64,
    /// Orders that were turned away because it was too late to begin them: so many dead letters must be there.
    pub(super) expired: u64,
    /// Units of the hot item that departed.
    pub(super) hot_departed: u64,
}

/// Everything that is measured.
#[derive(Debug)]
pub(super) struct Recorder {
    warm_up: Instant,
    running: HashMap<u64, Running>,
    pub(super) corrected: Legs,
    pub(super) raw: Legs,
    pub(super) lateness: Times,
    pub(super) classes: [Legs; 4],
    pub(super) phases: Vec<(u64, Legs)>,
    pub(super) series: Series,
    pub(super) counts: Counts,
    /// When the last measured order was completed.
    pub(super) last_completed: Instant,
}

impl Recorder {
    pub(super) fn new(scenario: &Scenario, start: Instant) -> Self {
        Self {
            warm_up: start + scenario.warm_up,
            running: HashMap::new(),
            corrected: Legs::default(),
            raw: Legs::default(),
            lateness: Times::default(),
            classes: std::array::from_fn(|_| Legs::default()),
            phases: scenario.phases.iter().map(|_| (0, Legs::default())).collect(),
            series: Series::new(scenario, start),
            counts: Counts::default(),
            last_completed: start + scenario.warm_up,
        }
    }

    /// An order was handed to the client of the broker.
    pub(super) fn begun(&mut self, begun: Begun) {
        let Begun { number, intended, sent, class, phase, is_hot, copies } = begun;
        let counts = intended >= self.warm_up;
        self.counts.sent += 1;
        self.counts.counted += u64::from(counts);
        if counts {
            self.lateness.record(sent.saturating_duration_since(intended));
        }
        if let Some((sent, _)) = self.phases.get_mut(phase) {
            *sent += 1;
        }
        self.series.see(sent, Sign::Sent, None);
        self.running.insert(
            number,
            Running {
                intended,
                sent,
                class,
                phase,
                counts,
                seen: [false; 4],
                has_ended: false,
                is_hot,
                copies,
            },
        );
    }

    /// An order has come to the end of a leg; only the first time counts.
    pub(super) fn reached(&mut self, number: u64, leg: Leg, at: Instant) {
        let Some(running) = self.running.get_mut(&number) else { return };
        if std::mem::replace(&mut running.seen[leg.place()], true) {
            return;
        }
        let corrected = at.saturating_duration_since(running.intended);
        self.series.see(at, Sign::Leg(leg), Some(corrected));
        if running.counts {
            self.corrected[leg.place()].record(corrected);
            self.raw[leg.place()].record(at.saturating_duration_since(running.sent));
            self.classes[running.class.place()][leg.place()].record(corrected);
            if let Some((_, legs)) = self.phases.get_mut(running.phase) {
                legs[leg.place()].record(corrected);
            }
            if leg == Leg::Complete {
                self.counts.completed += 1;
                self.last_completed = self.last_completed.max(at);
            }
        }
        if leg == Leg::Ack {
            self.forget(number);
        }
    }

    /// An order has ended. Its ack may still be on its way to us, and is measured all the same: it would be the slow ones that
    /// are missing.
    pub(super) fn ended(&mut self, number: u64, at: Instant) {
        let Some(running) = self.running.get_mut(&number).filter(|running| !running.has_ended) else {
            return;
        };
        running.has_ended = true;
        self.series.see(at, Sign::Ended, None);
        self.forget(number);
    }

    /// The server has refused a copy of an order without beginning it. True if it was the last one: the order has ended, and its
    /// refusal is no commit.
    pub(super) fn turned_away(&mut self, number: u64, at: Instant) -> bool {
        let Some(running) = self.running.get_mut(&number).filter(|running| !running.has_ended) else {
            return false;
        };
        running.copies = running.copies.saturating_sub(1);
        if running.copies > 0 {
            return false;
        }
        self.ended(number, at);
        true
    }

    /// The broker has refused the submit of an order: no ack will come.
    pub(super) fn withdrawn(&mut self, number: u64, at: Instant) {
        self.ended(number, at);
        self.running.remove(&number);
    }

    fn forget(&mut self, number: u64) {
        let is_over = |running: &Running| running.has_ended && running.seen[Leg::Ack.place()];
        if self.running.get(&number).is_some_and(is_over) {
            self.running.remove(&number);
        }
    }

    /// Is the hot item in it?
    pub(super) fn is_hot(&self, number: u64) -> bool {
        self.running.get(&number).is_some_and(|running| running.is_hot)
    }

    /// Completed orders a second, from the end of the warm-up to the last completion.
    pub(super) fn throughput(&self) -> f64 {
        let seconds = (self.last_completed - self.warm_up).as_secs_f64();
        if seconds > 0.0 { super::as_f64(self.counts.completed) / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{Begun, Recorder};
    use crate::scenario::objective::Leg;
    use crate::scenario::{Class, Scenario};

    fn recorder() -> Recorder {
        let text = "schema = \"doorbuster-loadtest/1\"\n[run]\nwarmup = \"1s\"\n[[phases]]\nrate = \"1/s\"\nover = \"9s\"\n";
        Recorder::new(&Scenario::parse("t", text, None).unwrap(), Instant::now())
    }

    fn begun(number: u64, intended: Instant, sent: Instant) -> Begun {
        Begun { number, intended, sent, class: Class::Standard, phase: 0, is_hot: false, copies: 1 }
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_is_turned_away_with_its_last_copy_and_its_ack_is_still_measured() {
        let mut recorder = recorder();
        let at = Instant::now() + Duration::from_secs(2);
        recorder.begun(Begun { copies: 2, ..begun(1, at, at) });
        assert!(!recorder.turned_away(1, at), "its other copy may be begun");
        assert!(recorder.turned_away(1, at));
        assert!(!recorder.turned_away(1, at), "it has ended");
        recorder.reached(1, Leg::Ack, at + Duration::from_millis(2));
        let counts = [Leg::Ack, Leg::Commit].map(|leg| recorder.corrected[leg.place()].count());
        assert_eq!(counts, [1, 0]);
        assert!(recorder.running.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn latency_counts_from_the_intended_moment_and_raw_from_the_sending() {
        let mut recorder = recorder();
        advance(Duration::from_secs(2)).await;
        let intended = Instant::now();
        advance(Duration::from_millis(30)).await;
        recorder.begun(begun(1, intended, Instant::now()));
        advance(Duration::from_millis(10)).await;
        recorder.reached(1, Leg::Ack, Instant::now());
        recorder.reached(1, Leg::Ack, Instant::now() + Duration::from_secs(5));
        assert!((recorder.corrected[0].quantiles().max - 40.0).abs() < 0.1);
        assert!((recorder.raw[0].quantiles().max - 10.0).abs() < 0.1);
        assert!((recorder.lateness.quantiles().p99 - 30.0).abs() < 0.1);
        assert_eq!(recorder.corrected[0].count(), 1, "only the first time counts");
    }

    #[tokio::test(start_paused = true)]
    async fn an_ack_that_comes_after_the_end_of_its_order_is_measured() {
        let mut recorder = recorder();
        let at = Instant::now() + Duration::from_secs(2);
        recorder.begun(begun(1, at, at));
        recorder.ended(1, at + Duration::from_millis(1));
        recorder.reached(1, Leg::Ack, at + Duration::from_millis(2));
        assert_eq!(recorder.corrected[0].count(), 1);
        assert!(recorder.running.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_warm_up_is_not_measured() {
        let mut recorder = recorder();
        let now = Instant::now();
        recorder.begun(begun(1, now, now));
        recorder.reached(1, Leg::Complete, now + Duration::from_secs(3));
        recorder.ended(1, now + Duration::from_secs(3));
        assert_eq!((recorder.counts.sent, recorder.counts.counted, recorder.counts.completed), (1, 0, 0));
        assert_eq!(recorder.corrected[3].count(), 0);
        assert!(recorder.throughput().abs() < 1e-9);
    }
}
