//! The entities that a partition knows: resting as data, or live behind an actor.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use actix::{Actor, Addr, Context, Handler};
use domain::decider::{Decider, Participant};
use domain::ids::EntityId;
use domain::time::Timestamp;
use tokio::sync::oneshot;

use super::commit_queue::{Consumed, Queued};
use super::core::Partition;
use super::guests::MOST_GUESTS;
use super::timers::Due;
use crate::entity::{Deliver, Entity, EntityActor, Peek, Release, Trail, Wake};
use crate::inbound::Arrival;
use crate::node::{EntityView, ReadError};

/// How many readers of live entities may wait for an ack; more are told to try again.
const MOST_READERS: usize = 1_024;

/// One known entity.
#[derive(Debug)]
pub(crate) struct Slot<D: Decider> {
    pub(crate) id: EntityId,
    address: Option<Addr<EntityActor<D>>>,
    /// Its state while no actor has it.
    pub(crate) resting: Option<Box<Entity<D>>>,
    /// Messages on their way to the actor.
    pending: usize,
    pub(crate) version: u64,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) trail: Rc<RefCell<Trail>>,
}

/// All known entities of a partition, by number. Numbers are given out in the order in which entities were first heard of.
#[derive(Debug)]
pub(crate) struct Entities<D: Decider> {
    // Never iterated, so the random hasher of the map shows nowhere.
    numbers: HashMap<EntityId, u32>,
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
        let slot = Slot {
            id: id.clone(),
            address: None,
            resting: Some(Box::default()),
            pending: 0,
            version: 0,
            deadline: None,
            trail: Rc::default(),
        };
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("memory ends before four thousand million entities")
        });
        self.slots[number as usize] = Some(slot);
        self.numbers.insert(id.clone(), number);
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
        let unborn = |slot: &Slot<D>| slot.version == 0 && slot.pending == 0 && slot.resting.is_none();
        if !self.slot(number).is_some_and(|slot| unborn(slot)) {
            return;
        }
        if let Some(slot) = self.slots[number as usize].take() {
            self.numbers.remove(&slot.id);
            self.free.push(number);
        }
    }
}

impl<D: Decider> Partition<D> {
    /// Puts a message into the mailbox of an entity, which becomes live if it rests. False: the entity is forgotten.
    fn send<M>(self: &Rc<Self>, number: u32, message: M) -> bool
    where
        M: actix::Message<Result = ()> + Send + 'static,
        EntityActor<D>: Actor<Context = Context<EntityActor<D>>> + Handler<M>,
    {
        let mut entities = self.entities.borrow_mut();
        let Some(slot) = entities.slot(number) else { return false };
        let address = if let Some(address) = &slot.address {
            address
        } else {
            let entity = slot.resting.take().expect("an entity rests while it has no actor");
            let (id, trail, partition) = (slot.id.clone(), Rc::clone(&slot.trail), Rc::clone(self));
            // No more messages can be under way than there are credits; guests and readers stand beside that.
            let capacity = self.env.config.in_flight_inputs + MOST_GUESTS + MOST_READERS;
            slot.address.insert(EntityActor::create(move |context| {
                context.set_mailbox_capacity(capacity);
                EntityActor::new(id, number, *entity, trail, partition)
            }))
        };
        slot.pending += 1;
        self.take_credit();
        // The address is lent, not cloned: each clone would have a place of its own in the mailbox.
        assert!(
            address.try_send(message).is_ok(),
            "bounded-everything: mailboxes hold more than there are credits"
        );
        true
    }

    /// Gives an input to its entity. There must be a credit.
    pub(crate) fn deliver(self: &Rc<Self>, arrival: Arrival<D::Message>, consumed: Consumed) {
        let number = self.entities.borrow_mut().number_or_new(&arrival.entity);
        let known = self.send(number, Deliver { arrival: Box::new(arrival), consumed });
        assert!(known, "the entity was made known just now");
    }

    /// Tells an entity that its deadline has passed. There must be a credit.
    pub(crate) fn wake(self: &Rc<Self>, number: u32) {
        if let Some(slot) = self.entities.borrow_mut().slot(number) {
            slot.deadline = None;
        }
        self.env.metrics.timers.add_one();
        let _forgotten = self.send(number, Wake); // then there is nobody to wake
    }

    /// Lets a waiting effect of an entity go. There must be a credit.
    pub(crate) fn release(self: &Rc<Self>, number: u32, participant: Participant, effect: Box<str>) {
        let _forgotten = self.send(number, Release { participant, effect }); // then there is nothing to release
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
        let address = entities.slot(number)?.address.as_ref()?;
        let (answer, view) = oneshot::channel();
        if self.reading.get() < MOST_READERS && address.try_send(Peek { answer }).is_ok() {
            self.reading.set(self.reading.get() + 1);
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
