//! Items that another partition of this node hands over through memory: taken like any input, but without a position in a
//! lane. The giver's batch is consumed once the record that holds the outcome is stored.

use std::collections::BTreeMap;
use std::rc::Rc;

use domain::decider::Decider;
use domain::envelope::Envelope;
use tokio::sync::oneshot;

use super::commit_queue::Consumed;
use super::core::{Partition, Stage};
use crate::inbound::{self, Item};

/// How many items of others may be in a partition at once. Beside the credits of its lanes, so that two partitions that give
/// to each other cannot wait for each other.
pub(crate) const MOST_GUESTS: usize = 1_024;

/// Why an item was not taken, or not brought to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// There are too many here; there will be room as soon as something is recorded.
    Busy,
    /// The partition does not work (any more). What became of the item is not known.
    Gone,
}

/// The items of others whose outcome is not recorded, and who wants to know of each.
#[derive(Debug, Default)]
pub(crate) struct Guests {
    here: BTreeMap<u64, oneshot::Sender<()>>,
    next: u64,
}

impl Guests {
    fn add(&mut self) -> (u64, oneshot::Receiver<()>) {
        let (settled, outcome) = oneshot::channel();
        let number = self.next;
        self.next += 1;
        self.here.insert(number, settled);
        (number, outcome)
    }
}

impl<D: Decider> Partition<D> {
    /// Takes an item of another partition. The receiver hears once its outcome is recorded, and fails if that never will be.
    ///
    /// # Errors
    /// The item is not taken: see [`NotTaken`].
    pub(crate) fn receive(self: &Rc<Self>, envelope: Envelope) -> Result<oneshot::Receiver<()>, NotTaken> {
        if self.is_halted() || self.current_stage() == Stage::Recorded {
            return Err(NotTaken::Gone);
        }
        if self.guests.borrow().here.len() >= MOST_GUESTS {
            return Err(NotTaken::Busy);
        }
        let (number, outcome) = self.guests.borrow_mut().add();
        let consumed = Consumed::Guest(number);
        self.bring_credit();
        match inbound::screen_item::<D>(&self.env.layout, self.number, envelope) {
            Item::Accepted(arrival) => {
                self.admit(arrival, consumed);
            }
            Item::Refused(refused) => {
                self.take_credit();
                self.refuse(refused, Some(consumed));
            }
            Item::Elsewhere(_) => unreachable!("only a batch is taken apart"),
        }
        Ok(outcome)
    }

    /// The outcome of a guest is recorded.
    pub(crate) fn guest_settled(&self, number: u64) {
        if let Some(settled) = self.guests.borrow_mut().here.remove(&number) {
            let _gone = settled.send(()); // the giver has ended; its batch will be read again
        }
    }

    /// True if no item of another partition is here.
    pub(crate) fn has_no_guests(&self) -> bool {
        self.guests.borrow().here.is_empty()
    }

    /// Lets all givers know that their items will not be recorded here.
    pub(crate) fn dismiss_guests(&self) {
        self.guests.borrow_mut().here.clear();
    }
}
