//! The search for the highest rate that still meets its objectives: twice as fast until one fails, then halving what is between,
//! then once more at the rate that was found.

use std::fmt::Write as _;

use serde::Serialize;

use super::ending::Ending;
use super::summary::{Quantiles, Summary};
use crate::scenario::objective::Leg;

/// The search is over when the rates that held and failed are this close, as a part of the one that held.
const CLOSE: f64 = 0.05;
/// The most runs: from the slowest to the fastest rate that can be asked for, and the halving between.
const MOST_RUNS: usize = 40;

/// A search that goes on.
#[derive(Debug, Clone)]
pub struct Search {
    most: f64,
    next: f64,
    held: Option<f64>,
    failed: Option<f64>,
    runs: usize,
    /// How often the rate that was found has held.
    confirmed: usize,
}

impl Search {
    /// A search between two rates, in orders a second.
    pub fn new(least: f64, most: f64) -> Self {
        Self { most, next: least, held: None, failed: None, runs: 0, confirmed: 0 }
    }

    /// The rate to try next; none = the search is over.
    pub fn next(&self) -> Option<f64> {
        let is_over =
            self.confirmed >= 2 || self.runs >= MOST_RUNS || (self.held.is_none() && self.failed.is_some());
        (!is_over).then_some(self.next)
    }

    /// The rate that was tried last held, or did not.
    pub fn tell(&mut self, did_hold: bool) {
        self.runs += 1;
        let rate = self.next;
        if did_hold {
            self.confirmed = if self.held == Some(rate) { self.confirmed + 1 } else { 1 };
            self.held = Some(rate);
        } else {
            // A rate that held once and then not has not held.
            self.failed = Some(self.failed.map_or(rate, |failed| failed.min(rate)));
            if self.held.is_some_and(|held| held >= rate) {
                self.held = Some(rate / 2.0);
                self.confirmed = 0;
            }
        }
        let Some(held) = self.held else { return };
        self.next = match self.failed {
            _ if did_hold && rate >= self.most => rate,
            None => (held * 2.0).min(self.most),
            Some(failed) if failed - held > held * CLOSE => held.midpoint(failed),
            Some(_) => held,
        };
    }

    /// The highest rate that held; none = not even the lowest did.
    pub const fn found(&self) -> Option<f64> {
        if self.confirmed >= 2 { self.held } else { None }
    }
}

/// One run of a search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Orders a second that were meant.
    pub rate: f64,
    /// Completed orders a second.
    pub throughput: f64,
    /// From the intended moment, in milliseconds.
    pub commit: Quantiles,
    /// Milliseconds.
    pub lateness_p99: f64,
    /// Did it hold?
    pub held: bool,
    /// Why not.
    pub reasons: Vec<String>,
}

impl Step {
    /// What a run of the search has shown.
    pub fn of(rate: f64, summary: &Summary) -> Self {
        Self {
            rate,
            throughput: summary.measured.throughput,
            commit: summary.leg(Leg::Commit).map(|leg| leg.corrected).unwrap_or_default(),
            lateness_p99: summary.lateness.p99,
            held: summary.ending.how == Ending::Good,
            reasons: summary.ending.reasons.clone(),
        }
    }

    /// On one line.
    pub fn line(&self) -> String {
        let word = if self.held { "held  " } else { "failed" };
        let mut line = format!(
            "{word} {:>9.1}/s  {:>9.1} completed/s  commit p50 {:.1} p99 {:.1} ms  late p99 {:.1} ms",
            self.rate, self.throughput, self.commit.p50, self.commit.p99, self.lateness_p99
        );
        if let Some(reason) = self.reasons.first() {
            // Writing into a string does not fail.
            let _ = write!(line, "  ({reason})");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::Search;

    /// Searches where everything up to `bound` holds; gives what was found and all rates that were tried.
    fn search(least: f64, most: f64, bound: f64) -> (Option<f64>, Vec<f64>) {
        let (mut search, mut tried) = (Search::new(least, most), Vec::new());
        while let Some(rate) = search.next() {
            tried.push(rate);
            search.tell(rate <= bound);
        }
        (search.found(), tried)
    }

    #[test]
    fn the_highest_rate_is_found_within_a_twentieth_and_confirmed() {
        let (found, tried) = search(10.0, 100_000.0, 1_234.0);
        let found = found.unwrap();
        assert!(found <= 1_234.0 && found > 1_234.0 * 0.95, "{found}");
        assert_eq!(tried.iter().filter(|rate| rate.total_cmp(&found).is_eq()).count(), 2, "{tried:?}");
        assert!(tried.len() <= 16, "{tried:?}");
    }

    #[test]
    fn the_bounds_are_kept() {
        let (found, tried) = search(10.0, 300.0, 1_000.0);
        assert_eq!(found, Some(300.0));
        assert!(tried.iter().all(|rate| *rate <= 300.0), "{tried:?}");
        let (found, tried) = search(10.0, 300.0, 5.0);
        assert_eq!((found, tried.len()), (None, 1));
    }

    #[test]
    fn a_rate_that_does_not_hold_again_is_not_found() {
        let mut search = Search::new(100.0, 100_000.0);
        let mut is_lucky = true;
        while let Some(rate) = search.next() {
            let held = rate <= 400.0 || (rate <= 800.0 && std::mem::take(&mut is_lucky));
            search.tell(held);
        }
        assert!(search.found().is_none_or(|found| found <= 400.0), "{:?}", search.found());
    }
}
