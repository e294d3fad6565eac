//! Wishes about an order.

use crate::ids::Key;
use crate::messages::inbound::MaybeLineQuantities;
use crate::messages::record::record;
use crate::messages::text::{Remark, Text};

record! {
    /// `order.cancel`: stop the order, or some units of it.
    pub struct Cancel {
        /// The order.
        pub order_id: Key,
        /// What to cancel; empty = the whole order.
        pub lines: MaybeLineQuantities,
        /// Why.
        pub reason: Remark,
        /// Who wants it, `customer` for example.
        pub requested_by: Option<Text>,
    }
}
