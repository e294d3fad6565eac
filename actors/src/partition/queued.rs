//! What waits in the intake's stream, as far as somebody has read ahead: who stands where, and who has to be told by when.
//! Known only while the intake is behind, and never more of it than the window.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::BuildHasherDefault;

use domain::time::Timestamp;

use super::receipts::Addressee;
use super::slots::AsItIs;

/// One order that waits: the message that holds it, and the hash of its id; 0 = nobody here can tell which.
#[derive(Debug, Clone, Copy)]
struct Row {
    sequence: u64,
    hash: u64,
}

/// Somebody who wants to hear of his order by a deadline.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) addressee: Addressee,
    /// The message.
    pub(super) sequence: u64,
    /// When the order is too old to be begun.
    pub(super) expiry: Timestamp,
    /// Its place among all that was read ahead.
    pub(super) ordinal: u64,
}

/// The queue in front of the intake.
#[derive(Debug, Default)]
pub(super) struct QueuedWork {
    rows: VecDeque<Row>,
    /// The ordinal of the first row.
    first: u64,
    /// Ordinals by hash.
    places: HashMap<u64, u64, BuildHasherDefault<AsItIs>>,
    held: BTreeMap<(Timestamp, u64), Held>,
}

impl QueuedWork {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// One more at the end; gives its ordinal.
    pub(super) fn add(&mut self, sequence: u64, hash: u64) -> u64 {
        let ordinal = self.first + self.rows.len() as u64;
        self.rows.push_back(Row { sequence, hash });
        if hash != 0 {
            // Sent twice, the first place counts.
            self.places.entry(hash).or_insert(ordinal);
        }
        ordinal
    }

    /// Everything up to this message was taken; gives how many that were.
    pub(super) fn taken(&mut self, through: u64) -> u64 {
        let before = self.first;
        while let Some(row) = self.rows.front().filter(|row| row.sequence <= through).copied() {
            self.rows.pop_front();
            if self.places.get(&row.hash) == Some(&self.first) {
                self.places.remove(&row.hash);
            }
            self.first += 1;
        }
        self.first - before
    }

    /// How many stand before the order with this hash; none = it is not known to wait.
    pub(super) fn position(&self, hash: u64) -> Option<u64> {
        self.places.get(&hash).map(|ordinal| self.before(*ordinal))
    }

    /// How many stand before this ordinal.
    pub(super) const fn before(&self, ordinal: u64) -> u64 {
        ordinal.saturating_sub(self.first)
    }

    pub(super) fn hold(&mut self, deadline: Timestamp, held: Held) {
        self.held.insert((deadline, held.ordinal), held);
    }

    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// The next deadline.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.held.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Takes somebody whose deadline has passed.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<Held> {
        self.next_deadline().filter(|deadline| *deadline <= now)?;
        self.held.pop_first().map(|(_, held)| held)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self { first: self.first, ..Self::default() };
    }
}

/// How fast the intake goes: counted over the last seconds, older ones fading.
#[derive(Debug, Default)]
pub(super) struct Drained {
    since: Cell<Timestamp>,
    taken: Cell<u64>,
}

/// From here on, older counts fade, in milliseconds.
const REMEMBERED_MS: i64 = 20_000;

impl Drained {
    pub(super) fn add(&self, taken: u64) {
        self.taken.set(self.taken.get() + taken);
    }

    pub(super) fn begin(&self, now: Timestamp) {
        self.since.set(now);
        self.taken.set(0);
    }

    /// How many were taken in how many milliseconds.
    pub(super) fn pace(&self, now: Timestamp) -> (u64, u64) {
        let mut window = now.ms_since(self.since.get()).max(1);
        if window > REMEMBERED_MS {
            // Whatever the window has grown to, half of what is remembered is new.
            self.taken.set(self.taken.get() / 2);
            window /= 2;
            self.since.set(now.plus_ms(-window));
        }
        (self.taken.get(), u64::try_from(window).unwrap_or(1))
    }
}

#[cfg(test)]
mod tests {
    use domain::decider::Asked;
    use domain::ids::Token;
    use domain::time::Timestamp;

    use super::{Drained, Held, QueuedWork};
    use crate::partition::receipts::Addressee;

    #[test]
    fn given_orders_that_wait_when_some_are_taken_then_the_others_move_up() {
        let mut queue = QueuedWork::default();
        for (sequence, hash) in [(11, 71), (12, 72), (12, 73), (15, 71), (16, 0)] {
            queue.add(sequence, hash);
        }
        assert_eq!([71, 72, 73, 99].map(|hash| queue.position(hash)), [Some(0), Some(1), Some(2), None]);
        assert_eq!(queue.taken(12), 3);
        assert_eq!(
            [71, 72, 73].map(|hash| queue.position(hash)),
            [None, None, None],
            "the first place counted"
        );
        assert_eq!((queue.taken(12), queue.len()), (0, 2));
        assert_eq!(queue.taken(u64::MAX), 2);
    }

    #[test]
    fn given_deadlines_when_time_passes_then_they_come_in_order_and_each_once() {
        let mut queue = QueuedWork::default();
        for (ordinal, deadline) in [(0, 50), (1, 20), (2, 20)] {
            let addressee = Addressee {
                reply_to: "_INBOX.a".to_owned(),
                order_id: "o".to_owned(),
                domain: Token::new("order").unwrap(),
                asked: Asked::NewWork,
            };
            let held = Held { addressee, sequence: 1, expiry: Timestamp(99), ordinal };
            queue.hold(Timestamp(deadline), held);
        }
        let mut due = |now| {
            std::iter::from_fn(|| queue.pop_due(Timestamp(now))).map(|held| held.ordinal).collect::<Vec<_>>()
        };
        assert_eq!((due(19), due(20), due(60)), (vec![], vec![1, 2], vec![0]));
    }

    #[test]
    fn given_a_pace_when_it_changes_then_what_is_long_past_fades() {
        let drained = Drained::default();
        drained.begin(Timestamp(0));
        drained.add(1_000);
        assert_eq!(drained.pace(Timestamp(10_000)), (1_000, 10_000));
        assert_eq!(drained.pace(Timestamp(30_000)), (500, 15_000));
        assert_eq!(drained.pace(Timestamp(30_000)), (500, 15_000));
        assert_eq!(drained.pace(Timestamp(200_000)), (250, 92_500));
    }
}
