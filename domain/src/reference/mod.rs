//! Reference data: what all entities need and no one entity owns. Its owners write it, one value for each node, item, promotion
//! and coupon; decisions see one immutable snapshot of it.
//!
//! Reading order: [`values`] (what each value says), [`snapshot`] (all of them at one revision).

pub mod snapshot;
pub mod values;

pub use snapshot::{Reference, Subject};
pub use values::{Coupon, Item, Limits, Node, NodeKind, Promotion};
