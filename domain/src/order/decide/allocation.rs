//! Answers of allocation: which node has which units.

use std::sync::Arc;

use super::advance::allocate;
use super::cancel::out_of_stock;
use super::deciding::{Deciding, Exposure};
use super::matching::answered;
use super::shipment::units_of;
use crate::envelope::Envelope;
use crate::messages::inbound::allocation::{Allocated, Refused, Released};
use crate::order::effect::{Effect, Giveback, Kind, Units};
use crate::order::event::{AllocatedUnits, Event, ExceptionKind};
use crate::order::state::Phase;

pub(super) fn allocated(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Allocated) {
    let Some((effect, asked)) = asked(order, envelope) else { return };
    let rows = known_rows(order, answer);
    let shares = share_out(order, &rows);
    order.emit(Event::Allocated { effect: effect.clone(), allocations: rows });
    for (node, units) in shares.kept {
        plan_shipment(order, node, units);
    }
    give_back(order, shares.back);
    // What was asked for and is not in the answer is refused.
    let omitted = asked.into_iter().filter_map(|units| {
        let quantity = order.state.lines[usize::from(units.line)].pending.min(units.quantity);
        (quantity > 0).then_some(Units { quantity, ..units })
    });
    let omitted: Vec<Units> = omitted.collect();
    out_of_stock(order, &omitted);
}

pub(super) fn refused(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Refused) {
    let Some((effect, asked)) = asked(order, envelope) else { return };
    let pending = |line: u16| order.state.lines[usize::from(line)].pending;
    let named = units_of(&order.state, answer.lines.iter());
    let named =
        named.into_iter().map(|units| Units { quantity: units.quantity.min(pending(units.line)), ..units });
    let mut refused: Vec<Units> = named.filter(|units| units.quantity > 0).collect();
    if refused.is_empty() {
        // It names nothing that still waits: were the rest asked for again, this could go on for ever.
        let all = asked
            .into_iter()
            .map(|units| Units { quantity: units.quantity.min(pending(units.line)), ..units });
        refused = all.filter(|units| units.quantity > 0).collect();
    }
    order.emit(Event::AllocationRefused { effect, lines: refused.clone(), code: answer.code.share() });
    out_of_stock(order, &refused);
    allocate(order);
}

pub(super) fn released(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Released) {
    let fits = |kind: &Kind| matches!(kind, Kind::ReleaseAllocation { .. });
    let same = |effect: &Effect| match &effect.kind {
        Kind::ReleaseAllocation { releases } => releases.iter().all(|asked| {
            answer.releases.iter().any(|told| told.allocation_ref.as_str() == &*asked.allocation_ref)
        }),
        _ => false,
    };
    let Some(effect) = answered(order, envelope, fits, same) else { return };
    let Kind::ReleaseAllocation { releases } = effect.kind else { return };
    order.emit(Event::AllocationReleased { effect: effect.id, releases });
}

/// Units of allocations that are not needed go back.
pub(super) fn give_back(order: &mut Deciding<'_>, releases: Vec<Giveback>) {
    if !releases.is_empty() {
        order.intend(Kind::ReleaseAllocation { releases });
    }
}

fn asked(order: &mut Deciding<'_>, envelope: &Envelope) -> Option<(Arc<str>, Vec<Units>)> {
    let effect = answered(order, envelope, |kind| matches!(kind, Kind::Allocate { .. }), |_| true)?;
    match effect.kind {
        Kind::Allocate { lines } => Some((effect.id, lines)),
        _ => None,
    }
}

/// The rows of the answer with our line indexes. A line that the order does not have is told to a person.
fn known_rows(order: &mut Deciding<'_>, answer: &Allocated) -> Vec<AllocatedUnits> {
    let mut rows = Vec::with_capacity(answer.allocations.len());
    for row in &answer.allocations {
        let index =
            order.state.content().line_index(row.line.get()).and_then(|index| u16::try_from(index).ok());
        let Some(line) = index else {
            let cause = format!(
                "allocation {} is for line {}, which the order does not have",
                row.allocation_ref.as_str(),
                row.line.get()
            );
            order.exception(ExceptionKind::UnknownValue, cause, Exposure::NONE, None);
            continue;
        };
        rows.push(AllocatedUnits {
            allocation_ref: row.allocation_ref.share(),
            line,
            quantity: row.quantity.get(),
            node: row.node.share(),
        });
    }
    rows
}

/// What becomes of allocated units.
pub(super) struct Shares {
    /// To be released, by node in the order of the answer.
    pub(super) kept: Vec<(Arc<str>, Vec<AllocatedUnits>)>,
    /// Not needed any more.
    back: Vec<Giveback>,
}

/// Units that have departed already use up their allocation first; then those that wait; the rest goes back.
pub(super) fn share_out(order: &Deciding<'_>, rows: &[AllocatedUnits]) -> Shares {
    let mut ahead: Vec<u32> = order.state.lines.iter().map(|line| line.ahead).collect();
    let mut pending: Vec<u32> = order.state.lines.iter().map(|line| line.pending).collect();
    let mut shares = Shares { kept: Vec::new(), back: Vec::new() };
    for row in rows {
        let line = usize::from(row.line);
        let used = row.quantity.min(ahead[line]);
        ahead[line] -= used;
        let kept = (row.quantity - used).min(pending[line]);
        pending[line] -= kept;
        let back = row.quantity - used - kept;
        if kept > 0 {
            let unit = AllocatedUnits { quantity: kept, ..row.clone() };
            match shares.kept.iter_mut().find(|(node, _)| *node == row.node) {
                Some((_, units)) => units.push(unit),
                None => shares.kept.push((row.node.clone(), vec![unit])),
            }
        }
        if back > 0 {
            shares.back.push(Giveback {
                allocation_ref: row.allocation_ref.clone(),
                line: row.line,
                quantity: back,
            });
        }
    }
    shares
}

pub(super) fn plan_shipment(order: &mut Deciding<'_>, node: Arc<str>, units: Vec<AllocatedUnits>) {
    order.emit(Event::ShipmentPlanned { node, units });
    if order.state.phase == Phase::Committed {
        order.emit(Event::Fulfilling);
    }
    let shipment =
        u16::try_from(order.state.shipments.len() - 1).expect("an order has fewer shipments than units");
    order.intend(Kind::ReleaseShipment { shipment });
}
