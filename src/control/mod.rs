//! What an operator changes while the server runs: each act is checked, written to the audit, done, written again, and taken back
//! when its time is over.
//!
//! Reading order: [`act`] (what can be done), [`entry`] (what the audit keeps of it), this file (the path of an act), then
//! [`trail`] and [`chain`] (writing and reading the audit), [`keys`] (the same request twice), [`overrides`] (what is set).

pub mod act;
pub mod chain;
pub mod counters;
pub mod entry;
pub mod keys;
pub mod knobs;
#[cfg(test)]
pub(crate) mod lever;
pub mod overrides;
pub mod pressure;
pub mod report;
pub mod scope;
pub mod trail;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actors::clock::SharedClock;
use bus::layout::Layout;
use bus::ports::{OpenError, SharedBus, Unavailable};
use domain::time::Timestamp;
use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{Mutex as Turn, Notify};

use act::Act;
use chain::{Part, Verdict};
use counters::Counters;
use entry::{Caller, Entry, Kind, rfc_3339};
use keys::Keys;
use knobs::{Knobs, Refusal};
use overrides::{Override, Overrides};
use pressure::BackpressureReport;
use report::{BreakerReport, FlowReport, OverrideReport};
use trail::{Trail, Unwritten};

/// How long an act waits for those before it.
const TURN_PATIENCE: Duration = Duration::from_secs(10);

/// Until what is owed to the audit is tried again.
const OWED_PAUSE: Duration = Duration::from_secs(1);

/// Until what could not be taken back is tried again, in milliseconds.
const REVERT_PAUSE_MS: i64 = 1_000;

/// How many acts are taken back at the same time.
const REVERTS_AT_ONCE: usize = 16;

/// A wish of an operator, checked as far as it can be without looking at the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// What shall be done.
    pub act: Act,
    /// Why.
    pub reason: String,
    /// After how many milliseconds it is taken back; none = by hand only.
    pub ttl_ms: Option<i64>,
}

/// How an act went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ActDone)]
pub struct Done {
    /// False: it was only tried out (`dry_run`).
    pub applied: bool,
    /// What was done.
    #[schema(example = "flow.pause")]
    pub action: String,
    /// To what.
    #[schema(example = "tenant:main")]
    pub target: String,
    /// When it is taken back by itself.
    pub until: Option<String>,
    /// How it was before.
    #[schema(value_type = Object)]
    pub before: Value,
    /// How it is now.
    #[schema(value_type = Object)]
    pub after: Value,
    /// Its entries in the audit.
    pub audit: Entries,
}

/// The entries of an act in the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
#[schema(as = ActAuditEntries)]
pub struct Entries {
    /// The sequence of the intent; none if it was only tried out.
    pub intent: Option<u64>,
    /// The sequence of the outcome; none while the stream does not take it: it is written as soon as it does.
    pub outcome: Option<u64>,
}

/// Why an act was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// It cannot be done as things are, so it was not begun.
    #[error(transparent)]
    Refused(Refusal),
    /// It was begun, and the node refused it.
    #[error(transparent)]
    RefusedAndWritten(Refusal),
    /// It cannot be written down, so it is not done.
    #[error(transparent)]
    Unwritten(#[from] Unwritten),
    /// Too many acts wait.
    #[error("other acts are at work, and did not end within {} s", TURN_PATIENCE.as_secs())]
    Busy,
}

/// The way of every act, and what is set because of one.
#[derive(Debug)]
pub struct Control {
    knobs: Arc<dyn Knobs>,
    bus: SharedBus,
    layout: Layout,
    clock: SharedClock,
    instance: String,
    number: AtomicU64,
    keys: Keys,
    /// One act at a time: what the audit says about before and after is true.
    trail: Turn<Trail>,
    set: Mutex<Overrides>,
    changed: Notify,
    counters: Counters,
}

/// The bounds of the controls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Idempotency keys that are kept.
    pub keys: usize,
    /// Milliseconds that one is kept.
    pub key_expiry_ms: i64,
}

impl Control {
    /// Turns `knobs`, and writes to the audit stream of `layout`. `instance` names this start of the server.
    pub fn new(
        knobs: Arc<dyn Knobs>,
        (bus, layout): (SharedBus, Layout),
        clock: SharedClock,
        instance: String,
        bounds: Bounds,
    ) -> Self {
        let trail = Turn::new(Trail::new(Arc::clone(&bus), layout.clone()));
        let keys = Keys::new(bounds.keys, bounds.key_expiry_ms);
        let (set, changed, counters) = (Mutex::default(), Notify::new(), Counters::default());
        Self {
            knobs,
            bus,
            layout,
            clock,
            instance,
            number: AtomicU64::new(1),
            keys,
            trail,
            set,
            changed,
            counters,
        }
    }

    /// The idempotency keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What is counted.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many entries are owed to the audit; none while an act is at work.
    pub fn owed(&self) -> Option<usize> {
        self.trail.try_lock().ok().map(|trail| trail.owed())
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Everything that is set.
    pub fn set(&self) -> Vec<Override> {
        self.locked().all().cloned().collect()
    }

    /// How the intake, its limits and the bulkheads are, and what is not as it is configured.
    ///
    /// # Errors
    /// The node cannot say it now.
    pub async fn flow(&self) -> Result<FlowReport, Refusal> {
        let set = self.set().into_iter().map(OverrideReport::from).collect();
        Ok(FlowReport { set, ..self.knobs.flow().await? })
    }

    /// Who holds whom back, and why.
    ///
    /// # Errors
    /// The node cannot say it now.
    pub async fn backpressure(&self) -> Result<BackpressureReport, Refusal> {
        self.knobs.backpressure().await
    }

    /// How the breakers are.
    ///
    /// # Errors
    /// The node cannot say it now.
    pub async fn breakers(&self) -> Result<Vec<BreakerReport>, Refusal> {
        self.knobs.breakers().await
    }

    /// Looks whether an act could be done, and does nothing.
    ///
    /// # Errors
    /// It could not be done.
    pub async fn try_out(&self, wish: &Wish) -> Result<Done, Refusal> {
        let before = self.look(&wish.act).await?;
        let until = self.until(wish).map(rfc_3339);
        let after = before.clone();
        Ok(Done { applied: false, until, before, after, audit: Entries::default(), ..Self::done(&wish.act) })
    }

    /// Does an act: intent, act, outcome. Let it run to its end even if nobody waits for the answer any more.
    ///
    /// # Errors
    /// It was not done.
    pub async fn act(&self, wish: &Wish, caller: &Caller) -> Result<Done, NotDone> {
        let outcome = self.act_once(wish, caller).await;
        match &outcome {
            Ok(_) => self.counters.applied.add_one(),
            Err(NotDone::Unwritten(_)) => self.counters.unwritten.add_one(),
            Err(NotDone::Refused(_) | NotDone::RefusedAndWritten(_) | NotDone::Busy) => {
                self.counters.refused.add_one();
            }
        }
        outcome
    }

    async fn act_once(&self, wish: &Wish, caller: &Caller) -> Result<Done, NotDone> {
        let turn = tokio::time::timeout(TURN_PATIENCE, self.trail.lock()).await;
        let mut trail = turn.map_err(|_| NotDone::Busy)?;
        let until = self.until(wish);
        let times = (self.now(), until);
        let intent = Entry::intent(self.id(), &self.instance, &wish.act, &wish.reason, times, caller);
        let before = match self.look(&wish.act).await {
            Ok(before) => before,
            Err(refusal) => {
                let mut refused = intent.followed_by(self.id(), Kind::Refused, self.now(), refusal.code());
                refused.intent.clone_from(&refused.id);
                if let Err(error) = trail.write(refused).await {
                    // Nothing was changed, so nothing is owed.
                    tracing::warn!(%error, target = wish.act.target(), "a refused act is not in the audit");
                }
                return Err(NotDone::Refused(refusal));
            }
        };
        if !trail.has_room() {
            trail.settle().await?;
        }
        let intent_sequence = trail.write(intent.clone()).await?;
        let turned = self.knobs.turn(&wish.act).await;
        let result = turned.as_ref().map_or_else(Refusal::code, |()| "applied");
        let after = self.after(&wish.act).await;
        if turned.is_ok() {
            self.locked().done(&wish.act, until, intent.clone());
            self.changed.notify_one();
        }
        let mut outcome = intent.followed_by(self.id(), Kind::Outcome, self.now(), result);
        (outcome.before, outcome.after) = (Some(before.clone()), Some(after.clone()));
        let outcome_sequence = trail.write_or_owe(outcome).await;
        tracing::info!(
            action = wish.act.action(),
            target = wish.act.target(),
            result,
            reason = wish.reason,
            request_id = caller.request_id,
            "an operator's act"
        );
        turned.map_err(NotDone::RefusedAndWritten)?;
        let audit = Entries { intent: Some(intent_sequence), outcome: outcome_sequence };
        let until = until.map(rfc_3339);
        Ok(Done { applied: true, until, before, after, audit, ..Self::done(&wish.act) })
    }

    /// Takes back what is due, and writes what is owed, until it is dropped.
    pub async fn keep_time(&self) {
        loop {
            let now = self.now();
            let due = self.locked().next_due();
            // While an act is at work, it may be about to owe its outcome.
            let owes = self.trail.try_lock().map_or(true, |trail| trail.owed() > 0);
            let until_due = due.map(|due| Duration::from_millis(due.ms_since(now).max(0).unsigned_abs()));
            let pause = if owes { Some(OWED_PAUSE.min(until_due.unwrap_or(OWED_PAUSE))) } else { until_due };
            tokio::select! {
                () = self.changed.notified() => {}
                () = sleep_or_forever(pause) => self.revert_due().await,
            }
        }
    }

    async fn revert_due(&self) {
        let mut trail = self.trail.lock().await;
        let due = self.locked().take_due(self.now());
        // It was said beforehand when each would end, so all end now, whether that can be written or not: nothing waits until the
        // audit has what stands before it.
        let turned = stream::iter(due).map(|due| async move { (self.knobs.turn(&due.undo).await, due) });
        let turned: Vec<_> = turned.buffered(REVERTS_AT_ONCE).collect().await;
        let mut is_taken = true;
        for (turned, Override { undo, intent, .. }) in turned {
            let result = turned.as_ref().map_or_else(Refusal::code, |()| "applied");
            if let Err(refusal) = &turned {
                tracing::error!(%refusal, target = undo.target(), "what was set for a time cannot be taken back");
                if matches!(refusal, Refusal::NotNow(_)) {
                    self.locked().again(undo, self.now().plus_ms(REVERT_PAUSE_MS), intent);
                    continue;
                }
            }
            let mut entry = intent.followed_by(self.id(), Kind::Reverted, self.now(), result);
            entry.after = Some(self.after(&undo).await);
            if is_taken {
                is_taken = trail.write_or_owe(entry).await.is_some();
            } else {
                trail.owe(entry);
            }
            self.counters.reverted.add_one();
            tracing::info!(
                action = undo.action(),
                target = undo.target(),
                result,
                "the time of an act is over"
            );
        }
        // An error says again what was logged when the entry was owed.
        let _ = trail.settle().await;
    }

    /// A part of the audit.
    ///
    /// # Errors
    /// The broker does not answer.
    pub async fn audit(&self, after: Option<u64>, most: u64) -> Result<Part, Unavailable> {
        chain::read(&*self.bus, &self.layout, after, most).await
    }

    /// Checks the whole audit.
    ///
    /// # Errors
    /// The broker does not answer, or the beginning is gone.
    pub async fn verify(&self) -> Result<Verdict, OpenError> {
        chain::verify(&*self.bus, &self.layout).await
    }

    async fn look(&self, act: &Act) -> Result<Value, Refusal> {
        let before = self.knobs.look(act).await?;
        if !self.locked().has_room(act) {
            let most = Overrides::MOST;
            return Err(Refusal::Conflict(format!("{most} things are set already; take some of them back")));
        }
        Ok(before)
    }

    /// How it is now; the act itself may not be possible a second time.
    async fn after(&self, act: &Act) -> Value {
        self.knobs.show(act).await.unwrap_or(Value::Null)
    }

    fn done(act: &Act) -> Done {
        Done {
            applied: false,
            action: format!("{}.{}", act.domain(), act.action()),
            target: act.target(),
            until: None,
            before: Value::Null,
            after: Value::Null,
            audit: Entries::default(),
        }
    }

    fn until(&self, wish: &Wish) -> Option<Timestamp> {
        wish.ttl_ms.map(|ttl| self.now().plus_ms(ttl))
    }

    fn id(&self) -> String {
        format!("{}-{}", self.instance, self.number.fetch_add(1, Ordering::Relaxed))
    }

    fn locked(&self) -> MutexGuard<'_, Overrides> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sleep_or_forever(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
