//! What reservations ask (A1 to A7). None of it looks at claims other than its own.

use super::deciding::Deciding;
use crate::claims::letters::{
    Backordered, ClaimId, Consume, ConsumeUnclaimed, Consumed, GiveBack, GivenBack, Harden, Hardened,
    NotTaken, Question, Take, Taken, Why, reservation_of,
};
use crate::claims::{Amount, Claim, Mark};
use crate::ids::Key;
use crate::messages::leaf::Quantity;
use crate::messages::text::Text;
use crate::stock::Event;
use crate::stock::policies::StalePolicy;
use crate::stock::queue::Queue;
use crate::stock::state::MOST_CLAIM_BYTES;
use crate::time::Timestamp;

pub(super) fn judge(cell: &mut Deciding<'_>, question: &Question) {
    match question {
        Question::Take(take) => self::take(cell, take),
        Question::Harden(harden) => self::harden(cell, harden),
        // Units that are gone are gone: only uses come back after they were final.
        Question::Reopen(_) => {}
        Question::Consume(consume) => self::consume(cell, consume),
        Question::ConsumeUnclaimed(consume) => consume_unclaimed(cell, consume),
        Question::GiveBack(back) => give_back(cell, back),
    }
}

/// A1 and A2. A refusal is no event: whoever asks again is judged again.
fn take(cell: &mut Deciding<'_>, take: &Take) {
    let id = &take.claim_id;
    if let Some(claim) = cell.state.claims.get(id.as_str()) {
        let quantity = quantity_of(claim);
        return taken(cell, id, quantity);
    }
    if cell.state.waiting.get(id.as_str()).is_some() {
        return waits(cell, id);
    }
    let quantity = take.quantity.get();
    // A promotion without units of its own sells what is for everybody, and nothing is counted for it.
    let promotion = take.promotion.as_ref().map(Text::share);
    let promotion = promotion.filter(|promotion| cell.state.feed.aside(promotion).is_some());
    let available = cell.state.available(promotion.as_deref());
    if quantity <= available && has_room(cell, id, quantity, None) {
        cell.emit(Event::Taken { claim: id.share(), quantity, hard: take.hard, promotion });
        return taken(cell, id, take.quantity);
    }
    let promised_at = promise(cell, i64::from(quantity));
    match take.backorder_since.map(Timestamp) {
        Some(since) if quantity > available && has_room(cell, id, quantity, promotion.as_deref()) => {
            let claim = id.share();
            cell.emit(Event::Queued { claim, quantity, hard: take.hard, since, promotion, promised_at });
            waits(cell, id);
        }
        _ => {
            let code = if quantity > available && take.backorder_since.is_none() {
                Why::OutOfStock
            } else {
                Why::Overloaded
            };
            not_taken(cell, id, available, code, promised_at);
        }
    }
}

/// Is there room for one more claim in a snapshot?
fn has_room(cell: &Deciding<'_>, id: &ClaimId, quantity: u32, promotion: Option<&str>) -> bool {
    let state = &cell.state;
    state.claims.len() + state.waiting.len() < cell.context.policies.claims_most
        && state.claim_bytes() + Queue::bytes_of(id.as_str(), quantity, promotion) <= MOST_CLAIM_BYTES
}

/// When so many units more than those that wait already may be there.
fn promise(cell: &Deciding<'_>, units: i64) -> Option<Timestamp> {
    let state = &cell.state;
    let missing = state.waiting.units() + units - state.free(None).max(0);
    state.feed.promise(missing, cell.context.now)
}

/// A3. Refused if the units cannot be promised: more is held than there is, or nobody knows what there is. The claim stays soft.
fn harden(cell: &mut Deciding<'_>, harden: &Harden) {
    let id = &harden.claim_id;
    if let Some(waiting) = cell.state.waiting.get(id.as_str()) {
        if !waiting.hard {
            cell.emit(Event::Hardened { claim: id.share() });
        }
        return waits(cell, id);
    }
    let Some(claim) = cell.state.claims.get(id.as_str()) else {
        let available = cell.state.available(None);
        return not_taken(cell, id, available, Why::UnknownEntity, None);
    };
    if !claim.soft.is_zero() {
        let promised = cell.state.claims.hard().units + claim.soft.units;
        let there = cell.state.on_hand + i64::from(cell.state.oversell_cap);
        let stops = cell.state.feed.stale.is_some_and(|stale| stale.policy == StalePolicy::StopSelling);
        if stops || promised > there {
            let available = cell.state.available(None);
            let promised_at = promise(cell, claim.soft.units);
            return not_taken(cell, id, available, Why::OutOfStock, promised_at);
        }
        cell.emit(Event::Hardened { claim: id.share() });
    }
    let cell_key = key(cell);
    cell.answer(id.as_str(), "hardened", &Hardened { claim_id: id.clone(), cell: cell_key });
}

/// A6. A claim that is not here was consumed to its end or given back before: the reservation asks only for what it was given.
fn consume(cell: &mut Deciding<'_>, consume: &Consume) {
    let id = &consume.claim_id;
    let (movement, at) = (consume.movement_id.share(), cell.context.now);
    let mark = Mark::of_departure(id.as_str(), &movement);
    let quantity = consume.quantity.get();
    let is_known = cell.state.feed.has_seen(mark);
    if let Some(claim) = cell.state.claims.get(id.as_str()) {
        if !is_known && !claim.marks.has(mark) {
            let held = u32::try_from(claim.live().units).unwrap_or(u32::MAX).min(quantity);
            let claim = id.share();
            cell.emit(Event::Consumed { claim, quantity: held, beyond: quantity - held, movement, at });
        }
    } else if let Some(waiting) = cell.state.waiting.get(id.as_str()).filter(|_| !is_known) {
        // The node had units after all: they are not waited for any more.
        let served = waiting.quantity.min(quantity);
        let reservation = reservation_of(id.as_str()).into();
        let (claim, parcel) = (Some(id.share()), movement.clone());
        cell.emit(Event::ConsumedUnclaimed { reservation, claim, quantity, movement: parcel, at });
        cell.emit(Event::GivenBack { claim: id.share(), quantity: served, release: movement });
    }
    let body =
        Consumed { claim_id: Some(id.clone()), cell: key(cell), movement_id: consume.movement_id.clone() };
    cell.answer(id.as_str(), "consumed", &body);
}

/// A7.
fn consume_unclaimed(cell: &mut Deciding<'_>, consume: &ConsumeUnclaimed) {
    let (movement, at) = (consume.movement_id.share(), cell.context.now);
    let reservation = consume.reservation_id.as_str();
    if !cell.state.feed.has_seen(Mark::of_departure(reservation, &movement)) {
        let (reservation, quantity) = (reservation.into(), consume.quantity.get());
        cell.emit(Event::ConsumedUnclaimed { reservation, claim: None, quantity, movement, at });
    }
    let body = Consumed { claim_id: None, cell: key(cell), movement_id: consume.movement_id.clone() };
    cell.answer_to(consume.reservation_id.as_str(), "consumed", &body);
}

/// A4 and A5. What is there does not change.
fn give_back(cell: &mut Deciding<'_>, back: &GiveBack) {
    let id = &back.claim_id;
    let release = back.release_id.share();
    let mark = Mark::of_release(id.as_str(), &release);
    let asked = i64::from(back.quantity.get());
    let is_known = cell.state.feed.has_seen(mark);
    let left = match (cell.state.claims.get(id.as_str()), cell.state.waiting.get(id.as_str())) {
        (Some(claim), _) if !is_known && !claim.marks.has(mark) => claim.live().units.min(asked),
        (None, Some(waiting)) if !is_known => i64::from(waiting.quantity).min(asked),
        _ => 0,
    };
    if left > 0 {
        let quantity = u32::try_from(left).unwrap_or(u32::MAX);
        cell.emit(Event::GivenBack { claim: id.share(), quantity, release });
    }
    let body = GivenBack { claim_id: id.clone(), cell: key(cell), release_id: back.release_id.clone() };
    cell.answer(id.as_str(), "given_back", &body);
}

fn key(cell: &Deciding<'_>) -> Key {
    cell.context.entity.key.clone()
}

fn quantity_of(claim: &Claim) -> Quantity {
    let Amount { units, .. } = claim.taken;
    let units = u32::try_from(units).unwrap_or(u32::MAX);
    Quantity::new(units).expect("nobody takes nothing")
}

/// Says that a claim is there.
pub(super) fn taken(cell: &mut Deciding<'_>, id: &ClaimId, quantity: Quantity) {
    let body = Taken { claim_id: id.clone(), cell: key(cell), quantity };
    cell.answer(id.as_str(), "taken", &body);
}

fn waits(cell: &mut Deciding<'_>, id: &ClaimId) {
    let promised_at = promise(cell, 0).map(|promised| promised.0);
    let body = Backordered { claim_id: id.clone(), cell: key(cell), promised_at };
    cell.answer(id.as_str(), "backordered", &body);
}

fn not_taken(
    cell: &mut Deciding<'_>,
    id: &ClaimId,
    available: u32,
    code: Why,
    promised_at: Option<Timestamp>,
) {
    let promised_at = promised_at.map(|promised| promised.0);
    let body = NotTaken { claim_id: id.clone(), cell: key(cell), available, code, promised_at };
    cell.answer(id.as_str(), "not_taken", &body);
}
