//! What is known about the stock of one SKU at one node.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::feed::{Changes, Feed, SetAside};
use super::policies::StalePolicy;
use super::queue::Queue;
use crate::claims::{Book, Mark};
use crate::messages::outbound::stock_events::Level;
use crate::sharing::Shared;
use crate::time::Timestamp;

/// The most bytes that claims may take in a snapshot of a cell or a counter, live and waiting ones together. With everything else
/// that it keeps, which is bounded by number, a snapshot stays below 700 KB.
pub const MOST_CLAIM_BYTES: usize = 600_000;

/// Everything about one cell. The default is a cell of which nobody has told anything. Persisted in snapshots: names and meaning
/// stay, and a new field needs a value that older snapshots mean by its absence. A copy costs a few counters, however many claims
/// there are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Counts what happened: a greater one is newer.
    pub version: u64,
    /// Units that are there, held or not. Negative if more departed than was known of.
    #[serde(skip_serializing_if = "is_default")]
    pub on_hand: i64,
    /// Units that are never sold.
    #[serde(skip_serializing_if = "is_default")]
    pub safety: u32,
    /// Units that may be sold beyond what is there.
    #[serde(skip_serializing_if = "is_default")]
    pub oversell_cap: u32,
    /// Who holds what.
    #[serde(skip_serializing_if = "Book::is_untouched")]
    pub claims: Book,
    /// Who waits for what.
    #[serde(skip_serializing_if = "Queue::is_untouched")]
    pub waiting: Queue,
    /// How `on_hand` changed since the last count.
    #[serde(skip_serializing_if = "Changes::is_empty")]
    pub changes: Changes,
    /// What is known from outside.
    #[serde(skip_serializing_if = "is_default")]
    pub feed: Shared<Feed>,
    /// The least threshold that what can be sold is not above, as it was told last.
    #[serde(skip_serializing_if = "is_default")]
    pub standing: Option<u32>,
    /// How many units were missing when it was told last; 0 = none.
    #[serde(skip_serializing_if = "is_default")]
    pub oversold: i64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What a cell lets all decisions of its node look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Posted {
    /// Units that are there.
    pub on_hand: i64,
    /// Units that are held and may be let go.
    pub soft: i64,
    /// Units that are promised.
    pub hard: i64,
    /// Units that are never sold.
    pub safety: u32,
    /// Units that may be sold beyond what is there.
    pub oversell_cap: u32,
    /// Units that can be sold now.
    pub available: u32,
    /// Units that wait for stock.
    pub backordered: i64,
    /// Grows with everything that happens to the cell.
    pub version: u64,
    /// Is what is known too old?
    pub stale: bool,
    /// When the last fact came.
    pub as_of: Timestamp,
    /// When it was counted last; the first moment of all = never.
    pub counted_at: Timestamp,
    /// How many more units that count found than we knew of.
    pub drift: i64,
    /// Of promotions that have units set aside: how many can be sold under each. Mostly there are none.
    pub set_aside: Option<Arc<Vec<(Mark, u32)>>>,
}

impl Posted {
    /// Units that can be sold now under this promotion; none = under none.
    pub fn available_under(&self, promotion: Option<&str>) -> u32 {
        let asides = promotion.zip(self.set_aside.as_deref());
        let own = asides.and_then(|(promotion, asides)| {
            let mark = Mark::of_name(promotion);
            asides.iter().find(|(of, _)| *of == mark).map(|(_, available)| *available)
        });
        own.unwrap_or(self.available)
    }

    /// Units that are held beyond what is there and may be sold beyond it.
    pub fn missing(&self) -> i64 {
        (self.soft + self.hard - self.on_hand - i64::from(self.oversell_cap)).max(0)
    }
}

impl State {
    /// True once anything was told of the cell.
    pub const fn is_known(&self) -> bool {
        self.version > 0
    }

    /// Units that are neither held nor kept from `promotion` (none = no promotion): what those who wait may have. Negative if more is
    /// held than there is.
    pub fn free(&self, promotion: Option<&str>) -> i64 {
        let buffer = match self.feed.stale.map(|stale| (stale.policy, stale.buffer)) {
            None => 0,
            Some((StalePolicy::UseLastKnownMinusBuffer, buffer)) => i64::from(buffer),
            Some((StalePolicy::StopSelling | StalePolicy::AcceptAsBackorder, _)) => return 0,
        };
        let kept = i64::from(self.safety) + self.feed.unused_by_others(promotion) + buffer;
        self.on_hand - self.claims.live().units - kept + i64::from(self.oversell_cap)
    }

    /// Units that can be sold to who comes now (ATS): units that others wait for are theirs. Who waits without a promotion waits for
    /// nothing that is set aside.
    pub fn available(&self, promotion: Option<&str>) -> u32 {
        let own = promotion.and_then(|promotion| self.feed.aside(promotion)).map(SetAside::unused);
        let available = match own {
            None => self.free(promotion) - self.waiting.units(),
            Some(own) => {
                let promoted = self.waiting.promoted();
                let of_all = (self.free(None) - (self.waiting.units() - promoted)).max(0);
                self.free(promotion).min(own + of_all) - promoted
            }
        };
        u32::try_from(available.max(0)).unwrap_or(u32::MAX)
    }

    /// How many units are held beyond what is there and may be sold beyond it.
    pub fn missing(&self) -> i64 {
        (self.claims.live().units - self.on_hand - i64::from(self.oversell_cap)).max(0)
    }

    /// The next in the queue can be served.
    pub fn can_serve(&self) -> bool {
        self.waiting
            .head()
            .is_some_and(|(_, head)| i64::from(head.quantity) <= self.free(head.promotion.as_deref()))
    }

    /// The most bytes that claims take in a snapshot.
    pub const fn claim_bytes(&self) -> usize {
        self.claims.bytes() + self.waiting.bytes()
    }

    /// The numbers, as events tell them.
    pub fn level(&self) -> Level {
        Level {
            on_hand: self.on_hand,
            soft: self.claims.soft().units,
            hard: self.claims.hard().units,
            backordered: self.waiting.units(),
            available: self.available(None),
        }
    }

    fn available_by_promotion(&self) -> Option<Arc<Vec<(Mark, u32)>>> {
        let asides = &self.feed.set_aside;
        let row =
            |aside: &SetAside| (Mark::of_name(&aside.promotion), self.available(Some(&aside.promotion)));
        (!asides.is_empty()).then(|| Arc::new(asides.iter().map(row).collect()))
    }

    /// What decisions of the node may look at.
    pub fn posted(&self) -> Posted {
        Posted {
            on_hand: self.on_hand,
            soft: self.claims.soft().units,
            hard: self.claims.hard().units,
            safety: self.safety,
            oversell_cap: self.oversell_cap,
            available: self.available(None),
            backordered: self.waiting.units(),
            version: self.version,
            stale: self.feed.stale.is_some(),
            as_of: self.feed.heard_at,
            counted_at: self.feed.counted.map(|counted| counted.as_of).unwrap_or_default(),
            drift: self.feed.counted.map_or(0, |counted| counted.drift),
            set_aside: self.available_by_promotion(),
        }
    }
}
