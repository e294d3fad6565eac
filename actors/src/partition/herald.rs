//! The herald: while the intake is behind, it reads ahead of admission. Whoever asked for a receipt hears `pending`, with his
//! place and how long it may take, by his deadline; what expires in the queue is told so; an order reads as queued. It decides
//! nothing and records nothing: after a restart it reads again. Once nothing waits for long any more, it goes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bus::layout::Lane;
use bus::ports::{OpenError, Reader, Stored};
use domain::decider::Decider;
use domain::envelope::Envelope;
use domain::ids::EntityId;
use domain::messages::outbound::answers::QueuePlace;
use domain::reason::{Code, Reason};
use domain::time::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::core::{Partition, Stage};
use super::queued::{Drained, Held, QueuedWork};
use super::receipts;
use crate::entity::{TOO_LATE, expiry};
use crate::flow::{Watermark, estimated_wait_ms};
use crate::inbound::{self, Item};
use crate::node::EntityView;

/// Messages read at once; between two such reads others have their turn.
const AT_ONCE: usize = 128;
/// The longest wait for messages, and so between two looks at deadlines.
const LOOK: Duration = Duration::from_millis(100);
/// After reading it rests so many times as long as it has worked: those who are begun need the thread more than those who wait.
const REST: u32 = 3;
/// So many looks in a row find nothing before it goes: opening a reader costs more than a second of looking.
const LINGER: u32 = 10;

/// What the herald of a partition knows; empty while there is none.
#[derive(Debug, Default)]
pub(crate) struct Herald {
    /// Calls it: something has waited for too long.
    called: Notify,
    is_here: Cell<bool>,
    queue: RefCell<QueuedWork>,
    drained: Drained,
}

/// Waits to be called, until the partition drains.
pub(crate) async fn run<D: Decider>(partition: Rc<Partition<D>>) {
    let mut stage = partition.stage();
    loop {
        tokio::select! {
            biased;
            _ = stage.wait_for(|stage| *stage != Stage::Running) => return,
            () = partition.herald.called.notified() => {}
        }
        partition.herald.drained.begin(partition.env.clock.now());
        partition.herald.is_here.set(true);
        let is_ending = tokio::select! {
            biased;
            _ = stage.wait_for(|stage| *stage != Stage::Running) => true,
            () = read_ahead(&partition) => false,
        };
        // Nobody else will tell them.
        if is_ending {
            partition.tell_due(Timestamp(i64::MAX));
        }
        partition.herald_is_gone();
    }
}

async fn read_ahead<D: Decider>(partition: &Rc<Partition<D>>) {
    let mut reader = match open(partition).await {
        Ok(reader) => reader,
        Err(error) => {
            tracing::warn!(partition = partition.number, %error, "nobody reads ahead of the intake");
            return tokio::time::sleep(partition.env.config.retry_pause(u32::MAX)).await;
        }
    };
    let mut quiet = 0;
    while quiet < LINGER {
        let now = partition.env.clock.now();
        let found = partition.look_ahead(&mut *reader, now).await;
        partition.tell_due(partition.env.clock.now());
        partition.show_queued();
        let is_behind = found || partition.herald.queue.borrow().len() > 0;
        quiet = if is_behind { 0 } else { quiet + 1 };
        tokio::task::yield_now().await;
    }
}

async fn open<D: Decider>(partition: &Partition<D>) -> Result<Box<dyn Reader>, OpenError> {
    let lane = partition.lane(Lane::Intake);
    let filter = partition.env.layout.inbound_filter(partition.number);
    let position = lane.tracker.borrow().position();
    partition.env.bus.open(&lane.stream, Some(&filter), position).await
}

impl<D: Decider> Partition<D> {
    /// Something has waited in the intake since then: if that is long, the herald is called.
    pub(super) fn waits_since(&self, now: Timestamp, stored_at_ms: i64) {
        let limit = i64::try_from(self.env.flow.watermark(Watermark::HeraldAfter)).unwrap_or(i64::MAX);
        if !self.herald.is_here.get() && now.0 - stored_at_ms > limit {
            self.herald.called.notify_one();
        }
    }

    /// New work was taken out of the intake.
    pub(super) fn intake_took(&self, sequence: u64) {
        if self.herald.is_here.get() {
            let taken = self.herald.queue.borrow_mut().taken(sequence);
            self.herald.drained.add(taken);
        }
    }

    /// Reads some more if the window has room. False: nothing came.
    async fn look_ahead(&self, reader: &mut dyn Reader, now: Timestamp) -> bool {
        let (known, deadline) = {
            let queue = self.herald.queue.borrow();
            (queue.len(), queue.next_deadline())
        };
        let left = deadline.map_or(LOOK, |deadline| {
            Duration::from_millis(u64::try_from(deadline.ms_since(now)).unwrap_or(0).max(1))
        });
        let (patience, room) = (left.min(LOOK), self.env.config.flow.herald_window.saturating_sub(known));
        if room == 0 {
            tokio::time::sleep(patience).await;
            return true;
        }
        match reader.next(AT_ONCE.min(room), patience).await {
            Ok(messages) => {
                let (found, started) = (!messages.is_empty(), Instant::now());
                for stored in messages {
                    self.announce(stored);
                }
                if found {
                    tokio::time::sleep(started.elapsed() * REST).await;
                }
                found
            }
            Err(error) => {
                tracing::debug!(partition = self.number, %error, "reading ahead failed, trying again");
                tokio::time::sleep(LOOK).await;
                true
            }
        }
    }

    /// Notes what one message holds, unless it was taken meanwhile.
    fn announce(&self, stored: Stored) {
        if stored.sequence <= self.admission.last_taken() {
            return;
        }
        let sequence = stored.sequence;
        let stream = &self.lane(Lane::Intake).stream;
        for item in inbound::screen::<D>(&self.env.layout, self.number, stream, stored) {
            // Only of new work it can be said that it has expired: who asks again hears what became of it.
            let (hash, envelope, addressee, is_new) = match item {
                Item::Accepted(arrival) => {
                    let addressee = receipts::addressee(&self.env, &arrival.envelope, &arrival.entity);
                    let is_new = self.entities.borrow().number(&arrival.entity).is_none();
                    (self.hash_key.entity(&arrival.entity), arrival.envelope, addressee, is_new)
                }
                // Its own partition does not know that it waits here; its sender can be told all the same.
                Item::Elsewhere(elsewhere) => {
                    let envelope = elsewhere.envelope;
                    let key = envelope.headers.get("Key").unwrap_or("-");
                    let addressee = receipts::addressee_of(&self.env, &envelope, key);
                    (0, envelope, addressee, false)
                }
                Item::Refused(refused) => (0, refused.letter.envelope, refused.addressee, true),
            };
            let ordinal = self.herald.queue.borrow_mut().add(sequence, hash);
            if let Some(addressee) = addressee {
                let expiry = if is_new {
                    expiry(&self.env.config, &envelope.headers, envelope.stored_at)
                } else {
                    Timestamp(i64::MAX)
                };
                self.hold(&envelope, Held { addressee, sequence, expiry, ordinal });
            }
        }
    }

    /// Keeps somebody until his deadline; told at once if too many wait.
    fn hold(&self, envelope: &Envelope, held: Held) {
        if self.herald.queue.borrow().held() >= self.env.config.receipts_waiting {
            self.tell_waiting(&held);
            return;
        }
        let deadline = receipts::deadline(&self.env.config, envelope);
        self.herald.queue.borrow_mut().hold(deadline, held);
    }

    /// Tells those whose deadline has passed and whose order still waits.
    fn tell_due(&self, now: Timestamp) {
        loop {
            let due = self.herald.queue.borrow_mut().pop_due(now);
            let Some(held) = due else { return };
            if held.sequence > self.admission.last_taken() {
                self.tell_waiting(&held);
            }
        }
    }

    fn tell_waiting(&self, held: &Held) {
        let receipt = if held.expiry <= self.env.clock.now() {
            receipts::rejected(&self.env, &held.addressee, 0, &Reason::new(Code::Expired, TOO_LATE))
        } else {
            receipts::queued(
                &self.env,
                &held.addressee,
                self.place(self.herald.queue.borrow().before(held.ordinal)),
            )
        };
        let _lost = self.env.bus.send(receipt); // the sender asks again
    }

    fn place(&self, position: u64) -> QueuePlace {
        let (taken, window_ms) = self.herald.drained.pace(self.env.clock.now());
        let most_ms = u64::try_from(self.env.config.expiry_ms).unwrap_or(0);
        QueuePlace { position, estimated_wait_ms: estimated_wait_ms(position, taken, window_ms, most_ms) }
    }

    /// What a reader is shown of an order that nobody has begun; none = it is not known to wait.
    pub(super) fn queued_view(&self, id: &EntityId) -> Option<EntityView> {
        if !self.herald.is_here.get() {
            return None;
        }
        let position = self.herald.queue.borrow().position(self.hash_key.entity(id))?;
        let json = D::queued_view(id, &self.place(position));
        Some(EntityView { version: 0, json })
    }

    /// Nobody reads ahead any more, and nothing is known of what queues.
    pub(super) fn herald_is_gone(&self) {
        self.herald.is_here.set(false);
        self.herald.queue.borrow_mut().clear();
        self.show_queued();
    }

    fn show_queued(&self) {
        let now = self.herald.queue.borrow().len() as u64;
        let before = self.env.flow.figures(self.number).queued.swap(now, Ordering::Relaxed);
        let (now, before) =
            (i64::try_from(now).unwrap_or(i64::MAX), i64::try_from(before).unwrap_or(i64::MAX));
        self.env.metrics.queued.adjust(now - before);
    }
}
