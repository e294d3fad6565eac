//! The entities that a partition knows: live behind an actor, resting as data, or away in their snapshots.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use actix::{Actor, Addr};
use domain::decider::{Decider, Participant};
use domain::ids::EntityId;
use domain::time::Timestamp;
use tokio::sync::oneshot;

use super::commit_queue::{Consumed, Queued};
use super::core::Partition;
use super::guests::MOST_GUESTS;
use super::keeping::Captured;
use super::timers::Due;
use crate::entity::{Capture, Deliver, Entity, EntityActor, Peek, Release, Trail, Wake};
use crate::inbound::Arrival;
use crate::node::{EntityView, ReadError};

/// How many readers of live entities may wait for an ack; more are told to try again.
const MOST_READERS: usize = 1_024;

/// Something for an entity to do.
#[derive(Debug)]
pub(crate) enum Errand<M> {
    Deliver(Deliver<M>),
    Wake(Wake),
    Release(Release),
}

/// Where the newest snapshot of an entity stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) version: u64,
    /// In the stream of snapshots.
    pub(crate) sequence: u64,
}

/// One known entity. It is live (an address), resting (its state), or away (neither).
#[derive(Debug)]
pub(crate) struct Slot<D: Decider> {
    pub(crate) id: Rc<EntityId>,
    address: Option<Addr<EntityActor<D>>>,
    /// Its state while no actor has it.
    pub(crate) resting: Option<Box<Entity<D>>>,
    /// What waits, in order, until the entity is read back; none = it is not being read back.
    waiting: Option<VecDeque<Errand<D::Message>>>,
    /// Messages on their way to the actor.
    pending: usize,
    /// Decisions on their way to the journal.
    pub(super) unrecorded: usize,
    /// How many changes there were since it is in memory, recorded or not.
    pub(super) changes: u64,
    pub(crate) version: u64,
    pub(crate) deadline: Option<Timestamp>,
    /// Where its records stand; empty while it is away, for then the snapshot has it.
    pub(crate) trail: Trail,
    pub(crate) saved: Option<Saved>,
    /// The first record that may hold a decision behind its snapshot.
    pub(super) unsaved_from: Option<u64>,
    pub(super) touched: Timestamp,
    pub(super) is_final: bool,
    /// When it is looked at next, because it may have become idle.
    pub(super) watched: Option<Timestamp>,
}

impl<D: Decider> Slot<D> {
    /// True if its state is neither behind an actor nor here.
    pub(crate) const fn is_away(&self) -> bool {
        self.address.is_none() && self.resting.is_none()
    }

    /// True if nothing is under way for it or from it.
    pub(super) const fn is_quiet(&self) -> bool {
        self.pending == 0 && self.unrecorded == 0 && self.waiting.is_none()
    }

    /// Lets go of the state, which the snapshot has.
    pub(crate) fn put_away(&mut self) {
        self.address = None;
        self.resting = None;
        self.trail = Trail::default();
    }
}

/// All known entities of a partition, by number. Numbers are given out in the order in which entities were first heard of.
#[derive(Debug)]
pub(crate) struct Entities<D: Decider> {
    // Never iterated, so the random hasher of the map shows nowhere.
    numbers: HashMap<Rc<EntityId>, u32>,
    slots: Vec<Option<Slot<D>>>,
    free: Vec<u32>,
    in_flight: [i64; 5],
}

impl<D: Decider> Default for Entities<D> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), slots: Vec::new(), free: Vec::new(), in_flight: [0; 5] }
    }
}

impl<D: Decider> Entities<D> {
    /// The number of an entity; none = never heard of.
    pub(crate) fn number(&self, id: &EntityId) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    /// The number of an entity, which becomes known if it was not.
    pub(crate) fn number_or_new(&mut self, id: &EntityId) -> u32 {
        if let Some(number) = self.number(id) {
            return number;
        }
        let id = Rc::new(id.clone());
        let slot = Slot {
            id: Rc::clone(&id),
            address: None,
            resting: Some(Box::default()),
            waiting: None,
            pending: 0,
            unrecorded: 0,
            changes: 0,
            version: 0,
            deadline: None,
            trail: Trail::default(),
            saved: None,
            unsaved_from: None,
            touched: Timestamp::default(),
            is_final: false,
            watched: None,
        };
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("memory ends before four thousand million entities")
        });
        self.slots[number as usize] = Some(slot);
        self.numbers.insert(id, number);
        number
    }

    /// The entity with this number.
    pub(crate) fn slot(&mut self, number: u32) -> Option<&mut Slot<D>> {
        self.slots.get_mut(number as usize)?.as_mut()
    }

    /// All known numbers, oldest first.
    pub(crate) fn known(&self) -> Vec<u32> {
        let numbers = self.slots.iter().enumerate().filter(|(_, slot)| slot.is_some());
        numbers.map(|(number, _)| u32::try_from(number).expect("numbers were made from a u32")).collect()
    }

    /// Remembers how many commands of this partition are open, so that they can be taken back as a whole.
    pub(crate) fn count_in_flight(&mut self, participant: Participant, difference: i64) {
        self.in_flight[participant.index()] += difference;
    }

    /// Forgets everything; gives what was in flight.
    pub(crate) fn clear(&mut self) -> Vec<(Participant, i64)> {
        let counts = Participant::ALL.map(|participant| (participant, self.in_flight[participant.index()]));
        *self = Self::default();
        counts.to_vec()
    }

    fn forget_if_unborn(&mut self, number: u32) {
        let unborn = |slot: &Slot<D>| slot.version == 0 && slot.is_quiet() && slot.resting.is_none();
        if !self.slot(number).is_some_and(|slot| unborn(slot)) {
            return;
        }
        if let Some(slot) = self.slots[number as usize].take() {
            self.numbers.remove(&*slot.id);
            self.free.push(number);
        }
    }
}

impl<D: Decider> Partition<D> {
    /// Gives an entity something to do; it becomes live if it rests, and is read back if it is away. False: it is forgotten.
    fn send(self: &Rc<Self>, number: u32, errand: Errand<D::Message>) -> bool {
        let now = self.env.clock.now();
        let mut entities = self.entities.borrow_mut();
        let Some(slot) = entities.slot(number) else { return false };
        slot.pending += 1;
        slot.touched = now;
        self.take_credit();
        if let Some(waiting) = &mut slot.waiting {
            waiting.push_back(errand);
        } else if slot.is_away() {
            slot.waiting = Some(VecDeque::from([errand]));
            self.loads.wanted(number);
        } else {
            self.hand_over(slot, number, errand);
            self.watch(slot, number, now);
        }
        true
    }

    fn hand_over(self: &Rc<Self>, slot: &mut Slot<D>, number: u32, errand: Errand<D::Message>) {
        let address = if let Some(address) = &slot.address {
            address
        } else {
            let entity = slot.resting.take().expect("an entity rests while it has no actor");
            let (id, partition) = (EntityId::clone(&slot.id), Rc::clone(self));
            // No more messages can be under way than there are credits; guests, readers and one who writes it down stand
            // beside that.
            let capacity = self.env.config.in_flight_inputs + MOST_GUESTS + MOST_READERS + 1;
            slot.address.insert(EntityActor::create(move |context| {
                context.set_mailbox_capacity(capacity);
                EntityActor::new(id, number, *entity, partition)
            }))
        };
        // The address is lent, not cloned: each clone would have a place of its own in the mailbox.
        let sent = match errand {
            Errand::Deliver(deliver) => address.try_send(deliver).is_ok(),
            Errand::Wake(wake) => address.try_send(wake).is_ok(),
            Errand::Release(release) => address.try_send(release).is_ok(),
        };
        assert!(sent, "bounded-everything: mailboxes hold more than there are credits");
    }

    /// An entity is read back: what waited for it goes to it, in order.
    /// Without its snapshot it has to be written again.
    pub(super) fn is_back(self: &Rc<Self>, number: u32, entity: Entity<D>, trail: Trail, is_written: bool) {
        let now = self.env.clock.now();
        let mut entities = self.entities.borrow_mut();
        let Some(slot) = entities.slot(number) else { return };
        slot.resting = Some(Box::new(entity));
        slot.trail = trail;
        if !is_written {
            self.must_be_saved_again(slot, number);
        }
        for errand in slot.waiting.take().unwrap_or_default() {
            self.hand_over(slot, number, errand);
        }
        self.watch(slot, number, now);
    }

    /// Asks for an entity as it is recorded, to be written; none = it is away, or has too much to do just now.
    pub(super) fn capture(self: &Rc<Self>, number: u32) -> Option<oneshot::Receiver<Captured>> {
        let mut entities = self.entities.borrow_mut();
        let slot = entities.slot(number)?;
        let (sender, captured) = oneshot::channel();
        if let Some(address) = &slot.address {
            address.try_send(Capture(sender)).ok()?;
            slot.pending += 1;
            return Some(captured);
        }
        let (id, changes) = (EntityId::clone(&slot.id), slot.changes);
        let entity = slot.resting.as_deref()?.clone();
        drop(entities);
        let _kept = sender.send(self.captured(number, id, &entity, changes)); // its receiver is right here
        Some(captured)
    }

    /// Gives an input to its entity. There must be a credit.
    pub(crate) fn deliver(self: &Rc<Self>, arrival: Arrival<D::Message>, consumed: Consumed) {
        let number = self.entities.borrow_mut().number_or_new(&arrival.entity);
        let deliver = Deliver { arrival: Box::new(arrival), consumed };
        let known = self.send(number, Errand::Deliver(deliver));
        assert!(known, "the entity was made known just now");
    }

    /// Tells an entity that its deadline has passed. There must be a credit.
    pub(crate) fn wake(self: &Rc<Self>, number: u32) {
        if let Some(slot) = self.entities.borrow_mut().slot(number) {
            slot.deadline = None;
        }
        self.env.metrics.timers.add_one();
        let _forgotten = self.send(number, Errand::Wake(Wake)); // then there is nobody to wake
    }

    /// Lets a waiting effect of an entity go. There must be a credit.
    pub(crate) fn release(self: &Rc<Self>, number: u32, participant: Participant, effect: Box<str>) {
        let release = Release { participant, effect };
        let _forgotten = self.send(number, Errand::Release(release)); // then there is nothing to release
    }

    /// The actor has taken a message out of its mailbox.
    pub(crate) fn arrived(&self, number: u32) {
        if let Some(slot) = self.entities.borrow_mut().slot(number) {
            slot.pending -= 1;
        }
    }

    /// The actor is done with a message: an entity that still is none leaves no trace.
    pub(crate) fn done(&self, number: u32) {
        self.entities.borrow_mut().forget_if_unborn(number);
    }

    /// Notes version and next deadline of an entity.
    pub(crate) fn note(&self, number: u32, version: u64, deadline: Option<Timestamp>) {
        let mut entities = self.entities.borrow_mut();
        let Some(slot) = entities.slot(number) else { return };
        let old = std::mem::replace(&mut slot.deadline, deadline);
        slot.version = version;
        drop(entities);
        self.set_deadline(Due::Entity(number), old, deadline);
    }

    /// Counts commands that went out to be answered (or, negative, that were).
    pub(crate) fn count_in_flight(&self, differences: [i64; 5]) {
        for participant in Participant::ALL {
            let difference = differences[participant.index()];
            if difference != 0 {
                self.entities.borrow_mut().count_in_flight(participant, difference);
                self.env.gates.adjust(participant, difference);
            }
        }
    }

    /// Asks a live entity for its view; none = it rests.
    pub(crate) fn peek(
        &self,
        number: u32,
    ) -> Option<oneshot::Receiver<Result<Option<EntityView>, ReadError>>> {
        let mut entities = self.entities.borrow_mut();
        let slot = entities.slot(number)?;
        let address = slot.address.as_ref()?;
        let (answer, view) = oneshot::channel();
        if self.reading.get() < MOST_READERS && address.try_send(Peek { answer }).is_ok() {
            self.reading.set(self.reading.get() + 1);
            slot.pending += 1;
        } // else the answer is dropped, and the reader learns it
        Some(view)
    }

    /// Answers a reader once everything that he sees is recorded.
    pub(crate) fn answer_after_ack(self: &Rc<Self>, answer: impl FnOnce() + 'static) {
        let partition = Rc::clone(self);
        let answer = move || {
            partition.reading.set(partition.reading.get() - 1);
            answer();
        };
        self.queue.push(Queued { answer: Some(Box::new(answer)), ..Queued::default() });
    }
}
