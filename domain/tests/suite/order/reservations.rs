//! `use_reservation`: the customer reserved before; and wishes about stock that make no sense.

use domain::decider::{Gates, Participant};
use domain::envelope::{Headers, Plane};
use domain::gates::BreakerState;
use domain::order::degraded::DegradedMode;
use domain::order::state::Phase;
use serde_json::{Value, json};

use super::desk::{Desk, departed};
use super::holds::policy;
use super::shelf::{Shelf, Shop};
use super::steps::units;

fn with_reservation(mut body: Value) -> Value {
    body["reservation_id"] = json!("r-7");
    body
}

fn shelf() -> Shelf {
    Shelf::default().with("SKU-A", "n-1", 5).reserved("r-7", &[(1, "SKU-A", 3)])
}

#[test]
fn given_a_reservation_when_the_order_names_it_then_it_is_attached_committed_and_consumed() {
    let mut shop = Shop::with(shelf(), &with_reservation(units(3)));
    let attach = shop.desk.letter("attach");
    assert_eq!((&attach["reservation_id"], &attach["order_id"]), (&json!("r-7"), &json!("o-1")));
    assert!(shop.desk.sent.is_empty(), "nothing is paid before it is attached");
    shop.settle();
    assert_eq!(shop.desk.letter_names(), ["attach", "commit"]);
    shop.desk.fact("shipment.departed", &departed("p1", &[(1, 3)]));
    shop.settle();
    assert_eq!(shop.desk.phase(), Phase::Completed);
    assert_eq!(shop.desk.letter("consume")["reservation_id"], "r-7");
    assert_eq!((shop.shelf.held(), shop.shelf.all()), (0, 5));
}

#[test]
fn given_an_expired_or_unknown_reservation_when_a_fresh_hold_is_allowed_then_it_is_tried() {
    for name in ["r-7", "r-unknown"] {
        let mut shelf = shelf();
        shelf.expire("r-7");
        let mut body = with_reservation(units(3));
        body["reservation_id"] = json!(name);
        let mut shop = Shop::with(shelf, &body);
        shop.settle();
        assert_eq!(shop.desk.letter_names(), ["attach", "hold", "commit"]);
        assert_eq!(shop.desk.letter("commit")["reservation_id"], "o-1~1");
        assert_eq!(shop.desk.phase(), Phase::Fulfilling);
    }
}

#[test]
fn given_a_reservation_that_holds_something_else_when_there_is_no_stock_then_the_order_is_out_of_stock() {
    let mut shop = Shop::with(shelf(), &with_reservation(units(4)));
    shop.settle();
    assert_eq!(shop.desk.letter_names(), ["attach", "hold"]);
    assert_eq!(shop.desk.code("order.rejected"), "out_of_stock");
    assert_eq!(shop.shelf.held(), 3, "the reservation is still the customer's");
}

#[test]
fn given_no_fresh_hold_is_allowed_when_the_reservation_cannot_be_used_then_the_reason_says_why() {
    for (name, code) in [("r-7", "expired"), ("r-9", "unknown_entity")] {
        let mut shelf = shelf();
        shelf.expire("r-7");
        let mut shop = Shop::of(shelf);
        shop.desk.policies.stock.fresh_hold = false;
        let mut body = with_reservation(units(3));
        body["reservation_id"] = json!(name);
        shop.desk.submit(&body).unwrap();
        shop.settle();
        assert_eq!(shop.desk.code("order.rejected"), code);
        let message = shop.desk.told_last("order.rejected")["reason"]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(&format!("reservation_id {name} cannot be used")), "{message}");
        assert!(shop.desk.effects().is_empty());
    }
}

#[test]
fn given_a_reservation_named_like_the_first_of_the_order_when_it_expired_then_the_fresh_hold_has_another() {
    let mut shelf = Shelf::default().with("SKU-A", "n-1", 5).reserved("o-1~1", &[(1, "SKU-A", 3)]);
    shelf.expire("o-1~1");
    let mut body = units(3);
    body["reservation_id"] = json!("o-1~1");
    let mut shop = Shop::with(shelf, &body);
    shop.settle();
    assert_eq!(shop.desk.letter("hold")["reservation_id"], "o-1~2");
    assert_eq!(shop.desk.phase(), Phase::Fulfilling);
}

#[test]
fn given_a_wish_that_makes_no_sense_when_submitted_then_field_value_and_remedy_are_named() {
    let mut odd_sku = policy(units(1), "hold_at_submit");
    odd_sku["lines"][0]["sku"] = json!("SKU A");
    let cases = [
        (
            policy(units(1), "use_reservation"),
            "fulfillment.policy is use_reservation, but reservation_id is missing; give the reservation_id, or choose \
             hold_at_submit",
        ),
        (
            with_reservation(policy(units(1), "hold_at_submit")),
            "reservation_id is r-7, but fulfillment.policy is hold_at_submit; leave one of them out, or choose \
             use_reservation",
        ),
        (
            with_reservation(policy(units(1), "external_allocation")),
            "reservation_id is r-7, but fulfillment.policy is external_allocation; leave one of them out, or choose \
             use_reservation",
        ),
        (
            odd_sku,
            "lines[0].sku is \"SKU A\", which cannot have stock of ours: it needs the form [A-Za-z0-9_-]{1,47}; correct \
             it, or choose external_allocation instead of hold_at_submit",
        ),
    ];
    for (body, expected) in cases {
        let desk = Desk::with(&body);
        assert_eq!(desk.code("order.rejected"), "validation");
        assert_eq!(desk.told_last("order.rejected")["reason"]["message"], expected);
        assert!(desk.sent.is_empty() && desk.letters.is_empty());
    }
}

#[test]
fn given_the_configured_policy_when_an_order_says_nothing_then_it_holds_and_what_an_order_says_wins() {
    let mut desk = Desk::new();
    desk.policies.stock.policy = domain::messages::inbound::FulfillmentPolicy::HoldAtSubmit;
    desk.submit(&units(1)).unwrap();
    assert_eq!(desk.letter_names(), ["hold"]);
    let mut desk = Desk::new();
    desk.policies.stock.policy = domain::messages::inbound::FulfillmentPolicy::HoldAtSubmit;
    desk.submit(&policy(units(1), "external_allocation")).unwrap();
    assert!(desk.letters.is_empty());
    assert_eq!(desk.sent_kinds(), ["payment.authorize"]);
}

#[test]
fn given_allocation_is_away_and_refuses_new_orders_when_our_own_stock_serves_one_then_it_is_taken() {
    let mut desk = Desk::new();
    desk.policies.degraded_modes.allocation.open = DegradedMode::RefuseNew;
    desk.gates = Gates::OPEN.with_breaker(Participant::Allocation, BreakerState::Open);
    assert!(desk.submit(&units(1)).is_err(), "it could not be allocated");
    desk.submit(&policy(units(1), "hold_at_submit")).unwrap();
    assert_eq!(desk.letter_names(), ["hold"]);
}

#[test]
fn given_the_split_limit_and_a_place_to_fetch_the_goods_when_held_then_the_reservation_is_told() {
    let mut desk = Desk::new();
    desk.policies.stock.split_limit = 2;
    let mut body = policy(units(1), "hold_at_submit");
    body["ship_to"] = json!({"region": "DE-BE", "pickup_node": "store-7"});
    desk.submit(&body).unwrap();
    let hold = desk.letter("hold");
    assert_eq!(
        (&hold["split_limit"], &hold["pickup_node"], &hold["region"]),
        (&json!(2), &json!("store-7"), &json!("DE-BE"))
    );
}

#[test]
fn given_a_letter_from_outside_when_it_comes_then_it_is_no_message() {
    let desk = Desk::with(&policy(units(1), "hold_at_submit"));
    let body = json!({"reservation_id": "o-1", "lines": []});
    for plane in [Plane::Reply, Plane::Fact, Plane::Ask] {
        let message = desk.message(plane, "order.reservation_held", &body, "m-1");
        assert!(domain::messages::decode(&message).is_err());
    }
    let mut unsigned = desk.message(Plane::Internal, "order.reservation_held", &body, "m-1");
    unsigned.headers = Headers::new();
    assert!(domain::messages::decode(&unsigned).is_err());
}
