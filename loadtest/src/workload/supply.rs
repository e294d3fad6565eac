//! Stock that Doorbuster keeps itself: which node has how much of what, and how orders get at it.

use serde_json::{Value, json};

use super::fate::{Ends, Fate, sku};
use super::plan::Planned;
use crate::chance::Dice;
use crate::contract::{Fulfillment, Hold, HoldLine, Promotion, Said, StockFact};
use crate::scenario::Data;

/// How an order gets its goods, in the words of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Units are held before the order is paid for.
    HoldAtSubmit,
    /// The customer holds them before there is an order.
    UseReservation,
    /// Units are taken once the order is committed.
    AllocateAfterCommit,
    /// The allocation participant decides.
    ExternalAllocation,
}

impl Policy {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::HoldAtSubmit, Self::UseReservation, Self::AllocateAfterCommit, Self::ExternalAllocation];

    /// The word in submits, and its key in `[stock]`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HoldAtSubmit => "hold_at_submit",
            Self::UseReservation => "use_reservation",
            Self::AllocateAfterCommit => "allocate_after_commit",
            Self::ExternalAllocation => "external_allocation",
        }
    }

    /// Its place in [`Policy::ALL`].
    pub const fn place(self) -> usize {
        self as usize
    }
}

/// A promotion or a coupon that can be used only so often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limited {
    /// The part of orders that wants it.
    pub share: f64,
    /// How often it can be used.
    pub uses: u32,
}

/// How stock is kept and used in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct StockPlan {
    /// How often which policy comes, by [`Policy::place`]; only their ratio counts, and one of them is not zero.
    pub policies: [u64; 4],
    /// How many nodes ship.
    pub nodes: u32,
    /// How many units there are of each item, all nodes together.
    pub units: u32,
    /// The part of orders beside which somebody holds goods and never buys them.
    pub abandoned: f64,
    /// Receipts and adjustments a second; some of them come twice, some late.
    pub facts_per_second: f64,
    /// Uses of a promotion, one for each unit of a line.
    pub promotion: Option<Limited>,
    /// Uses of a coupon, one for each order.
    pub coupon: Option<Limited>,
}

impl StockPlan {
    /// Everything is held at the submit; always enough of everything at three nodes.
    pub const PLENTY: Self = Self {
        policies: [1, 0, 0, 0],
        nodes: 3,
        units: 3_000_000,
        abandoned: 0.0,
        facts_per_second: 0.0,
        promotion: None,
        coupon: None,
    };
}

/// A hold that nobody buys from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abandoned {
    /// What is held.
    pub hold: Hold,
    /// The customer says that he does not need it; else its time passes.
    pub is_released: bool,
}

/// How long a customer may take to order what he holds, in milliseconds.
const CART_MS: u32 = 30_000;
/// The same for customers who never come back: nobody should have to wait for them.
const FORGOTTEN_MS: u32 = 1_500;

/// The stock of one run. Its items and limits are named after the run, so that runs against the same server do not meet.
#[derive(Debug, Clone)]
pub struct Supply {
    plan: StockPlan,
    run: String,
    data: Data,
}

impl Supply {
    /// Stock for `run` as `plan` says, of the items of `data`.
    pub fn new(plan: StockPlan, run: &str, data: Data) -> Self {
        Self { plan, run: run.to_owned(), data }
    }

    /// How it is kept and used.
    pub const fn plan(&self) -> &StockPlan {
        &self.plan
    }

    /// The item as it is known to the server.
    pub fn sku(&self, item: &str) -> String {
        format!("{}-{item}", self.run)
    }

    fn node(number: u32) -> String {
        format!("load-{}", number + 1)
    }

    /// The item that nobody buys: whoever gets one of it knows that everything is in force. It is at the last node.
    pub fn probe(&self) -> StockFact {
        let node = Self::node(self.plan.nodes.max(1) - 1);
        count(&self.sku("PROBE"), node, 1_000)
    }

    /// Limits first, then nodes: who knows the last node knows all of it.
    pub fn reference(&self) -> Vec<(String, Value)> {
        let mut values: Vec<(String, Value)> = self
            .limits()
            .into_iter()
            .map(|(kind, id, uses)| (format!("{kind}.{id}"), json!({ "uses": uses })))
            .collect();
        for number in 0..self.plan.nodes.max(1) {
            // The cheapest is not the same for everybody in life, but somebody has to be.
            let node = json!({ "kind": "warehouse", "region": "DE-BE", "capacity_per_day": 1_000_000_000, "sla_hours": 24,
                               "cost_minor": 390 + number, "pickup": false, "active": true });
            values.push((format!("node.{}", Self::node(number)), node));
        }
        values
    }

    /// What can be used only so often: `promotion` or `coupon`, its id, how often.
    pub fn limits(&self) -> Vec<(&'static str, String, u32)> {
        let (promotion, coupon) = (self.plan.promotion, self.plan.coupon);
        let promotion = promotion.map(|limited| ("promotion", self.sku("PROMOTION"), limited.uses));
        let coupon = coupon.map(|limited| ("coupon", self.sku("COUPON"), limited.uses));
        promotion.into_iter().chain(coupon).collect()
    }

    /// The first count of every item at every node that keeps it.
    pub fn counts(&self) -> impl Iterator<Item = StockFact> + '_ {
        let hot = self.data.hot_sku.iter().flat_map(move |hot| {
            let units = hot.stock.unwrap_or(self.plan.units);
            self.places(0, self.plan.nodes.max(1), units)
                .map(move |(node, units)| count(&self.sku(&hot.sku), node, units))
        });
        let items = (0..self.data.skus).flat_map(move |item| {
            let sku = self.sku(&format!("SKU-{item}"));
            self.places(item, self.kept_at(), self.plan.units)
                .map(move |(node, units)| count(&sku, node, units))
        });
        hot.chain(items)
    }

    /// At how many nodes an item is kept: not at all of them, so that orders of several lines are split.
    fn kept_at(&self) -> u32 {
        (self.plan.nodes.max(1) * 5).div_ceil(8)
    }

    /// Some neighbouring nodes with their shares of the units.
    fn places(&self, item: u64, kept_at: u32, units: u32) -> impl Iterator<Item = (String, u32)> + use<> {
        let nodes = self.plan.nodes.max(1);
        let first = u32::try_from(item % u64::from(nodes)).unwrap_or(0);
        (0..kept_at).map(move |place| {
            let share = units / kept_at + u32::from(place < units % kept_at);
            (Self::node((first + place) % nodes), share)
        })
    }

    /// What a warehouse says while orders come; units that it has lost may have been promised to somebody.
    pub fn later(&self, seed: u64, number: u64) -> StockFact {
        let mut dice = Dice::new(seed, &["fact", &number.to_string()]);
        let item = dice.below(self.data.skus);
        let place = dice.below(u64::from(self.kept_at()));
        let node = u32::try_from((item + place) % u64::from(self.plan.nodes.max(1))).unwrap_or(0);
        let said = if dice.happens(500) {
            Said::Received(dice.small(1, 9))
        } else {
            Said::Adjusted(*dice.pick(&[-2, -1, 1, 2, 3]))
        };
        StockFact {
            sku: self.sku(&format!("SKU-{item}")),
            node: Self::node(node),
            movement_id: format!("{}-m-{number}", self.run),
            said,
            is_late: dice.happens(100),
        }
    }

    /// Lets an order use the stock: its policy, its items, its promotion and coupon, and holds beside it.
    pub fn dress(&self, planned: &mut Planned, dice: &mut Dice) {
        let policy = self.policy(dice);
        self.limit(planned, dice);
        if dice.unit() < self.plan.abandoned {
            planned.abandoned = Some(self.abandoned(planned, dice));
        }
        if policy == Policy::ExternalAllocation {
            planned.submit.fulfillment = Some(Fulfillment { policy: policy.as_str().to_owned() });
            return;
        }
        for line in &mut planned.submit.lines {
            line.sku = self.own(&line.sku);
        }
        planned.legal = legal(planned, policy);
        if policy == Policy::UseReservation {
            let hold = cart(planned);
            planned.submit.reservation_id = Some(hold.reservation_id.clone());
            planned.cart = Some(hold);
        } else {
            planned.submit.fulfillment = Some(Fulfillment { policy: policy.as_str().to_owned() });
        }
    }

    fn policy(&self, dice: &mut Dice) -> Policy {
        let mut at = dice.below(self.plan.policies.iter().sum());
        for policy in Policy::ALL {
            let weight = self.plan.policies[policy.place()];
            if at < weight {
                return policy;
            }
            at -= weight;
        }
        Policy::ExternalAllocation
    }

    /// Nobody keeps what is out of stock, or short.
    fn own(&self, sku: &str) -> String {
        let short = sku.strip_prefix(sku::SHORT).map(|rest| format!("{}{rest}", sku::OUT_OF_STOCK));
        self.sku(short.as_deref().unwrap_or(sku))
    }

    fn limit(&self, planned: &mut Planned, dice: &mut Dice) {
        let wants = |limited: Option<Limited>, dice: &mut Dice| {
            limited.is_some_and(|limited| dice.unit() < limited.share)
        };
        if wants(self.plan.promotion, dice)
            && let Some(line) = planned.submit.lines.first_mut()
        {
            line.promotion = Some(Promotion { id: self.sku("PROMOTION"), version: 1 });
        }
        if wants(self.plan.coupon, dice) {
            planned.submit.coupons = vec![self.sku("COUPON")];
        }
    }

    fn abandoned(&self, planned: &Planned, dice: &mut Dice) -> Abandoned {
        let lines = planned.submit.lines.iter().take(2);
        let lines = lines.map(|line| HoldLine { line: line.line, sku: self.own(&line.sku), quantity: 1 });
        let reservation_id = format!("{}~x", planned.order_id());
        let hold = Hold { reservation_id, lines: lines.collect(), ttl_ms: FORGOTTEN_MS };
        Abandoned { hold, is_released: dice.happens(500) }
    }
}

/// The first count of an item at a node.
fn count(sku: &str, node: String, on_hand: u32) -> StockFact {
    let movement_id = format!("count-{sku}-{node}");
    let said = Said::Counted { on_hand, safety: 0, oversell_cap: 0 };
    StockFact { sku: sku.to_owned(), node, movement_id, said, is_late: false }
}

/// The customer holds all of it before he orders it.
fn cart(planned: &Planned) -> Hold {
    let lines = planned.submit.lines.iter();
    let lines =
        lines.map(|line| HoldLine { line: line.line, sku: line.sku.clone(), quantity: line.quantity });
    Hold { reservation_id: format!("{}~c", planned.order_id()), lines: lines.collect(), ttl_ms: CART_MS }
}

/// What is held before the commit is held whole or not at all.
fn legal(planned: &Planned, policy: Policy) -> Ends {
    let is_whole = policy != Policy::AllocateAfterCommit;
    match planned.fate {
        Fate::NothingInStock | Fate::LinesOutOfStock | Fate::UnitsOutOfStock if is_whole => Ends::REJECTED,
        Fate::UnitsOutOfStock if planned.submit.lines.len() == 1 => Ends::CANCELLED,
        _ => planned.legal,
    }
}
