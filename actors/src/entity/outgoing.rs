//! Everything that follows from a decision, prepared before memory changes: the entry, what will leave, what becomes due.

use std::sync::Arc;

use domain::decider::{Answer, Decider, Decision, EffectState, OpenEffect, Outcome, Participant, Party};
use domain::envelope::{Envelope, HeaderWriter};
use domain::gates::Urgency;

use domain::ids::EntityId;
use domain::reason::{DeadReason, Refusal};
use domain::time::Timestamp;

use super::actor::EntityActor;
use super::memory::Entity;
use crate::config::{MOST_DECISION_BYTES, MOST_ROW_BYTES};
use crate::mail::{self, Desk};
use crate::outbound::{self, Told, Workbench};
use crate::participant::Outcomes;
use crate::partition::{Environment, Partition, Queued};
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
    /// How many go out for the first time.
    pub(super) sent: [u32; 5],
    /// What became of those that went out before.
    pub(super) outcomes: [Outcomes; 5],
    /// For whom effects wait from now on, once for each of them.
    pub(super) waiting: Vec<(Participant, Urgency)>,
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
    partition: &Partition<D>,
    id: &EntityId,
    entity: &Entity<D>,
    now: Timestamp,
    cause: &Cause,
    seen: Option<(u64, u32)>,
    decision: Decision<D>,
) -> Result<Prepared<D>, String> {
    let (env, bench) = (&partition.env, &mut *partition.queue.bench.borrow_mut());
    bench.clear();
    let Workbench { entries, rows, headers, clock } = bench;
    let Decision { events, state, published, answer, settled, dead, letters } = decision;
    let version = entity.version + 1;
    let first_sequence = entity.event_sequence + 1;
    let trace = D::trace(&state);
    let time = clock.text(now);
    let told = Told { entity: id, version, first_sequence, time, trace, events: &published };
    let notices = outbound::rows_and_notices(&env.config, &env.layout, &told, rows, headers);
    let mut queued = Queued {
        credits: 1,
        decisions: 1,
        events: events.len(),
        told: Some((id.tenant.clone(), now)),
        notices,
        ..Queued::default()
    };
    // Answers before questions: they speak of what was earlier.
    let partitions = env.layout.partitions;
    let desk = Desk { from: id, version, trace, now, partitions };
    queued.letters.extend(letters.into_iter().map(|letter| desk.seal(letter)));
    let posted = D::posted(&state);
    if posted != D::posted(&entity.state) {
        let (board, id) = (Arc::clone(&env.posted), id.clone());
        queued.then = Some(Box::new(move || board.post(&id, posted)));
    }
    let moves = Moves::between::<D>(env, &desk, &entity.state, &state, time, headers, &mut queued);
    let entry = Entry::Decision(Decided {
        entity: id.clone(),
        version,
        now,
        cause,
        seen,
        first_sequence,
        published: u32::try_from(published.len()).expect("a decision has fewer events than bytes"),
        further: published.told_further(),
        events,
    });
    encode_entry(entries, &entry);
    (queued.entries, queued.entry_count) = (std::mem::take(entries), 1);
    queued.rows = std::mem::take(rows);
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
        in_flight: moves.in_flight,
        sent: moves.sent,
        outcomes: moves.outcomes,
        waiting: moves.waiting,
        deadline: D::next_deadline(&state),
        now,
        seen,
        phases: (before_phase, D::phase(&state)),
        settled: Settled { answer, wishes: settled, outcome: D::outcome(&state) },
        state,
    })
}

impl<D: Decider> Prepared<D> {
    /// One of the commands was let go out of a list, and had a place at the participant before.
    pub(super) fn had_a_place(&mut self, participant: Participant) {
        self.in_flight[participant.index()] -= 1;
        let sent = &mut self.sent[participant.index()];
        *sent = sent.saturating_sub(1);
    }
}

/// What a decision changes at the participants.
#[derive(Default)]
struct Moves {
    in_flight: [i64; 5],
    sent: [u32; 5],
    outcomes: [Outcomes; 5],
    waiting: Vec<(Participant, Urgency)>,
}

impl Moves {
    /// Counts what becomes of the effects; commands and letters that go out now are queued.
    fn between<D: Decider>(
        env: &Environment<D::Policies, D::Posted>,
        desk: &Desk<'_>,
        earlier: &D::State,
        state: &D::State,
        time: &str,
        headers: &mut HeaderWriter,
        queued: &mut Queued,
    ) -> Self {
        let (before, after) = (D::effects(earlier), D::effects(state));
        let mut moves = Self::default();
        for earlier in &before {
            moves.left(env, earlier, &after, desk.now);
        }
        for (effect, earlier) in paired(&before, &after) {
            match effect.party {
                Party::Participant(participant) => {
                    if moves.goes(env, participant, effect, earlier)
                        && let Some(command) = D::command(desk.from, state, effect.id)
                    {
                        let message =
                            outbound::command(&env.layout, desk.from, desk.trace, time, &command, headers);
                        queued.commands.push((participant, message));
                    }
                }
                Party::Entity if mail::goes(effect, earlier) => {
                    queued.letters.extend(desk.letter_of::<D>(state, effect));
                }
                Party::Entity => {}
            }
        }
        moves
    }

    /// Counts what became of an effect that was open before.
    fn left<P, T>(
        &mut self,
        env: &Environment<P, T>,
        earlier: &OpenEffect<'_>,
        after: &[OpenEffect<'_>],
        now: Timestamp,
    ) {
        let Party::Participant(participant) = earlier.party else { return };
        let at = participant.index();
        if counts(earlier) {
            self.in_flight[at] -= 1;
        }
        if earlier.state != EffectState::Sent {
            return; // nothing was asked that could be answered
        }
        let is_fresh = env.gates.is_fresh(participant, earlier.sent_at);
        let outcomes = &mut self.outcomes[at];
        match after.iter().find(|effect| effect.id == earlier.id) {
            None => {
                let took = earlier.sent_at.map_or(0, |at| now.ms_since(at));
                let slow = took > env.gates.slow_ms(participant);
                // A late answer to what was asked before the breaker moved says nothing about now.
                outcomes.slow += u32::from(slow && is_fresh);
                outcomes.answered += u32::from(!slow);
            }
            Some(effect) if effect.state == EffectState::Sent => {
                // Silence until the deadline, once for each command. What was asked before the breaker moved says nothing.
                outcomes.failed += u32::from(is_fresh && earlier.attempts == 1 && effect.attempts == 2);
            }
            Some(_) => outcomes.failed += 1,
        }
    }

    /// Counts an open effect at a participant; true if its command goes out now.
    fn goes<P, T>(
        &mut self,
        env: &Environment<P, T>,
        participant: Participant,
        effect: &OpenEffect<'_>,
        earlier: Option<&OpenEffect<'_>>,
    ) -> bool {
        let at = participant.index();
        if counts(effect) {
            self.in_flight[at] += 1;
        }
        let waited = earlier.is_none_or(|earlier| earlier.state == EffectState::Waiting);
        match effect.state {
            EffectState::Waiting if earlier.is_none() || !waited => {
                self.waiting.push((participant, effect.urgency));
                false
            }
            EffectState::Sent if waited => {
                self.sent[at] += 1;
                true
            }
            // One that is held back has a deadline, and is asked for again then.
            EffectState::Sent => {
                earlier.is_some_and(|earlier| earlier.attempts != effect.attempts)
                    && env.gates.admits_again(participant, env.clock.now())
            }
            EffectState::Waiting | EffectState::Retrying => false,
        }
    }
}

/// The effect that waits for the participant's gate and goes first: an urgent one, else the oldest.
pub(super) fn first_waiting<D: Decider>(state: &D::State, participant: Participant) -> Option<String> {
    let effects = D::effects(state);
    let waits = effects.iter().filter(|effect| {
        effect.party == Party::Participant(participant) && effect.state == EffectState::Waiting
    });
    // The first of those that are equally urgent.
    waits.min_by_key(|effect| effect.urgency).map(|effect| effect.id.to_owned())
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

/// The answers of a decision that changes nothing: they go out once all is recorded that they may speak of.
pub(super) fn write_back<D: Decider>(
    actor: &EntityActor<D>,
    queued: &mut Queued,
    decision: &mut Decision<D>,
) {
    let partition = &actor.partition;
    let desk = Desk {
        from: &actor.id,
        version: actor.entity.version,
        trace: D::trace(&decision.state),
        now: partition.now(),
        partitions: partition.env.layout.partitions,
    };
    let letters = std::mem::take(&mut decision.letters);
    queued.letters.extend(letters.into_iter().map(|letter| desk.seal(letter)));
}

/// Messages that nobody came for, or that there was no place for, become dead letters.
pub(super) fn bury(queued: &mut Queued, id: &EntityId, dead: Vec<(Envelope, DeadReason)>) {
    for (envelope, reason) in dead {
        let text = "nobody with this id came in time, or too many messages wait for it";
        let Refusal { reason, violations } = Refusal::new(reason, "", text);
        queued.add_dead_letter(DeadLetter { envelope, key: Some(id.key.clone()), reason, violations });
    }
}
