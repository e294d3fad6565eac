//! Deadlines: all are data in the state, so that a restart re-arms them.

use super::deciding::{Deciding, Exposure};
use crate::decider::{EffectState, Party};
use crate::order::State;
use crate::order::event::{Event, ExceptionKind};
use crate::order::state::Phase;
use crate::reason::DeadReason;
use crate::time::Timestamp;

/// When a timer must come next.
pub(in crate::order) fn next_deadline(state: &State) -> Option<Timestamp> {
    let effects = state.effects.iter().filter_map(|effect| effect.deadline);
    let parked = state.parked.first().map(|early| early.until);
    effects.chain(parked).chain(commit_deadline(state)).min()
}

/// The commit deadline, while it can still change anything: once held, only an answer can.
fn commit_deadline(state: &State) -> Option<Timestamp> {
    let is_open = state.phase == Phase::Reserving && state.holds.is_empty();
    is_open.then(|| state.content().commit_deadline)
}

/// Whatever is due now. The commit deadline itself is judged by `advance`, after this timer's other events.
pub(super) fn due(order: &mut Deciding<'_>) {
    let now = order.context.now;
    let expired = order.state.parked.iter().take_while(|early| early.until <= now);
    let expired: Vec<_> = expired.map(|early| (early.envelope.clone(), DeadReason::UnknownEntity)).collect();
    if !expired.is_empty() {
        let messages = u16::try_from(expired.len()).unwrap_or(u16::MAX);
        order.dead.extend(expired.into_iter().take(usize::from(messages)));
        order.emit(Event::ParkedExpired { messages });
    }
    if commit_deadline(&order.state).is_some_and(|deadline| deadline <= now) {
        super::advance::commit_deadline(order);
    }
    let due =
        order.state.effects.iter().filter(|effect| effect.deadline.is_some_and(|deadline| deadline <= now));
    for id in due.map(|effect| effect.id.clone()).collect::<Vec<_>>() {
        re_send(order, &id);
    }
}

/// Sends again with the same key, but not blindly: what may have been applied only while the key is remembered.
fn re_send(order: &mut Deciding<'_>, effect: &str) {
    let Some(open) = order.state.effect(effect) else { return };
    let urgency = open.kind.urgency();
    let Party::Participant(participant) = open.kind.party() else {
        // An entity never forgets what it has answered.
        order.send_again(effect);
        return;
    };
    if !open.may_be_applied() && !order.context.gates.open_for(participant, urgency) {
        // It was definitely not applied, so it may wait like one that was never sent: a place in a list, and no timer.
        order.emit(Event::EffectWaits { effect: effect.into() });
        return;
    }
    let window = order.context.policies.resend(participant).resend_window_ms();
    let is_remembered = open.sent_at.is_some_and(|since| order.context.now.ms_since(since) < window);
    if is_remembered || !open.may_be_applied() {
        order.send_again(effect);
        return;
    }
    let cause = format!(
        "{}: no answer for {} s, the participant may forget the key",
        open.kind.name(),
        window / 1000
    );
    debug_assert_ne!(open.state, EffectState::Waiting, "a waiting effect has no deadline");
    order.emit(Event::EffectExhausted { effect: effect.into() });
    order.exception(ExceptionKind::NoAnswer, cause, Exposure::NONE, Some(effect));
}
