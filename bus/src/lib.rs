//! Everything that crosses NATS, as ports, and the adapters behind them.
//!
//! Reading order: [`ports`] (what is promised), [`layout`] (streams and subjects), [`memory`] (the broker of the embedded
//! mode), [`append`] (how a journal record becomes definite), [`marked`] (the same for
//! snapshots), [`faulty`] (a broker with bad days), [`around`] (one with ways of its own), `nats` (the real one).

pub mod append;
pub mod around;
pub mod faulty;
pub mod layout;
pub mod marked;
pub mod memory;
#[cfg(feature = "nats")]
pub mod nats;
pub mod packing;
pub mod ports;
