//! What is counted of an order: units by line, money by tender, points that pay and points that are earned.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::money::{Minor, Points};

/// Most of what is counted is zero most of the time: it is not written, and absence means zero.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Where the units of one line stand; the numbers add up to what was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LineUnits {
    /// Without a node.
    #[serde(skip_serializing_if = "is_default")]
    pub pending: u32,
    /// With a node, in a shipment.
    #[serde(skip_serializing_if = "is_default")]
    pub released: u32,
    /// Departed, not delivered.
    #[serde(skip_serializing_if = "is_default")]
    pub shipped: u32,
    /// Delivered.
    #[serde(skip_serializing_if = "is_default")]
    pub delivered: u32,
    /// Will not leave.
    #[serde(skip_serializing_if = "is_default")]
    pub cancelled: u32,
    /// Of those without a node: they wait for stock that is to come.
    #[serde(skip_serializing_if = "is_default")]
    pub backordered: u32,
    /// Beside the sum: departed before the allocation was answered, which then counts as used.
    #[serde(skip_serializing_if = "is_default")]
    pub ahead: u32,
    /// Beside the sum: to be cancelled at the commit.
    #[serde(skip_serializing_if = "is_default")]
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
#[serde(default)]
pub struct TenderLedger {
    /// What the gateway knows the authorization by.
    #[serde(skip_serializing_if = "is_default")]
    pub authorization_ref: Option<Arc<str>>,
    /// Authorized, in all.
    #[serde(skip_serializing_if = "is_default")]
    pub authorized: Minor,
    /// Captures on their way.
    #[serde(skip_serializing_if = "is_default")]
    pub capturing: Minor,
    /// Captured.
    #[serde(skip_serializing_if = "is_default")]
    pub captured: Minor,
    /// Voids on their way.
    #[serde(skip_serializing_if = "is_default")]
    pub releasing: Minor,
    /// Given back before capture.
    #[serde(skip_serializing_if = "is_default")]
    pub released: Minor,
    /// The gateway refused it.
    #[serde(skip_serializing_if = "is_default")]
    pub declined: bool,
}

/// The points that pay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RedemptionLedger {
    /// What the platform knows the reservation by.
    #[serde(skip_serializing_if = "is_default")]
    pub reservation_ref: Option<Arc<str>>,
    /// Reserved points.
    #[serde(skip_serializing_if = "is_default")]
    pub reserved: Points,
    /// Points whose finalization is on its way.
    #[serde(skip_serializing_if = "is_default")]
    pub finalizing: Points,
    /// Used points.
    #[serde(skip_serializing_if = "is_default")]
    pub finalized: Points,
    /// Points whose release is on its way.
    #[serde(skip_serializing_if = "is_default")]
    pub releasing: Points,
    /// Points given back.
    #[serde(skip_serializing_if = "is_default")]
    pub released: Points,
    /// The value of released and releasing points, in minor units.
    #[serde(skip_serializing_if = "is_default")]
    pub released_value: Minor,
    /// The platform refused to reserve.
    #[serde(skip_serializing_if = "is_default")]
    pub refused: bool,
}

/// The points that are earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AccrualLedger {
    /// The difference on its way; stays if it was refused.
    #[serde(skip_serializing_if = "is_default")]
    pub posting: Points,
    /// Posted, in all.
    #[serde(skip_serializing_if = "is_default")]
    pub posted: Points,
}
