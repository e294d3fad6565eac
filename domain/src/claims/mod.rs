//! Claims: who holds how much of something that is limited, until it is consumed or given back.
//!
//! ```text
//!            take            harden             consume
//!   (none) --------> soft ------------> hard ------------> consumed
//!                     \------ give back ------/
//! ```
//!
//! The engine of stock cells (units of a SKU at a node) and of counters (uses and money of a promotion or a coupon). It keeps what is
//! live and the sums of it, and remembers what was done to each claim while it lives. How much there is to be claimed, and what a
//! refusal is called, its owner knows.
//!
//! Reading order: [`amount`], [`mark`] (how a repetition is recognised), [`claim`] (one of them), [`book`] (all of them), [`letters`] (how they are
//! asked for).

pub mod amount;
pub mod book;
pub mod claim;
pub mod letters;
pub mod mark;

pub use amount::Amount;
pub use book::Book;
pub use claim::{Claim, Side};
pub use mark::{Mark, Marks};
