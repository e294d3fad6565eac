//! The tests of the rules, all in one binary.

mod golden;
mod order;
mod outgoing;
#[cfg(feature = "schemas")]
mod schemas;
mod wire;
