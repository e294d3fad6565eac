//! Messages that come before their order: they wait, bounded in number and time.

use domain::decider::{Answer, Decider};
use domain::envelope::Plane;
use domain::order::state::Phase;
use domain::order::{Order, Policies};
use domain::reason::{Code, DeadReason};
use serde_json::json;

use super::desk::{Desk, card_only, departed};

const MINUTE_MS: i64 = 60_000;

#[test]
fn given_a_fact_for_nobody_when_it_comes_then_it_waits_and_makes_no_order() {
    let mut desk = Desk::new();
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    assert!(!Order::exists(&desk.state));
    assert!(desk.told.is_empty() && desk.sent.is_empty() && desk.dead.is_empty());
    assert_eq!(Order::next_deadline(&desk.state), Some(desk.now.plus_ms(15 * MINUTE_MS)));
}

#[test]
fn given_waiting_facts_when_the_order_comes_then_they_are_applied_and_it_goes_its_way() {
    // invariant: facts-are-never-refused
    let mut desk = Desk::new();
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    desk.fact("erp.posted", &json!({"document_key": "main:o-1:book:9", "document_no": "1"}));
    desk.submit(&card_only()).unwrap();
    assert_eq!(desk.exceptions(), ["departed_uncommitted"], "judged as if it had just come");
    assert!(desk.state.parked.is_empty());
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p2", &[(1, 2)]));
    desk.ends_as(Phase::Completed);
    desk.pass_ms(20 * MINUTE_MS);
    assert!(desk.dead.is_empty());
}

#[test]
fn given_waiting_messages_when_nobody_comes_then_each_dies_after_its_own_quarter_of_an_hour() {
    let mut desk = Desk::new();
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    desk.pass_ms(10 * MINUTE_MS);
    assert_eq!(desk.cancel(&[]), Ok(Answer::Later));
    desk.pass_ms(5 * MINUTE_MS - 1);
    assert!(desk.dead.is_empty());
    desk.pass_ms(1);
    assert_eq!(desk.dead.len(), 1);
    assert_eq!(
        (desk.dead[0].0.kind().as_str(), desk.dead[0].1),
        ("shipment.departed", DeadReason::UnknownEntity)
    );
    desk.pass_ms(10 * MINUTE_MS - 1);
    assert_eq!(desk.dead.len(), 1);
    desk.pass_ms(1);
    assert_eq!(
        desk.dead.iter().map(|(early, _)| early.kind()).collect::<Vec<_>>(),
        ["shipment.departed", "order.cancel"]
    );
    assert!(!Order::exists(&desk.state));
    assert_eq!(Order::next_deadline(&desk.state), None);
    desk.submit(&card_only()).unwrap();
    assert_eq!(desk.phase(), Phase::Reserving, "the cancel died before the order came");
}

#[test]
fn given_as_many_waiting_messages_as_may_when_one_more_comes_then_it_dies_at_once() {
    // invariant: bounded-everything
    let mut desk = Desk::new();
    desk.policies = Policies { parked_most: 3, ..Policies::default() };
    for parcel in ["p1", "p2", "p3", "p4"] {
        desk.fact("shipment.departed", &departed(parcel, &[(1, 1)]));
    }
    assert_eq!((desk.state.parked.len(), desk.dead.len()), (3, 1));
    let refused = desk.cancel(&[]).unwrap();
    assert!(matches!(refused, Answer::Rejected(reason) if reason.code == Code::UnknownEntity));
    assert_eq!(desk.dead.len(), 2);
}

#[test]
fn given_a_waiting_wish_that_cannot_be_when_the_order_comes_then_it_is_answered_with_the_refusal() {
    let mut desk = Desk::new();
    let wish = desk.message(
        Plane::Ask,
        "order.cancel",
        &json!({"reason": "r", "lines": [{"line": 9, "quantity": 1}]}),
        "w-1",
    );
    assert_eq!(desk.deliver(&wish), Ok(Answer::Later));
    desk.submit(&card_only()).unwrap();
    let answer = &desk.settled[&("/desk".to_owned(), "w-1".to_owned())];
    assert!(matches!(answer, Answer::Rejected(reason) if reason.code == Code::Validation));
    assert_eq!(desk.phase(), Phase::Reserving);
}
