//! What is written of which entity, and how far the journal is covered: the accounts behind the snapshots.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::rc::Rc;

use bytes::Bytes;
use domain::decider::Decider;
use domain::ids::EntityId;
use domain::time::Timestamp;

use super::commit_queue::Queued;
use super::core::Partition;
use super::entities::{Saved, Slot};
use crate::entity::Entity;
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
    /// True if the state can be believed.
    pub(crate) sound: bool,
    pub(crate) body: Bytes,
}

/// A journal record by which replay begins: everything up to it is in snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Covered {
    pub(crate) sequence: u64,
    pub(crate) batch: u64,
    pub(crate) hash: RecordHash,
}

/// How many snapshots count, and the marks of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Census {
    pub(crate) entities: u64,
    pub(crate) digest: u64,
}

impl Census {
    /// A snapshot more, or another one for an entity that had one.
    pub(crate) fn count(&mut self, old_mark: Option<u64>, new_mark: u64) {
        match old_mark {
            Some(old) => self.digest ^= old,
            None => self.entities += 1,
        }
        self.digest ^= new_mark;
    }
}

/// The accounts of a partition.
#[derive(Debug, Default)]
pub(crate) struct Keeping {
    /// The sequence of our marker, 0 for none.
    pub(crate) marker: u64,
    pub(crate) epoch: u64,
    /// The number of our last marker.
    pub(crate) number: u64,
    pub(crate) generation: String,
    pub(crate) covered: Covered,
    pub(crate) census: Census,
    /// Entities with decisions that no snapshot has: from which record on, and who.
    pub(super) unsaved: BTreeSet<(u64, u32)>,
    /// Where the journal ended at which time, oldest first.
    pub(super) ends: VecDeque<(Timestamp, u64)>,
    /// Entities in memory, and when they are looked at next.
    pub(super) watched: VecDeque<(Timestamp, u32)>,
    /// Entities that came to their end.
    pub(super) finals: Vec<u32>,
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
        let Some(slot) = entities.slot(number) else { return };
        slot.unrecorded += 1;
        slot.changes += 1;
        slot.is_final = is_final;
        if is_final {
            self.keeping.borrow_mut().finals.push(number);
        }
    }

    /// A decision of an entity stands in this record.
    pub(crate) fn decision_recorded(&self, number: u32, sequence: u64) {
        let mut entities = self.entities.borrow_mut();
        let Some(slot) = entities.slot(number) else { return };
        slot.unrecorded -= 1;
        self.is_unsaved(slot, number, sequence);
    }

    /// The record stands in the trail of the entity, and no snapshot has it.
    pub(crate) fn is_unsaved(&self, slot: &mut Slot<D>, number: u32, sequence: u64) {
        slot.trail.push(sequence);
        if slot.unsaved_from.is_none() {
            slot.unsaved_from = Some(sequence);
            self.keeping.borrow_mut().unsaved.insert((sequence, number));
        }
    }

    /// The snapshot of an entity is gone, although nothing has changed since.
    pub(super) fn must_be_saved_again(&self, slot: &mut Slot<D>, number: u32) {
        let mut keeping = self.keeping.borrow_mut();
        let from = keeping.covered.sequence + 1;
        slot.unsaved_from = Some(from);
        keeping.unsaved.insert((from, number));
    }

    /// Looks at an entity in memory again when it may have become idle.
    pub(crate) fn watch(&self, slot: &mut Slot<D>, number: u32, now: Timestamp) {
        slot.touched = slot.touched.max(now);
        if slot.watched.is_none() {
            let due = slot.touched.plus_ms(self.env.config.idle_after_ms);
            slot.watched = Some(due);
            self.keeping.borrow_mut().watched.push_back((due, number));
        }
    }

    /// Recovery has brought an entity back into memory.
    pub(crate) fn in_memory(&self, slot: &mut Slot<D>, number: u32, is_final: bool) {
        self.watch(slot, number, self.env.clock.now());
        slot.is_final = is_final;
        if is_final {
            self.keeping.borrow_mut().finals.push(number);
        }
    }

    /// How many changes the entity has had.
    pub(crate) fn changes(&self, number: u32) -> u64 {
        self.entities.borrow_mut().slot(number).map_or(0, |slot| slot.changes)
    }

    /// Does something once everything that is decided until now is recorded; never, if the partition is given up before.
    pub(crate) fn once_recorded(&self, then: impl FnOnce() + 'static) {
        self.queue.push(Queued { answer: Some(Box::new(then)), ..Queued::default() });
    }

    /// The entity as it was after `changes`, all of which are recorded at this moment.
    pub(crate) fn captured(&self, number: u32, id: EntityId, entity: &Entity<D>, changes: u64) -> Captured {
        let mut entities = self.entities.borrow_mut();
        let body = entities.slot(number).map_or_else(Bytes::new, |slot| entity.written(&id, &slot.trail));
        let (version, sound) = (entity.version, !entity.suspect && !body.is_empty());
        Captured { number, id, version, changes, recorded: self.recorded.get(), sound, body }
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
            let Some(slot) = entities.slot(number).filter(|slot| slot.watched == Some(due)) else { continue };
            slot.watched = None;
            if slot.is_away() {
                continue;
            }
            let idle_at = slot.touched.plus_ms(config.idle_after_ms);
            if idle_at <= now && slot.is_quiet() {
                chosen.push(number);
            }
            // Looked at again also if it is chosen, for it may not go this time.
            let again = idle_at.max(now.plus_ms(config.idle_after_ms.clamp(1, LONGEST_LOOK_MS)));
            slot.watched = Some(again);
            keeping.watched.push_back((again, number));
        }
        chosen.retain(|number| {
            let here = entities.slot(*number).is_some_and(|slot| !slot.is_away() && slot.version > 0);
            here && known.insert(*number)
        });
        chosen
    }

    /// Up to which record everything is in snapshots once these are stored.
    pub(super) fn coverable(&self, about_to: &[Captured]) -> u64 {
        let numbers: HashSet<u32> = about_to.iter().map(|captured| captured.number).collect();
        let mut entities = self.entities.borrow_mut();
        let keeping = self.keeping.borrow();
        let first = keeping.unsaved.iter().find(|(_, number)| !numbers.contains(number));
        let mut covered = first.map_or(u64::MAX, |(from, _)| from - 1);
        for captured in about_to {
            let went_on = entities.slot(captured.number).is_none_or(|slot| slot.changes != captured.changes);
            if went_on {
                covered = covered.min(captured.recorded - 1);
            }
        }
        covered.min(self.published.through.get()).max(keeping.covered.sequence)
    }

    /// A snapshot is stored under `sequence`.
    pub(super) fn is_saved(&self, captured: &Captured, sequence: u64) {
        let (mut entities, mut keeping) = (self.entities.borrow_mut(), self.keeping.borrow_mut());
        let Some(slot) = entities.slot(captured.number) else { return };
        slot.saved = Some(Saved { version: captured.version, sequence });
        if let Some(from) = slot.unsaved_from.take() {
            keeping.unsaved.remove(&(from, captured.number));
        }
        if slot.changes != captured.changes {
            slot.unsaved_from = Some(captured.recorded);
            keeping.unsaved.insert((captured.recorded, captured.number));
        }
    }

    /// Lets an entity go out of memory if its snapshot has everything, and it is idle or at its end.
    pub(super) fn put_away_if_idle(self: &Rc<Self>, number: u32, now: Timestamp) {
        let mut entities = self.entities.borrow_mut();
        let Some(slot) = entities.slot(number) else { return };
        let is_written =
            slot.unsaved_from.is_none() && slot.saved.is_some_and(|saved| saved.version == slot.version);
        let is_idle = slot.is_final || slot.touched.plus_ms(self.env.config.idle_after_ms) <= now;
        if is_written && is_idle && slot.is_quiet() && !slot.is_away() {
            slot.put_away();
            self.env.metrics.passivated.add_one();
        }
    }
}
