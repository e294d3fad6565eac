//! What is counted of an order: units by line, money by tender, points that pay and points that are earned.

use serde::{Deserialize, Serialize};

use crate::money::{Minor, Points};

/// Where the units of one line stand; the numbers add up to what was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LineUnits {
    /// Without a node.
    pub pending: u32,
    /// With a node, in a shipment.
    pub released: u32,
    /// Departed, not delivered.
    pub shipped: u32,
    /// Delivered.
    pub delivered: u32,
    /// Will not leave.
    pub cancelled: u32,
    /// Beside the sum: departed before the allocation was answered, which then counts as used.
    pub ahead: u32,
    /// Beside the sum: to be cancelled at the commit.
    pub noted: u32,
}

impl LineUnits {
    /// Units that have left.
    pub const fn departed(&self) -> u32 {
        self.shipped + self.delivered
    }

    /// Units that have left or still may.
    pub const fn live(&self) -> u32 {
        self.pending + self.released + self.departed()
    }

    /// Everything ordered.
    pub const fn ordered(&self) -> u32 {
        self.live() + self.cancelled
    }
}

/// The money of one tender, in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TenderLedger {
    /// What the gateway knows the authorization by.
    pub authorization_ref: Option<Box<str>>,
    /// Authorized, in all.
    pub authorized: Minor,
    /// Captures on their way.
    pub capturing: Minor,
    /// Captured.
    pub captured: Minor,
    /// Voids on their way.
    pub releasing: Minor,
    /// Given back before capture.
    pub released: Minor,
    /// The gateway refused it.
    pub declined: bool,
}

/// The points that pay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RedemptionLedger {
    /// What the platform knows the reservation by.
    pub reservation_ref: Option<Box<str>>,
    /// Reserved points.
    pub reserved: Points,
    /// Points whose finalization is on its way.
    pub finalizing: Points,
    /// Used points.
    pub finalized: Points,
    /// Points whose release is on its way.
    pub releasing: Points,
    /// Points given back.
    pub released: Points,
    /// The value of released and releasing points, in minor units.
    pub released_value: Minor,
    /// The platform refused to reserve.
    pub refused: bool,
}

/// The points that are earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AccrualLedger {
    /// The difference on its way; stays if it was refused.
    pub posting: Points,
    /// Posted, in all.
    pub posted: Points,
}
