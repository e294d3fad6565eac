//! What a person must look at, and why an order stands still. Recorded as they are.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::money::{Minor, Points};

/// What an exception is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptionKind {
    /// A participant answered another amount than asked.
    AmountDiffers,
    /// A participant refused what has no other way yet.
    EffectRefused,
    /// More units left than the order has.
    DepartedTooMuch,
    /// Units left of an order that is not committed.
    DepartedUncommitted,
    /// An answer fits several open effects.
    AmbiguousAnswer,
    /// No answer for as long as the participant remembers the key.
    NoAnswer,
    /// A value that this version does not know.
    UnknownValue,
}

impl ExceptionKind {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AmountDiffers => "amount_differs",
            Self::EffectRefused => "effect_refused",
            Self::DepartedTooMuch => "departed_too_much",
            Self::DepartedUncommitted => "departed_uncommitted",
            Self::AmbiguousAnswer => "ambiguous_answer",
            Self::NoAnswer => "no_answer",
            Self::UnknownValue => "unknown_value",
        }
    }
}

/// Something a person must look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// From 1, in the order they were opened.
    pub id: u32,
    /// What it is about.
    pub kind: ExceptionKind,
    /// In words: what came, what was expected.
    pub cause: Arc<str>,
    /// Money at risk, in minor units.
    pub exposure_minor: Minor,
    /// Points at risk.
    pub exposure_points: Points,
    /// The effect that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect_id: Option<Arc<str>>,
}

/// Why an order stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldType {
    /// The commit deadline passed while the outcome of an effect is unknown.
    UnknownOutcome,
}

impl HoldType {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownOutcome => "unknown_outcome",
        }
    }
}
