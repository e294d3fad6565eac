//! Where everything lives in the broker: streams, their limits, and the subjects on them. Pure names and numbers, no I/O.

mod catalogue;
mod pattern;
mod stream;
mod subjects;

pub use catalogue::Layout;
pub use pattern::{matches, overlap};
pub use stream::{Bounds, Discard, Lane, Persistence, Service, StreamId, StreamSpec, Transform};
pub use subjects::InboundSubject;
