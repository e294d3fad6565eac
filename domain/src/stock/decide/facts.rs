//! What the ERP and the warehouses say (A8, A9). Nothing of it is refused; what was said before, or is older than the last count, is
//! not added again.

use super::deciding::Deciding;
use crate::claims::Mark;
use crate::envelope::Envelope;
use crate::messages::inbound::stock::{Adjusted, Baseline, Inbound, Received, SetAside};
use crate::messages::text::{Moment, Text};
use crate::stock::event::{Fact, PassedOver};
use crate::stock::feed::SET_ASIDE_MOST;
use crate::stock::{Event, Message};
use crate::time::Timestamp;

pub(super) fn judge(cell: &mut Deciding<'_>, envelope: &Envelope, message: &Message) {
    let occurred_at = envelope.headers.get("ce-time").and_then(Timestamp::read);
    match message {
        Message::Baseline(fact) => counted(cell, fact),
        Message::Received(fact) => {
            let Some(told) = news(cell, &fact.movement_id) else { return };
            let quantity = fact.quantity.get();
            if is_in_count(cell, occurred_at) {
                return passed_over(cell, told, PassedOver::IncludedInCount, i64::from(quantity));
            }
            received(cell, told, fact);
        }
        Message::Adjusted(fact) => {
            let Some(told) = news(cell, &fact.movement_id) else { return };
            if is_in_count(cell, occurred_at) {
                return passed_over(cell, told, PassedOver::IncludedInCount, fact.delta.get());
            }
            adjusted(cell, told, fact);
        }
        Message::Inbound(fact) => announced(cell, fact),
        Message::SetAside(fact) => set_aside(cell, fact),
        Message::Question(_) => {}
    }
}

/// The fact, if it was not heard before; with it the cell is fresh again.
fn news(cell: &mut Deciding<'_>, movement_id: &Text) -> Option<Box<Fact>> {
    if cell.state.feed.has_seen(Mark::of_fact(movement_id.as_str())) {
        return None;
    }
    let (at, after_ms) = (cell.context.now, cell.context.policies.stale_after_ms);
    let fresh_until = (after_ms > 0).then(|| at.plus_ms(after_ms));
    if cell.state.feed.stale.is_some() {
        cell.emit(Event::FeedFresh);
    }
    Some(Box::new(Fact { movement: movement_id.share(), at, fresh_until }))
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
fn counted(cell: &mut Deciding<'_>, count: &Baseline) {
    let as_of = moment(&count.as_of).min(cell.context.now);
    if cell.state.feed.counted.is_some_and(|last| as_of < last.as_of) {
        if let Some(fact) = news(cell, &count.movement_id) {
            passed_over(cell, fact, PassedOver::IncludedInCount, 0);
        }
        return;
    }
    let Some(fact) = news(cell, &count.movement_id) else { return };
    let (on_hand, changed) = (count.on_hand.get(), cell.state.changes.since(as_of));
    cell.emit(Event::Counted {
        fact,
        on_hand,
        as_of,
        changed,
        difference: on_hand + changed - cell.state.on_hand,
        // The first count of a cell finds what it finds.
        is_first: cell.state.feed.counted.is_none(),
        safety: count.safety.unwrap_or(cell.state.safety),
        oversell_cap: count.oversell_cap.unwrap_or(cell.state.oversell_cap),
    });
}

fn received(cell: &mut Deciding<'_>, fact: Box<Fact>, receipt: &Received) {
    let reference = receipt.reference.as_ref().map(Text::share);
    cell.emit(Event::Received { fact, quantity: receipt.quantity.get(), reference });
}

fn adjusted(cell: &mut Deciding<'_>, fact: Box<Fact>, adjustment: &Adjusted) {
    let reason = adjustment.reason.as_str().into();
    cell.emit(Event::Adjusted { fact, delta: adjustment.delta.get(), reason });
}

fn announced(cell: &mut Deciding<'_>, inbound: &Inbound) {
    let Some(fact) = news(cell, &inbound.movement_id) else { return };
    let expected_at = moment(&inbound.expected_at);
    cell.emit(Event::Announced { fact, quantity: inbound.quantity.get(), expected_at });
}

fn set_aside(cell: &mut Deciding<'_>, aside: &SetAside) {
    let Some(fact) = news(cell, &aside.movement_id) else { return };
    let (promotion, quantity) = (aside.promotion.share(), aside.quantity);
    let is_new = cell.state.feed.aside(&promotion).is_none();
    if is_new && quantity > 0 && cell.state.feed.set_aside.len() >= SET_ASIDE_MOST {
        return passed_over(cell, fact, PassedOver::NotSetAside, i64::from(quantity));
    }
    let until = aside.until.as_ref().map(moment);
    cell.emit(Event::SetAside { fact, promotion, quantity, until });
}

/// A moment whose day was checked when it was read.
fn moment(moment: &Moment) -> Timestamp {
    Timestamp::read(moment.as_str()).unwrap_or_default()
}
