//! More is held than there is: who goes without, and who may still be promised. And thresholds, once per crossing.

use serde_json::{Value, json};

use super::with;
use crate::stock_desk::names;

#[test]
fn given_held_units_when_they_are_lost_then_the_newest_claims_are_named_first() {
    let mut cell = with(10);
    for (claim, quantity) in [("r-1:1:1", 4), ("r-3:1:1", 3), ("r-2:1:1", 3)] {
        cell.take(claim, quantity);
    }
    cell.harden("r-3:1:1");
    cell.adjust(-4, "m-1");
    let told = cell.last("stock.oversold");
    assert_eq!(told["quantity"], 4);
    let victims: Vec<(&str, u64, bool)> = told["victims"].as_array().unwrap().iter().map(victim).collect();
    assert_eq!(victims, [("r-2:1:1", 3, false), ("r-3:1:1", 1, true)]);
    assert_eq!(cell.numbers(), [6, 7, 3, 0]);
    let view: Value = serde_json::from_str(&cell.view()).unwrap();
    assert_eq!((&view["oversold"], &view["victims"]), (&json!(4), &cell.last("stock.oversold")["victims"]));
    cell.receive(4, "m-2");
    let view: Value = serde_json::from_str(&cell.view()).unwrap();
    assert_eq!((&view["oversold"], view.get("victims")), (&json!(0), None));
}

fn victim(row: &Value) -> (&str, u64, bool) {
    (row["claim_id"].as_str().unwrap(), row["quantity"].as_u64().unwrap(), row["hard"].as_bool().unwrap())
}

#[test]
fn given_an_oversold_cell_when_more_is_missing_or_nothing_any_more_then_it_is_told_again() {
    let mut cell = with(10);
    cell.take("r-1:1:1", 10);
    cell.adjust(-4, "m-1");
    cell.adjust(2, "m-2");
    cell.adjust(-1, "m-3");
    assert_eq!(cell.count("stock.oversold"), 1, "less is missing than was told");
    cell.adjust(-5, "m-4");
    assert_eq!((cell.count("stock.oversold"), &cell.last("stock.oversold")["quantity"]), (2, &json!(8)));
    cell.give_back("r-1:1:1", 10, "x-1");
    assert_eq!((cell.count("stock.oversold"), &cell.last("stock.oversold")["quantity"]), (3, &json!(0)));
}

#[test]
fn given_an_oversold_cell_when_soft_claims_are_hardened_then_no_more_is_promised_than_there_is() {
    let mut cell = with(10);
    cell.take("r-1:1:1", 6);
    cell.take("r-2:1:1", 4);
    cell.adjust(-3, "m-1");
    assert_eq!(names(&cell.harden("r-1:1:1")), ["hardened"]);
    let said = cell.harden("r-2:1:1");
    assert_eq!(names(&said), ["not_taken out_of_stock"]);
    cell.give_back("r-2:1:1", 4, "x-1");
    assert_eq!(cell.numbers(), [7, 0, 6, 1]);
}

#[test]
fn given_thresholds_when_what_can_be_sold_crosses_them_then_each_crossing_is_told_once() {
    let mut cell = with(0);
    cell.policies.thresholds = vec![0, 5];
    cell.receive(10, "m-1");
    let mut crossings = Vec::new();
    for n in 0..10 {
        cell.take(&format!("r-{n}:1:1"), 1);
        crossings.push(cell.count("stock.threshold"));
    }
    assert_eq!(crossings, [0, 0, 0, 0, 1, 1, 1, 1, 1, 2]);
    assert_eq!(cell.last("stock.threshold")["threshold"], 0);
    cell.give_back("r-1:1:1", 1, "x-1");
    assert_eq!(cell.last("stock.threshold")["threshold"], 5);
    cell.receive(10, "m-2");
    assert_eq!(cell.last("stock.threshold").get("threshold"), None);
    assert_eq!(cell.count("stock.threshold"), 4);
}
