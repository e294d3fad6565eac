//! What the rules promise, as a table of contents.

#![expect(clippy::unwrap_used, reason = "a test says that something is wrong by panicking")]

mod claims;
mod counter;
mod golden;
mod kinds;
mod letters;
mod order;
mod outgoing;
mod promotions;
mod recorded;
mod recorded_stock;
mod reference;
mod remembered;
mod reservation;
#[cfg(feature = "schemas")]
mod schemas;
mod sourcing;
mod stock;
mod stock_desk;
mod wire;
