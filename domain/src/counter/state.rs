//! What is known about the uses of one promotion or coupon.

use serde::{Deserialize, Serialize};

use super::event::Event;
use crate::claims::{Amount, Book, Mark};
use crate::shared_map::SharedMap;

/// The most bytes that claims may take in a snapshot of a counter: customers want room, too, and all of it stays below 700 KB.
pub const MOST_CLAIM_BYTES: usize = 450_000;

/// Everything about one counter. The default is one that nobody has used. Persisted in snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Counts what happened: a greater one is newer.
    pub version: u64,
    /// Uses that are reserved, or about to be given back. Final ones stand here only if an older version finalized them.
    #[serde(skip_serializing_if = "Book::is_untouched")]
    pub claims: Book,
    /// Uses that are final. However many orders they are of, they take the room of one.
    #[serde(skip_serializing_if = "is_zero")]
    pub consumed: Amount,
    /// Uses by customer, where they are limited.
    #[serde(skip_serializing_if = "SharedMap::is_empty")]
    pub customers: SharedMap<Mark, i64>,
}

fn is_zero(amount: &Amount) -> bool {
    amount.is_zero()
}

impl State {
    /// Everything that counts against the limits.
    pub fn taken(&self) -> Amount {
        self.claims.live() + self.consumed
    }

    /// How often this customer used it.
    pub fn taken_by(&self, customer: Mark) -> i64 {
        self.customers.get(&customer).copied().unwrap_or_default()
    }
}

/// Absorbs a recorded event.
pub(super) fn evolve(state: &mut State, event: &Event) {
    state.version += 1;
    match event {
        Event::Taken { claim, amount, hard, customer, .. } => {
            let customer = customer.as_deref().map(Mark::of_name);
            state.claims.take(claim, *amount, *hard, customer);
            count(state, customer, amount.units);
        }
        Event::Hardened { claim, .. } => state.claims.harden(claim),
        Event::Finalized { claim, amount } => {
            state.consumed += state.claims.consume(claim, amount.units, Mark::of_name(claim));
        }
        Event::Reopened { claim, amount, customer } => {
            state.consumed -= *amount;
            state.claims.take(claim, *amount, false, customer.as_deref().map(Mark::of_name));
        }
        Event::Consumed { claim, amount, movement } => {
            state.consumed += state.claims.consume(claim, amount.units, Mark::of_departure(claim, movement));
        }
        Event::GivenBack { claim, amount, release } => {
            let customer = state.claims.get(claim).and_then(|held| held.share);
            let back = state.claims.give_back(claim, amount.units, Mark::of_release(claim, release));
            count(state, customer, -back.units);
        }
    }
}

/// Counts uses of a customer; one without uses is forgotten.
fn count(state: &mut State, customer: Option<Mark>, uses: i64) {
    let Some(customer) = customer else { return };
    let now = state.taken_by(customer) + uses;
    if now > 0 {
        state.customers.insert(customer, now);
    } else {
        state.customers.remove(&customer);
    }
}
