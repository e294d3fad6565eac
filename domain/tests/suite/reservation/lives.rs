//! How a reservation of an order is held, sold, consumed and given back.

use domain::decider::Decider;
use domain::reservation::Reservation;
use domain::reservation::state::{ClaimState, Phase};
use serde_json::{Value, json};

use super::desk::{Desk, at, hold, skus};

fn held(desk: &mut Desk, body: &Value) {
    desk.letter("hold", body);
    desk.run();
    assert_eq!(desk.phase(body["reservation_id"].as_str().unwrap()), Phase::Soft);
}

fn commit(id: &str) -> Value {
    json!({"reservation_id": id, "order_id": id})
}

fn release(id: &str, release: &str, lines: &Value) -> Value {
    json!({"reservation_id": id, "order_id": id, "release_id": release, "all": *lines == json!([]), "lines": lines,
           "reason": "not_needed"})
}

fn consume(id: &str, movement: &str, lines: &Value) -> Value {
    json!({"reservation_id": id, "order_id": id, "movement_id": movement, "lines": lines})
}

#[test]
fn given_stock_when_an_order_holds_then_each_cell_is_asked_in_the_order_of_their_keys() {
    let mut desk = Desk::new(&[("B~n1", 5), ("A~n1", 5), ("coupon~C", 1)]);
    let mut body = hold("o-1", &[(1, "B", 2), (2, "A", 3)]);
    body["counters"] = json!([{"counter": "coupon", "id": "C", "uses": 1, "amount_minor": 500}]);
    desk.letter("hold", &body);
    let mut asked = Vec::new();
    while !desk.mail.is_empty() {
        assert!(desk.mail.len() <= 1, "one after the other");
        asked.extend(
            desk.mail.iter().map(|mail| format!("{mail:?}")).filter(|mail| mail.contains("\"take\"")),
        );
        desk.step_mail(0, 1);
    }
    let order: Vec<usize> = ["coupon~C", "A~n1", "B~n1"]
        .iter()
        .map(|key| asked.iter().position(|mail| mail.contains(key)).unwrap())
        .collect();
    assert_eq!(order, [0, 1, 2]);
    assert_eq!(desk.phase("o-1"), Phase::Soft);
    let told = desk.told_order("reservation_held");
    assert_eq!(
        told["lines"],
        json!([{"line": 1, "sku": "B", "node": "n1", "quantity": 2}, {"line": 2, "sku": "A", "node": "n1", "quantity": 3}])
    );
    assert!(told.get("expires_at").is_none(), "the order ends it");
    assert_eq!(desk.toys["A~n1"].held(), 3);
    assert_eq!(desk.events("o-1"), ["reservation.held"]);
}

#[test]
fn given_a_hold_when_it_is_asked_for_again_then_the_answer_is_the_same_and_nothing_happens() {
    let mut desk = Desk::new(&[("A~n1", 5)]);
    let body = hold("o-1", &[(1, "A", 2)]);
    held(&mut desk, &body);
    let (first, version) = (desk.told_order("reservation_held").clone(), desk.sheets["o-1"].version);
    desk.letter("hold", &body);
    desk.run();
    assert_eq!(desk.count_told("reservation_held"), 2);
    assert_eq!(desk.told_order("reservation_held"), &first);
    assert_eq!(desk.sheets["o-1"].version, version);
    desk.letter("hold", &hold("o-1", &[(1, "A", 3)]));
    desk.run();
    assert_eq!(desk.told_order("reservation_refused")["code"], "idempotency_conflict");
    assert_eq!(desk.phase("o-1"), Phase::Soft);
}

#[test]
fn given_a_held_order_when_it_commits_then_units_and_uses_are_sold_and_it_is_told_once_all_know() {
    let mut desk = Desk::new(&[("A~n1", 5), ("B~n1", 5), ("promotion~p", 9)]);
    let mut body = hold("o-1", &[(1, "A", 2), (2, "B", 1)]);
    body["counters"] =
        json!([{"counter": "promotion", "id": "p", "uses": 2, "amount_minor": 500, "customer_id": "c"}]);
    held(&mut desk, &body);
    desk.letter("commit", &commit("o-1"));
    assert_eq!(desk.phase("o-1"), Phase::Committing);
    assert_eq!(desk.count_told("reservation_committed"), 0);
    desk.run();
    assert_eq!(desk.phase("o-1"), Phase::Hard);
    assert!(desk.toys.values().all(|toy| toy.claims.values().all(|claim| claim.hard)));
    assert_eq!(desk.told_order("reservation_committed")["lines"].as_array().unwrap().len(), 2);
    desk.letter("commit", &commit("o-1"));
    desk.run();
    assert_eq!(desk.count_told("reservation_committed"), 2);
    assert_eq!(desk.events("o-1"), ["reservation.held", "reservation.committed"]);
}

#[test]
fn given_units_that_leave_in_parts_when_told_twice_then_each_is_taken_off_once_and_the_last_ends_it() {
    let mut desk = Desk::new(&[("A~n1", 5), ("coupon~C", 1)]);
    let mut body = hold("o-1", &[(1, "A", 3)]);
    body["counters"] = json!([{"counter": "coupon", "id": "C", "uses": 1, "amount_minor": 1}]);
    held(&mut desk, &body);
    desk.letter("commit", &commit("o-1"));
    desk.run();
    for _ in 0..2 {
        desk.letter("consume", &consume("o-1", "m-1", &at(&[(1, "n1", 2)])));
        desk.run();
        assert_eq!(desk.told_order("reservation_consumed")["movement_id"], "m-1");
    }
    assert_eq!((desk.toys["A~n1"].on_hand, desk.toys["A~n1"].held()), (3, 1));
    assert_eq!(desk.phase("o-1"), Phase::Hard);
    desk.letter("consume", &consume("o-1", "m-2", &at(&[(1, "n1", 1)])));
    desk.run();
    assert_eq!(desk.phase("o-1"), Phase::Consumed);
    assert_eq!((desk.toys["A~n1"].on_hand, desk.toys["A~n1"].held()), (2, 0));
    assert_eq!(desk.toys["coupon~C"].held(), 1, "what was bought with the coupon has left: it is used");
    assert_eq!(desk.events("o-1").last(), Some(&"reservation.consumed"));
}

#[test]
fn given_units_that_leave_from_where_none_were_held_then_they_are_taken_off_there_without_a_claim() {
    let mut desk = Desk::new(&[("A~n1", 5), ("A~n2", 1)]);
    held(&mut desk, &hold("o-1", &[(1, "A", 3)]));
    desk.letter("commit", &commit("o-1"));
    desk.run();
    desk.letter("consume", &consume("o-1", "m-1", &at(&[(1, "n2", 2)])));
    desk.run();
    assert_eq!((desk.toys["A~n2"].on_hand, desk.toys["A~n2"].unclaimed), (-1, 2));
    assert_eq!(desk.toys["A~n1"].held(), 3, "the order gives back what it does not need");
    desk.letter("release", &release("o-1", "r-1", &at(&[(1, "n1", 2)])));
    desk.letter("consume", &consume("o-1", "m-2", &at(&[(1, "n1", 1)])));
    desk.run();
    assert_eq!(desk.phase("o-1"), Phase::Consumed);
    assert_eq!((desk.toys["A~n1"].on_hand, desk.toys["A~n1"].held()), (4, 0));
}

#[test]
fn given_units_that_are_released_when_told_twice_then_they_go_back_once_and_on_hand_does_not_change() {
    let mut desk = Desk::new(&[("A~n1", 5), ("coupon~C", 1)]);
    let mut body = hold("o-1", &[(1, "A", 4)]);
    body["counters"] = json!([{"counter": "coupon", "id": "C", "uses": 1, "amount_minor": 1}]);
    held(&mut desk, &body);
    for _ in 0..2 {
        let lines = json!([{"line": 1, "quantity": 1}]);
        desk.letter("release", &release("o-1", "r-1", &lines));
        desk.run();
    }
    assert_eq!(desk.toys["A~n1"].held(), 3);
    desk.letter("release", &release("o-1", "r-2", &json!([])));
    desk.run();
    assert_eq!(desk.phase("o-1"), Phase::Released);
    assert_eq!(
        (desk.toys["A~n1"].on_hand, desk.toys["A~n1"].held(), desk.toys["coupon~C"].held()),
        (5, 0, 0)
    );
    desk.letter("release", &release("o-1", "r-3", &json!([])));
    desk.run();
    assert_eq!(desk.count_told("reservation_released"), 4, "it always succeeds");
    assert_eq!(desk.events("o-1"), ["reservation.held", "reservation.released"]);
    desk.letter("hold", &body);
    desk.run();
    assert_eq!(desk.told_order("reservation_refused")["code"], "expired");
}

#[test]
fn given_a_release_that_comes_first_when_the_hold_comes_then_it_is_refused() {
    let mut desk = Desk::new(&[("A~n1", 5)]);
    desk.letter("release", &release("o-1", "r-1", &json!([])));
    desk.letter("hold", &hold("o-1", &[(1, "A", 1)]));
    desk.run();
    assert_eq!(desk.told_order("reservation_released")["release_id"], "r-1");
    assert_eq!(desk.told_order("reservation_refused")["code"], "expired");
    assert_eq!(desk.toys["A~n1"].held(), 0);
}

#[test]
fn given_a_hold_whose_answers_are_lost_when_it_is_released_then_nothing_stays_held() {
    for lost in 0..3 {
        let mut desk = Desk::new(&[("A~n1", 5)]);
        desk.letter("hold", &hold("o-1", &[(1, "A", 2)]));
        match lost {
            0 => desk.mail.clear(),
            1 => {
                desk.step_mail(0, 1);
                desk.mail.clear();
            }
            _ => {}
        }
        desk.letter("release", &release("o-1", "r-1", &json!([])));
        desk.run();
        assert_eq!(desk.toys["A~n1"].held(), 0, "{lost}");
        assert_eq!(desk.phase("o-1"), Phase::Refused);
        assert!(desk.state("o-1").effects.is_empty());
    }
}

#[test]
fn given_letters_that_are_lost_when_time_passes_then_they_are_sent_again_until_all_is_held() {
    let mut desk = Desk::new(&[("A~n1", 5), ("B~n1", 5)]);
    desk.letter("hold", &hold("o-1", &[(1, "A", 2), (2, "B", 2)]));
    for arrives in [0, 1, 0, 1, 2, 1, 0, 2] {
        (0..arrives).for_each(|_| desk.step_mail(0, 1));
        desk.mail.clear();
        desk.pass_ms(40_000);
    }
    assert_eq!(desk.phase("o-1"), Phase::Soft);
    assert_eq!((desk.toys["A~n1"].held(), desk.toys["B~n1"].held()), (2, 2));
}

#[test]
fn given_units_that_nobody_has_when_they_may_wait_then_they_are_queued_with_the_commit_and_told_when_they_come()
 {
    let mut desk = Desk::new(&[("A~n1", 2)]);
    let mut body = hold("o-1", &[(1, "A", 5)]);
    body["backorder"] = json!(true);
    held(&mut desk, &body);
    let told = desk.told_order("reservation_held");
    assert_eq!(told["backordered"], json!([{"line": 1, "sku": "A", "quantity": 3}]));
    assert_eq!(desk.toys["A~n1"].claims.len(), 1, "nothing is queued for who has not bought");
    desk.letter("commit", &commit("o-1"));
    desk.run();
    let told = desk.told_order("reservation_committed");
    assert_eq!(told["lines"], json!([{"line": 1, "sku": "A", "node": "n1", "quantity": 2}]));
    assert_eq!(
        told["backordered"],
        json!([{"line": 1, "sku": "A", "quantity": 3, "promised_at": 9_000_000}])
    );
    assert_eq!(desk.view("o-1")["lines"][0]["backordered"], 3);
    desk.receive("A~n1", 3);
    desk.run();
    let told = desk.told_order("reservation_allocated");
    assert_eq!(told["lines"], json!([{"line": 1, "sku": "A", "node": "n1", "quantity": 3}]));
    assert!(desk.state("o-1").effects.is_empty(), "the order has seen it");
    assert_eq!(desk.events("o-1").last(), Some(&"reservation.allocated"));
}

#[test]
fn given_stock_that_came_when_the_word_of_it_was_lost_then_the_reservation_asks_and_the_order_learns_it_once()
{
    let mut desk = Desk::new(&[("A~n1", 0)]);
    let mut body = hold("o-1", &[(1, "A", 1)]);
    (body["backorder"], body["hard"]) = (json!(true), json!(true));
    desk.letter("hold", &body);
    desk.run();
    assert_eq!(desk.phase("o-1"), Phase::Hard);
    assert_eq!(desk.told_order("reservation_held")["backordered"][0]["quantity"], 1);
    desk.receive("A~n1", 1);
    desk.mail.clear();
    desk.pass_ms(desk.policies.backorder_ask_ms + 1);
    desk.run();
    assert_eq!(desk.count_told("reservation_allocated"), 1);
    let first = desk.told_order("reservation_allocated").clone();
    desk.pass_ms(3_600_000);
    desk.run();
    assert_eq!(desk.count_told("reservation_allocated"), 1, "{first}");
}

#[test]
fn given_units_that_wait_when_they_are_cancelled_then_those_go_first() {
    let mut desk = Desk::new(&[("A~n1", 2)]);
    let mut body = hold("o-1", &[(1, "A", 5)]);
    body["backorder"] = json!(true);
    held(&mut desk, &body);
    desk.letter("commit", &commit("o-1"));
    desk.run();
    desk.letter("release", &release("o-1", "r-1", &json!([{"line": 1, "quantity": 4}])));
    desk.run();
    assert_eq!(desk.toys["A~n1"].held(), 1);
    assert_eq!(desk.toys["A~n1"].claims.len(), 1, "nothing waits any more");
    let states: Vec<ClaimState> = desk.state("o-1").claims.iter().map(|claim| claim.state).collect();
    assert_eq!(states, [ClaimState::Hard, ClaimState::Released]);
}

#[test]
fn given_units_cut_while_their_cell_is_asked_when_it_answers_then_they_go_back_and_nothing_leaks() {
    let mut desk = Desk::new(&[("A~n1", 5)]);
    desk.letter("hold", &hold("o-1", &[(1, "A", 4)]));
    desk.mail.clear();
    desk.letter("release", &release("o-1", "r-1", &json!([{"line": 1, "quantity": 1}])));
    desk.pass_ms(10_000);
    desk.run();
    assert_eq!(desk.toys["A~n1"].held(), 3);
    assert_eq!(desk.told_order("reservation_held")["lines"][0]["quantity"], 3);
}

#[test]
fn given_units_cut_before_their_cell_is_asked_when_it_is_then_for_what_is_left_alone() {
    let mut desk = Desk::new(&[("A~n1", 5), ("B~n1", 5)]);
    desk.letter("hold", &hold("o-1", &[(1, "A", 4), (2, "B", 3)]));
    desk.letter("release", &release("o-1", "r-1", &json!([{"line": 2, "quantity": 1}])));
    desk.run();
    assert_eq!(desk.toys["B~n1"].held(), 2, "asked for 2, not for 3 of which one is surplus");
    desk.letter("release", &release("o-1", "end", &json!([])));
    desk.run();
    assert_eq!((desk.toys["A~n1"].held(), desk.toys["B~n1"].held()), (0, 0));
}

#[test]
fn given_uses_alone_when_committed_and_cancelled_then_they_are_sold_and_given_back() {
    let mut desk = Desk::new(&[("coupon~C", 1)]);
    let mut body = hold("o-1", &[]);
    body["counters"] = json!([{"counter": "coupon", "id": "C", "uses": 1, "amount_minor": 900}]);
    held(&mut desk, &body);
    desk.letter("commit", &commit("o-1"));
    desk.run();
    assert_eq!(desk.phase("o-1"), Phase::Hard);
    desk.letter("release", &release("o-1", "r-1", &json!([])));
    desk.run();
    assert_eq!((desk.phase("o-1"), desk.toys["coupon~C"].held()), (Phase::Released, 0));
    assert!(Reservation::is_final(desk.state("o-1")), "nothing is open any more");
}

#[test]
fn given_uses_alone_when_something_of_their_order_left_then_they_are_used_and_the_reservation_ends() {
    let mut desk = Desk::new(&[("coupon~C", 1)]);
    let mut body = hold("o-1", &[]);
    body["counters"] = json!([{"counter": "coupon", "id": "C", "uses": 1, "amount_minor": 900}]);
    held(&mut desk, &body);
    desk.letter("commit", &commit("o-1"));
    desk.run();
    desk.letter("consume", &consume("o-1", "m-1", &json!([])));
    desk.run();
    assert_eq!(desk.phase("o-1"), Phase::Consumed);
    let counter = &desk.toys["coupon~C"];
    assert_eq!((counter.claims.len(), counter.held()), (0, 1), "used, and nobody's claim");
    desk.letter("release", &release("o-1", "r-1", &json!([])));
    desk.run();
    assert_eq!(desk.toys["coupon~C"].held(), 1);
}

#[test]
fn given_a_line_under_a_promotion_when_it_is_held_then_its_cell_is_asked_under_it() {
    let mut desk = Desk::new(&[("A~n1", 5), ("B~n1", 5)]);
    let mut body = hold("o-1", &[(1, "A", 2), (2, "B", 1)]);
    body["lines"][0]["promotion"] = json!("bf26");
    desk.letter("hold", &body);
    let mut asked = Vec::new();
    while let Some(mail) = desk.mail.pop_front() {
        let (_, name, body) = mail.parts();
        if name == "take" {
            asked.push(body["promotion"].clone());
        }
        desk.deliver(&mail);
    }
    assert_eq!(asked, [json!("bf26"), Value::Null]);
}

#[test]
fn given_a_claim_whose_turn_has_not_come_when_units_of_it_are_cut_then_its_cell_is_asked_for_the_rest() {
    let mut desk = Desk::new(&[("A~n1", 1), ("B~n1", 3)]);
    desk.letter("hold", &hold("o-1", &[(1, "A", 1), (2, "B", 3)]));
    desk.letter("release", &release("o-1", "r-1", &json!([{"line": 2, "quantity": 2}])));
    desk.run();
    assert_eq!((desk.phase("o-1"), desk.toys["B~n1"].held()), (Phase::Soft, 1));
}

#[test]
fn given_an_order_that_does_nothing_when_very_much_time_passes_then_that_is_told_once() {
    let mut desk = Desk::new(&[("A~n1", 5)]);
    held(&mut desk, &hold("o-1", &[(1, "A", 1)]));
    desk.pass_ms(3 * desk.policies.overdue_ms);
    assert_eq!(desk.events("o-1"), ["reservation.held", "exception.opened"]);
    assert_eq!(desk.view("o-1")["overdue"], true);
    assert_eq!(desk.toys["A~n1"].held(), 1, "only the order knows whether it is paid for");
    desk.letter(
        "release",
        &json!({"reservation_id": "o-1", "order_id": "o-1", "release_id": "r", "all": true}),
    );
    desk.run();
    let told = desk.events("o-1");
    assert_eq!(told[2..], ["reservation.released", "exception.resolved"]);
}

#[test]
fn given_lines_of_a_departure_that_nobody_knows_when_told_then_they_are_accounted_or_shown() {
    let mut desk = Desk::new(&[("A~n1", 5)]);
    desk.letter("consume", &consume("o-1", "m-1", &at(&[(1, "n1", 1)])));
    desk.run();
    assert_eq!(desk.count_told("reservation_consumed"), 0, "it waits for what it belongs to");
    desk.letter("release", &release("o-1", "r-1", &json!([])));
    desk.letter("consume", &consume("o-1", "m-1", &at(&[(1, "n1", 1)])));
    let with_sku = json!([{"line": 1, "node": "n1", "quantity": 2, "sku": "A"}]);
    desk.letter("consume", &consume("o-1", "m-2", &with_sku));
    desk.run();
    assert_eq!(desk.count_told("reservation_consumed"), 2);
    assert_eq!(desk.toys["A~n1"].on_hand, 3);
    assert_eq!(desk.events("o-1"), ["exception.opened"]);
}

#[test]
fn given_another_order_when_it_names_the_reservation_then_it_changes_nothing() {
    let mut desk = Desk::new(&[("A~n1", 5)]);
    held(&mut desk, &hold("o-1", &[(1, "A", 2)]));
    let stranger = |mut body: Value| {
        body["order_id"] = json!("o-2");
        body
    };
    desk.letter("release", &stranger(release("o-1", "r-1", &json!([]))));
    desk.letter("commit", &stranger(commit("o-1")));
    desk.letter("attach", &stranger(json!({"reservation_id": "o-1", "lines": skus(&[(1, "A", 2)])})));
    desk.run();
    assert_eq!(desk.phase("o-1"), Phase::Soft);
    assert_eq!(desk.told_order("reservation_refused")["code"], "policy_refused");
    assert_eq!(desk.count_told("reservation_refused"), 2);
}
