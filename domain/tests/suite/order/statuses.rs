//! The words that people read, each at the moment that it is for.

use domain::decider::{Gates, Participant};
use domain::order::state::Phase;
use serde_json::json;

use super::desk::{Desk, card_only, departed, worked_example};
use super::steps::{lines, units};

/// payment, fulfillment, loyalty, erp, stock, display.
fn words(desk: &Desk) -> [String; 6] {
    ["payment", "fulfillment", "loyalty", "erp", "stock", "display"].map(|of| desk.status(of))
}

#[test]
fn given_the_main_way_when_the_order_goes_then_every_status_follows() {
    let mut desk = Desk::with(&worked_example());
    assert_eq!(words(&desk), ["none", "none", "pending", "not_due", "none", "processing"]);
    desk.yes_to("loyalty.reserve");
    assert_eq!(words(&desk), ["none", "none", "reserved", "not_due", "none", "processing"]);
    desk.yes_to("payment.authorize");
    assert_eq!(words(&desk), ["authorized", "none", "reserved", "queued", "none", "confirmed"]);
    desk.say_yes("n-1");
    assert_eq!(words(&desk), ["authorized", "in_progress", "reserved", "posted", "allocated", "preparing"]);
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    assert_eq!(
        words(&desk),
        ["authorized", "partial", "pending", "partly_posted", "allocated", "partly_shipped"]
    );
    desk.say_yes("n-1");
    assert_eq!(
        words(&desk),
        ["partially_captured", "partial", "partly_finalized", "posted", "allocated", "partly_shipped"]
    );
    desk.fact("shipment.departed", &departed("p2", &[(1, 1), (2, 1)]));
    desk.ends_as(Phase::Completed);
    assert_eq!(words(&desk), ["captured", "shipped", "finalized", "posted", "consumed", "shipped"]);
    desk.fact(
        "shipment.delivered",
        &json!({"shipment_id": "o-1-s1", "delivered_at": "2026-11-28T10:00:00Z"}),
    );
    assert_eq!(words(&desk), ["captured", "delivered", "finalized", "posted", "consumed", "delivered"]);
}

#[test]
fn given_a_cancelled_order_when_it_is_settled_then_the_statuses_say_so() {
    let mut desk = Desk::committed(&worked_example());
    desk.cancel(&[]).unwrap();
    assert_eq!(desk.status("display"), "cancelling");
    assert_eq!(desk.status("fulfillment"), "cancelled");
    desk.ends_as(Phase::Cancelled);
    assert_eq!(words(&desk), ["voided", "cancelled", "released", "posted", "none", "cancelled"]);
}

#[test]
fn given_a_rejected_order_when_it_is_settled_then_the_statuses_say_why() {
    let mut declined = Desk::with(&card_only());
    declined.answer(
        "payment.authorize",
        "payment.declined",
        &json!({"tender": "t1", "code": "x", "kind": "hard"}),
    );
    assert_eq!(words(&declined), ["failed", "none", "none", "not_due", "none", "rejected"]);
    let mut refused = Desk::with(&worked_example());
    refused.answer("loyalty.reserve", "loyalty.reserve_refused", &json!({"code": "x"}));
    assert_eq!(words(&refused), ["none", "none", "failed", "not_due", "none", "rejected"]);
}

#[test]
fn given_units_that_left_before_the_others_have_a_node_when_shown_then_the_stock_is_partly_allocated() {
    let mut desk = Desk::committed(&units(3));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    assert_eq!(
        (desk.status("stock").as_str(), desk.status("fulfillment").as_str()),
        ("partly_allocated", "partial")
    );
}

#[test]
fn given_units_that_were_cancelled_after_a_capture_when_shown_then_what_is_live_is_captured() {
    let mut desk = Desk::released(&units(2));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    desk.say_yes("n-1");
    assert_eq!(desk.status("payment"), "partially_captured");
    desk.cancel(&[(1, 1)]).unwrap();
    desk.say_yes("n-1");
    assert_eq!(
        (desk.status("payment").as_str(), desk.status("fulfillment").as_str()),
        ("captured", "shipped")
    );
}

#[test]
fn given_more_captured_than_is_due_when_shown_then_it_is_overcaptured() {
    let mut desk = Desk::released(&units(1));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    let more = json!({"tender": "t1", "amount_minor": 1200, "currency": "EUR", "settlement_ref": "s"});
    desk.answer("payment.capture", "payment.captured", &more);
    assert_eq!(desk.status("payment"), "overcaptured");
    assert_eq!(desk.exceptions(), ["amount_differs"]);
}

#[test]
fn given_a_document_that_waits_when_its_gate_is_closed_then_the_erp_status_is_queued() {
    let mut desk = Desk::new();
    desk.gates = Gates::OPEN.with(Participant::Erp, false);
    desk.submit(&card_only()).unwrap();
    desk.say_yes("n-1");
    assert_eq!(desk.status("erp"), "queued");
}

#[test]
fn given_a_decision_that_changes_no_word_when_it_is_made_then_no_status_is_told() {
    let mut desk = Desk::committed(&worked_example());
    let told = desk.count("order.status_changed");
    desk.cancel(&[(1, 1)]).unwrap();
    desk.answer(
        "allocation.allocate",
        "allocation.refused",
        &json!({"lines": lines(&[(2, 1)]), "code": "x"}),
    );
    let words_now = words(&desk);
    let told_now = desk.count("order.status_changed");
    assert_eq!(
        (told_now - told, words_now[2].as_str()),
        (1, "pending"),
        "the points that go back are told once"
    );
    let last = desk.told_last("order.status_changed")["status"].clone();
    assert_eq!(last, desk.view()["status"]);
}
