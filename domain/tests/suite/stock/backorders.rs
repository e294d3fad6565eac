//! Who waits for stock, in which order he is served, and what he is promised.

use serde_json::json;

use super::{fact, with};
use crate::stock_desk::names;

#[test]
fn given_no_units_when_a_claim_may_wait_then_it_waits_and_is_served_by_the_next_receipt() {
    let mut cell = with(1);
    assert_eq!(names(&cell.take_or_wait("r-1:1:1", 3, 0)), ["backordered"]);
    assert_eq!(names(&cell.take_or_wait("r-1:1:1", 3, 0)), ["backordered"], "asked again");
    assert_eq!(cell.numbers(), [1, 0, 0, 0], "what there is is kept for who waits");
    let said = cell.receive(2, "m-1");
    assert_eq!(said, [("taken".into(), json!({"claim_id": "r-1:1:1", "cell": "SKU-A~n-1", "quantity": 3}))]);
    assert_eq!(cell.numbers(), [3, 0, 3, 0]);
    assert_eq!(names(&cell.take_or_wait("r-1:1:1", 3, 0)), ["taken"], "a lost answer is given again");
}

#[test]
fn given_several_who_wait_when_units_come_then_who_was_committed_first_is_served_first_and_nobody_overtakes()
{
    let mut cell = with(0);
    cell.take_or_wait("r-late:1:1", 1, 9);
    cell.take_or_wait("r-first:1:1", 4, 1);
    cell.take_or_wait("r-second:1:1", 1, 5);
    assert_eq!(cell.receive(3, "m-1"), []);
    assert_eq!(names(&cell.take("r-new:1:1", 1)), ["not_taken out_of_stock"]);
    let said = cell.receive(2, "m-2");
    let served: Vec<_> = said.iter().map(|(_, body)| body["claim_id"].as_str().unwrap()).collect();
    assert_eq!(served, ["r-first:1:1", "r-second:1:1"]);
    assert_eq!(
        names(&cell.give_back("r-first:1:1", 4, "x-1")),
        ["given_back", "taken"],
        "given back units serve the next"
    );
}

#[test]
fn given_announced_receipts_when_a_claim_waits_then_it_is_promised_the_one_that_reaches_it() {
    let mut cell = with(0);
    let day = |day: i64| cell_day(day);
    for (day, movement) in [(2, "i-2"), (1, "i-1")] {
        let body = json!({"quantity": 5, "expected_at": cell_day(day).1, "movement_id": movement});
        cell.fact("inbound", &fact(&body));
    }
    assert_eq!(cell.take_or_wait("r-1:1:1", 4, 0)[0].1["promised_at"], day(1).0);
    assert_eq!(cell.last("stock.backordered")["promised_at"], day(1).1);
    assert_eq!(cell.take_or_wait("r-2:1:1", 4, 1)[0].1["promised_at"], day(2).0);
    assert_eq!(cell.take_or_wait("r-3:1:1", 4, 2)[0].1.get("promised_at"), None, "nobody knows");
    let receipt = json!({"quantity": 5, "movement_id": "m-1", "reference": "i-1"});
    assert_eq!(names(&cell.fact("received", &fact(&receipt))), ["taken"]);
    assert_eq!(cell.state.feed.inbound.len(), 1, "what was received is not expected any more");
    cell.pass_ms(3 * 86_400_000);
    assert_eq!(cell.take_or_wait("r-2:1:1", 4, 1)[0].1.get("promised_at"), None, "overdue is no promise");
}

/// Milliseconds and text of a day after the first.
fn cell_day(day: i64) -> (i64, String) {
    let at = domain::time::Timestamp(1_795_766_400_000 + day * 86_400_000);
    (at.0, at.to_string())
}

#[test]
fn given_a_claim_that_waits_when_it_is_hardened_then_it_is_hard_once_it_is_served() {
    let mut cell = with(0);
    let mut body = crate::stock_desk::take("r-1:1:1", 2);
    body["backorder_since"] = json!(1);
    cell.ask("take", &body);
    assert_eq!(names(&cell.harden("r-1:1:1")), ["backordered"]);
    cell.receive(2, "m-1");
    assert_eq!(cell.numbers(), [2, 0, 2, 0]);
}

#[test]
fn given_a_claim_that_waits_when_a_part_of_it_departs_or_is_given_back_then_it_waits_for_the_rest() {
    let mut cell = with(0);
    cell.take_or_wait("r-1:1:1", 5, 0);
    for _ in 0..2 {
        assert_eq!(names(&cell.consume("r-1:1:1", 2, "p-1")), ["consumed"]);
        assert_eq!(names(&cell.give_back("r-1:1:1", 1, "x-1")), ["given_back"]);
    }
    assert_eq!((cell.state.waiting.units(), cell.numbers()[0]), (2, -2));
    let said = cell.receive(4, "m-1");
    assert_eq!(said[0].1["quantity"], 2);
    // What was done while it waited is still known once it lives.
    cell.consume("r-1:1:1", 2, "p-1");
    cell.give_back("r-1:1:1", 1, "x-1");
    assert_eq!(cell.numbers(), [2, 0, 2, 0]);
}

#[test]
fn given_more_who_wait_than_one_decision_serves_when_units_come_then_a_timer_serves_the_rest() {
    let mut cell = with(0);
    for n in 0..600 {
        cell.take_or_wait(&format!("r-{n}:1:1"), 1, n);
    }
    assert_eq!(cell.receive(599, "m-1").len(), 256);
    assert_eq!(cell.pass_ms(0).len(), 343);
    assert_eq!((cell.state.waiting.len(), cell.numbers()), (1, [599, 0, 599, 0]));
}
