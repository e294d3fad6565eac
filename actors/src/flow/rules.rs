//! What holds for new work right now: pauses, rates, quotas. Made anew at every change, shared by all partitions, never locked.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::limits::{Class, FlowConfig, LimitName, Quota, Scope, Setting};
use super::meter::{Meter, RuntimeTime};
use super::policy::Throttle;
use super::watermarks::{Watermark, Watermarks};
use crate::metrics::RefusedFor;

/// New work that is refused for now: why, and when it makes sense to come again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotNow {
    pub(crate) cause: RefusedFor,
    pub(crate) retry_after_ms: u64,
    pub(crate) message: String,
}

/// One tenant or channel, or all that are not named.
#[derive(Debug, Default)]
struct Quoted {
    class: Class,
    meter: Option<Arc<Meter>>,
}

/// Tenants or channels.
#[derive(Debug, Default)]
struct Table {
    named: BTreeMap<String, Quoted>,
    rest: Quoted,
}

impl Table {
    fn of(&self, name: &str) -> &Quoted {
        self.named.get(name).unwrap_or(&self.rest)
    }

    /// Gives channels other classes. One that is not named yet goes on sharing the quota of all that are not.
    fn reclass(&mut self, classes: &BTreeMap<String, Class>) {
        for (name, class) in classes {
            if name == "*" {
                self.rest.class = *class;
                continue;
            }
            let shared = || Quoted { class: *class, meter: self.rest.meter.clone() };
            self.named.entry(name.clone()).or_insert_with(shared).class = *class;
        }
    }

    fn all(&self) -> impl Iterator<Item = &Quoted> {
        self.named.values().chain([&self.rest])
    }

    fn meter(&self, name: &str) -> Option<&Arc<Meter>> {
        let quoted = if name == "*" { Some(&self.rest) } else { self.named.get(name) };
        quoted?.meter.as_ref()
    }
}

/// A pause with its end; none = until somebody ends it.
pub(crate) type Pause = (Scope, Option<Instant>);

/// Everything that holds.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pauses: Vec<Pause>,
    is_draining: bool,
    rate: Option<Arc<Meter>>,
    tenants: Table,
    channels: Table,
    patience_ms: [u64; 3],
    retry_after_ms: u64,
    /// Is there anything to ask about single messages?
    judges: bool,
}

/// Out of what rules are made.
pub(super) struct Sources<'a> {
    pub(super) config: &'a FlowConfig,
    /// As they hold.
    pub(super) watermarks: Watermarks,
    /// Classes of channels that somebody has set.
    pub(super) classes: &'a BTreeMap<String, Class>,
    pub(super) pauses: &'a [Pause],
    pub(super) is_draining: bool,
    pub(super) time: RuntimeTime,
    /// The rules before; none at the start.
    pub(super) before: Option<&'a Rules>,
    /// What holds for a limit.
    pub(super) effective: &'a dyn Fn(&LimitName) -> Setting,
}

impl Sources<'_> {
    /// The meter of a limit: the old one if it goes on unchanged, else a new one, spent unless the node just starts.
    fn meter(&self, name: &LimitName, old: Option<&Arc<Meter>>) -> Option<Arc<Meter>> {
        let setting = (self.effective)(name);
        match old.filter(|old| old.is(setting)) {
            Some(old) => Some(Arc::clone(old)),
            None => Meter::new(setting, self.time, self.before.is_some()).map(Arc::new),
        }
    }

    fn table(&self, quotas: &[Quota], name: fn(String) -> LimitName, old: Option<&Table>) -> Table {
        let quoted = |quota: &Quota| Quoted {
            class: quota.class,
            meter: self.meter(&name(quota.name.clone()), old.and_then(|old| old.meter(&quota.name))),
        };
        let (rest, named): (Vec<_>, Vec<_>) = quotas.iter().partition(|quota| quota.name == "*");
        let rest = rest.first().map_or_else(
            || Quoted {
                class: Class::default(),
                meter: self.meter(&name("*".to_owned()), old.and_then(|old| old.meter("*"))),
            },
            |quota| quoted(quota),
        );
        Table { named: named.into_iter().map(|quota| (quota.name.clone(), quoted(quota))).collect(), rest }
    }
}

impl Rules {
    pub(super) fn new(sources: &Sources<'_>) -> Self {
        let Sources { config, pauses, is_draining, before, .. } = sources;
        let tenants = sources.table(&config.tenants, LimitName::Tenant, before.map(|it| &it.tenants));
        let mut channels = sources.table(&config.channels, LimitName::Channel, before.map(|it| &it.channels));
        channels.reclass(sources.classes);
        let watermark = |which: Watermark| sources.watermarks[which as usize];
        let patience_ms = [0, watermark(Watermark::PatienceNormal), watermark(Watermark::PatienceLow)];
        let is_quoted = tenants.all().chain(channels.all()).any(|quoted| quoted.meter.is_some());
        let is_impatient =
            channels.all().any(|quoted| quoted.class == Class::Low || patience_ms[quoted.class as usize] > 0);
        let is_selective =
            pauses.iter().any(|(scope, _)| matches!(scope, Scope::Tenant(_) | Scope::Channel(_)));
        Self {
            pauses: pauses.to_vec(),
            is_draining: *is_draining,
            rate: sources.meter(&LimitName::Rate, before.and_then(|it| it.rate.as_ref())),
            tenants,
            channels,
            patience_ms,
            retry_after_ms: watermark(Watermark::RetryAfter),
            judges: is_quoted || is_impatient || is_selective,
        }
    }

    /// Is all new work of this partition stopped?
    pub(crate) fn stop(&self, partition: u16) -> Option<Throttle> {
        if self.is_draining {
            return Some(Throttle::Draining);
        }
        let stops = |scope: &Scope| *scope == Scope::All || *scope == Scope::Partition(partition);
        self.pauses.iter().any(|(scope, _)| stops(scope)).then_some(Throttle::Paused)
    }

    /// The rate at which the node begins orders, if it has one.
    pub(crate) fn rate(&self) -> Option<&Meter> {
        self.rate.as_deref()
    }

    /// Has anybody a quota, a patience, a pause of his own? If not, nothing has to be asked for each message.
    pub(crate) const fn judges(&self) -> bool {
        self.judges
    }

    /// May this work begin, which has queued for so long? Who is asked last takes from his quota, so what is refused for one
    /// reason costs nothing for another.
    pub(crate) fn judge(
        &self,
        (tenant, channel): (&str, Option<&str>),
        queued_ms: u64,
        has_room_for_low: impl Fn() -> bool,
    ) -> Result<(), NotNow> {
        let channel = channel.unwrap_or("-");
        let stops = |scope: &Scope| match scope {
            Scope::Tenant(named) => named.as_str() == tenant,
            Scope::Channel(named) => named == channel,
            Scope::All | Scope::Partition(_) => false,
        };
        if let Some((scope, until)) = self.pauses.iter().find(|(scope, _)| stops(scope)) {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()).as_millis());
            let left = left.and_then(|left| u64::try_from(left).ok()).unwrap_or(0);
            let what = if matches!(scope, Scope::Tenant(_)) {
                format!("tenant {tenant}")
            } else {
                format!("channel {channel}")
            };
            let message = format!("{what} is paused; nothing was begun, send it again");
            return Err(self.not_now(RefusedFor::Paused, left, message));
        }
        let quoted = self.channels.of(channel);
        let patience = self.patience_ms[quoted.class as usize];
        if patience > 0 && queued_ms > patience {
            let message = format!(
                "it queued for {queued_ms} ms, and work of class {} is begun within {patience} ms or not at all; \
                 nothing was begun, send it again when there is less to do",
                quoted.class.as_str()
            );
            return Err(self.not_now(RefusedFor::Overload, patience, message));
        }
        if quoted.class == Class::Low && !has_room_for_low() {
            let message = "what room is left is for work of other classes; nothing was begun, send it again when \
                           there is less to do";
            return Err(self.not_now(RefusedFor::Overload, 0, message.to_owned()));
        }
        for (quoted, what, name) in
            [(quoted, "channel", channel), (self.tenants.of(tenant), "tenant", tenant)]
        {
            if let Some(Err(wait)) = quoted.meter.as_deref().map(Meter::take) {
                let message =
                    format!("{what} {name} has used up its quota; nothing was begun, send it again");
                return Err(self.not_now(RefusedFor::Quota, wait, message));
            }
        }
        Ok(())
    }

    fn not_now(&self, cause: RefusedFor, wait_ms: u64, message: String) -> NotNow {
        NotNow { cause, retry_after_ms: wait_ms.max(self.retry_after_ms), message }
    }
}
