//! Units that are for a promotion alone.

use serde_json::{Value, json};

use super::{Cell, fact, with};
use crate::stock_desk::{Said, names, take};

fn set_aside(cell: &mut Cell, quantity: u32, until: Option<i64>, movement: &str) -> Vec<Said> {
    let until = until.map(|ms| cell.now.plus_ms(ms).to_string());
    let body = json!({"promotion": "bf26", "quantity": quantity, "until": until, "movement_id": movement});
    cell.fact("set_aside", &fact(&body))
}

fn promoted(claim: &str, quantity: u32) -> Value {
    let mut body = take(claim, quantity);
    body["promotion"] = json!("bf26");
    body
}

#[test]
fn given_units_for_a_promotion_when_others_take_then_they_do_not_get_them() {
    let mut cell = with(10);
    set_aside(&mut cell, 6, None, "a-1");
    assert_eq!(cell.numbers()[3], 4);
    assert_eq!(names(&cell.take("r-1:1:1", 5)), ["not_taken out_of_stock"]);
    assert_eq!(
        names(&cell.ask("take", &promoted("r-2:1:1", 8))),
        ["taken"],
        "its own units, and what is for everybody"
    );
    assert_eq!(cell.last("stock.reserved")["promotion"], "bf26");
    assert_eq!(cell.numbers(), [10, 8, 0, 2]);
}

#[test]
fn given_units_of_a_promotion_when_they_are_given_back_then_they_are_its_own_again() {
    let mut cell = with(10);
    set_aside(&mut cell, 6, None, "a-1");
    cell.ask("take", &promoted("r-1:1:1", 6));
    assert_eq!(cell.numbers()[3], 4);
    cell.give_back("r-1:1:1", 2, "x-1");
    assert_eq!(cell.numbers()[3], 4);
    cell.consume("r-1:1:1", 4, "p-1");
    assert_eq!(
        (cell.numbers(), cell.state.feed.set_aside[0].used),
        ([6, 0, 0, 4], 4),
        "what departed was used"
    );
}

#[test]
fn given_a_promotion_when_its_time_is_over_then_what_it_has_not_used_is_for_everybody() {
    let mut cell = with(10);
    set_aside(&mut cell, 10, Some(60_000), "a-1");
    cell.ask("take", &promoted("r-1:1:1", 3));
    cell.take_or_wait("r-2:1:1", 7, 0);
    assert_eq!(cell.numbers(), [10, 3, 0, 0]);
    let said = cell.pass_ms(60_000);
    assert_eq!(names(&said), ["taken"]);
    assert_eq!(cell.last("stock.set_aside")["quantity"], 0);
    assert_eq!(cell.numbers(), [10, 3, 7, 0]);
    assert_eq!(names(&cell.give_back("r-1:1:1", 3, "x-1")), ["given_back"]);
    assert_eq!(cell.numbers()[3], 3);
}

#[test]
fn given_many_who_wait_when_units_are_set_aside_then_only_those_of_the_promotion_get_them() {
    let mut cell = with(3);
    set_aside(&mut cell, 3, None, "a-1");
    cell.take_or_wait("r-1:1:1", 5, 0);
    assert_eq!(cell.numbers(), [3, 0, 0, 0], "nothing is left for everybody");
    assert_eq!(cell.state.posted().available_under(Some("bf26")), 3);
    assert_eq!(cell.state.posted().available_under(Some("other")), 0);
    assert_eq!(names(&cell.ask("take", &promoted("r-2:1:1", 2))), ["taken"]);
    let mut waits = promoted("r-3:1:1", 2);
    waits["backorder_since"] = json!(1);
    assert_eq!(names(&cell.ask("take", &waits)), ["backordered"]);
    assert_eq!(
        names(&cell.ask("take", &promoted("r-4:1:1", 1))),
        ["not_taken out_of_stock"],
        "the last unit is waited for under the promotion"
    );
}

#[test]
fn given_units_for_a_promotion_when_it_is_told_again_then_the_last_number_counts() {
    let mut cell = with(10);
    set_aside(&mut cell, 6, None, "a-1");
    set_aside(&mut cell, 2, None, "a-2");
    set_aside(&mut cell, 9, None, "a-1");
    assert_eq!(cell.numbers()[3], 8);
    set_aside(&mut cell, 0, None, "a-3");
    assert!(cell.state.feed.set_aside.is_empty() && cell.numbers()[3] == 10);
}

#[test]
fn given_many_promotions_when_one_more_comes_than_a_cell_keeps_then_it_is_told_and_changes_nothing() {
    let mut cell = with(100);
    for n in 0..17 {
        let body = json!({"promotion": format!("p-{n}"), "quantity": 1, "movement_id": format!("a-{n}")});
        cell.fact("set_aside", &fact(&body));
    }
    assert_eq!(cell.numbers()[3], 84);
    assert_eq!(cell.last("stock.discrepancy")["kind"], "not_set_aside");
}
