//! How events change where the goods are: with nodes, in parcels, or never to leave.

use std::sync::Arc;

use super::{each, index, settle};
use crate::order::effect::{Kind, Units};
use crate::order::event::{AllocatedUnits, CancelCause, CancelledFrom, DeliveredParcel, Departure, Event};
use crate::order::state::{EarlyDelivery, Parcel, Shipment, ShipmentRow, State};

/// Absorbs what happened to the goods.
pub(super) fn evolve(state: &mut State, event: &Event) {
    match event {
        Event::Allocated { effect, allocations } => {
            settle(state, effect);
            for row in allocations {
                let line = &mut state.lines[usize::from(row.line)];
                line.ahead -= line.ahead.min(row.quantity);
            }
        }
        Event::AllocationRefused { effect, .. } => {
            // No allocation comes for what left ahead of this answer; the next one is asked for other units.
            if let Some(Kind::Allocate { lines }) = settle(state, effect) {
                each(&lines, |units| state.lines[index(units)].ahead = 0);
            }
        }
        Event::AllocationReleased { effect, .. }
        | Event::ShipmentCancelled { effect, .. }
        | Event::ShipmentCancelRejected { effect, .. } => {
            settle(state, effect);
        }
        Event::ShipmentPlanned { node, units } => planned(state, node, units),
        Event::ShipmentAccepted { effect, shipment } => {
            settle(state, effect);
            state.shipments[usize::from(*shipment)].accepted = true;
        }
        Event::Departed(departure) => departed(state, departure),
        Event::Delivered { shipment_id, parcel_id, parcels } => {
            state.early_deliveries.retain_mut(|early| {
                !early.is_of(shipment_id, parcel_id.as_deref()) || early.still_waits(parcels)
            });
            for parcel in parcels {
                delivered(state, parcel);
            }
        }
        Event::DeliveryNoted { shipment_id, parcel_id, lines } => {
            state.early_deliveries.push(EarlyDelivery {
                shipment_id: shipment_id.clone(),
                parcel_id: parcel_id.clone(),
                lines: lines.clone(),
            });
        }
        Event::UnitsCancelled { from, cause, lines } => {
            state.stock_refused |= *cause == CancelCause::OutOfStock;
            each(lines, |units| cancelled(state, *from, units));
        }
        _ => {}
    }
}

fn planned(state: &mut State, node: &str, units: &[AllocatedUnits]) {
    let rows = units.iter().map(|row| ShipmentRow {
        allocation_ref: row.allocation_ref.clone(),
        line: row.line,
        quantity: row.quantity,
        departed: 0,
        cancelled: 0,
    });
    let shipment = Shipment { node: node.into(), rows: rows.collect(), accepted: false };
    for row in units {
        let line = &mut state.lines[usize::from(row.line)];
        line.pending -= row.quantity;
        line.backordered = line.backordered.min(line.pending);
        line.released += row.quantity;
    }
    state.shipments.push(shipment);
}

/// A departure implies that the node had accepted.
fn departed(state: &mut State, departure: &Arc<Departure>) {
    for units in &departure.units {
        let line = &mut state.lines[usize::from(units.line)];
        line.released -= units.released;
        line.pending -= units.pending;
        line.backordered = line.backordered.min(line.pending);
        line.ahead += units.pending;
        line.shipped += units.released + units.pending;
    }
    if let Some(index) = departure.shipment {
        let shipment = &mut state.shipments[usize::from(index)];
        shipment.accepted = true;
        for units in &departure.units {
            take_rows(shipment, units.line, units.released, |row, taken| row.departed += taken);
        }
        state.effects.retain(|effect| effect.kind != Kind::ReleaseShipment { shipment: index });
    }
    let delivered = vec![0; departure.units.len()];
    state.departures.push(Parcel { departure: Arc::clone(departure), delivered });
}

fn delivered(state: &mut State, parcel: &DeliveredParcel) {
    for units in &parcel.units {
        let line = &mut state.lines[index(*units)];
        line.shipped -= units.quantity;
        line.delivered += units.quantity;
        let known = &mut state.departures[usize::from(parcel.departure)];
        if let Some(at) = known.departure.units.iter().position(|left| left.line == units.line) {
            known.delivered[at] += units.quantity;
        }
    }
}

fn cancelled(state: &mut State, from: CancelledFrom, units: Units) {
    let line = &mut state.lines[index(units)];
    line.cancelled += units.quantity;
    match from {
        CancelledFrom::Pending => {
            line.pending -= units.quantity;
            line.backordered = line.backordered.min(line.pending);
        }
        CancelledFrom::Shipment(shipment) => {
            line.released -= units.quantity;
            let shipment = &mut state.shipments[usize::from(shipment)];
            take_rows(shipment, units.line, units.quantity, |row, taken| row.cancelled += taken);
        }
    }
}

/// Takes units of a line from the rows of a shipment, first rows first.
fn take_rows(
    shipment: &mut Shipment,
    line: u16,
    mut quantity: u32,
    mut take: impl FnMut(&mut ShipmentRow, u32),
) {
    for row in shipment.rows.iter_mut().filter(|row| row.line == line) {
        let taken = quantity.min(row.open());
        take(row, taken);
        quantity -= taken;
    }
}
