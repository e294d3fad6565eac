//! Deadlines: all are data in the state, so that a restart re-arms them.

use super::deciding::Deciding;
use super::hold::expired;
use super::source::source;
use crate::reservation::State;
use crate::reservation::event::{End, Event};
use crate::reservation::state::{ClaimState, Phase};
use crate::time::Timestamp;

/// When a timer must come next.
pub(in crate::reservation) fn next_deadline(state: &State) -> Option<Timestamp> {
    let letters = state.effects.iter().map(|effect| effect.deadline);
    let parked = state.look_again_at.into_iter().chain(state.give_up_at);
    letters.chain(parked).chain(state.expires_at).chain(state.overdue_at).min()
}

/// Whatever is due now.
pub(super) fn due(of: &mut Deciding<'_>) {
    let now = of.context.now;
    if let Some(expires_at) = of.state.expires_at.filter(|expires_at| *expires_at <= now) {
        let reason = expired(of, expires_at);
        match of.state.phase {
            Phase::Requested => of.refuse(&reason, Vec::new()),
            _ => of.end(End::Expired, Some(reason)),
        }
    }
    if of.state.overdue_at.is_some_and(|overdue_at| overdue_at <= now) {
        of.emit(Event::Overdue);
    }
    let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    let nowhere = of.state.nowhere();
    if is_due(of.state.look_again_at) && !is_due(of.state.give_up_at) && !nowhere.is_empty() {
        of.emit(Event::LookedAgain { lines: nowhere.clone() });
        source(of, &nowhere, false);
    } else if is_due(of.state.give_up_at) {
        super::advance::park(of);
    }
    let due = of.state.effects.iter().filter(|effect| effect.deadline <= now);
    let due: Vec<(u32, Timestamp)> = due.map(|effect| (effect.ordinal, ask_again_at(of, effect))).collect();
    for (letter, deadline) in due {
        of.emit(Event::LetterSent { letter, deadline });
    }
}

/// A cell where units wait is asked now and then; everything else more and more seldom until it is answered.
fn ask_again_at(of: &Deciding<'_>, effect: &crate::reservation::effect::Effect) -> Timestamp {
    let (now, policies) = (of.context.now, of.context.policies);
    let waits = effect.kind.claim().is_some_and(|claim| of.state.claim(claim).state == ClaimState::Waiting);
    let is_take = matches!(effect.kind, crate::reservation::effect::Kind::Take { .. });
    if waits && is_take {
        return now.plus_ms(policies.backorder_ask_ms);
    }
    now.plus_ms(policies.wait_ms(effect.attempts + 1, &effect.id))
}
