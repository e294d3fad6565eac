//! The index of the snapshots: what the partition has to know of an entity that is away. Written page by page behind the
//! snapshots it speaks of, and now and then whole.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::decider::Decider;
use domain::time::Timestamp;

use super::core::Partition;
use super::pages::Pages;
use super::slots::{Entities, Place, Presence, Row, Slot};
use crate::entity::NO_PHASE;
use crate::record::{IndexName, IndexPage};

/// Rows of one page: about 300 KiB.
const ROWS_IN_A_PAGE: usize = 10_000;

/// How the index of a partition stands in the stream.
#[derive(Debug, Default)]
pub(crate) struct IndexState {
    pub(crate) name: IndexName,
    /// Rows in it, replaced ones too.
    rows: usize,
    /// How many there were when it was last written whole.
    whole: usize,
    /// Part of it has disappeared from the stream.
    damaged: bool,
    /// Its first page stands behind this message; none = it has none.
    begin: Option<u64>,
}

impl IndexState {
    /// An index that was found, or a new one without pages.
    pub(crate) fn new(name: IndexName, rows: usize, known: usize, begin: Option<u64>) -> Self {
        Self { name, rows, whole: known, damaged: false, begin }
    }

    /// A page with so many rows is stored behind this marker.
    pub(super) fn grew(&mut self, rows: usize, marker: u64) {
        self.name.pages += 1;
        self.rows += rows;
        self.begin.get_or_insert(marker);
    }

    /// Before this message nothing of it stands.
    pub(super) fn begins_at(&self, marker: u64) -> u64 {
        self.begin.unwrap_or(marker)
    }

    /// Somebody has removed pages of it.
    pub(super) fn is_damaged(&mut self) {
        self.damaged = true;
    }

    /// Is it time to write it whole: as many rows, and more than `slack`, came behind it as it had then?
    pub(super) fn is_too_long(&self, slack: usize) -> bool {
        self.damaged || self.rows - self.whole.min(self.rows) > self.whole.max(slack)
    }
}

/// Collects rows into a page.
pub(super) struct Rows<D: Decider> {
    page: IndexPage,
    kind: std::marker::PhantomData<D>,
}

impl<D: Decider> Rows<D> {
    /// Rows whose pages are given as distances, or as sequences.
    pub(super) fn new(are_distances: bool) -> Self {
        let phase_names = D::phases().iter().map(|phase| (*phase).to_owned()).collect();
        Self {
            page: IndexPage { are_distances, phase_names, ..IndexPage::default() },
            kind: std::marker::PhantomData,
        }
    }

    pub(super) fn add(&mut self, hash: u64, row: &Row, page: u64, closed_at: Option<Timestamp>) {
        let number = u32::try_from(self.page.hashes.len()).expect("a page has few rows");
        self.page.hashes.push(hash);
        self.page.versions.push(row.version);
        self.page.pages.push(page);
        self.page.items.push(row.place.item);
        self.page.phases.push(row.phase);
        self.page.closed.extend(closed_at.map(|at| (number, at)));
        self.page.posting.extend(row.posts.then_some(number));
        self.page.deadlines.extend(row.deadline.map(|at| (number, at)));
        self.page.open.extend(row.open.as_deref().map(|open| (number, *open)));
    }

    pub(super) fn forget(&mut self, hash: u64) {
        self.page.forgotten.push(hash);
    }

    /// The page; none = there is nothing in it.
    pub(super) fn finish(self) -> Option<(IndexPage, usize)> {
        let rows = self.page.hashes.len() + self.page.forgotten.len();
        (rows > 0).then_some((self.page, rows))
    }
}

impl<D: Decider> Partition<D> {
    /// The whole index as it must be now, in pages.
    pub(super) fn whole_index(&self) -> Vec<(IndexPage, usize)> {
        let (mut entities, keeping) = (self.entities.borrow_mut(), self.keeping.borrow());
        let gone: HashMap<u32, Timestamp> = keeping.pages.gone().collect();
        let (mut pages, mut rows) = (Vec::new(), Rows::<D>::new(false));
        for number in entities.known() {
            let Some(Slot { hash, row: Some(row), .. }) = entities.slot(number) else { continue };
            let closed_at = keeping.pages.closed_at(row.place.page).or_else(|| gone.get(&number).copied());
            rows.add(*hash, row, row.place.page, closed_at.filter(|_| row.is_closed));
            if rows.page.hashes.len() == ROWS_IN_A_PAGE {
                pages.extend(std::mem::replace(&mut rows, Rows::new(false)).finish());
            }
        }
        pages.extend(rows.finish());
        pages
    }
}

/// An index that is being read.
#[derive(Debug)]
pub(crate) struct Found<D: Decider> {
    pub(crate) entities: Entities<D>,
    closed_at: HashMap<u32, Timestamp>,
    rows: usize,
    begin: Option<u64>,
}

impl<D: Decider> Found<D> {
    pub(crate) fn new(entities: Entities<D>) -> Self {
        Self { entities, closed_at: HashMap::new(), rows: 0, begin: None }
    }

    /// Reads the next page, which stands at `sequence`.
    ///
    /// # Errors
    /// Its columns do not fit together.
    pub(crate) fn read(&mut self, sequence: u64, page: IndexPage) -> Result<(), String> {
        let count = page.hashes.len();
        let columns = [page.versions.len(), page.pages.len(), page.items.len(), page.phases.len()];
        if columns.iter().any(|column| *column != count) {
            return Err(format!("index page {sequence} has columns of different lengths"));
        }
        let phase = |name: &String| D::phases().iter().position(|known| known == name);
        let phases: Vec<u8> = page
            .phase_names
            .iter()
            .map(|name| phase(name).and_then(|at| u8::try_from(at).ok()).unwrap_or(NO_PHASE))
            .collect();
        let deadlines: HashMap<u32, Timestamp> = page.deadlines.into_iter().collect();
        let closed: HashMap<u32, Timestamp> = page.closed.into_iter().collect();
        let posting: HashSet<u32> = page.posting.into_iter().collect();
        let mut open: HashMap<u32, _> = page.open.into_iter().collect();
        self.begin.get_or_insert(sequence);
        self.entities.reserve(count);
        self.rows += count + page.forgotten.len();
        for (at, hash) in (0_u32..).zip(page.hashes) {
            let place = at as usize;
            let named = page.pages[place];
            let in_page = match named {
                0 => 0,
                distance if page.are_distances => sequence.saturating_sub(distance),
                absolute => absolute,
            };
            let row = Row {
                version: page.versions[place],
                place: Place { page: in_page, item: page.items[place] },
                phase: phases.get(usize::from(page.phases[place])).copied().unwrap_or(NO_PHASE),
                is_closed: closed.contains_key(&at),
                posts: posting.contains(&at),
                deadline: deadlines.get(&at).copied(),
                open: open.remove(&at).map(Box::new),
            };
            self.take(hash, row, closed.get(&at).copied());
        }
        for hash in page.forgotten {
            if let Some(number) = self.entities.number_of_hash(hash) {
                self.entities.forget(number);
                self.closed_at.remove(&number);
            }
        }
        Ok(())
    }

    fn take(&mut self, hash: u64, row: Row, closed_at: Option<Timestamp>) {
        let number = match self.entities.number_of_hash(hash) {
            Some(number) => {
                if let Some(slot) = self.entities.slot(number) {
                    slot.row = Some(row);
                }
                number
            }
            None => self.entities.add(Slot { hash, row: Some(row), presence: Presence::Away }),
        };
        match closed_at {
            Some(at) => drop(self.closed_at.insert(number, at)),
            None => drop(self.closed_at.remove(&number)),
        }
    }

    /// Everything that was read: the entities, their pages, and how the index stands under this name.
    pub(crate) fn finish(mut self, name: IndexName) -> (Entities<D>, Pages, IndexState) {
        let (mut open, mut closed) = (BTreeMap::<u64, (usize, Vec<u32>)>::new(), BTreeMap::new());
        let (mut pages, mut gone) = (Pages::default(), Vec::new());
        for number in self.entities.known() {
            let Some(Slot { row: Some(row), .. }) = self.entities.slot(number) else { continue };
            let Place { page, item } = row.place;
            match self.closed_at.get(&number) {
                None => {
                    let found = open.entry(page).or_default();
                    found.0 = found.0.max(usize::from(item) + 1);
                    found.1.push(number);
                }
                Some(at) if page == 0 => gone.push((*at, number)),
                Some(at) => closed.entry(page).or_insert((*at, Vec::new())).1.push(number),
            }
        }
        for (page, (items, numbers)) in open {
            pages.add_open(page, items, numbers);
        }
        for (page, (closed_at, numbers)) in closed {
            pages.add_closed(page, closed_at, numbers);
        }
        gone.sort_unstable();
        for (closed_at, number) in gone {
            pages.add_gone(closed_at, number);
        }
        let index = IndexState::new(name, self.rows, self.entities.len(), self.begin);
        (self.entities, pages, index)
    }
}
