//! What of reservations can be configured, with its defaults.

use serde::{Deserialize, Serialize};

use crate::order::policies::Resend;
use crate::reference::Reference;
use crate::sourcing;

/// The rules of a reservation that can be configured, and the reference data of the moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policies {
    /// How long a reservation is held that no order made, in milliseconds, unless it says so itself.
    pub ttl_ms: i64,
    /// The longest time that it may ask for at once, in milliseconds.
    pub ttl_most_ms: i64,
    /// The longest time that it may be held with all extensions, in milliseconds.
    pub lifetime_most_ms: i64,
    /// How often units are looked for again after a cell refused them.
    pub tries_most: u16,
    /// Milliseconds until a letter that was not answered is sent again; doubling from then on.
    pub resend_first_ms: i64,
    /// The longest wait between two sends, in milliseconds.
    pub resend_most_ms: i64,
    /// How often a cell is asked whether units that wait there have come, in milliseconds. It tells by itself; this makes good
    /// what was lost.
    pub backorder_ask_ms: i64,
    /// For how long units are looked for that were sold, that no node has and that may not wait, in milliseconds; then they are
    /// given up, and the order is told. 0 = at once.
    pub unfillable_park_ms: i64,
    /// How often they are looked for meanwhile, in milliseconds.
    pub unfillable_retry_ms: i64,
    /// After how long a reservation whose order does nothing is told as overdue, in milliseconds.
    pub overdue_ms: i64,
    /// How nodes are chosen.
    pub sourcing: sourcing::Policies,
    /// Nodes and items. Not configured: it is watched.
    #[serde(skip)]
    pub reference: Reference,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            ttl_ms: 15 * 60_000,
            ttl_most_ms: 3_600_000,
            lifetime_most_ms: 24 * 3_600_000,
            tries_most: 3,
            resend_first_ms: 2_000,
            resend_most_ms: 30_000,
            backorder_ask_ms: 5 * 60_000,
            unfillable_park_ms: 0,
            unfillable_retry_ms: 60_000,
            overdue_ms: 30 * 24 * 3_600_000,
            sourcing: sourcing::Policies::default(),
            reference: Reference::default(),
        }
    }
}

impl Policies {
    /// What is wrong with them, by key and remedy; empty = nothing.
    pub fn problems(&self) -> Vec<String> {
        let least_one = [
            ("ttl_ms", self.ttl_ms),
            ("ttl_most_ms", self.ttl_most_ms),
            ("lifetime_most_ms", self.lifetime_most_ms),
            ("resend_first_ms", self.resend_first_ms),
            ("resend_most_ms", self.resend_most_ms),
            ("backorder_ask_ms", self.backorder_ask_ms),
            ("unfillable_retry_ms", self.unfillable_retry_ms),
            ("overdue_ms", self.overdue_ms),
        ];
        let mut problems: Vec<String> = least_one
            .into_iter()
            .filter(|(_, value)| *value < 1)
            .map(|(key, value)| format!("{key} = {value}: must be at least 1 millisecond"))
            .collect();
        if self.unfillable_park_ms < 0 {
            let value = self.unfillable_park_ms;
            problems.push(format!("unfillable_park_ms = {value}: must be 0 (give up at once) or more"));
        }
        if self.tries_most > 32 {
            problems.push(format!("tries_most = {}: must be at most 32", self.tries_most));
        }
        problems.extend(self.sourcing.problems().into_iter().map(|problem| format!("sourcing.{problem}")));
        problems
    }

    /// Milliseconds to wait after send number `attempt` of a letter.
    pub(super) fn wait_ms(&self, attempt: u32, effect: &str) -> i64 {
        let resend =
            Resend { first_ms: self.resend_first_ms, most_ms: self.resend_most_ms, ..Resend::default() };
        resend.wait_ms(attempt, effect)
    }
}
