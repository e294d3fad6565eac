//! Effects that wait because their participant has enough to do: per participant, oldest first, urgent ones before the others.
//! Each costs four bytes here, and none has a timer.

use std::collections::VecDeque;
use std::rc::Rc;

use domain::decider::{Decider, Participant};
use domain::gates::Urgency;

use super::core::{Partition, Stage};

/// In the order in which they are let go.
const URGENCIES: [Urgency; 2] = [Urgency::Urgent, Urgency::Ordinary];

/// The lists of a partition, two for each participant: the numbers of the entities of which an effect waits, as often as
/// effects of it wait.
#[derive(Debug, Default)]
pub(crate) struct WaitLists {
    lists: [[VecDeque<u32>; 2]; 5],
}

impl WaitLists {
    fn list(&mut self, participant: Participant, urgency: Urgency) -> &mut VecDeque<u32> {
        &mut self.lists[participant.index()][urgency as usize]
    }

    fn pop(&mut self, participant: Participant, urgency: Urgency) -> Option<u32> {
        let list = self.list(participant, urgency);
        let first = list.pop_front();
        if list.is_empty() {
            list.shrink_to(1_024); // a list that was long once gives its memory back
        }
        first
    }

    fn is_empty(&self) -> bool {
        self.lists.iter().flatten().all(VecDeque::is_empty)
    }
}

/// Lets waiting effects go as answers and time free their participants, until the partition drains.
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
        // Entities get their turn between two rounds.
        tokio::task::yield_now().await;
    }
}

impl<D: Decider> Partition<D> {
    /// Makes an effect of an entity wait.
    pub(crate) fn wait(&self, participant: Participant, urgency: Urgency, number: u32) {
        self.env.gates.wait(participant, self.number, urgency, 1);
        self.waits.borrow_mut().list(participant, urgency).push_back(number);
        self.look_at_gate(participant);
    }

    /// An effect that was let go has to wait on: the rules want it so. It is looked at with the next answer and not at once, which
    /// would not end.
    pub(crate) fn wait_again(&self, participant: Participant, urgency: Urgency, number: u32) {
        self.env.gates.wait(participant, self.number, urgency, 1);
        self.waits.borrow_mut().list(participant, urgency).push_front(number);
    }

    // The answer that frees the gate may have come before the effect stood in the list.
    fn look_at_gate(&self, participant: Participant) {
        if self.env.gates.room(participant, Urgency::Urgent, self.env.clock.now()) > 0 {
            self.gate_freed.notify_one();
        }
    }

    /// Lets some go, but never with the credits that the lanes live on: a long list drains beside the work and not before it.
    fn release_waiting(self: &Rc<Self>, participant: Participant) {
        let mut left = self.env.config.cycle_inputs.div_ceil(5);
        let mut released = false;
        let is_late = self.is_late(self.env.clock.now());
        for urgency in URGENCIES {
            if urgency == Urgency::Ordinary && is_late {
                break; // what was asked is dealt with before more is asked; the keeper wakes this again
            }
            let share = self.env.gates.share(participant, urgency, self.env.clock.now()).min(left);
            for _ in 0..share {
                if self.credits() <= self.env.config.in_flight_inputs / 2 {
                    return; // the ack that brings credits wakes this again
                }
                let Some(number) = self.waits.borrow_mut().pop(participant, urgency) else { break };
                self.env.gates.wait(participant, self.number, urgency, -1);
                self.take_permit(participant);
                self.release(number, participant, urgency);
                (left, released) = (left - 1, true);
            }
        }
        if released && URGENCIES.iter().any(|urgency| self.has_one_to_let_go(participant, *urgency)) {
            self.gate_freed.notify_one(); // once the others had their turn
        }
    }

    fn has_one_to_let_go(&self, participant: Participant, urgency: Urgency) -> bool {
        let waits = !self.waits.borrow_mut().list(participant, urgency).is_empty();
        waits && self.env.gates.room(participant, urgency, self.env.clock.now()) > 0
    }

    /// An effect that is let go has its place at the participant from now on, so that nothing else takes it meanwhile.
    fn take_permit(&self, participant: Participant) {
        let mut places = [0; 5];
        places[participant.index()] = 1;
        self.count_in_flight(places);
        self.env.gates.sent(participant, 1, self.env.clock.now());
    }

    /// The effect that was let go is not wanted any more: it needs no place, and asked nobody. Otherwise orders that were given up
    /// while they waited would use up the rate and the probes of those that come after them.
    pub(crate) fn take_permit_back(&self, participant: Participant) {
        self.env.gates.unsent(participant, 1);
        self.give_permit_back(participant);
    }

    /// The effect that was let go did not need its place.
    pub(crate) fn give_permit_back(&self, participant: Participant) {
        let mut places = [0; 5];
        places[participant.index()] = -1;
        self.count_in_flight(places);
    }

    /// True if some effect waits.
    pub(crate) fn anything_waits(&self) -> bool {
        !self.waits.borrow().is_empty()
    }

    /// Nothing of this partition waits any more: it is given up.
    pub(crate) fn forget_waiting(&self) {
        let waits = std::mem::take(&mut *self.waits.borrow_mut());
        for (participant, lists) in Participant::ALL.into_iter().zip(waits.lists) {
            for (urgency, list) in URGENCIES.into_iter().zip(lists) {
                let waiting = i64::try_from(list.len()).unwrap_or(i64::MAX);
                self.env.gates.wait(participant, self.number, urgency, -waiting);
            }
        }
    }
}
