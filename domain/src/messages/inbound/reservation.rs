//! What reservations write to an order: answers to its letters, and stock that was found later. Nobody outside can send these.

use serde::Deserialize;

use crate::ids::Key;
use crate::messages::inbound::LineQuantity;
use crate::messages::leaf::{LineNumber, Quantity};
use crate::messages::text::{Remark, Text};
use crate::time::Timestamp;

/// Units of a line at one node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HeldRow {
    /// Which line of the order.
    pub line: LineNumber,
    /// How many units.
    pub quantity: Quantity,
    /// Where they are.
    pub node: Text,
}

/// Units of a line that no node has yet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct BackorderedRow {
    /// Which line of the order.
    pub line: LineNumber,
    /// How many units.
    pub quantity: Quantity,
    /// When they are expected, in milliseconds since 1970.
    #[serde(default)]
    pub promised_at: Option<Timestamp>,
}

/// What there is of a line that could not be had as asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ShortRow {
    /// Which line of the order.
    pub line: LineNumber,
    /// How many units could be had.
    #[serde(default)]
    pub available: u32,
}

/// `reservation_held`, `reservation_committed`: where the units of the order are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Held {
    /// The reservation.
    pub reservation_id: Key,
    /// Which units at which node.
    #[serde(default)]
    pub lines: Vec<HeldRow>,
    /// Which units wait for stock.
    #[serde(default)]
    pub backordered: Vec<BackorderedRow>,
}

/// `reservation_refused`: nothing is held.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refused {
    /// The reservation.
    pub reservation_id: Key,
    /// Why: a code of the closed list.
    pub code: Text,
    /// The lines that it failed at.
    #[serde(default)]
    pub lines: Vec<ShortRow>,
    /// In words.
    #[serde(default)]
    pub message: Option<Remark>,
}

/// `reservation_consumed`: what left was taken off.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Consumed {
    /// The reservation.
    pub reservation_id: Key,
    /// The departure, as the order named it.
    pub movement_id: Text,
}

/// `reservation_released`: what is not needed was given back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Released {
    /// The reservation.
    pub reservation_id: Key,
    /// The release, as the order named it.
    pub release_id: Text,
}

/// `reservation_allocated`: units that waited have a node. It is told until the order has answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Allocated {
    /// The reservation.
    pub reservation_id: Key,
    /// Names this allocation in the answer.
    pub allocation_id: Text,
    /// Which units at which node.
    pub lines: Vec<HeldRow>,
}

/// `reservation_given_up`: units that waited for stock will not get any. It is told until the order has answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GivenUp {
    /// The reservation.
    pub reservation_id: Key,
    /// Names this in the answer.
    pub allocation_id: Text,
    /// Which units.
    pub lines: Vec<LineQuantity>,
}

/// A letter of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letter {
    /// `reservation_held`
    Held(Held),
    /// `reservation_committed`
    Committed(Held),
    /// `reservation_refused`
    Refused(Refused),
    /// `reservation_consumed`
    Consumed(Consumed),
    /// `reservation_released`
    Released(Released),
    /// `reservation_allocated`
    Allocated(Allocated),
    /// `reservation_given_up`
    GivenUp(GivenUp),
}

impl Letter {
    /// The names of all letters.
    pub const NAMES: [&'static str; 7] = [
        "reservation_held",
        "reservation_committed",
        "reservation_refused",
        "reservation_consumed",
        "reservation_released",
        "reservation_allocated",
        "reservation_given_up",
    ];

    /// The letter with this name, from JSON; none = no such letter. There is no bound on its size but that of the record that
    /// holds it: the order itself has made it so large.
    pub(crate) fn read(name: &str, body: &[u8]) -> Option<Result<Self, serde_json::Error>> {
        fn of<'a, T: Deserialize<'a>>(
            body: &'a [u8],
            make: impl FnOnce(T) -> Letter,
        ) -> Result<Letter, serde_json::Error> {
            serde_json::from_slice(body).map(make)
        }
        Some(match name {
            "reservation_held" => of(body, Self::Held),
            "reservation_committed" => of(body, Self::Committed),
            "reservation_refused" => of(body, Self::Refused),
            "reservation_consumed" => of(body, Self::Consumed),
            "reservation_released" => of(body, Self::Released),
            "reservation_allocated" => of(body, Self::Allocated),
            "reservation_given_up" => of(body, Self::GivenUp),
            _ => return None,
        })
    }
}
