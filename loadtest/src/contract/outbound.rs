//! Bodies of what shops send.

use serde::{Deserialize, Serialize};

/// The body of `order.submit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct Submit {
    pub order_id: String,
    pub channel: String,
    pub currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<Customer>,
    pub lines: Vec<Line>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fees: Vec<Fee>,
    pub total_minor: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redemption: Option<Redemption>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenders: Vec<Tender>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ship_to: Option<ShipTo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accrual: Option<Accrual>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coupons: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fulfillment: Option<Fulfillment>,
}

/// Where the goods come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct Fulfillment {
    pub policy: String,
}

impl Submit {
    /// Does stock that Doorbuster keeps serve it? Who says nothing is served by the allocation participant.
    pub fn is_own(&self) -> bool {
        let wish = self.fulfillment.as_ref();
        self.reservation_id.is_some() || wish.is_some_and(|wish| wish.policy != "external_allocation")
    }
}

/// Who buys, as opaque references.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct Customer {
    pub customer_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member_id: Option<String>,
}

/// One line: the amounts are for all its units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct Line {
    pub line: u32,
    pub sku: String,
    pub quantity: u32,
    pub net_minor: i64,
    pub tax_minor: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion: Option<Promotion>,
}

/// What made a line cheaper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct Promotion {
    pub id: String,
    pub version: u32,
}

/// One fee: due with the first shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct Fee {
    pub fee: String,
    pub net_minor: i64,
    pub tax_minor: i64,
}

/// What is paid in points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct Redemption {
    pub points: i64,
    pub value_minor: i64,
}

/// A card; without an amount it pays what is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct Tender {
    pub tender: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub gateway: String,
    pub token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_minor: Option<i64>,
}

/// Where it goes; passed on whole to allocation and nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct ShipTo {
    pub address_ref: String,
    pub region: String,
    pub postcode: String,
}

/// The order's own accrual rule: `points` for each `per_minor` of shipped card value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct Accrual {
    pub points: i64,
    pub per_minor: i64,
    pub rule: String,
}

/// Some units of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct LineQuantity {
    pub line: u32,
    pub quantity: u32,
}

/// The body of `order.cancel`; no lines = the whole order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct OrderCancel {
    pub order_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<LineQuantity>,
    pub reason: String,
    pub requested_by: String,
}

/// Units by line as rows, without those of zero.
pub fn quantities<'a>(units: impl IntoIterator<Item = (&'a u32, &'a u32)>) -> Vec<LineQuantity> {
    units
        .into_iter()
        .filter(|(_, units)| **units > 0)
        .map(|(line, units)| LineQuantity { line: *line, quantity: *units })
        .collect()
}
