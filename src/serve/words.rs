//! Intake and participants in the words of the control: scopes, limits, states and refusals, both ways.

use actors::node::flow::{
    LEAST_MEMORY, LimitName, LimitState, MOST_LIVE_ORDERS, MOST_RATE, Mode as IntakeMode,
    Scope as IntakeScope, Setting, SettingError,
};
use actors::participant::control::{ParticipantStatus, SteerError};

use crate::control::act::Limit;
use crate::control::entry::rfc_3339;
use crate::control::knobs::Refusal;
use crate::control::report::{BreakerReport, BreakerSettings, LimitReport, Mode, Numbers};
use crate::control::scope::Scope;

/// The ranges that the intake has; what is wrong is told with its field.
pub(super) fn check_intake(state: &LimitState, limit: Limit) -> Result<(), Refusal> {
    let name = &state.name;
    let has_rate = !matches!(name, LimitName::Orders | LimitName::Memory);
    let given =
        [("rate", limit.rate, has_rate), ("burst", limit.burst, has_rate), ("cap", limit.cap, !has_rate)];
    for (field, value, is_possible) in given {
        if let Some(value) = value.filter(|_| !is_possible) {
            let has = if has_rate { "rate and burst" } else { "a cap" };
            return Err(Refusal::Value {
                field,
                value: value.into(),
                remedy: format!("{name} has only {has}"),
            });
        }
    }
    let Setting { rate, burst, cap } = state.effective;
    match name {
        LimitName::Orders => within("cap", limit.cap.unwrap_or(cap), 1, MOST_LIVE_ORDERS),
        LimitName::Memory if limit.cap == Some(0) => Ok(()),
        LimitName::Memory => within("cap", limit.cap.unwrap_or(LEAST_MEMORY), LEAST_MEMORY, u64::MAX / 64),
        LimitName::Rate | LimitName::Tenant(_) | LimitName::Channel(_) => {
            let rate = limit.rate.unwrap_or(rate);
            within("rate", rate, 0, MOST_RATE)?;
            within("burst", limit.burst.unwrap_or(burst), u64::from(rate > 0), MOST_RATE)
        }
    }
}

pub(super) fn within(field: &'static str, value: u64, least: u64, most: u64) -> Result<(), Refusal> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Refusal::Value { field, value: value.into(), remedy: format!("must be from {least} to {most}") })
}

pub(super) fn setting(error: SettingError) -> Refusal {
    match error {
        SettingError::Unknown(what) => Refusal::Unknown { what, known: "see GET /api/v1/flow".to_owned() },
        SettingError::OutOfBounds(what) => Refusal::Invalid(what),
    }
}

pub(super) fn steering(error: SteerError) -> Refusal {
    match error {
        SteerError::Invalid(problems) => Refusal::Invalid(problems.join("; ")),
        SteerError::Unavailable(why) => Refusal::NotNow(why),
    }
}

pub(super) fn intake_scope(scope: &Scope) -> IntakeScope {
    match scope {
        Scope::All => IntakeScope::All,
        Scope::Tenant(name) => IntakeScope::Tenant(name.clone()),
        Scope::Channel(name) => IntakeScope::Channel(name.clone()),
        Scope::Partition(number) => IntakeScope::Partition(*number),
    }
}

pub(super) fn scope_text(scope: &IntakeScope) -> String {
    let scope = match scope {
        IntakeScope::All => Scope::All,
        IntakeScope::Tenant(name) => Scope::Tenant(name.clone()),
        IntakeScope::Channel(name) => Scope::Channel(name.clone()),
        IntakeScope::Partition(number) => Scope::Partition(*number),
    };
    scope.to_string()
}

pub(super) fn intake_limit(state: &LimitState) -> LimitReport {
    let has_rate = !matches!(state.name, LimitName::Orders | LimitName::Memory);
    let numbers = |setting: Setting| Numbers {
        rate: has_rate.then_some(setting.rate),
        burst: has_rate.then_some(setting.burst),
        cap: (!has_rate).then_some(setting.cap),
    };
    LimitReport {
        unit: if state.name == LimitName::Memory { "bytes" } else { "orders" }.to_owned(),
        name: state.name.to_string(),
        configured: numbers(state.configured),
        effective: numbers(state.effective),
        used: state.used,
    }
}

pub(super) fn breaker(status: &ParticipantStatus) -> BreakerReport {
    let state = status.breaker.as_str().to_owned();
    BreakerReport {
        system: status.participant.as_str().to_owned(),
        forced: status.forced.then(|| state.clone()),
        state,
        since: rfc_3339(status.since),
        outcomes: status.outcomes.into(),
        error_percent: status.error_percent.into(),
        slow_percent: status.slow_percent.into(),
        in_flight: at_least_zero(status.in_flight),
        waiting: at_least_zero(status.waiting),
        waiting_urgent: at_least_zero(status.waiting_urgent),
        settings: breaker_settings(status),
        settings_changed: status.settings_changed,
    }
}

pub(super) const fn breaker_settings(status: &ParticipantStatus) -> BreakerSettings {
    BreakerSettings::of(&status.settings, status.settings_in_flight)
}

pub(super) const fn mode(mode: IntakeMode) -> Mode {
    match mode {
        IntakeMode::Open => Mode::Open,
        IntakeMode::Limited => Mode::Limited,
        IntakeMode::Paused => Mode::Paused,
        IntakeMode::Draining => Mode::Draining,
        IntakeMode::Drained => Mode::Drained,
    }
}

/// A unit of a closed set as the API writes it.
pub(super) fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A gauge can be below zero for a moment, while two threads count.
pub(super) fn at_least_zero(gauge: i64) -> u64 {
    u64::try_from(gauge).unwrap_or(0)
}
