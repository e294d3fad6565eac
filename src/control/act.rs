//! What an operator can do while the server runs, and how each act is undone.

use actors::flow::watermarks::{RANGES as WATERMARK_RANGES, WatermarkChange};
use actors::participant::control::SettingsChange;
use actors::participant::settings::RANGES;
use domain::decider::Participant;
use serde_json::{Map, Value, json};

use super::scope::Scope;

/// An act. What it changes holds until it is undone, replaced, or the process ends; configuration comes back with the next
/// start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Take no new work of this scope.
    Pause(Scope),
    /// Take new work of this scope again.
    Resume(Scope),
    /// Take no inputs at all, finish what is begun, and record it.
    Drain,
    /// Take inputs again.
    Undrain,
    /// Another value for a limit of the intake or of a participant.
    SetLimit(String, Limit),
    /// The configured value for it again.
    ResetLimit(String),
    /// Other watermarks of back-pressure and classes of channels. They replace those that were set before.
    SetBackpressure(WatermarkChange),
    /// The configured ones again.
    ResetBackpressure,
    /// Another number of commands that may be open at a participant.
    SetBulkhead(Participant, u32),
    /// The configured number again.
    ResetBulkhead(Participant),
    /// What a breaker shall do.
    Breaker(Participant, BreakerAct),
    /// Other settings of a participant: breaker, rate, cap, ramp, retry budget. They replace those that were set before.
    SetBreaker(Participant, SettingsChange),
    /// The configured settings again.
    ResetBreakerSettings(Participant),
}

/// What a breaker shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerAct {
    /// Let nothing through, whatever the answers say.
    ForceOpen,
    /// Let everything through, whatever the answers say.
    ForceClose,
    /// Try with probes now.
    HalfOpen,
    /// Forget what was forced and counted, and judge by the answers again.
    Reset,
}

/// What of a limit is changed; what is none stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limit {
    /// So many a second.
    pub rate: Option<u64>,
    /// So many at once on top, after a quiet time.
    pub burst: Option<u64>,
    /// So many at the same time.
    pub cap: Option<u64>,
}

impl BreakerAct {
    /// The last word of the path, and the action in the audit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForceOpen => "force_open",
            Self::ForceClose => "force_close",
            Self::HalfOpen => "half_open",
            Self::Reset => "reset",
        }
    }
}

impl Act {
    /// What kind of thing it is about: the domain token of its audit entries.
    pub const fn domain(&self) -> &'static str {
        match self {
            Self::Breaker(..) | Self::SetBreaker(..) | Self::ResetBreakerSettings(_) => "breaker",
            _ => "flow",
        }
    }

    /// What is done: the action token of its audit entries.
    pub const fn action(&self) -> &'static str {
        match self {
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Drain => "drain",
            Self::Undrain => "undrain",
            Self::SetLimit(..) => "set_limit",
            Self::ResetLimit(_) => "reset_limit",
            Self::SetBackpressure(_) => "set_backpressure",
            Self::ResetBackpressure => "reset_backpressure",
            Self::SetBulkhead(..) => "set_bulkhead",
            Self::ResetBulkhead(_) => "reset_bulkhead",
            Self::Breaker(_, act) => act.as_str(),
            Self::SetBreaker(..) => "set",
            Self::ResetBreakerSettings(_) => "reset_settings",
        }
    }

    /// To what it is done, as an operator names it.
    pub fn target(&self) -> String {
        match self {
            Self::Pause(scope) | Self::Resume(scope) => scope.to_string(),
            Self::Drain | Self::Undrain | Self::SetBackpressure(_) | Self::ResetBackpressure => {
                "all".to_owned()
            }
            Self::SetLimit(name, _) | Self::ResetLimit(name) => name.clone(),
            Self::SetBulkhead(system, _)
            | Self::ResetBulkhead(system)
            | Self::Breaker(system, _)
            | Self::SetBreaker(system, _)
            | Self::ResetBreakerSettings(system) => system.as_str().to_owned(),
        }
    }

    /// What may be set at one time only: the next act with the same one replaces this one.
    pub fn slot(&self) -> String {
        let kind = match self {
            Self::Pause(_) | Self::Resume(_) => "pause",
            Self::Drain | Self::Undrain => "drain",
            Self::SetLimit(..) | Self::ResetLimit(_) => "limit",
            Self::SetBackpressure(_) | Self::ResetBackpressure => "backpressure",
            Self::SetBulkhead(..) | Self::ResetBulkhead(_) => "bulkhead",
            Self::Breaker(..) => "breaker",
            Self::SetBreaker(..) | Self::ResetBreakerSettings(_) => "breaker settings",
        };
        format!("{kind} {}", self.target())
    }

    /// What takes it back; none if it leaves things as they are configured, so that nothing is there to take back.
    pub fn undo(&self) -> Option<Self> {
        match self {
            Self::Pause(scope) => Some(Self::Resume(scope.clone())),
            Self::Drain => Some(Self::Undrain),
            Self::SetLimit(name, _) => Some(Self::ResetLimit(name.clone())),
            Self::SetBackpressure(_) => Some(Self::ResetBackpressure),
            Self::SetBulkhead(system, _) => Some(Self::ResetBulkhead(*system)),
            // Nobody knows how the participant is by now: it is asked first.
            Self::Breaker(system, BreakerAct::ForceOpen) => {
                Some(Self::Breaker(*system, BreakerAct::HalfOpen))
            }
            Self::Breaker(system, BreakerAct::ForceClose) => Some(Self::Breaker(*system, BreakerAct::Reset)),
            Self::SetBreaker(system, _) => Some(Self::ResetBreakerSettings(*system)),
            Self::Resume(_)
            | Self::Undrain
            | Self::ResetLimit(_)
            | Self::ResetBackpressure
            | Self::ResetBulkhead(_)
            | Self::ResetBreakerSettings(_)
            | Self::Breaker(_, BreakerAct::HalfOpen | BreakerAct::Reset) => None,
        }
    }

    /// The values that it sets, as the audit keeps them.
    pub fn parameters(&self) -> Value {
        match self {
            Self::SetLimit(_, limit) => {
                let rows = [("rate", limit.rate), ("burst", limit.burst), ("cap", limit.cap)];
                let given =
                    rows.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
                Value::Object(given.collect::<Map<_, _>>())
            }
            Self::SetBackpressure(change) => {
                let numbers = WATERMARK_RANGES.iter().map(|(key, ..)| *key).zip(change.numbers);
                let mut given: Map<_, _> =
                    numbers.filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))).collect();
                if !change.classes.is_empty() {
                    given.insert("classes".to_owned(), json!(change.classes));
                }
                Value::Object(given)
            }
            Self::SetBulkhead(_, most) => json!({ "max_in_flight": most }),
            Self::SetBreaker(_, SettingsChange { numbers, in_flight }) => {
                let rows = RANGES.iter().map(|(key, ..)| *key).zip(*numbers);
                let rows = rows.chain([("max_in_flight", *in_flight)]);
                let given = rows.filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
                Value::Object(given.collect::<Map<_, _>>())
            }
            _ => json!({}),
        }
    }
}

#[cfg(test)]
mod tests {
    use actors::flow::Class;
    use domain::decider::Participant;
    use domain::ids::Token;

    use super::{Act, BreakerAct, Limit, SettingsChange, WatermarkChange};
    use crate::control::scope::Scope;

    fn every() -> Vec<Act> {
        let scope = Scope::Tenant(Token::new("main").unwrap());
        let mut acts = vec![
            Act::Pause(scope.clone()),
            Act::Resume(scope),
            Act::Drain,
            Act::Undrain,
            Act::SetLimit("intake".to_owned(), Limit { rate: Some(5), ..Limit::default() }),
            Act::ResetLimit("intake".to_owned()),
            Act::SetBackpressure(WatermarkChange::default()),
            Act::ResetBackpressure,
            Act::SetBulkhead(Participant::Erp, 7),
            Act::ResetBulkhead(Participant::Erp),
            Act::SetBreaker(Participant::Erp, SettingsChange::default()),
            Act::ResetBreakerSettings(Participant::Erp),
        ];
        for act in [BreakerAct::ForceOpen, BreakerAct::ForceClose, BreakerAct::HalfOpen, BreakerAct::Reset] {
            acts.push(Act::Breaker(Participant::Erp, act));
        }
        acts
    }

    #[test]
    fn what_undoes_an_act_is_about_the_same_thing_and_needs_no_undoing() {
        for act in every() {
            if let Some(undo) = act.undo() {
                assert_eq!((undo.slot(), undo.undo()), (act.slot(), None), "{act:?}");
            }
        }
    }

    #[test]
    fn domains_and_actions_are_tokens_of_a_subject() {
        for act in every() {
            assert!(Token::new(act.domain()).is_ok() && Token::new(act.action()).is_ok(), "{act:?}");
        }
    }

    #[test]
    fn the_audit_keeps_what_was_set_and_nothing_else() {
        let set = Act::SetLimit("intake".to_owned(), Limit { rate: Some(5), ..Limit::default() });
        assert_eq!(set.parameters().to_string(), r#"{"rate":5}"#);
        assert_eq!(Act::SetBulkhead(Participant::Erp, 7).parameters().to_string(), r#"{"max_in_flight":7}"#);
        let mut change = WatermarkChange::default();
        change.numbers[2] = Some(9_000);
        change.classes.insert("web".to_owned(), Class::High);
        let set = Act::SetBackpressure(change).parameters();
        assert_eq!(set.to_string(), r#"{"classes":{"web":"high"},"patience_normal_ms":9000}"#);
        let mut change = SettingsChange { in_flight: Some(9), ..SettingsChange::default() };
        change.numbers[2] = Some(40);
        let set = Act::SetBreaker(Participant::Erp, change);
        assert_eq!(set.parameters().to_string(), r#"{"error_percent":40,"max_in_flight":9}"#);
    }
}
