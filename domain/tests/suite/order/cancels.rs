//! `order.cancel`: the whole order or some units, at every moment of its life.

use domain::decider::Answer;
use domain::envelope::{Headers, Plane};
use domain::order::state::Phase;
use domain::reason::Code;
use serde_json::json;

use super::desk::{Desk, card_only, departed, worked_example};
use super::steps::{lines, units};

#[test]
fn given_an_order_that_reserves_when_it_is_cancelled_then_it_is_rejected_and_late_success_is_given_back() {
    let mut desk = Desk::with(&worked_example());
    desk.yes_to("loyalty.reserve");
    assert_eq!(desk.cancel(&[]), Ok(Answer::Accepted));
    assert_eq!(desk.code("order.rejected"), "cancelled_by_customer");
    assert_eq!(desk.numbers("loyalty.release", "points"), [2000]);
    desk.yes_to("payment.authorize");
    assert_eq!(desk.numbers("payment.void", "amount_minor"), [7998]);
    desk.ends_as(Phase::Rejected);
    assert_eq!(desk.cancel(&[]), Ok(Answer::Accepted), "what already holds is accepted");
}

#[test]
fn given_an_order_that_reserves_when_every_unit_is_cancelled_then_it_is_rejected() {
    let mut desk = Desk::with(&worked_example());
    desk.cancel(&[(1, 3)]).unwrap();
    assert_eq!(desk.phase(), Phase::Reserving);
    desk.cancel(&[(2, 1)]).unwrap();
    assert_eq!(desk.code("order.rejected"), "cancelled_by_customer");
}

#[test]
fn given_an_order_that_reserves_when_units_are_cancelled_then_they_leave_with_the_commit() {
    let mut desk = Desk::with(&worked_example());
    desk.cancel(&[(1, 1)]).unwrap();
    assert_eq!(desk.line(0)["cancelled"], 0);
    desk.yes_to("loyalty.reserve");
    assert_eq!(desk.numbers("payment.authorize", "amount_minor"), [7998], "the whole amount is reserved");
    desk.yes_to("payment.authorize");
    assert_eq!(desk.line(0)["cancelled"], 1);
    assert_eq!(desk.numbers("payment.void", "amount_minor"), [1779]);
    assert_eq!(desk.numbers("loyalty.release", "points"), [445]);
    let asked = Desk::body(desk.last("allocation.allocate"));
    assert_eq!(asked["lines"][0]["quantity"], 2);
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p1", &[(1, 2), (2, 1)]));
    desk.ends_as(Phase::Completed);
}

#[test]
fn given_noted_units_when_more_are_cancelled_than_are_left_then_it_is_refused() {
    let mut desk = Desk::with(&worked_example());
    desk.cancel(&[(1, 2)]).unwrap();
    assert_eq!(desk.cancel(&[(1, 2)]).unwrap_err().code, Code::NotCancellable);
    assert_eq!(desk.cancel(&[(9, 1)]).unwrap_err().code, Code::Validation);
    assert_eq!(desk.phase(), Phase::Reserving);
}

#[test]
fn given_a_cancel_that_comes_before_its_submit_when_the_submit_comes_then_it_is_rejected_without_side_effects()
 {
    let mut desk = Desk::new();
    assert_eq!(desk.cancel(&[]), Ok(Answer::Later));
    desk.submit(&worked_example()).unwrap();
    assert_eq!(desk.code("order.rejected"), "cancelled_by_customer");
    assert_eq!(desk.told_kinds(), ["order.received", "order.rejected"]);
    assert!(desk.sent.is_empty());
    let settled: Vec<_> = desk.settled.values().collect();
    assert_eq!(settled, [&Answer::Accepted], "the waiting wish is answered");
}

#[test]
fn given_a_unit_cancel_that_comes_before_its_submit_when_the_order_commits_then_the_units_leave() {
    let mut desk = Desk::new();
    desk.cancel(&[(1, 1)]).unwrap();
    desk.submit(&units(2)).unwrap();
    desk.yes_to("payment.authorize");
    assert_eq!(desk.line(0)["cancelled"], 1);
}

#[test]
fn given_a_committed_order_when_it_is_cancelled_before_allocation_then_all_is_given_back_and_booked() {
    let mut desk = Desk::committed(&worked_example());
    assert_eq!(desk.cancel(&[]), Ok(Answer::Accepted));
    assert_eq!(desk.phase(), Phase::Cancelling);
    assert_eq!(desk.count("order.cancelling"), 1);
    assert_eq!(desk.numbers("payment.void", "amount_minor"), [7998]);
    assert_eq!(desk.numbers("loyalty.release", "points"), [2000]);
    // The allocation succeeds all the same: late success is given back.
    desk.yes_to("allocation.allocate");
    let back = &Desk::body(desk.last("allocation.release"))["releases"];
    assert_eq!((back[0]["quantity"].as_i64(), back[1]["quantity"].as_i64()), (Some(3), Some(1)));
    assert!(desk.sent_of("fulfillment.release").is_empty());
    desk.ends_as(Phase::Cancelled);
    assert_eq!(desk.code("order.cancelled"), "cancelled_by_customer");
    let cancel = &desk.documents("cancel")[0];
    assert_eq!(
        cancel["lines"][2],
        json!({"fee": "shipping", "quantity": 1, "net_minor": 499, "tax_minor": 100})
    );
    assert_eq!(cancel["loyalty_value_minor"], 1000);
    assert!(desk.documents("amend").is_empty());
    assert_eq!(desk.cancel(&[]), Ok(Answer::Accepted), "what already holds is accepted");
}

#[test]
fn given_released_units_when_the_order_is_cancelled_and_the_node_agrees_then_it_is_cancelled() {
    let mut desk = Desk::released(&worked_example());
    desk.cancel(&[]).unwrap();
    assert_eq!(desk.phase(), Phase::Cancelling);
    let ask = Desk::body(desk.last("fulfillment.cancel"));
    assert_eq!(ask["lines"], lines(&[(1, 3), (2, 1)]));
    assert!(desk.sent_of("payment.void").is_empty(), "the money waits for the node");
    assert_eq!(desk.cancel(&[]), Ok(Answer::Accepted));
    assert_eq!(desk.sent_of("fulfillment.cancel").len(), 1, "nobody is asked twice");
    desk.yes_to("fulfillment.cancel");
    assert_eq!(desk.numbers("payment.void", "amount_minor"), [7998]);
    assert_eq!(desk.told_last("shipment.cancelled")["lines"], lines(&[(1, 3), (2, 1)]));
    desk.ends_as(Phase::Cancelled);
    assert_eq!(desk.sent_of("allocation.release").len(), 1);
}

#[test]
fn given_a_cancelling_order_when_the_node_rejects_then_it_goes_on() {
    let mut desk = Desk::released(&card_only());
    desk.cancel(&[]).unwrap();
    let ask = Desk::body(desk.last("fulfillment.cancel"));
    desk.answer("fulfillment.cancel", "shipment.cancel_rejected", &ask);
    assert_eq!(desk.phase(), Phase::Fulfilling);
    assert_eq!(desk.sent_of("fulfillment.cancel").len(), 1);
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    desk.ends_as(Phase::Completed);
    assert_eq!(desk.numbers("payment.capture", "amount_minor"), [2380]);
    assert_eq!(desk.count("order.cancelled"), 0);
}

#[test]
fn given_a_cancel_that_a_node_rejected_when_it_is_wished_again_then_the_node_is_asked_again() {
    let mut desk = Desk::released(&units(3));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    for asked in 1..=2 {
        assert_eq!(desk.cancel(&[]), Ok(Answer::Accepted));
        assert_eq!(desk.sent_of("fulfillment.cancel").len(), asked);
        let ask = Desk::body(desk.last("fulfillment.cancel"));
        assert_eq!(ask["lines"], lines(&[(1, 2)]));
        desk.answer("fulfillment.cancel", "shipment.cancel_rejected", &ask);
    }
    assert_eq!(desk.phase(), Phase::Fulfilling);
}

#[test]
fn given_a_cancelling_order_when_a_parcel_departs_then_departure_wins_and_the_rest_is_cancelled() {
    let mut desk = Desk::released(&units(3));
    desk.cancel(&[]).unwrap();
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    assert_eq!(desk.phase(), Phase::Fulfilling);
    let ask = Desk::body(desk.last("fulfillment.cancel"));
    desk.answer("fulfillment.cancel", "shipment.cancel_rejected", &ask);
    // Fewer were left than asked for, so the node is asked for those that are.
    assert_eq!(Desk::body(desk.last("fulfillment.cancel"))["lines"], lines(&[(1, 2)]));
    desk.yes_to("fulfillment.cancel");
    desk.ends_as(Phase::Completed);
    assert_eq!((desk.line(0)["shipped"].clone(), desk.line(0)["cancelled"].clone()), (json!(1), json!(2)));
    assert_eq!(desk.numbers("payment.capture", "amount_minor"), [1190]);
    assert_eq!(desk.numbers("payment.void", "amount_minor"), [2380]);
}

#[test]
fn given_a_cancel_at_the_node_when_everything_departed_meanwhile_then_nothing_is_cancelled() {
    let mut desk = Desk::released(&card_only());
    desk.cancel(&[]).unwrap();
    let ask = Desk::body(desk.last("fulfillment.cancel"));
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    desk.answer("fulfillment.cancel", "shipment.cancel_rejected", &ask);
    assert_eq!(desk.sent_of("fulfillment.cancel").len(), 1);
    desk.ends_as(Phase::Completed);
    assert_eq!(desk.line(0)["cancelled"], 0);
}

#[test]
fn given_a_cancel_at_the_node_when_it_gives_only_a_part_back_then_the_others_go_on() {
    let mut desk = Desk::released(&units(3));
    desk.cancel(&[]).unwrap();
    let shipment = json!({"shipment_id": "o-1-s1", "lines": lines(&[(1, 2)])});
    desk.answer("fulfillment.cancel", "shipment.cancel_accepted", &shipment);
    assert_eq!(desk.phase(), Phase::Fulfilling);
    assert_eq!((desk.line(0)["cancelled"].clone(), desk.line(0)["released"].clone()), (json!(2), json!(1)));
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    desk.ends_as(Phase::Completed);
}

#[test]
fn given_a_node_that_gives_back_more_than_asked_when_it_answers_then_only_what_was_asked_is_cancelled() {
    let mut desk = Desk::released(&units(3));
    desk.cancel(&[(1, 1)]).unwrap();
    let answer = json!({"shipment_id": "o-1-s1", "lines": lines(&[(1, 2), (1, 2), (7, 1)])});
    desk.answer("fulfillment.cancel", "shipment.cancel_accepted", &answer);
    assert_eq!((desk.line(0)["cancelled"].clone(), desk.line(0)["released"].clone()), (json!(1), json!(2)));
}

#[test]
fn given_units_without_and_with_a_node_when_some_are_cancelled_then_those_without_go_first() {
    let mut desk = Desk::committed(&units(3));
    desk.cancel(&[(1, 1)]).unwrap();
    assert_eq!(desk.line(0)["cancelled"], 1);
    desk.say_yes("n-1");
    assert_eq!(desk.numbers("payment.void", "amount_minor"), [1190]);
    desk.cancel(&[(1, 1)]).unwrap();
    assert_eq!(desk.line(0)["cancelled"], 1, "the node is asked first");
    assert_eq!(desk.cancel(&[(1, 2)]).unwrap_err().code, Code::NotCancellable, "one is left to be asked for");
    desk.yes_to("fulfillment.cancel");
    assert_eq!(desk.line(0)["cancelled"], 2);
}

#[test]
fn given_all_units_cancelled_one_by_one_when_the_last_is_gone_then_the_order_is_cancelled_by_the_customer() {
    let mut desk = Desk::released(&worked_example());
    for (line, quantity) in [(1, 1), (2, 1), (1, 1), (1, 1)] {
        desk.cancel(&[(line, quantity)]).unwrap();
        desk.say_yes("n-1");
    }
    desk.ends_as(Phase::Cancelled);
    assert_eq!(desk.code("order.cancelled"), "cancelled_by_customer");
    assert_eq!(desk.documents("amend").len(), 3);
    let fees: Vec<_> = ["amend", "cancel"]
        .into_iter()
        .flat_map(|kind| desk.documents(kind))
        .map(|document| document["lines"].as_array().unwrap().iter().any(|row| row.get("fee").is_some()))
        .collect();
    assert_eq!(fees, [false, false, false, true], "the fee goes with the last unit");
    assert_eq!(desk.numbers("payment.void", "amount_minor").iter().sum::<i64>(), 7998);
    assert_eq!(desk.numbers("loyalty.release", "points").iter().sum::<i64>(), 2000);
    assert_eq!(desk.numbers("loyalty.release", "value_minor").iter().sum::<i64>(), 1000);
}

#[test]
fn given_a_departed_order_when_it_is_cancelled_then_it_is_too_late() {
    let mut desk = Desk::released(&card_only());
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    assert_eq!(desk.cancel(&[]).unwrap_err().code, Code::NotCancellable);
    desk.ends_as(Phase::Completed);
    let version = desk.version;
    assert_eq!(desk.cancel(&[]).unwrap_err().code, Code::NotCancellable);
    assert_eq!(desk.cancel(&[(1, 1)]).unwrap_err().code, Code::NotCancellable);
    assert_eq!(desk.version, version);
}

#[test]
fn given_a_rejected_order_when_it_is_cancelled_then_there_is_nothing_to_cancel() {
    let mut desk = Desk::with(&card_only());
    desk.answer(
        "payment.authorize",
        "payment.declined",
        &json!({"tender": "t1", "code": "x", "kind": "hard"}),
    );
    assert_eq!(desk.cancel(&[]).unwrap_err().code, Code::NotCancellable);
}

#[test]
fn given_a_line_that_is_named_twice_when_units_are_cancelled_then_they_add_up() {
    let mut desk = Desk::committed(&units(3));
    let body = json!({"order_id": "o-1", "reason": "r", "lines": lines(&[(1, 1), (1, 1)])});
    desk.say(Plane::Ask, "order.cancel", &body, Headers::new()).unwrap();
    assert_eq!(desk.line(0)["cancelled"], 2);
    let amend = desk.documents("amend");
    assert!(amend.is_empty(), "the book is posted first");
    desk.say_yes("n-1");
    assert_eq!(desk.documents("amend")[0]["lines"][0]["quantity"], 2);
}
