//! The face of a partition: what others may ask of it. Its work is done by the tasks of its `life`.

use std::rc::Rc;

use actix::{Actor, Context, Handler, Message, Recipient, ResponseFuture};
use domain::decider::Decider;
use domain::envelope::Envelope;
use domain::ids::EntityId;
use tokio::sync::watch;

use super::core::{Environment, Partition};
use super::guests::NotTaken;
use super::life;
use super::loading::{LoadError, fetch};
use crate::entity::command_path;
use crate::mail::Inbox;
use crate::node::{EntityView, PartitionStatus, ReadError};
use crate::timeline;

/// Shows an entity as it is recorded.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<EntityView>, ReadError>")]
pub(crate) struct Read(pub(crate) EntityId);

/// Tells the whole history of an entity.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<String>, ReadError>")]
pub(crate) struct Timeline(pub(crate) EntityId);

/// Finishes what is begun and stops.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Drain;

/// Gives the partition an item that another partition of this node has read; answered once its outcome is recorded.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), NotTaken>")]
pub(crate) struct HandOver(pub(crate) Envelope);

/// The ways in to a partition, whatever it holds.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) read: Recipient<Read>,
    pub(crate) timeline: Recipient<Timeline>,
    pub(crate) drain: Recipient<Drain>,
    pub(crate) hand_over: Recipient<HandOver>,
}

/// How many questions may wait at the door.
const QUESTIONS: usize = 1_024;

/// One partition of this node.
#[derive(Debug)]
pub(crate) struct PartitionActor<D: Decider> {
    number: u16,
    env: Environment<D::Policies, D::Posted>,
    running: watch::Receiver<Option<Rc<Partition<D>>>>,
    drain: watch::Sender<bool>,
    ended: watch::Receiver<bool>,
}

impl<D: Decider> PartitionActor<D> {
    /// Starts the partition on the current thread.
    pub(crate) fn begin(
        context: &mut Context<Self>,
        number: u16,
        env: Environment<D::Policies, D::Posted>,
        inbox: Inbox,
    ) -> Self {
        context.set_mailbox_capacity(QUESTIONS);
        let (running_sender, running) = watch::channel(None);
        let (drain, drain_receiver) = watch::channel(false);
        let (ended_sender, ended) = watch::channel(false);
        let life = life::live::<D>(number, env.clone(), running_sender, drain_receiver, inbox);
        let (life, board) = (actix::spawn(life), env.board.clone());
        actix::spawn(async move {
            if let Err(fault) = life.await {
                board
                    .set(number, PartitionStatus::Broken { reason: format!("the partition broke: {fault}") });
            }
            ended_sender.send_replace(true);
        });
        Self { number, env, running, drain, ended }
    }

    fn partition(&self) -> Result<Rc<Partition<D>>, ReadError> {
        self.running
            .borrow()
            .clone()
            .ok_or_else(|| ReadError::Unavailable(self.env.board.describe(self.number)))
    }
}

// Nothing in it is ever pinned in place.
impl<D: Decider> Unpin for PartitionActor<D> {}

impl<D: Decider> Actor for PartitionActor<D> {
    type Context = Context<Self>;
}

impl<D: Decider> Handler<Read> for PartitionActor<D> {
    type Result = ResponseFuture<Result<Option<EntityView>, ReadError>>;

    fn handle(&mut self, Read(id): Read, _: &mut Context<Self>) -> Self::Result {
        let partition = self.partition();
        Box::pin(async move { read(&partition?, &id).await })
    }
}

/// How often a reader looks again for an entity that comes and goes.
const MOST_LOOKS: usize = 8;

/// What is recorded of an entity; else its place in the queue, if it is known to wait there.
async fn read<D: Decider>(
    partition: &Rc<Partition<D>>,
    id: &EntityId,
) -> Result<Option<EntityView>, ReadError> {
    let recorded = read_recorded(partition, id).await?;
    Ok(recorded.or_else(|| partition.queued_view(id)))
}

/// What rests is recorded and can be shown at once; what lives is asked, and answers after the ack; what is away is shown from
/// its snapshot, and stays away.
async fn read_recorded<D: Decider>(
    partition: &Rc<Partition<D>>,
    id: &EntityId,
) -> Result<Option<EntityView>, ReadError> {
    for _ in 0..MOST_LOOKS {
        let Some(number) = partition.entities.borrow().number(id) else { return Ok(None) };
        if let Some(view) = partition.peek(number) {
            return view.await.unwrap_or(Err(ReadError::Overloaded));
        }
        let row = {
            let mut entities = partition.entities.borrow_mut();
            let Some(slot) = entities.slot(number) else { return Ok(None) };
            if let Some(entity) = slot.resting() {
                return command_path::view(id, entity);
            }
            match slot.row.clone() {
                Some(row) if row.place.page > 0 => row,
                _ => return Ok(None), // closed for so long that only its id is known
            }
        };
        match fetch(partition, number, &row).await {
            Ok(fetched) => return command_path::view(id, &fetched.entity),
            Err(LoadError::Unavailable(error)) => return Err(ReadError::Unavailable(error.to_string())),
            Err(LoadError::Damaged(text)) => return Err(ReadError::Unavailable(text)),
            Err(LoadError::Gone) => {} // it was read back meanwhile, and has another snapshot by now
        }
    }
    Err(ReadError::Overloaded)
}

impl<D: Decider> Handler<Timeline> for PartitionActor<D> {
    type Result = ResponseFuture<Result<Option<String>, ReadError>>;

    fn handle(&mut self, Timeline(id): Timeline, _: &mut Context<Self>) -> Self::Result {
        let partition = self.partition();
        Box::pin(async move { timeline::tell(&*partition?, &id).await })
    }
}

impl<D: Decider> Handler<HandOver> for PartitionActor<D> {
    type Result = ResponseFuture<Result<(), NotTaken>>;

    fn handle(&mut self, HandOver(envelope): HandOver, _: &mut Context<Self>) -> Self::Result {
        // Taken here and now: items stay in the order in which they were given.
        let partition = self.running.borrow().clone().ok_or(NotTaken::Gone);
        let taken = partition.and_then(|partition| partition.receive(envelope));
        let mut ended = self.ended.clone();
        Box::pin(async move {
            let outcome = taken?;
            tokio::select! {
                biased;
                settled = outcome => settled.map_err(|_| NotTaken::Gone),
                // A life that broke dismisses nobody.
                _ = ended.wait_for(|ended| *ended) => Err(NotTaken::Gone),
            }
        })
    }
}

impl<D: Decider> Handler<Drain> for PartitionActor<D> {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Drain, _: &mut Context<Self>) -> Self::Result {
        self.drain.send_replace(true);
        let mut ended = self.ended.clone();
        Box::pin(async move {
            let _gone = ended.wait_for(|ended| *ended).await; // its life ended without a word: drained enough
        })
    }
}
