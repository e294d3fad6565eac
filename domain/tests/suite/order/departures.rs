//! Departures and deliveries: facts about goods, never refused, in any order and more than once.

use domain::envelope::{Envelope, Headers, Plane};
use domain::order::Policies;
use domain::order::policies::Completion;
use domain::order::state::Phase;
use serde_json::{Value, json};

use super::desk::{Desk, card_only, departed, departed_from, worked_example};
use super::steps::{lines, units};

fn delivered(parcel: Option<&str>, of: &[(u32, u32)]) -> Value {
    let mut body =
        json!({"shipment_id": "o-1-s1", "delivered_at": "2026-11-28T10:00:00Z", "lines": lines(of)});
    if let Some(parcel) = parcel {
        body["parcel_id"] = json!(parcel);
    }
    body
}

/// A departure that names no parcel, told in the message `id`.
fn without_parcel(desk: &Desk, of: &[(u32, u32)], id: &str) -> Envelope {
    let mut body = departed("p", of);
    body.as_object_mut().unwrap().remove("parcel_id");
    desk.message(Plane::Fact, "shipment.departed", &body, id)
}

#[test]
fn given_a_shipment_when_it_leaves_in_parcels_then_each_is_charged_and_the_fee_goes_with_the_first() {
    let mut desk = Desk::released(&worked_example());
    for (parcel, of) in [("p1", (2, 1)), ("p2", (1, 1)), ("p3", (1, 2))] {
        desk.fact("shipment.departed", &departed(parcel, &[of]));
        desk.say_yes("n-1");
    }
    desk.ends_as(Phase::Completed);
    let captured = desk.numbers("payment.capture", "amount_minor");
    assert_eq!((captured.len(), captured.iter().sum::<i64>()), (3, 7998));
    let fees: Vec<bool> = desk
        .documents("invoice")
        .iter()
        .map(|document| document["lines"].as_array().unwrap().iter().any(|row| row.get("fee").is_some()))
        .collect();
    assert_eq!(fees, [true, false, false]);
    assert_eq!(desk.count("shipment.dispatched"), 3);
    assert_eq!(desk.numbers("loyalty.finalize", "points").iter().sum::<i64>(), 2000);
}

#[test]
fn given_a_parcel_that_departed_when_it_is_told_again_then_nothing_happens() {
    // invariant: applied-once
    let mut desk = Desk::released(&units(3));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    let version = desk.version;
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    assert_eq!(desk.version, version);
    assert_eq!(desk.numbers("payment.capture", "amount_minor"), [1190]);
}

#[test]
fn given_departures_without_parcel_when_they_come_then_their_message_ids_tell_them_apart() {
    let mut desk = Desk::released(&units(3));
    let (first, second) = (without_parcel(&desk, &[(1, 1)], "d-1"), without_parcel(&desk, &[(1, 1)], "d-2"));
    for message in [&first, &first, &second, &first, &second] {
        desk.deliver(message).unwrap();
    }
    assert_eq!(desk.line(0)["shipped"], 2);
    assert_eq!(desk.sent_of("payment.capture").len(), 2);
}

#[test]
fn given_more_units_than_the_order_has_when_they_depart_then_the_excess_is_an_exception_with_its_value() {
    // invariant: facts-are-never-refused
    let mut desk = Desk::released(&units(2));
    desk.fact("shipment.departed", &departed("p1", &[(1, 3)]));
    assert_eq!(desk.exceptions(), ["departed_too_much"]);
    assert_eq!(desk.told_last("exception.opened")["exception"]["exposure_minor"], 1190);
    assert_eq!(desk.line(0)["shipped"], 2);
    desk.ends_as(Phase::Completed);
    // Another parcel that nobody ordered is another exception; told twice, it is one.
    for parcel in ["p2", "p2", "p3"] {
        desk.fact("shipment.departed", &departed(parcel, &[(1, 1)]));
    }
    assert_eq!(desk.exceptions().len(), 3);
    assert_eq!(desk.phase(), Phase::Completed);
    assert_eq!(desk.numbers("payment.capture", "amount_minor"), [2380]);
}

#[test]
fn given_a_shipment_that_we_never_made_when_it_departs_with_released_units_then_a_person_is_told() {
    let mut desk = Desk::released(&units(2));
    desk.fact("shipment.departed", &departed_from("store-77", "p1", &[(1, 1)]));
    assert_eq!(desk.exceptions(), ["departed_too_much"]);
    assert_eq!(desk.line(0)["released"], 2);
    assert!(desk.sent_of("payment.capture").is_empty());
}

#[test]
fn given_a_shipment_that_we_never_made_when_it_departs_with_units_without_node_then_they_have_left() {
    let mut desk = Desk::committed(&units(2));
    desk.fact("shipment.departed", &departed_from("store-77", "p1", &[(1, 2)]));
    assert_eq!(desk.told_last("shipment.dispatched")["shipment_id"], "store-77");
    desk.ends_as(Phase::Completed);
    assert_eq!(Desk::body(desk.last("payment.capture"))["shipment_id"], "store-77");
}

#[test]
fn given_a_line_that_the_order_does_not_have_when_it_departs_then_a_person_is_told() {
    let mut desk = Desk::released(&units(1));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1), (9, 1)]));
    assert_eq!(desk.exceptions(), ["unknown_value"]);
    assert_eq!(desk.line(0)["shipped"], 1);
}

#[test]
fn given_an_order_that_is_not_committed_when_units_depart_then_a_person_is_told_their_value() {
    // invariant: facts-are-never-refused
    let mut reserving = Desk::with(&card_only());
    reserving.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    let mut rejected = Desk::with(&card_only());
    rejected.cancel(&[]).unwrap();
    rejected.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    for (desk, phase) in [(&reserving, Phase::Reserving), (&rejected, Phase::Rejected)] {
        assert_eq!(desk.exceptions(), ["departed_uncommitted"]);
        assert_eq!(desk.told_last("exception.opened")["exception"]["exposure_minor"], 1190);
        assert_eq!(desk.phase(), phase);
    }
}

#[test]
fn given_a_cancelled_order_when_units_depart_then_it_stays_cancelled_with_an_exception() {
    // invariant: final-is-final
    let mut desk = Desk::committed(&card_only());
    desk.cancel(&[]).unwrap();
    desk.ends_as(Phase::Cancelled);
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    assert_eq!((desk.phase(), desk.exceptions()), (Phase::Cancelled, vec!["departed_too_much"]));
    assert!(desk.effects().is_empty());
}

#[test]
fn given_a_departure_when_the_shipment_was_not_accepted_yet_then_it_counts_as_accepted() {
    let mut desk = Desk::committed(&units(2));
    desk.yes_to("allocation.allocate");
    let release = desk.last("fulfillment.release").clone();
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    assert!(!desk.open_kinds().contains(&"fulfillment.release".to_owned()));
    let version = desk.version;
    desk.answer_to(&release, "shipment.accepted", &json!({"shipment_id": "o-1-s1", "node": "n-1"}));
    assert_eq!(desk.version, version, "the late acceptance says nothing new");
}

#[test]
fn given_a_parcel_that_departed_when_it_is_delivered_twice_then_it_is_delivered_once() {
    let mut desk = Desk::released(&units(3));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    desk.fact("shipment.departed", &departed("p2", &[(1, 2)]));
    desk.fact("shipment.delivered", &delivered(Some("p2"), &[]));
    desk.fact("shipment.delivered", &delivered(Some("p2"), &[]));
    assert_eq!((desk.line(0)["delivered"].clone(), desk.line(0)["shipped"].clone()), (json!(2), json!(1)));
    desk.fact("shipment.delivered", &delivered(None, &[]));
    assert_eq!(desk.line(0)["delivered"], 3);
    assert_eq!(desk.count("shipment.delivered"), 2);
    assert_eq!(desk.told_last("shipment.delivered")["lines"], lines(&[(1, 1)]));
}

#[test]
fn given_a_delivery_when_it_comes_before_its_departure_then_it_is_applied_with_it() {
    let mut desk = Desk::released(&units(2));
    for _ in 0..2 {
        desk.fact("shipment.delivered", &delivered(Some("p1"), &[]));
    }
    assert_eq!(desk.count("shipment.delivered"), 0);
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    assert_eq!(desk.line(0)["delivered"], 2);
    assert_eq!(desk.count("shipment.delivered"), 1);
}

#[test]
fn given_a_delivery_of_two_parcels_when_it_comes_before_both_then_each_is_delivered_as_it_departs() {
    let mut desk = Desk::released(&units(2));
    desk.fact("shipment.delivered", &delivered(None, &[(1, 2)]));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    assert_eq!(desk.line(0)["delivered"], 1);
    desk.fact("shipment.departed", &departed("p2", &[(1, 1)]));
    assert_eq!(desk.line(0)["delivered"], 2);
    assert!(desk.state.early_deliveries.is_empty());
}

#[test]
fn given_deliveries_of_nothing_that_departed_when_many_come_then_only_some_are_kept() {
    // invariant: bounded-everything
    let mut desk = Desk::released(&units(1));
    for parcel in 0..40 {
        desk.fact("shipment.delivered", &delivered(Some(&format!("p{parcel}")), &[]));
    }
    assert_eq!(desk.state.early_deliveries.len(), 16);
}

#[test]
fn given_completion_at_delivery_when_all_departed_then_the_order_completes_with_the_delivery() {
    let mut desk = Desk::new();
    desk.policies = Policies { completion: Completion::Delivered, ..Policies::default() };
    desk.submit(&units(2)).unwrap();
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    desk.say_yes("n-1");
    assert_eq!((desk.phase(), desk.status("display").as_str()), (Phase::Fulfilling, "shipped"));
    desk.fact("shipment.delivered", &delivered(Some("p1"), &[(1, 1)]));
    assert_eq!(desk.phase(), Phase::Fulfilling);
    desk.fact("shipment.delivered", &delivered(Some("p1"), &[(1, 1)]));
    assert_eq!((desk.phase(), desk.status("display").as_str()), (Phase::Completed, "delivered"));
}

#[test]
fn given_a_completed_order_when_it_is_delivered_then_it_stays_completed_and_is_shown_delivered() {
    // invariant: final-is-final
    let mut desk = Desk::released(&units(1));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    desk.ends_as(Phase::Completed);
    desk.say(Plane::Fact, "shipment.delivered", &delivered(Some("p1"), &[]), Headers::new()).unwrap();
    assert_eq!((desk.phase(), desk.status("fulfillment").as_str()), (Phase::Completed, "delivered"));
    assert_eq!(desk.count("order.completed"), 1);
}
