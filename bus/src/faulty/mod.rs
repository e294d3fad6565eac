//! A broker with bad days: seeded faults around another bus, and crashes at any named step. Repeatable on one thread with
//! paused time: the same seed and the same calls give the same faults.
//!
//! Reading order: `plan` (what goes wrong how often), `step` (where a crash can be), `bus` (the port), `reader`.

mod bus;
mod plan;
mod reader;
mod step;

pub use bus::FaultyBus;
pub use plan::{FaultPlan, Faults};
pub use step::{CrashAt, Step};
