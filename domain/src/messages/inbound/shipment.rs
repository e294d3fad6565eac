//! What warehouses and stores answer and report.

use crate::ids::Key;
use crate::messages::inbound::{LineQuantities, MaybeLineQuantities};
use crate::messages::record::record;
use crate::messages::text::{Moment, Text};

record! {
    /// `shipment.accepted`: the node will ship it.
    pub struct Accepted {
        /// The order.
        pub order_id: Key,
        /// What we released to the node.
        pub shipment_id: Text,
        /// The node.
        pub node: Text,
    }
}

record! {
    /// `shipment.rejected`: the node will not ship it.
    pub struct Rejected {
        /// The order.
        pub order_id: Key,
        /// What we released to the node.
        pub shipment_id: Text,
        /// The node.
        pub node: Text,
        /// Which units.
        pub lines: LineQuantities,
        /// The node's own code.
        pub code: Text,
    }
}

record! {
    /// `shipment.cancel_accepted` and `shipment.cancel_rejected`: the node keeps these units back, or cannot any more.
    pub struct CancelAnswer {
        /// The order.
        pub order_id: Key,
        /// What we released to the node.
        pub shipment_id: Text,
        /// Which units.
        pub lines: LineQuantities,
    }
}

record! {
    /// `shipment.departed`: a parcel left the node.
    pub struct Departed {
        /// The order.
        pub order_id: Key,
        /// What we released to the node.
        pub shipment_id: Text,
        /// Tells the parcels of one shipment apart.
        pub parcel_id: Option<Text>,
        /// The node.
        pub node: Text,
        /// Who carries it.
        pub carrier: Option<Text>,
        /// The carrier's number of the parcel.
        pub tracking: Option<Text>,
        /// What is in it.
        pub lines: LineQuantities,
        /// When it left.
        pub departed_at: Moment,
        /// When the node noticed.
        pub occurred_at: Option<Moment>,
    }
}

record! {
    /// `shipment.delivered`: a parcel reached the customer.
    pub struct Delivered {
        /// The order.
        pub order_id: Key,
        /// What we released to the node.
        pub shipment_id: Text,
        /// Which parcel.
        pub parcel_id: Option<Text>,
        /// What was in it; empty = all of the parcel, or of the shipment.
        pub lines: MaybeLineQuantities,
        /// When it arrived.
        pub delivered_at: Moment,
        /// When the carrier noticed.
        pub occurred_at: Option<Moment>,
    }
}
