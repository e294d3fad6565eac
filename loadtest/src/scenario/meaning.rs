//! What a scenario means once it was read.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::decider::Participant;
use serde::{Deserialize, Serialize};

use super::objective::Objective;
use super::quantity::Ramp;
use crate::simulators::Profiles;
use crate::workload::StockPlan;

/// A load test: what is sent, who answers how, what goes wrong, and what must hold.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// The text that it was read from.
    pub text: String,
    /// What all chance depends on.
    pub seed: u64,
    /// Orders that are meant to come before this time are judged, but not measured.
    pub warm_up: Duration,
    /// How long nothing may move after the last arrival before the run is given up.
    pub patience: Duration,
    /// How many orders may be under way; beyond it the generator waits, is late, and the run is invalid.
    pub in_flight: usize,
    /// How long after it was meant to come an order may be begun, as its submit says; none = as long as the server likes.
    pub expires: Option<Duration>,
    /// How arrivals lie in time.
    pub spacing: Spacing,
    /// 99 of 100 arrivals must be sent this soon after they were meant to, or the run is invalid.
    pub most_lateness: Duration,
    /// By how much phases, warm-up and faults were shortened.
    pub time_scale: u32,
    /// When a nats-server that is started for the run writes to disk.
    pub writing: Writing,
    /// Commands and answers share messages where several are ready.
    pub batches: bool,
    /// The load, one phase after the other.
    pub phases: Vec<Phase>,
    /// Which orders.
    pub mix: MixShares,
    /// What they buy.
    pub data: Data,
    /// How they get it from stock that Doorbuster keeps; none = all is allocated outside.
    pub stock: Option<StockPlan>,
    /// How participants behave while nothing is wrong with them.
    pub participants: Profiles,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// What must hold of the measurements.
    pub objectives: Vec<Objective>,
    /// What must hold of every order.
    pub invariants: Vec<Invariant>,
    /// Keys of the configuration of a server that is started for the run.
    pub server: BTreeMap<String, String>,
}

impl Scenario {
    /// How long orders arrive.
    pub fn duration(&self) -> Duration {
        self.phases.iter().map(|phase| phase.over).sum()
    }

    /// When the last fault is over.
    pub fn healed_at(&self) -> Duration {
        self.faults.iter().map(|fault| fault.at + fault.lasts).max().unwrap_or_default()
    }

    /// The same at one steady rate for some time, without faults and phases: one step of a search.
    #[must_use]
    pub fn at_rate(&self, rate: f64, over: Duration) -> Self {
        let phase = Phase { label: "steady".to_owned(), ramp: Ramp::steady(rate), over };
        let warm_up = self.warm_up.min(over / 4);
        let mut objectives = self.objectives.clone();
        for objective in &mut objectives {
            objective.phase = None;
        }
        Self { phases: vec![phase], faults: Vec::new(), warm_up, objectives, ..self.clone() }
    }
}

/// How arrivals lie in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// Always the same time between two.
    Even,
    /// By chance, as customers come who know nothing of each other.
    Poisson,
}

/// When nats-server writes to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// Every two minutes, as it does by itself.
    Default,
    /// Before every ack.
    Always,
}

/// A part of the load.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// Its name in reports.
    pub label: String,
    /// How many orders a second.
    pub ramp: Ramp,
    /// How long.
    pub over: Duration,
}

/// Kinds of orders that are told apart in measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// All alike: a member, three lines, points redeemed, one card, one parcel.
    Standard,
    /// All sorts: one to five lines, several cards, nodes, parcels and currencies.
    Mixed,
    /// Cancelled by the customer, in whole or in part, at some moment.
    Cancelled,
    /// Refused by somebody: card, points, stock, or a wrong total.
    Refused,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Standard, Self::Mixed, Self::Cancelled, Self::Refused];

    /// Its key in `[mix]`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Mixed => "mixed",
            Self::Cancelled => "cancelled",
            Self::Refused => "refused",
        }
    }

    /// Its place in [`Class::ALL`].
    pub const fn place(self) -> usize {
        self as usize
    }
}

/// How often which kind of order comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MixShares {
    /// By [`Class::place`]; only their ratio counts, and one of them is not zero.
    pub weights: [u64; 4],
    /// The part of orders that is submitted twice.
    pub duplicates: f64,
    /// For each order, so many messages that are no orders at all.
    pub poison: f64,
}

/// What is bought.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// How many different items.
    pub skus: u64,
    /// How unevenly they are wanted.
    pub skew: Skew,
    /// The one that everybody wants.
    pub hot_sku: Option<HotSku>,
    /// Whose orders they are; none = those of the tenant `main`.
    pub tenants: Vec<String>,
    /// How many lines each order has; none = as its class has it.
    pub lines: Option<u32>,
    /// How many units each line has; none = as its class has it.
    pub quantity: Option<u32>,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            skus: 500,
            skew: Skew::Uniform,
            hot_sku: None,
            tenants: Vec::new(),
            lines: None,
            quantity: None,
        }
    }
}

/// How unevenly items are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Skew {
    /// All alike.
    Uniform,
    /// The second half as much as the first to this power, the third a third …
    Zipf(f64),
}

/// An item that everybody wants.
#[derive(Debug, Clone, PartialEq)]
pub struct HotSku {
    /// Which.
    pub sku: String,
    /// The part of orders that have it as their first line.
    pub share: f64,
    /// How many units there are; none = always enough.
    pub stock: Option<u32>,
}

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// When it begins.
    pub at: Duration,
    /// How long it lasts; zero for what happens at once.
    pub lasts: Duration,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FaultKind {
    /// A participant needs this long to answer.
    Slow(Participant, Duration, Duration),
    /// A participant takes nothing and answers nothing.
    Down(Participant),
    /// A participant refuses so many of a thousand commands for good.
    Declining(Participant, u32),
    /// A participant is down for the first half of each such period.
    Flapping(Participant, Duration),
    /// The server is killed (kill -9) and started again.
    Restart,
}

impl FaultKind {
    /// Who it befalls; none = the server.
    pub const fn participant(self) -> Option<Participant> {
        match self {
            Self::Slow(who, _, _) | Self::Down(who) | Self::Declining(who, _) | Self::Flapping(who, _) => {
                Some(who)
            }
            Self::Restart => None,
        }
    }
}

impl Fault {
    /// In words: `erp down`.
    pub fn label(&self) -> String {
        let what = match self.kind {
            FaultKind::Slow(..) => "slow",
            FaultKind::Down(_) => "down",
            FaultKind::Declining(..) => "declining",
            FaultKind::Flapping(..) => "flapping",
            FaultKind::Restart => return "kill -9 and restart".to_owned(),
        };
        self.kind.participant().map_or_else(|| what.to_owned(), |who| format!("{} {what}", who.as_str()))
    }
}

/// What must be true of every order, in the words of a scenario; each stands for several checks of the auditor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is explained by its key in the outline")]
pub enum Invariant {
    NoLost,
    ExactlyOneTerminal,
    MoneyBalances,
    NoDoubleEffect,
    NoOversell,
    FormOfContract,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::NoLost,
        Self::ExactlyOneTerminal,
        Self::MoneyBalances,
        Self::NoDoubleEffect,
        Self::NoOversell,
        Self::FormOfContract,
    ];

    /// Its key in `[invariants]`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoLost => "no_lost",
            Self::ExactlyOneTerminal => "exactly_one_terminal",
            Self::MoneyBalances => "money_balances",
            Self::NoDoubleEffect => "no_double_effect",
            Self::NoOversell => "no_oversell",
            Self::FormOfContract => "form_of_contract",
        }
    }

    /// Can it be judged without the books of the participants?
    pub const fn is_seen_without_books(self) -> bool {
        matches!(self, Self::NoLost | Self::ExactlyOneTerminal | Self::FormOfContract)
    }

    /// The checks of the auditor that it stands for.
    pub const fn checks(self) -> &'static [&'static str] {
        match self {
            Self::NoLost => &[
                "order-ends",
                "reservation-ends",
                "events-are-dense",
                "pages-in-order",
                "dead-letters-are-expected",
            ],
            Self::ExactlyOneTerminal => &["final-is-final", "receipt-is-true", "reservation-ends-once"],
            Self::MoneyBalances => &[
                "captured-is-departed",
                "authorized-is-spent",
                "points-are-spent",
                "accrual-is-the-rule",
                "documents-are-complete",
                "events-agree-with-ledgers",
            ],
            Self::NoDoubleEffect => {
                &["key-applied-once", "key-has-one-payload", "effect-key-stays", "documents-in-order"]
            }
            Self::NoOversell => &[
                "units-are-conserved",
                "stock-is-conserved",
                "stock-is-told",
                "stock-is-not-oversold",
                "no-hold-is-left",
                "uses-are-within-limits",
            ],
            Self::FormOfContract => &["form"],
        }
    }
}

/// How participants behave at one moment.
pub type Behaviours = Profiles;
