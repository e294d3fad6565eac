//! Entities at rest. Most live entities wait most of their life, so while no message comes the actor keeps its state packed:
//! written as a snapshot writes it, and compressed against a sample, for entities of one kind look alike. What is packed never
//! leaves the process.

use std::cell::{Cell, RefCell};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use bytes::Bytes;
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
struct Written<S> {
    version: u64,
    event_sequence: u64,
    seen: Bytes,
    state: S,
}

impl Packer {
    /// The entity in few bytes. None: it stays as it is, because it cannot be written, or is not to be touched.
    fn pack<D: Decider>(&self, entity: &Entity<D>) -> Option<Packed> {
        if entity.quarantined || entity.suspect {
            return None;
        }
        let Entity { state, version, event_sequence, seen, .. } = entity;
        let (version, event_sequence) = (*version, *event_sequence);
        let written = Written { version, event_sequence, seen: seen.to_bytes().into(), state };
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
            rmp_serde::from_slice::<Written<D::State>>(&written).map_err(|error| error.to_string())?;
        let seen = SeenInputs::from_bytes(&seen);
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
    /// Opens it for a message; true if it was packed.
    pub(super) fn open(&mut self) -> bool {
        let Self::Packed(packed) = self else { return false };
        *self = Self::Open(Box::new(packed.entity()));
        true
    }

    /// Packs it until the next message; true if that was possible.
    pub(super) fn rest(&mut self, packer: &Packer) -> bool {
        let Self::Open(entity) = self else { return false };
        let at_rest = packer.pack(entity).map(Self::Packed);
        at_rest.map(|at_rest| *self = at_rest).is_some()
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

#[cfg(test)]
mod tests {
    use domain::order::Order;

    use super::{Entity, JUDGED_AFTER, Kept, Packed, Packer};

    /// An entity with a text that its neighbours share.
    fn entity(number: u64, text: &str) -> Entity<Order> {
        let mut entity = Entity::<Order> { version: number, event_sequence: 3 * number, ..Entity::default() };
        entity.seen.remember((number, 1));
        entity.state.cancel_reason = Some(text.into());
        entity
    }

    fn packed(packer: &Packer, entity: &Entity<Order>) -> Packed {
        packer.pack(entity).expect("it can be written")
    }

    #[test]
    fn what_is_packed_opens_as_it_was() {
        let packer = Packer::default();
        for number in 0..3 * u64::from(JUDGED_AFTER) {
            let text = format!(
                "{} {number}",
                ["alike, whatever comes", "quite another text"][usize::from(number > 300)]
            );
            let before = entity(number, &text);
            let mut kept = Kept::Open(Box::new(before.clone()));
            kept.rest(&packer);
            assert!(matches!(kept, Kept::Packed(_)));
            assert_eq!(kept.look(|entity| entity.version), number, "a look leaves it packed");
            assert!(matches!(kept, Kept::Packed(_)));
            kept.open();
            assert_eq!(format!("{:?}", *kept), format!("{before:?}"));
        }
    }

    #[test]
    fn a_sample_that_does_not_fit_is_replaced() {
        let packer = Packer::default();
        let texts = ["abcdefghijklmnopqrstuvwxyz", "0123456789-0-9876543210-x!"].map(|text| text.repeat(40));
        packed(&packer, &entity(1, &texts[0]));
        let alike = packed(&packer, &entity(2, &texts[0])).bytes.len();
        let first = packed(&packer, &entity(3, "other")).sample;
        // Nothing repeats inside it, so that only the sample can help.
        let hash = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
        let text: String = (0..200).map(|at| hash(at).to_string()).collect();
        for number in 0..4 * u64::from(JUDGED_AFTER) {
            packed(&packer, &entity(number, &text));
        }
        assert!(alike < 200, "{alike} bytes");
        let last = packed(&packer, &entity(4, "other")).sample;
        assert_ne!(first, last);
    }

    #[test]
    fn what_is_set_aside_stays_open_and_what_is_damaged_is_set_aside() {
        let packer = Packer::default();
        let mut kept = Kept::Open(Box::new(Entity::<Order> { quarantined: true, ..entity(1, "x") }));
        kept.rest(&packer);
        assert!(matches!(kept, Kept::Open(_)));
        let damaged = Packed { bytes: vec![9, 0, 0, 0, 0xf0].into(), ..packed(&packer, &entity(2, "x")) };
        let mut kept = Kept::<Order>::Packed(damaged);
        kept.open();
        assert!(kept.quarantined && kept.suspect);
    }
}
