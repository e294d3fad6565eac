//! Which messages of the stream of snapshots hold what still counts.

use std::collections::{BTreeMap, VecDeque};

use domain::decider::Decider;
use domain::time::Timestamp;

use super::slots::{Entities, Place};

/// A page of open entities.
#[derive(Debug)]
struct OpenPage {
    /// Whose snapshots stand in it. Some may be newer elsewhere.
    numbers: Box<[u32]>,
    /// How many items it has.
    items: usize,
    /// How many of them are the newest.
    newest: usize,
}

/// A page of entities that came to their end together.
#[derive(Debug)]
pub(super) struct ClosedPage {
    pub(super) closed_at: Timestamp,
    pub(super) numbers: Box<[u32]>,
}

/// All pages of a partition.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    open: BTreeMap<u64, OpenPage>,
    closed: BTreeMap<u64, ClosedPage>,
    /// Entities of which only the id is known, and when they were closed, oldest first.
    gone: VecDeque<(Timestamp, u32)>,
    /// In all open pages, and how many of those are the newest.
    items: usize,
    newest: usize,
}

impl Pages {
    /// A page of so many open entities is stored, or was found; these of them are the newest.
    pub(super) fn add_open(&mut self, page: u64, items: usize, numbers: Vec<u32>) {
        let newest = numbers.len();
        self.items += items;
        self.newest += newest;
        self.open.insert(page, OpenPage { numbers: numbers.into(), items, newest });
    }

    /// A page of closed entities is stored, or was found.
    pub(super) fn add_closed(&mut self, page: u64, closed_at: Timestamp, numbers: Vec<u32>) {
        self.closed.insert(page, ClosedPage { closed_at, numbers: numbers.into() });
    }

    /// Of an entity nothing but the id is known any more.
    pub(super) fn add_gone(&mut self, closed_at: Timestamp, number: u32) {
        self.gone.push_back((closed_at, number));
    }

    /// The snapshot at this place is not the newest any more.
    pub(super) fn replaced(&mut self, place: Place) {
        if let Some(page) = self.open.get_mut(&place.page) {
            page.newest -= 1;
            self.newest -= 1;
        }
    }

    /// Lets go of the oldest open pages in which nothing is the newest.
    pub(super) fn drop_useless(&mut self) {
        while let Some(first) = self.open.first_entry().filter(|first| first.get().newest == 0) {
            self.items -= first.remove().items;
        }
    }

    /// The oldest open page, if its items had better be written again so that old pages can go: when more than half of all that is
    /// kept counts no more, and more than `slack`.
    pub(super) fn worth_rewriting(&self, slack: usize) -> Option<(u64, Vec<u32>)> {
        let is_worth_it = self.items - self.newest > slack.max(self.newest);
        let (page, open) = self.open.first_key_value().filter(|_| is_worth_it)?;
        Some((*page, open.numbers.to_vec()))
    }

    /// The oldest closed page behind `after`, if it was closed at that moment or before.
    pub(super) fn closed_after(&self, after: Option<u64>, moment: Timestamp) -> Option<(u64, &ClosedPage)> {
        let from = after.map_or(0, |page| page + 1);
        let (page, closed) = self.closed.range(from..).next()?;
        (closed.closed_at <= moment).then_some((*page, closed))
    }

    /// Lets go of a closed page.
    pub(super) fn drop_closed(&mut self, page: u64) {
        self.closed.remove(&page);
    }

    /// The next entity of which only the id is known and that was closed at that moment or before.
    pub(super) fn pop_gone(&mut self, moment: Timestamp) -> Option<u32> {
        self.gone.pop_front_if(|(closed_at, _)| *closed_at <= moment).map(|(_, number)| number)
    }

    /// When the entities in this page were closed.
    pub(super) fn closed_at(&self, page: u64) -> Option<Timestamp> {
        self.closed.get(&page).map(|closed| closed.closed_at)
    }

    /// Those of which only the id is known.
    pub(super) fn gone(&self) -> impl Iterator<Item = (u32, Timestamp)> {
        self.gone.iter().map(|(closed_at, number)| (*number, *closed_at))
    }

    /// The oldest pages that count: of open entities, and of closed ones.
    pub(super) fn oldest(&self) -> (Option<u64>, Option<u64>) {
        (self.open.keys().next().copied(), self.closed.keys().next().copied())
    }
}

/// Whose newest snapshot stands in this page, of these.
pub(super) fn newest_in<D: Decider>(entities: &mut Entities<D>, page: u64, numbers: &[u32]) -> Vec<u32> {
    let is_newest = |number: &&u32| {
        let slot = entities.slot(**number);
        slot.is_some_and(|slot| slot.row.as_ref().is_some_and(|row| row.place.page == page))
    };
    numbers.iter().filter(is_newest).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::{Pages, Place};

    #[test]
    fn old_pages_are_rewritten_once_more_than_half_of_all_counts_no_more() {
        let mut pages = Pages::default();
        pages.add_open(10, 10, (0..10).collect());
        pages.add_open(20, 10, (10..20).collect());
        for _ in 0..9 {
            pages.replaced(Place { page: 10, item: 0 });
        }
        pages.replaced(Place { page: 20, item: 0 });
        assert_eq!(pages.worth_rewriting(5), None, "half of it still counts");
        pages.replaced(Place { page: 20, item: 1 });
        assert_eq!(pages.worth_rewriting(11), None, "it is not much");
        assert_eq!(pages.worth_rewriting(5).map(|(page, _)| page), Some(10));
        pages.replaced(Place { page: 10, item: 0 });
        pages.drop_useless();
        assert_eq!(pages.oldest(), (Some(20), None));
    }
}
