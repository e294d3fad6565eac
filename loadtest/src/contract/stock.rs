//! Bodies of what shops, warehouses and the ERP send about stock.

use serde::Serialize;
use serde_json::{Value, json};

/// The body of `reservation.hold`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct Hold {
    pub reservation_id: String,
    pub lines: Vec<HoldLine>,
    pub ttl_ms: u32,
}

/// Some units that shall be held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct HoldLine {
    pub line: u32,
    pub sku: String,
    pub quantity: u32,
}

/// The body of `reservation.release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct ReservationRelease {
    pub reservation_id: String,
    pub reason: String,
}

/// What a warehouse or the ERP says of an item at a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockFact {
    /// What.
    pub sku: String,
    /// Where.
    pub node: String,
    /// Names the fact: it counts once.
    pub movement_id: String,
    /// What is said.
    pub said: Said,
    /// It happened before the last count, so that the count has it.
    pub is_late: bool,
}

/// What is said of an item at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// So many units were there.
    Counted {
        /// Units.
        on_hand: u32,
        /// Units that are never sold.
        safety: u32,
        /// Units that may be sold beyond what is there.
        oversell_cap: u32,
    },
    /// Units came in.
    Received(u32),
    /// Units were found, or lost if it is negative.
    Adjusted(i32),
}

/// When everything was counted.
const COUNTED_AT: &str = "2026-11-27T06:00:00Z";
/// When late facts happened.
pub const BEFORE_THE_COUNT: &str = "2026-11-27T05:00:00Z";

impl StockFact {
    /// The key of the cell: `<sku>~<node>`.
    pub fn cell(&self) -> String {
        format!("{}~{}", self.sku, self.node)
    }

    /// The name token of its subject.
    pub const fn name(&self) -> &'static str {
        match self.said {
            Said::Counted { .. } => "baseline",
            Said::Received(_) => "received",
            Said::Adjusted(_) => "adjusted",
        }
    }

    /// The body.
    pub fn body(&self) -> Value {
        let mut body = json!({ "sku": self.sku, "node": self.node, "movement_id": self.movement_id });
        let more = match self.said {
            Said::Counted { on_hand, safety, oversell_cap } => json!({
                "on_hand": on_hand, "safety": safety, "oversell_cap": oversell_cap, "as_of": COUNTED_AT
            }),
            Said::Received(quantity) => json!({ "quantity": quantity }),
            Said::Adjusted(delta) => json!({ "delta": delta, "reason": "cycle count" }),
        };
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        body
    }
}
