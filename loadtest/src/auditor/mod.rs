//! The auditor: judges orders from messages and from the participants' books alone.
//!
//! What must be true is named in [`Check`]. Orders are judged as messages come, once more when they end, and forgotten when
//! they are clean, so that a run of any length needs the memory of the orders in flight.

mod case;
mod check;
mod closing;
mod documents;
mod events;
mod judge;
mod keys;
pub(crate) mod money;
mod stock;
mod sums;
mod verdict;

pub use check::Check;
pub use judge::{Auditor, News, NewsKind, Settings};
pub use verdict::{Tally, Verdict};
