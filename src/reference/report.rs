//! What of reference data is in force, and which values were refused.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use actors::metrics::Counter;
use domain::reason::Violation;
use domain::reference::Reference;
use domain::time::Timestamp;
use serde::Serialize;

use crate::control::entry::rfc_3339;

/// Refused values that are remembered with their mistakes; beyond it they are only counted.
const MOST_REFUSED: usize = 100;

/// What is known of the bucket.
#[derive(Debug, Default)]
pub struct Report {
    known: Mutex<Known>,
    /// Values that were taken.
    pub taken: Counter,
    /// Values that were refused and were the newest of their key when they were read.
    pub refused: Counter,
}

#[derive(Debug, Default)]
struct Known {
    snapshot: Reference,
    /// The revision of each value in force; as many as the bucket has.
    in_force: HashMap<String, u64>,
    refused: BTreeMap<String, RefusedValue>,
}

/// Reference data as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ReferenceReport {
    /// The revision of the newest value that was read, good or not; 0 = there is none.
    pub revision: u64,
    /// Nodes in force.
    pub nodes: usize,
    /// Items in force.
    pub items: usize,
    /// Promotions in force.
    pub promotions: usize,
    /// Coupons in force.
    pub coupons: usize,
    /// Values whose newest version was refused, so that the last good one is in force, or none: at most 100, by key.
    pub refused: Vec<RefusedValue>,
}

/// A value that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RefusedValue {
    /// Its key in the bucket.
    #[schema(example = "node.store-12")]
    pub key: String,
    /// Its revision.
    pub revision: u64,
    /// The revision that is in force instead: the last good one; null = there is none, as if nothing had ever been written.
    pub in_force: Option<u64>,
    /// When it was written.
    pub written: String,
    /// Everything that is wrong with it.
    pub errors: Vec<ValueMistake>,
}

/// One thing that is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ValueMistake {
    /// JSON pointer to the field; empty = the whole value, or its key.
    pub pointer: String,
    /// What was found, and what is expected.
    pub message: String,
}

impl Report {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn holds(&self, snapshot: &Reference) {
        self.known().snapshot = snapshot.clone();
    }

    /// A value is in force from this revision on; none = it was deleted.
    pub(super) fn took(&self, key: &str, revision: Option<u64>) {
        self.taken.add_one();
        let mut known = self.known();
        known.refused.remove(key);
        match revision {
            Some(revision) => drop(known.in_force.insert(key.to_owned(), revision)),
            None => drop(known.in_force.remove(key)),
        }
    }

    /// The revision of a value that is in force; none = there is no such value.
    pub(super) fn in_force(&self, key: &str) -> Option<u64> {
        self.known().in_force.get(key).copied()
    }

    pub(super) fn refused(&self, key: &str, revision: u64, written_ns: i64, violations: Vec<Violation>) {
        self.refused.add_one();
        let mut known = self.known();
        if known.refused.len() >= MOST_REFUSED && !known.refused.contains_key(key) {
            return;
        }
        let mistake = |Violation { pointer, message }| ValueMistake { pointer, message };
        let value = RefusedValue {
            key: key.to_owned(),
            revision,
            in_force: known.in_force.get(key).copied(),
            written: rfc_3339(Timestamp(written_ns / 1_000_000)),
            errors: violations.into_iter().map(mistake).collect(),
        };
        known.refused.insert(key.to_owned(), value);
    }

    /// What is in force.
    pub fn snapshot(&self) -> Reference {
        self.known().snapshot.clone()
    }

    /// How it is now.
    pub fn show(&self) -> ReferenceReport {
        let known = self.known();
        let snapshot = &known.snapshot;
        ReferenceReport {
            revision: snapshot.revision(),
            nodes: snapshot.nodes().len(),
            items: snapshot.items().len(),
            promotions: snapshot.promotions().len(),
            coupons: snapshot.coupons().len(),
            refused: known.refused.values().cloned().collect(),
        }
    }
}
