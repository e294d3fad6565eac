//! What all partitions of a node share about their intake: counts, the bound as it is now, the rules, and who is told of changes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::time::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::limits::{FlowConfig, LimitName, MOST_NAME_BYTES, Quota, Scope, Setting, is_name};
use super::meter::RuntimeTime;
use super::policy::{Pace, Pressure, reopens_at};
use super::rules::{Pause, Rules, Sources};
use crate::metrics::Metrics;

/// The most pauses at a time.
const MOST_PAUSES: usize = 64;
/// The longest time after which a change may revert by itself.
const LONGEST: Duration = Duration::from_hours(7 * 24);
/// What may still come into memory once nothing is begun any more, for each partition: what the reader of the intake has asked
/// for, and the herald that then reads ahead of it, 2 MiB each. Not more than half of a budget: many partitions need a large one.
const READ_AHEAD_BYTES: u64 = 4 * 1024 * 1024;
/// Between two steps of the bound: short enough that a standing queue of answers is noticed before it grows long, long enough
/// to see more than one of them.
const STEP_MS: i64 = 100;

/// Why a limit or a pause cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no such limit, tenant, channel or partition.
    #[error("{0}")]
    Unknown(String),
    /// A number, a name or a time is not allowed.
    #[error("{0}")]
    OutOfBounds(String),
}

/// What is changed of a limit; what is none stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Change {
    /// Orders a second; 0 = as many as come.
    pub rate: Option<u64>,
    /// Orders at once.
    pub burst: Option<u64>,
    /// Orders or bytes.
    pub cap: Option<u64>,
}

/// Somebody drains the node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drain {
    /// When that ends by itself.
    until: Option<Instant>,
}

/// What somebody has set while the node runs.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) pauses: Vec<Pause>,
    pub(crate) drain: Option<Drain>,
    pub(crate) overrides: BTreeMap<LimitName, (Setting, Option<Instant>)>,
}

/// What one partition says of its intake.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// When the broker stored what waits longest in memory to be begun, in milliseconds since 1970; 0 = nothing waits.
    pub(crate) head_stored_at: AtomicI64,
    /// How long the quickest answer waited for us since the last step; `u64::MAX` = there was none.
    pub(crate) answer_delay_ms: AtomicU64,
    /// All new work that the broker stored before this was taken, in milliseconds since 1970.
    pub(crate) reached: AtomicI64,
    /// How many orders are known to queue, beside those in memory.
    pub(crate) queued: AtomicU64,
    /// Why nothing is begun; 0 = something is, else one more than the place of the reason.
    pub(crate) throttle: AtomicU64,
}

/// The intake of a node.
#[derive(Debug)]
pub(crate) struct Flow {
    config: FlowConfig,
    metrics: Arc<Metrics>,
    figures: Vec<Figures>,
    time: RuntimeTime,
    /// The bound on live orders as it is now.
    cap: AtomicU64,
    /// The bound was reached; see [`reopens_at`].
    is_full: AtomicBool,
    pressure: Mutex<Pressure>,
    is_out_of_memory: AtomicBool,
    /// When the bound moved last, in milliseconds since 1970.
    stepped_at: AtomicI64,
    /// Up to when somebody wants to know that all new work was taken.
    wanted: AtomicI64,
    /// The last answer delay that was looked at.
    answer_delay_ms: AtomicU64,
    settings: Mutex<Settings>,
    rules: Mutex<Arc<Rules>>,
    /// Counts the rules, so that nobody needs the lock to see that they are the same.
    version: AtomicU64,
    changed: watch::Sender<u64>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Flow {
    /// An intake as it is configured.
    pub(crate) fn new(config: &FlowConfig, partitions: u16, metrics: Arc<Metrics>) -> Self {
        let figures = || Figures { answer_delay_ms: AtomicU64::new(u64::MAX), ..Figures::default() };
        let flow = Self {
            config: config.clone(),
            metrics,
            figures: (0..partitions).map(|_| figures()).collect(),
            time: RuntimeTime::new(),
            cap: AtomicU64::new(config.live_orders),
            is_full: AtomicBool::new(false),
            pressure: Mutex::default(),
            is_out_of_memory: AtomicBool::new(false),
            stepped_at: AtomicI64::new(0),
            wanted: AtomicI64::new(0),
            answer_delay_ms: AtomicU64::new(0),
            settings: Mutex::default(),
            rules: Mutex::default(),
            version: AtomicU64::new(0),
            changed: watch::Sender::new(0),
        };
        flow.renew(&locked(&flow.settings), None);
        flow.metrics.live_orders_limit.set_size(config.live_orders);
        flow.metrics.memory_limit.set_size(config.memory_bytes);
        flow
    }

    /// What a partition says. Each writes only its own.
    pub(crate) fn figures(&self, partition: u16) -> &Figures {
        &self.figures[usize::from(partition)]
    }

    pub(crate) fn all_figures(&self) -> &[Figures] {
        &self.figures
    }

    // ---- Counting.

    /// So many more orders are begun and not committed (or, negative, fewer).
    pub(crate) fn adjust(&self, difference: i64) {
        if difference == 0 {
            return;
        }
        self.metrics.live_orders.adjust(difference);
        if difference < 0 && self.is_full() {
            self.reopen();
        }
    }

    fn reopen(&self) {
        let is_low = self.uncommitted() <= reopens_at(self.cap());
        if is_low && self.is_full.swap(false, Ordering::AcqRel) {
            self.tell();
        }
    }

    /// How many are begun and not committed.
    pub(crate) fn uncommitted(&self) -> u64 {
        u64::try_from(self.metrics.live_orders.get()).unwrap_or(0)
    }

    /// How many there may be now.
    pub(crate) fn cap(&self) -> u64 {
        self.cap.load(Ordering::Relaxed)
    }

    /// Is it lower than it is set to be?
    pub(crate) fn is_slowed(&self) -> bool {
        self.cap() < self.effective(&LimitName::Orders).cap
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// The bound is reached: it opens again some way below it.
    pub(crate) fn fill(&self) {
        self.is_full.store(true, Ordering::Release);
        // Who was committed between the look and this has opened nothing, and nobody else might come by.
        self.reopen();
    }

    pub(crate) fn is_out_of_memory(&self) -> bool {
        self.is_out_of_memory.load(Ordering::Relaxed)
    }

    /// The process takes so many bytes of memory.
    pub(crate) fn observe_memory(&self, resident: u64) {
        self.metrics.resident_bytes.set_size(resident);
        let cap = self.effective(&LimitName::Memory).cap;
        let mut pressure = locked(&self.pressure);
        let reserve = (READ_AHEAD_BYTES * self.figures.len() as u64).min(cap / 2);
        *pressure = Pressure::of(resident, cap, reserve, *pressure);
        let is_out = *pressure == Pressure::Hard;
        drop(pressure);
        if self.is_out_of_memory.swap(is_out, Ordering::AcqRel) != is_out {
            if is_out {
                tracing::warn!(resident, cap, "memory is short: no new work is begun");
            }
            self.tell();
        }
    }

    /// The bound moves with time. Whoever takes inputs comes by here, so it needs no timer of its own.
    pub(crate) fn pass(&self, now: Timestamp) {
        let last = self.stepped_at.load(Ordering::Relaxed);
        let is_due = now.0.saturating_sub(last) >= STEP_MS || now.0 < last;
        let order = Ordering::Relaxed;
        if is_due && self.stepped_at.compare_exchange(last, now.0, order, order).is_ok() {
            self.step();
        }
    }

    fn step(&self) {
        let delays =
            self.figures.iter().map(|figures| figures.answer_delay_ms.swap(u64::MAX, Ordering::Relaxed));
        let delay = delays.filter(|delay| *delay < u64::MAX).max();
        self.answer_delay_ms.store(delay.unwrap_or(0), Ordering::Relaxed);
        let (orders, before) = (self.effective(&LimitName::Orders).cap, self.cap());
        let pace = Pace { effective: before }.step(
            orders,
            self.config.live_orders_least,
            delay,
            self.config.answer_delay_ms,
            self.uncommitted(),
            *locked(&self.pressure),
        );
        self.cap.store(pace.effective, Ordering::Relaxed);
        self.metrics.live_orders_limit.set_size(pace.effective);
        if pace.effective > before && self.is_full.swap(false, Ordering::AcqRel) {
            self.tell();
        }
    }

    /// How long answers waited for us when it was last looked at.
    pub(crate) fn answer_delay_ms(&self) -> u64 {
        self.answer_delay_ms.load(Ordering::Relaxed)
    }

    /// Was all new work taken that was stored before this moment, in all partitions? A batch may hold orders of any of them.
    /// If not, the partitions find out: ask again.
    pub(crate) fn has_reached(&self, moment: Timestamp) -> bool {
        if self.figures.iter().all(|figures| figures.reached.load(Ordering::Relaxed) > moment.0) {
            return true;
        }
        self.wanted.fetch_max(moment.0, Ordering::Relaxed);
        false
    }

    /// Does somebody want to know how far this partition is?
    pub(crate) fn is_wanted(&self, partition: u16) -> bool {
        self.figures(partition).reached.load(Ordering::Relaxed) <= self.wanted.load(Ordering::Relaxed)
    }

    // ---- Rules.

    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The rules as they are, and their number.
    pub(crate) fn rules(&self) -> (Arc<Rules>, u64) {
        let rules = locked(&self.rules);
        (Arc::clone(&rules), self.version())
    }

    /// Hears of everything that may let the intake go on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn renew(&self, settings: &Settings, before: Option<&Rules>) {
        let effective = |name: &LimitName| self.effective_of(settings, name);
        let sources = Sources {
            config: &self.config,
            pauses: &settings.pauses,
            is_draining: settings.drain.is_some(),
            time: self.time,
            before,
            effective: &effective,
        };
        let rules = Arc::new(Rules::new(&sources));
        let mut current = locked(&self.rules);
        *current = rules;
        self.version.fetch_add(1, Ordering::AcqRel);
        drop(current);
        self.tell();
    }

    /// Changes what is set, and makes the rules that follow.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Settings) -> Result<T, SettingError>,
    ) -> Result<T, SettingError> {
        let mut settings = locked(&self.settings);
        let outcome = change(&mut settings)?;
        let before = self.rules().0;
        self.renew(&settings, Some(&before));
        Ok(outcome)
    }

    /// When something that was set for a time only ends next.
    pub(super) fn next_end(&self) -> Option<Instant> {
        let settings = locked(&self.settings);
        let pauses = settings.pauses.iter().filter_map(|(_, until)| *until);
        let overrides = settings.overrides.values().filter_map(|(_, until)| *until);
        pauses.chain(overrides).chain(settings.drain.and_then(|drain| drain.until)).min()
    }

    /// Ends what was set for a time only, and that is over.
    pub(super) fn revert(&self, now: Instant) {
        let is_over = |until: &Option<Instant>| until.is_some_and(|until| until <= now);
        let mut settings = locked(&self.settings);
        let count = settings.pauses.len() + settings.overrides.len();
        settings.pauses.retain(|(_, until)| !is_over(until));
        settings.overrides.retain(|_, (_, until)| !is_over(until));
        let drained = settings.drain.is_some_and(|drain| is_over(&drain.until));
        if drained {
            settings.drain = None;
        }
        if drained || settings.pauses.len() + settings.overrides.len() < count {
            tracing::info!("a limit or pause that was set for a time has reverted");
            let before = self.rules().0;
            self.renew(&settings, Some(&before));
            drop(settings);
            self.limits_changed();
        }
    }

    // ---- What somebody sets.

    /// Looks at what is set.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Settings) -> T) -> T {
        look(&locked(&self.settings))
    }

    /// What the file says of a limit; none = there is no such one.
    pub(crate) fn configured(&self, name: &LimitName) -> Option<Setting> {
        let config = &self.config;
        let quota = |quotas: &[Quota], name: &str| {
            let named = quotas.iter().find(|quota| quota.name == name);
            let setting =
                |quota: &Quota| Setting { rate: quota.rate.into(), burst: quota.burst.into(), cap: 0 };
            named.map(setting).or_else(|| (name == "*").then(Setting::default))
        };
        match name {
            LimitName::Orders => Some(Setting { cap: config.live_orders, ..Setting::default() }),
            LimitName::Memory => Some(Setting { cap: config.memory_bytes, ..Setting::default() }),
            LimitName::Rate => Some(Setting { rate: config.rate.into(), burst: config.burst.into(), cap: 0 }),
            LimitName::Tenant(name) => quota(&config.tenants, name),
            LimitName::Channel(name) => quota(&config.channels, name),
        }
    }

    /// What holds for a limit.
    pub(crate) fn effective(&self, name: &LimitName) -> Setting {
        self.effective_of(&locked(&self.settings), name)
    }

    fn effective_of(&self, settings: &Settings, name: &LimitName) -> Setting {
        let set = settings.overrides.get(name).map(|(setting, _)| *setting);
        set.or_else(|| self.configured(name)).unwrap_or_default()
    }

    /// The names of all limits, in a fixed order.
    pub(crate) fn limit_names(&self) -> Vec<LimitName> {
        let mut names = vec![LimitName::Orders, LimitName::Memory, LimitName::Rate];
        for (quotas, name) in [
            (&self.config.tenants, LimitName::Tenant as fn(String) -> LimitName),
            (&self.config.channels, LimitName::Channel),
        ] {
            names.extend(
                quotas.iter().filter(|quota| quota.name != "*").map(|quota| name(quota.name.clone())),
            );
            names.push(name("*".to_owned()));
        }
        names
    }

    pub(crate) fn set_limit(
        &self,
        name: &LimitName,
        change: Change,
        ttl: Option<Duration>,
    ) -> Result<(), SettingError> {
        let until = until(ttl)?;
        let wrong =
            if name.has_rate() { change.cap.is_some() } else { change.rate.or(change.burst).is_some() };
        if wrong {
            let has =
                if name.has_rate() { "a rate and a burst, no cap" } else { "a cap, no rate and no burst" };
            return Err(SettingError::OutOfBounds(format!("{name} has {has}")));
        }
        let configured = self.configured(name).ok_or_else(|| {
            SettingError::Unknown(format!(
                "{name} has no limit of its own; give it a quota in the configuration"
            ))
        })?;
        self.change(|settings| {
            let now = settings.overrides.get(name).map_or(configured, |(setting, _)| *setting);
            let setting = Setting {
                rate: change.rate.unwrap_or(now.rate),
                burst: change.burst.unwrap_or(now.burst),
                cap: change.cap.unwrap_or(now.cap),
            };
            if let Some(problem) = name.problem(setting) {
                return Err(SettingError::OutOfBounds(problem));
            }
            settings.overrides.insert(name.clone(), (setting, until));
            Ok(())
        })?;
        self.limits_changed();
        Ok(())
    }

    pub(crate) fn clear_limit(&self, name: &LimitName) -> Result<(), SettingError> {
        if self.configured(name).is_none() {
            return Err(SettingError::Unknown(format!("{name} has no limit of its own")));
        }
        self.change(|settings| {
            settings.overrides.remove(name);
            Ok(())
        })?;
        self.limits_changed();
        Ok(())
    }

    /// A lower bound holds at once, a higher one is grown to.
    fn limits_changed(&self) {
        let orders = self.effective(&LimitName::Orders).cap;
        self.cap.fetch_min(orders, Ordering::AcqRel);
        self.metrics.live_orders_limit.set_size(self.cap());
        self.metrics.memory_limit.set_size(self.effective(&LimitName::Memory).cap);
    }

    pub(crate) fn pause(&self, scope: Scope, ttl: Option<Duration>) -> Result<(), SettingError> {
        match &scope {
            Scope::Partition(number) if usize::from(*number) >= self.figures.len() => {
                return Err(SettingError::Unknown(format!("there is no partition {number}")));
            }
            Scope::Channel(name) if !is_name(name) => {
                let problem = format!("a channel has 1 to {MOST_NAME_BYTES} bytes and no space");
                return Err(SettingError::OutOfBounds(problem));
            }
            _ => {}
        }
        let until = until(ttl)?;
        self.change(|settings| {
            settings.pauses.retain(|(known, _)| *known != scope);
            if settings.pauses.len() >= MOST_PAUSES {
                let problem = format!("{MOST_PAUSES} pauses hold already; end one of them first");
                return Err(SettingError::OutOfBounds(problem));
            }
            settings.pauses.push((scope, until));
            Ok(())
        })
    }

    /// Ends a pause. False: there was none.
    pub(crate) fn resume(&self, scope: &Scope) -> bool {
        let resumed = self.change(|settings| {
            let count = settings.pauses.len();
            settings.pauses.retain(|(known, _)| known != scope);
            Ok(settings.pauses.len() < count)
        });
        resumed.unwrap_or(false)
    }

    pub(crate) fn drain(&self, ttl: Option<Duration>) -> Result<(), SettingError> {
        let until = until(ttl)?;
        self.change(|settings| {
            settings.drain = Some(Drain { until });
            Ok(())
        })
    }

    /// Ends a drain. False: there was none.
    pub(crate) fn undrain(&self) -> bool {
        self.change(|settings| Ok(settings.drain.take().is_some())).unwrap_or(false)
    }
}

fn until(ttl: Option<Duration>) -> Result<Option<Instant>, SettingError> {
    match ttl {
        Some(ttl) if ttl.is_zero() || ttl > LONGEST => {
            let problem = format!("a change may hold for up to {} hours", LONGEST.as_secs() / 3_600);
            Err(SettingError::OutOfBounds(problem))
        }
        ttl => Ok(ttl.map(|ttl| Instant::now() + ttl)),
    }
}
