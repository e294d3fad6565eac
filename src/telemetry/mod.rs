//! What the server tells about itself: log lines on stderr, numbers on `/metrics`.

mod control;
mod kinds;
mod logging;
mod metrics;
mod pressure;
mod reference;

pub use logging::log_to_stderr;
pub use metrics::{Exposition, PartitionState};
