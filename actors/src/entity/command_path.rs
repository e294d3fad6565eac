//! The way of a message through its entity: seen before? judge, queue for the record, then change memory. Nothing leaves here;
//! what may leave waits in the queue for the ack.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use domain::decider::{Answer, Context, Decider, Decision, Input, Participant};
use domain::envelope::{Envelope, Headers, Plane};
use domain::gates::Urgency;
use domain::ids::EntityId;
use domain::reason::{Class, Code, DeadReason, Reason, Refusal};
use domain::time::Timestamp;

use super::actor::EntityActor;
use super::answering::{answer, rejection};
use super::memory::Entity;
use super::outgoing::{self, Prepared};
use super::seen::Recognised;
use crate::config::NodeConfig;
use crate::inbound::{Arrival, Refused};
use crate::node::{EntityView, ReadError};
use crate::outbound::parse_time;
use crate::partition::{Addressee, Consumed, Queued, receipts};
use crate::posted::OfTenant;
use crate::record::{Cause, DeadLetter, Entry, Quarantined, encode_entry};

/// What a judgement came to.
enum Judged<D: Decider> {
    /// Something happened.
    Happened(Box<Prepared<D>>),
    /// Nothing changed.
    Unchanged(Box<Decision<D>>),
    /// Refused; nothing changed.
    Refused(Reason),
    /// The rules broke.
    Fault(String),
}

/// A message from outside, or a letter.
pub(super) fn deliver<D: Decider>(
    actor: &mut EntityActor<D>,
    arrival: Arrival<D::Message>,
    consumed: Consumed,
) {
    let Arrival { envelope, message, .. } = arrival;
    let partition = Rc::clone(&actor.partition);
    let addressee = receipts::addressee(&partition.env, &envelope, &actor.id);
    if actor.entity.quarantined && consumed == Consumed::Letter {
        partition.env.metrics.letters_dropped.add_one(); // who wrote it asks again, until somebody has looked
        partition.nothing_to_record(Some(consumed), None);
        return;
    }
    if actor.entity.quarantined {
        set_aside(
            actor,
            envelope,
            DeadReason::Quarantined,
            "the entity is set aside after a fault",
            addressee,
            consumed,
        );
        return;
    }
    // The rules judge a letter that comes again: the same question has the same answer.
    let seen = (consumed != Consumed::Letter).then(|| partition.hash_key.of(&envelope));
    let intake = envelope.plane == Plane::Intake;
    match seen.map_or(Recognised::New, |seen| actor.entity.seen.recognise(seen)) {
        Recognised::New => {}
        // New work has an id of its own, so the rules judge a repetition: they know its first outcome.
        Recognised::Repeated | Recognised::Contradicted if intake => partition.env.metrics.repeated.add_one(),
        // It still waits for its entity, so nothing can be promised yet.
        Recognised::Repeated if !D::exists(&actor.entity.state) => {
            partition.env.metrics.repeated.add_one();
            let mut queued = Queued { consumed: Some(consumed), credits: 1, ..Queued::default() };
            let version = actor.entity.version;
            answer(actor, &mut queued, &envelope, addressee, &Answer::Later, None, version);
            partition.queue.push(queued);
            return;
        }
        Recognised::Repeated => {
            partition.env.metrics.repeated.add_one();
            let own = |outcome: &_, asked| D::receipt(&actor.id, &actor.entity.state, outcome, asked);
            let version = actor.entity.version;
            let receipt = addressee.map(|to| receipts::of_wish(&partition.env, &to, version, own));
            partition.nothing_to_record(Some(consumed), receipt);
            return;
        }
        Recognised::Contradicted => {
            let text = "a message with the same ce-source and ce-id said something else";
            set_aside(actor, envelope, DeadReason::Conflict, text, addressee, consumed);
            return;
        }
    }
    if intake && !D::exists(&actor.entity.state) && is_expired(actor, &envelope) {
        set_aside(actor, envelope, DeadReason::Expired, TOO_LATE, addressee, consumed);
        return;
    }
    let cause = Cause::Message(envelope);
    let judged = judge(actor, &cause, Some(&message), None, seen);
    if let Cause::Message(envelope) = cause {
        conclude(actor, judged, envelope, addressee, consumed);
    }
}

/// The receipt, and everything that the judgement of a message leads to.
fn conclude<D: Decider>(
    actor: &mut EntityActor<D>,
    judged: Judged<D>,
    envelope: Envelope,
    addressee: Option<Addressee>,
    consumed: Consumed,
) {
    let partition = Rc::clone(&actor.partition);
    let version = actor.entity.version;
    match judged {
        Judged::Refused(reason) => {
            if envelope.plane == Plane::Intake && reason.class == Class::Transient {
                partition.env.metrics.refused_new.add_one();
            }
            let receipt = addressee.map(|to| rejection(actor, &to, version, &reason));
            partition.nothing_to_record(Some(consumed), receipt);
        }
        Judged::Unchanged(mut decision) => {
            let mut queued = Queued { consumed: Some(consumed), credits: 1, ..Queued::default() };
            outgoing::bury(&mut queued, &actor.id, std::mem::take(&mut decision.dead));
            outgoing::write_back(actor, &mut queued, &mut decision);
            let outcome = D::outcome(&decision.state);
            answer(actor, &mut queued, &envelope, addressee, &decision.answer, outcome.as_ref(), version);
            partition.queue.push(queued);
        }
        Judged::Happened(prepared) => {
            let (mut queued, settled) = apply(actor, *prepared);
            queued.consumed = Some(consumed);
            let version = actor.entity.version;
            answer(
                actor,
                &mut queued,
                &envelope,
                addressee,
                &settled.answer,
                settled.outcome.as_ref(),
                version,
            );
            partition.queue.push(queued);
        }
        Judged::Fault(fault) => quarantine(actor, &fault, Some(envelope), addressee, Some(consumed)),
    }
}

/// A deadline has passed.
pub(super) fn wake<D: Decider>(actor: &mut EntityActor<D>) {
    let partition = Rc::clone(&actor.partition);
    if actor.entity.quarantined {
        partition.nothing_to_record(None, None);
        return;
    }
    if waits_for_its_order(actor) {
        let next = partition.env.clock.now().plus_ms(partition.env.config.timer_retry_ms);
        partition.note(actor.number, actor.entity.version, Some(next));
        partition.nothing_to_record(None, None);
        return;
    }
    match judge(actor, &Cause::Timer, None, None, None) {
        Judged::Happened(prepared) => {
            let (queued, _) = apply(actor, *prepared);
            partition.queue.push(queued);
        }
        Judged::Unchanged(_) | Judged::Refused(_) => {
            // The state still names a deadline; one that has passed must not come again at once.
            let earliest = partition.env.clock.now().plus_ms(partition.env.config.timer_retry_ms);
            let next = D::next_deadline(&actor.entity.state).map(|deadline| deadline.max(earliest));
            partition.note(actor.number, actor.entity.version, next);
            partition.nothing_to_record(None, None);
        }
        Judged::Fault(fault) => quarantine(actor, &fault, None, None, None),
    }
}

/// Facts and wishes wait for an order that may still queue in the intake: until everything that was there before their time was
/// up has been taken, they are not given up. So a cancel of an order that queues holds, however long the queue is.
fn waits_for_its_order<D: Decider>(actor: &EntityActor<D>) -> bool {
    let state = &actor.entity.state;
    let has_only_early_ones = !D::exists(state) && D::effects(state).is_empty();
    let deadline = D::next_deadline(state).filter(|_| has_only_early_ones);
    deadline.is_some_and(|deadline| !actor.partition.env.flow.has_reached(deadline))
}

/// The oldest effect that waits for the participant may go: it has a place there.
pub(super) fn release<D: Decider>(actor: &mut EntityActor<D>, participant: Participant, urgency: Urgency) {
    let partition = Rc::clone(&actor.partition);
    let waiting = outgoing::first_waiting::<D>(&actor.entity.state, participant);
    let Some(effect) = waiting.filter(|_| !actor.entity.quarantined) else {
        partition.take_permit_back(participant);
        partition.nothing_to_record(None, None); // it does not wait any more
        return;
    };
    match judge(actor, &Cause::Release(effect), None, Some(participant), None) {
        Judged::Happened(mut prepared) => {
            prepared.had_a_place(participant);
            let (queued, _) = apply(actor, *prepared);
            partition.queue.push(queued);
        }
        Judged::Unchanged(_) | Judged::Refused(_) => {
            partition.give_permit_back(participant);
            partition.wait_again(participant, urgency, actor.number);
            partition.nothing_to_record(None, None);
        }
        Judged::Fault(fault) => {
            partition.take_permit_back(participant);
            quarantine(actor, &fault, None, None, None);
        }
    }
}

/// Runs the rules. Whatever breaks in them, nothing has changed yet. The gate of whom an effect is `released` to is open.
fn judge<D: Decider>(
    actor: &EntityActor<D>,
    cause: &Cause,
    message: Option<&D::Message>,
    released: Option<Participant>,
    seen: Option<(u64, u32)>,
) -> Judged<D> {
    let (entity, env) = (&actor.entity, &actor.partition.env);
    let clock = env.clock.now();
    let board = OfTenant { board: &env.posted, tenant: actor.id.tenant.as_str() };
    let (now, gates) = (clock.max(actor.partition.last_time()), env.gates.snapshot(clock));
    let policies = actor.partition.policies.look();
    let context = Context {
        entity: &actor.id,
        now,
        version: entity.version + 1,
        policies: &*policies,
        gates: released.map_or(gates, |participant| gates.with(participant, true)),
        board: &board,
        further: env.config.further,
    };
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let input = match (cause, message) {
            (Cause::Message(envelope), Some(message)) => Input::Message(envelope, message),
            (Cause::Release(effect), _) => Input::Release(effect),
            (Cause::Timer | Cause::Message(_), _) => Input::Timer,
        };
        match D::decide(&entity.state, input, &context) {
            Err(reason) => Judged::Refused(reason),
            Ok(decision) if decision.events.is_empty() => Judged::Unchanged(Box::new(decision)),
            Ok(decision) => {
                D::fill(&decision.state, &policies, &mut |bound, there, most| {
                    env.metrics.fullest[bound.index()].note(now, there, most);
                });
                match outgoing::prepare(&actor.partition, &actor.id, entity, now, cause, seen, decision) {
                    Ok(prepared) => Judged::Happened(Box::new(prepared)),
                    Err(too_large) => Judged::Fault(too_large),
                }
            }
        }
    }));
    judged.unwrap_or_else(|panic| Judged::Fault(fault_text(&*panic)))
}

/// What a panic said.
pub(crate) fn fault_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without words".to_owned())
}

/// Takes a prepared decision over into memory; gives what has to be queued for it, and its answers.
fn apply<D: Decider>(actor: &mut EntityActor<D>, prepared: Prepared<D>) -> (Queued, outgoing::Settled) {
    let Prepared {
        state,
        event_sequence,
        mut queued,
        in_flight,
        sent,
        outcomes,
        waiting,
        deadline,
        now,
        seen,
        phases,
        settled,
    } = prepared;
    let partition = Rc::clone(&actor.partition);
    let entity = &mut actor.entity;
    entity.state = state;
    entity.version += 1;
    entity.event_sequence = event_sequence;
    if let Some(seen) = seen {
        entity.seen.remember(seen);
    }
    partition.time_passed(now);
    partition.env.metrics.decisions.add_one();
    partition.phase_changed(phases.0, Some(phases.1));
    partition.count_in_flight(in_flight);
    partition.count_outcomes(sent, outcomes);
    for (participant, urgency) in waiting {
        partition.wait(participant, urgency, actor.number);
        partition.env.gates.count_wait(participant, partition.env.clock.now());
    }
    partition.note(actor.number, entity.version, deadline);
    partition.settle_receipts(
        &mut queued,
        actor.number,
        entity.version,
        settled.outcome.as_ref(),
        |outcome, asked| D::receipt(&actor.id, &entity.state, outcome, asked),
        &settled.wishes,
    );
    queued.decider = Some(actor.number);
    partition.decided(actor.number, D::is_final(&actor.entity.state));
    (queued, settled)
}

fn is_expired<D: Decider>(actor: &EntityActor<D>, envelope: &Envelope) -> bool {
    let env = &actor.partition.env;
    expiry(&env.config, &envelope.headers, envelope.stored_at) <= env.clock.now()
}

/// What is said of new work that has expired.
pub(crate) const TOO_LATE: &str = "the time by which it had to be begun has passed; send it again";

/// When new work with these headers is too old to be begun.
pub(crate) fn expiry(config: &NodeConfig, headers: &Headers, stored_at: Timestamp) -> Timestamp {
    let asked = headers.get("ce-expirytime").and_then(parse_time);
    asked.unwrap_or_else(|| stored_at.plus_ms(config.expiry_ms))
}

fn set_aside<D: Decider>(
    actor: &EntityActor<D>,
    envelope: Envelope,
    reason: DeadReason,
    text: &str,
    addressee: Option<Addressee>,
    consumed: Consumed,
) {
    let Refusal { reason, violations } = Refusal::new(reason, "", text);
    let letter = DeadLetter { envelope, key: Some(actor.id.key.clone()), reason, violations };
    actor.partition.refuse(Refused { letter, addressee }, Some(consumed));
}

/// Sets the entity aside: its state is as before the fault, and stays so until somebody has looked.
fn quarantine<D: Decider>(
    actor: &mut EntityActor<D>,
    fault: &str,
    envelope: Option<Envelope>,
    addressee: Option<Addressee>,
    consumed: Option<Consumed>,
) {
    let partition = Rc::clone(&actor.partition);
    tracing::error!(entity = %actor.id, fault, "the rules broke; the entity is set aside");
    partition.env.metrics.panics.add_one();
    actor.entity.quarantined = true;
    let cause: String = fault.chars().take(1_000).collect();
    let mut queued = Queued { consumed, credits: 1, decisions: 0, ..Queued::default() };
    let entry =
        Quarantined { entity: EntityId::clone(&actor.id), cause: cause.clone(), envelope: envelope.clone() };
    encode_entry(&mut queued.entries, &Entry::<()>::Quarantined(entry));
    queued.entry_count = 1;
    queued.decider = Some(actor.number);
    partition.decided(actor.number, false);
    if let Some(addressee) = addressee {
        let reason = Reason::new(
            Code::Quarantined,
            "the order is set aside after a fault of ours; somebody looks at it",
        );
        queued.receipts.push(receipts::rejected(&partition.env, &addressee, actor.entity.version, &reason));
    }
    if let Some(envelope) = envelope {
        let Refusal { reason, violations } = Refusal::new(DeadReason::Quarantined, "", cause);
        queued.add_dead_letter(DeadLetter { envelope, key: Some(actor.id.key.clone()), reason, violations });
    }
    partition.note(actor.number, actor.entity.version.max(1), None);
    partition.queue.push(queued);
}

/// What a reader is shown.
pub(crate) fn view<D: Decider>(id: &EntityId, entity: &Entity<D>) -> Result<Option<EntityView>, ReadError> {
    if entity.suspect {
        return Err(ReadError::Quarantined);
    }
    let shown = catch_unwind(AssertUnwindSafe(|| {
        D::exists(&entity.state)
            .then(|| EntityView { version: entity.version, json: D::view(id, &entity.state, entity.version) })
    }));
    shown.map_err(|_| ReadError::Quarantined)
}
