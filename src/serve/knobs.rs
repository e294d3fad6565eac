//! The running node as an operator turns it: what each act means for intake and participants.
//!
//! Everything is set without an end of its own: the control takes it back when its time is over, so that the audit has it.

use actors::ParticipantControl;
use actors::config::NodeConfig;
use actors::flow::watermarks::{Watermark, WatermarkChange};
use actors::node::flow::{Change, FlowControl, LimitName, LimitState, ThrottledPartition};
use actors::participant::control::{
    Act as GateAct, LimitChange, MOST_IN_FLIGHT, ParticipantStatus, SettingsChange,
};
use actors::participant::settings::{MOST_RATE as MOST_GATE_RATE, ParticipantSettings};
use async_trait::async_trait;
use domain::decider::Participant;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::pressure;
use super::words::{
    at_least_zero, breaker, breaker_settings, check_intake, intake_limit, intake_scope, mode, scope_text,
    setting, steering, within, word,
};
use crate::control::act::{Act, BreakerAct, Limit};
use crate::control::knobs::{Knobs, Refusal};
use crate::control::pressure::BackpressureReport;
use crate::control::report::{BreakerReport, BulkheadReport, FlowReport, LimitReport, Numbers, Refused};
use crate::control::scope::Scope;

/// What the names of participants' limits begin with.
const PARTICIPANT: &str = "participant:";

/// Intake and participants of one node.
#[derive(Debug)]
pub(super) struct NodeKnobs {
    flow: FlowControl,
    participants: ParticipantControl,
    config: NodeConfig,
    partitions: u16,
    /// Limit and bulkhead of a participant are changed in two steps, and several may be taken back at the same time.
    limits: Mutex<()>,
}

impl NodeKnobs {
    pub(super) fn new(
        flow: FlowControl,
        participants: ParticipantControl,
        config: NodeConfig,
        partitions: u16,
    ) -> Self {
        Self { flow, participants, config, partitions, limits: Mutex::default() }
    }

    async fn statuses(&self) -> Result<Vec<ParticipantStatus>, Refusal> {
        self.participants.status().await.map_err(steering)
    }

    async fn status(&self, system: Participant) -> Result<ParticipantStatus, Refusal> {
        let found = self.statuses().await?.into_iter().find(|status| status.participant == system);
        Ok(found.expect("every participant has a gate"))
    }

    async fn steer(&self, system: Participant, act: GateAct) -> Result<(), Refusal> {
        self.participants.steer(system, act).await.map(drop).map_err(steering)
    }

    /// Sets some limits of a participant on their own, and leaves the others as they are.
    async fn change_limits(
        &self,
        system: Participant,
        change: impl FnOnce(&mut LimitChange),
    ) -> Result<(), Refusal> {
        let _turn = self.limits.lock().await;
        let mut limits = self.status(system).await?.limits_set;
        change(&mut limits);
        let act = if limits == LimitChange::default() {
            GateAct::ResetLimits
        } else {
            GateAct::Limit { change: limits, ttl_ms: None }
        };
        self.steer(system, act).await
    }

    async fn set_limit(&self, name: &str, limit: Limit) -> Result<(), Refusal> {
        if let Some(system) = self.gate_of_limit(name)? {
            let number = |given: Option<u64>| given.and_then(|given| u32::try_from(given).ok());
            let change = |limits: &mut LimitChange| {
                limits.rate_per_second = number(limit.rate).or(limits.rate_per_second);
                limits.burst = number(limit.burst).or(limits.burst);
            };
            return self.change_limits(system, change).await;
        }
        let change = Change { rate: limit.rate, burst: limit.burst, cap: limit.cap };
        let name = self.intake_limit(name)?.name;
        self.flow.set_limit(&name, change, None).map(drop).map_err(setting)
    }

    async fn reset_limit(&self, name: &str) -> Result<(), Refusal> {
        if let Some(system) = self.gate_of_limit(name)? {
            let change = |limits: &mut LimitChange| (limits.rate_per_second, limits.burst) = (None, None);
            return self.change_limits(system, change).await;
        }
        let name = self.intake_limit(name)?.name;
        self.flow.clear_limit(&name).map(drop).map_err(setting)
    }

    fn limit_of_participant(&self, status: &ParticipantStatus) -> LimitReport {
        let settings = self.config.participants.of(status.participant);
        let numbers =
            |rate: u32, burst: u32| Numbers { rate: Some(rate.into()), burst: Some(burst.into()), cap: None };
        LimitReport {
            name: format!("{PARTICIPANT}{}", status.participant.as_str()),
            unit: "commands".to_owned(),
            configured: numbers(settings.rate_per_second, settings.burst),
            effective: numbers(status.rate_per_second, status.burst),
            used: None,
        }
    }

    fn bulkhead(&self, status: &ParticipantStatus) -> BulkheadReport {
        BulkheadReport {
            system: status.participant.as_str().to_owned(),
            configured: (*self.config.in_flight_commands.of(status.participant)).into(),
            effective: status.in_flight_limit.into(),
            in_flight: at_least_zero(status.in_flight),
            waiting: at_least_zero(status.waiting),
        }
    }

    fn intake_limit(&self, name: &str) -> Result<LimitState, Refusal> {
        let parsed: LimitName = name.parse().map_err(|_| self.unknown_limit(name))?;
        self.flow.limit(&parsed).map_err(|_| self.unknown_limit(name))
    }

    fn unknown_limit(&self, name: &str) -> Refusal {
        let intake = self.flow.limits().into_iter().map(|limit| limit.name.to_string());
        let gates = Participant::ALL.iter().map(|system| format!("{PARTICIPANT}{}", system.as_str()));
        let known = intake.chain(gates).collect::<Vec<_>>().join(", ");
        Refusal::Unknown { what: format!("limit {name:?}"), known }
    }

    fn gate_of_limit(&self, name: &str) -> Result<Option<Participant>, Refusal> {
        let Some(system) = name.strip_prefix(PARTICIPANT) else { return Ok(None) };
        let found = Participant::ALL.into_iter().find(|known| known.as_str() == system);
        found.map(Some).ok_or_else(|| self.unknown_limit(name))
    }

    /// Is something of exactly this scope paused?
    fn is_paused(&self, scope: &Scope) -> bool {
        let scope = intake_scope(scope);
        self.flow.state().pauses.iter().any(|pause| pause.scope == scope)
    }

    async fn check(&self, act: &Act) -> Result<(), Refusal> {
        match act {
            Act::Pause(Scope::Partition(number)) if *number >= self.partitions => Err(Refusal::Unknown {
                what: format!("partition {number}"),
                known: format!("0 to {}", self.partitions - 1),
            }),
            Act::Resume(scope) if !self.is_paused(scope) => {
                let paused = self.paused().join(", ");
                let paused = if paused.is_empty() { "nothing".to_owned() } else { paused };
                Err(Refusal::Conflict(format!("{scope} is not paused; paused is {paused}")))
            }
            Act::Undrain if !self.flow.is_draining() => {
                Err(Refusal::Conflict("the node is not drained by anybody".to_owned()))
            }
            Act::SetLimit(name, limit) => match self.gate_of_limit(name)? {
                Some(system) => self.check_rate(system, *limit).await,
                None => check_intake(&self.intake_limit(name)?, *limit),
            },
            Act::SetBackpressure(change) => self.check_watermarks(change),
            Act::SetBulkhead(_, most) => within("max_in_flight", (*most).into(), 1, MOST_IN_FLIGHT.into()),
            Act::SetBreaker(system, change) => self.check_settings(*system, *change).await,
            _ => Ok(()),
        }
    }

    /// Ranges are told where the fields are read; what fits depends on what is in force.
    fn check_watermarks(&self, change: &WatermarkChange) -> Result<(), Refusal> {
        if let Some((key, value, remedy)) = change.problems().into_iter().next() {
            return Err(Refusal::Invalid(format!("{key} = {value}: {remedy}")));
        }
        let Some(least) = change.numbers[Watermark::LiveOrdersLeast as usize] else { return Ok(()) };
        let limit = self.flow.limit(&LimitName::Orders).map_err(setting)?.effective.cap;
        if least <= limit {
            return Ok(());
        }
        let remedy = format!("must be at most {limit}, the limit orders: set that higher first");
        Err(Refusal::Value { field: "live_orders_least", value: least.into(), remedy })
    }

    async fn check_rate(&self, system: Participant, limit: Limit) -> Result<(), Refusal> {
        if let Some(cap) = limit.cap {
            let remedy = "a participant's limit has rate and burst; its cap is its bulkhead".to_owned();
            return Err(Refusal::Value { field: "cap", value: cap.into(), remedy });
        }
        let status = self.status(system).await?;
        for (field, value) in [("rate", limit.rate), ("burst", limit.burst)] {
            within(field, value.unwrap_or(1), 1, MOST_GATE_RATE.into())?;
        }
        let or =
            |given: Option<u64>, now: u32| given.and_then(|given| u32::try_from(given).ok()).unwrap_or(now);
        let settings = ParticipantSettings {
            rate_per_second: or(limit.rate, status.rate_per_second),
            burst: or(limit.burst, status.burst),
            ..status.settings
        };
        fits(&settings)
    }

    async fn check_settings(&self, system: Participant, change: SettingsChange) -> Result<(), Refusal> {
        if let Some(most) = change.in_flight {
            within("max_in_flight", most.into(), 1, MOST_IN_FLIGHT.into())?;
        }
        let [rate, burst, ..] = change.numbers;
        let set = self.status(system).await?.limits_set;
        let goes_before = |what: String| {
            Refusal::Conflict(format!("{what} is set on its own and goes before this: take it back first"))
        };
        if (rate.is_some() && set.rate_per_second.is_some()) || (burst.is_some() && set.burst.is_some()) {
            return Err(goes_before(format!("the limit {PARTICIPANT}{}", system.as_str())));
        }
        if change.in_flight.is_some() && set.in_flight.is_some() {
            return Err(goes_before(format!("the bulkhead {}", system.as_str())));
        }
        let settings = self.config.participants.of(system).with(change.numbers);
        fits(&settings)?;
        fits(&ParticipantSettings {
            rate_per_second: set.rate_per_second.unwrap_or(settings.rate_per_second),
            burst: set.burst.unwrap_or(settings.burst),
            ..settings
        })
    }

    fn paused(&self) -> Vec<String> {
        self.flow.state().pauses.iter().map(|pause| scope_text(&pause.scope)).collect()
    }
}

fn fits(settings: &ParticipantSettings) -> Result<(), Refusal> {
    let problems = settings.problems();
    if problems.is_empty() { Ok(()) } else { Err(Refusal::Invalid(problems.join("; "))) }
}

#[async_trait]
impl Knobs for NodeKnobs {
    async fn show(&self, act: &Act) -> Result<Value, Refusal> {
        Ok(match act {
            Act::Pause(_) | Act::Resume(_) => json!({ "paused": self.paused() }),
            Act::Drain | Act::Undrain => {
                let state = self.flow.state();
                json!({ "mode": mode(state.mode), "uncommitted_orders": state.uncommitted_orders })
            }
            Act::SetLimit(name, _) | Act::ResetLimit(name) => match self.gate_of_limit(name)? {
                Some(system) => json!(self.limit_of_participant(&self.status(system).await?)),
                None => json!(intake_limit(&self.intake_limit(name)?)),
            },
            Act::SetBackpressure(_) | Act::ResetBackpressure => {
                json!(pressure::shown(&self.flow.watermarks()))
            }
            Act::SetBulkhead(system, _) | Act::ResetBulkhead(system) => {
                json!(self.bulkhead(&self.status(*system).await?))
            }
            Act::Breaker(system, _) => json!(breaker(&self.status(*system).await?)),
            Act::SetBreaker(system, _) | Act::ResetBreakerSettings(system) => {
                json!(breaker_settings(&self.status(*system).await?))
            }
        })
    }

    async fn look(&self, act: &Act) -> Result<Value, Refusal> {
        self.check(act).await?;
        self.show(act).await
    }

    async fn flow(&self) -> Result<FlowReport, Refusal> {
        let (state, statuses) = (self.flow.state(), self.statuses().await?);
        let throttled = |it: &ThrottledPartition| format!("partition {}: {}", it.partition, word(&it.reason));
        let limits = state.limits.iter().map(intake_limit);
        Ok(FlowReport {
            mode: mode(state.mode),
            paused: state.pauses.iter().map(|pause| scope_text(&pause.scope)).collect(),
            throttled_by: state.throttles.iter().map(throttled).collect(),
            uncommitted_orders: state.uncommitted_orders,
            uncommitted_most: state.uncommitted_most,
            memory_bytes: state.resident_bytes,
            intake_waiting: state.intake_lag,
            queued_orders: state.queued_orders,
            queue_delay_ms: state.queue_delay_ms,
            answer_delay_ms: state.answer_delay_ms,
            refused: Refused {
                quota: state.refused.quota,
                overload: state.refused.overload,
                paused: state.refused.paused,
            },
            limits: limits.chain(statuses.iter().map(|status| self.limit_of_participant(status))).collect(),
            bulkheads: statuses.iter().map(|status| self.bulkhead(status)).collect(),
            set: Vec::new(),
        })
    }

    async fn backpressure(&self) -> Result<BackpressureReport, Refusal> {
        let (node, statuses) = (self.flow.backpressure(), self.statuses().await?);
        Ok(pressure::report(&node, &statuses, &self.flow.watermarks()))
    }

    async fn breakers(&self) -> Result<Vec<BreakerReport>, Refusal> {
        Ok(self.statuses().await?.iter().map(breaker).collect())
    }

    async fn turn(&self, act: &Act) -> Result<(), Refusal> {
        match act {
            Act::Pause(scope) => self.flow.pause(intake_scope(scope), None).map_err(setting),
            // What is not paused any more is as it is wanted.
            Act::Resume(scope) => {
                let _was_paused = self.flow.resume(&intake_scope(scope));
                Ok(())
            }
            Act::Drain => self.flow.drain(None).map_err(setting),
            Act::Undrain => {
                let _was_draining = self.flow.undrain();
                Ok(())
            }
            Act::SetLimit(name, limit) => self.set_limit(name, *limit).await,
            Act::ResetLimit(name) => self.reset_limit(name).await,
            Act::SetBackpressure(change) => {
                self.flow.set_watermarks(change.clone(), None).map(drop).map_err(setting)
            }
            Act::ResetBackpressure => {
                let _was_set = self.flow.clear_watermarks();
                Ok(())
            }
            Act::SetBulkhead(system, most) => {
                self.change_limits(*system, |limits| limits.in_flight = Some(*most)).await
            }
            Act::ResetBulkhead(system) => self.change_limits(*system, |limits| limits.in_flight = None).await,
            Act::Breaker(system, act) => {
                let act = match act {
                    BreakerAct::ForceOpen => GateAct::ForceOpen { ttl_ms: None },
                    BreakerAct::ForceClose => GateAct::ForceClose { ttl_ms: None },
                    BreakerAct::HalfOpen => GateAct::HalfOpen,
                    BreakerAct::Reset => GateAct::Reset,
                };
                self.steer(*system, act).await
            }
            Act::SetBreaker(system, change) => {
                self.steer(*system, GateAct::Set { change: *change, ttl_ms: None }).await
            }
            Act::ResetBreakerSettings(system) => self.steer(*system, GateAct::ResetSettings).await,
        }
    }
}
