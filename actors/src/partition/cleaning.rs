//! Keeps the stream of snapshots as small as what it says: old pages are written again, the index is written whole, the archive of
//! closed entities has an end, and what counts no more is purged.

use std::rc::Rc;

use bus::layout::StreamId;
use domain::decider::Decider;
use domain::time::Timestamp;

use super::batch::{Batch, CLOSED, Moved, OPEN, index_subject};
use super::checkpoint::{MARKER, Trouble, store};
use super::core::Partition;
use super::index::IndexState;
use super::loading::{LoadError, page};
use super::pages::newest_in;
use super::slots::Presence;
use crate::record::{IndexName, IndexPage};

/// Pages that are rewritten, or closed pages that go, in one round: the rest waits for the next one.
const PAGES_IN_A_ROUND: usize = 16;
/// Pages of a whole index that are stored together.
const INDEX_PAGES_IN_A_BATCH: usize = 8;

/// One round.
pub(super) async fn clean<D: Decider>(partition: &Rc<Partition<D>>, now: Timestamp) -> Result<(), Trouble> {
    rewrite_old_pages(partition).await?;
    end_archive(partition, now).await?;
    if partition.keeping.borrow().index.is_too_long(partition.env.config.snapshot_slack) {
        write_whole_index(partition).await?;
    }
    purge(partition).await
}

/// Writes what still counts of the oldest pages again, so that they can go.
async fn rewrite_old_pages<D: Decider>(partition: &Rc<Partition<D>>) -> Result<(), Trouble> {
    for _ in 0..PAGES_IN_A_ROUND {
        let old = {
            let mut keeping = partition.keeping.borrow_mut();
            keeping.pages.drop_useless();
            keeping.pages.worth_rewriting(partition.env.config.snapshot_slack)
        };
        let Some((sequence, numbers)) = old else { return Ok(()) };
        let stored = match page(partition, sequence).await {
            Ok(stored) => Some(stored),
            Err(LoadError::Unavailable(error)) => return Err(Trouble::Later(error)),
            Err(LoadError::Gone | LoadError::Damaged(_)) => None,
        };
        let numbers = newest_in(&mut partition.entities.borrow_mut(), sequence, &numbers);
        let (mut moved, mut lost) = (Vec::new(), Vec::new());
        for number in numbers {
            let mut entities = partition.entities.borrow_mut();
            let Some(row) = entities.slot(number).and_then(|slot| slot.row.clone()) else { continue };
            match stored.as_ref().and_then(|page| page.items.get(usize::from(row.place.item))) {
                Some(body) => moved.push(Moved { number, row, body: body.clone() }),
                None => lost.push(number),
            }
        }
        if !lost.is_empty() {
            tracing::warn!(partition = partition.number, sequence, "a page of snapshots is gone");
            partition.save_again(&lost);
            return Ok(());
        }
        partition.env.metrics.rewritten.add(moved.len() as u64);
        store(partition, Batch { moved, ..Batch::default() }, None).await?;
    }
    Ok(())
}

/// Lets go of what was closed long ago: first its state, then that it was ever there.
async fn end_archive<D: Decider>(partition: &Rc<Partition<D>>, now: Timestamp) -> Result<(), Trouble> {
    let config = &partition.env.config;
    let (state_ms, id_ms) = (config.closed_retention_ms, config.known_retention_ms);
    let mut batch = Batch::default();
    let mut ended = Vec::new();
    if state_ms > 0 {
        let keeping = partition.keeping.borrow();
        let mut entities = partition.entities.borrow_mut();
        while ended.len() < PAGES_IN_A_ROUND {
            let Some((page, closed)) =
                keeping.pages.closed_after(ended.last().copied(), now.plus_ms(-state_ms))
            else {
                break;
            };
            let numbers = newest_in(&mut entities, page, &closed.numbers);
            let is_away = |number: &u32| {
                entities.slot(*number).is_some_and(|slot| matches!(slot.presence, Presence::Away))
            };
            if !numbers.iter().all(is_away) {
                break; // somebody looks at one of them just now
            }
            if id_ms == 0 || closed.closed_at.plus_ms(id_ms) > now {
                batch.gone.extend(numbers.iter().map(|number| (*number, closed.closed_at)));
            } else {
                batch.forgotten.extend(numbers);
            }
            ended.push(page);
        }
    }
    if id_ms > 0 {
        let mut keeping = partition.keeping.borrow_mut();
        while batch.forgotten.len() < 1_000 {
            let Some(number) = keeping.pages.pop_gone(now.plus_ms(-id_ms)) else { break };
            batch.forgotten.push(number);
        }
    }
    if batch.gone.is_empty() && batch.forgotten.is_empty() && ended.is_empty() {
        return Ok(());
    }
    let phases = partition.phases_of(&batch.forgotten);
    partition.env.metrics.forgotten.add(batch.forgotten.len() as u64);
    store(partition, batch, None).await?;
    for phase in phases {
        partition.phase_changed(Some(phase), None);
    }
    let mut keeping = partition.keeping.borrow_mut();
    for page in ended {
        keeping.pages.drop_closed(page);
    }
    Ok(())
}

/// Writes the whole index under a new name. Until the last of its pages is stored, the old one counts.
async fn write_whole_index<D: Decider>(partition: &Rc<Partition<D>>) -> Result<(), Trouble> {
    let token = partition.new_index_token();
    let pages = partition.whole_index();
    let (count, rows) = (pages.len(), pages.iter().map(|(_, rows)| rows).sum());
    let mut pages: Vec<IndexPage> = pages.into_iter().map(|(page, _)| page).collect();
    let name = IndexName { token: token.clone(), pages: count as u64 };
    let mut begin = None;
    loop {
        let rest = pages.split_off(pages.len().min(INDEX_PAGES_IN_A_BATCH));
        let named = rest.is_empty().then(|| name.clone());
        let whole_index = Some((token.clone(), std::mem::replace(&mut pages, rest)));
        let is_last = named.is_some();
        store(partition, Batch { whole_index, ..Batch::default() }, named).await?;
        begin.get_or_insert(partition.keeping.borrow().marker);
        if is_last {
            break;
        }
    }
    let known = partition.entities.borrow().len();
    partition.keeping.borrow_mut().index = IndexState::new(name, rows, known, begin);
    Ok(())
}

/// Purges what stands before everything that counts.
async fn purge<D: Decider>(partition: &Rc<Partition<D>>) -> Result<(), Trouble> {
    let (wanted, purged) = {
        let keeping = partition.keeping.borrow();
        let (open, closed) = keeping.pages.oldest();
        let marker = keeping.marker;
        let index = keeping.index.begins_at(marker);
        ([open.unwrap_or(marker), closed.unwrap_or(marker), index, marker], keeping.purged)
    };
    let (env, number) = (&partition.env, partition.number);
    let stream = env.layout.name(StreamId::Snapshots);
    let subjects = [OPEN.to_owned(), CLOSED.to_owned(), index_subject("*"), MARKER.to_owned()];
    for (at, subject) in subjects.iter().enumerate() {
        // Markers alone are small: they go together with something, or when there are many of them.
        let enough = if at == 3 { purged[at] + 1_000 } else { purged[at] };
        if wanted[at] > enough {
            let filter = env.layout.snapshot(number, subject);
            env.bus.purge_filtered(&stream, &filter, wanted[at]).await?;
            partition.keeping.borrow_mut().purged[at] = wanted[at];
        }
    }
    Ok(())
}

impl<D: Decider> Partition<D> {
    /// The snapshots of these entities are gone: those in memory are written again, the others come back for it.
    fn save_again(&self, numbers: &[u32]) {
        let mut entities = self.entities.borrow_mut();
        for number in numbers {
            let Some(slot) = entities.slot(*number) else { continue };
            match &mut slot.presence {
                Presence::Here(here) => self.must_be_saved_again(here, *number),
                Presence::Coming(_) => {}
                Presence::Away => {
                    slot.presence = Presence::Coming(Box::default());
                    self.loads.wanted(*number);
                }
            }
        }
    }

    fn phases_of(&self, numbers: &[u32]) -> Vec<&'static str> {
        let mut entities = self.entities.borrow_mut();
        let phase = |number: &u32| {
            let row = entities.slot(*number)?.row.as_ref()?;
            D::phases().get(usize::from(row.phase)).copied()
        };
        numbers.iter().filter_map(phase).collect()
    }
}
