//! What befalls an order. A refusal is written into the order itself, so that a simulator needs to know nothing else.

use crate::contract::LineQuantity;

/// Words in a `sku` that tell the allocation simulator what to do.
pub mod sku {
    /// Every unit is out of stock.
    pub const OUT_OF_STOCK: &str = "OUT-";
    /// Only half of the units are there.
    pub const SHORT: &str = "SHORT-";
}

/// Words in tokens and member ids that tell the payment and loyalty simulators what to do.
pub mod token {
    /// The card is declined.
    pub const DECLINED: &str = "tok_declined_";
    /// The card is good for one minor unit less than asked.
    pub const SHORT: &str = "tok_short_";
    /// The member has not enough points.
    pub const POOR_MEMBER: &str = "m-poor-";
}

/// What befalls an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: it is delivered whole.
    Smooth,
    /// The points are refused.
    PointsRefused,
    /// A card is declined.
    CardDeclined,
    /// A card is authorized for less than asked.
    CardShort,
    /// Its total is wrong.
    WrongTotal,
    /// Nothing is in stock.
    NothingInStock,
    /// Some lines are out of stock.
    LinesOutOfStock,
    /// Some units of a line are out of stock.
    UnitsOutOfStock,
    /// It is cancelled by the customer, in whole or in part.
    Cancelled,
}

/// Which ends of an order are legal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ends {
    /// `completed`
    pub completed: bool,
    /// `cancelled`
    pub cancelled: bool,
    /// `rejected`
    pub rejected: bool,
}

impl Ends {
    /// Only `completed`.
    pub const COMPLETED: Self = Self { completed: true, cancelled: false, rejected: false };
    /// Only `cancelled`.
    pub const CANCELLED: Self = Self { completed: false, cancelled: true, rejected: false };
    /// Only `rejected`.
    pub const REJECTED: Self = Self { completed: false, cancelled: false, rejected: true };
    /// All three: the race decides.
    pub const ANY: Self = Self { completed: true, cancelled: true, rejected: true };
    /// It was committed, so it cannot be rejected.
    pub const COMMITTED: Self = Self { completed: true, cancelled: true, rejected: false };
}

/// When a wish is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the submit: it overtakes it.
    BeforeSubmit,
    /// Right after the submit.
    WithSubmit,
    /// Once what somebody wants to hold is held, or cannot be.
    Held,
    /// Once the order is committed.
    Committed,
    /// Once a node has units of it.
    AtNode,
}

/// A wish of the customer to cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// When.
    pub moment: Moment,
    /// Which units; none = the whole order.
    pub lines: Vec<LineQuantity>,
}
