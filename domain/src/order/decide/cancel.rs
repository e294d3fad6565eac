//! `order.cancel`, whole or by units, and everything else that ends with units that will not leave.

use super::allocation::give_back;
use super::deciding::Deciding;
use super::{demand, erp, submit};
use crate::decider::Answer;
use crate::messages::inbound::order::Cancel;
use crate::order::effect::{Giveback, Kind, Units};
use crate::order::event::{CancelCause, CancelledFrom, Event};
use crate::order::state::{Phase, State};
use crate::reason::{Code, Reason};

pub(super) fn cancel(order: &mut Deciding<'_>, wish: &Cancel) -> Result<Answer, Reason> {
    let units = wished_units(&order.state, wish)?;
    match order.state.phase {
        Phase::Unborn | Phase::Received | Phase::Reserving => before_commit(order, wish, units),
        Phase::Committed | Phase::Fulfilling if units.is_empty() => whole(order, wish),
        Phase::Committed | Phase::Fulfilling => some_units(order, &units),
        Phase::Cancelling | Phase::Cancelled => Ok(Answer::Accepted),
        Phase::Rejected if is_rejected_by_customer(&order.state) => Ok(Answer::Accepted),
        Phase::Completed | Phase::Rejected => Err(not_cancellable(&order.state)),
    }
}

fn is_rejected_by_customer(state: &State) -> bool {
    matches!(&state.outcome, Some((_, Some(reason))) if reason.code == Code::CancelledByCustomer)
}

fn not_cancellable(state: &State) -> Reason {
    Reason::new(
        Code::NotCancellable,
        format!("the order is {} and has no unit left that could be cancelled", state.phase.as_str()),
    )
}

/// The units that are named, each line once; empty = the whole order.
fn wished_units(state: &State, wish: &Cancel) -> Result<Vec<Units>, Reason> {
    let mut units: Vec<Units> = Vec::with_capacity(wish.lines.len());
    for named in &wish.lines {
        let number = named.line.get();
        let index = state.content().line_index(number).and_then(|index| u16::try_from(index).ok());
        let Some(line) = index else {
            return Err(Reason::new(
                Code::Validation,
                format!("/lines names line {number}, which the order does not have"),
            ));
        };
        match units.iter_mut().find(|known| known.line == line) {
            Some(known) => known.quantity = known.quantity.saturating_add(named.quantity.get()),
            None => units.push(Units { line, quantity: named.quantity.get() }),
        }
    }
    Ok(units)
}

/// Before the commit a whole cancel rejects at once; single units are noted and taken off with the commit.
fn before_commit(order: &mut Deciding<'_>, wish: &Cancel, units: Vec<Units>) -> Result<Answer, Reason> {
    for wished in &units {
        let line = order.state.lines[usize::from(wished.line)];
        within(&order.state, *wished, line.pending - line.noted)?;
    }
    let takes_all = order.state.lines.iter().enumerate().all(|(index, line)| {
        let wished =
            units.iter().find(|units| usize::from(units.line) == index).map_or(0, |units| units.quantity);
        line.noted + wished == line.pending
    });
    if units.is_empty() || takes_all {
        let message = format!("cancelled on request before it was committed: {}", wish.reason.as_str());
        submit::reject(order, Reason::new(Code::CancelledByCustomer, message));
    } else {
        order.emit(Event::CancelNoted { lines: units });
    }
    Ok(Answer::Accepted)
}

fn within(state: &State, wished: Units, most: u32) -> Result<(), Reason> {
    if wished.quantity <= most {
        return Ok(());
    }
    let number = state.content().lines[usize::from(wished.line)].line;
    let message =
        format!("line {number}: {} units to cancel, {most} can still be cancelled", wished.quantity);
    Err(Reason::new(Code::NotCancellable, message))
}

/// Units of a line with a node that nobody has asked back yet, by shipment.
fn askable(state: &State, line: u16) -> Vec<(u16, u32)> {
    (0..state.shipments.len())
        .filter_map(|index| u16::try_from(index).ok())
        .map(|shipment| {
            let open = state.shipments[usize::from(shipment)].open(line);
            (shipment, open.saturating_sub(state.cancel_asked(shipment, line)))
        })
        .filter(|(_, quantity)| *quantity > 0)
        .collect()
}

fn whole(order: &mut Deciding<'_>, wish: &Cancel) -> Result<Answer, Reason> {
    let everything: Vec<Units> = super::advance::units(&order.state, |line| line.pending + line.released);
    if everything.is_empty() {
        return Err(not_cancellable(&order.state));
    }
    if order.state.cancel_reason.is_none() {
        order.emit(Event::CancelWished { reason: wish.reason.as_str().into() });
    }
    if !order.state.any_departed() {
        order.emit(Event::Cancelling);
    }
    let with_nodes: Vec<(u16, Units)> = everything
        .iter()
        .flat_map(|units| {
            let shares = askable(&order.state, units.line).into_iter();
            shares.map(|(shipment, quantity)| (shipment, Units { line: units.line, quantity }))
        })
        .collect();
    let pending = super::advance::units(&order.state, |line| line.pending);
    pending_units(order, &pending);
    ask_nodes(order, with_nodes);
    Ok(Answer::Accepted)
}

/// Units without a node first, then those that a node has to give back, the last shipment first.
fn some_units(order: &mut Deciding<'_>, units: &[Units]) -> Result<Answer, Reason> {
    let mut at_once = Vec::new();
    let mut with_nodes = Vec::new();
    for wished in units {
        let pending = order.state.lines[usize::from(wished.line)].pending;
        let shares = askable(&order.state, wished.line);
        within(&order.state, *wished, pending + shares.iter().map(|(_, quantity)| quantity).sum::<u32>())?;
        let mut left = wished.quantity;
        let now = left.min(pending);
        if now > 0 {
            at_once.push(Units { line: wished.line, quantity: now });
        }
        left -= now;
        for (shipment, open) in shares.into_iter().rev() {
            let quantity = left.min(open);
            if quantity > 0 {
                with_nodes.push((shipment, Units { line: wished.line, quantity }));
            }
            left -= quantity;
        }
    }
    pending_units(order, &at_once);
    ask_nodes(order, with_nodes);
    Ok(Answer::Accepted)
}

/// One question for each shipment.
fn ask_nodes(order: &mut Deciding<'_>, mut wanted: Vec<(u16, Units)>) {
    wanted.sort_by_key(|(shipment, units)| (*shipment, units.line));
    for group in wanted.chunk_by(|(left, _), (right, _)| left == right) {
        let lines = group.iter().map(|(_, units)| *units).collect();
        order.intend(Kind::CancelShipment { shipment: group[0].0, lines });
    }
}

/// Units that have no node are cancelled at once.
pub(super) fn pending_units(order: &mut Deciding<'_>, lines: &[Units]) {
    units_cancelled(order, CancelledFrom::Pending, CancelCause::Customer, lines);
}

/// Units that no node has are cancelled.
pub(super) fn out_of_stock(order: &mut Deciding<'_>, lines: &[Units]) {
    units_cancelled(order, CancelledFrom::Pending, CancelCause::OutOfStock, lines);
}

/// Units that a node gave back are cancelled; their allocations go back.
pub(super) fn from_shipment(order: &mut Deciding<'_>, shipment: u16, lines: &[Units]) {
    let before: Vec<u32> = cancelled_by_row(&order.state, shipment);
    units_cancelled(order, CancelledFrom::Shipment(shipment), CancelCause::Customer, lines);
    let rows = order.state.shipments[usize::from(shipment)].rows.iter().zip(before);
    let releases = rows.filter(|(row, before)| row.cancelled > *before).map(|(row, before)| Giveback {
        allocation_ref: row.allocation_ref.clone(),
        line: row.line,
        quantity: row.cancelled - before,
    });
    let releases = releases.collect();
    // What our own stock has given is derived from what is needed: see `supply`.
    if order.state.content().is_allocated_outside() {
        give_back(order, releases);
    }
}

fn cancelled_by_row(state: &State, shipment: u16) -> Vec<u32> {
    state.shipments[usize::from(shipment)].rows.iter().map(|row| row.cancelled).collect()
}

fn units_cancelled(order: &mut Deciding<'_>, from: CancelledFrom, cause: CancelCause, lines: &[Units]) {
    if lines.is_empty() {
        return;
    }
    order.emit(Event::UnitsCancelled { from, cause, lines: lines.to_vec() });
    demand::cancelled(order, lines);
    erp::taken_away_due(order, lines);
}
