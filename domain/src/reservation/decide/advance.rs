//! What follows from the state alone: the next cell is asked, what is complete is told, what is over ends.

use super::deciding::Deciding;
use crate::reservation::effect::Kind;
use crate::reservation::event::{End, Event};
use crate::reservation::state::{ClaimState, Phase, Target};

/// Brings the reservation as far as it goes without another answer.
pub(super) fn advance(of: &mut Deciding<'_>) {
    match of.state.phase {
        Phase::Requested => take_next(of),
        Phase::Soft => end_if_empty(of),
        Phase::Committing => commit(of),
        Phase::Hard => {
            take_all(of);
            park(of);
            end_if_empty(of);
        }
        Phase::Unborn | Phase::Refused | Phase::Expired | Phase::Released | Phase::Consumed => {}
    }
}

/// One cell after the other, in the order of their keys: of two reservations that want the same, the one that comes first to the
/// first cell gets it.
fn take_next(of: &mut Deciding<'_>) {
    if any(of, ClaimState::Taking) {
        return;
    }
    let planned = of.state.indexed().filter(|(_, claim)| claim.state == ClaimState::Planned);
    let next = planned.min_by_key(|(index, claim)| {
        let is_cell = matches!(claim.target, Target::Cell { .. });
        (is_cell, of.state.target_key(&claim.target), *index)
    });
    if let Some((claim, _)) = next {
        of.intend(Kind::Take { claim });
        return;
    }
    let is_an_orders = of.state.is_an_orders;
    let has_goods = !of.state.content().asked.lines.is_empty();
    let is_sold = of.state.content().asked.hard;
    let overdue_at = (is_an_orders && (has_goods || !is_sold)).then(|| of.overdue_at());
    of.emit(Event::Held { version: of.context.version, overdue_at });
    if is_sold {
        of.keep_uses();
    }
    if let Some(order) = of.its_order() {
        of.tell_held(&order);
    }
    end_if_empty(of);
}

fn any(of: &Deciding<'_>, state: ClaimState) -> bool {
    of.state.claims.iter().any(|claim| claim.state == state)
}

/// What is sold is taken at once: it is no longer all or nothing.
fn take_all(of: &mut Deciding<'_>) {
    let planned = of.state.indexed().filter(|(_, claim)| claim.state == ClaimState::Planned);
    for claim in planned.map(|(index, _)| index).collect::<Vec<_>>() {
        of.intend(Kind::Take { claim });
    }
}

fn commit(of: &mut Deciding<'_>) {
    take_all(of);
    if any(of, ClaimState::Taking) || any(of, ClaimState::Hardening) {
        return;
    }
    park(of);
    let has_goods = !of.state.content().asked.lines.is_empty();
    let overdue_at = has_goods.then(|| of.overdue_at());
    of.emit(Event::Committed { overdue_at });
    if let Some(order) = of.its_order() {
        of.tell_committed(&order);
    }
    end_if_empty(of);
}

/// Units that were sold and are nowhere are looked for again for a while, where that is configured; then they are given up. An
/// order that does not know yet where its units are learns it from what the answer leaves out.
pub(super) fn park(of: &mut Deciding<'_>) {
    let nowhere = of.state.nowhere();
    if nowhere.is_empty() {
        return;
    }
    let (now, policies) = (of.context.now, of.context.policies);
    let give_up_at = of.state.give_up_at.unwrap_or_else(|| now.plus_ms(policies.unfillable_park_ms));
    if give_up_at > now {
        if of.state.look_again_at.is_none() {
            let again = of.state.give_up_at.is_some();
            let look_again_at = now.plus_ms(policies.unfillable_retry_ms).min(give_up_at);
            of.emit(Event::Parked { again, look_again_at, give_up_at });
        }
        return;
    }
    of.emit(Event::GivenUp { lines: nowhere.clone() });
    if of.state.phase == Phase::Hard && of.state.is_an_orders {
        of.intend(Kind::TellGivenUp { rows: nowhere });
    }
}

/// Goods were held, and none is left to be waited for.
fn end_if_empty(of: &mut Deciding<'_>) {
    let has_goods = of.state.content.as_ref().is_some_and(|content| !content.asked.lines.is_empty());
    if has_goods && !of.state.any_open() && !of.state.phase.is_final() {
        let end = if of.state.any_left() { End::Consumed } else { End::Released };
        of.end(end, None);
    }
}
