//! Seeded orders: what is bought, how it is paid, what goes wrong, and which ends are then legal.

mod fate;
mod mix;
mod plan;
mod publisher;
mod stopwatch;

pub use fate::{Ends, Fate, Moment, Wish, sku, token};
pub use mix::Mix;
pub use plan::{Plan, Planned, worked_example};
pub use publisher::{Pace, Publisher};
pub use stopwatch::{Latency, Stopwatch};
