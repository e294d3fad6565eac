//! What can happen to a cell, as it is recorded. Persisted: names and meaning stay, see the golden files.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::feed::Stale;
use super::said::Said;
use crate::time::Timestamp;

/// A fact as it was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Its `movement_id`.
    pub movement: Arc<str>,
    /// When it was applied.
    pub at: Timestamp,
    /// When what is known is too old, if nothing else comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_until: Option<Timestamp>,
    /// What it said; none in records of versions that did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
}

/// Why a fact changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassedOver {
    /// It happened before the last count, so the count has it.
    IncludedInCount,
    /// As many promotions as may be have units set aside.
    NotSetAside,
    /// Its movement came before and said something else. That one counts, and nothing is remembered of this one.
    MovementConflict,
}

impl PassedOver {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IncludedInCount => "included_in_count",
            Self::NotSetAside => "not_set_aside",
            Self::MovementConflict => "movement_conflict",
        }
    }
}

/// A claim that cannot be served if nothing comes in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Victim {
    /// The claim.
    pub claim: Arc<str>,
    /// How many of its units.
    pub quantity: u32,
    /// Are they promised?
    pub hard: bool,
}

/// What happened. `claim` names a claim by its id. What is large and rare is kept elsewhere: one of all kinds takes as much room as
/// the largest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the fields repeat the words of the contract; each variant says what they mean together"
)]
pub enum Event {
    /// A claim holds units (A1), or one that waited is served (A8).
    Taken {
        claim: Arc<str>,
        quantity: u32,
        #[serde(default, skip_serializing_if = "is_false")]
        hard: bool,
        /// The promotion that has units set aside here.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        promotion: Option<Arc<str>>,
    },
    /// A claim waits for stock.
    Queued {
        claim: Arc<str>,
        quantity: u32,
        hard: bool,
        since: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        promotion: Option<Arc<str>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        promised_at: Option<Timestamp>,
    },
    /// Its units are promised, or will be once they are there (A3).
    Hardened { claim: Arc<str> },
    /// Units of a claim departed (A6), and maybe more than it held (A7).
    Consumed {
        claim: Arc<str>,
        quantity: u32,
        #[serde(default, skip_serializing_if = "is_zero")]
        beyond: u32,
        movement: Arc<str>,
        at: Timestamp,
    },
    /// Units departed that nobody held (A7): `claim` still waited for them, if there is one.
    ConsumedUnclaimed {
        reservation: Arc<str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        claim: Option<Arc<str>>,
        quantity: u32,
        movement: Arc<str>,
        at: Timestamp,
    },
    /// Units of a claim are free again, or not waited for any more (A4, A5). What is there stays.
    GivenBack { claim: Arc<str>, quantity: u32, release: Arc<str> },
    /// Somebody counted. `changed` units came since, so there are `difference` more than we knew of: a drift, unless it is the first
    /// count.
    Counted {
        fact: Box<Fact>,
        on_hand: i64,
        as_of: Timestamp,
        changed: i64,
        difference: i64,
        #[serde(default, skip_serializing_if = "is_false")]
        is_first: bool,
        safety: u32,
        oversell_cap: u32,
    },
    /// Units came in (A8).
    Received {
        fact: Box<Fact>,
        quantity: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Arc<str>>,
    },
    /// Units were found or lost (A9).
    Adjusted { fact: Box<Fact>, delta: i64, reason: Arc<str> },
    /// Units are expected.
    Announced { fact: Box<Fact>, quantity: u32, expected_at: Timestamp },
    /// Units are for a promotion alone; 0 = none any more.
    SetAside {
        fact: Box<Fact>,
        promotion: Arc<str>,
        quantity: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// The time of a promotion is over: what it has not used is for everybody.
    SetAsideEnded { promotion: Arc<str> },
    /// A fact changed nothing; `quantity` is what it would have added.
    PassedOver { fact: Box<Fact>, why: PassedOver, quantity: i64 },
    /// What is known is too old.
    FeedStale(Stale),
    /// A fact came again.
    FeedFresh,
    /// What can be sold crossed a threshold; none = it is above all of them.
    ThresholdCrossed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        threshold: Option<u32>,
    },
    /// More is held than there is and may be sold beyond it. 0 = no longer.
    Oversold {
        quantity: i64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        victims: Vec<Victim>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde wants")]
const fn is_zero(value: &u32) -> bool {
    *value == 0
}
