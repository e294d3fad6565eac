//! The keeper of the gates: looks at all participants every few milliseconds, moves breakers and rates, and wakes what waits.
//! One timer for the whole node, however much waits.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler};
use bus::ports::SharedBus;
use domain::decider::Participant;
use domain::gates::BreakerState;
use domain::time::Timestamp;

use super::breaker::{Breaker, Forced};
use super::control::{
    Act, LimitChange, Look, ParticipantControl, ParticipantStatus, SettingsChange, Steer, SteerError,
};
use super::gates::Gates;
use super::pace::ramped;
use super::settings::ParticipantSettings;
use crate::clock::SharedClock;
use crate::config::NodeConfig;
use crate::metrics::Metrics;

/// How often it looks. A burst covers as much at least, so a rate loses nothing between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// How many operators may ask at once.
const QUESTIONS: usize = 64;

/// Rate, burst and cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits {
    rate_per_second: u32,
    burst: u32,
    in_flight: u32,
}

/// One participant.
#[derive(Debug)]
struct Kept {
    participant: Participant,
    configured: (ParticipantSettings, u32),
    /// Settings that an operator has put in the place of the configured ones, and until when.
    patched: Option<(SettingsChange, Option<Timestamp>)>,
    /// Those in force: what breaker and gate judge by.
    settings: ParticipantSettings,
    breaker: Breaker,
    /// Limits that an operator has set on their own, and until when.
    changed: Option<(LimitChange, Option<Timestamp>)>,
    /// Since when it comes back from an outage.
    back_since: Option<Timestamp>,
    in_force: Limits,
}

impl Kept {
    fn settings_in_flight(&self) -> u32 {
        self.patched.and_then(|(patch, _)| patch.in_flight).unwrap_or(self.configured.1)
    }

    fn limits_set(&self) -> LimitChange {
        self.changed.map(|(limits, _)| limits).unwrap_or_default()
    }

    fn limits(&self) -> Limits {
        let LimitChange { rate_per_second, burst, in_flight } = self.limits_set();
        Limits {
            rate_per_second: rate_per_second.unwrap_or(self.settings.rate_per_second),
            burst: burst.unwrap_or(self.settings.burst),
            in_flight: in_flight.unwrap_or_else(|| self.settings_in_flight()),
        }
    }

    /// Other settings are in force from now on, or the configured ones again.
    fn patch(&mut self, patched: Option<(SettingsChange, Option<Timestamp>)>, gates: &Gates, now: Timestamp) {
        self.patched = patched;
        let numbers = patched.map(|(patch, _)| patch.numbers).unwrap_or_default();
        self.settings = self.configured.0.with(numbers);
        self.breaker.set_settings(self.settings);
        gates.set_settings(self.participant, &self.settings, now);
    }

    /// What is in force at this moment of the ramp.
    fn ramped(&self, now: Timestamp) -> Limits {
        let limits = self.limits();
        let Some(since) = self.back_since else { return limits };
        let part = |full| {
            let ParticipantSettings { ramp_from_percent, ramp_ms, .. } = self.settings;
            ramped(full, ramp_from_percent, ramp_ms, now.ms_since(since))
        };
        Limits { rate_per_second: part(limits.rate_per_second), burst: part(limits.burst), ..limits }
    }

    fn look(&mut self, gates: &Gates, metrics: &Metrics, now: Timestamp) {
        let participant = self.participant;
        let (published, since) = gates.published(participant);
        if published != self.breaker.state() {
            if self.breaker.forced().is_some() {
                gates.publish(participant, self.breaker.state(), self.breaker.since()); // an operator has the last word
            } else {
                self.breaker.probe(since); // a recovery found a backlog
            }
        }
        let before = self.breaker.state();
        self.breaker.look(gates.take_outcomes(participant), gates.is_probed(participant), now);
        if self.breaker.state() != before {
            self.moved(before, gates, metrics, now);
        }
        if self.changed.is_some_and(|(_, until)| until.is_some_and(|until| until <= now)) {
            self.changed = None;
        }
        if self.patched.is_some_and(|(_, until)| until.is_some_and(|until| until <= now)) {
            self.patch(None, gates, now);
        }
        if self.back_since.is_some_and(|since| now.ms_since(since) >= i64::from(self.settings.ramp_ms)) {
            self.back_since = None;
        }
        self.enforce(gates, now);
        gates.pay_in(participant, now);
        gates.wake_all(participant, now);
    }

    /// The breaker is in another state.
    fn moved(&mut self, before: BreakerState, gates: &Gates, metrics: &Metrics, now: Timestamp) {
        let (state, participant) = (self.breaker.state(), self.participant);
        let (errors, slow, outcomes) = self.breaker.ratios();
        tracing::warn!(
            participant = participant.as_str(),
            from = before.as_str(),
            to = state.as_str(),
            errors,
            slow,
            outcomes,
            forced = self.breaker.forced().is_some(),
            "a breaker moved"
        );
        if state == BreakerState::Open {
            metrics.breaker_opened[participant.index()].add_one();
        }
        self.back_since = (state == BreakerState::Closed).then_some(now);
        gates.publish(participant, state, self.breaker.since());
        self.enforce(gates, now);
        if state == BreakerState::Closed {
            gates.spend_burst(participant, now);
        }
    }

    fn enforce(&mut self, gates: &Gates, now: Timestamp) {
        let wanted = self.ramped(now);
        if wanted != self.in_force {
            gates.set_pace(self.participant, wanted.rate_per_second, wanted.burst);
            gates.set_cap(self.participant, wanted.in_flight);
            self.in_force = wanted;
        }
    }

    fn act(&mut self, act: Act, gates: &Gates, metrics: &Metrics, now: Timestamp) {
        let until =
            |ttl_ms: Option<u64>| ttl_ms.map(|ttl_ms| now.plus_ms(i64::try_from(ttl_ms).unwrap_or(i64::MAX)));
        let before = self.breaker.state();
        match act {
            Act::ForceOpen { ttl_ms } => {
                self.breaker.force(Forced { open: true, until: until(ttl_ms) }, now);
            }
            Act::ForceClose { ttl_ms } => {
                self.breaker.force(Forced { open: false, until: until(ttl_ms) }, now);
            }
            Act::HalfOpen => self.breaker.probe(now),
            Act::Reset => self.breaker.reset(now),
            Act::Limit { change, ttl_ms } => self.changed = Some((change, until(ttl_ms))),
            Act::ResetLimits => self.changed = None,
            Act::Set { change, ttl_ms } => self.patch(Some((change, until(ttl_ms))), gates, now),
            Act::ResetSettings => self.patch(None, gates, now),
        }
        if self.breaker.state() != before {
            self.moved(before, gates, metrics, now);
        } else if act == Act::HalfOpen {
            gates.publish(self.participant, BreakerState::HalfOpen, now);
        }
        self.enforce(gates, now);
        gates.wake_all(self.participant, now);
    }

    fn status(&self, gates: &Gates, now: Timestamp) -> ParticipantStatus {
        let (error_percent, slow_percent, outcomes) = self.breaker.ratios();
        let (in_flight, waiting, waiting_urgent) = gates.counts(self.participant);
        let (breaker, since) = gates.published(self.participant);
        let forced = self.breaker.forced();
        let limits = self.limits();
        ParticipantStatus {
            participant: self.participant,
            breaker,
            since,
            forced: forced.is_some(),
            forced_until: forced.and_then(|forced| forced.until),
            error_percent,
            slow_percent,
            outcomes,
            in_flight,
            in_flight_limit: limits.in_flight,
            waiting,
            waiting_urgent,
            rate_per_second: limits.rate_per_second,
            burst: limits.burst,
            effective_rate_per_second: self.in_force.rate_per_second,
            limits_changed: self.changed.is_some(),
            limits_until: self.changed.and_then(|(_, until)| until),
            limits_set: self.limits_set(),
            settings: self.settings,
            settings_in_flight: self.settings_in_flight(),
            settings_changed: self.patched.is_some(),
            held_by: gates.held_by(self.participant, now),
        }
    }
}

/// The keeper.
#[derive(Debug)]
pub(crate) struct Keeper {
    gates: Arc<Gates>,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    bus: SharedBus,
    /// How often the broker was lost, as far as it is taken in.
    losses: u64,
    kept: [Kept; 5],
}

impl Keeper {
    /// Starts the keeper on the current thread.
    pub(crate) fn begin(
        config: &NodeConfig,
        bus: &SharedBus,
        gates: &Arc<Gates>,
        clock: &SharedClock,
        metrics: &Arc<Metrics>,
    ) -> ParticipantControl {
        let now = clock.now();
        let kept = Participant::ALL.map(|participant| {
            let settings = *config.participants.of(participant);
            let ParticipantSettings { rate_per_second, burst, .. } = settings;
            let in_flight = *config.in_flight_commands.of(participant);
            let in_force = Limits { rate_per_second, burst, in_flight };
            gates.set_pace(participant, rate_per_second, burst);
            gates.set_cap(participant, in_flight);
            Kept {
                participant,
                configured: (settings, in_flight),
                patched: None,
                settings,
                breaker: Breaker::new(settings, now),
                changed: None,
                back_since: None,
                in_force,
            }
        });
        let (gates, clock, metrics) = (Arc::clone(gates), Arc::clone(clock), Arc::clone(metrics));
        let (bus, losses) = (Arc::clone(bus), bus.losses());
        let keeper = Self::create(move |context| {
            context.set_mailbox_capacity(QUESTIONS);
            context.run_interval(LOOK_INTERVAL, |keeper, _| keeper.look());
            Self { gates, clock, metrics, bus, losses, kept }
        });
        ParticipantControl { keeper }
    }

    fn look(&mut self) {
        let now = self.clock.now();
        let losses = self.bus.losses();
        if losses != self.losses || !self.bus.connected() {
            self.losses = losses;
            self.gates.broker_was_away(now);
        }
        for kept in &mut self.kept {
            kept.look(&self.gates, &self.metrics, now);
        }
    }
}

impl Actor for Keeper {
    type Context = Context<Self>;
}

impl Handler<Look> for Keeper {
    type Result = Vec<ParticipantStatus>;

    fn handle(&mut self, _: Look, _: &mut Context<Self>) -> Self::Result {
        let now = self.clock.now();
        self.kept.iter().map(|kept| kept.status(&self.gates, now)).collect()
    }
}

impl Handler<Steer> for Keeper {
    type Result = Result<ParticipantStatus, SteerError>;

    fn handle(&mut self, Steer { participant, act }: Steer, _: &mut Context<Self>) -> Self::Result {
        let kept = &mut self.kept[participant.index()];
        let problems = act.problems(&kept.configured.0, &kept.settings, kept.limits_set());
        if !problems.is_empty() {
            return Err(SteerError::Invalid(problems));
        }
        let now = self.clock.now();
        kept.act(act, &self.gates, &self.metrics, now);
        Ok(kept.status(&self.gates, now))
    }
}
