//! How far a lane is consumed: the recorded position never passes an input whose outcome is not recorded.

use std::collections::{BTreeMap, VecDeque};

use bus::ports::Position;
use domain::time::Timestamp;

/// The inputs of one lane that are taken and not recorded, in the order in which they were read.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    /// The number of the first input in `taken`.
    first: u64,
    taken: VecDeque<(Position, u16)>,
    position: Position,
    /// Inputs behind the position that had their outcome before the restart.
    done_before: BTreeMap<u64, i64>,
}

impl Tracker {
    /// Everything up to `position` is consumed, and behind it what stands in `ahead`.
    pub(crate) fn starting_at(position: Position, ahead: &[Position]) -> Self {
        let done_before = ahead.iter().map(|done| (done.sequence, done.timestamp_ns)).collect();
        Self { position, done_before, ..Self::default() }
    }

    /// Had this input its outcome before the restart? Then it counts as taken and settled.
    pub(crate) fn pass_over(&mut self, position: Position) -> bool {
        // A stream that lost its end gives the sequence to another message, which has another time.
        if self.done_before.remove(&position.sequence) != Some(position.timestamp_ns) {
            return false;
        }
        self.taken.push_back((position, 0));
        self.advance();
        true
    }

    /// An input with so many items is taken; gives its number.
    pub(crate) fn take(&mut self, position: Position, items: u16) -> u64 {
        self.taken.push_back((position, items));
        self.first + self.taken.len() as u64 - 1
    }

    /// The outcome of one item of an input goes into the record that is being closed.
    pub(crate) fn settle(&mut self, ordinal: u64) {
        let place =
            usize::try_from(ordinal - self.first).expect("an input is settled once, after it was taken");
        self.taken[place].1 -= 1;
        self.advance();
    }

    fn advance(&mut self) {
        while let Some((position, 0)) = self.taken.front() {
            self.position = *position;
            self.taken.pop_front();
            self.first += 1;
        }
    }

    /// Up to here every input has its outcome.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// When the broker stored the oldest input that is taken and has no outcome, in milliseconds since 1970.
    pub(super) fn waits_since(&self) -> Option<Timestamp> {
        self.taken.front().map(|(oldest, _)| Timestamp(oldest.timestamp_ns / 1_000_000))
    }

    /// The inputs behind the position that have their outcome.
    pub(crate) fn ahead(&self) -> Vec<Position> {
        let unread = self
            .done_before
            .iter()
            .map(|(sequence, timestamp_ns)| Position { sequence: *sequence, timestamp_ns: *timestamp_ns });
        let settled = self.taken.iter().filter(|(_, items)| *items == 0).map(|(position, _)| *position);
        settled.chain(unread).collect()
    }

    /// True if every input that was taken has its outcome.
    pub(crate) fn is_idle(&self) -> bool {
        self.taken.is_empty()
    }

    /// Nothing up to `position` is for this lane.
    pub(crate) fn skip_to(&mut self, position: Position) {
        assert!(self.taken.is_empty(), "position-never-passes-an-undecided-input");
        self.done_before.retain(|sequence, _| *sequence > position.sequence);
        self.position = position;
    }
}

#[cfg(test)]
mod tests {
    use bus::ports::Position;

    use super::Tracker;

    fn at(sequence: u64) -> Position {
        Position { sequence, timestamp_ns: 1 }
    }

    #[test]
    fn the_position_waits_for_the_oldest_undecided_input() {
        let mut tracker = Tracker::starting_at(at(10), &[]);
        let first = tracker.take(at(11), 1);
        let batch = tracker.take(at(12), 2);
        let last = tracker.take(at(13), 1);
        tracker.settle(last);
        tracker.settle(batch);
        assert_eq!(tracker.position(), at(10));
        tracker.settle(first);
        assert_eq!(tracker.position(), at(11));
        tracker.settle(batch);
        assert_eq!(tracker.position(), at(13));
        assert!(tracker.is_idle());
    }

    #[test]
    fn a_stream_that_lost_its_end_gives_sequences_again_and_the_position_goes_back() {
        let mut tracker = Tracker::starting_at(at(20), &[]);
        let again = tracker.take(at(15), 1);
        tracker.settle(again);
        assert_eq!(tracker.position(), at(15));
    }

    #[test]
    fn what_was_settled_behind_the_position_is_passed_over_after_a_restart() {
        let mut tracker = Tracker::starting_at(at(10), &[]);
        let first = tracker.take(at(11), 1);
        let second = tracker.take(at(12), 1);
        tracker.settle(second);
        assert_eq!((tracker.position(), tracker.ahead()), (at(10), vec![at(12)]));
        let mut again = Tracker::starting_at(tracker.position(), &tracker.ahead());
        assert!(!again.pass_over(at(11)));
        let first_again = again.take(at(11), 1);
        assert!(again.pass_over(at(12)));
        assert_eq!(again.ahead(), [at(12)]);
        again.settle(first_again);
        assert_eq!((again.position(), again.ahead()), (at(12), vec![]));
        assert_eq!(first, first_again);
    }

    #[test]
    fn another_message_under_a_known_sequence_is_not_passed_over() {
        let mut tracker = Tracker::starting_at(at(10), &[at(12)]);
        assert!(!tracker.pass_over(Position { sequence: 12, timestamp_ns: 99 }));
    }
}
