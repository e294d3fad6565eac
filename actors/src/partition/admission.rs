//! How much new work a partition begins: it asks the node's flow once a cycle, and about single messages only where somebody
//! has a quota, a patience or a pause of his own.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bus::layout::Lane;
use bus::ports::Stored;
use domain::decider::Decider;
use domain::envelope::Plane;
use domain::reason::{DeadReason, Refusal};
use domain::time::Timestamp;

use super::commit_queue::Consumed;
use super::core::{Environment, Partition};
use super::receipts;
use super::transit::Transit;
use crate::entity::{TOO_LATE, expiry};
use crate::flow::{Figures, Load, NotNow, Rules, Throttle, Watermark, room};
use crate::inbound::{Arrival, Refused};
use crate::record::DeadLetter;

/// New work that is younger goes on in this very cycle or the next: nobody has to wait for it.
const WAITS_FROM_MS: u64 = 20;

/// How long a closed intake waits at most before it looks again, whatever it is told.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The gate of one partition's intake.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    rules: RefCell<Arc<Rules>>,
    /// The number of these rules; 0 = they were never looked at.
    version: Cell<u64>,
    /// Orders of this partition that are begun and not committed.
    uncommitted: Cell<i64>,
    /// New work taken in this cycle: until the next one it counts as begun, for its entities have not judged it yet.
    reserved: Cell<i64>,
    /// Work that came in batches and that the rate has not allowed yet.
    owed: Cell<u64>,
    /// The rate has allowed one more that was not begun.
    unused: Cell<bool>,
    /// The last message that was taken out of the intake.
    last_taken: Cell<u64>,
    closed: Cell<Option<Throttle>>,
    /// Something of the bulk lane waits for others.
    is_bulk_held: Cell<bool>,
    /// Until when what is begun counts as late, although nothing may wait for long just now.
    late_until: Cell<Timestamp>,
    transit: Cell<Transit>,
    look_again: Cell<Duration>,
}

impl Admission {
    /// A message for which somebody waited was stored then, and read now.
    pub(super) fn saw(&self, stored_at: Timestamp, now: Timestamp) {
        let mut transit = self.transit.get();
        transit.see(stored_at, now);
        self.transit.set(transit);
    }

    /// The sequence of the last message that was taken out of the intake by this owner; 0 = there was none.
    pub(super) fn last_taken(&self) -> u64 {
        self.last_taken.get()
    }

    /// When to look again, while the intake is closed or the bulk lane is held, and something waits.
    pub(super) fn look_again(&self) -> Option<Duration> {
        (self.closed.get().is_some() || self.is_bulk_held.get()).then(|| self.look_again.get())
    }
}

impl<D: Decider> Partition<D> {
    /// An entity went from one phase to another.
    pub(crate) fn phase_changed(&self, from: Option<&'static str>, to: Option<&'static str>) {
        self.env.metrics.phase_changed(from, to);
        let unsettled = |phase: Option<&'static str>| i64::from(phase.is_some_and(D::is_unsettled));
        let difference = unsettled(to) - unsettled(from);
        let admission = &self.admission;
        admission.uncommitted.set(admission.uncommitted.get() + difference);
        if difference > 0 && admission.reserved.get() > 0 {
            admission.reserved.set(admission.reserved.get() - 1); // it counts already
        } else {
            self.env.flow.adjust(difference);
        }
    }

    /// Nothing of this partition counts any more.
    pub(super) fn leave_flow(&self) {
        self.decided_what_was_reserved();
        self.env.flow.adjust(-self.admission.uncommitted.replace(0));
        self.show_intake(None, 0);
        self.show_bulk(false);
        let figures = self.env.flow.figures(self.number);
        figures.late_until.store(0, Ordering::Relaxed);
        figures.free_inputs.store(u64::MAX, Ordering::Relaxed);
        figures.receipts.store(0, Ordering::Relaxed);
        figures.outputs.store(0, Ordering::Relaxed);
        figures.lanes.iter().for_each(|lane| lane.set(0, 0));
        self.herald_is_gone();
    }

    fn decided_what_was_reserved(&self) {
        self.env.flow.adjust(-self.admission.reserved.replace(0));
    }

    /// Begins a cycle: how much new work it may begin; 0 = the intake is closed, or nothing waits.
    pub(super) fn intake_room(&self, now: Timestamp) -> u64 {
        self.decided_what_was_reserved();
        let (flow, admission) = (&self.env.flow, &self.admission);
        flow.pass(now);
        flow.figures(self.number).free_inputs.store(self.credits() as u64, Ordering::Relaxed);
        self.look_at_delay(now);
        let waits = |lane| !self.lane(lane).buffer.borrow().is_empty();
        if !waits(Lane::Intake) && !waits(Lane::Bulk) {
            self.show_intake(None, 0);
            self.show_bulk(false);
            return 0;
        }
        if admission.version.get() != flow.version() {
            let (rules, version) = flow.rules();
            *admission.rules.borrow_mut() = rules;
            admission.version.set(version);
        }
        let verdict = match admission.rules.borrow().stop(self.number) {
            Some(stop) => Err(stop),
            None => room(self.load(now)),
        };
        let head = self.lane(Lane::Intake).buffer.borrow().front().map_or(0, stored_ms);
        self.show_intake(verdict.err(), head);
        if head > 0 {
            self.waits_since(now, head);
        }
        admission.look_again.set(LOOK_AGAIN);
        match verdict {
            Ok(room) => room,
            Err(throttle) => {
                if throttle == Throttle::Orders {
                    flow.fill();
                }
                0
            }
        }
    }

    /// How long the oldest answer or fact that has no outcome waits for us. It counts from the moment when the broker stored it, so
    /// how long participants take for their answers is not in it.
    fn look_at_delay(&self, now: Timestamp) {
        let undecided = [Lane::Replies, Lane::Work].map(|lane| self.lane(lane).undecided_since());
        let Some(oldest) = undecided.into_iter().flatten().min() else { return };
        let delay = self.admission.transit.get().waited_ms(oldest, now);
        let most = self.env.flow.watermark(Watermark::AnswerDelay);
        self.env.flow.figures(self.number).answer_delay_ms.fetch_min(delay, Ordering::Relaxed);
        if delay > most {
            // A record takes all that wait with it, and those that come then are young again.
            let until = now.plus_ms(i64::try_from(most).unwrap_or(i64::MAX));
            self.admission.late_until.set(until);
            self.env.flow.figures(self.number).late_until.store(until.0, Ordering::Relaxed);
        }
    }

    /// Does what is begun wait for us so long that nothing should be added which can wait itself?
    pub(super) fn is_late(&self, now: Timestamp) -> bool {
        self.look_at_delay(now);
        now < self.admission.late_until.get()
    }

    fn load(&self, now: Timestamp) -> Load {
        let flow = &self.env.flow;
        let (uncommitted, cap) = (flow.uncommitted(), flow.cap());
        let figures = flow.all_figures();
        // Only where it gets tight it matters how many share what is left.
        let is_tight =
            cap.saturating_sub(uncommitted) < (self.env.config.cycle_inputs * figures.len()) as u64;
        let waits = || figures.iter().filter(|it| it.head_stored_at.load(Ordering::Relaxed) > 0).count();
        Load {
            uncommitted,
            cap,
            least: self.least(now),
            is_full: flow.is_full(),
            is_out_of_memory: flow.is_out_of_memory(),
            sharing: if is_tight { waits() as u64 } else { 1 },
        }
    }

    /// Says why nothing is begun, and since when the first that waits is there.
    fn show_intake(&self, closed: Option<Throttle>, head_stored_at: i64) {
        let figures = self.env.flow.figures(self.number);
        self.admission.closed.set(closed);
        figures.throttle.store(Throttle::to_number(closed), Ordering::Relaxed);
        figures.head_stored_at.store(head_stored_at, Ordering::Relaxed);
    }

    /// How much of the bulk lane may be begun, of what `room` there is: nothing while new work waits anywhere in the node, for at a
    /// rate it would have to share; and never so much that new work finds no place.
    pub(super) fn bulk_room(&self, room: u64, now: Timestamp) -> u64 {
        if self.lane(Lane::Bulk).buffer.borrow().is_empty() {
            self.show_bulk(false);
            return 0;
        }
        let flow = &self.env.flow;
        let is_waited_for = flow.all_figures().iter().any(|figures| self.is_waited_for(figures, now));
        let left = if is_waited_for { 0 } else { flow.room_within(Watermark::BulkPercent, self.least(now)) };
        self.show_bulk(left == 0);
        room.min(left)
    }

    /// Does new work of a partition wait, longer than it takes to come by? Where somebody has paused it, it does not wait for places.
    fn is_waited_for(&self, figures: &Figures, now: Timestamp) -> bool {
        let head = figures.head_stored_at.load(Ordering::Relaxed);
        let throttle = Throttle::from_number(figures.throttle.load(Ordering::Relaxed));
        head > 0
            && !matches!(throttle, Some(Throttle::Paused | Throttle::Draining))
            && self.admission.transit.get().waited_ms(Timestamp(head), now) >= WAITS_FROM_MS
    }

    /// No more than these may be begun and not committed while what is begun waits too long for us.
    fn least(&self, now: Timestamp) -> Option<u64> {
        self.is_late(now).then(|| self.env.flow.watermark(Watermark::LiveOrdersLeast))
    }

    /// Says whether the bulk lane is held for others.
    pub(super) fn show_bulk(&self, is_held: bool) {
        self.admission.is_bulk_held.set(is_held);
        self.env.flow.figures(self.number).is_bulk_held.store(is_held, Ordering::Relaxed);
    }

    /// Says how many records wait until what they tell is out.
    pub(super) fn show_outputs(&self, waiting: usize) {
        self.env.flow.figures(self.number).outputs.store(waiting as u64, Ordering::Relaxed);
    }

    /// Says how much of a lane waits in memory.
    pub(super) fn show_lane(&self, lane: Lane) {
        let figures = self.env.flow.figures(self.number);
        let (messages, bytes) = self.lane(lane).held();
        figures.lanes[lane.index()].set(messages, bytes);
    }

    /// May one more message be begun at the node's rate?
    pub(super) fn rate_allows(&self) -> bool {
        let admission = &self.admission;
        let rules = admission.rules.borrow();
        let Some(rate) = rules.rate() else { return true };
        if admission.unused.take() {
            return true;
        }
        loop {
            if let Err(wait) = rate.take() {
                admission.look_again.set(Duration::from_millis(wait).min(LOOK_AGAIN));
                drop(rules);
                let head = self.env.flow.figures(self.number).head_stored_at.load(Ordering::Relaxed);
                self.show_intake(Some(Throttle::Rate), head);
                return false;
            }
            match admission.owed.get() {
                0 => return true,
                owed => admission.owed.set(owed - 1),
            }
        }
    }

    /// What was taken at the node's rate was not begun: who is over his own quota uses up nothing of the others' rate.
    pub(super) fn rate_was_not_used(&self) {
        self.admission.unused.set(self.admission.rules.borrow().rate().is_some());
    }

    /// A message leaves the intake.
    pub(super) fn leaves_intake(&self, stored: &Stored) {
        self.admission.last_taken.set(stored.sequence);
        self.env.flow.figures(self.number).reached.store(stored_ms(stored), Ordering::Relaxed);
        self.intake_took(stored.sequence);
    }

    /// So much new work of one message was begun.
    pub(super) fn begun(&self, items: u64) {
        let admission = &self.admission;
        let count = i64::try_from(items).unwrap_or(i64::MAX);
        admission.reserved.set(admission.reserved.get() + count);
        self.env.flow.adjust(count);
        if items > 1 && admission.rules.borrow().rate().is_some() {
            admission.owed.set(admission.owed.get() + items - 1);
        }
    }

    /// Why this new work is not begun now; none = it is, or it is none, or is known already.
    pub(super) fn not_now(&self, arrival: &Arrival<D::Message>) -> Option<NotNow> {
        let rules = self.admission.rules.borrow();
        if !rules.judges() || arrival.envelope.plane != Plane::Intake {
            return None;
        }
        // Who only asks again takes no room.
        if self.entities.borrow().number(&arrival.entity).is_some() {
            return None;
        }
        let now = self.env.clock.now();
        let queued = now.ms_since(arrival.envelope.stored_at);
        let (tenant, channel) = (arrival.envelope.tenant.as_str(), D::channel(&arrival.message));
        let has_room_for_low = || self.env.flow.room_within(Watermark::LowPercent, self.least(now)) > 0;
        rules.judge((tenant, channel), u64::try_from(queued).unwrap_or(0), has_room_for_low).err()
    }

    /// Is it new work that nobody knows, and that had to be begun by now? Its entity would say so, too: but to make one for each that
    /// comes too late takes time from those that do not.
    pub(super) fn is_too_late(&self, arrival: &Arrival<D::Message>) -> bool {
        let envelope = &arrival.envelope;
        envelope.plane == Plane::Intake
            && expiry(&self.env.config, &envelope.headers, envelope.stored_at) <= self.env.clock.now()
            && self.entities.borrow().number(&arrival.entity).is_none()
    }

    /// Tells the sender to come again later. Nothing is remembered of it: no entity, no event. Who cannot be told finds his
    /// message in the dead letters, or it would be gone without a word. The credit for it is taken here.
    pub(super) fn turn_away(&self, arrival: Arrival<D::Message>, why: NotNow, consumed: Consumed) {
        self.take_credit();
        self.env.metrics.refused_for(why.cause).add_one();
        let Arrival { envelope, entity, .. } = arrival;
        if let Some(to) = receipts::addressee(&self.env, &envelope, &entity) {
            let receipt = receipts::not_now(&self.env, &to, why);
            self.nothing_to_record(Some(consumed), Some(receipt));
            return;
        }
        let Refusal { reason, violations } = Refusal::new(DeadReason::Overloaded, "", why.message);
        let letter = DeadLetter { envelope, key: Some(entity.key), reason, violations };
        self.refuse(Refused { letter, addressee: None }, Some(consumed));
    }

    /// Is the first that waits too old to be begun? It needs no room then.
    pub(super) fn head_is_expired(&self, now: Timestamp) -> bool {
        let buffer = self.lane(Lane::Intake).buffer.borrow();
        let Some(head) = buffer.front() else { return false };
        let is_single = head.subject.rsplit('.').next() != Some("batch");
        is_single && expiry(&self.env.config, &head.headers, Timestamp(stored_ms(head))) <= now
    }
}

/// The dead letter of new work that was not begun in time.
pub(super) fn too_late<P, T, M>(env: &Environment<P, T>, arrival: Arrival<M>) -> Refused {
    let Arrival { envelope, entity, .. } = arrival;
    let addressee = receipts::addressee(env, &envelope, &entity);
    let Refusal { reason, violations } = Refusal::new(DeadReason::Expired, "", TOO_LATE);
    Refused { letter: DeadLetter { envelope, key: Some(entity.key), reason, violations }, addressee }
}

/// When the broker stored it.
pub(super) const fn stored_ms(stored: &Stored) -> i64 {
    stored.timestamp_ns / 1_000_000
}
