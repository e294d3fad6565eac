//! The tests of the rules, all in one binary.

#![expect(clippy::unwrap_used, reason = "a test says that something is wrong by panicking")]

mod golden;
mod outgoing;
#[cfg(feature = "schemas")]
mod schemas;
mod wire;
