//! What a partition is made of. Everything on it runs on one thread, so its parts are shared by plain reference counting.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Weak};

use bus::layout::{Lane, Layout};
use bus::ports::{Outgoing, SharedBus};
use bytes::Bytes;
use dashmap::DashMap;
use domain::decider::{Asked, Decider};
use domain::messages::outbound::answers::Receipt;
use domain::time::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::actor::Door;
use super::admission::Admission;
use super::commit_queue::{CommitQueue, Consumed, Queued};
use super::guests::Guests;
use super::handing_on::HandingOn;
use super::herald::Herald;
use super::keeping::Keeping;
use super::lanes::LaneState;
use super::letters::Letters;
use super::loading::Loads;
use super::publisher::Published;
use super::receipts::Receipts;
use super::slots::Entities;
use super::timers::Timers;
use super::tracker::Tracker;
use super::wait_lists::WaitLists;
use crate::clock::SharedClock;
use crate::config::NodeConfig;
use crate::entity::{HashKey, Packer};
use crate::flow::Flow;
use crate::in_force::{InForce, Known};
use crate::mail::Mail;
use crate::metrics::Metrics;
use crate::node::Board;
use crate::participant::{Gates, Senders};
use crate::posted::PostedBoard;
use crate::record::{Ahead, Positions};

/// What all partitions of a node share.
#[derive(Debug, Clone)]
pub(crate) struct Environment<P, T> {
    pub(crate) config: Arc<NodeConfig>,
    pub(crate) policies: InForce<P>,
    pub(crate) bus: SharedBus,
    pub(crate) layout: Arc<Layout>,
    pub(crate) clock: SharedClock,
    /// When the node began: all partitions close their records in the same beat.
    pub(crate) began: Instant,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) gates: Arc<Gates>,
    pub(crate) senders: Senders,
    pub(crate) mail: Arc<Mail>,
    pub(crate) flow: Arc<Flow>,
    pub(crate) board: Arc<Board>,
    /// What entities let all decisions look at.
    pub(crate) posted: Arc<PostedBoard<T>>,
    /// Receipts of a domain in a form of its own: see [`Decider::early_receipt`].
    pub(crate) early_receipt: fn(&str, Asked, &Receipt<'_>) -> Option<Bytes>,
    /// The ways in to the other partitions; gone with the node.
    pub(crate) doors: Weak<DashMap<u16, Door>>,
}

/// How far a partition is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Takes inputs.
    Running,
    /// Takes none, finishes what it has.
    Draining,
    /// Everything is decided and recorded; only outputs are left.
    Recorded,
}

/// Why a partition stops before it is asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Another owner has fenced it.
    Fenced,
    /// Going on would be wrong.
    Broken(String),
}

/// A partition that this node owns, from its recovery to its end.
#[derive(Debug)]
pub(crate) struct Partition<D: Decider> {
    pub(crate) number: u16,
    pub(crate) env: Environment<D::Policies, D::Posted>,
    /// The policies that decisions go by.
    pub(crate) policies: Known<D::Policies>,
    pub(crate) hash_key: HashKey,
    pub(crate) entities: RefCell<Entities<D>>,
    pub(crate) queue: CommitQueue,
    pub(crate) lanes: [LaneState; 4],
    pub(crate) admission: Admission,
    pub(super) herald: Herald,
    pub(crate) handing_on: HandingOn,
    pub(crate) guests: RefCell<Guests>,
    pub(super) letters: Letters,
    pub(crate) timers: RefCell<Timers>,
    pub(crate) timers_changed: Notify,
    pub(crate) waits: RefCell<WaitLists>,
    pub(crate) gate_freed: Arc<Notify>,
    pub(crate) receipts: RefCell<Receipts>,
    pub(crate) published: Published,
    /// The journal sequence of the last record that is stored.
    pub(crate) recorded: Cell<u64>,
    pub(crate) keeping: RefCell<Keeping>,
    pub(crate) loads: Loads,
    pub(crate) packer: Packer,
    /// Wakes the pump: something was read, or credits came back.
    pub(crate) work_ready: Notify,
    /// The latest time that any decision was given; never goes back.
    last_time: Cell<Timestamp>,
    credits: Cell<usize>,
    /// Readers whose answer waits for an ack.
    pub(crate) reading: Cell<usize>,
    halted: Cell<bool>,
    stage: watch::Sender<Stage>,
}

impl<D: Decider> Partition<D> {
    pub(crate) fn new(
        number: u16,
        env: Environment<D::Policies, D::Posted>,
        hash_key: HashKey,
        gate_freed: Arc<Notify>,
    ) -> Self {
        let loads = Loads::new(env.config.loads_at_once);
        let (credits, lanes) =
            (env.config.in_flight_inputs, Lane::ALL.map(|lane| LaneState::new(&env.layout, lane)));
        Self {
            number,
            policies: Known::new(&env.policies),
            env,
            hash_key,
            entities: RefCell::new(Entities::new(hash_key)),
            queue: CommitQueue::default(),
            lanes,
            admission: Admission::default(),
            herald: Herald::default(),
            handing_on: HandingOn::default(),
            guests: RefCell::default(),
            letters: Letters::default(),
            timers: RefCell::default(),
            timers_changed: Notify::new(),
            waits: RefCell::default(),
            gate_freed,
            receipts: RefCell::default(),
            published: Published::default(),
            recorded: Cell::new(0),
            keeping: RefCell::default(),
            loads,
            packer: Packer::default(),
            work_ready: Notify::new(),
            last_time: Cell::default(),
            credits: Cell::new(credits),
            reading: Cell::default(),
            halted: Cell::new(false),
            stage: watch::Sender::new(Stage::Running),
        }
    }

    /// The greater of the clock and the last recorded time.
    pub(crate) fn now(&self) -> Timestamp {
        self.env.clock.now().max(self.last_time.get())
    }

    /// The latest time that any decision was given.
    pub(crate) fn last_time(&self) -> Timestamp {
        self.last_time.get()
    }

    /// Time never goes back behind a decision.
    pub(crate) fn time_passed(&self, now: Timestamp) {
        self.last_time.set(self.last_time.get().max(now));
    }

    /// The true bound on inputs in memory: one credit from the reader to the ack.
    pub(crate) fn has_credit(&self) -> bool {
        self.credits.get() > 0
    }

    pub(crate) fn credits(&self) -> usize {
        self.credits.get()
    }

    pub(crate) fn take_credit(&self) {
        self.credits.set(self.credits.get().checked_sub(1).expect("a credit is taken only if there is one"));
    }

    /// One more for a moment: what another partition hands over, and a letter, brings its own, so that lanes keep theirs.
    pub(crate) fn bring_credit(&self) {
        self.credits.set(self.credits.get() + 1);
    }

    pub(crate) fn return_credits(&self, credits: usize) {
        if credits == 0 {
            return;
        }
        self.credits.set(self.credits.get() + credits);
        self.work_ready.notify_one();
        if self.timers.borrow().first().is_some_and(|first| first <= self.env.clock.now()) {
            self.timers_changed.notify_one();
        }
        if self.anything_waits() {
            self.gate_freed.notify_one();
        }
    }

    /// True if nothing is between the readers and the journal.
    pub(crate) fn is_quiet(&self) -> bool {
        let all_credits = self.credits.get() == self.env.config.in_flight_inputs;
        all_credits && self.queue.is_empty() && self.has_no_guests() && self.has_no_letters()
    }

    /// An input ends without a trace, but not before what was decided earlier is recorded.
    pub(crate) fn nothing_to_record(&self, consumed: Option<Consumed>, receipt: Option<Outgoing>) {
        let receipts = receipt.into_iter().collect();
        self.queue.push(Queued { receipts, consumed, credits: 1, ..Queued::default() });
    }

    /// Follows the stage of this partition.
    pub(crate) fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Goes on to a later stage.
    pub(crate) fn enter(&self, stage: Stage) {
        self.stage.send_replace(stage);
        self.queue.filled.notify_one();
    }

    pub(crate) fn current_stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// True once nothing here may be believed any more.
    pub(crate) fn is_halted(&self) -> bool {
        self.halted.get()
    }

    /// Throws everything away that is not recorded: memory is a cache, and this one is no longer ours.
    pub(crate) fn discard(self: &Rc<Self>) {
        self.halted.set(true);
        self.queue.close();
        self.dismiss_guests();
        self.forget_waiting();
        for (participant, count) in self.entities.borrow_mut().clear() {
            self.env.gates.adjust(participant, -count);
        }
        self.leave_flow();
        self.show_counts();
    }

    pub(crate) fn lane(&self, lane: Lane) -> &LaneState {
        &self.lanes[lane.index()]
    }

    /// Where the lanes stand, for the record that is being closed.
    pub(crate) fn positions(&self) -> Positions {
        let mut positions = Positions::default();
        for lane in Lane::ALL {
            *positions.of_mut(lane) = self.lane(lane).tracker.borrow().position();
        }
        positions
    }

    /// What the lanes have settled behind their positions.
    pub(crate) fn ahead(&self) -> Ahead {
        let mut ahead = Ahead::default();
        for lane in Lane::ALL {
            *ahead.of_mut(lane) = self.lane(lane).tracker.borrow().ahead();
        }
        ahead
    }

    /// Sets where the lanes begin.
    pub(crate) fn start_lanes_at(&self, positions: Positions, mut ahead: Ahead) {
        for lane in Lane::ALL {
            let tracker = Tracker::starting_at(positions.of(lane), ahead.of_mut(lane));
            *self.lane(lane).tracker.borrow_mut() = tracker;
        }
    }
}
