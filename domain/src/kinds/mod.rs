//! Several kinds of entity as one: a runtime that knows one [`Decider`] runs them all.
//!
//! [`Both`] puts a kind beside another; three are `Both<Both<A, B>, C>`. Who an entity is says which rules judge it. What
//! the first kind writes is written as if it were alone, so that a kind that once was alone can be read for ever; what the second
//! writes stands under its name.
//!
//! Reading order: [`Both`], `recorded` (how events and states are written).

mod both;
mod recorded;

pub use both::Both;
pub use recorded::{Event, State};

use crate::decider::Decider;

/// A kind, or several, that can be put beside others.
pub trait Kind: Decider {
    /// Under which name its events and states are written if it is not the first. Never changes.
    const NAME: &'static str;

    /// Are entities with this word as their kind its own?
    fn owns(kind: &str) -> bool {
        kind == Self::NAME
    }
}

/// What one of two kinds has, or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Either<A, B> {
    /// The first.
    First(A),
    /// The second.
    Second(B),
}
