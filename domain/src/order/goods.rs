//! Where the goods of an order are: with nodes, in parcels, and what was told of them too early.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::effect::Units;
use super::event::{DeliveredParcel, Departure};
use super::ledgers::is_default;

/// Units of one allocation in a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShipmentRow {
    /// The reference that the allocation gave.
    pub allocation_ref: Arc<str>,
    /// Index of the line.
    pub line: u16,
    /// Released to the node.
    pub quantity: u32,
    /// Left.
    #[serde(default, skip_serializing_if = "is_default")]
    pub departed: u32,
    /// Given back by the node.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cancelled: u32,
}

impl ShipmentRow {
    /// Still with the node.
    pub const fn open(&self) -> u32 {
        self.quantity - self.departed - self.cancelled
    }
}

/// What was released to one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// Which node.
    pub node: Arc<str>,
    /// Which units.
    pub rows: Vec<ShipmentRow>,
    /// The node said yes, or a departure implied it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub accepted: bool,
}

impl Shipment {
    /// Units of a line still with the node.
    pub fn open(&self, line: u16) -> u32 {
        self.rows.iter().filter(|row| row.line == line).map(ShipmentRow::open).sum()
    }
}

/// What left together, and how much of it was delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// As it was told.
    pub departure: Arc<Departure>,
    /// Delivered units, by their place in the departure.
    pub delivered: Vec<u32>,
}

impl Parcel {
    /// Is it this shipment, and this parcel if one is named?
    pub fn is_of(&self, shipment_id: &str, parcel_id: Option<&str>) -> bool {
        *self.departure.shipment_id == *shipment_id
            && parcel_id.is_none_or(|parcel| self.departure.parcel_id.as_deref() == Some(parcel))
    }

    /// Units that have left and were not delivered.
    pub fn undelivered(&self) -> impl Iterator<Item = Units> + '_ {
        self.departure.units.iter().zip(&self.delivered).map(|(units, delivered)| Units {
            line: units.line,
            quantity: units.released + units.pending - delivered,
        })
    }
}

/// A delivery that waits for its departure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyDelivery {
    /// The shipment.
    pub shipment_id: Arc<str>,
    /// The parcel, if it was named.
    pub parcel_id: Option<Arc<str>>,
    /// The units, if they were named.
    pub lines: Vec<Units>,
}

impl EarlyDelivery {
    /// Is it of this shipment and parcel?
    pub fn is_of(&self, shipment_id: &str, parcel_id: Option<&str>) -> bool {
        *self.shipment_id == *shipment_id && self.parcel_id.as_deref() == parcel_id
    }

    /// Takes off what was delivered now; is there anything left to wait for?
    pub fn still_waits(&mut self, parcels: &[DeliveredParcel]) -> bool {
        for delivered in parcels.iter().flat_map(|parcel| &parcel.units) {
            if let Some(early) = self.lines.iter_mut().find(|early| early.line == delivered.line) {
                early.quantity -= early.quantity.min(delivered.quantity);
            }
        }
        self.lines.retain(|early| early.quantity > 0);
        !self.lines.is_empty()
    }
}
