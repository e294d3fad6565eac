//! How often a promotion or a coupon may be used: from reference data, as of the decision.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The limits of one promotion or coupon. A limit that is lowered below what is taken already refuses new uses and takes nothing away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// The numbers.
    pub most: Most,
    /// In which channels; none named = all.
    pub channels: Vec<Arc<str>>,
    /// From when on; none = since ever.
    pub from: Option<Timestamp>,
    /// Until when; none = for ever.
    pub until: Option<Timestamp>,
}

/// The numbers of [`Limits`]; recorded with what was taken under them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Most {
    /// How often at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// For how much at all, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_minor: Option<i64>,
    /// How often by one customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_customer: Option<u32>,
}

/// The rules of a counter: limits by the key of the counter, and bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// The limits by key, `promotion~<id>` or `coupon~<code>`; one that is not there has none.
    pub limits: Arc<BTreeMap<Arc<str>, Limits>>,
    /// How many claims may live in one counter; the bytes of a snapshot bound them as well.
    pub claims_most: usize,
    /// How many customers one counter tells apart. Further ones are refused for now, as nobody could say how often they used it.
    pub customers_most: usize,
}

impl Default for Policies {
    fn default() -> Self {
        Self { limits: Arc::default(), claims_most: 10_000, customers_most: 18_000 }
    }
}
