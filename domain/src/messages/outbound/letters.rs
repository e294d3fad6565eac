//! What an order writes to its reservations. The same for every send of one effect.

use bytes::Bytes;
use serde::Serialize;

use crate::messages::outbound::commands::SkuQuantity;

/// What a promotion or a coupon with limits is used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CounterUse<'a> {
    /// `promotion` or `coupon`.
    pub counter: &'static str,
    /// Which one.
    pub id: &'a str,
    /// How often it is used.
    pub uses: u64,
    /// The value that is sold under it, in minor units.
    pub amount_minor: i64,
    /// Who uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<&'a str>,
}

/// Units of a line that shall be held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldLine<'a> {
    /// Which line.
    pub line: u32,
    /// What it is.
    pub sku: &'a str,
    /// How many units.
    pub quantity: u32,
    /// The promotion that it is sold under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion: Option<&'a str>,
}

/// `hold`: set these units and uses aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold<'a> {
    /// The reservation that shall be.
    pub reservation_id: &'a str,
    /// The order that it is for.
    pub order_id: &'a str,
    /// Which units.
    pub lines: Vec<HoldLine<'a>>,
    /// Which uses.
    pub counters: Vec<CounterUse<'a>>,
    /// The order is committed already.
    pub hard: bool,
    /// Where they were sold.
    pub channel: &'a str,
    /// Where the goods go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<&'a str>,
    /// Where the customer fetches them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pickup_node: Option<&'a str>,
    /// Over how many nodes they may be split at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_limit: Option<u16>,
    /// May units wait for stock that is to come?
    pub backorder: bool,
}

/// `attach`: the reservation is for this order from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Attach<'a> {
    /// The reservation that the customer made.
    pub reservation_id: &'a str,
    /// The order that it is for.
    pub order_id: &'a str,
    /// Which units the order needs.
    pub lines: Vec<SkuQuantity<'a>>,
}

/// `commit`: what was held is sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Commit<'a> {
    /// The reservation.
    pub reservation_id: &'a str,
    /// The order that it is for.
    pub order_id: &'a str,
}

/// Units of a line, at a node where one is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitsAt<'a> {
    /// Which line.
    pub line: u32,
    /// Which node; none = those that wait for stock first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<&'a str>,
    /// How many units.
    pub quantity: u32,
    /// What it is, where units have left: the reservation may know nothing of the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<&'a str>,
}

/// `consume`: these units have left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Consume<'a> {
    /// The reservation.
    pub reservation_id: &'a str,
    /// The order that it is for.
    pub order_id: &'a str,
    /// Names the departure: applied once.
    pub movement_id: &'a str,
    /// What left, and where from.
    pub lines: Vec<UnitsAt<'a>>,
}

/// `release`: these units, or all that is left, are not needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release<'a> {
    /// The reservation.
    pub reservation_id: &'a str,
    /// The order that it is for.
    pub order_id: &'a str,
    /// Names the release: applied once.
    pub release_id: &'a str,
    /// Everything, uses of promotions and coupons included; the reservation has ended then.
    pub all: bool,
    /// Which units, where it is not everything.
    pub lines: Vec<UnitsAt<'a>>,
    /// Why.
    pub reason: &'static str,
}

/// `allocation_seen`: the order knows that its units have a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AllocationSeen<'a> {
    /// The reservation.
    pub reservation_id: &'a str,
    /// Which allocation.
    pub allocation_id: &'a str,
}

/// A letter as it goes out: JSON.
///
/// # Panics
/// If `letter` cannot be written as JSON: texts, numbers and lists always can.
pub fn to_bytes<T: Serialize>(letter: &T) -> Bytes {
    serde_json::to_vec(letter).expect("texts, numbers and lists can always be written").into()
}
