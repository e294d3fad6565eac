//! From the lanes to the entities: a bounded cycle at a time, answers and facts first, never without some new work.

use std::rc::Rc;

use bus::layout::Lane;
use bus::ports::{Position, Stored};
use domain::decider::Decider;
use domain::time::Timestamp;

use super::admission::too_late;
use super::commit_queue::{Consumed, Queued};
use super::core::{Partition, Stage};
use super::receipts;
use crate::inbound::{self, Arrival, Item, Refused};

/// Takes inputs until the partition drains.
pub(crate) async fn run<D: Decider>(partition: Rc<Partition<D>>) {
    let mut stage = partition.stage();
    let mut changes = partition.env.flow.changes();
    loop {
        if partition.current_stage() != Stage::Running {
            return;
        }
        if partition.take_cycle() > 0 {
            // Entities get their turn between two cycles.
            tokio::task::yield_now().await;
            continue;
        }
        let look_again = partition.admission.look_again();
        // What changed while it was looked at has to be looked at again.
        if look_again.is_some() && changes.has_changed().unwrap_or(false) {
            changes.mark_unchanged();
            continue;
        }
        tokio::select! {
            biased;
            _ = stage.wait_for(|stage| *stage != Stage::Running) => return,
            () = partition.work_ready.notified() => {}
            _ = changes.changed(), if look_again.is_some() => {}
            () = tokio::time::sleep(look_again.unwrap_or_default()), if look_again.is_some() => {}
        }
    }
}

impl<D: Decider> Partition<D> {
    /// One cycle: answers, then wishes and facts, then new work, which has a fifth of the cycle in any case as long as the
    /// intake is open; late sales only when nothing else is there, and never in the places that are kept for new work.
    fn take_cycle(self: &Rc<Self>) -> usize {
        let budget = self.env.config.cycle_inputs;
        let now = self.env.clock.now();
        let room = self.intake_room(now);
        let open = usize::try_from(room).unwrap_or(usize::MAX);
        let kept_for_intake = self.lane(Lane::Intake).buffer.borrow().len().min(budget.div_ceil(5)).min(open);
        let mut taken = 0;
        for lane in [Lane::Replies, Lane::Work] {
            taken += self.take_from(lane, (budget - kept_for_intake).saturating_sub(taken));
        }
        taken += self.take_new(Lane::Intake, budget - taken, room, now);
        if taken == 0 && self.lane(Lane::Intake).buffer.borrow().is_empty() {
            taken = self.take_new(Lane::Bulk, budget, self.bulk_room(room, now), now);
        } else {
            let waits = |lane| !self.lane(lane).buffer.borrow().is_empty();
            self.show_bulk(waits(Lane::Intake) && waits(Lane::Bulk));
        }
        taken
    }

    fn take_from(self: &Rc<Self>, lane: Lane, most: usize) -> usize {
        let state = self.lane(lane);
        let mut taken = 0;
        while taken < most && self.has_credits_for_a_batch() {
            let Some(stored) = state.pop() else { break };
            self.take(lane, stored);
            taken += 1;
        }
        self.took(lane, taken);
        taken
    }

    /// Takes new work, as long as there is room for it. What has expired needs none.
    fn take_new(self: &Rc<Self>, lane: Lane, most: usize, mut room: u64, now: Timestamp) -> usize {
        let state = self.lane(lane);
        let mut taken = 0;
        while taken < most && self.has_credits_for_a_batch() {
            if state.buffer.borrow().is_empty() {
                break;
            }
            let is_open = room > 0 && self.rate_allows();
            let may_be_taken = is_open || (lane == Lane::Intake && self.head_is_expired(now));
            if !may_be_taken {
                break;
            }
            let Some(stored) = state.pop() else { break };
            if lane == Lane::Intake {
                self.leaves_intake(&stored);
            }
            let items = self.take(lane, stored);
            self.begun(items);
            if is_open && items == 0 {
                self.rate_was_not_used();
            }
            room = room.saturating_sub(items);
            taken += 1;
        }
        self.took(lane, taken);
        taken
    }

    /// A batch needs a credit for each item, and is not taken in parts.
    fn has_credits_for_a_batch(&self) -> bool {
        self.credits() >= crate::config::MOST_BATCH_ITEMS.min(self.env.config.in_flight_inputs)
    }

    fn took(&self, lane: Lane, taken: usize) {
        let state = self.lane(lane);
        if taken > 0 {
            self.env.metrics.input(lane).add(taken as u64);
            self.show_lane(lane);
            if state.has_room(&self.env.flow) {
                state.room.notify_one();
            }
        }
    }

    /// Takes a message; gives how many items of it go to entities, here or elsewhere.
    fn take(self: &Rc<Self>, lane: Lane, stored: Stored) -> u64 {
        let position = Position { sequence: stored.sequence, timestamp_ns: stored.timestamp_ns };
        if self.lane(lane).tracker.borrow_mut().pass_over(position) {
            return 0;
        }
        let items = inbound::screen::<D>(&self.env.layout, self.number, &self.lane(lane).stream, stored);
        let count = u16::try_from(items.len().max(1)).expect("a batch has few items");
        let ordinal = self.lane(lane).tracker.borrow_mut().take(position, count);
        let consumed = Consumed::Read(lane, ordinal);
        if items.is_empty() {
            self.take_credit();
            self.nothing_to_record(Some(consumed), None);
        }
        let mut delivered = 0;
        for item in items {
            match item {
                Item::Accepted(arrival) => delivered += u64::from(self.admit(arrival, consumed)),
                Item::Refused(refused) => {
                    self.take_credit();
                    self.refuse(refused, Some(consumed));
                }
                Item::Elsewhere(elsewhere) => {
                    // It is begun elsewhere, in this very node most likely.
                    delivered += 1;
                    self.take_credit();
                    self.handing_on.push(elsewhere, consumed);
                }
            }
        }
        delivered
    }

    /// Gives an input to its entity, unless it is new work that is not begun now, or not any more. There must be a credit. What is
    /// not given to an entity takes no room of those that are.
    pub(super) fn admit(self: &Rc<Self>, arrival: Arrival<D::Message>, consumed: Consumed) -> bool {
        // First, for the herald may have said so already.
        if self.is_too_late(&arrival) {
            self.take_credit();
            self.refuse(too_late(&self.env, arrival), Some(consumed));
            return false;
        }
        if let Some(why) = self.not_now(&arrival) {
            self.turn_away(arrival, why, consumed);
            return false;
        }
        self.deliver(arrival, consumed);
        true
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
