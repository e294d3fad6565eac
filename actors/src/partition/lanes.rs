//! The readers of a partition: one task for each lane, into a bounded buffer.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use bus::layout::{Lane, Layout};
use bus::ports::{OpenError, Position, Reader, Stored};
use domain::decider::Decider;
use domain::time::Timestamp;
use tokio::sync::Notify;

use super::admission::stored_ms;
use super::core::{Halt, Partition, Stage};
use super::losses;
use super::tracker::Tracker;
use crate::flow::{Flow, Watermark};

/// One lane: what is read and not taken, and what is taken and not recorded.
#[derive(Debug)]
pub(crate) struct LaneState {
    /// The name of its stream.
    pub(crate) stream: Arc<str>,
    pub(crate) buffer: RefCell<VecDeque<Stored>>,
    /// The size of the bodies in the buffer.
    bytes: Cell<usize>,
    pub(crate) tracker: RefCell<Tracker>,
    /// When the last message was stored that was read, if the broker may have more since.
    behind: Cell<Option<Timestamp>>,
    /// Wakes the reader: there is room in the buffer.
    pub(crate) room: Notify,
    /// The connection, counted by losses, on which nothing was found to be missing; none = that is not known yet.
    pub(crate) whole_at: Cell<Option<u64>>,
}

impl LaneState {
    pub(crate) fn new(layout: &Layout, lane: Lane) -> Self {
        Self {
            stream: layout.name(lane.stream()).into(),
            buffer: RefCell::default(),
            bytes: Cell::new(0),
            tracker: RefCell::default(),
            behind: Cell::new(None),
            room: Notify::new(),
            whole_at: Cell::new(None),
        }
    }

    /// Takes the next message that was read.
    pub(super) fn pop(&self) -> Option<Stored> {
        let stored = self.buffer.borrow_mut().pop_front()?;
        self.bytes.set(self.bytes.get() - stored.body.len());
        Some(stored)
    }

    fn push(&self, messages: Vec<Stored>) {
        let bytes: usize = messages.iter().map(|stored| stored.body.len()).sum();
        self.bytes.set(self.bytes.get() + bytes);
        self.buffer.borrow_mut().extend(messages);
    }

    /// Messages wait, and only what the broker stored before this moment is taken; none = all of it is, as far as anybody knows.
    pub(super) fn waits_since(&self) -> Option<Timestamp> {
        self.first_stored_at().or(self.behind.get())
    }

    /// When the oldest message was stored that was read and has no outcome yet; none = there is none.
    pub(super) fn undecided_since(&self) -> Option<Timestamp> {
        let taken = self.tracker.borrow().waits_since();
        taken.or_else(|| self.first_stored_at())
    }

    fn first_stored_at(&self) -> Option<Timestamp> {
        self.buffer.borrow().front().map(|first| Timestamp(stored_ms(first)))
    }

    /// How many messages wait in memory, and the size of their bodies in bytes.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.buffer.borrow().len(), self.bytes.get())
    }

    /// May more be read?
    pub(super) fn has_room(&self, flow: &Flow) -> bool {
        let (messages, bytes) = self.held();
        (messages as u64) < flow.watermark(Watermark::LaneBatch)
            && (bytes as u64) < flow.watermark(Watermark::LaneBytes)
    }
}

/// Reads one lane until the partition drains.
pub(crate) async fn run<D: Decider>(partition: Rc<Partition<D>>, lane: Lane) -> Result<(), Halt> {
    let mut stage = partition.stage();
    tokio::select! {
        biased;
        _ = stage.wait_for(|stage| *stage != Stage::Running) => Ok(()),
        halt = read(&partition, lane) => Err(halt),
    }
}

async fn read<D: Decider>(partition: &Partition<D>, lane: Lane) -> Halt {
    let (config, flow, bus) = (&partition.env.config, &partition.env.flow, &partition.env.bus);
    let (state, mut changes) = (partition.lane(lane), flow.changes());
    let mut connection = bus.losses();
    let mut newest = state.tracker.borrow().position();
    let mut reader = match open(partition, lane).await {
        Ok(reader) => reader,
        Err(halt) => return halt,
    };
    state.whole_at.set(Some(connection));
    let (mut attempt, mut lost) = (0, 0);
    loop {
        if !state.has_room(flow) {
            // While nobody reads, more may come.
            state.behind.set(Some(Timestamp(newest.timestamp_ns / 1_000_000)));
            // It may be another bound that makes room. The flow is there as long as its partitions.
            tokio::select! {
                () = state.room.notified() => {}
                _ = changes.changed() => {}
            }
            continue;
        }
        let asked_at = partition.env.clock.now();
        let most = usize::try_from(flow.watermark(Watermark::LaneBatch)).unwrap_or(usize::MAX);
        let read = reader.next(most, config.lane_patience()).await;
        // Before what comes behind a loss is taken: afterwards nobody could tell that something was there.
        if connection != bus.losses() {
            connection = bus.losses();
            if let Err(halt) = is_whole(partition, lane, newest).await {
                return halt;
            }
            state.whole_at.set(Some(connection));
        }
        match read {
            Ok(messages) => {
                attempt = 0;
                let is_behind = reader.is_behind();
                if let Some(last) = messages.last() {
                    newest = Position { sequence: last.sequence, timestamp_ns: last.timestamp_ns };
                    let stored_at = Timestamp(stored_ms(last));
                    state.behind.set(is_behind.then_some(stored_at));
                    let now = partition.env.clock.now();
                    if !is_behind && now > asked_at {
                        partition.admission.saw(stored_at, now); // it came while somebody waited for it
                    }
                    state.push(messages);
                    partition.show_lane(lane);
                    partition.work_ready.notify_one();
                } else if !is_behind {
                    state.behind.set(None);
                }
                let found = reader.healed().lost;
                partition.env.metrics.lost[lane.index()].add(found.saturating_sub(lost));
                lost = found;
            }
            Err(error @ OpenError::Gap { .. }) => return Halt::Broken(error.to_string()),
            Err(error) => {
                tracing::warn!(partition = partition.number, ?lane, %error, "reading failed, trying again");
                tokio::time::sleep(config.retry_pause(attempt)).await;
                attempt += 1;
            }
        }
    }
}

/// Halts if something was lost behind the last message that was read, or behind the position if that is further: while nothing
/// comes, the position goes along with its stream, and what lies before it may be purged.
async fn is_whole<D: Decider>(partition: &Partition<D>, lane: Lane, newest: Position) -> Result<(), Halt> {
    let reached = || {
        let position = partition.lane(lane).tracker.borrow().position();
        if position.sequence > newest.sequence { position } else { newest }
    };
    for attempt in 0.. {
        let from = reached();
        match losses::check(partition, lane, from).await {
            // The position may have moved on, and the stream been purged up to it, between the question and the answer.
            Ok(Err(_)) if reached() != from => {}
            Ok(checked) => return checked,
            Err(error) => {
                tracing::debug!(partition = partition.number, %error, "a lane is not checked yet");
            }
        }
        tokio::time::sleep(partition.env.config.retry_pause(attempt)).await;
    }
    unreachable!("the attempts are counted until one succeeds")
}

async fn open<D: Decider>(partition: &Partition<D>, lane: Lane) -> Result<Box<dyn Reader>, Halt> {
    let env = &partition.env;
    let filter = env.layout.inbound_filter(partition.number);
    for attempt in 0.. {
        let position = partition.lane(lane).tracker.borrow().position();
        is_whole(partition, lane, position).await?;
        match env.bus.open(&partition.lane(lane).stream, Some(&filter), position).await {
            Ok(reader) => return Ok(reader),
            Err(error @ OpenError::Gap { .. }) => return Err(Halt::Broken(error.to_string())),
            Err(error) => {
                tracing::warn!(partition = partition.number, %error, "a lane cannot be opened, trying again");
            }
        }
        tokio::time::sleep(env.config.retry_pause(attempt)).await;
    }
    unreachable!("the attempts are counted until one succeeds")
}
