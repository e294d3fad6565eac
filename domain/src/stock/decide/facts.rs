//! What the ERP and the warehouses say (A8, A9). Nothing of it is refused; what was said before, or is older than the last count, is
//! not added again.

use super::deciding::Deciding;
use crate::claims::Mark;
use crate::envelope::Envelope;
use crate::messages::inbound::stock::{Adjusted, Baseline, Inbound, Received, SetAside};
use crate::messages::text::Text;
use crate::stock::event::{Fact, PassedOver};
use crate::stock::feed::SET_ASIDE_MOST;
use crate::stock::message::moment;
use crate::stock::said::Said;
use crate::stock::{Event, Message};
use crate::time::Timestamp;

pub(super) fn judge(cell: &mut Deciding<'_>, envelope: &Envelope, message: &Message) {
    let Some(told) = news(cell, message) else { return };
    let occurred_at = envelope.headers.get("ce-time").and_then(Timestamp::read);
    match message {
        Message::Baseline(fact) => counted(cell, told, fact),
        Message::Received(fact) => {
            let quantity = fact.quantity.get();
            if is_in_count(cell, occurred_at) {
                return passed_over(cell, told, PassedOver::IncludedInCount, i64::from(quantity));
            }
            received(cell, told, fact);
        }
        Message::Adjusted(fact) => {
            if is_in_count(cell, occurred_at) {
                return passed_over(cell, told, PassedOver::IncludedInCount, fact.delta.get());
            }
            adjusted(cell, told, fact);
        }
        Message::Inbound(fact) => announced(cell, told, fact),
        Message::SetAside(fact) => set_aside(cell, told, fact),
        Message::Question(_) => {}
    }
}

/// The fact, if its movement was not heard of before; with it the cell is fresh again. Of a movement that was, nothing changes, but if
/// it says something else now, that is told: one of the two is wrong, and nobody here knows which.
fn news(cell: &mut Deciding<'_>, message: &Message) -> Option<Box<Fact>> {
    let movement_id = message.movement_id()?;
    let (mark, said) = (Mark::of_fact(movement_id.as_str()), Said::of(message));
    let (at, after_ms) = (cell.context.now, cell.context.policies.stale_after_ms);
    let fresh_until = (after_ms > 0).then(|| at.plus_ms(after_ms));
    let fact = Box::new(Fact { movement: movement_id.share(), at, fresh_until, said });
    if cell.state.feed.has_seen(mark) {
        let first = cell.state.feed.said(mark);
        if first.is_some() && first != said {
            let quantity = would_add(cell, message);
            passed_over(cell, fact, PassedOver::MovementConflict, quantity);
        }
        return None;
    }
    if cell.state.feed.stale.is_some() {
        cell.emit(Event::FeedFresh);
    }
    Some(fact)
}

/// How many units more there would be, if it were believed: what is only expected, or set aside, adds none.
fn would_add(cell: &Deciding<'_>, message: &Message) -> i64 {
    match message {
        Message::Baseline(count) => difference(cell, count),
        Message::Received(receipt) => receipt.quantity.get().into(),
        Message::Adjusted(adjustment) => adjustment.delta.get(),
        Message::Inbound(_) | Message::SetAside(_) | Message::Question(_) => 0,
    }
}

/// Did it happen before the last count? Who does not say when it happened says that it is new.
fn is_in_count(cell: &Deciding<'_>, occurred_at: Option<Timestamp>) -> bool {
    let counted = cell.state.feed.counted;
    counted.zip(occurred_at).is_some_and(|(counted, occurred_at)| occurred_at <= counted.as_of)
}

fn passed_over(cell: &mut Deciding<'_>, fact: Box<Fact>, why: PassedOver, quantity: i64) {
    cell.emit(Event::PassedOver { fact, why, quantity });
}

/// So many units were there at that moment. What came and left since stands, what was before does not count any more. A count older
/// than the last one says nothing new.
fn counted(cell: &mut Deciding<'_>, fact: Box<Fact>, count: &Baseline) {
    let as_of = as_of(cell, count);
    if is_older(cell, as_of) {
        return passed_over(cell, fact, PassedOver::IncludedInCount, 0);
    }
    cell.emit(Event::Counted {
        fact,
        on_hand: count.on_hand.get(),
        as_of,
        changed: cell.state.changes.since(as_of),
        difference: difference(cell, count),
        // The first count of a cell finds what it finds.
        is_first: cell.state.feed.counted.is_none(),
        safety: count.safety.unwrap_or(cell.state.safety),
        oversell_cap: count.oversell_cap.unwrap_or(cell.state.oversell_cap),
    });
}

/// How many units more a count finds than we know of.
fn difference(cell: &Deciding<'_>, count: &Baseline) -> i64 {
    let as_of = as_of(cell, count);
    if is_older(cell, as_of) {
        return 0;
    }
    count.on_hand.get() + cell.state.changes.since(as_of) - cell.state.on_hand
}

fn as_of(cell: &Deciding<'_>, count: &Baseline) -> Timestamp {
    moment(&count.as_of).min(cell.context.now)
}

fn is_older(cell: &Deciding<'_>, as_of: Timestamp) -> bool {
    cell.state.feed.counted.is_some_and(|last| as_of < last.as_of)
}

fn received(cell: &mut Deciding<'_>, fact: Box<Fact>, receipt: &Received) {
    let reference = receipt.reference.as_ref().map(Text::share);
    cell.emit(Event::Received { fact, quantity: receipt.quantity.get(), reference });
}

fn adjusted(cell: &mut Deciding<'_>, fact: Box<Fact>, adjustment: &Adjusted) {
    let reason = adjustment.reason.as_str().into();
    cell.emit(Event::Adjusted { fact, delta: adjustment.delta.get(), reason });
}

fn announced(cell: &mut Deciding<'_>, fact: Box<Fact>, inbound: &Inbound) {
    let expected_at = moment(&inbound.expected_at);
    cell.emit(Event::Announced { fact, quantity: inbound.quantity.get(), expected_at });
}

fn set_aside(cell: &mut Deciding<'_>, fact: Box<Fact>, aside: &SetAside) {
    let (promotion, quantity) = (aside.promotion.share(), aside.quantity);
    let is_new = cell.state.feed.aside(&promotion).is_none();
    if is_new && quantity > 0 && cell.state.feed.set_aside.len() >= SET_ASIDE_MOST {
        return passed_over(cell, fact, PassedOver::NotSetAside, i64::from(quantity));
    }
    let until = aside.until.as_ref().map(moment);
    cell.emit(Event::SetAside { fact, promotion, quantity, until });
}
