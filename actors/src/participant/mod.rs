//! What stands in front of a participant, over all partitions of the node: how much may be open at it, how fast it is sent to,
//! whether it is sent to at all, and the queue to it.
//!
//! Reading order: `gates` and `gate` (what a decision asks), `pace`, `breaker`, `retry_budget` (the pure parts), `keeper` (what moves
//! them), [`control`] (what operators see and do), [`settings`], `actor` (the way out).

mod actor;
mod breaker;
pub mod control;
mod gate;
mod gates;
mod keeper;
mod pace;
mod retry_budget;
pub mod settings;

pub(crate) use actor::Senders;
pub(crate) use breaker::Outcomes;
pub(crate) use gates::Gates;
pub(crate) use keeper::Keeper;
