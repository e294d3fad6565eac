//! The deadlines of a partition: of its entities, and of the receipts that somebody waits for. One queue, one sleep.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use bus::layout::Lane;
use domain::decider::Decider;
use domain::time::Timestamp;

use super::core::{Partition, Stage};

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A deadline of the entity with this number.
    Entity(u32),
    /// The receipt with this number for the entity with this number.
    Receipt(u32, u64),
}

/// Deadlines, earliest first.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    entities: BTreeSet<(Timestamp, Due)>,
    receipts: BTreeSet<(Timestamp, Due)>,
}

impl Timers {
    /// Replaces a deadline by another; true if the earliest of all has changed.
    pub(crate) fn replace(&mut self, due: Due, old: Option<Timestamp>, new: Option<Timestamp>) -> bool {
        let first = self.first();
        let deadlines = match due {
            Due::Entity(_) => &mut self.entities,
            Due::Receipt(..) => &mut self.receipts,
        };
        if let Some(old) = old {
            deadlines.remove(&(old, due));
        }
        if let Some(new) = new {
            deadlines.insert((new, due));
        }
        self.first() != first
    }

    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<Timestamp> {
        [&self.entities, &self.receipts].into_iter().filter_map(|due| due.first()).map(|(at, _)| *at).min()
    }

    /// Takes the earliest one that has passed. Answers wait that were stored `since` then: whose deadline that is or a later one, may
    /// have been answered in time, so it has not passed yet.
    pub(crate) fn pop_due(&mut self, now: Timestamp, since: Option<Timestamp>) -> Option<Due> {
        let first = |deadlines: &BTreeSet<(Timestamp, Due)>| deadlines.first().map(|(at, _)| *at);
        let entity = first(&self.entities).filter(|at| *at <= now && since.is_none_or(|since| *at < since));
        let receipt = first(&self.receipts).filter(|at| *at <= now);
        let earliest = match (entity, receipt) {
            (Some(entity), Some(receipt)) if receipt < entity => &mut self.receipts,
            (Some(_), _) => &mut self.entities,
            (None, Some(_)) => &mut self.receipts,
            (None, None) => return None,
        };
        earliest.pop_first().map(|(_, due)| due)
    }
}

/// How long a deadline that has passed waits for answers before it is looked at again.
const HELD_BACK: Duration = Duration::from_millis(20);

/// The longest sleep; a deadline that is further away is looked at again then.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// Delivers deadlines until the partition drains.
pub(crate) async fn run<D: Decider>(partition: Rc<Partition<D>>) {
    let mut stage = partition.stage();
    loop {
        let delivered = partition.deliver_due();
        if delivered > 0 {
            // Entities get their turn between two cycles.
            tokio::task::yield_now().await;
            continue;
        }
        let pause = partition.until_next_deadline().unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
        tokio::select! {
            biased;
            _ = stage.wait_for(|stage| *stage != Stage::Running) => return,
            () = partition.timers_changed.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

impl<D: Decider> Partition<D> {
    /// Delivers what is due, at most a cycle of it and no more than there are credits. While answers wait for us, a deadline is not
    /// judged before the answers that came in time for it: nobody is asked again who has answered.
    fn deliver_due(self: &Rc<Self>) -> usize {
        let now = self.env.clock.now();
        let answers_wait_since = self.lane(Lane::Replies).waits_since();
        let mut delivered = 0;
        while delivered < self.env.config.cycle_inputs && self.has_credit() {
            let Some(due) = self.timers.borrow_mut().pop_due(now, answers_wait_since) else { break };
            match due {
                Due::Entity(number) => self.wake(number),
                Due::Receipt(number, receipt) => self.receipt_is_due(number, receipt),
            }
            delivered += 1;
        }
        delivered
    }

    fn until_next_deadline(&self) -> Option<Duration> {
        if !self.has_credit() {
            return None; // the next ack brings credits, and wakes this
        }
        let wait_ms = self.timers.borrow().first()?.ms_since(self.env.clock.now());
        if wait_ms <= 0 {
            return Some(HELD_BACK); // everything else that is due was delivered just now
        }
        // A millisecond more than nothing: the clock may round down what the sleep rounds up.
        Some(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(1).max(1)))
    }

    /// Replaces a deadline and wakes the sleeper if it must get up earlier.
    pub(crate) fn set_deadline(&self, due: Due, old: Option<Timestamp>, new: Option<Timestamp>) {
        if old != new && self.timers.borrow_mut().replace(due, old, new) {
            self.timers_changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;

    use super::{Due, Timers};

    #[test]
    fn deadlines_come_in_order_and_a_replaced_one_does_not_come() {
        let mut timers = Timers::default();
        assert!(timers.replace(Due::Entity(1), None, Some(Timestamp(50))));
        assert!(!timers.replace(Due::Entity(2), None, Some(Timestamp(60))));
        assert!(timers.replace(Due::Entity(1), Some(Timestamp(50)), Some(Timestamp(70))));
        assert_eq!(timers.pop_due(Timestamp(59), None), None);
        assert_eq!(timers.pop_due(Timestamp(80), None), Some(Due::Entity(2)));
        assert_eq!(timers.pop_due(Timestamp(80), None), Some(Due::Entity(1)));
        assert_eq!(timers.first(), None);
    }

    #[test]
    fn given_answers_that_wait_when_a_deadline_passes_then_it_comes_once_those_before_it_were_taken() {
        let mut timers = Timers::default();
        for (due, at) in [(Due::Entity(1), 50), (Due::Receipt(1, 1), 60), (Due::Entity(2), 70)] {
            timers.replace(due, None, Some(Timestamp(at)));
        }
        let mut pop = |since: Option<i64>| timers.pop_due(Timestamp(80), since.map(Timestamp));
        assert_eq!(pop(Some(50)), Some(Due::Receipt(1, 1)), "a receipt waits for no answer");
        assert_eq!((pop(Some(50)), pop(Some(51))), (None, Some(Due::Entity(1))));
        assert_eq!((pop(Some(70)), pop(None)), (None, Some(Due::Entity(2))));
    }
}
