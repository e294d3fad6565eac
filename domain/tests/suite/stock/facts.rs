//! Facts: counts, receipts, adjustments. None is refused, none counts twice.

use domain::envelope::{Headers, Plane};
use serde_json::json;

use super::{fact, with};

#[test]
fn given_units_that_moved_since_when_an_older_count_comes_then_they_still_count() {
    let mut cell = with(10);
    cell.now = cell.now.plus_ms(1_000);
    cell.receive(5, "m-1");
    let as_of = cell.now.plus_ms(500).to_string();
    cell.now = cell.now.plus_ms(1_000);
    cell.take("r-1:1:1", 2);
    cell.consume("r-1:1:1", 2, "p-1");
    assert_eq!(cell.numbers()[0], 13);
    // 14 were there before the parcel left: one less than the books say.
    cell.fact("baseline", &fact(&json!({"on_hand": 14, "movement_id": "c-2", "as_of": as_of})));
    assert_eq!(cell.numbers()[0], 12);
    let told = cell.last("stock.discrepancy");
    assert_eq!(
        (&told["kind"], &told["quantity"], &told["as_of"]),
        (&json!("drift"), &json!(-1), &json!(as_of))
    );
    assert_eq!(cell.state.feed.counted.unwrap().drift, -1);
}

#[test]
fn given_a_count_when_an_older_one_comes_late_then_it_changes_nothing() {
    let mut cell = with(10);
    let as_of = cell.now.plus_ms(-1).to_string();
    cell.fact("baseline", &fact(&json!({"on_hand": 3, "movement_id": "c-0", "as_of": as_of})));
    assert_eq!(cell.numbers()[0], 10);
    assert_eq!(cell.last("stock.discrepancy")["kind"], "included_in_count");
}

#[test]
fn given_a_count_when_a_receipt_from_before_it_comes_late_then_the_count_has_it() {
    let mut cell = with(10);
    let before = Headers::new().with("ce-time", cell.now.plus_ms(-60_000).to_string());
    let after = Headers::new().with("ce-time", cell.now.plus_ms(1).to_string());
    let receipt = |movement: &str| fact(&json!({"quantity": 5, "movement_id": movement}));
    cell.hear(Plane::Fact, "received", before, &receipt("m-1"));
    assert_eq!(cell.numbers()[0], 10);
    cell.hear(Plane::Fact, "received", after, &receipt("m-2"));
    assert_eq!(cell.numbers()[0], 15);
}

#[test]
fn given_a_first_count_when_it_comes_then_what_it_finds_is_no_drift() {
    let cell = with(10);
    assert_eq!(cell.count("stock.discrepancy"), 0);
    assert_eq!(cell.last("stock.moved")["move"], "counted");
}

#[test]
fn given_a_count_that_says_nothing_of_safety_and_cap_when_it_comes_then_they_stay() {
    let mut cell = with(10);
    let now = cell.now.to_string();
    cell.fact(
        "baseline",
        &fact(&json!({"on_hand": 10, "safety": 2, "oversell_cap": 1, "movement_id": "c-2", "as_of": now})),
    );
    cell.count_units(20, "c-3");
    assert_eq!((cell.state.safety, cell.state.oversell_cap, cell.numbers()[3]), (2, 1, 19));
}
