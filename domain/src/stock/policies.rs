//! The rules of a stock cell that can be configured, with their defaults.

use serde::{Deserialize, Serialize};

/// What a cell does while nothing is heard of its stock for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StalePolicy {
    /// It sells what was known last, less a buffer.
    #[default]
    UseLastKnownMinusBuffer,
    /// It sells nothing, and nothing soft is promised.
    StopSelling,
    /// Everything that may wait waits; what is held stays held.
    AcceptAsBackorder,
}

impl StalePolicy {
    /// The word in configuration, events and views.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UseLastKnownMinusBuffer => "use_last_known_minus_buffer",
            Self::StopSelling => "stop_selling",
            Self::AcceptAsBackorder => "accept_as_backorder",
        }
    }
}

/// The rules of a cell that can be configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policies {
    /// How many claims may live or wait in one cell; the bytes of a snapshot bound them as well.
    pub claims_most: usize,
    /// After how long without a fact what is known is too old, in milliseconds; 0 = never.
    pub stale_after_ms: i64,
    /// What is done then.
    pub when_stale: StalePolicy,
    /// Units that are not sold then, under `use_last_known_minus_buffer`.
    pub stale_buffer: u32,
    /// Crossings of these numbers of units that can be sold are told; 0 = sold out.
    pub thresholds: Vec<u32>,
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            claims_most: 10_000,
            stale_after_ms: 0,
            when_stale: StalePolicy::default(),
            stale_buffer: 0,
            thresholds: Vec::new(),
        }
    }
}
