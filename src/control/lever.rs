//! Knobs for tests: turned by hand, and they remember it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use actors::participant::control::SettingsChange;
use actors::participant::settings::ParticipantSettings;
use async_trait::async_trait;
use bus::memory::MemoryBus;
use bus::ports::Bus;
use domain::decider::Participant;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::act::{Act, BreakerAct};
use super::knobs::{Knobs, Refusal};
use super::pressure::{BackpressureReport, MemoryReport, OrdersReport, WatermarksReport};
use super::report::{
    BreakerReport, BreakerSettings, BulkheadReport, FlowReport, LimitReport, Mode, Numbers, Refused,
};

/// Remembers what was done to it, and how long the audit was at that moment.
#[derive(Debug)]
pub(crate) struct Lever {
    bus: MemoryBus,
    pub(crate) paused: AtomicBool,
    pub(crate) audit_at_turn: AtomicU64,
    pub(crate) turned: Mutex<Vec<Act>>,
    pub(crate) refuses: Mutex<Option<Refusal>>,
    /// An act waits here; without permits it does not end.
    pub(crate) ends: Arc<Semaphore>,
}

impl Lever {
    pub(crate) fn new(bus: MemoryBus) -> Self {
        Self {
            bus,
            paused: AtomicBool::new(false),
            audit_at_turn: AtomicU64::new(0),
            turned: Mutex::default(),
            refuses: Mutex::default(),
            ends: Arc::new(Semaphore::new(1)),
        }
    }

    fn breaker(&self, system: Participant) -> BreakerReport {
        let last = self.turned.lock().unwrap().iter().rev().find_map(|act| match act {
            Act::Breaker(of, act) if *of == system => Some(*act),
            _ => None,
        });
        let forced = match last {
            Some(BreakerAct::ForceOpen) => Some("open".to_owned()),
            Some(BreakerAct::ForceClose) => Some("closed".to_owned()),
            _ => None,
        };
        BreakerReport {
            system: system.as_str().to_owned(),
            state: forced.clone().unwrap_or_else(|| "closed".to_owned()),
            since: "1970-01-01T00:00:00.000Z".to_owned(),
            forced,
            outcomes: 0,
            error_percent: 0,
            slow_percent: 0,
            in_flight: 0,
            waiting: 0,
            waiting_urgent: 0,
            settings: self.settings(system),
            settings_changed: false,
        }
    }

    fn settings(&self, system: Participant) -> BreakerSettings {
        let last = self.turned.lock().unwrap().iter().rev().find_map(|act| match act {
            Act::SetBreaker(of, change) if *of == system => Some(*change),
            Act::ResetBreakerSettings(of) if *of == system => Some(SettingsChange::default()),
            _ => None,
        });
        let change = last.unwrap_or_default();
        BreakerSettings::of(
            &ParticipantSettings::default().with(change.numbers),
            change.in_flight.unwrap_or(10),
        )
    }
}

fn limit(name: &str) -> Result<LimitReport, Refusal> {
    if name != "rate" {
        return Err(Refusal::Unknown { what: format!("limit {name:?}"), known: "rate".to_owned() });
    }
    let numbers = Numbers { rate: Some(500), burst: Some(1_000), cap: None };
    let unit = "orders".to_owned();
    Ok(LimitReport { name: name.to_owned(), unit, configured: numbers, effective: numbers, used: None })
}

#[async_trait]
impl Knobs for Lever {
    async fn look(&self, act: &Act) -> Result<Value, Refusal> {
        self.show(act).await
    }

    async fn show(&self, act: &Act) -> Result<Value, Refusal> {
        match act {
            Act::SetLimit(name, _) | Act::ResetLimit(name) => Ok(json!(limit(name)?)),
            Act::Breaker(system, _) => Ok(json!(self.breaker(*system))),
            Act::SetBreaker(system, _) | Act::ResetBreakerSettings(system) => {
                Ok(json!(self.settings(*system)))
            }
            _ => Ok(json!({ "paused": self.paused.load(Ordering::SeqCst) })),
        }
    }

    async fn flow(&self) -> Result<FlowReport, Refusal> {
        let paused = self.paused.load(Ordering::SeqCst);
        let bulkhead = |system: Participant| BulkheadReport {
            system: system.as_str().to_owned(),
            configured: 10,
            effective: 10,
            in_flight: 3,
            waiting: 0,
        };
        Ok(FlowReport {
            mode: if paused { Mode::Paused } else { Mode::Open },
            paused: if paused { vec!["all".to_owned()] } else { Vec::new() },
            throttled_by: Vec::new(),
            uncommitted_orders: 7,
            uncommitted_most: 50_000,
            memory_bytes: 1,
            intake_waiting: 0,
            queued_orders: 0,
            queue_delay_ms: 0,
            answer_delay_ms: 0,
            refused: Refused::default(),
            limits: vec![limit("rate")?],
            bulkheads: Participant::ALL.map(bulkhead).to_vec(),
            set: Vec::new(),
        })
    }

    async fn backpressure(&self) -> Result<BackpressureReport, Refusal> {
        Ok(BackpressureReport {
            held: Vec::new(),
            lanes: Vec::new(),
            lists: Vec::new(),
            orders: OrdersReport { uncommitted: 7, most: 50_000, limit: 50_000, lowered_by: None },
            memory: MemoryReport { resident: 1, slows_at: 0, stops_at: 0, state: "enough".to_owned() },
            gives_way: Vec::new(),
            watermarks: WatermarksReport::default(),
        })
    }

    async fn breakers(&self) -> Result<Vec<BreakerReport>, Refusal> {
        Ok(Participant::ALL.map(|system| self.breaker(system)).to_vec())
    }

    async fn turn(&self, act: &Act) -> Result<(), Refusal> {
        if self.bus.connected() {
            let last = self.bus.bounds("RETAIL_AUDIT").await.unwrap().last;
            self.audit_at_turn.store(last, Ordering::SeqCst);
        }
        let _end = self.ends.acquire().await.unwrap();
        if let Some(refusal) = self.refuses.lock().unwrap().clone() {
            return Err(refusal);
        }
        match act {
            Act::Pause(_) => self.paused.store(true, Ordering::SeqCst),
            Act::Resume(_) => self.paused.store(false, Ordering::SeqCst),
            _ => {}
        }
        self.turned.lock().unwrap().push(act.clone());
        Ok(())
    }
}
