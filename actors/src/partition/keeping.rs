//! What is written of which entity, and how far the journal is covered: the accounts behind the snapshots.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use domain::decider::Decider;
use domain::ids::EntityId;
use domain::time::Timestamp;
use sha2::{Digest, Sha256};

use super::commit_queue::Queued;
use super::core::Partition;
use super::index::IndexState;
use super::pages::Pages;
use super::slots::{Here, Row};
use super::timers::Due;
use crate::entity::{Entity, Facts};
use crate::record::RecordHash;

/// An idle entity that could not go is looked at again after this time.
const LONGEST_LOOK_MS: i64 = 10_000;

/// An entity as it is recorded, ready to be written.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) number: u32,
    pub(crate) id: EntityId,
    pub(crate) version: u64,
    /// What the entity's count of changes was.
    pub(super) changes: u64,
    /// The end of the journal at that moment: later decisions stand in this record or behind it.
    pub(crate) recorded: u64,
    pub(super) facts: Facts,
    pub(crate) body: Bytes,
}

/// A journal record by which replay begins: everything up to it is in snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Covered {
    pub(crate) sequence: u64,
    pub(crate) batch: u64,
    pub(crate) hash: RecordHash,
}

/// The accounts of a partition.
#[derive(Debug, Default)]
pub(crate) struct Keeping {
    /// The sequence of our marker, 0 for none.
    pub(crate) marker: u64,
    pub(crate) epoch: u64,
    /// The number of our last marker.
    pub(crate) number: u64,
    pub(crate) index: IndexState,
    pub(crate) covered: Covered,
    /// Where the newest snapshots stand.
    pub(crate) pages: Pages,
    /// Entities with decisions that no snapshot has: from which record on, and who.
    pub(super) unsaved: BTreeSet<(u64, u32)>,
    /// Where the journal ended at which time, oldest first.
    pub(super) ends: VecDeque<(Timestamp, u64)>,
    /// Entities in memory, and when they are looked at next.
    pub(super) watched: VecDeque<(Timestamp, u32)>,
    /// Entities that came to their end.
    pub(super) finals: Vec<u32>,
    /// How many entities the metrics say are known, and how many of them in memory.
    shown: (usize, usize),
    /// Up to where the pages of this partition are purged: of open entities, of closed ones, of the index, and the markers.
    pub(super) purged: [u64; 4],
}

impl Keeping {
    /// Empty accounts behind the marker with this sequence; `number` markers of ours were written before.
    pub(crate) fn behind(marker: u64, epoch: u64, number: u64) -> Self {
        Self { marker, epoch, number, ..Self::default() }
    }
}

impl<D: Decider> Partition<D> {
    /// An entity has decided: the record of it is on its way.
    pub(crate) fn decided(&self, number: u32, is_final: bool) {
        let mut entities = self.entities.borrow_mut();
        let Some(here) = entities.here(number) else { return };
        here.unrecorded += 1;
        here.changes += 1;
        here.is_final = is_final;
        if is_final {
            self.keeping.borrow_mut().finals.push(number);
        }
    }

    /// A decision of an entity stands in this record.
    pub(crate) fn decision_recorded(&self, number: u32, sequence: u64) {
        let mut entities = self.entities.borrow_mut();
        let Some(here) = entities.here(number) else { return };
        here.unrecorded -= 1;
        self.is_unsaved(here, number, sequence);
    }

    /// The record stands in the trail of the entity, and no snapshot has it.
    pub(crate) fn is_unsaved(&self, here: &mut Here<D>, number: u32, sequence: u64) {
        here.trail.push(sequence);
        if here.unsaved_from.is_none() {
            here.unsaved_from = Some(sequence);
            self.keeping.borrow_mut().unsaved.insert((sequence, number));
        }
    }

    /// The snapshot of an entity is gone, although nothing has changed since.
    pub(super) fn must_be_saved_again(&self, here: &mut Here<D>, number: u32) {
        if here.unsaved_from.is_none() {
            let mut keeping = self.keeping.borrow_mut();
            let from = keeping.covered.sequence + 1;
            here.unsaved_from = Some(from);
            keeping.unsaved.insert((from, number));
        }
    }

    /// Looks at an entity in memory again when it may have become idle.
    pub(crate) fn watch(&self, here: &mut Here<D>, number: u32, now: Timestamp) {
        here.touched = here.touched.max(now);
        if here.watched.is_none() {
            let due = here.touched.plus_ms(self.env.config.idle_after_ms);
            here.watched = Some(due);
            self.keeping.borrow_mut().watched.push_back((due, number));
        }
    }

    /// Recovery has brought an entity back into memory.
    pub(crate) fn in_memory(&self, here: &mut Here<D>, number: u32, is_final: bool) {
        self.watch(here, number, self.env.clock.now());
        here.is_final = is_final;
        if is_final {
            self.keeping.borrow_mut().finals.push(number);
        }
    }

    /// How many changes the entity has had.
    pub(crate) fn changes(&self, number: u32) -> u64 {
        self.entities.borrow_mut().here(number).map_or(0, |here| here.changes)
    }

    /// Does something once everything that is decided until now is recorded; never, if the partition is given up before.
    pub(crate) fn once_recorded(&self, then: impl FnOnce() + 'static) {
        self.queue.push(Queued { then: Some(Box::new(then)), ..Queued::default() });
    }

    /// The entity as it was after `changes`, all of which are recorded at this moment; none = its state cannot be believed.
    pub(crate) fn captured(
        &self,
        number: u32,
        id: &EntityId,
        entity: &Entity<D>,
        changes: u64,
    ) -> Option<Captured> {
        if entity.suspect {
            return None;
        }
        let mut entities = self.entities.borrow_mut();
        let here = entities.here(number)?;
        let mut facts = Facts::of(entity);
        match facts.open.as_deref_mut().filter(|open| open.waiting != [0; 5]) {
            Some(open) => open.since = *here.waits_since.get_or_insert(here.touched),
            None => here.waits_since = None,
        }
        Some(Captured {
            number,
            id: id.clone(),
            version: entity.version.max(u64::from(entity.quarantined)),
            changes,
            recorded: self.recorded.get(),
            facts,
            body: entity.written(id, &here.trail),
        })
    }

    /// Who is to be written now: those at their end, the idle, and those whose decisions were not written for long.
    pub(super) fn to_be_kept(&self, now: Timestamp) -> Vec<u32> {
        let (mut entities, mut keeping) = (self.entities.borrow_mut(), self.keeping.borrow_mut());
        let config = &self.env.config;
        keeping.ends.push_back((now, self.recorded.get()));
        let mut old_end = None;
        while let Some((at, end)) = keeping.ends.front().copied() {
            if at.plus_ms(config.checkpoint_age_ms) > now {
                break;
            }
            old_end = Some(end);
            keeping.ends.pop_front();
        }
        let (mut chosen, mut known) = (std::mem::take(&mut keeping.finals), HashSet::new());
        if let Some(end) = old_end {
            let old = keeping.unsaved.iter().take_while(|(from, _)| *from <= end);
            chosen.extend(old.map(|(_, number)| *number));
        }
        while let Some((due, number)) = keeping.watched.front().copied() {
            if due > now {
                break;
            }
            keeping.watched.pop_front();
            // The number may have gone to another entity meanwhile.
            let Some(here) = entities.here(number).filter(|here| here.watched == Some(due)) else { continue };
            let idle_at = here.touched.plus_ms(config.idle_after_ms);
            if idle_at <= now && here.is_quiet() {
                chosen.push(number);
            }
            // Looked at again also if it is chosen, for it may not go this time.
            let again = idle_at.max(now.plus_ms(config.idle_after_ms.clamp(1, LONGEST_LOOK_MS)));
            here.watched = Some(again);
            keeping.watched.push_back((again, number));
        }
        chosen.retain(|number| {
            entities.here(*number).is_some_and(|here| here.version > 0) && known.insert(*number)
        });
        chosen
    }

    /// Those of them that have something to be written.
    pub(super) fn unsaved(&self, mut numbers: Vec<u32>) -> Vec<u32> {
        let mut entities = self.entities.borrow_mut();
        numbers.retain(|number| entities.here(*number).is_some_and(|here| here.unsaved_from.is_some()));
        numbers
    }

    /// Up to which record everything is in snapshots once these are stored.
    pub(super) fn coverable(&self, about_to: &[Captured]) -> u64 {
        let numbers: HashSet<u32> = about_to.iter().map(|captured| captured.number).collect();
        let mut entities = self.entities.borrow_mut();
        let keeping = self.keeping.borrow();
        let first = keeping.unsaved.iter().find(|(_, number)| !numbers.contains(number));
        let mut covered = first.map_or(u64::MAX, |(from, _)| from - 1);
        for captured in about_to {
            let went_on = entities.here(captured.number).is_none_or(|here| here.changes != captured.changes);
            if went_on {
                covered = covered.min(captured.recorded - 1);
            }
        }
        covered.min(self.published.through.get()).max(keeping.covered.sequence)
    }

    /// A snapshot is stored, as its row says.
    pub(super) fn is_saved(&self, captured: &Captured, row: Row) {
        let (mut entities, mut keeping) = (self.entities.borrow_mut(), self.keeping.borrow_mut());
        let Some(slot) = entities.slot(captured.number) else { return };
        if let Some(before) = slot.row.replace(row) {
            keeping.pages.replaced(before.place);
        }
        let Some(here) = slot.here() else { return };
        if let Some(from) = here.unsaved_from.take() {
            keeping.unsaved.remove(&(from, captured.number));
        }
        if here.changes != captured.changes {
            here.unsaved_from = Some(captured.recorded);
            keeping.unsaved.insert((captured.recorded, captured.number));
        }
    }

    /// The newest snapshot of an entity stands in another page now.
    pub(super) fn is_moved(&self, number: u32, row: Row) {
        let (mut entities, mut keeping) = (self.entities.borrow_mut(), self.keeping.borrow_mut());
        if let Some(before) = entities.slot(number).and_then(|slot| slot.row.replace(row)) {
            keeping.pages.replaced(before.place);
        }
    }

    /// A name for an index that no other has, whoever wrote it.
    pub(crate) fn new_index_token(&self) -> String {
        let digest = Sha256::digest(&self.env.config.instance);
        let own: u32 = digest[..4].iter().fold(0, |number, byte| (number << 8) | u32::from(*byte));
        let keeping = self.keeping.borrow();
        format!("{}-{own:08x}-{}", keeping.epoch, keeping.number)
    }

    /// Tells the metrics how many entities are known and in memory; none if the partition is given up.
    pub(crate) fn show_counts(&self) {
        let now = {
            let entities = self.entities.borrow();
            (entities.len(), entities.in_memory())
        };
        let shown = std::mem::replace(&mut self.keeping.borrow_mut().shown, now);
        let difference = |now: usize, before: usize| {
            i64::try_from(now).unwrap_or(i64::MAX) - i64::try_from(before).unwrap_or(i64::MAX)
        };
        self.env.metrics.known.adjust(difference(now.0, shown.0));
        self.env.metrics.in_memory.adjust(difference(now.1, shown.1));
    }

    /// Lets an entity go out of memory if its snapshot has everything, and it is idle or at its end.
    pub(super) fn put_away_if_idle(self: &Rc<Self>, number: u32, now: Timestamp) {
        let mut entities = self.entities.borrow_mut();
        let Some(slot) = entities.slot(number) else { return };
        let saved = slot.row.as_ref().map(|row| (row.version, row.deadline));
        let (Some((version, deadline)), Some(here)) = (saved, slot.here()) else { return };
        let is_written = here.unsaved_from.is_none() && version == here.version;
        let is_idle = here.is_final || here.touched.plus_ms(self.env.config.idle_after_ms) <= now;
        if !(is_written && is_idle && here.is_quiet()) {
            return;
        }
        let armed = here.deadline;
        entities.goes(number);
        drop(entities);
        self.set_deadline(Due::Entity(number), armed, deadline);
        self.env.metrics.passivated.add_one();
    }
}
