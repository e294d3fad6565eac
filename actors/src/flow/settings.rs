//! What somebody sets of the intake while the node runs: pauses, a drain, limits; each for ever or for a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::limits::{Class, LimitName, MOST_NAME_BYTES, Quota, Scope, Setting, is_name};
use super::rules::{Pause, Rules, Sources};
use super::shared::{Flow, locked};
use super::watermarks::{self, WatermarkChange, WatermarkState, Watermarks};

/// The most pauses at a time.
const MOST_PAUSES: usize = 64;
/// The longest time after which a change may revert by itself.
const LONGEST: Duration = Duration::from_hours(7 * 24);

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
    pub(crate) watermarks: Option<(WatermarkChange, Option<Instant>)>,
}

impl Flow {
    pub(super) fn renew(&self, settings: &Settings, before: Option<&Rules>) {
        let effective = |name: &LimitName| self.effective_of(settings, name);
        let (watermarks, classes) = self.renew_watermarks(settings);
        let sources = Sources {
            config: &self.config,
            watermarks,
            classes,
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
        let drain = settings.drain.and_then(|drain| drain.until);
        let watermarks = settings.watermarks.as_ref().and_then(|(_, until)| *until);
        pauses.chain(overrides).chain(drain).chain(watermarks).min()
    }

    /// Ends what was set for a time only, and that is over.
    pub(super) fn revert(&self, now: Instant) {
        let is_over = |until: &Option<Instant>| until.is_some_and(|until| until <= now);
        let mut settings = locked(&self.settings);
        let count = settings.pauses.len() + settings.overrides.len();
        settings.pauses.retain(|(_, until)| !is_over(until));
        settings.overrides.retain(|_, (_, until)| !is_over(until));
        let drained = settings.drain.take_if(|drain| is_over(&drain.until)).is_some();
        let watermarks_reverted = settings.watermarks.take_if(|(_, until)| is_over(until)).is_some();
        if drained || watermarks_reverted || settings.pauses.len() + settings.overrides.len() < count {
            tracing::info!("what was set for a time has reverted");
            let before = self.rules().0;
            self.renew(&settings, Some(&before));
            drop(settings);
            self.limits_changed();
        }
    }

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

    /// Puts the watermarks in force that hold now, and gives them with the classes that somebody has set.
    fn renew_watermarks<'a>(&self, settings: &'a Settings) -> (Watermarks, &'a BTreeMap<String, Class>) {
        const NONE: &BTreeMap<String, Class> = &BTreeMap::new();
        let set = settings.watermarks.as_ref().map(|(change, _)| change);
        let watermarks = set.map_or(self.configured_watermarks, |set| set.on(self.configured_watermarks));
        for ((place, gauge), value) in self.watermarks.iter().zip(&self.metrics.watermarks).zip(watermarks) {
            place.store(value, Ordering::Relaxed);
            gauge.set_size(value);
        }
        (watermarks, set.map_or(NONE, |set| &set.classes))
    }

    /// Sets other watermarks and classes. They replace those that were set before.
    pub(crate) fn set_watermarks(
        &self,
        change: WatermarkChange,
        ttl: Option<Duration>,
    ) -> Result<(), SettingError> {
        let until = until(ttl)?;
        if let Some((key, value, remedy)) = change.problems().into_iter().next() {
            return Err(SettingError::OutOfBounds(format!("{key} = {value}: {remedy}")));
        }
        self.change(|settings| {
            settings.watermarks = Some((change, until));
            Ok(())
        })
    }

    /// Lets the watermarks be as they are configured. False: they are.
    pub(crate) fn clear_watermarks(&self) -> bool {
        self.change(|settings| Ok(settings.watermarks.take().is_some())).unwrap_or(false)
    }

    /// The watermarks and classes, as configured and as they hold.
    pub(crate) fn watermark_state(&self) -> WatermarkState {
        let configured_classes = watermarks::classes(&self.config);
        let settings = locked(&self.settings);
        let set = settings.watermarks.as_ref().map(|(change, _)| change);
        let mut effective_classes = configured_classes.clone();
        effective_classes.extend(set.into_iter().flat_map(|set| set.classes.clone()));
        WatermarkState {
            configured: self.configured_watermarks,
            effective: set.map_or(self.configured_watermarks, |set| set.on(self.configured_watermarks)),
            configured_classes,
            effective_classes,
            is_set: set.is_some(),
        }
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
