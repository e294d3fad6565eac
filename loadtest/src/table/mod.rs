//! What is aimed at and what is measured, side by side: `loadtest table`.
//!
//! Reading order: `sample` (the middle of several runs, and how sure it is), `row` (one goal).

mod row;
mod sample;

pub use row::{Better, Goal, Row, Table};
pub use sample::Sample;
