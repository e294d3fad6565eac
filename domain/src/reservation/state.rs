//! What is known about one reservation.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::content::Content;
use super::effect::{Effect, Units};
use super::event::End;
use crate::ids::{Key, Token};
use crate::reason::Reason;
use crate::sharing::Shared;
use crate::sourcing::Record;
use crate::time::Timestamp;

/// Where a reservation stands (LIFECYCLE 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Nobody has asked for it.
    #[default]
    Unborn,
    /// Being taken, one cell after the other.
    Requested,
    /// All is held; it may still be let go.
    Soft,
    /// It is sold, and not every cell knows yet.
    Committing,
    /// Sold.
    Hard,
    /// It could not be held.
    Refused,
    /// Its time was over.
    Expired,
    /// It was not needed any more.
    Released,
    /// Its units have left.
    Consumed,
}

impl Phase {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 9] = [
        Self::Unborn,
        Self::Requested,
        Self::Soft,
        Self::Committing,
        Self::Hard,
        Self::Refused,
        Self::Expired,
        Self::Released,
        Self::Consumed,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unborn => "unborn",
            Self::Requested => "requested",
            Self::Soft => "soft",
            Self::Committing => "committing",
            Self::Hard => "hard",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Released => "released",
            Self::Consumed => "consumed",
        }
    }

    /// Nothing leads out of it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Refused | Self::Expired | Self::Released | Self::Consumed)
    }

    /// It is sold.
    pub const fn is_sold(self) -> bool {
        matches!(self, Self::Committing | Self::Hard)
    }
}

impl From<End> for Phase {
    fn from(end: End) -> Self {
        match end {
            End::Expired => Self::Expired,
            End::Released => Self::Released,
            End::Consumed => Self::Consumed,
        }
    }
}

/// What a claim is made on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Units of a line at a node.
    Cell {
        /// Index of the line.
        line: u16,
        /// The node.
        node: Arc<str>,
    },
    /// Uses: index of the counter.
    Counter(u16),
}

/// How far a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimState {
    /// Its turn has not come.
    Planned,
    /// Asked for.
    Taking,
    /// It waits in the cell's queue.
    Waiting,
    /// Held.
    Soft,
    /// Being sold.
    Hardening,
    /// Sold.
    Hard,
    /// Its cell said no.
    Refused,
    /// It was held, and its cell lost it before it was sold: other claims stand for its units.
    Reassigned,
    /// Given back.
    Released,
    /// Left.
    Consumed,
}

impl ClaimState {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Taking => "taking",
            Self::Waiting => "waiting",
            Self::Soft => "soft",
            Self::Hardening => "hardening",
            Self::Hard => "hard",
            Self::Refused => "refused",
            Self::Reassigned => "reassigned",
            Self::Released => "released",
            Self::Consumed => "consumed",
        }
    }

    /// Its cell holds it, as far as we know.
    pub const fn is_held(self) -> bool {
        matches!(self, Self::Soft | Self::Hardening | Self::Hard)
    }

    /// Its cell may know of it.
    pub const fn may_be_known(self) -> bool {
        matches!(self, Self::Taking | Self::Waiting | Self::Soft | Self::Hardening | Self::Hard)
    }

    /// Nothing happens to it any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Refused | Self::Reassigned | Self::Released | Self::Consumed)
    }
}

/// Units or uses at one cell or counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Where.
    pub target: Target,
    /// What was asked for.
    pub quantity: u32,
    /// What of it stands for the reservation now.
    pub open: u32,
    /// What is not needed of it and goes back as soon as it is answered.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub surplus: u32,
    /// What has left of it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub consumed: u32,
    /// Since when it may wait in the cell's queue; none = it is refused where there is not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_since: Option<Timestamp>,
    /// When the cell expects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised_at: Option<Timestamp>,
    /// How far it is.
    pub state: ClaimState,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
const fn is_zero(units: &u32) -> bool {
    *units == 0
}

/// Units of a line that no claim stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Index of the line.
    pub line: u16,
    /// How many.
    pub quantity: u32,
    /// Where they will wait once they are sold; none = they cannot be filled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Arc<str>>,
}

/// Units of a line that are done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LineUnits {
    /// Left, from where they were held.
    pub consumed: u32,
    /// Left, from where they were not held.
    pub unclaimed: u32,
    /// Not needed any more.
    pub released: u32,
    /// Sold, and never found.
    pub given_up: u32,
}

/// What a cell had when it refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedCell {
    /// What was asked for.
    pub sku: Arc<str>,
    /// Where.
    pub node: Arc<str>,
    /// Under which promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<Arc<str>>,
    /// How much there was.
    pub available: u32,
    /// It would not even let units wait.
    pub is_closed: bool,
}

impl RefusedCell {
    /// Is it this cell, asked under this promotion?
    pub fn is(&self, sku: &str, node: &str, promotion: Option<&str>) -> bool {
        *self.sku == *sku && *self.node == *node && self.promotion.as_deref() == promotion
    }
}

/// Everything about one reservation. The default is one that nobody has heard of. Persisted in snapshots: names and meaning
/// stay, and a new field needs a value that older snapshots mean by its absence.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Where it stands.
    pub phase: Phase,
    /// Who it is; none while unborn.
    pub id: Option<(Token, Key)>,
    /// What was asked for; none while unborn, and if it was released before.
    pub content: Option<Arc<Content>>,
    /// What is done with, by line.
    pub lines: Shared<Vec<LineUnits>>,
    /// Claims, in the order they were planned.
    pub claims: Shared<Vec<Claim>>,
    /// Units that no claim stands for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// Cells that refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused_cells: Vec<RefusedCell>,
    /// How often nodes were chosen again.
    pub tries: u16,
    /// The order that it is for.
    pub order_id: Option<Key>,
    /// Does that order know? Then it is told everything, and it alone lets go.
    pub is_an_orders: bool,
    /// When it ends by itself; none = its order ends it.
    pub expires_at: Option<Timestamp>,
    /// When it was sold.
    pub committed_at: Option<Timestamp>,
    /// When it is told that its order does nothing; none = it was, or nobody has to do anything.
    pub overdue_at: Option<Timestamp>,
    /// Was that told?
    pub overdue: bool,
    /// When units without a node are looked for again.
    pub look_again_at: Option<Timestamp>,
    /// When they are given up.
    pub give_up_at: Option<Timestamp>,
    /// How it was settled, and at which version.
    pub outcome: Option<(u64, Option<Reason>)>,
    /// What there would have been of the lines that failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub available: Vec<Units>,
    /// Open letters, oldest first.
    pub effects: Shared<Vec<Effect>>,
    /// The last ordinal of a letter.
    pub letters: u32,
    /// Movements and releases that were applied, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<Arc<str>>,
    /// Why the nodes are the ones they are: the newest decision.
    pub record: Option<Arc<Record>>,
}

impl State {
    /// What was asked for.
    ///
    /// # Panics
    /// If nothing was: callers judge the phase first.
    pub fn content(&self) -> &Content {
        self.content.as_ref().expect("a reservation that was asked for has its content")
    }

    /// The claim with this index.
    pub fn claim(&self, index: u16) -> &Claim {
        &self.claims[usize::from(index)]
    }

    /// All claims with their indexes.
    pub fn indexed(&self) -> impl Iterator<Item = (u16, &Claim)> {
        (0_u16..).zip(&self.claims)
    }

    /// The open letter with this id.
    pub fn effect(&self, id: &str) -> Option<&Effect> {
        self.effects.iter().find(|effect| *effect.id == *id)
    }

    /// The key of the cell or counter of a claim.
    pub fn target_key(&self, target: &Target) -> String {
        let content = self.content();
        match target {
            Target::Cell { line, node } => format!("{}~{node}", content.line(*line).sku),
            Target::Counter(counter) => {
                let used = &content.asked.counters[usize::from(*counter)];
                format!("{}~{}", used.counter.as_str(), used.id)
            }
        }
    }

    /// `<reservation>:<line>:<ordinal>`, of a counter `<reservation>:<counter key>`.
    pub fn claim_id(&self, index: u16) -> String {
        let content = self.content();
        let target = &self.claim(index).target;
        match target {
            Target::Cell { line, .. } => {
                format!("{}:{}:{}", content.reservation_id, content.line(*line).line, u32::from(index) + 1)
            }
            Target::Counter(_) => format!("{}:{}", content.reservation_id, self.target_key(target)),
        }
    }

    /// The claim with this id.
    pub fn claim_named(&self, id: &str) -> Option<u16> {
        self.content.as_ref()?;
        self.indexed().map(|(index, _)| index).find(|index| self.claim_id(*index) == id)
    }

    /// Units of a line that stand for it: claims that are not over, and what is missing.
    pub fn open_units(&self, line: u16) -> u32 {
        let claimed = self.claims.iter().filter(
            |claim| matches!(&claim.target, Target::Cell { line: of, .. } if *of == line && !claim.state.is_over()),
        );
        let missing = self.missing.iter().filter(|missing| missing.line == line);
        claimed.map(|claim| claim.open).sum::<u32>() + missing.map(|missing| missing.quantity).sum::<u32>()
    }

    /// Does any unit still stand for it?
    pub fn any_open(&self) -> bool {
        !self.missing.is_empty()
            || self.claims.iter().any(|claim| {
                matches!(claim.target, Target::Cell { .. }) && !claim.state.is_over() && claim.open > 0
            })
    }

    /// The nodes where units of it are or shall be, and how many, with those of the same claims that have left.
    pub fn used_nodes(&self) -> Vec<(Arc<str>, u32)> {
        let mut nodes = BTreeMap::<Arc<str>, u32>::new();
        for claim in self.claims.iter().filter(|claim| !claim.state.is_over()) {
            let units = claim.open + claim.consumed;
            if let Target::Cell { node, .. } = &claim.target
                && units > 0
            {
                *nodes.entry(Arc::clone(node)).or_default() += units;
            }
        }
        nodes.into_iter().collect()
    }

    /// Units that were sold and have no node and no place to wait, by line.
    pub fn nowhere(&self) -> Vec<Units> {
        let nowhere = self.missing.iter().filter(|missing| missing.node.is_none());
        nowhere.map(|missing| Units { line: missing.line, quantity: missing.quantity }).collect()
    }

    /// Has any unit left?
    pub fn any_left(&self) -> bool {
        self.lines.iter().any(|line| line.consumed + line.unclaimed > 0)
    }
}
