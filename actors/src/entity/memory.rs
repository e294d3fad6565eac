//! What is known of one entity besides its place in the partition.

use domain::decider::Decider;

use super::seen::SeenInputs;

/// An entity: a cache of what the journal says about it.
#[derive(Debug)]
pub(crate) struct Entity<D: Decider> {
    pub(crate) state: D::State,
    /// How many decisions there were.
    pub(crate) version: u64,
    /// The sequence of its last published event.
    pub(crate) event_sequence: u64,
    pub(crate) seen: SeenInputs,
    /// Set aside after a fault of ours: judges nothing any more.
    pub(crate) quarantined: bool,
    /// The fault met replay, so that the state may be half-changed: it is not even shown.
    pub(crate) suspect: bool,
}

impl<D: Decider> Default for Entity<D> {
    fn default() -> Self {
        Self {
            state: D::State::default(),
            version: 0,
            event_sequence: 0,
            seen: SeenInputs::default(),
            quarantined: false,
            suspect: false,
        }
    }
}
