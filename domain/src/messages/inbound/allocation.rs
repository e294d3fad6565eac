//! Answers of who decides which node ships what.

use crate::ids::Key;
use crate::messages::inbound::LineQuantities;
use crate::messages::leaf::{LineNumber, Quantity};
use crate::messages::record::record;
use crate::messages::shape::List;
use crate::messages::text::{Remark, Text};

/// The most allocations or releases in one answer: an order of 500 lines, each spread over a few nodes.
pub const MOST_ALLOCATIONS: usize = 4000;

record! {
    /// Units of a line that one node will ship.
    pub struct AllocationRow {
        /// Names this allocation when it is given back.
        pub allocation_ref: Text,
        /// Which line.
        pub line: LineNumber,
        /// What it is.
        pub sku: Text,
        /// How many units.
        pub quantity: Quantity,
        /// The node.
        pub node: Text,
    }
}

record! {
    /// `allocation.allocated`: these units have a node; what was asked for and is not here is refused.
    pub struct Allocated {
        /// The order.
        pub order_id: Key,
        /// Which units at which node.
        pub allocations: List<AllocationRow, 1, MOST_ALLOCATIONS>,
    }
}

record! {
    /// `allocation.refused`: none of these units can be shipped.
    pub struct Refused {
        /// The order.
        pub order_id: Key,
        /// Which units.
        pub lines: LineQuantities,
        /// The participant's own code.
        pub code: Text,
        /// In words.
        pub message: Option<Remark>,
    }
}

record! {
    /// Units of an allocation that are given back.
    pub struct ReleaseRow {
        /// The allocation.
        pub allocation_ref: Text,
        /// Its line.
        pub line: LineNumber,
        /// How many of its units.
        pub quantity: Quantity,
    }
}

record! {
    /// `allocation.released`: these units are free again.
    pub struct Released {
        /// The order.
        pub order_id: Key,
        /// Which units.
        pub releases: List<ReleaseRow, 1, MOST_ALLOCATIONS>,
    }
}
