//! The actor around one entity: takes its messages in order, one at a time. The rules are in the decider, the way of a
//! message in `command_path`.

use std::rc::Rc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, SpawnHandle};
use domain::decider::{Decider, Participant};
use domain::gates::Urgency;
use domain::ids::EntityId;
use tokio::sync::oneshot;

use super::command_path;
use super::memory::Entity;
use super::packing::Kept;
use crate::inbound::Arrival;
use crate::node::{EntityView, ReadError};
use crate::partition::{Captured, Consumed, Partition};

/// An input for the entity.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Deliver<M> {
    pub(crate) arrival: Box<Arrival<M>>,
    pub(crate) consumed: Consumed,
}

/// A deadline of the entity has passed.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Wake;

/// The oldest effect that waits for this participant may go.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Release {
    pub(crate) participant: Participant,
    /// In which list it stood.
    pub(crate) urgency: Urgency,
}

/// A reader wants to see the entity, as it is recorded.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Peek {
    pub(crate) answer: oneshot::Sender<Result<Option<EntityView>, ReadError>>,
}

/// The entity is wanted as it is recorded, to be written.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Capture(pub(crate) oneshot::Sender<Option<Captured>>);

/// One live entity.
#[derive(Debug)]
pub(crate) struct EntityActor<D: Decider> {
    pub(super) id: Rc<EntityId>,
    pub(super) number: u32,
    pub(super) entity: Kept<D>,
    pub(super) partition: Rc<Partition<D>>,
    rest: Rest,
}

/// When the entity is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Nobody asks: it is packed, or new.
    Unasked,
    /// At the next look, if no message comes before.
    Due(SpawnHandle),
    /// A message came, so not at the next look.
    Later(SpawnHandle),
}

impl<D: Decider> EntityActor<D> {
    pub(crate) fn new(
        id: Rc<EntityId>,
        number: u32,
        entity: Box<Entity<D>>,
        partition: Rc<Partition<D>>,
    ) -> Self {
        Self { id, number, entity: Kept::Open(entity), partition, rest: Rest::Unasked }
    }

    fn take(&mut self, context: &mut Context<Self>, handle: impl FnOnce(&mut Self)) {
        if self.partition.is_halted() {
            return;
        }
        self.partition.arrived(self.number);
        if self.entity.open() {
            self.partition.env.metrics.unpacked.add_one();
        }
        handle(self);
        self.partition.done(self.number);
        let is_final = D::is_final(&self.entity.state);
        match self.rest {
            // It leaves memory soon, and a timer would hold it there.
            Rest::Due(look) | Rest::Later(look) if is_final => {
                context.cancel_future(look);
                self.rest = Rest::Unasked;
            }
            Rest::Unasked if is_final => {}
            Rest::Unasked => self.look_later(context),
            Rest::Due(look) | Rest::Later(look) => self.rest = Rest::Later(look),
        }
    }

    /// One timer for a burst of messages, however many they are.
    fn look_later(&mut self, context: &mut Context<Self>) {
        let pause = Duration::from_millis(self.partition.env.config.pack_after_ms);
        let look = context.run_later(pause, |actor, context| {
            if matches!(actor.rest, Rest::Later(_)) {
                actor.look_later(context);
                return;
            }
            actor.rest = Rest::Unasked;
            if !actor.partition.is_halted() && actor.entity.rest(&actor.partition.packer) {
                actor.partition.env.metrics.packed.add_one();
            }
        });
        self.rest = Rest::Due(look);
    }
}

// Nothing in it is ever pinned in place.
impl<D: Decider> Unpin for EntityActor<D> {}

impl<D: Decider> Actor for EntityActor<D> {
    type Context = Context<Self>;
}

impl<D: Decider> Handler<Deliver<D::Message>> for EntityActor<D> {
    type Result = ();

    fn handle(&mut self, deliver: Deliver<D::Message>, context: &mut Context<Self>) {
        self.take(context, |actor| command_path::deliver(actor, *deliver.arrival, deliver.consumed));
    }
}

impl<D: Decider> Handler<Wake> for EntityActor<D> {
    type Result = ();

    fn handle(&mut self, _: Wake, context: &mut Context<Self>) {
        self.take(context, command_path::wake);
    }
}

impl<D: Decider> Handler<Release> for EntityActor<D> {
    type Result = ();

    fn handle(&mut self, release: Release, context: &mut Context<Self>) {
        self.take(context, |actor| command_path::release(actor, release.participant, release.urgency));
    }
}

impl<D: Decider> Handler<Peek> for EntityActor<D> {
    type Result = ();

    fn handle(&mut self, peek: Peek, _: &mut Context<Self>) {
        self.partition.arrived(self.number);
        let view = self.entity.look(|entity| command_path::view(&self.id, entity));
        self.partition.answer_after_ack(move || {
            let _gone = peek.answer.send(view); // the reader did not wait
        });
        self.partition.done(self.number);
    }
}

impl<D: Decider> Handler<Capture> for EntityActor<D> {
    type Result = ();

    fn handle(&mut self, Capture(captured): Capture, _: &mut Context<Self>) {
        self.partition.arrived(self.number);
        let (partition, number) = (Rc::clone(&self.partition), self.number);
        let (id, entity, changes) =
            (EntityId::clone(&self.id), self.entity.copy(), partition.changes(number));
        // Behind everything that is decided: once this comes, all of the state is recorded.
        self.partition.once_recorded(move || {
            let _gone = captured.send(partition.captured(number, &id, &entity, changes)); // the partition drains
        });
        self.partition.done(self.number);
    }
}
