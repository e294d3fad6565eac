//! What participants really did: one entry for each idempotency key that was applied, one for each parcel that left.

use crate::contract::{Command, LineQuantity};

/// One line in the books of a participant.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The order.
    pub order: &'a str,
    /// The idempotency key that was applied; for a parcel, what tells it apart from others.
    pub key: &'a str,
    /// The effect that was answered; empty for what happened unasked.
    pub effect_id: &'a str,
    /// What changed.
    pub change: &'a Change,
}

/// What an applied command, or a parcel, changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Points are set aside.
    PointsReserved(i64),
    /// Points were not set aside.
    PointsRefused,
    /// Reserved points are used up.
    PointsFinalized(i64),
    /// Reserved points are free again.
    PointsReleased(i64),
    /// Points were earned (or, if negative, taken back).
    PointsAccrued(i64),
    /// A card is good for this amount.
    Authorized {
        /// Which card.
        tender: String,
        /// Minor units.
        amount_minor: i64,
    },
    /// A card is not good for it.
    Declined,
    /// Money was taken.
    Captured {
        /// From which card.
        tender: String,
        /// Minor units.
        amount_minor: i64,
    },
    /// An authorization was given up, in whole or in part.
    Voided {
        /// Of which card.
        tender: String,
        /// Minor units.
        amount_minor: i64,
    },
    /// Units were assigned to nodes.
    Allocated {
        /// The units by line.
        units: Vec<LineQuantity>,
        /// What was asked for but not assigned.
        refused: Vec<LineQuantity>,
    },
    /// Nothing of these lines was assigned.
    AllocationRefused(Vec<LineQuantity>),
    /// Assigned units were given back.
    AllocationReleased(Vec<LineQuantity>),
    /// A node has work to do.
    ShipmentAccepted,
    /// A node lets go of units.
    CancelAccepted,
    /// A node does not let go of units.
    CancelRejected,
    /// A parcel left.
    Departed {
        /// From where.
        node: String,
        /// With which units.
        lines: Vec<LineQuantity>,
    },
    /// A document stands in the ERP.
    Posted(String),
    /// A document was refused for good.
    PostRefused,
}

impl Change {
    /// Is it a definite no, after which another attempt under a new key is right?
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::PointsRefused
                | Self::Declined
                | Self::AllocationRefused(_)
                | Self::CancelRejected
                | Self::PostRefused
        )
    }
}

/// Somebody who watches what participants are told and what they do about it.
pub trait Witness: Send + Sync + std::fmt::Debug {
    /// A participant has read this command, for the first time or again.
    fn command(&self, command: &Command<'_>);

    /// A participant has written this into its books; comes before anybody is answered.
    fn applied(&self, entry: Entry<'_>);

    /// A participant could not read a message.
    fn unreadable(&self, what: &str);
}
