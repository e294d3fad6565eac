//! Effects that wait because their participant has enough to do: per participant, oldest first. Each costs four bytes here, and
//! none has a timer.

use std::collections::VecDeque;
use std::rc::Rc;

use domain::decider::{Decider, Participant};

use super::core::{Partition, Stage};

/// The lists of a partition, one for each participant: the numbers of the entities of which an effect waits, as often as
/// effects of it wait.
#[derive(Debug, Default)]
pub(crate) struct WaitLists {
    lists: [VecDeque<u32>; 5],
}

impl WaitLists {
    /// Adds an effect at the end.
    pub(crate) fn push(&mut self, participant: Participant, number: u32) {
        self.lists[participant.index()].push_back(number);
    }

    /// Puts an effect back that could not go yet.
    pub(crate) fn put_back(&mut self, participant: Participant, number: u32) {
        self.lists[participant.index()].push_front(number);
    }

    fn pop(&mut self, participant: Participant) -> Option<u32> {
        let list = &mut self.lists[participant.index()];
        let first = list.pop_front();
        if list.is_empty() {
            list.shrink_to(1_024); // a list that was long once gives its memory back
        }
        first
    }

    fn len(&self, participant: Participant) -> usize {
        self.lists[participant.index()].len()
    }
}

/// Lets waiting effects go as answers free their participants, until the partition drains.
pub(crate) async fn run<D: Decider>(partition: Rc<Partition<D>>) {
    let mut stage = partition.stage();
    loop {
        tokio::select! {
            biased;
            _ = stage.wait_for(|stage| *stage != Stage::Running) => return,
            () = partition.gate_freed.notified() => {}
        }
        for participant in Participant::ALL {
            partition.release_waiting(participant);
        }
    }
}

impl<D: Decider> Partition<D> {
    /// Makes an effect of an entity wait.
    pub(crate) fn wait(&self, participant: Participant, number: u32) {
        self.env.metrics.waiting_of(participant).adjust(1);
        self.waits.borrow_mut().push(participant, number);
        self.look_at_gate(participant);
    }

    /// An effect that was let go has to wait on. If its gate was open, the rules want it so: it is looked at with the next
    /// answer and not at once, which would not end.
    pub(crate) fn wait_again(&self, participant: Participant, number: u32, gate_was_open: bool) {
        self.env.metrics.waiting_of(participant).adjust(1);
        self.waits.borrow_mut().put_back(participant, number);
        if !gate_was_open {
            self.look_at_gate(participant);
        }
    }

    // The answer that frees the gate may have come before the effect stood in the list.
    fn look_at_gate(&self, participant: Participant) {
        if self.env.gates.free(participant) > 0 {
            self.gate_freed.notify_one();
        }
    }

    fn release_waiting(self: &Rc<Self>, participant: Participant) {
        let most = self.env.gates.free(participant).min(self.waits.borrow().len(participant));
        for _ in 0..most {
            if !self.has_credit() {
                return; // the ack that brings credits wakes this again
            }
            let Some(number) = self.waits.borrow_mut().pop(participant) else { return };
            self.env.metrics.waiting_of(participant).adjust(-1);
            self.release(number, participant);
        }
    }

    /// True if some effect waits.
    pub(crate) fn anything_waits(&self) -> bool {
        let waits = self.waits.borrow();
        Participant::ALL.iter().any(|participant| waits.len(*participant) > 0)
    }
}
