//! Nodes are chosen for units, with what the cells that refused have said.

use std::sync::Arc;

use super::deciding::Deciding;
use crate::letter::Board;
use crate::reservation::effect::Units;
use crate::reservation::event::Event;
use crate::reservation::state::RefusedCell;
use crate::sourcing::{Ask, Availability, Supply, Wanted};
use crate::stock::Posted;

/// Cells as they are known here: what they posted, corrected by what they answered.
struct Cells<'a> {
    board: &'a dyn Board<Posted>,
    refused: &'a [RefusedCell],
    /// Enough was tried: nothing is there any more, units can only wait.
    is_tried_out: bool,
}

impl Supply for Cells<'_> {
    fn look(&self, sku: &str, node: &str, promotion: Option<&str>) -> Option<Availability> {
        let posted = self.board.look("stock", &format!("{sku}~{node}"))?;
        let refused = self.refused.iter().find(|cell| cell.is(sku, node, promotion));
        let most = if self.is_tried_out { 0 } else { refused.map_or(u32::MAX, |cell| cell.available) };
        Some(Availability { available: posted.available_under(promotion).min(most), is_stale: posted.stale })
    }
}

/// Chooses nodes for units that have none; `again` = after a cell refused them.
pub(super) fn source(of: &mut Deciding<'_>, units: &[Units], again: bool) {
    let (state, policies) = (&of.state, of.context.policies);
    let content = state.content();
    let lines = units.iter().map(|units| {
        let line = content.line(units.line);
        Wanted {
            line: units.line,
            sku: &line.sku,
            quantity: units.quantity,
            node: line.node.as_deref(),
            promotion: line.promotion.as_deref(),
        }
    });
    let lines: Vec<Wanted<'_>> = lines.collect();
    let closed = state.refused_cells.iter().filter(|cell| cell.is_closed);
    let excluded: Vec<(Arc<str>, Arc<str>)> =
        closed.map(|cell| (Arc::clone(&cell.sku), Arc::clone(&cell.node))).collect();
    let asked = &content.asked;
    let ask = Ask {
        lines: &lines,
        region: asked.region.as_deref(),
        channel: asked.channel.as_deref(),
        pickup_node: asked.pickup_node.as_deref(),
        split_limit: asked.split_limit,
        excluded: &excluded,
        used: &state.used_nodes(),
        backorder: asked.backorder,
    };
    let cells = Cells {
        board: of.context.board,
        refused: &state.refused_cells,
        is_tried_out: again && state.tries >= policies.tries_most,
    };
    let plan = crate::sourcing::source(&ask, &cells, &policies.reference, &policies.sourcing);
    let record = Arc::new(plan.record);
    of.emit(Event::Sourced { again, rows: plan.rows, short: plan.short, record });
}
