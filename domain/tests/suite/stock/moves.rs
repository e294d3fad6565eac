//! A1 to A7, each once and each twice.

use serde_json::json;

use super::{Cell, with};
use crate::stock_desk::{Said, names};

type Step = fn(&mut Cell) -> Vec<Said>;

#[test]
fn given_enough_units_when_some_are_taken_then_they_are_soft_and_told() {
    let mut cell = with(10);
    let said = cell.take("r-1:1:1", 4);
    assert_eq!(said, [("taken".into(), json!({"claim_id": "r-1:1:1", "cell": "SKU-A~n-1", "quantity": 4}))]);
    assert_eq!(cell.numbers(), [10, 4, 0, 6]);
    assert_eq!(
        *cell.last("stock.reserved"),
        json!({"sku": "SKU-A", "node": "n-1", "reservation_id": "r-1", "claim_id": "r-1:1:1", "quantity": 4, "hard": false,
               "level": {"on_hand": 10, "soft": 4, "hard": 0, "backordered": 0, "available": 6}})
    );
}

// invariant: applied-once
#[test]
fn given_any_question_when_it_comes_again_then_the_answer_is_the_same_and_nothing_happens() {
    let mut cell = with(10);
    let steps: [Step; 6] = [
        |cell| cell.take("r-1:1:1", 4),
        |cell| cell.harden("r-1:1:1"),
        |cell| cell.consume("r-1:1:1", 1, "p-1"),
        |cell| cell.give_back("r-1:1:1", 1, "x-1"),
        |cell| cell.consume("r-1:1:1", 2, "p-2"),
        |cell| {
            cell.ask(
                "consume_unclaimed",
                &json!({"reservation_id": "r-9", "quantity": 1, "movement_id": "p-3"}),
            )
        },
    ];
    for (index, step) in steps.iter().enumerate() {
        let first = step(&mut cell);
        let (version, state) = (cell.version, cell.state.clone());
        assert_eq!(step(&mut cell), first, "step {index}");
        assert!(cell.version == version && cell.state == state, "step {index}");
    }
    assert_eq!(cell.numbers(), [6, 0, 0, 6]);
    // What is long over comes again, too.
    for step in &steps[2..] {
        let version = cell.version;
        step(&mut cell);
        assert_eq!(cell.version, version);
    }
}

#[test]
fn given_too_few_units_when_more_are_taken_then_it_is_refused_and_nothing_happens() {
    let mut cell = with(3);
    let version = cell.version;
    let said = cell.take("r-1:1:1", 4);
    assert_eq!(names(&said), ["not_taken out_of_stock"]);
    assert_eq!(said[0].1["available"], 3);
    assert_eq!((cell.version, cell.numbers()), (version, [3, 0, 0, 3]));
    assert_eq!(names(&cell.take("r-1:1:1", 3)), ["taken"], "it was not remembered");
}

#[test]
fn given_safety_and_cap_when_units_are_taken_then_not_one_more_is_given() {
    let mut cell = with(10);
    let count = json!({"sku": "SKU-A", "node": "n-1", "on_hand": 10, "safety": 3, "oversell_cap": 2, "movement_id": "c-2",
                       "as_of": cell.now.to_string()});
    cell.fact("baseline", &count);
    assert_eq!(cell.numbers()[3], 9);
    assert_eq!(names(&cell.take("r-1:1:1", 10)), ["not_taken out_of_stock"]);
    assert_eq!(names(&cell.take("r-1:1:1", 9)), ["taken"]);
    assert_eq!(names(&cell.take("r-2:1:1", 1)), ["not_taken out_of_stock"]);
    assert_eq!(cell.count("stock.oversold"), 0);
}

#[test]
fn given_a_soft_claim_when_it_is_hardened_consumed_and_given_back_then_only_departures_change_what_is_there()
{
    let mut cell = with(10);
    cell.take("r-1:1:1", 4);
    assert_eq!(names(&cell.harden("r-1:1:1")), ["hardened"]);
    assert_eq!(cell.numbers(), [10, 0, 4, 6]);
    assert_eq!(names(&cell.consume("r-1:1:1", 3, "p-1")), ["consumed"]);
    assert_eq!(cell.numbers(), [7, 0, 1, 6]);
    assert_eq!(names(&cell.give_back("r-1:1:1", 99, "x-1")), ["given_back"]);
    assert_eq!(cell.numbers(), [7, 0, 0, 7]);
    assert_eq!(cell.last("stock.moved")["quantity"], 1);
    let moves: Vec<_> =
        cell.told.iter().filter(|(kind, _)| kind == "stock.moved").map(|(_, data)| &data["move"]).collect();
    assert_eq!(moves, ["counted", "hardened", "consumed", "given_back"]);
}

#[test]
fn given_a_claim_that_nobody_knows_when_it_is_hardened_then_it_is_not_there() {
    let mut cell = with(10);
    assert_eq!(names(&cell.harden("r-1:1:1")), ["not_taken unknown_entity"]);
    assert_eq!(names(&cell.give_back("r-1:1:1", 1, "x-1")), ["given_back"]);
    assert_eq!(names(&cell.consume("r-1:1:1", 1, "p-1")), ["consumed"]);
    assert_eq!(cell.numbers(), [10, 0, 0, 10]);
}

#[test]
fn given_a_soft_claim_when_its_units_depart_before_the_commit_then_they_are_gone() {
    let mut cell = with(10);
    cell.take("r-1:1:1", 2);
    cell.consume("r-1:1:1", 2, "p-1");
    assert_eq!(cell.numbers(), [8, 0, 0, 8]);
}

#[test]
fn given_a_claim_when_more_departs_than_it_holds_then_all_of_it_counts_and_is_told() {
    let mut cell = with(10);
    cell.take("r-1:1:1", 2);
    cell.consume("r-1:1:1", 5, "p-1");
    assert_eq!(cell.numbers(), [5, 0, 0, 5]);
    let told = cell.last("stock.discrepancy");
    assert_eq!((&told["kind"], &told["quantity"]), (&json!("unclaimed_departure"), &json!(-3)));
}

#[test]
fn given_nothing_is_known_when_units_depart_then_it_is_counted_below_zero() {
    let mut cell = Cell::new("SKU-A~n-1");
    assert_eq!(names(&cell.take("r-1:1:1", 1)), ["not_taken out_of_stock"]);
    assert!(!cell.state.is_known(), "a refusal makes no cell");
    cell.ask("consume_unclaimed", &json!({"reservation_id": "r-9", "quantity": 2, "movement_id": "p-1"}));
    assert_eq!(cell.numbers(), [-2, 0, 0, 0]);
    assert_eq!(cell.last("stock.oversold")["quantity"], 2);
}

#[test]
fn given_more_orders_than_a_cell_has_room_for_when_they_go_through_it_then_only_those_under_way_have_claims()
{
    const ORDERS: u32 = 12_000;
    const UNDER_WAY: u32 = 20;
    let mut cell = with(ORDERS.into());
    assert!(cell.policies.claims_most < ORDERS as usize);
    for n in 0..ORDERS + UNDER_WAY {
        if n < ORDERS {
            assert_eq!(names(&cell.take(&format!("r-{n}:1:1"), 1)), ["taken"]);
        }
        let Some(n) = n.checked_sub(UNDER_WAY) else { continue };
        let claim = format!("r-{n}:1:1");
        cell.harden(&claim);
        cell.consume(&claim, 1, &format!("p-{n}"));
        assert!(cell.state.claims.len() <= 20);
        // What was told and recorded is not what this is about.
        cell.told.clear();
        cell.events.clear();
    }
    assert_eq!(cell.numbers(), [0, 0, 0, 0]);
    assert!(cell.state.claims.is_empty());
}
