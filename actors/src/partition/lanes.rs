//! The readers of a partition: one task for each lane, into a bounded buffer.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use bus::layout::{Lane, Layout};
use bus::ports::{OpenError, Reader, Stored};
use domain::decider::Decider;
use tokio::sync::Notify;

use super::core::{Halt, Partition, Stage};
use super::tracker::Tracker;

/// One lane: what is read and not taken, and what is taken and not recorded.
#[derive(Debug)]
pub(crate) struct LaneState {
    /// The name of its stream.
    pub(crate) stream: String,
    pub(crate) buffer: RefCell<VecDeque<Stored>>,
    pub(crate) tracker: RefCell<Tracker>,
    /// Wakes the reader: there is room in the buffer.
    pub(crate) room: Notify,
}

impl LaneState {
    pub(crate) fn new(layout: &Layout, lane: Lane) -> Self {
        Self {
            stream: layout.name(lane.stream()),
            buffer: RefCell::default(),
            tracker: RefCell::default(),
            room: Notify::new(),
        }
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
    let (config, state) = (&partition.env.config, partition.lane(lane));
    let mut reader = match open(partition, lane).await {
        Ok(reader) => reader,
        Err(halt) => return halt,
    };
    let (mut attempt, mut lost) = (0, 0);
    loop {
        if state.buffer.borrow().len() >= config.lane_batch {
            state.room.notified().await;
            continue;
        }
        match reader.next(config.lane_batch, config.lane_patience()).await {
            Ok(messages) => {
                attempt = 0;
                if !messages.is_empty() {
                    state.buffer.borrow_mut().extend(messages);
                    partition.work_ready.notify_one();
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

async fn open<D: Decider>(partition: &Partition<D>, lane: Lane) -> Result<Box<dyn Reader>, Halt> {
    let env = &partition.env;
    let filter = env.layout.inbound_filter(partition.number);
    let mut attempt = 0;
    loop {
        let position = partition.lane(lane).tracker.borrow().position();
        match env.bus.open(&partition.lane(lane).stream, Some(&filter), position).await {
            Ok(reader) => return Ok(reader),
            Err(error @ OpenError::Gap { .. }) => return Err(Halt::Broken(error.to_string())),
            Err(error) => {
                tracing::warn!(partition = partition.number, %error, "a lane cannot be opened, trying again");
                tokio::time::sleep(env.config.retry_pause(attempt)).await;
                attempt += 1;
            }
        }
    }
}
