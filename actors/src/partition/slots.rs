//! What a partition holds of each entity that it knows: a few words for one that is away, everything for one that is here.
//!
//! Entities are found by a keyed hash of their id, so one that is away costs its row and nothing else. Numbers are given out in
//! the order in which entities were first heard of, and go to others when an entity is forgotten.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use actix::Addr;
use domain::decider::{Decider, Participant};
use domain::ids::EntityId;
use domain::time::Timestamp;

use super::entities::Errand;
use crate::entity::{Entity, EntityActor, HashKey, Trail};
use crate::record::OpenCommands;

/// Where a snapshot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The sequence of its page in the stream of snapshots; 0 = it is there no more.
    pub(crate) page: u64,
    /// Its place in the page.
    pub(crate) item: u16,
}

/// What is known of an entity as its newest snapshot has it: a row of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) version: u64,
    pub(crate) place: Place,
    /// In the phases of its kind.
    pub(crate) phase: u8,
    /// It was at its end; its snapshot stands in a page of closed ones.
    pub(crate) is_closed: bool,
    /// It has something on the board.
    pub(crate) posts: bool,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) open: Option<Box<OpenCommands>>,
}

const _: () = assert!(size_of::<Row>() <= 56, "an entity that is away is a few words");

/// An entity in memory.
#[derive(Debug)]
pub(crate) struct Here<D: Decider> {
    pub(crate) id: Rc<EntityId>,
    pub(super) address: Option<Addr<EntityActor<D>>>,
    /// Its state while no actor has it.
    pub(crate) resting: Option<Box<Entity<D>>>,
    pub(crate) version: u64,
    pub(crate) deadline: Option<Timestamp>,
    /// Where its records stand.
    pub(crate) trail: Trail,
    /// The first record that may hold a decision behind its snapshot.
    pub(super) unsaved_from: Option<u64>,
    /// Messages on their way to the actor.
    pub(super) pending: usize,
    /// Decisions on their way to the journal.
    pub(super) unrecorded: usize,
    /// How many changes there were since it is in memory, recorded or not.
    pub(super) changes: u64,
    /// When something last came for it.
    pub(super) touched: Timestamp,
    /// When it is looked at next, because it may have become idle.
    pub(super) watched: Option<Timestamp>,
    /// Since when some of its effects wait.
    pub(super) waits_since: Option<Timestamp>,
    pub(super) is_final: bool,
}

impl<D: Decider> Here<D> {
    /// An entity at rest.
    pub(crate) fn resting(id: Rc<EntityId>, entity: Entity<D>, trail: Trail) -> Self {
        Self {
            id,
            address: None,
            // An entity that was set aside has a version, so that it is not forgotten.
            version: entity.version.max(u64::from(entity.quarantined)),
            resting: Some(Box::new(entity)),
            deadline: None,
            trail,
            unsaved_from: None,
            pending: 0,
            unrecorded: 0,
            changes: 0,
            touched: Timestamp::default(),
            watched: None,
            waits_since: None,
            is_final: false,
        }
    }

    /// True if nothing is under way for it or from it.
    pub(super) const fn is_quiet(&self) -> bool {
        self.pending == 0 && self.unrecorded == 0
    }
}

/// What waits for an entity that is being read back, in order.
#[derive(Debug)]
pub(crate) struct Waiting<M> {
    pub(super) errands: VecDeque<Errand<M>>,
}

impl<M> Default for Waiting<M> {
    fn default() -> Self {
        Self { errands: VecDeque::new() }
    }
}

/// Where the state of an entity is.
#[derive(Debug)]
pub(crate) enum Presence<D: Decider> {
    /// Only in its snapshot.
    Away,
    /// Being read back.
    Coming(Box<Waiting<D::Message>>),
    /// In memory.
    Here(Box<Here<D>>),
}

/// One known entity.
#[derive(Debug)]
pub(crate) struct Slot<D: Decider> {
    pub(crate) hash: u64,
    /// As it was last written; none = never.
    pub(crate) row: Option<Row>,
    pub(crate) presence: Presence<D>,
}

impl<D: Decider> Slot<D> {
    /// The entity, if it is in memory.
    pub(crate) fn here(&mut self) -> Option<&mut Here<D>> {
        match &mut self.presence {
            Presence::Here(here) => Some(here),
            Presence::Away | Presence::Coming(_) => None,
        }
    }

    /// The newest version.
    pub(crate) fn version(&self) -> u64 {
        match &self.presence {
            Presence::Here(here) => here.version,
            Presence::Away | Presence::Coming(_) => self.row.as_ref().map_or(0, |row| row.version),
        }
    }

    /// The version that the newest snapshot has.
    pub(crate) fn saved_version(&self) -> u64 {
        self.row.as_ref().map_or(0, |row| row.version)
    }

    /// The state while it rests in memory.
    pub(crate) fn resting(&mut self) -> Option<&mut Entity<D>> {
        self.here()?.resting.as_deref_mut()
    }
}

/// The hashes are keyed and spread already; hashing them again would be for nothing.
#[derive(Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("the keys are numbers of 64 bits")
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// All known entities of a partition, by number.
#[derive(Debug)]
pub(crate) struct Entities<D: Decider> {
    hash_key: HashKey,
    // Never iterated, so its order shows nowhere.
    numbers: HashMap<u64, u32, BuildHasherDefault<AsItIs>>,
    slots: Vec<Option<Slot<D>>>,
    free: Vec<u32>,
    /// How many are in memory.
    here: usize,
    in_flight: [i64; 5],
}

impl<D: Decider> Entities<D> {
    /// Nobody is known.
    pub(crate) fn new(hash_key: HashKey) -> Self {
        Self {
            hash_key,
            numbers: HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            here: 0,
            in_flight: [0; 5],
        }
    }

    /// The number of an entity; none = never heard of.
    pub(crate) fn number(&self, id: &EntityId) -> Option<u32> {
        self.number_of_hash(self.hash_key.entity(id))
    }

    pub(crate) fn number_of_hash(&self, hash: u64) -> Option<u32> {
        self.numbers.get(&hash).copied()
    }

    /// The number of an entity, which becomes known if it was not.
    pub(crate) fn number_or_new(&mut self, id: &EntityId) -> u32 {
        let hash = self.hash_key.entity(id);
        if let Some(number) = self.number_of_hash(hash) {
            return number;
        }
        let here = Here::resting(Rc::new(id.clone()), Entity::default(), Trail::default());
        self.add(Slot { hash, row: None, presence: Presence::Here(Box::new(here)) })
    }

    /// Makes an entity known.
    pub(crate) fn add(&mut self, slot: Slot<D>) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("memory ends before four thousand million entities")
        });
        self.numbers.insert(slot.hash, number);
        self.here += usize::from(matches!(slot.presence, Presence::Here(_)));
        self.slots[number as usize] = Some(slot);
        number
    }

    /// Makes room for so many more.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.numbers.reserve(more);
        self.slots.reserve(more);
    }

    /// The entity with this number.
    pub(crate) fn slot(&mut self, number: u32) -> Option<&mut Slot<D>> {
        self.slots.get_mut(number as usize)?.as_mut()
    }

    /// The entity with this number, if it is in memory.
    pub(crate) fn here(&mut self, number: u32) -> Option<&mut Here<D>> {
        self.slot(number)?.here()
    }

    /// All known numbers, oldest first.
    pub(crate) fn known(&self) -> Vec<u32> {
        let numbers = self.slots.iter().zip(0..).filter(|(slot, _)| slot.is_some());
        numbers.map(|(_, number)| number).collect()
    }

    /// How many are known.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// How many of them are in memory.
    pub(crate) fn in_memory(&self) -> usize {
        self.here
    }

    /// An entity that was away is in memory now; gives what it was before.
    pub(super) fn comes(&mut self, number: u32, here: Here<D>) -> Option<Presence<D>> {
        let slot = self.slot(number)?;
        let before = std::mem::replace(&mut slot.presence, Presence::Here(Box::new(here)));
        self.here += 1;
        Some(before)
    }

    /// An entity leaves memory.
    pub(super) fn goes(&mut self, number: u32) {
        if let Some(slot) = self.slot(number) {
            slot.presence = Presence::Away;
            self.here -= 1;
        }
    }

    /// Lets go of an entity; none = it was not known.
    pub(crate) fn forget(&mut self, number: u32) -> Option<Slot<D>> {
        let slot = self.slots.get_mut(number as usize)?.take()?;
        self.numbers.remove(&slot.hash);
        self.here -= usize::from(matches!(slot.presence, Presence::Here(_)));
        self.free.push(number);
        Some(slot)
    }

    /// An entity that came to nothing leaves no trace.
    pub(super) fn forget_if_unborn(&mut self, number: u32) {
        let unborn = self
            .here(number)
            .is_some_and(|here| here.version == 0 && here.is_quiet() && here.resting.is_none());
        if unborn {
            self.forget(number);
        }
    }

    /// Remembers how many commands of this partition are open, so that they can be taken back as a whole.
    pub(super) fn count_in_flight(&mut self, participant: Participant, difference: i64) {
        self.in_flight[participant.index()] += difference;
    }

    /// Forgets everything; gives what was in flight.
    pub(crate) fn clear(&mut self) -> Vec<(Participant, i64)> {
        let counts = Participant::ALL.map(|participant| (participant, self.in_flight[participant.index()]));
        *self = Self::new(self.hash_key);
        counts.to_vec()
    }
}
