//! A load test as a scenario describes it: orders come when they are meant to, whatever happens; every leg of their way is
//! measured from that moment; participants behave as the scenario says; the auditor judges every order.
//!
//! Reading order: [`arrivals`] (when), [`orders`] (which), `shop` (sends them), [`conduct`] (who answers how), `observer` (hears
//! everything), `recorder` and `series` (what is measured), [`driver`] (the run), `place` and `play` (its parts), [`judgement`] (what must hold), [`summary`]
//! (what is kept of a run), `summing` (made here), [`ending`] (how it ends); then what is made of summaries:
//! [`text`], [`compare`], [`page`], [`export`], [`search`]; `hdr` is made of the times themselves.

pub mod arrivals;
pub mod compare;
pub mod conduct;
pub mod driver;
pub mod ending;
#[cfg(test)]
mod example;
pub mod export;
mod hdr;
pub mod judgement;
mod letters;
mod observer;
pub mod orders;
mod page;
mod place;
mod play;
mod recorder;
pub mod search;
mod series;
mod shop;
pub mod summary;
mod summing;
pub mod text;

pub use driver::{DriveError, Heard, Progress, Setting, drive};
pub use ending::Ending;
pub use page::page;
pub use place::{Connect, Place};
pub use summary::Summary;

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
const fn as_f64(count: u64) -> f64 {
    count as f64
}
