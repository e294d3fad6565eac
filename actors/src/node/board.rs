//! What everybody may know about the partitions: their status, their positions, the ends of the streams.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bus::layout::Lane;
use bus::ports::Position;

use crate::record::Positions;

/// How a partition is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartitionStatus {
    /// Waits for the broker, or for its journal.
    Starting {
        /// What it waits for.
        reason: String,
    },
    /// Replays its journal.
    Recovering {
        /// The last record that was replayed.
        replayed: u64,
        /// The last one there is.
        of: u64,
    },
    /// Works.
    Ready,
    /// Takes no inputs any more, finishes what it has.
    Draining,
    /// Has stopped, and everything is recorded and out.
    Drained,
    /// Another owner has it.
    Fenced,
    /// Has stopped because going on would be wrong.
    Broken {
        /// Why.
        reason: String,
    },
}

/// How a node is: the least good of its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    /// Some partition waits for the broker or its journal.
    Starting,
    /// Some partition replays.
    Recovering,
    /// All partitions work.
    Ready,
    /// The node stops, or has stopped.
    Draining,
    /// Some partition is broken or lost; the others go on.
    Broken,
}

/// How a node and its partitions are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// All in one word.
    pub state: NodeState,
    /// Each partition.
    pub partitions: BTreeMap<u16, PartitionStatus>,
    /// Somebody drains the node: it begins no new work until he ends that.
    pub is_draining: bool,
}

impl NodeStatus {
    /// Why the node is not ready: a drain, and one line for each partition that is not; empty if it is.
    pub fn reasons(&self) -> Vec<String> {
        let not_ready = self.partitions.iter().filter(|(_, status)| **status != PartitionStatus::Ready);
        let drain = self.is_draining.then(|| "an operator drains the node: no new work is begun".to_owned());
        let lines = not_ready.map(|(number, status)| format!("partition {number}: {}", describe(status)));
        drain.into_iter().chain(lines).collect()
    }
}

/// Where a partition stands in one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) number: u16,
    /// Its recorded position; none while it has not said its own.
    pub(crate) position: Option<Position>,
    /// Does it work, here and now?
    pub(crate) works: bool,
}

/// Shared by all partitions of a node and by everybody who asks.
#[derive(Debug, Default)]
pub(crate) struct Board {
    statuses: Mutex<BTreeMap<u16, PartitionStatus>>,
    recorded: Mutex<BTreeMap<u16, Positions>>,
    stream_ends: [AtomicU64; 4],
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Board {
    pub(crate) fn set(&self, number: u16, status: PartitionStatus) {
        locked(&self.statuses).insert(number, status);
    }

    pub(crate) fn describe(&self, number: u16) -> String {
        let status = locked(&self.statuses).get(&number).map(describe);
        format!("partition {number}: {}", status.unwrap_or_else(|| "not started".to_owned()))
    }

    pub(crate) fn status(&self) -> NodeStatus {
        let partitions = locked(&self.statuses).clone();
        let state = partitions.values().map(state_of).max_by_key(|state| gravity(*state));
        NodeStatus { state: state.unwrap_or(NodeState::Starting), partitions, is_draining: false }
    }

    /// A record with these positions is stored.
    pub(crate) fn recorded(&self, number: u16, positions: Positions) {
        locked(&self.recorded).insert(number, positions);
    }

    /// Where each partition stands in a lane.
    pub(crate) fn places(&self, lane: Lane, partitions: u16) -> Vec<Place> {
        let statuses = locked(&self.statuses).clone();
        let recorded = locked(&self.recorded);
        let place = |number| Place {
            number,
            position: recorded.get(&number).map(|positions| positions.of(lane)),
            works: statuses.get(&number) == Some(&PartitionStatus::Ready),
        };
        (0..partitions).map(place).collect()
    }

    pub(crate) fn stream_end(&self, lane: Lane) -> u64 {
        self.stream_ends[lane.index()].load(Ordering::Acquire)
    }

    pub(crate) fn set_stream_end(&self, lane: Lane, sequence: u64) {
        self.stream_ends[lane.index()].store(sequence, Ordering::Release);
    }
}

const fn state_of(status: &PartitionStatus) -> NodeState {
    match status {
        PartitionStatus::Starting { .. } => NodeState::Starting,
        PartitionStatus::Recovering { .. } => NodeState::Recovering,
        PartitionStatus::Ready => NodeState::Ready,
        PartitionStatus::Draining | PartitionStatus::Drained => NodeState::Draining,
        PartitionStatus::Fenced | PartitionStatus::Broken { .. } => NodeState::Broken,
    }
}

const fn gravity(state: NodeState) -> u8 {
    match state {
        NodeState::Ready => 0,
        NodeState::Recovering => 1,
        NodeState::Starting => 2,
        NodeState::Draining => 3,
        NodeState::Broken => 4,
    }
}

fn describe(status: &PartitionStatus) -> String {
    match status {
        PartitionStatus::Starting { reason } => format!("starting: {reason}"),
        PartitionStatus::Recovering { replayed, of } => format!("recovering: {replayed} of {of} records"),
        PartitionStatus::Ready => "ready".to_owned(),
        PartitionStatus::Draining => "draining".to_owned(),
        PartitionStatus::Drained => "drained".to_owned(),
        PartitionStatus::Fenced => "another owner has it".to_owned(),
        PartitionStatus::Broken { reason } => format!("broken: {reason}"),
    }
}
