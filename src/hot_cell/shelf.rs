//! One node, and what is on its shelf: the messages that make it.

use bus::layout::Layout;
use bus::ports::Outgoing;
use bytes::Bytes;
use domain::envelope::{Headers, Plane};
use serde_json::json;

/// The node that has everything.
pub(super) const NODE: &str = "n-1";

/// The reference data of the node.
pub(super) fn node(layout: &Layout) -> Outgoing {
    let node = json!({"kind": "warehouse", "region": "DE-BE", "capacity_per_day": 1_000_000, "sla_hours": 24,
                      "cost_minor": 390, "pickup": false, "active": true});
    let subject = layout.reference(format!("node.{NODE}"));
    Outgoing { subject, headers: Headers::new(), body: Bytes::from(node.to_string()) }
}

/// Somebody counted so many units of an item there.
pub(super) fn count(layout: &Layout, sku: &str, units: u32) -> Outgoing {
    let body = json!({"sku": sku, "node": NODE, "on_hand": units, "movement_id": "count-1", "as_of": "2026-11-27T06:00:00Z"});
    let subject = layout.inbound(Plane::Fact, "main", "stock", "baseline", cell(sku));
    let headers = Headers::new().with("ce-id", format!("count-{sku}")).with("ce-source", "/shelf");
    Outgoing { subject, headers, body: Bytes::from(body.to_string()) }
}

/// The key of the cell.
pub(super) fn cell(sku: &str) -> String {
    format!("{sku}~{NODE}")
}
