//! Which command an answer answers: by `Effect-Id`, else by what it refers to, else a person decides.

use domain::envelope::{Headers, Plane};
use domain::order::state::Phase;
use serde_json::json;

use super::desk::{Desk, departed, worked_example, yes};
use super::steps::{two_cards, units};

#[test]
fn given_participants_that_echo_nothing_when_they_answer_then_their_references_are_enough() {
    let mut desk = Desk::with(&worked_example());
    let mut departures = vec![departed("p1", &[(1, 2)]), departed("p2", &[(2, 1)])];
    loop {
        while let Some(command) = desk.open_commands().into_iter().next() {
            let (kind, body) = yes(&command, "n-1");
            desk.tell(kind, &body);
        }
        let Some(fact) = departures.pop() else { break };
        desk.fact("shipment.departed", &fact);
    }
    desk.cancel(&[(1, 1)]).unwrap();
    while let Some(command) = desk.open_commands().into_iter().next() {
        let (kind, body) = yes(&command, "n-1");
        desk.tell(kind, &body);
    }
    assert_eq!(desk.phase(), Phase::Completed);
    assert!(desk.exceptions().is_empty());
    assert_eq!(desk.numbers("payment.capture", "amount_minor").iter().sum::<i64>(), 4086 + 2133);
}

#[test]
fn given_two_captures_of_one_card_when_answers_echo_nothing_then_the_settlement_ref_tells_them_apart() {
    let mut desk = Desk::released(&units(2));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    desk.fact("shipment.departed", &departed("p2", &[(1, 1)]));
    let second = Desk::body(desk.last("payment.capture"));
    desk.tell("payment.captured", &second);
    let open = desk.open_kinds().into_iter().filter(|kind| kind == "payment.capture").count();
    assert_eq!(open, 1);
    assert_eq!(desk.told_last("payment.captured")["settlement_ref"], "main:o-1:payment.capture:2");
}

#[test]
fn given_two_commands_that_fit_when_an_answer_echoes_nothing_then_one_exception_is_opened_and_neither_is_settled()
 {
    let mut desk = Desk::with(&two_cards());
    let version = desk.version;
    for _ in 0..3 {
        desk.tell("payment.failed", &json!({"code": "down", "class": "business"}));
    }
    assert_eq!(desk.exceptions(), ["ambiguous_answer"]);
    assert_eq!(desk.version, version + 1, "told once");
    assert_eq!((desk.phase(), desk.effects().len()), (Phase::Reserving, 2));
}

#[test]
fn given_an_answer_of_another_epoch_when_it_comes_then_it_is_ignored() {
    let mut desk = Desk::with(&units(1));
    let command = desk.last("payment.authorize").clone();
    let declined = json!({"tender": "t1", "code": "x", "kind": "hard"});
    for epoch in ["0", "2"] {
        let headers = Headers::new().with("Effect-Id", command.effect_id.clone()).with("Effect-Epoch", epoch);
        desk.say(Plane::Reply, "payment.declined", &declined, headers).unwrap();
    }
    assert_eq!((desk.phase(), desk.version), (Phase::Reserving, 1));
    let headers = Headers::new().with("effect-id", command.effect_id.clone());
    desk.say(Plane::Reply, "payment.declined", &declined, headers).unwrap();
    assert_eq!(desk.phase(), Phase::Rejected, "without an epoch the id is enough");
}

#[test]
fn given_an_answer_that_does_not_fit_the_command_it_names_when_it_comes_then_it_is_ignored() {
    let mut desk = Desk::with(&two_cards());
    let first = desk.sent_of("payment.authorize")[0].clone();
    let other_tender =
        json!({"tender": "t2", "authorization_ref": "a", "amount_minor": 3160, "currency": "EUR"});
    desk.answer_to(&first, "payment.authorized", &other_tender);
    desk.answer_to(
        &first,
        "payment.voided",
        &json!({"tender": "t1", "amount_minor": 2000, "currency": "EUR"}),
    );
    desk.answer_to(
        &first,
        "payment.authorized",
        &json!({"tender": "t9", "authorization_ref": "a", "amount_minor": 1, "currency": "EUR"}),
    );
    desk.answer_to(&first, "erp.failed", &json!({"code": "x", "class": "business"}));
    assert_eq!((desk.version, desk.effects().len()), (1, 2));
}

#[test]
fn given_an_answer_when_it_comes_again_then_nothing_happens() {
    // invariant: applied-once
    let mut desk = Desk::with(&worked_example());
    let mut answered = Vec::new();
    while let Some(command) = desk.open_commands().into_iter().next() {
        let (kind, body) = yes(&command, "n-1");
        desk.answer_to(&command, kind, &body);
        answered.push((command, kind, body));
        let version = desk.version;
        for (command, kind, body) in &answered {
            desk.answer_to(command, kind, body);
            desk.tell("erp.posted", &json!({"document_key": "main:o-1:book:9", "document_no": "1"}));
        }
        assert_eq!(desk.version, version);
    }
    assert!(answered.len() >= 5);
}

#[test]
fn given_an_answer_when_it_comes_as_a_fact_then_it_means_the_same() {
    let mut desk = Desk::with(&units(1));
    let body = json!({"tender": "t1", "authorization_ref": "a", "amount_minor": 1190, "currency": "EUR"});
    desk.fact("payment.authorized", &body);
    assert_eq!(desk.phase(), Phase::Committed);
    desk.fact("shipment.accepted", &json!({"shipment_id": "o-1-s9", "node": "n-1"}));
    desk.yes_to("allocation.allocate");
    desk.fact("shipment.accepted", &json!({"shipment_id": "o-1-s1", "node": "n-1"}));
    assert_eq!(desk.count("shipment.accepted"), 1);
}
