//! Open letters of a reservation: to cells and counters, and to its order. None is ever given up: who must answer is one of us.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Units of a line at a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitsAtNode {
    /// Index of the line.
    pub line: u16,
    /// The node.
    pub node: Arc<str>,
    /// How many units.
    pub quantity: u32,
}

/// Units of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    /// Index of the line.
    pub line: u16,
    /// How many units.
    pub quantity: u32,
}

/// What is asked. A claim is named by its index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `take`: hold what the claim names.
    Take {
        /** The claim. */
        claim: u16,
    },
    /// `harden`: it is sold.
    Harden {
        /** The claim. */
        claim: u16,
    },
    /// `reopen`: its uses are final, and shall be given back.
    Reopen {
        /** The claim. */
        claim: u16,
    },
    /// `give_back`: so much of it is not needed.
    GiveBack {
        /** The claim. */
        claim: u16,
        /** Units or uses. */
        quantity: u32,
    },
    /// `consume`: so much of it has left.
    Consume {
        /** The claim. */
        claim: u16,
        /** Units. */
        quantity: u32,
    },
    /// `consume_unclaimed`: units have left from where none were held.
    ConsumeUnclaimed {
        /** Index of the line, if it is one of ours. */
        line: Option<u16>,
        /** What left. */
        sku: Arc<str>,
        /** From where. */
        node: Arc<str>,
        /** Units. */
        quantity: u32,
    },
    /// `reservation_allocated`: units that had waited have a node.
    TellAllocated {
        /** Which units. */
        rows: Vec<UnitsAtNode>,
    },
    /// `reservation_given_up`: units that had waited will not come.
    TellGivenUp {
        /** Which units. */
        rows: Vec<Units>,
    },
}

impl Kind {
    /// The middle of the effect's id.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Take { .. } => "reservation.take",
            Self::Harden { .. } => "reservation.harden",
            Self::Reopen { .. } => "reservation.reopen",
            Self::GiveBack { .. } => "reservation.give_back",
            Self::Consume { .. } => "reservation.consume",
            Self::ConsumeUnclaimed { .. } => "reservation.consume_unclaimed",
            Self::TellAllocated { .. } => "reservation.tell_allocated",
            Self::TellGivenUp { .. } => "reservation.tell_given_up",
        }
    }

    /// The claim that it is about.
    pub const fn claim(&self) -> Option<u16> {
        match self {
            Self::Take { claim }
            | Self::Harden { claim }
            | Self::Reopen { claim }
            | Self::GiveBack { claim, .. }
            | Self::Consume { claim, .. } => Some(*claim),
            Self::ConsumeUnclaimed { .. } | Self::TellAllocated { .. } | Self::TellGivenUp { .. } => None,
        }
    }
}

/// An open letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// `{tenant}:{reservation}:{kind}:{ordinal}`.
    pub id: Arc<str>,
    /// Counts the letters of the reservation, from 1; names movements and releases.
    pub ordinal: u32,
    /// What is asked.
    pub kind: Kind,
    /// How often it was sent.
    pub attempts: u32,
    /// When it was sent first.
    pub sent_at: Timestamp,
    /// When it is sent again.
    pub deadline: Timestamp,
}
