//! Stock cells: given what was told, when this comes, then that follows.

mod backorders;
mod conflicts;
mod facts;
mod feed;
mod golden;
mod messages;
mod moves;
mod outgoing;
mod oversold;
mod random_walk;
mod set_aside;
mod size;

use domain::stock::Stock;
use serde_json::{Value, json};

use crate::stock_desk::{Desk, Said, take};

pub(crate) type Cell = Desk<Stock>;

/// A fact about the cell of the desk.
pub(crate) fn fact(more: &Value) -> Value {
    let mut body = json!({"sku": "SKU-A", "node": "n-1"});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// A cell in which so many units were counted.
pub(crate) fn with(on_hand: i64) -> Cell {
    let mut cell = Cell::new("SKU-A~n-1");
    cell.count_units(on_hand, "count-1");
    cell
}

impl Cell {
    pub(crate) fn count_units(&mut self, on_hand: i64, movement: &str) -> Vec<Said> {
        let as_of = self.now.to_string();
        self.fact("baseline", &fact(&json!({"on_hand": on_hand, "movement_id": movement, "as_of": as_of})))
    }

    pub(crate) fn receive(&mut self, quantity: u32, movement: &str) -> Vec<Said> {
        self.fact("received", &fact(&json!({"quantity": quantity, "movement_id": movement})))
    }

    pub(crate) fn adjust(&mut self, delta: i64, movement: &str) -> Vec<Said> {
        self.fact("adjusted", &fact(&json!({"delta": delta, "movement_id": movement, "reason": "counted"})))
    }

    pub(crate) fn take(&mut self, claim: &str, quantity: u32) -> Vec<Said> {
        self.ask("take", &take(claim, quantity))
    }

    /// A take that may wait, committed at this second of the test.
    pub(crate) fn take_or_wait(&mut self, claim: &str, quantity: u32, since: i64) -> Vec<Said> {
        let mut body = take(claim, quantity);
        (body["backorder_since"], body["hard"]) = (json!(1_795_766_400_000_i64 + since * 1_000), json!(true));
        self.ask("take", &body)
    }

    pub(crate) fn harden(&mut self, claim: &str) -> Vec<Said> {
        self.ask("harden", &json!({"claim_id": claim}))
    }

    pub(crate) fn consume(&mut self, claim: &str, quantity: u32, movement: &str) -> Vec<Said> {
        self.ask("consume", &json!({"claim_id": claim, "quantity": quantity, "movement_id": movement}))
    }

    pub(crate) fn give_back(&mut self, claim: &str, quantity: u32, release: &str) -> Vec<Said> {
        self.ask("give_back", &json!({"claim_id": claim, "quantity": quantity, "release_id": release}))
    }

    /// What is there, what is soft, what is hard, what can be sold.
    pub(crate) fn numbers(&self) -> [i64; 4] {
        let level = self.state.level();
        [level.on_hand, level.soft, level.hard, i64::from(level.available)]
    }
}
