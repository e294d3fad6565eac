//! What the outside is told of each event. Frozen for this version of the contract, because recovery makes pages again from
//! recorded events.

use super::event::{End, Event};
use super::state::State;
use crate::decider::Published;
use crate::ids::{EntityId, Key};
use crate::messages::outbound::commands::SkuQuantity;
use crate::messages::outbound::reservations::{
    EventData, ReservationAllocated, ReservationEnded, ReservationHeld, ReservationOverdue, ReservationShort,
    ReservationUnaccounted, UnitsAtNode,
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
            let reason: Option<&Reason> = reason.as_ref();
            match end {
                End::Expired => EventData::Expired(ended(reason)),
                End::Released => EventData::Released(ended(reason)),
                End::Consumed => EventData::Consumed(ended(reason)),
            }
            .publish(told);
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
            EventData::GivenUp(ReservationShort { reservation_id, order_id, lines }).publish(told);
        }
        Event::Overdue => {
            EventData::Overdue(ReservationOverdue { reservation_id, order_id }).publish(told);
        }
        Event::Unaccounted { movement_id, line, node, quantity } => {
            let (line, quantity) = (*line, *quantity);
            let unaccounted = ReservationUnaccounted { reservation_id, movement_id, line, node, quantity };
            EventData::Unaccounted(unaccounted).publish(told);
        }
        _ => {}
    }
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
