//! Where the stock of an order comes from, as it was decided at its submit. Most orders are allocated outside and use nothing
//! that is limited: they have none of this, and it costs them nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ledgers::is_default;
use crate::ids::Key;
use crate::messages::inbound::{FulfillmentPolicy, Submit};
use crate::messages::json::JsonObject;
use crate::money::Minor;
use crate::reference::Reference;

/// What has a number of uses or a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CounterKind {
    /// A promotion that prices of lines come from.
    Promotion,
    /// A coupon code.
    Coupon,
}

impl CounterKind {
    /// The word in letters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promotion => "promotion",
            Self::Coupon => "coupon",
        }
    }
}

/// How much of a promotion or coupon with limits the order uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterUse {
    /// Promotion or coupon.
    pub counter: CounterKind,
    /// Which one.
    pub id: Arc<str>,
    /// A promotion is used once for each unit of its lines, a coupon once.
    pub uses: u64,
    /// What is sold under it, tax included: its lines for a promotion, the order for a coupon.
    pub amount_minor: Minor,
}

/// Where the stock comes from, frozen with the submit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Supply {
    /// When and by whom it is set aside.
    pub policy: FulfillmentPolicy,
    /// The reservation that the customer made, with `use_reservation`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reservation_id: Option<Key>,
    /// The promotions and coupons that have limits.
    #[serde(default, skip_serializing_if = "is_default")]
    pub counters: Vec<CounterUse>,
    /// May units wait for stock that is to come?
    #[serde(default, skip_serializing_if = "is_default")]
    pub backorder: bool,
    /// Over how many nodes the order may be split at most.
    #[serde(default, skip_serializing_if = "is_default")]
    pub split_limit: Option<u16>,
    /// May it look for stock of its own if the reservation cannot be used?
    #[serde(default, skip_serializing_if = "is_default")]
    pub fresh_hold: bool,
    /// Where the goods go: `ship_to.region`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub region: Option<Arc<str>>,
    /// Where the customer fetches them: `ship_to.pickup_node`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pickup_node: Option<Arc<str>>,
    /// The promotions that lines of our own stock are sold under, by the index of the line: units may be set aside for them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub promotions: Vec<(u16, Arc<str>)>,
}

impl Supply {
    /// Does our own stock serve the order?
    pub fn is_own(&self) -> bool {
        self.policy != FulfillmentPolicy::ExternalAllocation
    }

    /// The promotion that the line with this index is sold under.
    pub fn promotion_of(&self, line: u16) -> Option<&str> {
        self.promotions.iter().find(|(of, _)| *of == line).map(|(_, promotion)| &**promotion)
    }
}

/// How stock is set aside where the submit does not say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StockPolicies {
    /// The policy of an order that names none, and no reservation.
    pub policy: FulfillmentPolicy,
    /// May units wait for stock that is to come?
    pub backorder: bool,
    /// Over how many nodes an order may be split at most; 0 = any number.
    pub split_limit: u16,
    /// May an order whose reservation expired, is unknown or does not fit look for stock of its own?
    pub fresh_hold: bool,
    /// How many reservations a committed order makes at most before it gives up what could not be held.
    pub reservations_most: u16,
    /// Tells `demand.signal` also of orders that are allocated outside.
    pub signal_external_demand: bool,
    /// Milliseconds until a letter that was not answered is written again.
    pub first_ms: i64,
    /// The longest wait between two sends of a letter, in milliseconds.
    pub most_ms: i64,
}

impl Default for StockPolicies {
    fn default() -> Self {
        Self {
            policy: FulfillmentPolicy::ExternalAllocation,
            backorder: false,
            split_limit: 0,
            fresh_hold: true,
            reservations_most: 4,
            signal_external_demand: true,
            first_ms: 2_000,
            most_ms: 30_000,
        }
    }
}

/// Decides where the stock of a new order comes from. None = allocated outside, and nothing of it is limited.
///
/// # Errors
/// What makes no sense together: the field, its value, and what to do.
pub(super) fn choose(
    submit: &Submit,
    rules: &StockPolicies,
    reference: &Reference,
) -> Result<Option<Supply>, String> {
    let policy = policy(submit, rules)?;
    let counters = counters(submit, reference);
    if policy == FulfillmentPolicy::ExternalAllocation && counters.is_empty() {
        return Ok(None);
    }
    if policy != FulfillmentPolicy::ExternalAllocation {
        check_skus(submit, policy)?;
    }
    let place = |field: &str| submit.ship_to.as_ref().and_then(|place| text_of(place, field));
    Ok(Some(Supply {
        policy,
        reservation_id: submit.reservation_id.clone(),
        counters,
        backorder: rules.backorder,
        split_limit: (rules.split_limit > 0).then_some(rules.split_limit),
        fresh_hold: rules.fresh_hold,
        region: place("region"),
        pickup_node: place("pickup_node"),
        promotions: if policy == FulfillmentPolicy::ExternalAllocation {
            Vec::new()
        } else {
            promotions(submit)
        },
    }))
}

fn policy(submit: &Submit, rules: &StockPolicies) -> Result<FulfillmentPolicy, String> {
    let asked = submit.fulfillment.as_ref().map(|wish| wish.policy);
    match (asked, &submit.reservation_id) {
        (Some(FulfillmentPolicy::UseReservation), None) => {
            Err("fulfillment.policy is use_reservation, but reservation_id is missing; give the reservation_id, or \
                 choose hold_at_submit"
                .to_owned())
        }
        (Some(FulfillmentPolicy::UseReservation) | None, Some(_)) => Ok(FulfillmentPolicy::UseReservation),
        (Some(other), Some(id)) => Err(format!(
            "reservation_id is {id}, but fulfillment.policy is {}; leave one of them out, or choose use_reservation",
            other.as_str()
        )),
        (Some(policy), None) => Ok(policy),
        (None, None) => Ok(rules.policy),
    }
}

/// The longest sku that has stock: with `~` and the longest id of a node it is the key of a cell.
const SKU_MOST: usize = 47;

fn check_skus(submit: &Submit, policy: FulfillmentPolicy) -> Result<(), String> {
    let has_stock = |sku: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        sku.len() <= SKU_MOST && sku.bytes().all(allowed)
    };
    match submit.lines.iter().position(|line| !has_stock(line.sku.as_str())) {
        None => Ok(()),
        Some(at) => Err(format!(
            "lines[{at}].sku is {:?}, which cannot have stock of ours: it needs the form [A-Za-z0-9_-]{{1,{SKU_MOST}}}; \
             correct it, or choose external_allocation instead of {}",
            submit.lines[at].sku.as_str(),
            policy.as_str()
        )),
    }
}

/// What each line is sold under.
fn promotions(submit: &Submit) -> Vec<(u16, Arc<str>)> {
    let lines = (0_u16..).zip(submit.lines.iter());
    lines.filter_map(|(index, line)| Some((index, line.promotion.as_ref()?.id.share()))).collect()
}

/// What the order uses of promotions and coupons with limits, each named once. What the reference data does not name is free.
fn counters(submit: &Submit, reference: &Reference) -> Vec<CounterUse> {
    let mut counters: Vec<CounterUse> = Vec::new();
    if reference.promotions().len() > 0 {
        for line in &submit.lines {
            let Some(promotion) = &line.promotion else { continue };
            if reference.promotion(promotion.id.as_str()).is_none() {
                continue;
            }
            let uses = u64::from(line.quantity.get());
            let amount_minor = line.net_minor.get().saturating_add(line.tax_minor.get());
            match counters.iter_mut().find(|known| *known.id == *promotion.id.as_str()) {
                Some(known) => {
                    known.uses = known.uses.saturating_add(uses);
                    known.amount_minor = known.amount_minor.saturating_add(amount_minor);
                }
                None => counters.push(CounterUse {
                    counter: CounterKind::Promotion,
                    id: promotion.id.share(),
                    uses,
                    amount_minor,
                }),
            }
        }
    }
    if reference.coupons().len() > 0 {
        let mut codes = BTreeSet::new();
        for code in submit.coupons.iter().filter(|code| reference.coupon(code.as_str()).is_some()) {
            if codes.insert(code.as_str()) {
                counters.push(CounterUse {
                    counter: CounterKind::Coupon,
                    id: code.share(),
                    uses: 1,
                    amount_minor: submit.total_minor.get(),
                });
            }
        }
    }
    counters
}

/// A text field of an object that is passed on unread otherwise.
fn text_of(object: &JsonObject, field: &str) -> Option<Arc<str>> {
    let object: serde_json::Value = serde_json::to_value(object).ok()?;
    object.get(field)?.as_str().filter(|text| !text.is_empty()).map(Into::into)
}
