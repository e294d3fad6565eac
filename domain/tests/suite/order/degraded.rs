//! What an order does while a system is away: as the table of degraded modes says.

use domain::decider::{Decider, EffectState, Gates, Participant, Party};
use domain::gates::BreakerState;
use domain::order::Order;
use domain::order::degraded::DegradedMode;
use domain::order::state::Phase;
use domain::reason::{Class, Code};

use super::desk::{Desk, card_only, departed, worked_example};
use super::steps::units;

fn without(participant: Participant) -> Desk {
    let mut desk = Desk::new();
    desk.gates = Gates::OPEN.with_breaker(participant, BreakerState::Open);
    desk
}

#[test]
fn given_loyalty_is_away_when_an_order_without_redemption_comes_then_it_commits_and_its_accrual_is_deferred()
{
    let mut desk = without(Participant::Loyalty);
    let mut of_a_member = worked_example();
    of_a_member.as_object_mut().unwrap().remove("redemption");
    desk.submit(&of_a_member).unwrap();
    desk.yes_to("payment.authorize");
    assert_eq!(desk.phase(), Phase::Committed);
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p1", &[(1, 3), (2, 1)]));
    desk.say_yes("n-1");
    let waiting = desk.effects().into_iter().filter(|effect| effect.state == EffectState::Waiting);
    let waiting: Vec<String> = waiting.map(|effect| effect.id.to_owned()).collect();
    assert_eq!(waiting, ["main:o-1:loyalty.accrue:1"]);
    let deferred = desk.told_last("loyalty.deferred");
    assert_eq!((&deferred["points_delta"], &deferred["target_points"]), (&69.into(), &69.into()));
    assert_eq!(desk.told_kinds().iter().filter(|kind| **kind == "loyalty.deferred").count(), 1);

    desk.gates = Gates::OPEN;
    desk.release(&waiting[0]);
    desk.say_yes("n-1");
    assert_eq!(desk.told_kinds().iter().filter(|kind| **kind == "loyalty.accrued").count(), 1);
    desk.ends_as(Phase::Completed);
}

#[test]
fn given_loyalty_is_busy_and_not_away_when_an_accrual_waits_then_nobody_is_told_that_it_is_deferred() {
    let mut desk = Desk::released(&units(1));
    desk.gates = Gates::OPEN.with(Participant::Loyalty, false);
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    assert!(!desk.told_kinds().contains(&"loyalty.deferred"));
}

#[test]
fn given_loyalty_is_away_when_an_order_with_points_comes_then_it_waits_or_is_refused_as_configured() {
    let mut desk = without(Participant::Loyalty);
    desk.submit(&worked_example()).unwrap();
    assert_eq!((desk.phase(), desk.sent.len()), (Phase::Reserving, 0));

    let mut desk = without(Participant::Loyalty);
    desk.policies.degraded_modes.redemption.open = DegradedMode::RefuseNew;
    let refused = desk.submit(&worked_example()).unwrap_err();
    assert_eq!((refused.code, refused.class), (Code::Unavailable, Class::Transient));
    assert!(
        refused.message.contains("redemption") && refused.message.contains("again"),
        "{}",
        refused.message
    );
    assert_eq!((desk.version, Order::exists(&desk.state)), (0, false), "nothing is remembered of it");
    desk.submit(&card_only()).unwrap();
    assert_eq!(desk.phase(), Phase::Reserving, "an order that needs no points is taken");
}

#[test]
fn given_a_refusal_when_the_system_is_back_then_the_same_order_is_taken() {
    let mut desk = without(Participant::Payment);
    desk.policies.degraded_modes.payment.open = DegradedMode::RefuseNew;
    desk.submit(&card_only()).unwrap_err();
    desk.gates = Gates::OPEN.with_breaker(Participant::Payment, BreakerState::HalfOpen);
    desk.submit(&card_only()).unwrap();
    desk.yes_to("payment.authorize");
    assert_eq!(desk.phase(), Phase::Committed);
}

#[test]
fn given_an_order_that_was_taken_when_its_system_goes_then_the_same_submit_gets_its_answer_and_no_refusal() {
    let mut desk = Desk::with(&card_only());
    desk.gates = Gates::OPEN.with_breaker(Participant::Payment, BreakerState::Open);
    desk.policies.degraded_modes.payment.open = DegradedMode::RefuseNew;
    desk.submit(&card_only()).unwrap();
    desk.cancel(&[]).unwrap();
    assert!(desk.effects().len() == 1, "facts and wishes are taken whatever is away");
}

#[test]
fn given_a_senseless_order_when_its_system_is_away_then_it_is_rejected_for_good_and_not_refused_for_now() {
    let mut desk = without(Participant::Payment);
    desk.policies.degraded_modes.payment.open = DegradedMode::RefuseNew;
    let mut senseless = card_only();
    senseless["total_minor"] = 1.into();
    desk.submit(&senseless).unwrap();
    assert_eq!(desk.code("order.rejected"), "validation");
}

#[test]
fn given_the_erp_is_away_when_an_order_comes_then_it_commits_and_goes_on_and_its_documents_wait_in_order() {
    let mut desk = without(Participant::Erp);
    desk.submit(&card_only()).unwrap();
    desk.yes_to("payment.authorize");
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    desk.say_yes("n-1");
    assert!(desk.sent_of("erp.post").is_empty());
    desk.gates = Gates::OPEN;
    let first =
        desk.effects().into_iter().find(|effect| effect.party == Party::Participant(Participant::Erp));
    let first = first.unwrap().id.to_owned();
    desk.release(&first);
    desk.say_yes("n-1");
    let posted: Vec<String> = desk
        .sent_of("erp.post")
        .iter()
        .map(|command| Desk::body(command)["document_key"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(posted[..3], ["main:o-1:book:1", "main:o-1:ship:1", "main:o-1:invoice:1"]);
    desk.ends_as(Phase::Completed);
}
