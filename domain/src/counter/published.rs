//! What the outside sees of a counter: its events, and the document that the API shows.

use serde::Serialize;

use super::event::Event;
use super::state::State;
use crate::claims::Amount;
use crate::claims::letters::reservation_of;
use crate::decider::Published;
use crate::ids::EntityId;
use crate::messages::outbound::stock_events::{CounterMoved, EventData};

/// Tells the business event of `event`, given the state after it.
pub(super) fn tell(entity: &EntityId, state: &State, event: &Event, told: &mut Published) {
    let (word, claim, amount) = match event {
        Event::Taken { claim, amount, .. } => ("reserved", claim, amount),
        Event::Hardened { claim, amount } | Event::Finalized { claim, amount } => {
            ("finalized", claim, amount)
        }
        Event::Reopened { claim, amount, .. } => ("reopened", claim, amount),
        Event::Consumed { claim, amount, .. } => ("consumed", claim, amount),
        Event::GivenBack { claim, amount, .. } => ("given_back", claim, amount),
    };
    let taken = state.taken();
    EventData::CounterMoved(CounterMoved {
        counter: entity.key.as_str(),
        r#move: word,
        reservation_id: reservation_of(claim),
        claim_id: claim,
        uses: amount.units,
        amount_minor: amount.minor,
        uses_taken: taken.units,
        budget_taken_minor: taken.minor,
    })
    .publish(told);
}

#[derive(Serialize)]
struct View<'a> {
    counter: &'a str,
    version: u64,
    reserved: AmountView,
    finalized: AmountView,
    claims: usize,
    customers: usize,
}

#[derive(Serialize)]
struct AmountView {
    uses: i64,
    amount_minor: i64,
}

/// Renders the document of a counter.
pub(super) fn view(entity: &EntityId, state: &State, version: u64) -> String {
    let amount = |Amount { units, minor }| AmountView { uses: units, amount_minor: minor };
    let view = View {
        counter: entity.key.as_str(),
        version,
        reserved: amount(state.claims.soft()),
        finalized: amount(state.claims.hard() + state.consumed),
        claims: state.claims.len(),
        customers: state.customers.len(),
    };
    serde_json::to_string(&view).expect("texts and numbers can always be written")
}
