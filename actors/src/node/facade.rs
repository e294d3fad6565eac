//! Starting a node, and asking it.

use std::sync::Arc;

use actix::{Actor, Addr, Arbiter, MailboxError};
use bus::layout::Layout;
use bus::ports::SharedBus;
use dashmap::DashMap;
use domain::decider::Decider;
use domain::ids::EntityId;

use super::actor::{DrainAll, NodeActor};
use super::backpressure::Bounds;
use super::board::{Board, NodeState, NodeStatus};
use super::flow::FlowControl;
use super::purge;
use crate::clock::SharedClock;
use crate::config::NodeConfig;
use crate::flow::{self, Flow};
use crate::in_force::InForce;
use crate::mail::Mail;
use crate::metrics::Metrics;
use crate::participant::control::ParticipantControl;
use crate::participant::{Gates, Keeper, Senders};
use crate::partition::{Door, Environment, PartitionActor, Read, Timeline};
use crate::posted::PostedBoard;

/// Where the partitions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// All on the current thread; the simulation needs that.
    Here,
    /// Spread over so many threads of their own.
    Arbiters(usize),
}

/// An entity as a reader is shown it: recorded, never ahead of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityView {
    /// How many decisions there were.
    pub version: u64,
    /// The JSON document.
    pub json: String,
}

/// Why an entity cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not now: try again. Says what is the matter.
    #[error("not readable now: {0}")]
    Unavailable(String),
    /// Too many readers, or its partition ended meanwhile: try again.
    #[error("too many readers at once")]
    Overloaded,
    /// It was set aside after a fault of ours.
    #[error("the entity is set aside after a fault")]
    Quarantined,
    /// A part of its history has left the journal.
    #[error("journal record {sequence} is beyond the retention of the journal")]
    Purged {
        /// The sequence of the first missing record.
        sequence: u64,
    },
}

impl From<MailboxError> for ReadError {
    fn from(error: MailboxError) -> Self {
        match error {
            MailboxError::Closed => Self::Unavailable("the partition has stopped".to_owned()),
            MailboxError::Timeout => Self::Overloaded,
        }
    }
}

/// A running node. Clones are handles to the same node.
#[derive(Debug, Clone)]
pub struct Node {
    partitions: u16,
    doors: Arc<DashMap<u16, Door>>,
    board: Arc<Board>,
    metrics: Arc<Metrics>,
    participants: ParticipantControl,
    flow: FlowControl,
    actor: Addr<NodeActor>,
}

/// Starts a node that owns all partitions of `layout`. Comes back at once; [`Node::status`] says how far it is. Call it inside
/// an actix system. Who keeps a handle to the `policies` can change them while the node runs.
pub fn start<D: Decider>(
    config: NodeConfig,
    policies: impl Into<InForce<D::Policies>>,
    bus: SharedBus,
    layout: Layout,
    clock: SharedClock,
    placement: Placement,
) -> Node {
    start_with_board::<D>(config, policies, bus, layout, clock, placement).0
}

/// The same, and gives the board on which entities put what everybody may look at.
pub fn start_with_board<D: Decider>(
    config: NodeConfig,
    policies: impl Into<InForce<D::Policies>>,
    bus: SharedBus,
    layout: Layout,
    clock: SharedClock,
    placement: Placement,
) -> (Node, Arc<PostedBoard<D::Posted>>) {
    let (config, layout) = (Arc::new(config), Arc::new(layout));
    let (metrics, board) = (Arc::<Metrics>::default(), Arc::<Board>::default());
    let arbiters: Vec<Arbiter> = match placement {
        Placement::Here => Vec::new(),
        Placement::Arbiters(threads) => (0..threads.max(1)).map(|_| Arbiter::new()).collect(),
    };
    let doors = Arc::<DashMap<u16, Door>>::default();
    let gates = Arc::new(Gates::new(&config, layout.partitions, clock.now(), Arc::clone(&metrics)));
    let participants = Keeper::begin(&config, &bus, &gates, &clock, &metrics);
    let flow = Arc::new(Flow::new(&config, layout.partitions, Arc::clone(&metrics)));
    let letters = config.letters_waiting as u64 * u64::from(layout.partitions);
    metrics.letters_waiting_limit.set_size(letters);
    let (mail, inboxes) = Mail::new(layout.partitions, config.letters_waiting, Arc::clone(&metrics));
    let posted = Arc::new(PostedBoard::new(Arc::clone(&metrics)));
    let env = Environment {
        mail: Arc::new(mail),
        posted: Arc::clone(&posted),
        early_receipt: D::early_receipt,
        doors: Arc::downgrade(&doors),
        senders: Senders::start(&bus, &gates, &clock, &metrics, &config),
        gates,
        flow: Arc::clone(&flow),
        board: Arc::clone(&board),
        metrics: Arc::clone(&metrics),
        policies: policies.into(),
        clock: Arc::clone(&clock),
        began: tokio::time::Instant::now(),
        bus: Arc::clone(&bus),
        layout: Arc::clone(&layout),
        config: Arc::clone(&config),
    };
    for (number, inbox) in (0..layout.partitions).zip(inboxes) {
        let env: Environment<D::Policies, D::Posted> = env.clone();
        board.set(number, super::PartitionStatus::Starting { reason: "begins".to_owned() });
        let address = match arbiters.get(usize::from(number) % arbiters.len().max(1)) {
            None => PartitionActor::<D>::create(|context| PartitionActor::begin(context, number, env, inbox)),
            Some(arbiter) => PartitionActor::<D>::start_in_arbiter(&arbiter.handle(), move |context| {
                PartitionActor::begin(context, number, env, inbox)
            }),
        };
        let (read, timeline) = (address.clone().recipient(), address.clone().recipient());
        let (drain, hand_over) = (address.clone().recipient(), address.recipient());
        doors.insert(number, Door { read, timeline, drain, hand_over });
    }
    let bounds = Bounds::of(&config);
    let purging = actix::spawn(purge::run(config, bus, Arc::clone(&layout), Arc::clone(&board)));
    let reverting = actix::spawn(flow::run(Arc::clone(&flow)));
    let actor = NodeActor { doors: Arc::clone(&doors), arbiters, tasks: vec![purging, reverting] }.start();
    let flow = FlowControl::new(flow, Arc::clone(&board), Arc::clone(&metrics), clock, bounds);
    let node = Node { partitions: layout.partitions, doors, board, metrics, participants, flow, actor };
    (node, posted)
}

impl Node {
    /// The entity as it is recorded; none = nobody has made it.
    pub async fn read(&self, id: &EntityId) -> Result<Option<EntityView>, ReadError> {
        self.door(id)?.read.send(Read(id.clone())).await?
    }

    /// The whole history of the entity as JSON, from the journal; none = nobody has made it.
    pub async fn timeline(&self, id: &EntityId) -> Result<Option<String>, ReadError> {
        self.door(id)?.timeline.send(Timeline(id.clone())).await?
    }

    /// How the node is. One that somebody drains is not ready, so that nobody sends it more.
    pub fn status(&self) -> NodeStatus {
        let mut status = self.board.status();
        status.is_draining = self.flow.is_draining();
        if status.is_draining && status.state == NodeState::Ready {
            status.state = NodeState::Draining;
        }
        status
    }

    /// Its intake: how it is, and what can be changed of it.
    pub const fn flow(&self) -> &FlowControl {
        &self.flow
    }

    /// Its counters.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// The gates of its participants, for operators.
    pub fn participants(&self) -> ParticipantControl {
        self.participants.clone()
    }

    /// Takes no more inputs, finishes what is begun, records the positions, stops. Waits as long as that takes: the caller has
    /// the deadline.
    pub async fn drain(&self) {
        if let Err(error) = self.actor.send(DrainAll).await {
            tracing::warn!(%error, "the node was gone before it could drain");
        }
    }

    fn door(&self, id: &EntityId) -> Result<Door, ReadError> {
        let door = self.doors.get(&id.key.partition(self.partitions)).map(|door| door.value().clone());
        door.ok_or_else(|| ReadError::Unavailable("the partition is not here".to_owned()))
    }
}
