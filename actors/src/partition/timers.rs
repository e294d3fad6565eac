//! The deadlines of a partition: of its entities, and of the receipts that somebody waits for. One queue, one sleep.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

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
    due: BTreeSet<(Timestamp, Due)>,
}

impl Timers {
    /// Replaces a deadline by another; true if the earliest of all has changed.
    pub(crate) fn replace(&mut self, due: Due, old: Option<Timestamp>, new: Option<Timestamp>) -> bool {
        let first = self.first();
        if let Some(old) = old {
            self.due.remove(&(old, due));
        }
        if let Some(new) = new {
            self.due.insert((new, due));
        }
        self.first() != first
    }

    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the earliest one if it has passed.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<Due> {
        if self.first()? > now {
            return None;
        }
        self.due.pop_first().map(|(_, due)| due)
    }
}

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
    /// Delivers what is due, at most a cycle of it and no more than there are credits.
    fn deliver_due(self: &Rc<Self>) -> usize {
        let now = self.env.clock.now();
        let mut delivered = 0;
        while delivered < self.env.config.cycle_inputs && self.has_credit() {
            let Some(due) = self.timers.borrow_mut().pop_due(now) else { break };
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
        // A millisecond more than nothing: the clock may round down what the sleep rounds up.
        Some(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(0).max(1)))
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
        assert_eq!(timers.pop_due(Timestamp(59)), None);
        assert_eq!(timers.pop_due(Timestamp(80)), Some(Due::Entity(2)));
        assert_eq!(timers.pop_due(Timestamp(80)), Some(Due::Entity(1)));
        assert_eq!(timers.first(), None);
    }
}
