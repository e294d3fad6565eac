//! What others send: one type for each message, with the fields of the contract.

pub mod allocation;
pub mod erp;
pub mod loyalty;
pub mod order;
pub mod payment;
pub mod reservation;
pub mod shipment;
pub mod stock;

mod failed;
mod submit;

pub use failed::{Failed, FailureClass};
pub use submit::{
    Accrual, Customer, Fee, Fulfillment, FulfillmentPolicy, Line, Lines, Promotion, Redemption, References,
    Submit, Tender,
};

use crate::messages::leaf::{LineNumber, Quantity};
use crate::messages::record::record;
use crate::messages::shape::List;

/// The most lines that an order may have.
pub const MOST_LINES: usize = 500;

record! {
    /// Some units of a line.
    pub struct LineQuantity {
        /// Which line.
        pub line: LineNumber,
        /// How many units of it.
        pub quantity: Quantity,
    }
}

/// Units of at least one line.
pub type LineQuantities = List<LineQuantity, 1, MOST_LINES>;
/// Units of lines; empty or missing means all that it can be about.
pub type MaybeLineQuantities = List<LineQuantity, 0, MOST_LINES>;
