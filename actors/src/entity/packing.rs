//! Entities at rest. Most live entities wait most of their life, so while no message comes the actor keeps its state packed:
//! written as a snapshot writes it, and compressed against a sample, for entities of one kind look alike. What is packed never
//! leaves the process.

use std::cell::{Cell, RefCell};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use domain::decider::Decider;
use serde::{Deserialize, Serialize};

use super::memory::Entity;
use super::seen::SeenInputs;

/// A sample beyond this helps little more, for matches are looked for in so many bytes only.
const LARGEST_SAMPLE: usize = 16 * 1024;

/// How many entities are packed before the sample is judged.
const JUDGED_AFTER: u32 = 256;

/// A sample stays while packed entities are at most one part in so many of their size.
const GOOD_RATIO: u64 = 3;

/// What packs the entities of a partition.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    sample: RefCell<Rc<Vec<u8>>>,
    /// Entities since the sample was judged, their bytes before and after.
    since: Cell<(u32, u64, u64)>,
}

/// An entity that rests.
pub(crate) struct Packed {
    bytes: Box<[u8]>,
    /// What it was packed against.
    sample: Rc<Vec<u8>>,
}

/// An entity as its actor keeps it. Whoever reads or changes it has it open.
pub(super) enum Kept<D: Decider> {
    Open(Box<Entity<D>>),
    Packed(Packed),
}

/// An entity as it is packed; by name inside the state, because fields of it may be left out.
#[derive(Serialize, Deserialize)]
struct Written<S, I> {
    version: u64,
    event_sequence: u64,
    seen: I,
    state: S,
}

impl Packer {
    /// The entity in few bytes. None: it stays as it is, because it cannot be written, or is not to be touched.
    fn pack<D: Decider>(&self, entity: &Entity<D>) -> Option<Packed> {
        if entity.quarantined || entity.suspect {
            return None;
        }
        let Entity { state, version, event_sequence, seen, .. } = entity;
        let written =
            Written { version: *version, event_sequence: *event_sequence, seen: seen.in_order(), state };
        let written = rmp_serde::to_vec_named(&written).ok()?;
        let sample = Rc::clone(&self.sample.borrow());
        let bytes = lz4_flex::block::compress_prepend_size_with_dict(&written, &sample).into_boxed_slice();
        self.judge(written, bytes.len());
        Some(Packed { bytes, sample })
    }

    /// A sample that does not fit what comes now makes room for the newest entity.
    fn judge(&self, written: Vec<u8>, packed: usize) {
        let (count, before, after) = self.since.get();
        let (count, before, after) = (count + 1, before + written.len() as u64, after + packed as u64);
        let is_first = self.sample.borrow().is_empty();
        let is_judged = count >= JUDGED_AFTER;
        if (is_first || (is_judged && after * GOOD_RATIO > before)) && written.len() <= LARGEST_SAMPLE {
            *self.sample.borrow_mut() = Rc::new(written);
        }
        self.since.set(if is_judged { (0, 0, 0) } else { (count, before, after) });
    }
}

impl Packed {
    fn unpack<D: Decider>(&self) -> Result<Entity<D>, String> {
        let written = lz4_flex::block::decompress_size_prepended_with_dict(&self.bytes, &self.sample)
            .map_err(|error| error.to_string())?;
        let Written { version, event_sequence, seen, state } =
            rmp_serde::from_slice::<Written<D::State, Vec<(u64, u32)>>>(&written)
                .map_err(|error| error.to_string())?;
        let seen = SeenInputs::from_order(&seen);
        Ok(Entity { state, version, event_sequence, seen, ..Entity::default() })
    }

    /// The entity. What this process wrote, it can read; if not, nobody sees what is left, and a restart replays the journal.
    fn entity<D: Decider>(&self) -> Entity<D> {
        self.unpack().unwrap_or_else(|error| {
            tracing::error!(error, "an entity at rest cannot be read; it is set aside until the next start");
            Entity { quarantined: true, suspect: true, ..Entity::default() }
        })
    }
}

impl<D: Decider> Kept<D> {
    /// Opens it for a message.
    pub(super) fn open(&mut self) {
        if let Self::Packed(packed) = self {
            *self = Self::Open(Box::new(packed.entity()));
        }
    }

    /// Packs it until the next message.
    pub(super) fn rest(&mut self, packer: &Packer) {
        let Self::Open(entity) = self else { return };
        if let Some(packed) = packer.pack(entity) {
            *self = Self::Packed(packed);
        }
    }

    /// Looks at it, and leaves it as it is.
    pub(super) fn look<T>(&self, at: impl FnOnce(&Entity<D>) -> T) -> T {
        match self {
            Self::Open(entity) => at(entity),
            Self::Packed(packed) => at(&packed.entity()),
        }
    }

    /// A copy of it.
    pub(super) fn copy(&self) -> Entity<D> {
        match self {
            Self::Open(entity) => Entity::clone(entity),
            Self::Packed(packed) => packed.entity(),
        }
    }
}

impl<D: Decider> Deref for Kept<D> {
    type Target = Entity<D>;

    fn deref(&self) -> &Entity<D> {
        match self {
            Self::Open(entity) => entity,
            Self::Packed(_) => unreachable!("an actor opens its entity before it takes a message"),
        }
    }
}

impl<D: Decider> DerefMut for Kept<D> {
    fn deref_mut(&mut self) -> &mut Entity<D> {
        self.open();
        match self {
            Self::Open(entity) => entity,
            Self::Packed(_) => unreachable!("it was opened just now"),
        }
    }
}

impl<D: Decider> std::fmt::Debug for Kept<D> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open(entity) => entity.state.fmt(out),
            Self::Packed(packed) => write!(out, "Packed({} bytes)", packed.bytes.len()),
        }
    }
}
