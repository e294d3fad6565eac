//! What the auditor catches of stock: cells, counters and reservations that tell the truth are clean, and each lie is found by the
//! check that is made for it.

use std::collections::BTreeMap;

use loadtest::auditor::{Check, Verdict};
use loadtest::contract::{Fulfillment, Said, StockFact};
use loadtest::ledger::Change;
use loadtest::workload::{Ends, worked_example};
use serde_json::{Value, json};

use crate::fabricated::{Court, Step, worked_story};

const A: &str = "o-A~n-1";
const B: &str = "o-B~n-1";
const COUNTER: &str = "promotion~o-P";

/// Somebody who keeps the books of a cell as they should be.
#[derive(Debug, Default)]
struct Shelf {
    on_hand: i64,
    soft: i64,
    hard: i64,
}

impl Shelf {
    fn level(&self) -> Value {
        let available = (self.on_hand - self.soft - self.hard).max(0);
        json!({"on_hand": self.on_hand, "soft": self.soft, "hard": self.hard, "backordered": 0, "available": available})
    }
}

/// Something that is told; numbers and levels are put in when it is played.
#[derive(Debug, Clone)]
struct Told {
    kind: &'static str,
    key: &'static str,
    data: Value,
    /// What the shelf becomes: `on_hand`, soft, hard by so many more.
    by: (i64, i64, i64),
}

fn moved(key: &'static str, word: &str, quantity: i64, about: &str, by: (i64, i64, i64)) -> Told {
    let name = if about.contains(':') { "claim_id" } else { "movement_id" };
    Told { kind: "stock.moved", key, data: json!({"move": word, "quantity": quantity, name: about}), by }
}

fn reserved(key: &'static str, claim: &str, quantity: i64) -> Told {
    let data = json!({"claim_id": claim, "quantity": quantity, "hard": false});
    Told { kind: "stock.reserved", key, data, by: (0, quantity, 0) }
}

fn used(word: &str, uses: i64, taken: i64) -> Told {
    let data = json!({"move": word, "claim_id": "o-1:promotion~o-P", "uses": uses, "uses_taken": taken});
    Told { kind: "counter.moved", key: COUNTER, data, by: (0, 0, 0) }
}

fn reservation(kind: &'static str) -> Told {
    Told { kind, key: "o-1", data: json!({"reservation_id": "o-1"}), by: (0, 0, 0) }
}

/// Twelve of A and five of B are there; the worked example takes three and one, two and one leave, and one goes back.
fn story() -> Vec<Told> {
    let late = json!({"kind": "included_in_count", "quantity": 4, "movement_id": "late"});
    vec![
        moved(A, "counted", 10, "count-a", (10, 0, 0)),
        moved(B, "counted", 5, "count-b", (5, 0, 0)),
        moved(A, "received", 2, "more", (2, 0, 0)),
        Told { kind: "stock.discrepancy", key: B, data: late, by: (0, 0, 0) },
        used("reserved", 3, 3),
        reserved(A, "o-1:1:0", 3),
        reserved(B, "o-1:2:0", 1),
        reservation("reservation.held"),
        used("finalized", 3, 3),
        moved(A, "hardened", 3, "o-1:1:0", (0, -3, 3)),
        moved(B, "hardened", 1, "o-1:2:0", (0, -1, 1)),
        reservation("reservation.committed"),
        moved(A, "consumed", 2, "o-1:1:0", (-2, 0, -2)),
        moved(B, "consumed", 1, "o-1:2:0", (-1, 0, -1)),
        moved(A, "given_back", 1, "o-1:1:0", (0, 0, -1)),
        used("consumed", 3, 3),
        reservation("reservation.consumed"),
    ]
}

fn fact(cell: &str, movement: &str, said: Said, is_late: bool) -> StockFact {
    let (sku, node) = cell.split_once('~').unwrap();
    StockFact { sku: sku.to_owned(), node: node.to_owned(), movement_id: movement.to_owned(), said, is_late }
}

/// Plays the story beside the order that it serves; `lie` changes what is told at last.
fn verdict(story: &[Told], limit: u32, lie: impl Fn(usize, &mut Value)) -> Verdict {
    let mut court = Court::new(10);
    let auditor = &mut court.auditor;
    let counted = |on_hand| Said::Counted { on_hand, safety: 0, oversell_cap: 0 };
    for said in [
        fact(A, "count-a", counted(10), false),
        fact(B, "count-b", counted(5), false),
        fact(A, "more", Said::Received(2), false),
        fact(B, "late", Said::Received(4), true),
    ] {
        auditor.stock(&said);
    }
    auditor.limited(COUNTER.to_owned(), limit);
    auditor.holding("o-1");
    let mut submit = worked_example("o-1");
    for line in &mut submit.lines {
        line.sku = line.sku.replace("SKU-", "o-");
    }
    submit.fulfillment = Some(Fulfillment { policy: "hold_at_submit".to_owned() });
    auditor.submitted(&submit, Ends::COMPLETED);
    let is_of_allocation = |step: &Step| match step {
        Step::Command { domain, .. } => *domain == "allocation",
        Step::Applied { change, .. } => {
            matches!(change, Change::Allocated { .. } | Change::AllocationReleased(_))
        }
        _ => false,
    };
    for step in worked_story("o-1").steps.iter().filter(|step| !is_of_allocation(step)) {
        court.step("o-1", step);
    }
    let (mut numbers, mut shelves) = (BTreeMap::<&str, u64>::new(), BTreeMap::<&str, Shelf>::new());
    for (place, told) in story.iter().enumerate() {
        let number = numbers.entry(told.key).or_default();
        *number += 1;
        let shelf = shelves.entry(told.key).or_default();
        shelf.on_hand += told.by.0;
        shelf.soft += told.by.1;
        shelf.hard += told.by.2;
        let mut data = told.data.clone();
        data["level"] = shelf.level();
        lie(place, &mut data);
        let event = json!({"type": told.kind, "key": told.key, "id": format!("{}-{number}", told.key),
                           "sequence": number, "order_version": number, "time": "2026-11-27T08:00:00Z",
                           "correlation_id": "c", "data": data});
        court.step("o-1", &Step::Page(vec![event]));
    }
    assert!(court.auditor.is_settled() || !court.auditor.verdict().clean, "a run ends when all is clean");
    court.auditor.verdict()
}

fn honest(_: usize, _: &mut Value) {}

fn assert_caught(check: Check, verdict: &Verdict) {
    let is_caught = verdict.violations.iter().any(|text| text.starts_with(&format!("{}: ", check.name())));
    assert!(is_caught, "{} not found in {:#?}", check.name(), verdict.violations);
}

/// The story without what `is_it` finds.
fn without(is_it: impl Fn(&Told) -> bool) -> Vec<Told> {
    let all = story();
    let left: Vec<Told> = all.iter().filter(|told| !is_it(told)).cloned().collect();
    assert!(left.len() < all.len());
    left
}

fn is_move(told: &Told, key: &str, word: &str) -> bool {
    told.key == key && told.data["move"] == word
}

#[test]
fn given_stock_that_is_told_as_it_is_then_it_is_clean() {
    let verdict = verdict(&story(), 3, honest);
    assert_eq!(verdict.violations, Vec::<String>::new());
    assert!(verdict.clean && verdict.checks > 120, "{}", verdict.checks);
}

#[test]
fn given_a_cell_that_is_one_unit_off_at_any_moment_then_it_is_caught() {
    let of_cells = story().into_iter().enumerate().filter(|(_, told)| told.kind.starts_with("stock."));
    for (place, told) in of_cells {
        for field in ["on_hand", "soft", "hard"] {
            let lie = |at: usize, data: &mut Value| {
                if at == place {
                    data["level"][field] = (data["level"][field].as_i64().unwrap() + 1).into();
                }
            };
            let verdict = verdict_of(&lie);
            assert!(!verdict.clean, "{} {field}", told.kind);
            assert_caught(Check::StockIsConserved, &verdict);
        }
    }
}

fn verdict_of(lie: &impl Fn(usize, &mut Value)) -> Verdict {
    verdict(&story(), 3, lie)
}

#[test]
fn given_a_movement_that_counts_twice_then_it_is_caught_though_all_numbers_agree() {
    let mut twice = story();
    twice.insert(3, moved(A, "received", 2, "more", (2, 0, 0)));
    assert_caught(Check::StockIsConserved, &verdict(&twice, 3, honest));
}

#[test]
fn given_a_movement_that_nobody_said_or_another_quantity_then_it_is_caught() {
    let mut invented = story();
    invented.insert(3, moved(A, "adjusted", 1, "nobody", (1, 0, 0)));
    assert_caught(Check::StockIsConserved, &verdict(&invented, 3, honest));
    let mut other = story();
    other[2] = moved(A, "received", 3, "more", (3, 0, 0));
    assert_caught(Check::StockIsConserved, &verdict(&other, 3, honest));
}

#[test]
fn given_a_late_fact_that_is_added_to_the_count_then_it_is_caught() {
    let mut added = story();
    added[3] = moved(B, "received", 4, "late", (4, 0, 0));
    assert_caught(Check::StockIsConserved, &verdict(&added, 3, honest));
}

#[test]
fn given_a_fact_or_a_departure_that_no_cell_tells_then_it_is_caught() {
    let forgotten = without(|told| is_move(told, A, "received"));
    assert_caught(Check::StockIsTold, &verdict(&forgotten, 3, honest));
    let kept = without(|told| is_move(told, B, "consumed"));
    assert_caught(Check::StockIsTold, &verdict(&kept, 3, honest));
}

#[test]
fn given_more_units_held_than_there_are_then_it_is_caught_though_all_numbers_agree() {
    let mut greedy = story();
    greedy.insert(7, reserved(A, "o-2:1:0", 10));
    assert_caught(Check::StockIsNotOversold, &verdict(&greedy, 3, honest));
    let boast = |at: usize, data: &mut Value| {
        if at == 5 {
            data["level"]["available"] = 10.into();
        }
    };
    assert_caught(Check::StockIsNotOversold, &verdict(&story(), 3, boast));
}

#[test]
fn given_more_uses_than_the_limit_then_it_is_caught() {
    assert_caught(Check::UsesAreWithinLimits, &verdict(&story(), 2, honest));
    let lie = |at: usize, data: &mut Value| {
        if at == 4 {
            data["uses_taken"] = 2.into();
        }
    };
    assert_caught(Check::UsesAreWithinLimits, &verdict(&story(), 3, lie));
}

#[test]
fn given_a_reservation_that_ends_twice_or_never_then_it_is_caught() {
    let mut twice = story();
    twice.push(reservation("reservation.released"));
    assert_caught(Check::ReservationEndsOnce, &verdict(&twice, 3, honest));
    let never = without(|told| told.kind == "reservation.consumed");
    assert_caught(Check::ReservationEnds, &verdict(&never, 3, honest));
}

#[test]
fn given_units_or_uses_that_stay_held_for_an_order_that_has_ended_then_it_is_caught() {
    let held = without(|told| is_move(told, A, "given_back"));
    assert_caught(Check::NoHoldIsLeft, &verdict(&held, 3, honest));
    let reserved = without(|told| told.key == COUNTER && told.data["move"] != "reserved");
    assert_caught(Check::NoHoldIsLeft, &verdict(&reserved, 3, honest));
    let sold = without(|told| is_move(told, COUNTER, "consumed"));
    assert!(verdict(&sold, 3, honest).clean, "final uses of an order that is sold stay");
}

#[test]
fn given_an_event_of_a_cell_that_is_lost_then_it_is_caught() {
    let verdict = verdict(&story(), 3, |_, _| {});
    assert!(verdict.clean);
    let mut court = Court::new(10);
    let event = json!({"type": "stock.moved", "key": A, "id": "x", "sequence": 2, "order_version": 2,
                       "time": "2026-11-27T08:00:00Z", "correlation_id": "c",
                       "data": {"move": "given_back", "quantity": 0, "claim_id": "o-1:1:0", "level": Shelf::default().level()}});
    court.step("o-1", &Step::Page(vec![event]));
    assert_caught(Check::EventsAreDense, &court.auditor.verdict());
}
