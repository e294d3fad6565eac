//! The way of an order from submit to completed, to the minor unit and the point.

use domain::order::state::Phase;
use serde_json::json;

use super::desk::{Desk, card_only, departed, worked_example};

fn amounts(desk: &Desk, kind: &str, field: &str) -> Vec<i64> {
    desk.sent_of(kind).into_iter().map(|command| Desk::body(command)[field].as_i64().unwrap()).collect()
}

#[test]
fn given_a_card_order_when_everybody_says_yes_and_all_departs_then_it_completes() {
    let mut desk = Desk::with(&card_only());
    desk.say_yes("n-1");
    assert_eq!(desk.phase(), Phase::Fulfilling);
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    desk.say_yes("n-1");
    assert_eq!(desk.phase(), Phase::Completed);
    assert_eq!(amounts(&desk, "payment.capture", "amount_minor"), [2380]);
    assert_eq!(desk.view()["status"]["payment"], "captured");
    assert!(!desk.sent_kinds().iter().any(|kind| kind.starts_with("loyalty")));
    assert_eq!(desk.told_last("order.completed")["captured_minor"], 2380);
}

#[test]
fn given_the_worked_example_when_the_last_a_is_cancelled_before_release_then_every_number_is_exact() {
    let mut desk = Desk::with(&worked_example());
    desk.answer("loyalty.reserve", "loyalty.reserved", &json!({"points": 2000, "reservation_ref": "r"}));
    let authorize = Desk::body(desk.last("payment.authorize"));
    assert_eq!(authorize["amount_minor"], 7998);
    desk.answer(
        "payment.authorize",
        "payment.authorized",
        &json!({"tender": "t1", "authorization_ref": "a", "amount_minor": 7998, "currency": "EUR"}),
    );
    assert_eq!(desk.phase(), Phase::Committed);
    desk.cancel(&[(1, 1)]).unwrap();
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p2", &[(2, 1)]));
    desk.say_yes("n-1");
    assert_eq!(desk.phase(), Phase::Completed);
    assert_eq!(amounts(&desk, "payment.capture", "amount_minor"), [4086, 2133]);
    assert_eq!(amounts(&desk, "payment.void", "amount_minor"), [1779]);
    assert_eq!(amounts(&desk, "loyalty.finalize", "points"), [1023, 532]);
    assert_eq!(amounts(&desk, "loyalty.finalize", "value_minor"), [511, 266]);
    assert_eq!(amounts(&desk, "loyalty.release", "points"), [445]);
    assert_eq!(amounts(&desk, "loyalty.release", "value_minor"), [223]);
    assert_eq!(amounts(&desk, "loyalty.accrue", "points_delta"), [29, 18]);
    assert_eq!(amounts(&desk, "loyalty.accrue", "target_points"), [29, 47]);
    // The customer's third unit of A came back to allocation.
    assert_eq!(Desk::body(desk.last("allocation.release"))["releases"][0]["quantity"], 1);
}

#[test]
fn given_the_worked_example_when_the_last_a_is_cancelled_at_the_node_then_every_number_is_exact() {
    let mut desk = Desk::with(&worked_example());
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p2", &[(2, 1)]));
    desk.say_yes("n-1");
    assert_eq!(desk.phase(), Phase::Fulfilling);
    desk.cancel(&[(1, 1)]).unwrap();
    assert_eq!(Desk::body(desk.last("fulfillment.cancel"))["lines"], json!([{"line": 1, "quantity": 1}]));
    desk.say_yes("n-1");
    assert_eq!(desk.phase(), Phase::Completed);
    assert_eq!(amounts(&desk, "payment.capture", "amount_minor"), [4086, 2133]);
    assert_eq!(amounts(&desk, "payment.void", "amount_minor"), [1779]);
    assert_eq!(amounts(&desk, "loyalty.release", "points"), [445]);
    assert_eq!(desk.view()["redemption"]["finalized_points"], 1555);
    assert_eq!(desk.view()["accrual"], json!({"target_points": 47, "posted_points": 47}));
}
