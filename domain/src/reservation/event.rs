//! What can happen to a reservation, as it is recorded. Persisted: names and meaning stay, see the golden files.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::content::Content;
use super::effect::{Kind, Units, UnitsAtNode};
use crate::ids::{Key, Token};
use crate::reason::Reason;
use crate::sourcing::{Record, Row, Shortage};
use crate::time::Timestamp;

/// How a reservation ended that was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Its time was over.
    Expired,
    /// It was not needed any more.
    Released,
    /// Its units have left.
    Consumed,
}

/// What happened. A claim is named by its index, a letter by its ordinal. What is large and rare is kept elsewhere: one of all
/// kinds takes as much room as the largest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant says what its fields mean together")]
pub enum Event {
    /// Somebody asked for it.
    Requested(Box<Content>),
    /// It was released before it was asked for: it never comes to be.
    Barred {
        tenant: Token,
        reservation_id: Key,
        reason: Box<Reason>,
        version: u64,
    },
    /// Nodes were chosen for units; `again` = for units that a cell refused or that had no node.
    Sourced {
        again: bool,
        rows: Vec<Row>,
        short: Vec<Shortage>,
        record: Arc<Record>,
    },
    /// Units without a node are looked for once more.
    LookedAgain {
        lines: Vec<Units>,
    },
    /// Everything is held.
    Held {
        version: u64,
        overdue_at: Option<Timestamp>,
    },
    /// It cannot be held; what there would have been of the lines that failed.
    Refused {
        reason: Box<Reason>,
        lines: Vec<Units>,
        version: u64,
    },
    /// It is for this order from now on, and does not expire while it is.
    Attached {
        order_id: Key,
        overdue_at: Timestamp,
    },
    Extended {
        expires_at: Timestamp,
    },
    /// It is sold with this order; `by_order` = the order itself said so.
    CommitAsked {
        order_id: Key,
        by_order: bool,
        at: Timestamp,
    },
    /// All that was held is sold.
    Committed {
        overdue_at: Option<Timestamp>,
    },
    /// A letter was decided and goes out.
    LetterWritten {
        kind: Kind,
        at: Timestamp,
        deadline: Timestamp,
    },
    /// It goes out again.
    LetterSent {
        letter: u32,
        deadline: Timestamp,
    },
    /// It was answered.
    LetterAnswered {
        letter: u32,
    },
    /// The cell or counter holds the claim.
    Taken {
        claim: u16,
        quantity: u32,
    },
    /// It does not, or not any more.
    NotTaken {
        claim: u16,
        available: u32,
        code: Arc<str>,
    },
    /// The claim waits in the cell's queue.
    Backordered {
        claim: u16,
        promised_at: Option<Timestamp>,
        deadline: Timestamp,
    },
    /// The claim is sold.
    Hardened {
        claim: u16,
    },
    /// Units left; the letters to the cells follow.
    Departed {
        movement_id: Arc<str>,
        rows: Vec<UnitsAtNode>,
    },
    /// Units left of which nobody knows what they are: no cell can be told.
    Unaccounted {
        movement_id: Arc<str>,
        line: u32,
        node: Arc<str>,
        quantity: u32,
    },
    /// An order released units (none = of those it named nothing was left); the letters to the cells follow.
    Released {
        release_id: Arc<str>,
        lines: Vec<Units>,
    },
    /// Units of a claim that is not answered yet are not needed: they go back when it is.
    ClaimCut {
        claim: u16,
        quantity: u32,
    },
    /// Units that no claim stands for are not needed.
    MissingCut {
        line: u16,
        quantity: u32,
    },
    /// Units that were sold have no node and may not wait: they are looked for again until they are given up.
    Parked {
        again: bool,
        look_again_at: Timestamp,
        give_up_at: Timestamp,
    },
    /// Units that had waited since they were sold have a node.
    Allocated {
        rows: Vec<UnitsAtNode>,
    },
    /// Units that were sold, that no node has and that may not wait will not come.
    GivenUp {
        lines: Vec<Units>,
    },
    /// Its order does nothing for too long; told once.
    Overdue,
    /// It is over; letters may still be open.
    Ended {
        end: End,
        reason: Option<Box<Reason>>,
        version: u64,
    },
}
