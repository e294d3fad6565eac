//! The adapter for a real nats-server with `JetStream`.
//!
//! Reading order: `connect` (two connections and the version check), `bus` (the port), `counting`, `translate` (messages and errors in both
//! directions), `sender` (fire and forget), `reader`, [`setup`](Setup) (creating and checking streams), `durability`, and
//! `process` (a server of one's own for demos and tests).

mod batch;
mod bus;
mod connect;
mod counting;
mod durability;
mod process;
mod reader;
mod sender;
mod setup;
mod stream_config;
mod translate;

pub use bus::NatsBus;
pub use connect::{ConnectError, NatsOptions, OLDEST_SERVER, Version};
pub use durability::{DurabilityProfile, Sync};
pub use process::{NatsProcess, ProcessError, ProcessOptions, find_nats_server};
pub use setup::{Difference, Remedy, Setup, SetupError};
