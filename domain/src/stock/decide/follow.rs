//! What new numbers ask for: serve those who wait, say who goes without, tell crossings.

use std::cmp::Reverse;
use std::sync::Arc;

use super::deciding::Deciding;
use super::questions::taken;
use crate::claims::letters::ClaimId;
use crate::messages::leaf::Quantity;
use crate::stock::Event;
use crate::stock::event::Victim;
use crate::stock::state::State;

/// How many claims that waited one decision serves; a timer goes on with the rest.
const SERVED_MOST: usize = 256;
/// How many claims are named that go without.
const VICTIMS_MOST: usize = 100;

pub(super) fn follow(cell: &mut Deciding<'_>, is_timer: bool) {
    if !cell.has_events() && !is_timer {
        return;
    }
    serve(cell);
    tell_oversold(cell);
    tell_crossing(cell);
}

/// A8: who waits longest is served first, whole, and nobody overtakes him.
fn serve(cell: &mut Deciding<'_>) {
    for _ in 0..SERVED_MOST {
        if !cell.state.can_serve() {
            return;
        }
        let Some((claim, waiting)) = cell.state.waiting.head() else { return };
        let (claim, quantity) = (Arc::clone(claim), waiting.quantity);
        let (hard, promotion) = (waiting.hard, waiting.promotion.clone());
        let id = ClaimId::new(&claim).expect("it was read as one");
        let quantity_taken = Quantity::new(quantity).expect("nobody waits for nothing");
        cell.emit(Event::Taken { claim, quantity, hard, promotion });
        taken(cell, &id, quantity_taken);
    }
}

/// A9: told when units are missing, again only when more are missing, and when none is any more. Only here all claims are looked at,
/// and only if a fact or a departure took units away that were held.
fn tell_oversold(cell: &mut Deciding<'_>) {
    let (missing, told) = (cell.state.missing(), cell.state.oversold);
    if missing > told {
        let victims = victims(&cell.state, missing);
        cell.emit(Event::Oversold { quantity: missing, victims });
    } else if missing == 0 && told > 0 {
        cell.emit(Event::Oversold { quantity: 0, victims: Vec::new() });
    }
}

/// The newest claims that together hold so many units, newest first.
pub(in crate::stock) fn victims(state: &State, missing: i64) -> Vec<Victim> {
    let mut claims: Vec<_> = state.claims.iter().collect();
    claims.sort_unstable_by_key(|(_, claim)| Reverse(claim.ordinal));
    let mut left = missing;
    let mut victims = Vec::new();
    for (id, claim) in claims {
        if left <= 0 || victims.len() >= VICTIMS_MOST {
            break;
        }
        let units = claim.live().units.min(left);
        left -= units;
        let quantity = u32::try_from(units).unwrap_or(u32::MAX);
        victims.push(Victim { claim: Arc::clone(id), quantity, hard: !claim.hard.is_zero() });
    }
    victims
}

/// A threshold is crossed when what can be sold is not above it any more, or is above it again.
fn tell_crossing(cell: &mut Deciding<'_>) {
    let available = cell.state.available(None);
    let not_above =
        cell.context.policies.thresholds.iter().copied().filter(|threshold| available <= *threshold);
    let threshold = not_above.min();
    if threshold != cell.state.standing {
        cell.emit(Event::ThresholdCrossed { threshold });
    }
}
