//! Closed gates: commands wait in their participant's list instead of going out.

use domain::decider::{Decider, EffectState, Gates, Participant};
use domain::gates::{BreakerState, Gate};
use domain::order::Order;
use domain::order::state::Phase;

use super::desk::{Desk, card_only, departed, worked_example};
use super::steps::units;

fn behind_closed(participant: Participant) -> Desk {
    let mut desk = Desk::new();
    desk.gates = Gates::OPEN.with(participant, false);
    desk
}

#[test]
fn given_a_closed_gate_when_a_command_is_decided_then_it_waits_until_it_is_released() {
    let mut desk = behind_closed(Participant::Payment);
    desk.submit(&card_only()).unwrap();
    assert!(desk.sent.is_empty());
    let effects = desk.effects();
    assert_eq!((effects[0].state, effects[0].attempts), (EffectState::Waiting, 0));
    let id = effects[0].id.to_owned();
    desk.pass_ms(20_000);
    assert!(desk.sent.is_empty(), "time alone sends nothing that waits");
    desk.release(&id);
    assert_eq!(desk.sent_kinds(), ["payment.authorize"]);
    let version = desk.version;
    desk.release(&id);
    desk.release("main:o-1:payment.authorize:9");
    assert_eq!(desk.version, version, "what is sent or unknown is not released again");
    desk.yes_to("payment.authorize");
    assert_eq!(desk.phase(), Phase::Committed);
}

#[test]
fn given_a_command_that_waits_when_the_commit_deadline_passes_then_it_is_superseded_and_never_sent() {
    let mut desk = behind_closed(Participant::Payment);
    desk.submit(&worked_example()).unwrap();
    desk.yes_to("loyalty.reserve");
    let waiting = desk.effects()[0].id.to_owned();
    desk.pass_ms(31_000);
    assert_eq!(desk.code("order.rejected"), "commit_deadline");
    desk.release(&waiting);
    assert_eq!(desk.open_kinds(), ["loyalty.release"]);
    assert!(desk.sent_of("payment.authorize").is_empty());
    desk.ends_as(Phase::Rejected);
}

#[test]
fn given_a_command_that_waits_when_the_order_is_cancelled_then_it_is_superseded() {
    let mut desk = behind_closed(Participant::Payment);
    desk.submit(&card_only()).unwrap();
    desk.cancel(&[]).unwrap();
    assert!(desk.effects().is_empty() && Order::is_final(&desk.state));
}

#[test]
fn given_a_compensation_behind_a_closed_gate_when_the_order_is_rejected_then_it_waits_and_is_not_lost() {
    // invariant: no-stuck-order
    let mut desk = Desk::with(&card_only());
    desk.gates = Gates::OPEN.with(Participant::Payment, false);
    desk.cancel(&[]).unwrap();
    desk.yes_to("payment.authorize");
    let void = desk.effects()[0];
    assert_eq!((void.state, Order::is_final(&desk.state)), (EffectState::Waiting, false));
    let void = void.id.to_owned();
    desk.release(&void);
    desk.ends_as(Phase::Rejected);
}

#[test]
fn given_a_command_that_waited_for_days_when_it_is_released_then_its_silence_counts_from_then() {
    let mut desk = Desk::released(&units(1));
    desk.gates = Gates::OPEN.with(Participant::Payment, false);
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    desk.say_yes("n-1");
    desk.pass_ms(72 * 3_600_000);
    assert!(desk.exceptions().is_empty());
    let waiting = desk.effects()[0].id.to_owned();
    desk.release(&waiting);
    desk.pass_ms(10_000);
    assert!(desk.sent_of("payment.capture").len() > 1, "it is sent again");
    assert!(desk.exceptions().is_empty());
    desk.ends_as(Phase::Completed);
}

#[test]
fn given_new_work_has_used_its_part_when_an_order_gives_back_then_the_compensation_goes_at_once() {
    let mut desk = Desk::with(&card_only());
    let gate = Gate { ordinary: false, urgent: true, breaker: BreakerState::Closed };
    desk.gates = Gates::OPEN.with_gate(Participant::Payment, gate);
    desk.cancel(&[]).unwrap();
    desk.yes_to("payment.authorize");
    assert_eq!(desk.sent_of("payment.void").len(), 1);
    desk.ends_as(Phase::Rejected);
}

#[test]
fn given_an_answer_try_again_when_the_gate_is_closed_by_then_it_waits_without_a_timer_until_it_is_released() {
    let mut desk = Desk::with(&card_only());
    desk.fail("payment.authorize", "transient");
    desk.gates = Gates::OPEN.with_breaker(Participant::Payment, BreakerState::Open);
    desk.pass_ms(10_000);
    let waiting = desk.effects()[0];
    assert_eq!((waiting.state, desk.sent_of("payment.authorize").len()), (EffectState::Waiting, 1));
    let id = waiting.id.to_owned();
    desk.release(&id);
    let keys: Vec<_> =
        desk.sent_of("payment.authorize").iter().map(|command| command.idempotency_key.clone()).collect();
    assert!(keys.len() == 2 && keys[0] == keys[1], "{keys:?}");
    desk.yes_to("payment.authorize");
    assert_eq!(desk.phase(), Phase::Committed);
}

#[test]
fn given_an_answer_try_again_when_it_waits_past_the_commit_deadline_then_the_order_is_given_up() {
    let mut desk = Desk::with(&card_only());
    desk.fail("payment.authorize", "transient");
    desk.gates = Gates::OPEN.with_breaker(Participant::Payment, BreakerState::Open);
    desk.pass_ms(31_000);
    assert_eq!(desk.code("order.rejected"), "commit_deadline");
    desk.ends_as(Phase::Rejected);
}

#[test]
fn given_silence_when_the_gate_is_closed_then_the_command_stays_possibly_sent() {
    // invariant: effect-key-never-changes-while-unknown
    let mut desk = Desk::with(&card_only());
    desk.gates = Gates::OPEN.with_breaker(Participant::Payment, BreakerState::Open);
    desk.pass_ms(31_000);
    assert_eq!((desk.effects()[0].state, desk.phase()), (EffectState::Sent, Phase::Reserving));
    desk.yes_to("payment.authorize");
    assert_eq!(desk.phase(), Phase::Committed);
}
