//! The faulty bus as a [`Bus`].

use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::sleep;

use super::plan::{Dice, FaultPlan, Faults};
use super::reader::{FaultyReader, FaultySubscription};
use super::step::Step;
use crate::ports::{
    Bus, Expect, OpenError, Outgoing, Position, Reader, Request, SharedBus, StoreOutcome, Stored,
    StreamBounds, Subscription, Unavailable,
};

/// A bus on which things go wrong as planned. Clones are handles to the same one.
///
/// At its crash it is dead for good: calls that wait never come back, [`Bus::send`] says false, and [`FaultyBus::crashed`]
/// comes back. The bus inside lives on, so a test drops the node and starts another one on a new faulty bus around it.
#[derive(Debug, Clone)]
pub struct FaultyBus {
    pub(super) inner: SharedBus,
    pub(super) state: Arc<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) plan: FaultPlan,
    luck: Mutex<Luck>,
    steps_left: AtomicU32,
    dead: watch::Sender<bool>,
}

#[derive(Debug)]
pub(super) struct Luck {
    pub(super) dice: Dice,
    pub(super) faults: Faults,
    overtaken: Option<Outgoing>,
}

impl State {
    pub(super) fn luck(&self) -> MutexGuard<'_, Luck> {
        self.luck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_dead(&self) -> bool {
        *self.dead.borrow()
    }

    /// Never comes back once the bus is dead.
    pub(super) async fn alive(&self) {
        if self.is_dead() {
            pending::<()>().await;
        }
    }

    /// Dies if the crash is planned for this very step.
    pub(super) fn pass(&self, step: Option<Step>) {
        let (Some(step), Some(crash)) = (step, self.plan.crash) else { return };
        if crash.step == step && self.steps_left.fetch_sub(1, Ordering::AcqRel) == 1 {
            tracing::info!(?crash, "the node dies here");
            self.dead.send_replace(true);
        }
    }

    /// Waits if the dice say so.
    pub(super) async fn perhaps_wait(&self) {
        let delay = {
            let mut luck = self.luck();
            luck.dice.hits(self.plan.delays).then(|| {
                luck.faults.delays += 1;
                luck.dice.delay(self.plan.longest_delay)
            })
        };
        if let Some(delay) = delay {
            sleep(delay).await;
        }
    }

    fn perhaps_fails(&self, what: &str) -> Result<(), Unavailable> {
        let mut luck = self.luck();
        if luck.dice.hits(self.plan.failed_reads) {
            luck.faults.failed_reads += 1;
            return Err(Unavailable { what: what.to_owned(), cause: "planned fault".to_owned() });
        }
        Ok(())
    }
}

/// How an attempt to store goes.
enum Fate {
    Good,
    AckLost,
    Refused,
    Late(Duration),
}

impl FaultyBus {
    /// Wraps `inner`.
    pub fn new(inner: SharedBus, plan: FaultPlan) -> Self {
        let state = State {
            plan,
            luck: Mutex::new(Luck { dice: Dice::new(plan.seed), faults: Faults::default(), overtaken: None }),
            // A crash at the 0th step is a crash at none: the counter wraps around and never comes back to one.
            steps_left: AtomicU32::new(plan.crash.map_or(0, |crash| crash.nth)),
            dead: watch::Sender::new(false),
        };
        Self { inner, state: Arc::new(state) }
    }

    /// Comes back once the bus is dead.
    pub async fn crashed(&self) {
        let mut dead = self.state.dead.subscribe();
        // The sender lives as long as this handle, so there is no other way out.
        let _ = dead.wait_for(|dead| *dead).await;
    }

    /// Is it dead?
    pub fn is_crashed(&self) -> bool {
        self.state.is_dead()
    }

    /// Kills it now.
    pub fn crash_now(&self) {
        self.state.dead.send_replace(true);
    }

    /// How often what went wrong until now.
    pub fn faults(&self) -> Faults {
        self.state.luck().faults
    }

    fn fate(&self) -> Fate {
        let plan = &self.state.plan;
        let mut luck = self.state.luck();
        if luck.dice.hits(plan.lost_acks) {
            luck.faults.lost_acks += 1;
            Fate::AckLost
        } else if luck.dice.hits(plan.refused_stores) {
            luck.faults.refused_stores += 1;
            Fate::Refused
        } else if luck.dice.hits(plan.late_stores) {
            luck.faults.late_stores += 1;
            Fate::Late(luck.dice.delay(plan.longest_delay))
        } else {
            Fate::Good
        }
    }

    /// An attempt to store, with luck, between its two steps.
    async fn attempt(
        &self,
        (before, after): (Option<Step>, Option<Step>),
        store: impl Future<Output = StoreOutcome> + Send + 'static,
    ) -> StoreOutcome {
        self.state.pass(before);
        self.state.alive().await;
        self.state.perhaps_wait().await;
        self.state.alive().await;
        let unknown = || StoreOutcome::Unknown("planned fault".to_owned());
        let outcome = match self.fate() {
            Fate::Good => store.await,
            Fate::AckLost => {
                store.await;
                unknown()
            }
            Fate::Refused => unknown(),
            Fate::Late(delay) => {
                drop(tokio::spawn(async move {
                    sleep(delay).await;
                    store.await;
                }));
                unknown()
            }
        };
        self.state.pass(after);
        self.state.perhaps_wait().await;
        self.state.alive().await;
        outcome
    }

    /// Sends later, from its own task. What was on its way at a crash still arrives, as on a network.
    fn send_after(&self, delay: Duration, message: Outgoing) {
        let inner = self.inner.clone();
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move {
                sleep(delay).await;
                inner.send(message);
            })),
            Err(_) => drop(inner.send(message)),
        }
    }

    /// Holds a message back until the next one has passed, or until the longest delay is over.
    fn hold_back(&self, message: Outgoing) {
        self.state.luck().overtaken = Some(message);
        let faulty = self.clone();
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(async move {
                sleep(faulty.state.plan.longest_delay).await;
                faulty.release();
            }));
        } else {
            self.release();
        }
    }

    fn release(&self) {
        let held = self.state.luck().overtaken.take();
        if let Some(message) = held {
            self.inner.send(message);
        }
    }

    fn send_with_luck(&self, message: Outgoing) -> bool {
        let plan = self.state.plan;
        let mut luck = self.state.luck();
        if luck.dice.hits(plan.dropped_sends) {
            luck.faults.dropped_sends += 1;
            return true;
        }
        if luck.dice.hits(plan.reordered_sends) && luck.overtaken.is_none() {
            luck.faults.reordered_sends += 1;
            drop(luck);
            self.hold_back(message);
            return true;
        }
        let twice = luck.dice.hits(plan.duplicated_sends);
        luck.faults.duplicated_sends += u64::from(twice);
        let delayed = luck.dice.hits(plan.delays);
        luck.faults.delays += u64::from(delayed);
        let delay = luck.dice.delay(plan.longest_delay);
        drop(luck);
        if twice {
            self.send_after(delay, message.clone());
        }
        let sent = if delayed {
            self.send_after(delay, message);
            true
        } else {
            self.inner.send(message)
        };
        self.release();
        sent
    }
}

#[async_trait]
impl Bus for FaultyBus {
    async fn store(&self, message: Outgoing, expect: Expect) -> StoreOutcome {
        let steps = Step::around(&message.subject);
        let inner = self.inner.clone();
        self.attempt(steps, async move { inner.store(message, expect).await }).await
    }

    async fn store_batch(&self, messages: Vec<Outgoing>, expect: Expect) -> StoreOutcome {
        let steps = messages.first().map_or((None, None), |first| Step::around(&first.subject));
        let inner = self.inner.clone();
        self.attempt(steps, async move { inner.store_batch(messages, expect).await }).await
    }

    fn send(&self, message: Outgoing) -> bool {
        let (before, after) = Step::around(&message.subject);
        self.state.pass(before);
        if self.state.is_dead() {
            return false;
        }
        let sent = self.send_with_luck(message);
        self.state.pass(after);
        sent
    }

    async fn open(
        &self,
        stream: &str,
        filter: Option<&str>,
        position: Position,
    ) -> Result<Box<dyn Reader>, OpenError> {
        self.state.alive().await;
        self.state.perhaps_fails("open")?;
        let inner = self.inner.open(stream, filter, position).await?;
        Ok(Box::new(FaultyReader::new(inner, self.state.clone(), Step::reading(stream))))
    }

    async fn get(&self, stream: &str, sequence: u64) -> Result<Option<Stored>, Unavailable> {
        self.state.alive().await;
        self.state.perhaps_fails("get")?;
        let stored = self.inner.get(stream, sequence).await;
        self.state.pass(Step::reading(stream));
        self.state.alive().await;
        stored
    }

    async fn last_on_subject(&self, stream: &str, subject: &str) -> Result<Option<Stored>, Unavailable> {
        self.state.alive().await;
        self.state.perhaps_fails("last on subject")?;
        self.inner.last_on_subject(stream, subject).await
    }

    async fn bounds(&self, stream: &str) -> Result<StreamBounds, Unavailable> {
        self.state.alive().await;
        self.state.perhaps_fails("bounds")?;
        self.inner.bounds(stream).await
    }

    async fn missing_after(&self, stream: &str, sequence: u64) -> Result<u64, Unavailable> {
        self.state.alive().await;
        self.state.perhaps_fails("missing after")?;
        self.inner.missing_after(stream, sequence).await
    }

    async fn count_between(
        &self,
        stream: &str,
        filter: &str,
        after: u64,
        through: u64,
    ) -> Result<u64, Unavailable> {
        self.state.alive().await;
        self.state.perhaps_fails("count between")?;
        self.inner.count_between(stream, filter, after, through).await
    }

    async fn purge_below(&self, stream: &str, sequence: u64) -> Result<(), Unavailable> {
        self.state.alive().await;
        self.state.perhaps_fails("purge")?;
        self.state.pass(Some(Step::BeforePurge));
        self.state.alive().await;
        let purged = self.inner.purge_below(stream, sequence).await;
        self.state.pass(Some(Step::AfterPurge));
        self.state.alive().await;
        purged
    }

    async fn purge_filtered(&self, stream: &str, filter: &str, sequence: u64) -> Result<(), Unavailable> {
        self.state.alive().await;
        self.state.perhaps_fails("purge")?;
        self.state.pass(Some(Step::BeforePurge));
        self.state.alive().await;
        let purged = self.inner.purge_filtered(stream, filter, sequence).await;
        self.state.pass(Some(Step::AfterPurge));
        self.state.alive().await;
        purged
    }

    async fn subscribe(&self, subject: &str) -> Result<Box<dyn Subscription>, Unavailable> {
        self.state.alive().await;
        let inner = self.inner.subscribe(subject).await?;
        Ok(Box::new(FaultySubscription::new(inner, self.state.clone())))
    }

    async fn request(&self, message: Outgoing, patience: Duration) -> Result<Request, Unavailable> {
        self.state.alive().await;
        self.state.perhaps_wait().await;
        let answer = self.inner.request(message, patience).await;
        self.state.alive().await;
        answer
    }

    fn connected(&self) -> bool {
        !self.state.is_dead() && self.inner.connected()
    }

    fn losses(&self) -> u64 {
        self.inner.losses()
    }
}
