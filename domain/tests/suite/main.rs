//! The tests of the rules, all in one binary.

mod golden;
mod order;
mod outgoing;
mod recorded;
#[cfg(feature = "schemas")]
mod schemas;
mod wire;
