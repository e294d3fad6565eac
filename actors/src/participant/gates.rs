//! The gates of a node: what may go to each participant now, over all partitions. The keeper sets breakers and rates; decisions
//! ask, and count what goes out and what became of it.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};

use domain::decider::Participant;
use domain::gates::{self, BreakerState, Urgency};
use domain::time::Timestamp;
use tokio::sync::Notify;

use super::breaker::Outcomes;
use super::control::HeldBy;
use super::gate::{Gate, URGENT_PART};
use super::settings::ParticipantSettings;
use crate::config::NodeConfig;
use crate::metrics::Metrics;

/// The gates of a node.
#[derive(Debug)]
pub(crate) struct Gates {
    each: [Gate; 5],
    /// One for each partition: some gate has room again.
    freed: Box<[Arc<Notify>]>,
    /// Which partition is woken next, so that none is always the last.
    turn: AtomicUsize,
    /// When the broker was last away. What was sent before may be lost, and nobody's silence is his fault.
    broker_since: AtomicI64,
    metrics: Arc<Metrics>,
}

impl Gates {
    pub(crate) fn new(config: &NodeConfig, partitions: u16, now: Timestamp, metrics: Arc<Metrics>) -> Self {
        let each = Participant::ALL.map(|participant| {
            let settings = config.participants.of(participant);
            Gate::new(settings, *config.in_flight_commands.of(participant), partitions, now)
        });
        let freed = (0..partitions).map(|_| Arc::default()).collect();
        Self { each, freed, turn: AtomicUsize::default(), broker_since: AtomicI64::new(i64::MIN), metrics }
    }

    fn gate(&self, participant: Participant) -> &Gate {
        &self.each[participant.index()]
    }

    /// A partition wants to know when a gate has room again.
    pub(crate) fn watch(&self, partition: u16) -> Arc<Notify> {
        Arc::clone(&self.freed[usize::from(partition)])
    }

    /// How many more commands of this urgency may go out now.
    pub(crate) fn room(&self, participant: Participant, urgency: Urgency, now: Timestamp) -> usize {
        usize::try_from(self.gate(participant).room(urgency, now)).unwrap_or(0)
    }

    /// The same, but no more than a fair share if several partitions have something that waits.
    pub(crate) fn share(&self, participant: Participant, urgency: Urgency, now: Timestamp) -> usize {
        let waiting = &self.gate(participant).waiting_at;
        let sharing = waiting.iter().filter(|waiting| waiting.load(Ordering::Relaxed) > 0).count();
        self.room(participant, urgency, now).div_ceil(sharing.max(1))
    }

    /// The gates as a decision sees them.
    pub(crate) fn snapshot(&self, now: Timestamp) -> gates::Gates {
        gates::Gates::new(self.each.each_ref().map(|gate| gate.view(now)))
    }

    /// So many more commands are open (or, negative, are answered).
    pub(crate) fn adjust(&self, participant: Participant, difference: i64) {
        let gate = self.gate(participant);
        gate.in_flight.fetch_add(difference, Ordering::Relaxed);
        self.metrics.in_flight[participant.index()].adjust(difference);
        if difference < 0 {
            self.wake(participant, 1);
        }
    }

    /// So many commands go out for the first time.
    pub(crate) fn sent(&self, participant: Participant, commands: u32, now: Timestamp) {
        let gate = self.gate(participant);
        gate.sent.fetch_add(u64::from(commands), Ordering::Relaxed);
        gate.went(commands, now);
    }

    /// So many commands that were counted by [`Self::sent`] did not go out: nobody wants them any more.
    pub(crate) fn unsent(&self, participant: Participant, commands: u32) {
        let gate = self.gate(participant);
        gate.sent.fetch_sub(u64::from(commands), Ordering::Relaxed);
        gate.came_back(commands);
    }

    /// May a command that is not answered go out once more?
    pub(crate) fn admits_again(&self, participant: Participant, now: Timestamp) -> bool {
        let gate = self.gate(participant);
        let admitted = match gate.breaker() {
            BreakerState::Open => false,
            _ if !gate.pace.has_room(1, now) => false,
            // It is as good a probe as any, and when everything in flight is lost it is the only one.
            BreakerState::HalfOpen => gate.probes.load(Ordering::Relaxed) > 0,
            BreakerState::Closed => {
                let sent = gate.sent.load(Ordering::Relaxed);
                gate.budget.lock().unwrap_or_else(PoisonError::into_inner).withdraw(sent, now)
            }
        };
        if admitted {
            gate.went(1, now);
            self.metrics.retries[participant.index()].add_one();
        } else {
            self.metrics.retries_refused[participant.index()].add_one();
        }
        admitted
    }

    /// How many of so many commands that a recovery repeats may go now; none = the participant is not there.
    pub(crate) fn take_for_recovery(
        &self,
        participant: Participant,
        most: usize,
        now: Timestamp,
    ) -> Option<usize> {
        let gate = self.gate(participant);
        if gate.breaker() == BreakerState::Open {
            return None;
        }
        let some = gate.pace.room(now).min(most);
        gate.pace.take(u32::try_from(some).unwrap_or(u32::MAX), now);
        Some(some)
    }

    /// Was a command sent while the breaker was as it is, and the broker there? If not, its silence says nothing about now.
    pub(crate) fn is_fresh(&self, participant: Participant, sent_at: Option<Timestamp>) -> bool {
        let since = self.gate(participant).since.load(Ordering::Relaxed);
        let since = since.max(self.broker_since.load(Ordering::Relaxed));
        sent_at.is_some_and(|at| at.0 >= since)
    }

    /// The broker is away, or was a moment ago.
    pub(super) fn broker_was_away(&self, now: Timestamp) {
        self.broker_since.store(now.0, Ordering::Relaxed);
    }

    /// Pays into the retry budget what was sent for the first time.
    pub(super) fn pay_in(&self, participant: Participant, now: Timestamp) {
        let gate = self.gate(participant);
        let sent = gate.sent.load(Ordering::Relaxed);
        gate.budget.lock().unwrap_or_else(PoisonError::into_inner).pay_in(sent, now);
    }

    /// From how many milliseconds on an answer is slow.
    pub(crate) fn slow_ms(&self, participant: Participant) -> i64 {
        self.gate(participant).slow_ms.load(Ordering::Relaxed)
    }

    /// Counts what commands came to.
    pub(crate) fn observe(&self, participant: Participant, outcomes: Outcomes) {
        let gate = self.gate(participant);
        for (counter, count) in [
            (&gate.answered, outcomes.answered),
            (&gate.slow, outcomes.slow),
            (&gate.failed, outcomes.failed),
        ] {
            if count > 0 {
                counter.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    /// So many more effects of a partition wait.
    pub(crate) fn wait(&self, participant: Participant, partition: u16, urgency: Urgency, difference: i64) {
        let gate = self.gate(participant);
        gate.waiting.fetch_add(difference, Ordering::Relaxed);
        gate.waiting_at[usize::from(partition)].fetch_add(difference, Ordering::Relaxed);
        if urgency == Urgency::Urgent {
            gate.waiting_urgent.fetch_add(difference, Ordering::Relaxed);
        }
        self.metrics.waiting_of(participant).adjust(difference);
    }

    /// Counts an effect that has to wait for the breaker or the rate. (Others wait for a place, or behind others.)
    pub(crate) fn count_wait(&self, participant: Participant, now: Timestamp) {
        let (gate, at) = (self.gate(participant), participant.index());
        if gate.breaker() != BreakerState::Closed {
            self.metrics.breaker_waits[at].add_one();
        } else if !gate.pace.has_room(1 + gate.burst.load(Ordering::Relaxed) / URGENT_PART, now) {
            self.metrics.rate_waits[at].add_one();
        }
    }

    /// A recovery found effects that wait. Why they did is not known any more, so unless the participant was heard of since
    /// the start, it is asked by a few of them first.
    pub(crate) fn probe_first(&self, participant: Participant, now: Timestamp) {
        let gate = self.gate(participant);
        if gate.untried.swap(false, Ordering::Relaxed) {
            self.publish(participant, BreakerState::HalfOpen, now);
        }
    }

    /// Wakes partitions in which something waits, so many at the most.
    pub(super) fn wake(&self, participant: Participant, most: usize) {
        let gate = self.gate(participant);
        if gate.waiting.load(Ordering::Relaxed) <= 0 || gate.breaker() == BreakerState::Open {
            return;
        }
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let partitions = self.freed.len();
        let all = (0..partitions).map(|offset| (first + offset) % partitions);
        for partition in
            all.filter(|partition| gate.waiting_at[*partition].load(Ordering::Relaxed) > 0).take(most)
        {
            self.freed[partition].notify_one();
        }
    }

    /// Wakes every partition in which something waits that may go now.
    pub(super) fn wake_all(&self, participant: Participant, now: Timestamp) {
        if self.room(participant, Urgency::Urgent, now) > 0 {
            self.wake(participant, usize::MAX);
        }
    }

    /// What commands came to since the last time that this was asked.
    pub(super) fn take_outcomes(&self, participant: Participant) -> Outcomes {
        let gate = self.gate(participant);
        let taken = Outcomes {
            answered: gate.answered.swap(0, Ordering::Relaxed),
            slow: gate.slow.swap(0, Ordering::Relaxed),
            failed: gate.failed.swap(0, Ordering::Relaxed),
        };
        if !taken.is_empty() {
            gate.untried.store(false, Ordering::Relaxed);
        }
        taken
    }

    /// Puts the breaker into a state; half open, new probes may go.
    pub(super) fn publish(&self, participant: Participant, state: BreakerState, since: Timestamp) {
        let gate = self.gate(participant);
        gate.since.store(since.0, Ordering::Relaxed);
        gate.probes.store(gate.first_probes.load(Ordering::Relaxed), Ordering::Relaxed);
        gate.breaker.store(u8::try_from(state.index()).expect("there are three states"), Ordering::Relaxed);
        self.metrics.breaker_state[participant.index()].set(i64::try_from(state.index()).unwrap_or(0));
    }

    /// Are some of the probes out?
    pub(super) fn is_probed(&self, participant: Participant) -> bool {
        let gate = self.gate(participant);
        gate.probes.load(Ordering::Relaxed) < gate.first_probes.load(Ordering::Relaxed)
    }

    /// How the breaker of a participant stands, and since when.
    pub(super) fn published(&self, participant: Participant) -> (BreakerState, Timestamp) {
        let gate = self.gate(participant);
        (gate.breaker(), Timestamp(gate.since.load(Ordering::Relaxed)))
    }

    /// Sets the rate in force.
    pub(super) fn set_pace(&self, participant: Participant, rate_per_second: u32, burst: u32) {
        let gate = self.gate(participant);
        gate.burst.store(burst, Ordering::Relaxed);
        gate.pace.set(rate_per_second, burst);
        self.metrics.rate_limit[participant.index()].set(i64::from(rate_per_second));
    }

    /// What comes next comes at the rate.
    pub(super) fn spend_burst(&self, participant: Participant, now: Timestamp) {
        self.gate(participant).pace.spend_burst(now);
    }

    /// Sets how many commands may be in flight.
    pub(super) fn set_cap(&self, participant: Participant, cap: u32) {
        self.gate(participant).cap.store(i64::from(cap), Ordering::Relaxed);
        self.metrics.in_flight_limit[participant.index()].set(i64::from(cap));
    }

    /// Sets what besides rate and cap is judged and spent by, from now on.
    pub(super) fn set_settings(
        &self,
        participant: Participant,
        settings: &ParticipantSettings,
        now: Timestamp,
    ) {
        let gate = self.gate(participant);
        gate.slow_ms.store(settings.slow_ms.into(), Ordering::Relaxed);
        let probes = i64::from(settings.probes);
        let before = gate.first_probes.swap(probes, Ordering::Relaxed);
        gate.probes.fetch_add(probes - before, Ordering::Relaxed); // those that are out stay out
        let sent = gate.sent.load(Ordering::Relaxed);
        let mut budget = gate.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.pay_in(sent, now);
        budget.set(settings.retry_percent, settings.retries_per_second);
    }

    /// What keeps the ordinary commands that wait; none = nothing does, or none waits.
    pub(super) fn held_by(&self, participant: Participant, now: Timestamp) -> Option<HeldBy> {
        self.gate(participant).held_by(now)
    }

    /// How many commands are in flight, how many effects wait, and how many of them are urgent.
    pub(super) fn counts(&self, participant: Participant) -> (i64, i64, i64) {
        let gate = self.gate(participant);
        let count = |number: &AtomicI64| number.load(Ordering::Relaxed);
        (count(&gate.in_flight), count(&gate.waiting), count(&gate.waiting_urgent))
    }
}

#[cfg(test)]
mod tests;
