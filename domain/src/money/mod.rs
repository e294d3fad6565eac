//! Exact money and points: integer minor units, one split into cells at submit, prefix shares ever after.

mod apportion;
mod cells;
mod currency;

pub use apportion::apportion;
pub use cells::{Amounts, Cell, Cells, Row, Span, prefix_share};
pub use currency::{Currency, UnknownCurrency};

/// An amount in minor units of the order's currency (cents, yen, fils). Never negative on the wire.
pub type Minor = i64;

/// A number of loyalty points.
pub type Points = i64;
