//! What the outside is told of each event. Frozen for this version of the contract, because recovery makes pages again from recorded
//! events.
//!
//! `stock.allocated` and `stock.released` are not among them: they are the words of the order that units are allocated to, and an order
//! tells them exactly once. The cell tells every move of its numbers, as `stock.reserved`, `stock.backordered` and `stock.moved`.

use super::event::{Event, Victim};
use super::message::sku_and_node;
use super::state::State;
use crate::claims::letters::reservation_of;
use crate::decider::Published;
use crate::ids::EntityId;
use crate::messages::outbound::stock_events as data;
use crate::messages::outbound::stock_events::EventData;
use crate::time::Timestamp;

/// Tells the business events of `event`, given the state after it.
pub(super) fn tell(entity: &EntityId, state: &State, event: &Event, told: &mut Published) {
    let cell = sku_and_node(entity.key.as_str());
    let (sku, node) = cell;
    let level = || state.level();
    match event {
        Event::Taken { claim, quantity, hard, promotion } => EventData::Reserved(data::StockReserved {
            sku,
            node,
            reservation_id: reservation_of(claim),
            claim_id: claim,
            quantity: *quantity,
            hard: *hard,
            promotion: promotion.as_deref(),
            level: level(),
        })
        .publish(told),
        Event::Queued { claim, quantity, since, promised_at, .. } => {
            EventData::Backordered(data::StockBackordered {
                sku,
                node,
                reservation_id: reservation_of(claim),
                claim_id: claim,
                quantity: *quantity,
                since: since.to_string(),
                promised_at: promised_at.map(|promised| promised.to_string()),
                level: level(),
            })
            .publish(told);
        }
        Event::ThresholdCrossed { threshold } => {
            EventData::Threshold(data::StockThreshold { sku, node, threshold: *threshold, level: level() })
                .publish(told);
        }
        Event::Oversold { quantity, victims } => EventData::Oversold(data::StockOversold {
            sku,
            node,
            quantity: *quantity,
            victims: victims.iter().map(victim).collect(),
            level: level(),
        })
        .publish(told),
        Event::FeedStale(aged) => feed(cell, state, Some(aged.policy.as_str()), told),
        Event::FeedFresh => feed(cell, state, None, told),
        Event::SetAside { promotion, quantity, until, .. } => {
            set_aside(cell, state, promotion, *quantity, *until, told);
        }
        Event::SetAsideEnded { promotion } => set_aside(cell, state, promotion, 0, None, told),
        // Nothing of the numbers moves before it is there.
        Event::Announced { .. } => {}
        _ => moved(cell, state, event, told),
    }
}

pub(super) fn victim(victim: &Victim) -> data::Victim<'_> {
    data::Victim {
        reservation_id: reservation_of(&victim.claim),
        claim_id: &victim.claim,
        quantity: victim.quantity,
        hard: victim.hard,
    }
}

fn feed((sku, node): (&str, &str), state: &State, policy: Option<&str>, told: &mut Published) {
    let heard_at = state.feed.heard_at.to_string();
    EventData::Feed(data::StockFeed {
        sku,
        node,
        stale: policy.is_some(),
        policy,
        heard_at,
        level: state.level(),
    })
    .publish(told);
}

fn set_aside(
    (sku, node): (&str, &str),
    state: &State,
    promotion: &str,
    quantity: u32,
    until: Option<Timestamp>,
    told: &mut Published,
) {
    let until = until.map(|until| until.to_string());
    EventData::SetAside(data::StockSetAside { sku, node, promotion, quantity, until, level: state.level() })
        .publish(told);
}

/// A move as it is told: the word, the units, and what it is about.
#[derive(Default)]
struct Told<'a> {
    word: &'static str,
    quantity: i64,
    claim: Option<&'a str>,
    reservation: Option<&'a str>,
    movement: Option<&'a str>,
    reason: Option<&'a str>,
    /// What does not agree: the word, the units.
    discrepancy: Option<(&'static str, i64)>,
    /// What was counted, and when.
    counted: Option<(i64, Timestamp)>,
}

fn moved((sku, node): (&str, &str), state: &State, event: &Event, told: &mut Published) {
    let Some(said) = said(state, event) else { return };
    if !said.word.is_empty() {
        EventData::Moved(data::StockMoved {
            sku,
            node,
            r#move: said.word,
            quantity: said.quantity,
            claim_id: said.claim,
            reservation_id: said.reservation.or(said.claim.map(reservation_of)),
            movement_id: said.movement,
            reason: said.reason,
            level: state.level(),
        })
        .publish(told);
    }
    if let Some((kind, quantity)) = said.discrepancy {
        EventData::Discrepancy(data::StockDiscrepancy {
            sku,
            node,
            kind,
            quantity,
            counted: said.counted.map(|(on_hand, _)| on_hand),
            expected: said.counted.map(|(on_hand, _)| on_hand - quantity),
            movement_id: said.movement.unwrap_or_default(),
            as_of: said.counted.map(|(_, as_of)| as_of.to_string()),
            level: state.level(),
        })
        .publish(told);
    }
}

const UNCLAIMED: &str = "unclaimed_departure";

fn said<'a>(state: &State, event: &'a Event) -> Option<Told<'a>> {
    Some(match event {
        Event::Hardened { claim } => {
            let held = state.claims.get(claim).map_or(0, |held| held.live().units);
            let waits = state.waiting.get(claim).map_or(0, |waiting| i64::from(waiting.quantity));
            Told { word: "hardened", quantity: held + waits, claim: Some(claim), ..Told::default() }
        }
        Event::Consumed { claim, quantity, beyond, movement, .. } => Told {
            word: "consumed",
            quantity: i64::from(*quantity) + i64::from(*beyond),
            claim: Some(claim),
            movement: Some(movement),
            discrepancy: (*beyond > 0).then(|| (UNCLAIMED, -i64::from(*beyond))),
            ..Told::default()
        },
        Event::ConsumedUnclaimed { reservation, quantity, movement, .. } => Told {
            word: "consumed",
            quantity: i64::from(*quantity),
            reservation: Some(reservation),
            movement: Some(movement),
            discrepancy: Some((UNCLAIMED, -i64::from(*quantity))),
            ..Told::default()
        },
        Event::GivenBack { claim, quantity, release } => Told {
            word: "given_back",
            quantity: i64::from(*quantity),
            claim: Some(claim),
            movement: Some(release),
            ..Told::default()
        },
        Event::Counted { fact, on_hand, as_of, difference, is_first, .. } => Told {
            word: "counted",
            quantity: *difference,
            movement: Some(&fact.movement),
            discrepancy: (*difference != 0 && !is_first).then_some(("drift", *difference)),
            counted: Some((*on_hand, *as_of)),
            ..Told::default()
        },
        Event::Received { fact, quantity, .. } => Told {
            word: "received",
            quantity: i64::from(*quantity),
            movement: Some(&fact.movement),
            ..Told::default()
        },
        Event::Adjusted { fact, delta, reason } => Told {
            word: "adjusted",
            quantity: *delta,
            movement: Some(&fact.movement),
            reason: Some(reason),
            ..Told::default()
        },
        Event::PassedOver { fact, why, quantity } => Told {
            movement: Some(&fact.movement),
            discrepancy: Some((why.as_str(), *quantity)),
            ..Told::default()
        },
        _ => return None,
    })
}
