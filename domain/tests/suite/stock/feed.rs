//! What is done while nothing is heard of the stock, and what is told of it.

use domain::stock::policies::StalePolicy;
use serde_json::{Value, json};

use super::{Cell, with};
use crate::stock_desk::names;

fn stale(policy: StalePolicy) -> Cell {
    let mut cell = with(0);
    (cell.policies.stale_after_ms, cell.policies.when_stale, cell.policies.stale_buffer) =
        (60_000, policy, 4);
    cell.count_units(10, "c-2");
    cell.take("r-held:1:1", 1);
    cell.pass_ms(60_000);
    cell
}

#[test]
fn given_a_silent_feed_when_its_time_is_over_then_it_is_told_once_and_shown() {
    let mut cell = stale(StalePolicy::UseLastKnownMinusBuffer);
    cell.pass_ms(600_000);
    assert_eq!(cell.count("stock.feed"), 1);
    let told = cell.last("stock.feed");
    assert_eq!((&told["stale"], &told["policy"]), (&json!(true), &json!("use_last_known_minus_buffer")));
    let view: Value = serde_json::from_str(&cell.view()).unwrap();
    assert_eq!((&view["feed"]["stale"], &view["feed"]["buffer"]), (&json!(true), &json!(4)));
    assert!(cell.state.posted().stale);
}

#[test]
fn given_a_silent_feed_when_the_buffer_is_kept_then_less_is_sold() {
    let mut cell = stale(StalePolicy::UseLastKnownMinusBuffer);
    assert_eq!(cell.numbers(), [10, 1, 0, 5]);
    assert_eq!(names(&cell.take("r-1:1:1", 6)), ["not_taken out_of_stock"]);
    assert_eq!(names(&cell.take("r-1:1:1", 5)), ["taken"]);
}

#[test]
fn given_a_silent_feed_when_selling_stops_then_nothing_is_taken_and_nothing_soft_is_promised() {
    let mut cell = stale(StalePolicy::StopSelling);
    assert_eq!(names(&cell.take("r-1:1:1", 1)), ["not_taken out_of_stock"]);
    assert_eq!(names(&cell.harden("r-held:1:1")), ["not_taken out_of_stock"]);
    cell.receive(1, "m-1");
    assert_eq!(cell.last("stock.feed")["stale"], false);
    assert_eq!(names(&cell.harden("r-held:1:1")), ["hardened"]);
    assert_eq!(names(&cell.take("r-1:1:1", 10)), ["taken"]);
}

#[test]
fn given_a_silent_feed_when_all_wait_then_a_fact_serves_them() {
    let mut cell = stale(StalePolicy::AcceptAsBackorder);
    assert_eq!(names(&cell.take("r-1:1:1", 1)), ["not_taken out_of_stock"]);
    assert_eq!(names(&cell.take_or_wait("r-2:1:1", 2, 0)), ["backordered"]);
    assert_eq!(names(&cell.harden("r-held:1:1")), ["hardened"], "what is held is held");
    assert_eq!(names(&cell.receive(1, "m-1")), ["taken"]);
}

#[test]
fn given_a_silent_feed_when_the_policy_changes_then_the_next_question_is_judged_by_the_new_one() {
    let mut cell = stale(StalePolicy::StopSelling);
    cell.policies.when_stale = StalePolicy::UseLastKnownMinusBuffer;
    assert_eq!(names(&cell.take("r-1:1:1", 5)), ["taken"]);
    assert_eq!(cell.count("stock.feed"), 2);
}

#[test]
fn given_no_time_limit_when_nothing_is_heard_then_nothing_is_stale() {
    let mut cell = with(10);
    cell.pass_ms(i64::from(u32::MAX));
    assert_eq!((cell.count("stock.feed"), cell.numbers()[3]), (0, 10));
}
