//! From the lanes to the entities: a bounded cycle at a time, answers and facts first, never without some new work.

use std::rc::Rc;

use bus::layout::Lane;
use bus::ports::{Position, Stored};
use domain::decider::Decider;

use super::commit_queue::{Consumed, Queued};
use super::core::{Partition, Stage};
use super::receipts;
use crate::inbound::{self, Item, Refused};

/// Takes inputs until the partition drains.
pub(crate) async fn run<D: Decider>(partition: Rc<Partition<D>>) {
    let mut stage = partition.stage();
    loop {
        if partition.current_stage() != Stage::Running {
            return;
        }
        if partition.take_cycle() > 0 {
            // Entities get their turn between two cycles.
            tokio::task::yield_now().await;
            continue;
        }
        tokio::select! {
            biased;
            _ = stage.wait_for(|stage| *stage != Stage::Running) => return,
            () = partition.work_ready.notified() => {}
        }
    }
}

impl<D: Decider> Partition<D> {
    /// One cycle: answers, then wishes and facts, then new work, which has a fifth of the cycle in any case; late sales only
    /// when nothing else is there.
    fn take_cycle(self: &Rc<Self>) -> usize {
        let budget = self.env.config.cycle_inputs;
        let kept_for_intake = self.lane(Lane::Intake).buffer.borrow().len().min(budget.div_ceil(5));
        let mut taken = 0;
        for lane in [Lane::Replies, Lane::Work] {
            taken += self.take_from(lane, (budget - kept_for_intake).saturating_sub(taken));
        }
        taken += self.take_from(Lane::Intake, budget - taken);
        if taken == 0 {
            taken = self.take_from(Lane::Bulk, budget);
        }
        taken
    }

    fn take_from(self: &Rc<Self>, lane: Lane, most: usize) -> usize {
        let state = self.lane(lane);
        let mut taken = 0;
        // A batch needs a credit for each item, and is not taken in parts.
        while taken < most
            && self.credits() >= crate::config::MOST_BATCH_ITEMS.min(self.env.config.in_flight_inputs)
        {
            let Some(stored) = state.buffer.borrow_mut().pop_front() else { break };
            self.take(lane, stored);
            taken += 1;
        }
        if taken > 0 {
            self.env.metrics.input(lane).add(taken as u64);
            if state.buffer.borrow().len() < self.env.config.lane_batch {
                state.room.notify_one();
            }
        }
        taken
    }

    fn take(self: &Rc<Self>, lane: Lane, stored: Stored) {
        let position = Position { sequence: stored.sequence, timestamp_ns: stored.timestamp_ns };
        if self.lane(lane).tracker.borrow_mut().pass_over(position) {
            return;
        }
        let items = inbound::screen::<D>(&self.env.layout, self.number, &self.lane(lane).stream, stored);
        let count = u16::try_from(items.len().max(1)).expect("a batch has few items");
        let ordinal = self.lane(lane).tracker.borrow_mut().take(position, count);
        let consumed = Consumed::Read(lane, ordinal);
        if items.is_empty() {
            self.take_credit();
            self.nothing_to_record(Some(consumed), None);
        }
        for item in items {
            match item {
                Item::Accepted(arrival) => self.deliver(arrival, consumed),
                Item::Refused(refused) => {
                    self.take_credit();
                    self.refuse(refused, Some(consumed));
                }
                Item::Elsewhere(elsewhere) => {
                    self.take_credit();
                    self.handing_on.push(elsewhere, consumed);
                }
            }
        }
    }

    /// Makes a dead letter of a message, and tells its sender if he can be told. The credit for it is taken already.
    pub(crate) fn refuse(&self, refused: Refused, consumed: Option<Consumed>) {
        let mut queued = Queued { consumed, credits: 1, ..Queued::default() };
        if let Some(addressee) = &refused.addressee {
            let reason = refused.reason();
            queued.receipts.push(receipts::rejected(&self.env, addressee, 0, &reason));
        }
        queued.add_dead_letter(refused.letter);
        self.queue.push(queued);
    }
}
