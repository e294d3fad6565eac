//! What makes an order impossible before it is committed, and that everything taken by then is given back.

use domain::decider::Answer;
use domain::order::state::Phase;
use domain::reason::Code;
use serde_json::{Value, json};

use super::desk::{Desk, card_only, departed, worked_example};
use super::steps::{two_cards, units};

#[test]
fn given_a_redemption_when_the_points_are_refused_then_the_order_is_rejected_and_no_card_is_asked() {
    let mut desk = Desk::with(&worked_example());
    desk.answer("loyalty.reserve", "loyalty.reserve_refused", &json!({"code": "balance"}));
    assert_eq!(desk.code("order.rejected"), "points_refused");
    assert_eq!(desk.told_last("order.rejected")["reason"]["participant_code"], "balance");
    assert_eq!(desk.sent_kinds(), ["loyalty.reserve"]);
    desk.ends_as(Phase::Rejected);
}

#[test]
fn given_a_redemption_when_reserving_fails_for_business_then_it_is_the_same_as_a_refusal() {
    let mut desk = Desk::with(&worked_example());
    desk.fail("loyalty.reserve", "business");
    assert_eq!(desk.code("order.rejected"), "points_refused");
    assert!(desk.state.exceptions.is_empty());
}

#[test]
fn given_a_redemption_when_fewer_points_are_reserved_then_they_go_back_and_the_order_is_rejected() {
    let mut desk = Desk::with(&worked_example());
    desk.answer("loyalty.reserve", "loyalty.reserved", &json!({"points": 1500, "reservation_ref": "r-1"}));
    assert_eq!(desk.code("order.rejected"), "points_refused");
    assert_eq!(desk.numbers("loyalty.release", "points"), [1500]);
    assert_eq!(Desk::body(desk.last("loyalty.release"))["reservation_ref"], "r-1");
    desk.ends_as(Phase::Rejected);
    assert_eq!(desk.view()["redemption"]["released_points"], 1500);
}

#[test]
fn given_reserved_points_when_the_card_is_declined_then_the_points_go_back() {
    let mut desk = Desk::with(&worked_example());
    desk.yes_to("loyalty.reserve");
    desk.answer(
        "payment.authorize",
        "payment.declined",
        &json!({"tender": "t1", "code": "funds", "kind": "hard"}),
    );
    assert_eq!(desk.code("order.rejected"), "payment_declined");
    assert_eq!(
        desk.told_last("payment.declined"),
        json!({"order_id": "o-1", "tender": "t1", "amount_minor": 7998})
    );
    assert_eq!(desk.numbers("loyalty.release", "points"), [2000]);
    assert_eq!(desk.numbers("loyalty.release", "value_minor"), [1000]);
    assert!(desk.sent_of("payment.void").is_empty());
    desk.ends_as(Phase::Rejected);
    assert!(desk.sent_of("erp.post").is_empty(), "nothing was booked");
}

#[test]
fn given_two_cards_when_the_second_is_declined_then_the_first_is_voided_even_if_it_answers_later() {
    let mut desk = Desk::with(&two_cards());
    assert_eq!(desk.numbers("payment.authorize", "amount_minor"), [2000, 3160]);
    desk.answer(
        "payment.authorize",
        "payment.declined",
        &json!({"tender": "t2", "code": "funds", "kind": "soft"}),
    );
    assert_eq!(desk.phase(), Phase::Rejected);
    assert!(desk.sent_of("payment.void").is_empty(), "nothing is known to be held yet");
    desk.yes_to("payment.authorize");
    assert_eq!(desk.numbers("payment.void", "amount_minor"), [2000]);
    desk.ends_as(Phase::Rejected);
}

#[test]
fn given_a_card_that_was_told_to_be_not_charged_when_the_order_is_rejected_then_a_late_success_is_voided() {
    // A recovery or the broker repeats commands, so "not applied" speaks for one copy of several.
    for echoes_the_effect in [true, false] {
        let mut desk = Desk::with(&two_cards());
        let first = (*desk.sent_of("payment.authorize")[0]).clone();
        let second = desk.last("payment.authorize").clone();
        let transient = json!({"code": "busy", "class": "transient"});
        desk.answer_to(&first, "payment.failed", &transient);
        let declined = json!({"tender": "t2", "code": "funds", "kind": "hard"});
        desk.answer_to(&second, "payment.declined", &declined);
        assert_eq!(desk.phase(), Phase::Rejected);
        assert!(desk.effects().is_empty() && desk.sent_of("payment.void").is_empty());
        desk.answer_to(&first, "payment.failed", &transient);
        assert!(desk.effects().is_empty(), "nobody sends it again");
        let (kind, body) = super::desk::yes(&first, "n-1");
        if echoes_the_effect {
            desk.answer_to(&first, kind, &body);
        } else {
            desk.fact(kind, &body);
        }
        assert_eq!(desk.numbers("payment.void", "amount_minor"), [2000]);
        desk.ends_as(Phase::Rejected);
        assert_eq!(desk.status("payment"), "voided");
    }
}

#[test]
fn given_points_that_were_told_to_be_not_reserved_when_the_order_is_cancelled_then_a_late_success_is_released()
 {
    let mut desk = Desk::with(&worked_example());
    desk.fail("loyalty.reserve", "transient");
    desk.cancel(&[]).unwrap();
    assert_eq!(desk.phase(), Phase::Rejected);
    let reserve = desk.last("loyalty.reserve").clone();
    let (kind, body) = super::desk::yes(&reserve, "n-1");
    desk.answer_to(&reserve, kind, &body);
    assert_eq!(desk.numbers("loyalty.release", "points"), [2000]);
    desk.ends_as(Phase::Rejected);
}

#[test]
fn given_a_card_when_less_is_authorized_then_it_is_voided_and_the_order_rejected() {
    let mut desk = Desk::with(&card_only());
    authorized(&mut desk, 2379, "EUR");
    assert_eq!(desk.code("order.rejected"), "amount_mismatch");
    assert_eq!(desk.numbers("payment.void", "amount_minor"), [2379]);
    desk.ends_as(Phase::Rejected);
    assert_eq!(desk.status("payment"), "voided");
}

#[test]
fn given_a_card_when_another_currency_is_authorized_then_it_is_voided_and_the_order_rejected() {
    let mut desk = Desk::with(&card_only());
    authorized(&mut desk, 2380, "USD");
    assert_eq!(desk.code("order.rejected"), "amount_mismatch");
    assert_eq!(desk.numbers("payment.void", "amount_minor"), [2380]);
}

#[test]
fn given_a_card_when_more_is_authorized_then_it_is_used_and_the_excess_voided_with_an_exception() {
    let mut desk = Desk::with(&card_only());
    authorized(&mut desk, 2500, "EUR");
    assert_eq!(desk.phase(), Phase::Committed);
    assert_eq!(desk.numbers("payment.void", "amount_minor"), [120]);
    assert_eq!(desk.exceptions(), ["amount_differs"]);
    assert_eq!(desk.told_last("exception.opened")["exception"]["exposure_minor"], 120);
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &super::desk::departed("p1", &[(1, 2)]));
    desk.ends_as(Phase::Completed);
    assert_eq!(desk.numbers("payment.capture", "amount_minor"), [2380]);
}

fn authorized(desk: &mut Desk, amount_minor: i64, currency: &str) {
    let body = json!({"tender": "t1", "authorization_ref": "a-1", "amount_minor": amount_minor, "currency": currency});
    desk.answer("payment.authorize", "payment.authorized", &body);
}

#[test]
fn given_an_order_that_points_pay_when_they_are_reserved_then_it_commits_without_a_card() {
    let mut body = worked_example();
    body["redemption"] = json!({"points": 2000, "value_minor": 8998});
    body["tenders"] = json!([]);
    let mut desk = Desk::with(&body);
    desk.yes_to("loyalty.reserve");
    assert_eq!(desk.phase(), Phase::Committed);
    assert_eq!(desk.status("payment"), "not_required");
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &super::desk::departed("p1", &[(1, 3), (2, 1)]));
    desk.ends_as(Phase::Completed);
    assert!(desk.sent_of("payment.capture").is_empty() && desk.sent_of("loyalty.accrue").is_empty());
    assert_eq!(desk.numbers("loyalty.finalize", "points"), [2000]);
}

#[test]
fn given_an_order_that_costs_nothing_when_it_is_submitted_then_it_commits_at_once() {
    let mut body = units(1);
    body["lines"][0]["net_minor"] = json!(0);
    body["lines"][0]["tax_minor"] = json!(0);
    body["total_minor"] = json!(0);
    let mut desk = Desk::with(&body);
    assert_eq!(desk.phase(), Phase::Committed);
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &super::desk::departed("p1", &[(1, 1)]));
    desk.ends_as(Phase::Completed);
    assert!(!desk.sent_kinds().iter().any(|kind| kind.starts_with("payment")));
}

/// The worked example with one thing changed that makes no sense.
fn nonsense() -> Vec<(&'static str, Value, &'static str)> {
    let card = |name: &str, amount: Value| {
        let mut tender = json!({"tender": name, "type": "card", "gateway": "g", "token": "k"});
        if !amount.is_null() {
            tender["amount_minor"] = amount;
        }
        tender
    };
    vec![
        ("total_minor", json!(8999), "total_minor is 8999, but lines and fees add up to 8998"),
        ("currency", json!("XXX"), "XXX"),
        ("redemption", json!({"points": 2000, "value_minor": 9000}), "more than total_minor"),
        ("redemption", json!({"points": 0, "value_minor": 1000}), "give both or neither"),
        ("redemption", json!({"points": 2000, "value_minor": 0}), "give both or neither"),
        ("customer", json!({"customer_id": "c-9"}), "needs customer.member_id"),
        ("tenders", json!([card("t1", json!(10)), card("t1", Value::Null)]), "stands twice"),
        (
            "tenders",
            json!([card("t1", json!(9000)), card("t2", Value::Null)]),
            "tenders pay 9000, but 7998 is due",
        ),
        ("tenders", json!([card("t1", json!(5000))]), "tenders pay 5000, but 7998 is due"),
        ("tenders", json!([card("t1", json!(0)), card("t2", Value::Null)]), "above 0"),
    ]
}

#[test]
fn given_a_submit_that_makes_no_sense_when_it_comes_then_it_is_a_rejected_order_and_nobody_is_asked() {
    for (field, value, message) in nonsense() {
        let mut body = worked_example();
        body[field] = value;
        let desk = Desk::with(&body);
        assert_eq!(desk.code("order.rejected"), "validation", "{field}");
        let told = desk.told_last("order.rejected")["reason"]["message"].as_str().unwrap().to_owned();
        assert!(told.contains(message), "{field}: {told}");
        assert_eq!(desk.told_kinds(), ["order.received", "order.rejected"], "{field}");
        assert!(desk.sent.is_empty() && desk.effects().is_empty(), "{field}");
        assert_eq!(desk.view()["phase"], "rejected");
    }
}

#[test]
fn given_a_line_number_that_stands_twice_when_it_is_submitted_then_the_order_is_rejected() {
    let mut body = worked_example();
    body["lines"][1]["line"] = json!(1);
    let desk = Desk::with(&body);
    assert_eq!(desk.code("order.rejected"), "validation");
    assert!(
        desk.told_last("order.rejected")["reason"]["message"].as_str().unwrap().contains("line number 1")
    );
}

#[test]
fn given_an_order_when_the_same_id_comes_with_other_content_then_it_conflicts_and_nothing_changes() {
    let mut desk = Desk::with(&card_only());
    let version = desk.version;
    let reason = desk.submit(&units(3)).unwrap_err();
    assert_eq!(reason.code, Code::IdempotencyConflict);
    assert_eq!(desk.version, version);
}

#[test]
fn given_an_order_when_it_is_submitted_again_then_it_has_the_outcome_of_the_first_submit() {
    // invariant: applied-once
    let mut desk = Desk::with(&card_only());
    let version = desk.version;
    let mut again = card_only();
    again["submitted_at"] = json!("2026-11-27T09:00:00Z");
    again["unheard_of"] = json!(true);
    assert_eq!(desk.submit(&again), Ok(Answer::Later));
    assert_eq!((desk.version, desk.sent.len()), (version, 1));
    assert_eq!(desk.outcome(), None);
    desk.yes_to("payment.authorize");
    assert_eq!(desk.submit(&again), Ok(Answer::Later));
    let outcome = desk.outcome().unwrap();
    assert_eq!((outcome.version, outcome.rejected), (2, None));
    let mut rejected = Desk::with(&card_only());
    rejected.answer(
        "payment.authorize",
        "payment.declined",
        &json!({"tender": "t1", "code": "x", "kind": "hard"}),
    );
    assert_eq!(rejected.submit(&again), Ok(Answer::Later));
    assert_eq!(rejected.outcome().unwrap().rejected.unwrap().code, Code::PaymentDeclined);
}

#[test]
fn given_a_node_that_will_not_ship_when_it_says_so_then_the_order_stays_open_and_a_person_is_told() {
    let mut desk = Desk::committed(&units(2));
    desk.yes_to("allocation.allocate");
    let mut answer = Desk::body(desk.last("fulfillment.release"));
    answer["code"] = json!("node_closed");
    desk.answer("fulfillment.release", "shipment.rejected", &answer);
    let exception = desk.told_last("exception.opened")["exception"].clone();
    assert_eq!(exception["kind"], "effect_refused");
    assert_eq!(exception["cause"], "fulfillment.release was refused: node_closed");
    let open = desk.view()["effects"].to_string();
    assert!(!open.contains("fulfillment.release"), "it is not asked again: {open}");
    assert!(!desk.phase().is_terminal());
    // The units are still there: whoever ships them in the end is believed.
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    desk.ends_as(Phase::Completed);
}
