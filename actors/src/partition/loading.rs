//! Entities that are away are read back when something comes for them. What comes meanwhile waits in its order.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use bus::layout::StreamId;
use bus::ports::Unavailable;
use domain::decider::Decider;
use domain::ids::EntityId;
use futures_util::future::join_all;
use tokio::sync::{Notify, Semaphore};

use super::core::{Halt, Partition, Stage};
use super::rebuild::{Rebuilt, rebuild};
use super::slots::Row;
use crate::entity::{Entity, Trail};
use crate::record::{Snapshot, SnapshotPage, decode, decode_item};

/// Pages that were read last: what was written together is often wanted together.
const PAGES_KEPT: usize = 16;

/// Who is to be read back, and how many at once.
#[derive(Debug)]
pub(crate) struct Loads {
    wanted: RefCell<VecDeque<u32>>,
    changed: Notify,
    at_once: usize,
    /// Readers share the bound with the entities that come back.
    permits: Semaphore,
    pages: RefCell<VecDeque<(u64, Rc<SnapshotPage>)>>,
}

impl Loads {
    pub(super) fn new(at_once: usize) -> Self {
        let at_once = at_once.clamp(1, Semaphore::MAX_PERMITS / 2);
        Self {
            wanted: RefCell::default(),
            changed: Notify::new(),
            at_once,
            permits: Semaphore::new(2 * at_once),
            pages: RefCell::default(),
        }
    }

    /// An entity is to be read back. Bounded by the credits of what comes for it.
    pub(super) fn wanted(&self, number: u32) {
        self.wanted.borrow_mut().push_back(number);
        self.changed.notify_one();
    }

    /// Who is next: as many as may come at once, and whoever else is wanted.
    fn take(&self) -> Vec<u32> {
        let mut wanted = self.wanted.borrow_mut();
        let count = wanted.len().min(self.at_once);
        wanted.drain(..count).collect()
    }

    fn kept(&self, sequence: u64) -> Option<Rc<SnapshotPage>> {
        let pages = self.pages.borrow();
        pages.iter().find(|(kept, _)| *kept == sequence).map(|(_, page)| Rc::clone(page))
    }

    fn keep(&self, sequence: u64, page: &Rc<SnapshotPage>) {
        let mut pages = self.pages.borrow_mut();
        if pages.len() >= PAGES_KEPT {
            pages.pop_front();
        }
        pages.push_back((sequence, Rc::clone(page)));
    }
}

/// Why a snapshot cannot be had.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// Not now.
    Unavailable(Unavailable),
    /// It does not stand there.
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
        bring_back(&partition, numbers).await?;
    }
}

/// Reads entities back, each page once; those whose pages are gone share one reading of the journal.
pub(crate) async fn bring_back<D: Decider>(
    partition: &Rc<Partition<D>>,
    numbers: Vec<u32>,
) -> Result<(), Halt> {
    let mut by_page: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for number in numbers {
        let mut entities = partition.entities.borrow_mut();
        let row = entities.slot(number).and_then(|slot| slot.row.as_ref());
        by_page.entry(row.map_or(0, |row| row.place.page)).or_default().push(number);
    }
    let pages = by_page.into_values().map(|numbers| async {
        let mut gone = Vec::new();
        for number in numbers {
            gone.extend(bring_one_back(partition, number).await);
        }
        gone
    });
    let gone = join_all(pages).await.concat();
    if gone.is_empty() { Ok(()) } else { bring_back_from_journal(partition, &gone).await }
}

/// An entity whose snapshot has disappeared.
#[derive(Debug, Clone, Copy)]
struct Lost {
    number: u32,
    hash: u64,
    version: u64,
}

/// Gives the entity back if its snapshot has disappeared.
async fn bring_one_back<D: Decider>(partition: &Rc<Partition<D>>, number: u32) -> Option<Lost> {
    for attempt in 0.. {
        let (hash, row) = {
            let mut entities = partition.entities.borrow_mut();
            let slot = entities.slot(number)?;
            (slot.hash, slot.row.clone()?)
        };
        match load(partition, hash, &row).await {
            Ok((id, entity, trail)) => {
                partition.env.metrics.loaded.add_one();
                partition.is_back(number, id, entity, trail, true);
                return None;
            }
            Err(LoadError::Unavailable(error)) => {
                tracing::warn!(partition = partition.number, %error, "an entity waits for its snapshot");
            }
            Err(LoadError::Gone | LoadError::Damaged(_)) if is_newest(partition, number, &row) => {
                return Some(Lost { number, hash, version: row.version });
            }
            // It was written again meanwhile, and stands elsewhere.
            Err(LoadError::Gone | LoadError::Damaged(_)) => continue,
        }
        tokio::time::sleep(partition.env.config.retry_pause(attempt)).await;
    }
    unreachable!("the attempts are counted until one succeeds")
}

/// Is this still where the newest snapshot of the entity stands?
fn is_newest<D: Decider>(partition: &Partition<D>, number: u32, row: &Row) -> bool {
    let mut entities = partition.entities.borrow_mut();
    entities.slot(number).and_then(|slot| slot.row.as_ref()).is_some_and(|newest| newest.place == row.place)
}

async fn bring_back_from_journal<D: Decider>(
    partition: &Rc<Partition<D>>,
    gone: &[Lost],
) -> Result<(), Halt> {
    for attempt in 0.. {
        match rebuild(partition, gone.iter().map(|lost| (lost.hash, lost.version))).await {
            Ok(mut all) => {
                for lost in gone {
                    let Some(Rebuilt { id: Some(id), entity, trail, .. }) = all.remove(&lost.hash) else {
                        continue;
                    };
                    partition.env.metrics.loaded.add_one();
                    partition.is_back(lost.number, id, entity, trail, false);
                }
                return Ok(());
            }
            Err(LoadError::Unavailable(error)) => {
                tracing::warn!(partition = partition.number, %error, "entities wait for the journal");
            }
            Err(LoadError::Gone) => {}
            Err(LoadError::Damaged(text)) => return Err(Halt::Broken(text)),
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
}

/// Reads an entity that is away from its snapshot, and if that has disappeared, from the journal.
///
/// # Errors
/// [`LoadError::Gone`]: its newest snapshot is another one by now.
pub(crate) async fn fetch<D: Decider>(
    partition: &Partition<D>,
    number: u32,
    row: &Row,
) -> Result<Fetched<D>, LoadError> {
    let hash = partition.entities.borrow_mut().slot(number).map(|slot| slot.hash);
    let Some(hash) = hash else { return Err(LoadError::Gone) };
    match load(partition, hash, row).await {
        Ok((_, entity, trail)) => Ok(Fetched { entity, trail }),
        Err(LoadError::Unavailable(error)) => Err(LoadError::Unavailable(error)),
        Err(LoadError::Gone | LoadError::Damaged(_)) if is_newest(partition, number, row) => {
            match rebuild(partition, [(hash, row.version)]).await?.remove(&hash) {
                Some(Rebuilt { entity, trail, .. }) => Ok(Fetched { entity, trail }),
                None => Err(LoadError::Gone),
            }
        }
        Err(LoadError::Gone | LoadError::Damaged(_)) => Err(LoadError::Gone),
    }
}

/// Reads one snapshot and checks that it is the one that is meant.
async fn load<D: Decider>(
    partition: &Partition<D>,
    hash: u64,
    row: &Row,
) -> Result<(EntityId, Entity<D>, Trail), LoadError> {
    let _permit = partition.loads.permits.acquire().await.expect("nobody closes it");
    let page = page(partition, row.place.page).await?;
    let item = page.items.get(usize::from(row.place.item));
    let item = item.ok_or_else(|| LoadError::Damaged("its page is too short".to_owned()))?;
    let snapshot: Snapshot<D::State> =
        decode_item(item).map_err(|error| LoadError::Damaged(error.to_string()))?;
    let id = snapshot.entity.clone();
    let (entity, trail) = Entity::from_snapshot(snapshot);
    let version = entity.version.max(u64::from(entity.quarantined));
    if (partition.hash_key.entity(&id), version) != (hash, row.version) {
        return Err(LoadError::Damaged(format!("it is of {id} at version {version}")));
    }
    Ok((id, entity, trail))
}

/// One page of snapshots, from the leader if it was not read just before.
pub(crate) async fn page<D: Decider>(
    partition: &Partition<D>,
    sequence: u64,
) -> Result<Rc<SnapshotPage>, LoadError> {
    if let Some(page) = partition.loads.kept(sequence) {
        return Ok(page);
    }
    let stream = partition.env.layout.name(StreamId::Snapshots);
    let stored = partition.env.bus.get(&stream, sequence).await.map_err(LoadError::Unavailable)?;
    let stored = stored.ok_or(LoadError::Gone)?;
    let (page, _) =
        decode::<SnapshotPage>(&stored.body).map_err(|error| LoadError::Damaged(error.to_string()))?;
    let page = Rc::new(page);
    partition.loads.keep(sequence, &page);
    Ok(page)
}
