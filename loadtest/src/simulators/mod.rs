//! The participants, simulated: loyalty, payment, allocation, warehouses and ERP.
//!
//! Each reads its command stream, applies an idempotency key once in its own books, and answers, again and again if asked
//! again. How reliable it is says its [`Profile`]; what it refuses, the order itself says (see [`crate::workload::token`]).

mod allocation;
mod behaviour;
mod desk;
mod erp;
mod fulfillment;
mod loyalty;
mod outbox;
mod payment;
mod position;
mod runner;
mod simulator;
mod stock;

pub use behaviour::{Profile, Profiles, are_patient};
pub use outbox::{Outbox, OutboxSettings, outbox};
pub use position::end_of;
pub(crate) use position::open;
pub use simulator::{Forgotten, Simulator, Simulators};
pub use stock::StockError;
pub(crate) use stock::{Audits, StockFeed};
