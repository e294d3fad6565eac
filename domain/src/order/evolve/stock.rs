//! How events change what reservations hold for the order.

use super::settle;
use crate::order::effect::{Kind, Units, UnitsAt};
use crate::order::event::Event;
use crate::order::state::State;
use crate::order::stock::Stage;

/// A letter was decided. A release cannot fail and a departure has happened, so both count from now on.
pub(super) fn intended(state: &mut State, kind: &Kind) {
    match kind {
        Kind::HoldStock(asked) => state.stock_mut().asked(asked),
        Kind::AttachReservation { .. } => {
            let supply = state.content().supply.as_ref();
            if let Some(id) = supply.and_then(|supply| supply.reservation_id.clone()) {
                state.stock_mut().attached(id);
            }
        }
        Kind::CommitReservation { reservation } => state.stock_mut().moves(*reservation, Stage::Committing),
        Kind::ConsumeStock { reservation, .. } if !state.is_of_goods(*reservation) => {
            state.stock_mut().moves(*reservation, Stage::Ending);
        }
        Kind::ConsumeStock { reservation, departure } => {
            let departure = std::sync::Arc::clone(&state.departures[usize::from(*departure)].departure);
            let units = departure.units.iter();
            let units = units.map(|left| Units { line: left.line, quantity: left.released + left.pending });
            state.stock_mut().left(*reservation, &departure.node, units);
        }
        Kind::ReleaseStock { reservation, all, last, lines } => {
            state.stock_mut().gives_back(*reservation, *all || *last, lines);
        }
        _ => {}
    }
}

/// Absorbs what a reservation said, and what was told of the demand.
pub(super) fn evolve(state: &mut State, event: &Event) {
    match event {
        Event::StockHeld { effect, reservation, lines, backordered } => {
            let asked = settle(state, effect);
            let is_hard = matches!(asked, Some(Kind::HoldStock(asked)) if asked.hard);
            let reached = if is_hard { Stage::Allocated } else { Stage::Held };
            state.stock_mut().holds(*reservation, reached, lines, backordered);
            if is_hard {
                allocated(state, *reservation, lines);
            }
        }
        Event::StockCommitted { effect, reservation, lines, backordered } => {
            settle(state, effect);
            state.stock_mut().holds(*reservation, Stage::Allocated, lines, backordered);
            allocated(state, *reservation, lines);
        }
        Event::StockRefused { effect, reservation, .. } => {
            settle(state, effect);
            let stock = state.stock_mut();
            stock.moves(*reservation, Stage::Refused);
            // No allocation comes for what left meanwhile; the next reservation is for other units.
            if stock.reservations.get(usize::from(*reservation)).is_some_and(|refused| refused.goods) {
                state.lines.iter_mut().for_each(|line| line.ahead = 0);
            }
        }
        Event::StockFound { reservation, allocation_id, lines } => {
            state.stock_mut().found(*reservation, allocation_id, lines);
            allocated(state, *reservation, lines);
        }
        Event::StockGivenUp { reservation, allocation_id, lines } => {
            state.stock_mut().gave_up(*reservation, allocation_id, lines);
            for units in lines {
                let line = &mut state.lines[usize::from(units.line)];
                line.backordered -= line.backordered.min(units.quantity);
            }
        }
        Event::StockConsumed { effect } => {
            if let Some(Kind::ConsumeStock { reservation, .. }) = settle(state, effect)
                && !state.is_of_goods(reservation)
            {
                state.stock_mut().moves(reservation, Stage::Ended);
            }
        }
        Event::StockReleased { effect, .. } => {
            if let Some(Kind::ReleaseStock { reservation, all, last, .. }) = settle(state, effect)
                && (all || last)
            {
                state.stock_mut().moves(reservation, Stage::Ended);
            }
        }
        Event::DemandSignalled { .. } if state.stock.is_none() => state.demand_told = true,
        Event::DemandSignalled { .. } => state.stock_mut().signalled = true,
        _ => {}
    }
}

/// Units have a node: those that left before use up their allocation first. What else is without one waits for stock.
fn allocated(state: &mut State, reservation: u16, rows: &[UnitsAt]) {
    for row in rows {
        let line = &mut state.lines[usize::from(row.line)];
        line.ahead -= line.ahead.min(row.quantity);
    }
    let Some(stock) = state.stock.clone() else { return };
    let Some(known) = stock.reservations.get(usize::from(reservation)).filter(|known| known.goods) else {
        return;
    };
    for (line, number) in state.lines.iter_mut().zip(0..) {
        line.backordered = known.waits(number).min(line.pending);
    }
}
