//! What comes for an entity finds it: live behind an actor, at rest, or away, and then it is read back first.

use std::collections::VecDeque;
use std::rc::Rc;

use actix::Actor;
use domain::decider::{Decider, Participant};
use domain::envelope::Plane;
use domain::gates::Urgency;
use domain::ids::EntityId;
use domain::reason::{DeadReason, Refusal};
use domain::time::Timestamp;
use tokio::sync::oneshot;

use super::commit_queue::{Consumed, Queued};
use super::core::Partition;
use super::guests::MOST_GUESTS;
use super::keeping::Captured;
use super::receipts::addressee;
use super::slots::{Here, Presence, Waiting};
use super::timers::Due;
use crate::entity::{Capture, Deliver, Entity, EntityActor, Peek, Release, Trail, Wake};
use crate::inbound::{Arrival, Refused};
use crate::node::{EntityView, ReadError};
use crate::participant::Outcomes;
use crate::record::DeadLetter;

/// How many readers of live entities may wait for an ack; more are told to try again.
const MOST_READERS: usize = 1_024;

/// Something for an entity to do.
#[derive(Debug)]
pub(crate) enum Errand<M> {
    Deliver(Deliver<M>),
    Wake(Wake),
    Release(Release),
}

impl<D: Decider> Partition<D> {
    /// Gives an entity something to do; it becomes live if it rests, and is read back if it is away. False: it is forgotten.
    fn send(self: &Rc<Self>, number: u32, errand: Errand<D::Message>) -> bool {
        let now = self.env.clock.now();
        let mut entities = self.entities.borrow_mut();
        let Some(slot) = entities.slot(number) else { return false };
        match &mut slot.presence {
            Presence::Here(here) => {
                here.touched = now;
                self.take_credit();
                self.hand_over(here, number, errand);
                self.watch(here, number, now);
            }
            Presence::Coming(waiting) => {
                self.take_credit();
                waiting.errands.push_back(errand);
            }
            Presence::Away => {
                // What is closed and no longer in the archive has nothing open: only a message can come for it.
                let is_gone = slot.row.as_ref().is_none_or(|row| row.place.page == 0);
                match errand {
                    Errand::Deliver(deliver) if is_gone => {
                        self.take_credit();
                        self.refuse_late(deliver);
                    }
                    Errand::Wake(_) | Errand::Release(_) if is_gone => return false,
                    errand => {
                        self.take_credit();
                        slot.presence =
                            Presence::Coming(Box::new(Waiting { errands: VecDeque::from([errand]) }));
                        self.loads.wanted(number);
                    }
                }
            }
        }
        true
    }

    fn hand_over(self: &Rc<Self>, here: &mut Here<D>, number: u32, errand: Errand<D::Message>) {
        if let Errand::Deliver(deliver) = &errand
            && deliver.arrival.entity != *here.id
        {
            let Errand::Deliver(deliver) = errand else { unreachable!("it was one just now") };
            return self.refuse_twin(deliver, &here.id);
        }
        let address = if let Some(address) = &here.address {
            address
        } else {
            let entity = here.resting.take().expect("an entity rests while it has no actor");
            let (id, partition) = (Rc::clone(&here.id), Rc::clone(self));
            // No more messages can be under way than there are credits; guests, letters, readers and one who writes it down
            // stand beside that.
            let config = &self.env.config;
            let beside = MOST_GUESTS + config.letters_at_once.max(1) + MOST_READERS + 1;
            let capacity = config.in_flight_inputs + beside;
            here.address.insert(EntityActor::create(move |context| {
                context.set_mailbox_capacity(capacity);
                EntityActor::new(id, number, entity, partition)
            }))
        };
        here.pending += 1;
        // The address is lent, not cloned: each clone would have a place of its own in the mailbox.
        let sent = match errand {
            Errand::Deliver(deliver) => address.try_send(deliver).is_ok(),
            Errand::Wake(wake) => address.try_send(wake).is_ok(),
            Errand::Release(release) => address.try_send(release).is_ok(),
        };
        assert!(sent, "bounded-everything: mailboxes hold more than there are credits");
    }

    /// The id has the same hash as another one, which is known: the two cannot be told apart.
    fn refuse_twin(&self, deliver: Deliver<D::Message>, known: &EntityId) {
        tracing::error!(entity = %deliver.arrival.entity, %known, "two ids have the same hash");
        let text = "its id cannot be told from another one; it needs a new id";
        self.refuse_arrival(deliver, DeadReason::Quarantined, text);
    }

    /// The entity is closed, and for so long that nothing but its id is known.
    fn refuse_late(&self, deliver: Deliver<D::Message>) {
        let intake = deliver.arrival.envelope.plane == Plane::Intake;
        let reason = if intake { DeadReason::Conflict } else { DeadReason::UnknownEntity };
        self.refuse_arrival(deliver, reason, "what had this id is closed, and has left the archive");
    }

    fn refuse_arrival(&self, deliver: Deliver<D::Message>, reason: DeadReason, text: &str) {
        let Deliver { arrival, consumed } = deliver;
        let Arrival { envelope, entity, .. } = *arrival;
        let addressee = addressee(&self.env, &envelope, &entity);
        let Refusal { reason, violations } = Refusal::new(reason, "", text);
        let letter = DeadLetter { envelope, key: Some(entity.key), reason, violations };
        self.refuse(Refused { letter, addressee }, Some(consumed));
    }

    /// An entity is read back: what waited for it goes to it, in order. Without its snapshot it has to be written again.
    pub(super) fn is_back(
        self: &Rc<Self>,
        number: u32,
        id: EntityId,
        entity: Entity<D>,
        trail: Trail,
        is_written: bool,
    ) {
        let now = self.env.clock.now();
        let mut entities = self.entities.borrow_mut();
        let Some(slot) = entities.slot(number) else { return };
        let mut here = Here::resting(Rc::new(id), entity, trail);
        if let Some(row) = &slot.row {
            here.deadline = row.deadline;
            here.is_final = row.is_closed;
            here.waits_since = row.open.as_deref().map(|open| open.since);
        }
        if !is_written {
            self.must_be_saved_again(&mut here, number);
        }
        let before = entities.comes(number, here);
        let here = entities.here(number).expect("it came just now");
        if let Some(Presence::Coming(waiting)) = before {
            for errand in waiting.errands {
                // A deadline that is here already is not due again; the entity tells its next one.
                if matches!(errand, Errand::Wake(_)) {
                    here.deadline = None;
                }
                self.hand_over(here, number, errand);
            }
        }
        self.watch(here, number, now);
    }

    /// Asks for an entity as it is recorded, to be written; none = it is away, or has too much to do just now.
    pub(super) fn capture(self: &Rc<Self>, number: u32) -> Option<oneshot::Receiver<Option<Captured>>> {
        let mut entities = self.entities.borrow_mut();
        let here = entities.here(number)?;
        let (sender, captured) = oneshot::channel();
        if let Some(address) = &here.address {
            address.try_send(Capture(sender)).ok()?;
            here.pending += 1;
            return Some(captured);
        }
        let (id, changes) = (EntityId::clone(&here.id), here.changes);
        let entity = here.resting.as_deref()?.clone();
        drop(entities);
        let _kept = sender.send(self.captured(number, &id, &entity, changes)); // its receiver is right here
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
        if let Some(here) = self.entities.borrow_mut().here(number) {
            here.deadline = None;
        }
        self.env.metrics.timers.add_one();
        let _forgotten = self.send(number, Errand::Wake(Wake)); // then there is nobody to wake
    }

    /// Lets a waiting effect of an entity go. There must be a credit, and a place at the participant is taken.
    pub(crate) fn release(self: &Rc<Self>, number: u32, participant: Participant, urgency: Urgency) {
        if !self.send(number, Errand::Release(Release { participant, urgency })) {
            self.take_permit_back(participant); // it is forgotten, and there is nothing to release
        }
    }

    /// The actor has taken a message out of its mailbox.
    pub(crate) fn arrived(&self, number: u32) {
        if let Some(here) = self.entities.borrow_mut().here(number) {
            here.pending -= 1;
        }
    }

    /// The actor is done with a message: an entity that still is none leaves no trace.
    pub(crate) fn done(&self, number: u32) {
        self.entities.borrow_mut().forget_if_unborn(number);
    }

    /// Notes version and next deadline of an entity.
    pub(crate) fn note(&self, number: u32, version: u64, deadline: Option<Timestamp>) {
        let mut entities = self.entities.borrow_mut();
        let Some(here) = entities.here(number) else { return };
        let old = std::mem::replace(&mut here.deadline, deadline);
        here.version = version;
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

    /// Tells the gates what goes out for the first time, and what became of what went out before.
    pub(crate) fn count_outcomes(&self, sent: [u32; 5], outcomes: [Outcomes; 5]) {
        let gates = &self.env.gates;
        for participant in Participant::ALL {
            let at = participant.index();
            if sent[at] > 0 {
                gates.sent(participant, sent[at], self.env.clock.now());
            }
            if !outcomes[at].is_empty() {
                gates.observe(participant, outcomes[at]);
            }
        }
    }

    /// Asks a live entity for its view; none = it rests or is away.
    pub(crate) fn peek(
        &self,
        number: u32,
    ) -> Option<oneshot::Receiver<Result<Option<EntityView>, ReadError>>> {
        let mut entities = self.entities.borrow_mut();
        let here = entities.here(number)?;
        let address = here.address.as_ref()?;
        let (answer, view) = oneshot::channel();
        if self.reading.get() < MOST_READERS && address.try_send(Peek { answer }).is_ok() {
            self.reading.set(self.reading.get() + 1);
            here.pending += 1;
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
        self.queue.push(Queued { then: Some(Box::new(answer)), ..Queued::default() });
    }
}
