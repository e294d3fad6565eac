//! The limits of the intake: how they are configured, named and bounded.

use std::fmt;
use std::str::FromStr;

use domain::ids::Token;
use serde::{Deserialize, Serialize};

/// The longest name of a tenant or channel that a limit or a pause can have.
pub const MOST_NAME_BYTES: usize = 64;
/// The most quotas of tenants, and of channels: each is a limiter of its own for as long as the process lives.
pub const MOST_QUOTAS: usize = 256;
/// The most orders that may be begun and not committed, whatever is configured.
pub const MOST_LIVE_ORDERS: u64 = 10_000_000;
/// The highest rate and the largest burst, in orders (a second).
pub const MOST_RATE: u64 = 1_000_000;
/// The smallest budget of memory that makes sense: the program and what its readers hold take some of it.
pub const LEAST_MEMORY: u64 = 128 * 1024 * 1024;

/// How long new work of a channel may queue before it is refused instead of begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// As long as it has not expired.
    High,
    /// `patience_normal_ms`.
    #[default]
    Normal,
    /// `patience_low_ms`: what can be sent again later gives way first.
    Low,
}

impl Class {
    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// Out of the word again.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::High, Self::Normal, Self::Low].into_iter().find(|class| class.as_str() == text)
    }
}

/// What one tenant or channel may submit. As text: `<name> <orders a second> <burst> [high|normal|low]`; the name `*` is everybody
/// who is not named, the rate 0 no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quota {
    /// The tenant or channel, or `*`.
    pub name: String,
    /// Orders a second; 0 = as many as come.
    pub rate: u32,
    /// Orders at once.
    pub burst: u32,
    /// How long it may queue; only channels have one that matters.
    pub class: Class,
}

const QUOTA_FORM: &str =
    "`<name or *> <orders a second> <burst> [high|normal|low]`, for example `web 500 1000 high`";

impl FromStr for Quota {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?}: expected {QUOTA_FORM}");
        let mut words = text.split_whitespace();
        let name = words.next().filter(|name| name.len() <= MOST_NAME_BYTES).ok_or_else(wrong)?.to_owned();
        let mut number = || words.next().and_then(|word| word.replace('_', "").parse::<u32>().ok());
        let (rate, burst) = (number().ok_or_else(wrong)?, number().ok_or_else(wrong)?);
        let class = words.next().map_or(Some(Class::default()), Class::parse).ok_or_else(wrong)?;
        if words.next().is_some() || u64::from(rate.max(burst)) > MOST_RATE || (rate > 0 && burst == 0) {
            return Err(wrong());
        }
        Ok(Self { name, rate, burst, class })
    }
}

impl TryFrom<String> for Quota {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Quota> for String {
    fn from(quota: Quota) -> Self {
        format!("{} {} {} {}", quota.name, quota.rate, quota.burst, quota.class.as_str())
    }
}

/// The limits of the intake. Lengths of time are in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowConfig {
    /// Orders that are begun and not committed; at it the intake pauses.
    pub live_orders: u64,
    /// So many may be begun even while answers are late or memory is short: what is begun must be able to go on.
    pub live_orders_least: u64,
    /// Resident memory of the process; 0 = three quarters of what the machine or its control group has.
    pub memory_bytes: u64,
    /// Orders that the node begins a second; 0 = as many as it can. What is beyond waits in the broker.
    pub rate: u32,
    /// Orders that it begins at once while there is a rate.
    pub burst: u32,
    /// Answers and facts that wait longer than this for us mean that too much is begun: no more than the least is, until they do not.
    pub answer_delay_ms: u64,
    /// How long work of the class normal may queue before it is refused; 0 = until it expires.
    pub patience_normal_ms: u64,
    /// How long work of the class low may queue before it is refused; 0 = until it expires.
    pub patience_low_ms: u64,
    /// Per cent of the bound on live orders as it is now: once so many are begun and not committed, work of the class low is refused
    /// for now, so that it never takes the last places.
    pub low_percent: u64,
    /// The same for the bulk lane: what it holds waits in its stream.
    pub bulk_percent: u64,
    /// What a refused sender is told at least to wait.
    pub retry_after_ms: u64,
    /// From this delay on, somebody reads ahead and tells those who wait.
    pub herald_after_ms: u64,
    /// Orders of one partition that are known to be queued.
    pub herald_window: usize,
    /// Quotas of tenants.
    pub tenants: Vec<Quota>,
    /// Quotas and classes of channels.
    pub channels: Vec<Quota>,
}

impl Default for FlowConfig {
    fn default() -> Self {
        Self {
            live_orders: 50_000,
            live_orders_least: 500,
            memory_bytes: 0,
            rate: 0,
            burst: 1_000,
            answer_delay_ms: 200,
            patience_normal_ms: 0,
            patience_low_ms: 5_000,
            low_percent: 80,
            bulk_percent: 50,
            retry_after_ms: 1_000,
            herald_after_ms: 500,
            herald_window: 200_000,
            tenants: Vec::new(),
            channels: Vec::new(),
        }
    }
}

/// A limit that can be read and changed while the node runs. As text: `orders`, `memory`, `rate`, `tenant:<name>`,
/// `channel:<name>`; the name `*` stands for all that have no quota of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitName {
    /// Orders begun and not committed.
    Orders,
    /// Resident memory.
    Memory,
    /// Orders that the node begins a second.
    Rate,
    /// The quota of a tenant.
    Tenant(String),
    /// The quota of a channel.
    Channel(String),
}

impl fmt::Display for LimitName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Orders => out.write_str("orders"),
            Self::Memory => out.write_str("memory"),
            Self::Rate => out.write_str("rate"),
            Self::Tenant(name) => write!(out, "tenant:{name}"),
            Self::Channel(name) => write!(out, "channel:{name}"),
        }
    }
}

impl FromStr for LimitName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "orders" => return Ok(Self::Orders),
            "memory" => return Ok(Self::Memory),
            "rate" => return Ok(Self::Rate),
            _ => {}
        }
        match text.split_once(':') {
            Some(("tenant", name)) if is_name(name) => Ok(Self::Tenant(name.to_owned())),
            Some(("channel", name)) if is_name(name) => Ok(Self::Channel(name.to_owned())),
            _ => Err(format!(
                "{text:.80?} is no limit: expected orders, memory, rate, tenant:<name> or channel:<name>"
            )),
        }
    }
}

impl Serialize for LimitName {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

pub(super) fn is_name(name: &str) -> bool {
    (1..=MOST_NAME_BYTES).contains(&name.len()) && !name.contains(char::is_whitespace)
}

/// The numbers of a limit. A limit has a rate with a burst, or a cap; what it does not have is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Setting {
    /// Orders a second; 0 = as many as come.
    pub rate: u64,
    /// Orders at once.
    pub burst: u64,
    /// Orders or bytes; for memory 0 = no budget.
    pub cap: u64,
}

/// What a pause reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All new work.
    All,
    /// New work of one tenant; it is refused, because what stands behind it in the stream goes on.
    Tenant(Token),
    /// New work of one channel; it is refused likewise.
    Channel(String),
    /// New work of one partition.
    Partition(u16),
}

impl LimitName {
    /// Is it one with a rate?
    pub(super) const fn has_rate(&self) -> bool {
        matches!(self, Self::Rate | Self::Tenant(_) | Self::Channel(_))
    }

    /// What is wrong with these numbers for this limit; none = nothing.
    pub(super) fn problem(&self, setting: Setting) -> Option<String> {
        let Setting { rate, burst, cap } = setting;
        let within = |what: &str, value: u64, least: u64, most: u64| {
            let outside = !(least..=most).contains(&value);
            outside.then(|| format!("{self}: {what} = {value}: must be from {least} to {most}"))
        };
        match self {
            Self::Orders => within("cap", cap, 1, MOST_LIVE_ORDERS),
            Self::Memory if cap == 0 => None,
            Self::Memory => within("cap", cap, LEAST_MEMORY, u64::MAX / 64),
            Self::Rate | Self::Tenant(_) | Self::Channel(_) => within("rate", rate, 0, MOST_RATE)
                .or_else(|| within("burst", burst, u64::from(rate > 0), MOST_RATE)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, LimitName, Quota, Setting};

    #[test]
    fn a_quota_reads_as_it_is_written() {
        let quota = |name: &str, rate, burst, class| Quota { name: name.to_owned(), rate, burst, class };
        for (text, expected) in [
            ("web 500 1000 high", quota("web", 500, 1_000, Class::High)),
            ("  * 20 40", quota("*", 20, 40, Class::Normal)),
            ("market 0 0 low", quota("market", 0, 0, Class::Low)),
        ] {
            assert_eq!(text.parse(), Ok(expected.clone()));
            assert_eq!(String::from(expected.clone()).parse(), Ok(expected));
        }
        for wrong in
            ["", "web", "web 5", "web 5 0", "web 5 6 urgent", "web 5 6 low more", "web 2000000 5", "web -1 5"]
        {
            assert!(wrong.parse::<Quota>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_limit_reads_as_it_is_written_and_keeps_to_its_bounds() {
        for text in ["orders", "memory", "rate", "tenant:main", "channel:*"] {
            assert_eq!(text.parse::<LimitName>().map(|name| name.to_string()), Ok(text.to_owned()));
        }
        for wrong in ["", "order", "tenant:", "channel:a b", "shop:x"] {
            assert!(wrong.parse::<LimitName>().is_err(), "{wrong}");
        }
        let (caps, rates) = (Setting { cap: 0, ..Setting::default() }, Setting { rate: 5, burst: 0, cap: 0 });
        assert!(LimitName::Orders.problem(caps).is_some() && LimitName::Memory.problem(caps).is_none());
        assert!(LimitName::Rate.problem(rates).is_some() && LimitName::Rate.problem(caps).is_none());
        assert!(LimitName::Memory.problem(Setting { cap: 1, ..caps }).is_some());
    }
}
