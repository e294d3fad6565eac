//! Whoever plans stock is told what was sold, line by line, and what of it was cancelled again.

use super::advance::units;
use super::deciding::Deciding;
use crate::order::effect::Units;
use crate::order::event::{DemandChange, Event};
use crate::order::state::LineUnits;

/// The order has committed. Whoever allocates outside sees the demand himself, so that it need not be told for him can be configured.
pub(super) fn committed(order: &mut Deciding<'_>) {
    let told =
        !order.state.content().is_allocated_outside() || order.context.policies.stock.signal_external_demand;
    if told {
        let sold = units(&order.state, LineUnits::live);
        signal(order, &sold, 1);
    }
}

/// Units were cancelled after they were told as sold.
pub(super) fn cancelled(order: &mut Deciding<'_>, lines: &[Units]) {
    let signalled = order.state.stock.as_ref().is_some_and(|stock| stock.signalled);
    if order.state.demand_told || signalled {
        signal(order, lines, -1);
    }
}

fn signal(order: &mut Deciding<'_>, lines: &[Units], sign: i64) {
    let change = |units: &Units| DemandChange { line: units.line, units: sign * i64::from(units.quantity) };
    let lines: Vec<DemandChange> = lines.iter().map(change).collect();
    if !lines.is_empty() {
        order.emit(Event::DemandSignalled { lines });
    }
}
