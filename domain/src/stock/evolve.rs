//! How events change a cell.

use super::event::{Event, Fact, PassedOver};
use super::feed::{Counted, Inbound, SetAside};
use super::state::State;
use crate::claims::{Amount, Mark};
use crate::time::Timestamp;

/// Absorbs a recorded event.
pub(super) fn evolve(state: &mut State, event: &Event) {
    state.version += 1;
    match event {
        Event::Taken { claim, quantity, hard, promotion } => {
            state.waiting.leave(claim);
            let share = promotion.as_deref().map(Mark::of_name);
            state.claims.take(claim, Amount::units(*quantity), *hard, share);
            if let Some(promotion) = promotion {
                use_aside(state, Mark::of_name(promotion), i64::from(*quantity));
            }
        }
        Event::Queued { claim, quantity, hard, since, promotion, .. } => {
            state.waiting.add(claim, *quantity, *hard, *since, promotion.as_ref());
        }
        Event::Hardened { claim } => {
            state.claims.harden(claim);
            state.waiting.harden(claim);
        }
        Event::Consumed { claim, quantity, beyond, movement, at } => {
            state.claims.consume(claim, i64::from(*quantity), Mark::of_departure(claim, movement));
            change(state, *at, -i64::from(*quantity) - i64::from(*beyond));
        }
        Event::ConsumedUnclaimed { reservation, claim, quantity, movement, at } => {
            let owner = claim.as_ref().unwrap_or(reservation);
            state.feed.remember(Mark::of_departure(owner, movement), None);
            change(state, *at, -i64::from(*quantity));
        }
        Event::GivenBack { claim, quantity, release } => given_back(state, claim, *quantity, release),
        Event::FeedStale(aged) => state.feed.stale = Some(*aged),
        Event::FeedFresh => state.feed.stale = None,
        Event::ThresholdCrossed { threshold } => state.standing = *threshold,
        Event::Oversold { quantity, .. } => state.oversold = *quantity,
        Event::SetAsideEnded { promotion } => {
            state.feed.set_aside.retain(|aside| aside.promotion != *promotion);
        }
        // It is told, and that is all.
        Event::PassedOver { why: PassedOver::MovementConflict, .. } => {}
        Event::Counted { fact, .. }
        | Event::Received { fact, .. }
        | Event::Adjusted { fact, .. }
        | Event::Announced { fact, .. }
        | Event::SetAside { fact, .. }
        | Event::PassedOver { fact, .. } => {
            heard(state, fact);
            evolve_fact(state, fact, event);
        }
    }
}

fn heard(state: &mut State, fact: &Fact) {
    state.feed.remember(Mark::of_fact(&fact.movement), fact.said);
    state.feed.heard_at = fact.at;
    state.feed.fresh_until = fact.fresh_until;
}

fn evolve_fact(state: &mut State, fact: &Fact, event: &Event) {
    match event {
        Event::Counted { on_hand, as_of, difference, is_first, safety, oversell_cap, .. } => {
            let drift = if *is_first { 0 } else { *difference };
            state.on_hand += difference;
            (state.safety, state.oversell_cap) = (*safety, *oversell_cap);
            state.changes.forget_until(*as_of);
            state.feed.counted = Some(Counted { on_hand: *on_hand, as_of: *as_of, drift });
        }
        Event::Received { quantity, reference, .. } => {
            state.feed.received(reference.as_deref(), *quantity);
            change(state, fact.at, i64::from(*quantity));
        }
        Event::Adjusted { delta, .. } => change(state, fact.at, *delta),
        Event::Announced { quantity, expected_at, .. } => {
            let movement = fact.movement.clone();
            state.feed.announced(Inbound { movement, quantity: *quantity, expected_at: *expected_at });
        }
        Event::SetAside { promotion, quantity, until, .. } => {
            let asides = &mut state.feed.set_aside;
            let known = asides.iter().position(|aside| aside.promotion == *promotion);
            match known {
                Some(at) if *quantity == 0 => drop(asides.remove(at)),
                Some(at) => (asides[at].quantity, asides[at].until) = (*quantity, *until),
                None if *quantity == 0 => {}
                None => asides.push(SetAside {
                    promotion: promotion.clone(),
                    quantity: *quantity,
                    used: 0,
                    until: *until,
                }),
            }
        }
        _ => {}
    }
}

fn change(state: &mut State, at: Timestamp, delta: i64) {
    state.on_hand += delta;
    state.changes.add(at, delta);
}

fn given_back(state: &mut State, claim: &str, quantity: u32, release: &str) {
    let mark = Mark::of_release(claim, release);
    let Some(held) = state.claims.get(claim) else {
        state.waiting.shrink(claim, quantity);
        state.feed.remember(mark, None);
        return;
    };
    let share = held.share;
    let back = state.claims.give_back(claim, i64::from(quantity), mark);
    if let Some(share) = share {
        use_aside(state, share, -back.units);
    }
}

/// Units of a promotion are used, or not any more. One that has nothing set aside by now is not counted.
fn use_aside(state: &mut State, promotion: Mark, units: i64) {
    let asides = &mut state.feed.set_aside;
    if let Some(aside) = asides.iter_mut().find(|aside| Mark::of_name(&aside.promotion) == promotion) {
        aside.used = (aside.used + units).max(0);
    }
}
