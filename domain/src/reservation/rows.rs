//! The units of a reservation as they stand in letters, events and the view.

use serde::Serialize;

use super::content::Line;
use super::effect::Units;
use super::state::{Claim, State, Target};
use crate::messages::outbound::commands::SkuQuantity;
use crate::messages::outbound::reservations::UnitsAtNode;
use crate::time::Timestamp;

/// Units that wait for stock, in a letter.
#[derive(Debug, Serialize)]
pub(super) struct WaitingUnits<'a> {
    pub(super) line: u32,
    pub(super) sku: &'a str,
    pub(super) quantity: u32,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) promised_at: Option<Timestamp>,
}

impl State {
    /// The line and node of a claim on a cell.
    pub(super) fn cell<'a>(&'a self, claim: &'a Claim) -> Option<(&'a Line, &'a str)> {
        match &claim.target {
            Target::Cell { line, node } => Some((self.content().line(*line), node)),
            Target::Counter(_) => None,
        }
    }

    /// Units that stand at a node, or stood there until they left.
    pub(super) fn placed(&self) -> Vec<UnitsAtNode<'_>> {
        let placed = self.claims.iter().filter(|claim| claim.state.is_held() || claim.consumed > 0);
        let rows = placed.filter_map(|claim| {
            let (line, node) = self.cell(claim)?;
            let quantity = claim.open + claim.consumed;
            Some(UnitsAtNode { line: line.line, sku: &line.sku, node, quantity })
        });
        rows.filter(|row| row.quantity > 0).collect()
    }

    /// Units that wait for stock: in a queue, or noted for when they are sold, or parked.
    pub(super) fn waiting(&self) -> Vec<WaitingUnits<'_>> {
        let queued = self
            .claims
            .iter()
            .filter(|claim| claim.waits_since.is_some() && !claim.state.is_held() && !claim.state.is_over());
        let queued = queued.filter_map(|claim| {
            let (line, _) = self.cell(claim)?;
            let (quantity, promised_at) = (claim.open, claim.promised_at);
            Some(WaitingUnits { line: line.line, sku: &line.sku, quantity, promised_at })
        });
        let noted = self.missing.iter().map(|missing| {
            let line = self.content().line(missing.line);
            WaitingUnits { line: line.line, sku: &line.sku, quantity: missing.quantity, promised_at: None }
        });
        queued.chain(noted).filter(|row| row.quantity > 0).collect()
    }

    /// Units with the number and sku of their line.
    pub(super) fn named(&self, units: &[Units]) -> Vec<SkuQuantity<'_>> {
        let rows = units.iter().map(|units| {
            let line = self.content().line(units.line);
            SkuQuantity { line: line.line, sku: &line.sku, quantity: units.quantity }
        });
        rows.collect()
    }
}
