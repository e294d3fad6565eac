//! A movement that comes again: the first counts, the same again is silent, and a lie is told.

use std::collections::VecDeque;

use domain::claims::Mark;
use domain::stock::Stock;
use domain::stock::event::Fact;
use domain::stock::feed::{Feed, MOVEMENTS_MOST};
use domain::stock::{Event, State};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Cell, fact, with};
use crate::stock_desk::Desk;

const AS_OF: &str = "2026-11-27T06:00:00Z";
const LATER: &str = "2026-11-29T06:00:00Z";

/// One fact of each kind, all of one movement.
fn facts() -> Vec<(&'static str, Value)> {
    let body = |more: &Value| {
        let mut body = fact(more);
        body["movement_id"] = json!("m-1");
        body
    };
    vec![
        ("baseline", body(&json!({"on_hand": 20, "safety": 1, "oversell_cap": 2, "as_of": AS_OF}))),
        ("received", body(&json!({"quantity": 5, "reference": "i-1"}))),
        ("adjusted", body(&json!({"delta": -3, "reason": "damaged"}))),
        ("inbound", body(&json!({"quantity": 5, "expected_at": LATER}))),
        ("set_aside", body(&json!({"promotion": "bf26", "quantity": 5, "until": LATER}))),
    ]
}

/// Everything of a cell but the number of what happened to it.
fn unchanged(cell: &Cell) -> State {
    State { version: 0, ..cell.state.clone() }
}

#[test]
fn given_a_movement_when_it_comes_again_with_other_numbers_then_the_first_counts_and_each_lie_is_told() {
    let mut cell = with(10);
    cell.receive(5, "m-1");
    let before = unchanged(&cell);
    let mut told = Vec::new();
    cell.now = cell.now.plus_ms(1_000);
    cell.receive(500, "m-1");
    told.push(cell.last("stock.discrepancy").clone());
    cell.adjust(-3, "m-1");
    told.push(cell.last("stock.discrepancy").clone());
    cell.count_units(99, "m-1");
    told.push(cell.last("stock.discrepancy").clone());
    assert_eq!(
        unchanged(&cell),
        before,
        "nothing is taken over from a lie, not even that something was heard"
    );
    let announced = json!({"quantity": 7, "expected_at": LATER, "movement_id": "m-1"});
    cell.fact("inbound", &fact(&announced));
    told.push(cell.last("stock.discrepancy").clone());
    let level = json!({"on_hand": 15, "soft": 0, "hard": 0, "backordered": 0, "available": 15});
    for (told, quantity) in told.iter().zip([500, -3, 84, 0]) {
        let expected = json!({"sku": "SKU-A", "node": "n-1", "kind": "movement_conflict", "quantity": quantity,
                              "movement_id": "m-1", "level": level});
        assert_eq!(*told, expected);
    }
    assert_eq!(cell.count("stock.discrepancy"), 4, "what is only expected is no unit more");
    cell.adjust(-3, "m-2");
    assert_eq!(cell.numbers(), [12, 0, 0, 12]);
}

#[test]
fn given_a_fact_of_any_kind_when_it_comes_again_as_it_was_then_nothing_is_told() {
    for (name, body) in facts() {
        let mut cell = with(10);
        cell.fact(name, &body);
        let before = (cell.version, cell.told.len());
        cell.now = cell.now.plus_ms(1_000);
        cell.fact(name, &body);
        assert_eq!((cell.version, cell.told.len()), before, "{name}");
    }
}

#[test]
fn given_a_moment_when_it_is_spelled_otherwise_then_it_is_the_same_and_a_field_of_null_is_a_missing_one() {
    let mut cell = with(10);
    let count = |as_of: &str, safety: &Value| {
        fact(&json!({"on_hand": 9, "as_of": as_of, "safety": safety, "movement_id": "c-2"}))
    };
    let now = cell.now.to_string();
    let spelled = now.replace('Z', "+00:00");
    assert_ne!(now, spelled);
    let mut missing = count(&now, &Value::Null);
    missing.as_object_mut().unwrap().remove("safety");
    cell.fact("baseline", &missing);
    let version = cell.version;
    cell.fact("baseline", &count(&spelled, &Value::Null));
    assert_eq!(cell.version, version);
    cell.fact("baseline", &count(&spelled, &json!(0)));
    assert_eq!(cell.last("stock.discrepancy")["kind"], "movement_conflict", "0 is not \"as before\"");
}

#[test]
fn given_a_fact_when_any_of_its_words_differs_then_it_is_a_lie() {
    for (name, body) in facts() {
        let fields = body.as_object().unwrap().clone();
        for (field, value) in fields {
            let other = match (&*field, &value) {
                ("sku" | "node" | "movement_id", _) => continue,
                (_, Value::Number(number)) => json!(number.as_i64().unwrap() + 1),
                ("as_of" | "expected_at" | "until", _) => json!("2026-11-27T06:00:01Z"),
                _ => json!("other"),
            };
            let mut cell = with(10);
            cell.fact(name, &body);
            let before = unchanged(&cell);
            let mut lie = body.clone();
            lie[&field] = other;
            cell.fact(name, &lie);
            assert_eq!(cell.last("stock.discrepancy")["kind"], "movement_conflict", "{name} {field}");
            assert_eq!(unchanged(&cell), before, "{name} {field}");
        }
    }
}

#[test]
fn given_a_movement_that_an_older_version_recorded_when_it_comes_again_with_other_numbers_then_it_is_ignored()
{
    let mut cell = with(10);
    let of_old = Fact { movement: "m-1".into(), at: cell.now, fresh_until: None, said: None };
    cell.happened(&Event::Received { fact: Box::new(of_old), quantity: 5, reference: None });
    let version = cell.version;
    cell.receive(500, "m-1");
    assert_eq!((cell.version, cell.numbers()[0]), (version, 15), "nobody knows what it had said");
    cell.receive(1, "m-2");
    cell.receive(2, "m-2");
    assert_eq!(cell.last("stock.discrepancy")["movement_id"], "m-2");
}

#[test]
fn given_a_fact_that_the_count_has_when_it_comes_again_then_the_same_is_silent_and_another_is_told() {
    let mut cell = with(10);
    let late = cell.now.plus_ms(-1).to_string();
    let count = |on_hand: i64| fact(&json!({"on_hand": on_hand, "movement_id": "c-0", "as_of": late}));
    cell.fact("baseline", &count(3));
    cell.fact("baseline", &count(3));
    assert_eq!(cell.count("stock.discrepancy"), 1);
    cell.fact("baseline", &count(4));
    let told = cell.last("stock.discrepancy");
    assert_eq!((&told["kind"], &told["quantity"]), (&json!("movement_conflict"), &json!(0)));
    assert_eq!(cell.numbers()[0], 10);
}

#[test]
fn given_a_stale_cell_when_only_a_lie_comes_then_it_stays_stale() {
    let mut cell: Desk<Stock> = Cell::new("SKU-A~n-1");
    cell.policies.stale_after_ms = 1_000;
    cell.count_units(10, "count-1");
    cell.receive(1, "m-1");
    cell.pass_ms(2_000);
    assert!(cell.state.feed.stale.is_some());
    cell.receive(2, "m-1");
    assert!(cell.state.feed.stale.is_some());
    assert_eq!(cell.last("stock.discrepancy")["quantity"], 2);
    cell.receive(2, "m-2");
    assert!(cell.state.feed.stale.is_none());
}

#[test]
fn given_as_many_movements_as_are_remembered_when_written_then_what_they_said_takes_five_bytes_each() {
    let mut cell = with(0);
    for n in 0..2 * MOVEMENTS_MOST {
        cell.receive(1, &format!("m-{n}"));
    }
    let feed = &cell.state.feed;
    let bytes = |value: Vec<u8>| value.len();
    let marks = bytes(rmp_serde::to_vec_named(&feed.movements).unwrap());
    let all = bytes(rmp_serde::to_vec_named(&**feed).unwrap());
    assert_eq!(feed.movements.len(), MOVEMENTS_MOST);
    assert!(marks <= 9 * MOVEMENTS_MOST + 3, "{marks}");
    assert!(all - marks <= 5 * MOVEMENTS_MOST + 128, "{}", all - marks);
    for n in [2 * MOVEMENTS_MOST - 1, MOVEMENTS_MOST] {
        cell.receive(2, &format!("m-{n}"));
        assert_eq!(cell.last("stock.discrepancy")["movement_id"], format!("m-{n}"));
    }
    assert_eq!(cell.count("stock.discrepancy"), 2);
}

#[test]
fn given_a_cell_that_heard_only_of_departures_when_written_then_nothing_is_said_beside_them() {
    let mut feed = Feed::default();
    feed.remember(Mark::of_departure("r-1", "p-1"), None);
    let written = serde_json::to_value(&feed).unwrap();
    assert_eq!(written.get("said"), None);
}

proptest! {
    /// What is remembered is what a list of the newest pairs would remember.
    #[test]
    fn what_was_said_stays_beside_its_movement(
        movements in proptest::collection::vec((0_u32..4_000, proptest::option::of(1_u32..100)), 0..3_000)
    ) {
        let (mut feed, mut model) = (Feed::default(), VecDeque::new());
        for (n, said) in movements {
            let mark = Mark::of_fact(&n.to_string());
            if feed.has_seen(mark) {
                continue;
            }
            let said = said.map(|said| serde_json::from_value(json!(said)).unwrap());
            feed.remember(mark, said);
            model.push_back((mark, said));
            if model.len() > MOVEMENTS_MOST {
                model.pop_front();
            }
        }
        for (mark, said) in &model {
            prop_assert_eq!(feed.said(*mark), *said);
        }
        prop_assert_eq!(feed.said(Mark::of_fact("never")), None);
        let written = rmp_serde::to_vec_named(&feed).unwrap();
        prop_assert_eq!(rmp_serde::from_slice::<Feed>(&written).unwrap(), feed);
    }
}
