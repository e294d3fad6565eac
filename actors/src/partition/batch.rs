//! What is stored together: how entities are laid into pages, what the index says of them, and what is noted once it is stored.

use std::rc::Rc;

use bus::ports::Outgoing;
use bytes::Bytes;
use domain::decider::Decider;
use domain::envelope::Headers;
use domain::time::Timestamp;

use super::core::Partition;
use super::index::Rows;
use super::keeping::Captured;
use super::slots::{Place, Row};
use crate::record::{IndexPage, SnapshotPage, encode_snapshot};

/// A page is closed beyond so many bytes: small enough to be read for one entity, large enough that the broker has few of them.
const PAGE_BYTES: usize = 32 * 1024;

/// The pages of open entities, of closed ones, and of the index: tokens in their subjects.
pub(crate) const OPEN: &str = "open";
/// See [`OPEN`].
pub(crate) const CLOSED: &str = "closed";

/// The rest of the subject of an index.
pub(crate) fn index_subject(token: &str) -> String {
    format!("index.{token}")
}

/// A snapshot that is written again as it is, so that the page in which it stands can go.
#[derive(Debug)]
pub(super) struct Moved {
    pub(super) number: u32,
    pub(super) row: Row,
    pub(super) body: Bytes,
}

/// What is to be stored.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Entities as they are recorded.
    pub(super) captured: Vec<Captured>,
    /// Snapshots of open entities.
    pub(super) moved: Vec<Moved>,
    /// Closed entities of which only the id is to be known, and when they were closed.
    pub(super) gone: Vec<(u32, Timestamp)>,
    /// Closed entities that are to be forgotten.
    pub(super) forgotten: Vec<u32>,
    /// Pages of a whole index, beside anything else; they stand under the token.
    pub(super) whole_index: Option<(String, Vec<IndexPage>)>,
}

/// One page, with the places of its entities in the batch.
struct Page {
    is_closed: bool,
    bytes: usize,
    members: Vec<usize>,
}

/// A batch in the form in which it is stored, behind its marker.
pub(super) struct Laid {
    pub(super) messages: Vec<Outgoing>,
    /// How many rows its page of the index has; 0 = it has none.
    pub(super) rows: usize,
    pages: Vec<Page>,
    now: Timestamp,
}

impl Batch {
    fn body(&self, member: usize) -> &Bytes {
        let of_moved = || &self.moved[member - self.captured.len()].body;
        self.captured.get(member).map_or_else(of_moved, |captured| &captured.body)
    }

    fn number(&self, member: usize) -> u32 {
        let of_moved = || self.moved[member - self.captured.len()].number;
        self.captured.get(member).map_or_else(of_moved, |captured| captured.number)
    }

    /// The row of an entity in the batch, as far as it is known before it is stored.
    fn row(&self, member: usize, place: Place) -> Row {
        let Some(captured) = self.captured.get(member) else {
            return Row { place, ..self.moved[member - self.captured.len()].row.clone() };
        };
        let facts = &captured.facts;
        Row {
            version: captured.version,
            place,
            phase: facts.phase,
            is_closed: facts.is_final,
            posts: facts.posts,
            deadline: facts.deadline,
            open: facts.open.clone(),
        }
    }

    fn pages(&self) -> Vec<Page> {
        let mut pages: Vec<Page> = Vec::new();
        for member in 0..self.captured.len() + self.moved.len() {
            let is_closed = self.captured.get(member).is_some_and(|captured| captured.facts.is_final);
            let bytes = self.body(member).len();
            let fits = |page: &&mut Page| page.is_closed == is_closed && page.bytes + bytes <= PAGE_BYTES;
            match pages.iter_mut().rev().find(fits) {
                Some(page) => {
                    page.bytes += bytes;
                    page.members.push(member);
                }
                None => pages.push(Page { is_closed, bytes, members: vec![member] }),
            }
        }
        pages
    }

    /// The messages of the batch. `token` names the index that goes on.
    pub(super) fn lay<D: Decider>(&self, partition: &Partition<D>, token: &str) -> Laid {
        let now = partition.env.clock.now();
        let message = |rest: &str, body: Bytes| {
            let subject = partition.env.layout.snapshot(partition.number, rest);
            Outgoing { subject, headers: Headers::new(), body }
        };
        let pages = self.pages();
        let mut entities = partition.entities.borrow_mut();
        let mut rows = Rows::<D>::new(true);
        let mut messages = Vec::with_capacity(pages.len() + 1);
        for (page, distance) in pages.iter().zip((1..=pages.len() as u64).rev()) {
            let items = page.members.iter().map(|member| self.body(*member).clone()).collect();
            let body = encode_snapshot(&SnapshotPage { written_at: now, items });
            messages.push(message(if page.is_closed { CLOSED } else { OPEN }, body));
            for (member, item) in page.members.iter().zip(0..) {
                let Some(slot) = entities.slot(self.number(*member)) else { continue };
                let row = self.row(*member, Place { page: 0, item });
                rows.add(slot.hash, &row, distance, page.is_closed.then_some(now));
            }
        }
        for (number, closed_at) in &self.gone {
            if let Some((hash, row)) =
                entities.slot(*number).and_then(|slot| Some((slot.hash, slot.row.as_ref()?)))
            {
                rows.add(hash, row, 0, Some(*closed_at));
            }
        }
        for number in &self.forgotten {
            if let Some(slot) = entities.slot(*number) {
                rows.forget(slot.hash);
            }
        }
        let mut count = 0;
        if let Some((page, rows)) = rows.finish() {
            messages.push(message(&index_subject(token), encode_snapshot(&page)));
            count = rows;
        }
        if let Some((token, whole)) = &self.whole_index {
            messages.extend(whole.iter().map(|page| message(&index_subject(token), encode_snapshot(page))));
        }
        Laid { messages, rows: count, pages, now }
    }

    /// The batch is stored; its marker has this sequence.
    pub(super) fn is_stored<D: Decider>(&self, partition: &Rc<Partition<D>>, laid: &Laid, marker: u64) {
        for (page, sequence) in laid.pages.iter().zip(marker + 1..) {
            for (member, item) in page.members.iter().zip(0..) {
                let row = self.row(*member, Place { page: sequence, item });
                match self.captured.get(*member) {
                    Some(captured) => partition.is_saved(captured, row),
                    None => partition.is_moved(self.number(*member), row),
                }
            }
            let numbers: Vec<u32> = page.members.iter().map(|member| self.number(*member)).collect();
            let mut keeping = partition.keeping.borrow_mut();
            if page.is_closed {
                keeping.pages.add_closed(sequence, laid.now, numbers);
            } else {
                keeping.pages.add_open(sequence, numbers.len(), numbers);
            }
        }
        let (mut entities, mut keeping) = (partition.entities.borrow_mut(), partition.keeping.borrow_mut());
        for (number, closed_at) in &self.gone {
            if let Some(row) = entities.slot(*number).and_then(|slot| slot.row.as_mut()) {
                row.place = Place { page: 0, item: 0 };
                keeping.pages.add_gone(*closed_at, *number);
            }
        }
        for number in &self.forgotten {
            entities.forget(*number);
        }
    }
}
