//! The verdict.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::check::Findings;

/// How many violations are kept in words; all are counted.
const KEPT: usize = 100;

/// How many orders came to which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Orders that were handed to the broker.
    pub submitted: u64,
    /// Of these, ended `completed`.
    pub completed: u64,
    /// Of these, ended `cancelled`.
    pub cancelled: u64,
    /// Of these, ended `rejected`.
    pub rejected: u64,
    /// Of these, refused without being begun: overloaded or expired, so that they may come again.
    #[serde(default)]
    pub turned_away: u64,
    /// Of these, not ended.
    pub open: u64,
}

/// What the auditor says in the end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// True if nothing was found.
    pub clean: bool,
    /// How many checks were made.
    pub checks: u64,
    /// The first violations, as `<check>: <order>: <what was expected, what was seen>`.
    pub violations: Vec<String>,
    /// How many there are in all.
    pub violations_total: u64,
    /// How many there are of each check that found one.
    pub by_check: BTreeMap<String, u64>,
    /// How the orders ended.
    pub orders: Tally,
}

/// Violations so far, bounded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) checks: u64,
    pub(crate) total: u64,
    pub(crate) by_check: BTreeMap<&'static str, u64>,
    pub(crate) kept: Vec<String>,
}

impl Record {
    /// Takes over what a round of checks about `order` has found.
    pub(crate) fn add(&mut self, order: &str, findings: Findings) {
        self.checks += findings.checks;
        for (check, what) in findings.violations {
            self.total += 1;
            *self.by_check.entry(check.name()).or_default() += 1;
            if self.kept.len() < KEPT {
                self.kept.push(format!("{}: {order}: {what}", check.name()));
            }
        }
    }
}
