//! What a reservation writes: questions to cells and counters, answers to orders. A question is made from frozen data alone, so
//! that every send of it says the same.

use bytes::Bytes;
use serde::Serialize;

use super::content::CounterUse;
use super::effect::{Effect, Kind};
use super::rows::WaitingUnits;
use super::state::{Claim, State, Target};
use crate::decider::Letter;
use crate::ids::{EntityId, Key, Token};
use crate::messages::outbound::commands::SkuQuantity;
use crate::messages::outbound::reservations::UnitsAtNode;
use crate::reason::Reason;
use crate::time::Timestamp;

#[derive(Serialize)]
struct Take<'a> {
    claim_id: &'a str,
    reservation_id: &'a str,
    quantity: u32,
    hard: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    backorder_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_minor: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<&'a str>,
    /// Of a counter: its limits may name channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    /// Of a cell: what is set aside there for it may be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    promotion: Option<&'a str>,
}

#[derive(Serialize)]
struct Harden<'a> {
    claim_id: &'a str,
}

#[derive(Serialize)]
struct Reopen<'a> {
    claim_id: &'a str,
    quantity: u32,
    amount_minor: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<&'a str>,
}

#[derive(Serialize)]
struct GiveBack<'a> {
    claim_id: &'a str,
    release_id: &'a str,
    quantity: u32,
}

#[derive(Serialize)]
struct Consume<'a> {
    claim_id: &'a str,
    quantity: u32,
    movement_id: &'a str,
}

#[derive(Serialize)]
struct ConsumeUnclaimed<'a> {
    reservation_id: &'a str,
    quantity: u32,
    movement_id: &'a str,
}

#[derive(Serialize)]
struct Allocated<'a> {
    reservation_id: &'a str,
    allocation_id: &'a str,
    lines: Vec<UnitsAtNode<'a>>,
}

#[derive(Serialize)]
struct GivenUp<'a> {
    reservation_id: &'a str,
    allocation_id: &'a str,
    lines: Vec<SkuQuantity<'a>>,
}

/// `reservation_held`, `reservation_committed`
#[derive(Serialize)]
struct Held<'a> {
    reservation_id: &'a str,
    lines: Vec<UnitsAtNode<'a>>,
    backordered: Vec<WaitingUnits<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Short<'a> {
    line: u32,
    sku: &'a str,
    available: u32,
}

#[derive(Serialize)]
struct Refused<'a> {
    reservation_id: &'a str,
    code: &'a str,
    lines: Vec<Short<'a>>,
    message: &'a str,
}

#[derive(Serialize)]
struct ConsumedAnswer<'a> {
    reservation_id: &'a str,
    movement_id: &'a str,
}

#[derive(Serialize)]
struct ReleasedAnswer<'a> {
    reservation_id: &'a str,
    release_id: &'a str,
}

fn bytes<T: Serialize>(body: &T) -> Bytes {
    serde_json::to_vec(body).expect("texts, numbers and lists can always be written").into()
}

fn entity_of(entity: &EntityId, kind: &str, key: &str) -> Option<EntityId> {
    let kind = Token::new(kind).expect("a lower-case word");
    Some(EntityId { tenant: entity.tenant.clone(), kind, key: Key::new(key).ok()? })
}

/// The letter of an open effect.
pub(super) fn letter(entity: &EntityId, state: &State, effect_id: &str) -> Option<Letter> {
    let effect = state.effect(effect_id)?;
    match &effect.kind {
        Kind::Take { claim }
        | Kind::Harden { claim }
        | Kind::Reopen { claim }
        | Kind::GiveBack { claim, .. }
        | Kind::Consume { claim, .. } => to_cell(entity, state, effect, *claim),
        Kind::ConsumeUnclaimed { sku, node, quantity, .. } => Some(Letter {
            to: entity_of(entity, "stock", &format!("{sku}~{node}"))?,
            name: "consume_unclaimed",
            body: bytes(&ConsumeUnclaimed {
                reservation_id: entity.key.as_str(),
                quantity: *quantity,
                movement_id: effect_id,
            }),
        }),
        Kind::TellAllocated { .. } | Kind::TellGivenUp { .. } => to_order(entity, state, effect),
    }
}

fn to_cell(entity: &EntityId, state: &State, effect: &Effect, index: u16) -> Option<Letter> {
    let claim = state.claim(index);
    let claim_id = &*state.claim_id(index);
    let kind = if matches!(claim.target, Target::Counter(_)) { "counter" } else { "stock" };
    let (name, body) = match effect.kind {
        Kind::Harden { .. } => ("harden", bytes(&Harden { claim_id })),
        Kind::Reopen { .. } => ("reopen", bytes(&reopen(state, claim, claim_id)?)),
        Kind::GiveBack { quantity, .. } => {
            ("give_back", bytes(&GiveBack { claim_id, release_id: &effect.id, quantity }))
        }
        Kind::Consume { quantity, .. } => {
            ("consume", bytes(&Consume { claim_id, quantity, movement_id: &effect.id }))
        }
        _ => ("take", bytes(&take(state, index, claim_id))),
    };
    Some(Letter { to: entity_of(entity, kind, &state.target_key(&claim.target))?, name, body })
}

/// The use that a claim is made for; none = it is for units.
fn used<'a>(state: &'a State, claim: &Claim) -> Option<&'a CounterUse> {
    match claim.target {
        Target::Counter(counter) => Some(&state.content().asked.counters[usize::from(counter)]),
        Target::Cell { .. } => None,
    }
}

fn reopen<'a>(state: &'a State, claim: &Claim, claim_id: &'a str) -> Option<Reopen<'a>> {
    let CounterUse { uses, amount_minor, customer_id, .. } = used(state, claim)?;
    let customer_id = customer_id.as_deref();
    Some(Reopen { claim_id, quantity: *uses, amount_minor: *amount_minor, customer_id })
}

fn take<'a>(state: &'a State, index: u16, claim_id: &'a str) -> Take<'a> {
    let (claim, content) = (state.claim(index), state.content());
    let used = used(state, claim);
    let line = state.cell(claim).map(|(line, _)| line);
    Take {
        claim_id,
        reservation_id: content.reservation_id.as_str(),
        quantity: claim.quantity,
        hard: used.is_none() && state.committed_at.is_some(),
        backorder_since: claim.waits_since,
        amount_minor: used.map(|used| used.amount_minor),
        customer_id: used.and_then(|used| used.customer_id.as_deref()),
        channel: used.and(content.asked.channel.as_deref()),
        promotion: line.and_then(|line| line.promotion.as_deref()),
    }
}

fn to_order(entity: &EntityId, state: &State, effect: &Effect) -> Option<Letter> {
    let (reservation_id, allocation_id) = (entity.key.as_str(), &*effect.id);
    let to = entity_of(entity, "order", state.order_id.as_ref()?.as_str())?;
    match &effect.kind {
        Kind::TellAllocated { rows } => {
            let lines = rows.iter().map(|row| {
                let line = state.content().line(row.line);
                UnitsAtNode { line: line.line, sku: &line.sku, node: &row.node, quantity: row.quantity }
            });
            let body = bytes(&Allocated { reservation_id, allocation_id, lines: lines.collect() });
            Some(Letter { to, name: "reservation_allocated", body })
        }
        Kind::TellGivenUp { rows } => {
            let body = bytes(&GivenUp { reservation_id, allocation_id, lines: state.named(rows) });
            Some(Letter { to, name: "reservation_given_up", body })
        }
        _ => None,
    }
}

/// An answer to an order; none if there can be no such order.
fn answer(entity: &EntityId, order: &Key, name: &'static str, body: Bytes) -> Option<Letter> {
    Some(Letter { to: entity_of(entity, "order", order.as_str())?, name, body })
}

/// `reservation_held`
pub(super) fn held(entity: &EntityId, state: &State, order: &Key) -> Option<Letter> {
    answer(entity, order, "reservation_held", where_held(entity, state))
}

/// `reservation_committed`
pub(super) fn committed(entity: &EntityId, state: &State, order: &Key) -> Option<Letter> {
    answer(entity, order, "reservation_committed", where_held(entity, state))
}

fn where_held(entity: &EntityId, state: &State) -> Bytes {
    bytes(&Held {
        reservation_id: entity.key.as_str(),
        lines: state.placed(),
        backordered: state.waiting(),
        expires_at: state.expires_at,
    })
}

/// `reservation_refused`, with what there would have been.
pub(super) fn refused(entity: &EntityId, state: &State, order: &Key, reason: &Reason) -> Option<Letter> {
    let lines = state.available.iter().map(|units| {
        let line = state.content().line(units.line);
        Short { line: line.line, sku: &line.sku, available: units.quantity }
    });
    let body = bytes(&Refused {
        reservation_id: entity.key.as_str(),
        code: reason.code.as_str(),
        lines: lines.collect(),
        message: &reason.message,
    });
    answer(entity, order, "reservation_refused", body)
}

/// `reservation_consumed`
pub(super) fn consumed(entity: &EntityId, order: &Key, movement_id: &str) -> Option<Letter> {
    let body = bytes(&ConsumedAnswer { reservation_id: entity.key.as_str(), movement_id });
    answer(entity, order, "reservation_consumed", body)
}

/// `reservation_released`
pub(super) fn released(entity: &EntityId, order: &Key, release_id: &str) -> Option<Letter> {
    let body = bytes(&ReleasedAnswer { reservation_id: entity.key.as_str(), release_id });
    answer(entity, order, "reservation_released", body)
}
