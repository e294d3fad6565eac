//! What was asked to be set aside, frozen.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::message::CounterKind;
use crate::ids::{Key, Token};
use crate::order::content::Origin;
use crate::time::Timestamp;

/// A line of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The number that who asked gave it.
    pub line: u32,
    /// What it is.
    pub sku: Arc<str>,
    /// How many units.
    pub quantity: u32,
    /// The only node that may serve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Arc<str>>,
    /// The promotion that it is sold under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<Arc<str>>,
}

/// A use of a promotion or coupon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterUse {
    /// Promotion or coupon.
    pub counter: CounterKind,
    /// Its id or code.
    pub id: Arc<str>,
    /// How often.
    pub uses: u32,
    /// For how much money, in minor units.
    pub amount_minor: i64,
    /// Who uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<Arc<str>>,
}

/// What shall be held, for whom, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The order that made it or that alone may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<Key>,
    /// Did an order make it? Then it has no end of its own: the order releases it.
    pub by_order: bool,
    /// Units.
    pub lines: Vec<Line>,
    /// Uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counters: Vec<CounterUse>,
    /// Is it sold already?
    pub hard: bool,
    /// May units wait for stock?
    pub backorder: bool,
    /// Where the goods go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    /// Where they were sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Arc<str>>,
    /// Where the customer collects them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pickup_node: Option<Arc<str>>,
    /// Over how many nodes they may be split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_limit: Option<u16>,
    /// How long it was asked to be held, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<i64>,
}

/// A reservation as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// The tenant.
    pub tenant: Token,
    /// The reservation.
    pub reservation_id: Key,
    /// What was asked: the same again is the same reservation.
    pub asked: Asked,
    /// Correlation and trace.
    pub origin: Origin,
    /// When it was asked for.
    pub at: Timestamp,
    /// When it ends by itself; none = its order ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

impl Content {
    /// The index of the line with this number.
    pub fn line_index(&self, number: u32) -> Option<u16> {
        let index = self.asked.lines.iter().position(|line| line.line == number)?;
        u16::try_from(index).ok()
    }

    /// The line with this index.
    pub fn line(&self, index: u16) -> &Line {
        &self.asked.lines[usize::from(index)]
    }
}
