//! What is decided and not yet recorded, in the order in which it was decided.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

use bus::layout::Lane;
use bus::ports::Outgoing;
use domain::decider::Participant;
use domain::ids::Token;
use domain::time::Timestamp;
use tokio::sync::Notify;

use crate::config::{MOST_DECISIONS, MOST_EVENTS, MOST_PAGE_BYTES, MOST_RECORD_BYTES};
use crate::mail::Sealed;
use crate::outbound::{PageRows, Workbench};
use crate::record::{DeadLetter, Entry, encode_entry};

/// An input (or one item of it) of which the fate is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consumed {
    /// It came on this lane, and has this number in the lane's tracker.
    Read(Lane, u64),
    /// Another partition handed it over; its number among the guests.
    Guest(u64),
    /// It is a letter of another entity.
    Letter,
}

/// One input's outcome: what goes into the record, and what may leave once that is stored.
#[derive(Default)]
pub(crate) struct Queued {
    /// Encoded entries; none = only something that has to wait for what stands before it.
    pub(crate) entries: Vec<u8>,
    pub(crate) entry_count: usize,
    pub(crate) decisions: usize,
    pub(crate) events: usize,
    /// Whose page the rows go to, and when they were decided.
    pub(crate) told: Option<(Token, Timestamp)>,
    pub(crate) rows: PageRows,
    pub(crate) notices: Vec<Outgoing>,
    pub(crate) commands: Vec<(Participant, Outgoing)>,
    /// What goes to other entities.
    pub(crate) letters: Vec<Sealed>,
    pub(crate) dead_letters: Vec<DeadLetter>,
    pub(crate) receipts: Vec<Outgoing>,
    /// Answers a reader, or puts something on the board.
    pub(crate) then: Option<Box<dyn FnOnce()>>,
    /// The number of the entity that decided, or was set aside.
    pub(crate) decider: Option<u32>,
    pub(crate) consumed: Option<Consumed>,
    /// Credits that come back with the ack.
    pub(crate) credits: usize,
}

impl std::fmt::Debug for Queued {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Queued")
            .field("entries", &self.entry_count)
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}

impl Queued {
    /// Adds a dead letter, as an entry and as something that leaves.
    pub(crate) fn add_dead_letter(&mut self, letter: DeadLetter) {
        let entry = Entry::<()>::DeadLetter(letter);
        encode_entry(&mut self.entries, &entry);
        self.entry_count += 1;
        if let Entry::DeadLetter(letter) = entry {
            self.dead_letters.push(letter);
        }
    }
}

/// How many records' memory is kept: for the one on its way, the one that fills, and some more while work piles up.
const MOST_SPARE: usize = 4;

/// The outcomes of one record, and what stands in it: as much as fits, at least one outcome.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) outcomes: Vec<Queued>,
    /// The entries of all of them.
    pub(crate) entries: Vec<u8>,
    pub(crate) entry_count: usize,
    pub(crate) decisions: usize,
    events: usize,
    page_bytes: usize,
    /// The rows of the pages, by tenant, and when the last of them were decided.
    pub(crate) told: TenantRows,
}

/// Rows of pages by tenant, with the time of the last of them.
pub(crate) type TenantRows = BTreeMap<Token, (Timestamp, PageRows)>;

impl Gathered {
    fn has_room_for(&self, queued: &Queued) -> bool {
        self.entries.len() + queued.entries.len() <= MOST_RECORD_BYTES
            && self.decisions + queued.decisions <= MOST_DECISIONS
            && self.events + queued.events <= MOST_EVENTS
            && self.page_bytes + queued.rows.page_bytes() <= MOST_PAGE_BYTES
    }

    /// Adds an outcome; gives back the memory that a decision was written in.
    fn add(&mut self, mut queued: Queued) -> Option<(Vec<u8>, PageRows)> {
        let (entries, rows) = (std::mem::take(&mut queued.entries), std::mem::take(&mut queued.rows));
        self.entries.extend_from_slice(&entries);
        self.entry_count += queued.entry_count;
        self.decisions += queued.decisions;
        self.events += queued.events;
        self.page_bytes += rows.page_bytes();
        if let Some((tenant, at)) = &queued.told {
            let page = self.told.entry(tenant.clone()).or_default();
            page.0 = page.0.max(*at);
            page.1.append(&rows);
        }
        let was_decided = queued.decisions > 0;
        self.outcomes.push(queued);
        was_decided.then_some((entries, rows))
    }

    /// Nothing, in the same memory.
    fn emptied(mut self) -> Self {
        self.outcomes.clear();
        self.entries.clear();
        // Who told nothing this time is not kept, so that they never get many.
        self.told.retain(|_, (_, rows)| rows.len() > 0);
        for (at, rows) in self.told.values_mut() {
            *at = Timestamp::default();
            rows.clear();
        }
        let Self { outcomes, entries, told, .. } = self;
        Self { outcomes, entries, told, ..Self::default() }
    }
}

/// The queue in front of the journal. Bounded by the credits of the inputs that end in it.
#[derive(Debug, Default)]
pub(crate) struct CommitQueue {
    waiting: RefCell<VecDeque<Gathered>>,
    /// The memory of the records before.
    spare: RefCell<Vec<Gathered>>,
    /// What decisions are written in until they are pushed.
    pub(crate) bench: RefCell<Workbench>,
    /// Wakes the committer.
    pub(crate) filled: Notify,
    /// More waits than one record takes.
    full: Notify,
    closed: Cell<bool>,
}

impl CommitQueue {
    /// Adds an outcome at the end; dropped if the partition is given up.
    pub(crate) fn push(&self, queued: Queued) {
        if self.closed.get() {
            return;
        }
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.back().is_some_and(|last| last.has_room_for(&queued)) {
            if !waiting.is_empty() {
                self.full.notify_one();
            }
            waiting.push_back(self.spare.borrow_mut().pop().unwrap_or_default());
        }
        let last = waiting.back_mut().expect("there is one, if only since just now");
        let written = last.add(queued);
        if let Some((entries, rows)) = written {
            self.bench.borrow_mut().take_back(entries, rows);
        }
        self.filled.notify_one();
    }

    /// True if nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// True if what waits is to be recorded, and not only to be let go.
    pub(crate) fn has_to_record(&self) -> bool {
        self.waiting.borrow().front().is_some_and(|first| first.entry_count > 0)
    }

    /// Comes back once more waits than one record takes.
    pub(crate) async fn crowded(&self) {
        while self.waiting.borrow().len() < 2 {
            self.full.notified().await;
        }
    }

    /// What the next record takes.
    pub(crate) fn take(&self) -> Gathered {
        self.waiting.borrow_mut().pop_front().unwrap_or_default()
    }

    /// Takes back what a record was gathered in, once all of it is out.
    pub(crate) fn take_back(&self, gathered: Gathered) {
        let mut spare = self.spare.borrow_mut();
        if gathered.entries.capacity() > 0 && spare.len() < MOST_SPARE {
            spare.push(gathered.emptied());
        }
    }

    /// Drops everything that waits, and whatever comes later: nothing of it may ever leave.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        self.waiting.borrow_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{CommitQueue, Queued};
    use crate::config::{MOST_DECISIONS, MOST_EVENTS, MOST_RECORD_BYTES};

    fn decision(bytes: usize, events: usize) -> Queued {
        Queued { entries: vec![0; bytes], entry_count: 1, decisions: 1, events, ..Queued::default() }
    }

    #[test]
    fn a_record_closes_at_its_bytes_decisions_and_events() {
        for (queued, expected) in
            [((100, 1), MOST_DECISIONS), ((1024, 1), MOST_RECORD_BYTES / 1024), ((10, 10), MOST_EVENTS / 10)]
        {
            let queue = CommitQueue::default();
            for _ in 0..1_000 {
                queue.push(decision(queued.0, queued.1));
            }
            assert_eq!(queue.take().outcomes.len(), expected, "{queued:?}");
        }
    }

    #[test]
    fn one_decision_larger_than_a_record_goes_alone() {
        let queue = CommitQueue::default();
        queue.push(decision(MOST_RECORD_BYTES + 1, 1));
        queue.push(decision(1, 1));
        assert_eq!(queue.take().outcomes.len(), 1);
        assert_eq!(queue.take().outcomes.len(), 1);
        assert!(queue.is_empty());
    }
}
