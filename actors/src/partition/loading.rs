//! Entities that are away are read back when something comes for them. What comes meanwhile waits in its order.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use bus::layout::StreamId;
use bus::ports::Unavailable;
use domain::decider::Decider;
use domain::ids::EntityId;
use futures_util::future::try_join_all;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::core::{Halt, Partition, Stage};
use super::entities::Saved;
use super::rebuild::rebuild;
use crate::entity::{Entity, Trail};
use crate::record::{Snapshot, decode};

/// Who is to be read back, and how many at once.
#[derive(Debug)]
pub(crate) struct Loads {
    wanted: RefCell<VecDeque<u32>>,
    changed: Notify,
    at_once: usize,
    /// Readers share the bound with the entities that come back.
    permits: Semaphore,
}

impl Loads {
    pub(super) fn new(at_once: usize) -> Self {
        let at_once = at_once.clamp(1, Semaphore::MAX_PERMITS / 2);
        let (wanted, changed) = (RefCell::default(), Notify::new());
        Self { wanted, changed, at_once, permits: Semaphore::new(2 * at_once) }
    }

    /// An entity is to be read back. Bounded by the credits of what comes for it.
    pub(super) fn wanted(&self, number: u32) {
        self.wanted.borrow_mut().push_back(number);
        self.changed.notify_one();
    }

    /// One place among those who read; the bound on what they hold.
    pub(super) async fn permit(&self) -> SemaphorePermit<'_> {
        self.permits.acquire().await.expect("nobody closes it")
    }

    fn take(&self) -> Vec<u32> {
        let mut wanted = self.wanted.borrow_mut();
        let count = wanted.len().min(self.at_once);
        wanted.drain(..count).collect()
    }
}

/// Why a snapshot cannot be had.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// Not now.
    Unavailable(Unavailable),
    /// The entity has another one by now.
    Gone,
    /// It is not what was written.
    Damaged(String),
}

/// Reads entities back until everything of the partition is recorded.
pub(crate) async fn run<D: Decider>(partition: Rc<Partition<D>>) -> Result<(), Halt> {
    let mut stage = partition.stage();
    loop {
        let numbers = partition.loads.take();
        if numbers.is_empty() {
            tokio::select! {
                biased;
                () = partition.loads.changed.notified() => {}
                _ = stage.wait_for(|stage| *stage == Stage::Recorded) => return Ok(()),
            }
            continue;
        }
        try_join_all(numbers.into_iter().map(|number| bring_back(&partition, number))).await?;
    }
}

async fn bring_back<D: Decider>(partition: &Rc<Partition<D>>, number: u32) -> Result<(), Halt> {
    let wanted = {
        let mut entities = partition.entities.borrow_mut();
        let Some(slot) = entities.slot(number) else { return Ok(()) };
        slot.saved.map(|saved| (Rc::clone(&slot.id), saved))
    };
    let (id, saved) = wanted.expect("an entity is put away only when it is saved");
    for attempt in 0.. {
        match fetch(partition, number, &id, saved).await {
            Ok(Fetched { entity, trail, is_written }) => {
                partition.env.metrics.loaded.add_one();
                partition.is_back(number, entity, trail, is_written);
                return Ok(());
            }
            Err(LoadError::Unavailable(error)) => {
                tracing::warn!(partition = partition.number, %error, "an entity waits for its snapshot");
            }
            Err(LoadError::Gone) => return Err(Halt::Broken(format!("the snapshot of {id} was replaced"))),
            Err(LoadError::Damaged(text)) => {
                return Err(Halt::Broken(format!("the snapshot of {id}: {text}")));
            }
        }
        tokio::time::sleep(partition.env.config.retry_pause(attempt)).await;
    }
    unreachable!("the attempts are counted until one succeeds")
}

/// An entity that was away.
#[derive(Debug)]
pub(crate) struct Fetched<D: Decider> {
    pub(crate) entity: Entity<D>,
    pub(crate) trail: Trail,
    /// False if its snapshot is no longer there.
    pub(crate) is_written: bool,
}

/// Reads an entity that is away from its snapshot, and if that has disappeared, from the journal.
pub(crate) async fn fetch<D: Decider>(
    partition: &Partition<D>,
    number: u32,
    id: &EntityId,
    saved: Saved,
) -> Result<Fetched<D>, LoadError> {
    match load(partition, id, saved).await {
        Ok((entity, trail)) => Ok(Fetched { entity, trail, is_written: true }),
        Err(LoadError::Unavailable(error)) => Err(LoadError::Unavailable(error)),
        Err(LoadError::Gone | LoadError::Damaged(_)) => {
            let newest = partition.entities.borrow_mut().slot(number).and_then(|slot| slot.saved);
            if newest != Some(saved) {
                return Err(LoadError::Gone);
            }
            let (entity, trail) = rebuild(partition, id, saved.version).await?;
            Ok(Fetched { entity, trail, is_written: false })
        }
    }
}

/// Reads one snapshot from the leader and checks that it is the one that is meant.
async fn load<D: Decider>(
    partition: &Partition<D>,
    id: &EntityId,
    saved: Saved,
) -> Result<(Entity<D>, Trail), LoadError> {
    let _permit = partition.loads.permit().await;
    let stream = partition.env.layout.name(StreamId::Snapshots);
    let stored = partition.env.bus.get(&stream, saved.sequence).await.map_err(LoadError::Unavailable)?;
    let stored = stored.ok_or(LoadError::Gone)?;
    let damaged = |text: String| LoadError::Damaged(text);
    let (snapshot, _) =
        decode::<Snapshot<D::State>>(&stored.body).map_err(|error| damaged(error.to_string()))?;
    if (&snapshot.entity, snapshot.version) != (id, saved.version) {
        return Err(damaged(format!("it is of {} at version {}", snapshot.entity, snapshot.version)));
    }
    Ok(Entity::from_snapshot(snapshot))
}
