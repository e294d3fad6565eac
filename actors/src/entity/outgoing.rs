//! Everything that follows from a decision, prepared before memory changes: the entry, what will leave, what becomes due.

use domain::decider::{Answer, Decider, Decision, EffectState, OpenEffect, Outcome, Participant};
use domain::envelope::Envelope;
use domain::ids::EntityId;
use domain::reason::{DeadReason, Refusal};
use domain::time::Timestamp;

use super::memory::Entity;
use crate::config::{MOST_DECISION_BYTES, MOST_ROW_BYTES};
use crate::outbound::{self, Told, rfc3339};
use crate::partition::{Environment, Queued};
use crate::record::{Cause, DeadLetter, Decided, Entry, encode_entry};

/// What a decision answers.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) answer: Answer,
    pub(super) wishes: Vec<((String, String), Answer)>,
    pub(super) outcome: Option<Outcome>,
}

/// A decision with its consequences.
pub(super) struct Prepared<D: Decider> {
    pub(super) state: D::State,
    pub(super) event_sequence: u64,
    pub(super) queued: Queued,
    /// How many more commands are open at each participant.
    pub(super) in_flight: [i64; 5],
    /// For whom effects wait from now on, once for each of them.
    pub(super) waiting: Vec<Participant>,
    pub(super) deadline: Option<Timestamp>,
    pub(super) now: Timestamp,
    pub(super) seen: Option<(u64, u32)>,
    /// Before (none = it did not exist) and after.
    pub(super) phases: (Option<&'static str>, &'static str),
    pub(super) settled: Settled,
}

/// Prepares a decision that has events.
///
/// # Errors
/// A decision that is larger than any record may be.
pub(super) fn prepare<D: Decider>(
    env: &Environment<D::Policies>,
    id: &EntityId,
    entity: &Entity<D>,
    now: Timestamp,
    cause: &Cause,
    seen: Option<(u64, u32)>,
    decision: Decision<D>,
) -> Result<Prepared<D>, String> {
    let Decision { events, state, published, answer, settled, dead } = decision;
    let version = entity.version + 1;
    let first_sequence = entity.event_sequence + 1;
    let trace = D::trace(&state);
    let time = rfc3339(now);
    let told = Told { entity: id, version, first_sequence, time: &time, trace, events: &published };
    let (rows, notices) = outbound::rows_and_notices(&env.config, &env.layout, &told);
    let mut queued = Queued {
        entries: Vec::with_capacity(entry_bytes(cause)),
        credits: 1,
        decisions: 1,
        events: events.len(),
        told: Some((id.tenant.clone(), now)),
        rows,
        notices,
        ..Queued::default()
    };
    let (before, after) = (D::effects(&entity.state), D::effects(&state));
    let (mut in_flight, mut waiting) = ([0; 5], Vec::new());
    for effect in before.iter().filter(|effect| counts(effect)) {
        in_flight[effect.participant.index()] -= 1;
    }
    for (effect, earlier) in paired(&before, &after) {
        if counts(effect) {
            in_flight[effect.participant.index()] += 1;
        }
        if effect.state == EffectState::Waiting
            && earlier.is_none_or(|earlier| earlier.state != EffectState::Waiting)
        {
            waiting.push(effect.participant);
        }
        let sent = effect.state == EffectState::Sent;
        let new = sent && earlier.is_none_or(|earlier| earlier.attempts != effect.attempts);
        if new && let Some(command) = D::command(id, &state, effect.id) {
            let message = outbound::command(&env.layout, id, trace, &time, command);
            queued.commands.push((effect.participant, message));
        }
    }
    let entry = Entry::Decision(Decided {
        entity: id.clone(),
        version,
        now,
        cause,
        seen,
        first_sequence,
        published: u32::try_from(published.len()).expect("a decision has fewer events than bytes"),
        events,
    });
    encode_entry(&mut queued.entries, &entry);
    queued.entry_count = 1;
    bury(&mut queued, id, dead);
    if queued.entries.len() > MOST_DECISION_BYTES {
        return Err(format!(
            "a decision of {} bytes is larger than {MOST_DECISION_BYTES}",
            queued.entries.len()
        ));
    }
    if let Some(row) = queued.rows.iter().find(|row| row.len() > MOST_ROW_BYTES) {
        return Err(format!("an event of {} bytes is larger than {MOST_ROW_BYTES}", row.len()));
    }
    let before_phase = D::exists(&entity.state).then(|| D::phase(&entity.state));
    Ok(Prepared {
        event_sequence: entity.event_sequence + published.len() as u64,
        queued,
        in_flight,
        waiting,
        deadline: D::next_deadline(&state),
        now,
        seen,
        phases: (before_phase, D::phase(&state)),
        settled: Settled { answer, wishes: settled, outcome: D::outcome(&state) },
        state,
    })
}

/// What the entry of a decision takes in most cases: the input with its headers, and as much again for what it led to.
fn entry_bytes(cause: &Cause) -> usize {
    const USUAL: usize = 1_024;
    match cause {
        Cause::Message(envelope) => envelope.body.len() + USUAL,
        Cause::Timer | Cause::Release(_) => USUAL,
    }
}

/// The oldest effect that waits for the participant's gate.
pub(super) fn first_waiting<D: Decider>(state: &D::State, participant: Participant) -> Option<String> {
    let waits =
        |effect: &&OpenEffect<'_>| effect.participant == participant && effect.state == EffectState::Waiting;
    D::effects(state).iter().find(waits).map(|effect| effect.id.to_owned())
}

/// Does an effect take up room at its participant?
pub(crate) const fn counts(effect: &OpenEffect<'_>) -> bool {
    matches!(effect.state, EffectState::Sent | EffectState::Retrying)
}

/// Each effect of `after` with what it was in `before`. Both are in the order of their making, so one walk finds nearly all.
fn paired<'a>(
    before: &'a [OpenEffect<'a>],
    after: &'a [OpenEffect<'a>],
) -> impl Iterator<Item = (&'a OpenEffect<'a>, Option<&'a OpenEffect<'a>>)> {
    let mut next = 0;
    after.iter().map(move |effect| {
        let ahead =
            before[next..].iter().position(|earlier| earlier.id == effect.id).map(|found| next + found);
        let found = ahead.or_else(|| before[..next].iter().position(|earlier| earlier.id == effect.id));
        if let Some(found) = found {
            next = found + 1;
        }
        (effect, found.map(|found| &before[found]))
    })
}

/// Messages that nobody came for, or that there was no place for, become dead letters.
pub(super) fn bury(queued: &mut Queued, id: &EntityId, dead: Vec<(Envelope, DeadReason)>) {
    for (envelope, reason) in dead {
        let text = "nobody with this id came in time, or too many messages wait for it";
        let Refusal { reason, violations } = Refusal::new(reason, "", text);
        queued.add_dead_letter(DeadLetter { envelope, key: Some(id.key.clone()), reason, violations });
    }
}
