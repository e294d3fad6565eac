//! What an operator sees of the participants and can change while the node runs. Everything may have an end, and takes itself
//! back then; nothing of it outlives the process, whose configuration is the truth.

use actix::{Addr, MailboxError, Message};
use domain::decider::Participant;
use domain::gates::BreakerState;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::keeper::Keeper;
use super::settings::{MOST_RATE, ParticipantSettings, burst_problem};

/// The longest time that an act may hold: a week. What is to hold longer belongs into the configuration.
pub const MOST_TTL_MS: u64 = 7 * 86_400_000;
/// The highest cap.
pub const MOST_IN_FLIGHT: u32 = 10_000_000;

/// How a participant is, in one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParticipantStatus {
    /// Which one.
    pub participant: Participant,
    /// How its breaker stands.
    pub breaker: BreakerState,
    /// Since when.
    pub since: Timestamp,
    /// An operator has set it so.
    pub forced: bool,
    /// When that ends; none = it does not, or it is not forced.
    pub forced_until: Option<Timestamp>,
    /// Failed answers and silence in percent of the outcomes of the window.
    pub error_percent: u32,
    /// Slow answers in percent of the answers of the window.
    pub slow_percent: u32,
    /// How many outcomes the window has.
    pub outcomes: u32,
    /// Commands sent and not answered.
    pub in_flight: i64,
    /// How many that may be.
    pub in_flight_limit: u32,
    /// Effects that wait: the backlog.
    pub waiting: i64,
    /// Those of them that go first.
    pub waiting_urgent: i64,
    /// Commands a second as set.
    pub rate_per_second: u32,
    /// Commands at once as set.
    pub burst: u32,
    /// Commands a second in force: less than set while it comes back from an outage.
    pub effective_rate_per_second: u32,
    /// Rate, burst or cap differ from the configuration.
    pub limits_changed: bool,
    /// When they go back; none = not by themselves, or they do not differ.
    pub limits_until: Option<Timestamp>,
    /// Rate, burst and cap that were set on their own: what is none is as the settings say.
    pub limits_set: LimitChange,
    /// The settings in force, without those.
    pub settings: ParticipantSettings,
    /// The cap in force, without those.
    pub settings_in_flight: u32,
    /// Some of the settings differ from the configuration.
    pub settings_changed: bool,
    /// What keeps commands that wait from going now; none = nothing does, or none waits.
    pub held_by: Option<HeldBy>,
}

/// What keeps commands that wait in front of a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldBy {
    /// Its breaker is open.
    Breaker,
    /// Its breaker is half open, and as many probes are out as may be.
    Probes,
    /// As many commands are in flight as may be.
    InFlight,
    /// As many commands were sent as may be in this time.
    Rate,
}

/// Other settings than the configured ones. What is absent stays as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SettingsChange {
    /// In the order of [`super::settings::RANGES`].
    pub numbers: [Option<u32>; 13],
    /// Commands in flight.
    pub in_flight: Option<u32>,
}

/// Other limits than the configured ones. What is absent stays as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitChange {
    /// Commands a second.
    pub rate_per_second: Option<u32>,
    /// Commands at once.
    pub burst: Option<u32>,
    /// Commands in flight.
    pub in_flight: Option<u32>,
}

impl LimitChange {
    /// What does not fit together if it is set over these settings.
    fn over(self, settings: &ParticipantSettings) -> Option<String> {
        let rate = self.rate_per_second.unwrap_or(settings.rate_per_second);
        burst_problem(rate, self.burst.unwrap_or(settings.burst))
    }
}

/// What can be done to a participant's gate. Every `ttl_ms` counts from now; none = until it is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing is sent, whatever it answers; then it is probed.
    ForceOpen {
        /// For so long.
        ttl_ms: Option<u64>,
    },
    /// Everything is sent, whatever it answers; then the breaker judges again.
    ForceClose {
        /// For so long.
        ttl_ms: Option<u64>,
    },
    /// It is probed now.
    HalfOpen,
    /// The breaker is closed, has forgotten everything, and judges by itself.
    Reset,
    /// Other limits, in the place of those set before.
    Limit {
        /// Which.
        change: LimitChange,
        /// For so long.
        ttl_ms: Option<u64>,
    },
    /// The limits of the settings again.
    ResetLimits,
    /// Other settings, in the place of those set before. Limits that were set on their own go on before them.
    Set {
        /// Which.
        change: SettingsChange,
        /// For so long.
        ttl_ms: Option<u64>,
    },
    /// The settings of the configuration again.
    ResetSettings,
}

impl Act {
    /// What is wrong with it, in words.
    pub(super) fn problems(
        &self,
        configured: &ParticipantSettings,
        in_force: &ParticipantSettings,
        limits: LimitChange,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        let mut within = |key: &str, value: Option<u64>, least: u64, most: u64| {
            if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
                problems.push(format!("{key} = {value}: must be from {least} to {most}"));
            }
        };
        match self {
            Self::ForceOpen { ttl_ms } | Self::ForceClose { ttl_ms } => {
                within("ttl_ms", *ttl_ms, 1, MOST_TTL_MS);
            }
            Self::Limit { change, ttl_ms } => {
                within("ttl_ms", *ttl_ms, 1, MOST_TTL_MS);
                within("rate_per_second", change.rate_per_second.map(u64::from), 1, u64::from(MOST_RATE));
                within("burst", change.burst.map(u64::from), 1, u64::from(MOST_RATE));
                within("in_flight", change.in_flight.map(u64::from), 1, u64::from(MOST_IN_FLIGHT));
                problems.extend(change.over(in_force));
            }
            Self::Set { change, ttl_ms } => {
                within("ttl_ms", *ttl_ms, 1, MOST_TTL_MS);
                within("in_flight", change.in_flight.map(u64::from), 1, u64::from(MOST_IN_FLIGHT));
                let settings = configured.with(change.numbers);
                let of_settings = settings.problems();
                // What was set on its own must fit to them, too.
                problems.extend(if of_settings.is_empty() {
                    limits.over(&settings).into_iter().collect()
                } else {
                    of_settings
                });
            }
            Self::HalfOpen | Self::Reset | Self::ResetLimits | Self::ResetSettings => {}
        }
        problems
    }
}

/// Why an act was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SteerError {
    /// It makes no sense; says what is wrong, one line each.
    #[error("{}", .0.join("; "))]
    Invalid(Vec<String>),
    /// Too many ask at once, or the node is going down: try again.
    #[error("not now: {0}")]
    Unavailable(String),
}

impl From<MailboxError> for SteerError {
    fn from(error: MailboxError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Asks for the status of all participants, in the order of [`Participant::ALL`].
#[derive(Debug, Message)]
#[rtype(result = "Vec<ParticipantStatus>")]
pub(super) struct Look;

/// Does something to one of them; answers how it is then.
#[derive(Debug, Message)]
#[rtype(result = "Result<ParticipantStatus, SteerError>")]
pub(super) struct Steer {
    pub(super) participant: Participant,
    pub(super) act: Act,
}

/// The way to the gates for operators. Clones are handles to the same.
#[derive(Debug, Clone)]
pub struct ParticipantControl {
    pub(super) keeper: Addr<Keeper>,
}

impl ParticipantControl {
    /// How all participants are, in the order of [`Participant::ALL`].
    ///
    /// # Errors
    /// Not now.
    pub async fn status(&self) -> Result<Vec<ParticipantStatus>, SteerError> {
        Ok(self.keeper.send(Look).await?)
    }

    /// Does something to one of them, and tells how it is then.
    ///
    /// # Errors
    /// The act makes no sense, or not now.
    pub async fn steer(&self, participant: Participant, act: Act) -> Result<ParticipantStatus, SteerError> {
        self.keeper.send(Steer { participant, act }).await?
    }
}
