//! What the outside is told of each event. Frozen for this version of the contract, because recovery makes pages again from
//! recorded events.
//!
//! An exception is opened only for what nobody else acts on: an order is told of units that it will not get, and tells itself what
//! becomes of them.

use super::event::{End, Event};
use super::state::State;
use crate::decider::Published;
use crate::ids::{EntityId, Key};
use crate::messages::outbound::commands::SkuQuantity;
use crate::messages::outbound::events::{EventData as General, Exception, ExceptionChanged};
use crate::messages::outbound::reservations::{
    EventData, ReservationAllocated, ReservationEnded, ReservationHeld, ReservationShort, UnitsAtNode,
};
use crate::reason::Reason;

/// Tells the business events of `event`, given the state after it.
pub(super) fn tell(entity: &EntityId, state: &State, event: &Event, told: &mut Published) {
    let reservation_id = entity.key.as_str();
    let named = || state.content.as_ref().and_then(|content| content.asked.order_id.as_ref());
    let order_id = state.order_id.as_ref().or_else(named).map(Key::as_str);
    let ended = |reason| ReservationEnded { reservation_id, order_id, reason };
    match event {
        Event::Held { .. } => EventData::Held(held(reservation_id, order_id, state)).publish(told),
        Event::Committed { .. } => {
            EventData::Committed(held(reservation_id, order_id, state)).publish(told);
        }
        Event::Refused { reason, .. } => EventData::Refused(ended(Some(reason))).publish(told),
        Event::Ended { end, reason, .. } => {
            let reason: Option<&Reason> = reason.as_deref();
            match end {
                End::Expired => EventData::Expired(ended(reason)),
                End::Released => EventData::Released(ended(reason)),
                End::Consumed => EventData::Consumed(ended(reason)),
            }
            .publish(told);
            if state.overdue {
                General::ExceptionResolved(overdue(reservation_id, order_id)).publish(told);
            }
        }
        Event::Allocated { rows } => {
            let lines = rows.iter().map(|row| {
                let line = state.content().line(row.line);
                UnitsAtNode { line: line.line, sku: &line.sku, node: &row.node, quantity: row.quantity }
            });
            let lines = lines.collect();
            let allocated = ReservationAllocated { reservation_id, order_id, lines };
            EventData::Allocated(allocated).publish(told);
        }
        Event::Parked { again: false, .. } => {
            let lines = state.named(&state.nowhere());
            EventData::Parked(ReservationShort { reservation_id, order_id, lines }).publish(told);
        }
        Event::GivenUp { lines } => {
            let lines = state.named(lines);
            if !state.is_an_orders {
                sold_and_not_to_be_had(reservation_id, order_id, state, &lines, told);
            }
            EventData::GivenUp(ReservationShort { reservation_id, order_id, lines }).publish(told);
        }
        Event::Overdue => General::ExceptionOpened(overdue(reservation_id, order_id)).publish(told),
        Event::Unaccounted { movement_id, line, node, quantity } => {
            let cause =
                format!("{quantity} units of line {line} left from {node:?}, and no cell can be told");
            let id = format!("unaccounted_departure:{movement_id}:{line}");
            let unaccounted = exception(&id, "unaccounted_departure", &cause);
            General::ExceptionOpened(changed(reservation_id, order_id, unaccounted)).publish(told);
        }
        _ => {}
    }
}

const fn exception<'a>(id: &'a str, kind: &'a str, cause: &'a str) -> Exception<'a> {
    Exception { exception_id: id, kind, cause, exposure_minor: 0, exposure_points: 0, effect_id: None }
}

const fn changed<'a>(
    reservation_id: &'a str,
    order_id: Option<&'a str>,
    exception: Exception<'a>,
) -> ExceptionChanged<'a> {
    ExceptionChanged { order_id, reservation_id: Some(reservation_id), exception }
}

/// Opened once, and resolved when the reservation ends.
const fn overdue<'a>(reservation_id: &'a str, order_id: Option<&'a str>) -> ExceptionChanged<'a> {
    let overdue = exception("overdue", "overdue", "it is held, and its order has done nothing for too long");
    changed(reservation_id, order_id, overdue)
}

/// A shop sold what it held, and a cell lost it: only this says so.
fn sold_and_not_to_be_had(
    reservation_id: &str,
    order_id: Option<&str>,
    state: &State,
    lines: &[SkuQuantity<'_>],
    told: &mut Published,
) {
    let rows: Vec<String> = lines.iter().map(|row| format!("{} of {}", row.quantity, row.sku)).collect();
    let cause = format!("sold, and no node has them: {}", rows.join(", "));
    let all: u32 = state.lines.iter().map(|line| line.given_up).sum();
    let id = format!("given_up:{all}");
    let given_up = exception(&id, "given_up", &cause);
    General::ExceptionOpened(changed(reservation_id, order_id, given_up)).publish(told);
}

fn held<'a>(reservation_id: &'a str, order_id: Option<&'a str>, state: &'a State) -> ReservationHeld<'a> {
    let backordered = state.waiting().into_iter().map(|row| SkuQuantity {
        line: row.line,
        sku: row.sku,
        quantity: row.quantity,
    });
    ReservationHeld {
        reservation_id,
        order_id,
        lines: state.placed(),
        backordered: backordered.collect(),
        expires_at: state.expires_at.map(|at| at.to_string()),
    }
}
