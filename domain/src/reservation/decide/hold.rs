//! A reservation is asked for, held longer, and attached to an order.

use super::cut::cut;
use super::deciding::{Deciding, of_another, over, unknown};
use super::source::source;
use crate::decider::Answer;
use crate::envelope::Envelope;
use crate::ids::Key;
use crate::messages::text::Text;
use crate::order::content::Origin;
use crate::reason::{Code, Reason};
use crate::reservation::content::{Asked, Content, CounterUse, Line};
use crate::reservation::effect::Units;
use crate::reservation::event::Event;
use crate::reservation::message::{Attach, CounterKind, Extend, Hold, HoldForOrder, HoldLine};
use crate::reservation::state::Phase;
use crate::time::Timestamp;

/// `reservation.hold` of a shop. The same again is the same reservation.
pub(super) fn from_outside(
    of: &mut Deciding<'_>,
    envelope: &Envelope,
    hold: &Hold,
) -> Result<Answer, Reason> {
    let asked = Asked {
        order_id: hold.order_id.clone(),
        by_order: false,
        lines: hold.lines.iter().map(line).collect(),
        counters: Vec::new(),
        hard: false,
        backorder: false,
        region: hold.region.as_ref().map(Text::share),
        channel: hold.channel.as_ref().map(Text::share),
        pickup_node: hold.pickup_node.as_ref().map(Text::share),
        split_limit: hold.split_limit.map(|limit| u16::try_from(limit.get()).unwrap_or(u16::MAX)),
        ttl_ms: hold.ttl_ms.map(|ttl| i64::from(ttl.get())),
    };
    if of.state.phase == Phase::Unborn {
        begin(of, envelope, asked);
        return Ok(Answer::Later);
    }
    match &of.state.content {
        // The receipt says how it was settled, or that it is not yet.
        Some(content) if content.asked == asked => Ok(Answer::Later),
        Some(content) => Err(other_content(&content.reservation_id)),
        None => Err(over(of)),
    }
}

fn other_content(id: &Key) -> Reason {
    Reason::new(
        Code::IdempotencyConflict,
        format!("reservation {id} exists with other content; another one needs a new reservation_id"),
    )
}

/// `hold` of an order. Asked again it gets the same answer.
pub(super) fn for_order(of: &mut Deciding<'_>, envelope: &Envelope, hold: &HoldForOrder) {
    let asked = Asked {
        order_id: Some(hold.order_id.clone()),
        by_order: true,
        lines: hold.lines.iter().map(line).collect(),
        counters: hold.counters.iter().map(counter).collect(),
        hard: hold.hard == Some(true),
        backorder: hold.backorder == Some(true),
        region: hold.region.as_ref().map(Text::share),
        channel: hold.channel.as_ref().map(Text::share),
        pickup_node: hold.pickup_node.as_ref().map(Text::share),
        split_limit: hold.split_limit.map(|limit| u16::try_from(limit).unwrap_or(u16::MAX)),
        ttl_ms: None,
    };
    match &of.state.content {
        None if of.state.phase == Phase::Unborn => begin(of, envelope, asked),
        Some(content) if content.asked == asked => tell_again(of, &hold.order_id),
        Some(content) => {
            let reason = other_content(&content.reservation_id);
            of.tell_refused(&hold.order_id, &reason);
        }
        None => {
            let reason = over(of);
            of.tell_refused(&hold.order_id, &reason);
        }
    }
}

/// How it was settled; nothing while it is not.
fn tell_again(of: &mut Deciding<'_>, order: &Key) {
    match of.state.phase {
        Phase::Unborn | Phase::Requested => {}
        Phase::Soft | Phase::Committing | Phase::Hard | Phase::Consumed => of.tell_held(order),
        Phase::Refused | Phase::Expired | Phase::Released => {
            let reason = over(of);
            of.tell_refused(order, &reason);
        }
    }
}

fn line(line: &HoldLine) -> Line {
    Line {
        line: line.line.get(),
        sku: line.sku.share(),
        quantity: line.quantity.get(),
        node: line.node.as_ref().map(Text::share),
        promotion: line.promotion.as_ref().map(Text::share),
    }
}

fn counter(used: &crate::reservation::message::CounterUse) -> CounterUse {
    CounterUse {
        counter: used.counter,
        id: used.id.share(),
        uses: used.uses,
        amount_minor: used.amount_minor.get(),
        customer_id: used.customer_id.as_ref().map(Text::share),
    }
}

fn begin(of: &mut Deciding<'_>, envelope: &Envelope, asked: Asked) {
    let (now, policies, entity) = (of.context.now, of.context.policies, of.context.entity);
    let ttl = asked.ttl_ms.unwrap_or(policies.ttl_ms).clamp(1, policies.ttl_most_ms.max(1));
    let header = |name: &str| envelope.headers.get(name).map(Into::into);
    let content = Content {
        tenant: entity.tenant.clone(),
        reservation_id: entity.key.clone(),
        origin: Origin {
            correlation_id: header("ce-correlationid").unwrap_or_else(|| envelope.id().into()),
            traceparent: header("traceparent"),
            tracestate: header("tracestate"),
        },
        at: now,
        expires_at: (!asked.by_order).then(|| now.plus_ms(ttl)),
        asked,
    };
    let problem = problem(&content.asked);
    let all = content.asked.lines.iter().zip(0_u16..);
    let all: Vec<Units> = all.map(|(line, index)| Units { line: index, quantity: line.quantity }).collect();
    of.emit(Event::Requested(Box::new(content)));
    if let Some(problem) = problem {
        of.refuse(&Reason::new(Code::Validation, problem), Vec::new());
        return;
    }
    if !all.is_empty() {
        source(of, &all, false);
        refuse_what_is_nowhere(of);
    }
}

/// Before it is sold it is all or nothing: units without a node and without a place to wait end it.
pub(super) fn refuse_what_is_nowhere(of: &mut Deciding<'_>) {
    let nowhere = of.state.nowhere();
    let Some(first) = nowhere.first().copied() else { return };
    let content = of.state.content.clone().expect("what is nowhere was asked for");
    let mut available: Vec<Units> = Vec::new();
    for Units { line, quantity } in nowhere {
        if let Some(row) = available.iter_mut().find(|row| row.line == line) {
            row.quantity = row.quantity.saturating_sub(quantity);
        } else {
            let quantity = content.line(line).quantity.saturating_sub(quantity);
            available.push(Units { line, quantity });
        }
    }
    let line = content.line(first.line);
    let there = available[0].quantity;
    let message = format!(
        "line {} ({}): {} units asked for, {there} to be had; ask for fewer, or for another item",
        line.line, line.sku, line.quantity
    );
    of.refuse(&Reason::new(Code::OutOfStock, message), available);
}

fn problem(asked: &Asked) -> Option<String> {
    for used in &asked.counters {
        if used.counter == CounterKind::Unknown || used.uses == 0 {
            return Some(format!(
                "counter {} {}: {} uses asked for, expected at least 1 of a promotion or coupon",
                used.counter.as_str(),
                used.id,
                used.uses
            ));
        }
        let key = format!("{}~{}", used.counter.as_str(), used.id);
        if Key::new(&key).is_err() {
            return Some(format!("counter {key:.120}: no such id can be counted, expected [A-Za-z0-9_-]"));
        }
    }
    let twice = |at: usize| {
        let used = &asked.counters[at];
        asked.counters[..at].iter().any(|other| other.counter == used.counter && other.id == used.id)
    };
    let twice = (0..asked.counters.len()).find(|at| twice(*at));
    twice.map(|at| format!("counter {} is named twice; add its uses up", asked.counters[at].id))
}

/// `reservation.extend`: from now on, but not for ever.
pub(super) fn extend(of: &mut Deciding<'_>, wish: &Extend) -> Result<Answer, Reason> {
    match of.state.phase {
        Phase::Unborn => return Err(unknown(of)),
        Phase::Requested | Phase::Soft => {}
        Phase::Committing | Phase::Hard => return Ok(Answer::Accepted),
        _ => return Err(over(of)),
    }
    let Some(expires_at) = of.state.expires_at else { return Ok(Answer::Accepted) };
    if expires_at <= of.context.now {
        return Err(expired(of, expires_at));
    }
    let policies = of.context.policies;
    let ttl = i64::from(wish.ttl_ms.get()).clamp(1, policies.ttl_most_ms.max(1));
    let last = of.state.content().at.plus_ms(policies.lifetime_most_ms);
    let until = of.context.now.plus_ms(ttl).min(last);
    // Somebody else may have asked for more; what was promised is not taken back.
    if until > expires_at {
        of.emit(Event::Extended { expires_at: until });
    }
    Ok(Answer::Accepted)
}

/// Why a reservation of which the time is over cannot be used, also before its timer came.
pub(super) fn expired(of: &Deciding<'_>, expires_at: Timestamp) -> Reason {
    let key = &of.context.entity.key;
    Reason::new(
        Code::Expired,
        format!("reservation {key} was held until {expires_at}; make a new one under a new id"),
    )
}

/// May this order use the reservation? `Err` says why not.
pub(super) fn may_use(of: &Deciding<'_>, order: &Key) -> Result<(), Reason> {
    let state = &of.state;
    if state.phase == Phase::Unborn {
        return Err(unknown(of));
    }
    let named = state.content.as_ref().and_then(|content| content.asked.order_id.as_ref());
    if state.order_id.as_ref().or(named).is_some_and(|known| known != order) {
        return Err(of_another(of, order));
    }
    if matches!(state.phase, Phase::Refused | Phase::Expired | Phase::Released) {
        return Err(over(of));
    }
    match state.expires_at {
        Some(expires_at) if expires_at <= of.context.now => Err(expired(of, expires_at)),
        _ => Ok(()),
    }
}

/// `attach` of an order: its time stands still from now on, and what the order does not need goes back.
pub(super) fn attach(of: &mut Deciding<'_>, attach: &Attach) {
    let order = &attach.order_id;
    let refused = may_use(of, order).and_then(|()| fits(of, attach));
    if let Err(reason) = refused {
        of.tell_refused(order, &reason);
        return;
    }
    if !of.state.is_an_orders {
        let overdue_at = of.overdue_at();
        of.emit(Event::Attached { order_id: order.clone(), overdue_at });
        for (line, excess) in excess(of, attach) {
            cut(of, line, None, excess);
        }
    }
    if of.state.phase != Phase::Requested {
        of.tell_held(order);
    }
}

fn fits(of: &Deciding<'_>, attach: &Attach) -> Result<(), Reason> {
    let content = of.state.content();
    for (at, line) in attach.lines.iter().enumerate() {
        let held = content.line_index(line.line.get()).map(|index| content.line(index));
        let quantity = held.filter(|held| *held.sku == *line.sku.as_str()).map_or(0, |held| held.quantity);
        let is_new = attach.lines[..at].iter().all(|other| other.line != line.line);
        if quantity < line.quantity.get() || !is_new {
            return Err(Reason::new(
                Code::Validation,
                format!(
                    "line {} ({}): the order needs {} units, reservation {} holds {quantity}; reserve what is ordered",
                    line.line.get(),
                    line.sku,
                    line.quantity.get(),
                    content.reservation_id
                ),
            ));
        }
    }
    Ok(())
}

fn excess(of: &Deciding<'_>, attach: &Attach) -> Vec<(u16, u32)> {
    let lines = of.state.content().asked.lines.iter().zip(0_u16..);
    let lines = lines.map(|(line, index)| {
        let needed = attach.lines.iter().find(|needed| needed.line.get() == line.line);
        (index, line.quantity - needed.map_or(0, |needed| needed.quantity.get()))
    });
    lines.filter(|(_, excess)| *excess > 0).collect()
}
