//! Seeded orders: what is bought, how it is paid, what goes wrong, and which ends are then legal.

mod assortment;
mod fate;
mod goods;
mod mix;
mod plan;
mod publisher;
mod stopwatch;
mod supply;

pub use fate::{Ends, Fate, Moment, Wish, sku, token};
pub use goods::Goods;
pub use mix::Mix;
pub use plan::{Plan, Planned, worked_example};
pub(crate) use publisher::release;
pub use publisher::{Pace, Publisher};
pub use stopwatch::{Latency, Stopwatch};
pub use supply::{Abandoned, Limited, Policy, StockPlan, Supply};
