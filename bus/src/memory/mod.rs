//! A broker inside the process: no mock, but what `JetStream` was measured to do, without disk and network.
//!
//! Reading order: `bus` (the port), `stream` (what is stored), `kept` (the messages and their indexes), `reader`, `core`
//! (subscriptions and requests), `router` and `transform` (subjects).

mod bus;
mod core;
mod kept;
mod reader;
mod router;
mod stream;
mod transform;

pub use bus::{Clock, MemoryBus};
