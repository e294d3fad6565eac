//! Receipts: what the sender of new work or a wish is told, at his deadline at the latest.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use bus::ports::Outgoing;
use bytes::Bytes;
use domain::decider::{Answer, Asked, Decider, Outcome};
use domain::envelope::{Envelope, Headers, Plane};
use domain::ids::{EntityId, Token};
use domain::messages::outbound::answers::{QueuePlace, Receipt, ReceiptOutcome};
use domain::reason::{Code, Reason};
use domain::time::Timestamp;

use super::commit_queue::Queued;
use super::core::{Environment, Partition};
use super::timers::Due;
use crate::config::NodeConfig;
use crate::flow::NotNow;
use crate::metrics::RefusedFor;

/// Whom a receipt goes to, and about whom it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addressee {
    /// The subject where the sender listens.
    pub(crate) reply_to: String,
    /// The entity's key; `-` if it cannot be told.
    pub(crate) order_id: String,
    /// The domain of the message: it may have receipts of a form of its own.
    pub(crate) domain: Token,
    /// What the message asks for.
    pub(crate) asked: Asked,
}

/// What a waiting receipt waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// The outcome of the entity.
    Outcome,
    /// The answer to the wish with this source and id.
    Wish(String, String),
}

#[derive(Debug)]
struct Waiter {
    awaited: Awaited,
    addressee: Addressee,
    deadline: Timestamp,
}

/// The receipts that wait, by the number of their entity. In memory only: after a crash the sender asks again.
#[derive(Debug, Default)]
pub(crate) struct Receipts {
    waiting: BTreeMap<(u32, u64), Waiter>,
    next: u64,
}

fn message<P, T>(env: &Environment<P, T>, addressee: &Addressee, receipt: &Receipt<'_>) -> Outgoing {
    let own = (env.early_receipt)(addressee.domain.as_str(), addressee.asked, receipt);
    let shared = || serde_json::to_vec(receipt).expect("a receipt is plain data").into();
    let body = own.unwrap_or_else(shared);
    let headers =
        Headers::new().with("content-type", "application/json").with("Key", addressee.order_id.clone());
    Outgoing { subject: addressee.reply_to.clone(), headers, body }
}

fn plain(addressee: &Addressee, outcome: ReceiptOutcome, order_version: u64) -> Receipt<'_> {
    let order_id = Some(addressee.order_id.as_str());
    Receipt { order_id, outcome, order_version, reason: None, queue: None, retry_after_ms: None }
}

/// Committed, or the wish is journaled and legal.
fn accepted<P, T>(env: &Environment<P, T>, addressee: &Addressee, version: u64) -> Outgoing {
    env.metrics.receipts_accepted.add_one();
    message(env, addressee, &plain(addressee, ReceiptOutcome::Accepted, version))
}

/// Refused for good.
pub(crate) fn rejected<P, T>(
    env: &Environment<P, T>,
    addressee: &Addressee,
    version: u64,
    reason: &Reason,
) -> Outgoing {
    env.metrics.receipts_rejected.add_one();
    let receipt = plain(addressee, ReceiptOutcome::Rejected, version);
    message(env, addressee, &Receipt { reason: Some(reason), ..receipt })
}

/// Not settled yet.
fn pending<P, T>(env: &Environment<P, T>, addressee: &Addressee, version: u64) -> Outgoing {
    env.metrics.receipts_pending.add_one();
    message(env, addressee, &plain(addressee, ReceiptOutcome::Pending, version))
}

/// Not begun yet: it queues.
pub(super) fn queued<P, T>(env: &Environment<P, T>, addressee: &Addressee, place: QueuePlace) -> Outgoing {
    env.metrics.receipts_pending.add_one();
    let receipt = plain(addressee, ReceiptOutcome::Pending, 0);
    message(env, addressee, &Receipt { queue: Some(place), ..receipt })
}

/// Refused for now: come again. Nobody remembers it.
pub(crate) fn not_now<P, T>(env: &Environment<P, T>, addressee: &Addressee, why: NotNow) -> Outgoing {
    env.metrics.receipts_rejected.add_one();
    let code = if why.cause == RefusedFor::Quota { Code::Throttled } else { Code::Overloaded };
    let reason = Reason::new(code, why.message);
    let receipt = plain(addressee, ReceiptOutcome::Rejected, 0);
    let retry_after_ms = Some(why.retry_after_ms);
    message(env, addressee, &Receipt { reason: Some(&reason), retry_after_ms, ..receipt })
}

/// A settled outcome, the same every time it is told; `own` gives its body if the kind has a form of its own.
pub(crate) fn of_outcome<P, T>(
    env: &Environment<P, T>,
    addressee: &Addressee,
    outcome: &Outcome,
    own: impl Fn(&Outcome, Asked) -> Option<Bytes>,
) -> Outgoing {
    let receipt = match &outcome.rejected {
        None => accepted(env, addressee, outcome.version),
        Some(reason) => rejected(env, addressee, outcome.version, reason),
    };
    match own(outcome, addressee.asked) {
        Some(body) => Outgoing { body, ..receipt },
        None => receipt,
    }
}

/// A wish is journaled and legal at this version; `own` as for an outcome.
pub(crate) fn of_wish<P, T>(
    env: &Environment<P, T>,
    addressee: &Addressee,
    version: u64,
    own: impl Fn(&Outcome, Asked) -> Option<Bytes>,
) -> Outgoing {
    let legal = Outcome { version, rejected: None };
    of_outcome(env, addressee, &legal, own)
}

/// Where the receipt of a message goes; none = nobody asked for one, or one there could be read as somebody's message.
pub(crate) fn addressee<P, T>(
    env: &Environment<P, T>,
    envelope: &Envelope,
    entity: &EntityId,
) -> Option<Addressee> {
    addressee_of(env, envelope, entity.key.as_str())
}

/// The same for a message of which only the key is known.
pub(super) fn addressee_of<P, T>(
    env: &Environment<P, T>,
    envelope: &Envelope,
    key: &str,
) -> Option<Addressee> {
    if !matches!(envelope.plane, Plane::Intake | Plane::Ask) {
        return None;
    }
    let reply_to = envelope.headers.get("Reply-To")?;
    env.layout.receipt_allowed(reply_to, &envelope.tenant).then(|| Addressee {
        reply_to: reply_to.to_owned(),
        order_id: key.to_owned(),
        domain: envelope.domain.clone(),
        asked: Asked::of(envelope.plane),
    })
}

/// By when its sender must hear something.
pub(super) fn deadline(config: &NodeConfig, envelope: &Envelope) -> Timestamp {
    let asked = envelope.headers.get("Receipt-Deadline-Ms").and_then(|text| text.parse().ok());
    envelope.stored_at.plus_ms(asked.unwrap_or(config.receipt_deadline_ms).max(0))
}

impl<D: Decider> Partition<D> {
    /// The receipt is sent when what it waits for is settled, or says `pending` at the deadline. Full: `pending` at once.
    pub(crate) fn await_receipt(
        &self,
        queued: &mut Queued,
        number: u32,
        version: u64,
        awaited: Awaited,
        addressee: Addressee,
        envelope: &Envelope,
    ) {
        let deadline = deadline(&self.env.config, envelope);
        let mut receipts = self.receipts.borrow_mut();
        if deadline <= self.env.clock.now() || receipts.waiting.len() >= self.env.config.receipts_waiting {
            queued.receipts.push(pending(&self.env, &addressee, version));
            return;
        }
        let receipt = receipts.next;
        receipts.next += 1;
        receipts.waiting.insert((number, receipt), Waiter { awaited, addressee, deadline });
        self.show_receipts(&receipts);
        drop(receipts);
        self.set_deadline(Due::Receipt(number, receipt), None, Some(deadline));
    }

    fn show_receipts(&self, receipts: &Receipts) {
        let waiting = receipts.waiting.len() as u64;
        self.env.flow.figures(self.number).receipts.store(waiting, Ordering::Relaxed);
    }

    /// A decision may settle what receipts wait for.
    pub(crate) fn settle_receipts(
        &self,
        queued: &mut Queued,
        number: u32,
        version: u64,
        outcome: Option<&Outcome>,
        own: impl Fn(&Outcome, Asked) -> Option<Bytes>,
        settled: &[((String, String), Answer)],
    ) {
        let mut receipts = self.receipts.borrow_mut();
        let of_entity: Vec<u64> = receipts
            .waiting
            .range((number, 0)..=(number, u64::MAX))
            .map(|((_, receipt), _)| *receipt)
            .collect();
        for receipt in of_entity {
            let Some(waiter) = receipts.waiting.get(&(number, receipt)) else { continue };
            let message = match &waiter.awaited {
                Awaited::Outcome => {
                    outcome.map(|outcome| of_outcome(&self.env, &waiter.addressee, outcome, &own))
                }
                Awaited::Wish(source, id) => settled
                    .iter()
                    .find(|((known_source, known_id), _)| known_source == source && known_id == id)
                    .and_then(|(_, answer)| match answer {
                        Answer::Accepted => Some(of_wish(&self.env, &waiter.addressee, version, &own)),
                        Answer::Rejected(reason) => {
                            let refused = Outcome { version, rejected: Some(reason.clone()) };
                            Some(of_outcome(&self.env, &waiter.addressee, &refused, &own))
                        }
                        Answer::Later => None,
                    }),
            };
            if let Some(message) = message {
                queued.receipts.push(message);
                let deadline = waiter.deadline;
                receipts.waiting.remove(&(number, receipt));
                self.show_receipts(&receipts);
                self.set_deadline(Due::Receipt(number, receipt), Some(deadline), None);
            }
        }
    }

    /// The deadline of a receipt has passed first.
    pub(crate) fn receipt_is_due(&self, number: u32, receipt: u64) {
        let mut receipts = self.receipts.borrow_mut();
        let Some(waiter) = receipts.waiting.remove(&(number, receipt)) else { return };
        self.show_receipts(&receipts);
        drop(receipts);
        let version = self.entities.borrow_mut().slot(number).map_or(0, |slot| slot.version());
        self.take_credit();
        self.nothing_to_record(None, Some(pending(&self.env, &waiter.addressee, version)));
    }
}
