//! What is counted of the acts.

use actors::metrics::Counter;

/// What is counted of the acts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Done.
    pub applied: Counter,
    /// Refused, before or after their intent.
    pub refused: Counter,
    /// Not done, because they could not be written down.
    pub unwritten: Counter,
    /// Taken back because their time was over.
    pub reverted: Counter,
    /// Asked for again under their key, and answered as before.
    pub replayed: Counter,
}
