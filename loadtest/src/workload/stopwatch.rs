//! How long it took from the moment an order was meant to be submitted until it was settled.

use std::collections::HashMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Five minutes in microseconds: what is slower counts as this.
const SLOWEST: u64 = 300_000_000;

/// Percentiles, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl Latency {
    /// Of times in microseconds.
    pub fn of(times: &Histogram<u64>) -> Self {
        let at = |quantile| milliseconds(times.value_at_quantile(quantile));
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: milliseconds(times.max()) }
    }
}

/// Measures from intention to settlement; the first sign of settlement counts.
#[derive(Debug)]
pub struct Stopwatch {
    running: HashMap<String, Instant>,
    times: Histogram<u64>,
}

impl Default for Stopwatch {
    fn default() -> Self {
        let times =
            Histogram::new_with_bounds(1, SLOWEST, 3).expect("the bounds are constants in the allowed range");
        Self { running: HashMap::new(), times }
    }
}

impl Stopwatch {
    /// An order was meant to be submitted at `intended`.
    pub fn start(&mut self, order: &str, intended: Instant) {
        self.running.insert(order.to_owned(), intended);
    }

    /// An order was settled now; only the first call for each order counts.
    pub fn settled(&mut self, order: &str) {
        if let Some(intended) = self.running.remove(order) {
            self.record(intended.elapsed());
        }
    }

    fn record(&mut self, time: Duration) {
        self.times.saturating_record(u64::try_from(time.as_micros()).unwrap_or(SLOWEST).max(1));
    }

    /// The percentiles so far.
    pub fn latency(&self) -> Latency {
        Latency::of(&self.times)
    }
}

fn milliseconds(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::Stopwatch;
    use std::time::Duration;
    use tokio::time::{Instant, advance};

    #[tokio::test(start_paused = true)]
    async fn given_two_signs_of_settlement_when_measured_then_the_first_counts() {
        let mut stopwatch = Stopwatch::default();
        stopwatch.start("o", Instant::now());
        advance(Duration::from_millis(10)).await;
        stopwatch.settled("o");
        advance(Duration::from_millis(90)).await;
        stopwatch.settled("o");
        assert!((9.9..10.2).contains(&stopwatch.latency().max), "{:?}", stopwatch.latency());
    }
}
