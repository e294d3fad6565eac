//! What is known of one entity besides its place in the partition.

use bytes::Bytes;
use domain::decider::Decider;
use domain::ids::EntityId;

use super::seen::SeenInputs;
use super::trail::Trail;
use crate::record::{Snapshot, encode_item};

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

impl<D: Decider> Entity<D> {
    /// The entity as it is written, with the places of its records.
    pub(crate) fn written(&self, id: &EntityId, trail: &Trail) -> Bytes {
        let snapshot = Snapshot {
            entity: id.clone(),
            version: self.version,
            event_sequence: self.event_sequence,
            quarantined: self.quarantined,
            seen: self.seen.in_order(),
            trail: Bytes::copy_from_slice(trail.bytes()),
            state: &self.state,
        };
        encode_item(&snapshot)
    }

    /// The entity that was written.
    pub(crate) fn from_snapshot(snapshot: Snapshot<D::State>) -> (Self, Trail) {
        let trail = Trail::from_bytes(&snapshot.trail);
        let entity = Self {
            state: snapshot.state,
            version: snapshot.version,
            event_sequence: snapshot.event_sequence,
            seen: SeenInputs::from_order(&snapshot.seen),
            quarantined: snapshot.quarantined,
            suspect: false,
        };
        (entity, trail)
    }
}

impl<D: Decider> Clone for Entity<D> {
    fn clone(&self) -> Self {
        let Self { ref state, version, event_sequence, ref seen, quarantined, suspect } = *self;
        Self { state: state.clone(), version, event_sequence, seen: seen.clone(), quarantined, suspect }
    }
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
