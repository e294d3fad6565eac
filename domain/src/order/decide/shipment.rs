//! Goods and nodes: acceptance, departure, delivery, and the handshake for units that shall not leave.

use std::sync::Arc;

use super::cancel::from_shipment;
use super::deciding::{Deciding, Exposure};
use super::erp;
use super::failed::refused;
use super::matching::answered;
use crate::envelope::Envelope;
use crate::messages::inbound::LineQuantity;
use crate::messages::inbound::shipment::{Accepted, CancelAnswer, Delivered, Departed, Rejected};
use crate::messages::text::Text;
use crate::money::{Minor, Span};
use crate::order::State;
use crate::order::content::Content;
use crate::order::effect::{Effect, Kind, Units};
use crate::order::event::{DeliveredParcel, DepartedUnits, Departure, Event, ExceptionKind};
use crate::order::state::Phase;

/// How many deliveries may wait for their departures.
const EARLY_DELIVERIES: usize = 16;

pub(super) fn accepted(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Accepted) {
    let Some(shipment) = order.state.shipment_index(answer.shipment_id.as_str()) else { return };
    let fits = |kind: &Kind| *kind == Kind::ReleaseShipment { shipment };
    let Some(effect) = answered(order, envelope, fits, |_| true) else { return };
    order.emit(Event::ShipmentAccepted { effect: effect.id, shipment });
}

/// No rule sends the units to another node, so a person decides.
pub(super) fn rejected(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Rejected) {
    let Some(shipment) = order.state.shipment_index(answer.shipment_id.as_str()) else { return };
    let fits = |kind: &Kind| *kind == Kind::ReleaseShipment { shipment };
    let Some(effect) = answered(order, envelope, fits, |_| true) else { return };
    refused(order, &effect, answer.code.as_str());
}

pub(super) fn cancel_accepted(order: &mut Deciding<'_>, envelope: &Envelope, answer: &CancelAnswer) {
    let Some((effect, shipment, asked)) = asked_back(order, envelope, answer) else { return };
    let told = units_of(&order.state, answer.lines.iter());
    let given = asked.into_iter().filter_map(|asked| {
        let told = told.iter().find(|told| told.line == asked.line)?.quantity;
        let open = order.state.shipments[usize::from(shipment)].open(asked.line);
        let quantity = told.min(asked.quantity).min(open);
        (quantity > 0).then_some(Units { quantity, ..asked })
    });
    let given: Vec<Units> = given.collect();
    order.emit(Event::ShipmentCancelled { effect: effect.id, shipment, lines: given.clone() });
    from_shipment(order, shipment, &given);
    go_on(order);
}

/// The units continue. Were fewer left than asked for (some departed meanwhile), the rest is asked for once more.
pub(super) fn cancel_rejected(order: &mut Deciding<'_>, envelope: &Envelope, answer: &CancelAnswer) {
    let Some((effect, shipment, asked)) = asked_back(order, envelope, answer) else { return };
    order.emit(Event::ShipmentCancelRejected { effect: effect.id, shipment });
    let open = |units: &Units| order.state.shipments[usize::from(shipment)].open(units.line);
    let was_overtaken = asked.iter().any(|units| open(units) < units.quantity);
    let left = asked.iter().map(|units| Units { quantity: open(units).min(units.quantity), ..*units });
    let left: Vec<Units> = left.filter(|units| units.quantity > 0).collect();
    if was_overtaken && !left.is_empty() {
        order.intend(Kind::CancelShipment { shipment, lines: left });
    }
    go_on(order);
}

/// An order that was to be cancelled whole goes on if a node keeps units that nobody asks back any more.
fn go_on(order: &mut Deciding<'_>) {
    let asks = order.state.effects_where(|kind| matches!(kind, Kind::CancelShipment { .. })).next().is_some();
    let keeps = order.state.lines.iter().any(|line| line.released > 0);
    if order.state.phase == Phase::Cancelling && keeps && !asks {
        order.emit(Event::Fulfilling);
    }
}

fn asked_back(
    order: &mut Deciding<'_>,
    envelope: &Envelope,
    answer: &CancelAnswer,
) -> Option<(Effect, u16, Vec<Units>)> {
    let shipment = order.state.shipment_index(answer.shipment_id.as_str())?;
    let told = units_of(&order.state, answer.lines.iter());
    let fits =
        |kind: &Kind| matches!(kind, Kind::CancelShipment { shipment: asked, .. } if *asked == shipment);
    let same = |effect: &Effect| match &effect.kind {
        Kind::CancelShipment { lines, .. } => {
            told.iter().all(|told| lines.iter().any(|asked| asked.line == told.line))
        }
        _ => false,
    };
    let effect = answered(order, envelope, fits, same)?;
    match &effect.kind {
        Kind::CancelShipment { lines, .. } => {
            let lines = lines.clone();
            Some((effect, shipment, lines))
        }
        _ => None,
    }
}

/// Units by line index, each line once; lines that the order does not have are left out.
pub(super) fn units_of<'a>(state: &State, rows: impl Iterator<Item = &'a LineQuantity>) -> Vec<Units> {
    let mut units: Vec<Units> = Vec::new();
    for row in rows {
        let index = state.content().line_index(row.line.get()).and_then(|index| u16::try_from(index).ok());
        let Some(line) = index else { continue };
        match units.iter_mut().find(|known| known.line == line) {
            Some(known) => known.quantity = known.quantity.saturating_add(row.quantity.get()),
            None => units.push(Units { line, quantity: row.quantity.get() }),
        }
    }
    units
}

/// A departure is physical: it is never refused. What follows from it follows from this one fact.
pub(super) fn departed(order: &mut Deciding<'_>, envelope: &Envelope, fact: &Departed) {
    let shipment_id = fact.shipment_id.as_str();
    let mark = fact.parcel_id.as_ref().map_or_else(|| envelope.id(), |parcel| parcel.as_str().to_owned());
    let mut told = order.state.departures.iter().map(|known| &known.departure);
    if told.any(|known| *known.shipment_id == *shipment_id && *known.mark == *mark) {
        return;
    }
    unknown_lines(order, fact);
    let wanted = units_of(&order.state, fact.lines.iter());
    if !order.state.phase.was_committed() {
        let exposure = wanted.iter().map(|units| gross_value(&order.state, *units)).sum();
        let phase = order.state.phase.as_str();
        let cause = format!("shipment {shipment_id}, parcel {mark} departed, but the order is {phase}");
        order.exception(ExceptionKind::DepartedUncommitted, cause, Exposure::minor(exposure), None);
        return;
    }
    let shipment = order.state.shipment_index(shipment_id);
    let units = account_for(order, shipment, &format!("shipment {shipment_id}, parcel {mark}"), &wanted);
    if units.is_empty() {
        return;
    }
    let departure = Departure {
        shipment_id: shipment_id.into(),
        shipment,
        mark: mark.into(),
        parcel_id: fact.parcel_id.as_ref().map(Text::share),
        node: fact.node.share(),
        carrier: fact.carrier.as_ref().map(Text::share),
        tracking: fact.tracking.as_ref().map(Text::share),
        units,
    };
    leave(order, departure);
}

/// Something left that is on no line: a person must find out what it was.
fn unknown_lines(order: &mut Deciding<'_>, fact: &Departed) {
    for row in &fact.lines {
        let number = row.line.get();
        if order.state.content().line_index(number).is_none() {
            let cause = format!(
                "shipment {} departed with line {number}, which the order does not have",
                fact.shipment_id.as_str()
            );
            order.exception(ExceptionKind::UnknownValue, cause, Exposure::NONE, None);
        }
    }
}

/// Where the units stood that left: with the named shipment, else still without a node. More than the order has left
/// to give is told to a person, with its value.
fn account_for(
    order: &mut Deciding<'_>,
    shipment: Option<u16>,
    named: &str,
    wanted: &[Units],
) -> Vec<DepartedUnits> {
    let mut units = Vec::with_capacity(wanted.len());
    for wished in wanted {
        let open = shipment.map_or(0, |index| order.state.shipments[usize::from(index)].open(wished.line));
        let released = wished.quantity.min(open);
        let pending = (wished.quantity - released).min(order.state.lines[usize::from(wished.line)].pending);
        let excess = wished.quantity - released - pending;
        if released + pending > 0 {
            units.push(DepartedUnits { line: wished.line, released, pending });
        }
        if excess > 0 {
            let value = gross_value(&order.state, Units { quantity: excess, ..*wished });
            let number = order.state.content().lines[usize::from(wished.line)].line;
            let cause =
                format!("{named}: {excess} units of line {number} left beyond what the order had there");
            order.exception(ExceptionKind::DepartedTooMuch, cause, Exposure::minor(value), None);
        }
    }
    units
}

fn gross_value(state: &State, units: Units) -> Minor {
    let line = &state.content().lines[usize::from(units.line)];
    let whole = line.net_minor.saturating_add(line.tax_minor);
    crate::money::prefix_share(whole, units.quantity, line.quantity)
}

fn leave(order: &mut Deciding<'_>, departure: Departure) {
    let goods: Vec<Span> = departure
        .units
        .iter()
        .map(|units| {
            let from = order.state.lines[usize::from(units.line)].departed();
            Content::line_span(usize::from(units.line), from, from + units.released + units.pending)
        })
        .collect();
    let mut charged = goods.clone();
    if order.state.departures.is_empty() {
        charged.extend(order.state.content().fee_spans());
    }
    let index =
        u16::try_from(order.state.departures.len()).expect("an order has fewer departures than units");
    let shipment_id = departure.shipment_id.clone();
    order.emit(Event::Departed(Arc::new(departure)));
    if matches!(order.state.phase, Phase::Committed | Phase::Cancelling) {
        order.emit(Event::Fulfilling);
    }
    erp::departure_due(order, &goods, &charged, &shipment_id);
    charge(order, &charged, index);
    early_delivery(order);
}

/// Captures and finalizations of one departure: sums of its cells. Zero is not sent; the ledger moves all the same.
fn charge(order: &mut Deciding<'_>, charged: &[Span], departure: u16) {
    for tender in (0..order.state.tenders.len()).filter_map(|tender| u16::try_from(tender).ok()) {
        let cells = order.state.cells();
        let amount_minor = charged.iter().map(|span| cells.tender_value(usize::from(tender), *span)).sum();
        if amount_minor > 0 {
            order.intend(Kind::Capture { tender, amount_minor, departure });
        }
    }
    let cells = order.state.cells();
    let points = charged.iter().map(|span| cells.points_count(*span)).sum();
    let value_minor = charged.iter().map(|span| cells.points_value(*span)).sum();
    if points > 0 {
        order.intend(Kind::FinalizePoints { points, value_minor, departure });
    }
}

pub(super) fn delivered(order: &mut Deciding<'_>, fact: &Delivered) {
    let lines = units_of(&order.state, fact.lines.iter());
    let parcel = fact.parcel_id.as_ref().map(Text::as_str);
    let shipment_id = fact.shipment_id.as_str();
    if deliver(order, shipment_id, parcel, &lines) {
        return;
    }
    let of_known = order.state.departures.iter().any(|known| known.is_of(shipment_id, parcel));
    let is_noted = order.state.early_deliveries.iter().any(|early| early.is_of(shipment_id, parcel));
    if !of_known && !is_noted && order.state.early_deliveries.len() < EARLY_DELIVERIES {
        order.emit(Event::DeliveryNoted {
            shipment_id: shipment_id.into(),
            parcel_id: parcel.map(Into::into),
            lines,
        });
    }
}

/// A delivery that overtook its departure is applied with it.
fn early_delivery(order: &mut Deciding<'_>) {
    for early in order.state.early_deliveries.clone() {
        deliver(order, &early.shipment_id, early.parcel_id.as_deref(), &early.lines);
    }
}

/// Delivers what has departed and is not delivered yet; no lines = everything of it. False: there is nothing of it.
fn deliver(order: &mut Deciding<'_>, shipment_id: &str, parcel: Option<&str>, lines: &[Units]) -> bool {
    let mut wanted: Vec<Units> = lines.to_vec();
    let mut parcels = Vec::new();
    for (index, known) in
        order.state.departures.iter().enumerate().filter(|(_, known)| known.is_of(shipment_id, parcel))
    {
        let mut units = Vec::new();
        for open in known.undelivered() {
            let quantity = match wanted.iter_mut().find(|wished| wished.line == open.line) {
                _ if lines.is_empty() => open.quantity,
                Some(wished) => {
                    let taken = wished.quantity.min(open.quantity);
                    wished.quantity -= taken;
                    taken
                }
                None => 0,
            };
            if quantity > 0 {
                units.push(Units { line: open.line, quantity });
            }
        }
        if !units.is_empty() {
            let departure = u16::try_from(index).expect("an order has fewer departures than units");
            parcels.push(DeliveredParcel { departure, units });
        }
    }
    if parcels.is_empty() {
        return false;
    }
    order.emit(Event::Delivered {
        shipment_id: shipment_id.into(),
        parcel_id: parcel.map(Into::into),
        parcels,
    });
    true
}
