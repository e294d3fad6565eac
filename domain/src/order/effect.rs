//! Open commands and letters: what the order has asked of a participant or a reservation and not yet heard about.
//!
//! The identity of an effect is `{tenant}:{order}:{kind}:{ordinal}`; its idempotency key is frozen with it, so every
//! re-send carries the same key. The outstanding effects are the state: there is no outbox beside them.

use std::fmt::Write;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::event::AllocatedUnits;
use super::ledgers::is_default;
use crate::decider::{EffectState, Participant, Party};
use crate::gates::Urgency;
use crate::ids::Key;
use crate::money::{Minor, Points};
use crate::time::Timestamp;

/// Units of one line, by its index in the submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    /// Index of the line.
    pub line: u16,
    /// How many units.
    pub quantity: u32,
}

/// Units of one allocation that are given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Giveback {
    /// The reference that the allocation gave.
    pub allocation_ref: Arc<str>,
    /// Index of the line.
    pub line: u16,
    /// How many units.
    pub quantity: u32,
}

/// Units of one line at one node, or of those that have none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitsAt {
    /// Index of the line.
    pub line: u16,
    /// The node; none = they wait for stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Arc<str>>,
    /// How many units.
    pub quantity: u32,
}

impl UnitsAt {
    /// The same units as an allocation of a reservation; none = they wait for stock.
    pub(super) fn allocated(&self, reservation: &Key) -> Option<AllocatedUnits> {
        let node = self.node.clone()?;
        let allocation_ref = reservation.as_str().into();
        Some(AllocatedUnits { allocation_ref, line: self.line, quantity: self.quantity, node })
    }
}

/// What a reservation that the order makes shall set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldAsked {
    /// The reservation that shall be.
    pub reservation_id: Key,
    /// Which units; none = promotions and coupons alone.
    pub lines: Vec<Units>,
    /// The uses of promotions and coupons too.
    #[serde(default, skip_serializing_if = "is_default")]
    pub counters: bool,
    /// The order is committed already.
    #[serde(default, skip_serializing_if = "is_default")]
    pub hard: bool,
}

/// What is commanded. Amounts are fixed here, so that every re-send says the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `loyalty.reserve`: all points of the redemption.
    ReservePoints,
    /// `loyalty.finalize`: the points of a departure.
    FinalizePoints {
        /** Points. */
        points: Points,
        /** Their value. */
        value_minor: Minor,
        /** Which departure. */
        departure: u16,
    },
    /// `loyalty.release`: points that are not needed.
    ReleasePoints {
        /** Points. */
        points: Points,
        /** Their value. */
        value_minor: Minor,
    },
    /// `loyalty.accrue`: earned points, as the difference to what was posted.
    Accrue {
        /** Difference. */
        points_delta: Points,
        /** Sum after it. */
        target_points: Points,
        /** Cumulative basis. */
        basis_minor: Minor,
    },
    /// `payment.authorize`: the whole amount of a tender.
    Authorize {
        /** Index of the tender. */
        tender: u16,
    },
    /// `payment.capture`: what a tender pays of a departure.
    Capture {
        /** Index of the tender. */
        tender: u16,
        /** Amount. */
        amount_minor: Minor,
        /** Which departure. */
        departure: u16,
    },
    /// `payment.void`: what is open and not needed.
    Void {
        /** Index of the tender. */
        tender: u16,
        /** Amount. */
        amount_minor: Minor,
    },
    /// `allocation.allocate`: units that wait for a node.
    Allocate {
        /** Which units. */
        lines: Vec<Units>,
    },
    /// `allocation.release`: allocated units that are given back.
    ReleaseAllocation {
        /** Which units of which allocations. */
        releases: Vec<Giveback>,
    },
    /// `fulfillment.release`: a shipment goes to its node.
    ReleaseShipment {
        /** Index of the shipment. */
        shipment: u16,
    },
    /// `fulfillment.cancel`: a node is asked to give units back.
    CancelShipment {
        /** Index of the shipment. */
        shipment: u16,
        /** Which units. */
        lines: Vec<Units>,
    },
    /// `erp.post`: a document.
    Post {
        /** Index of the document. */
        document: u16,
    },
    /// Letter `hold`: a reservation of the order's own.
    HoldStock(Box<HoldAsked>),
    /// Letter `attach`: the reservation that the submit names is for this order.
    AttachReservation {
        /** Which units it must hold. */
        lines: Vec<Units>,
    },
    /// Letter `commit`: what is held is sold.
    CommitReservation {
        /** Index of the reservation. */
        reservation: u16,
    },
    /// Letter `consume`: what left is taken off the stock.
    ConsumeStock {
        /** Index of the reservation. */
        reservation: u16,
        /** Which departure. */
        departure: u16,
    },
    /// Letter `release`: what is not needed goes back.
    ReleaseStock {
        /** Index of the reservation. */
        reservation: u16,
        /** Everything, uses of promotions and coupons included. */
        all: bool,
        /** Every unit that is left of these lines, for the order needs none any more. */
        #[serde(default, skip_serializing_if = "is_default")]
        last: bool,
        /** The units that are known. */
        lines: Vec<UnitsAt>,
    },
}

/// How many kinds of command there are: the length of their ordinal counters.
pub const KINDS: usize = 12;
/// How many kinds of letter there are: they are counted apart, because most orders write none.
pub const LETTERS: usize = 5;

impl Kind {
    /// `<participant>.<command>` or `reservation.<letter>`, the middle of an effect id.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ReservePoints => "loyalty.reserve",
            Self::FinalizePoints { .. } => "loyalty.finalize",
            Self::ReleasePoints { .. } => "loyalty.release",
            Self::Accrue { .. } => "loyalty.accrue",
            Self::Authorize { .. } => "payment.authorize",
            Self::Capture { .. } => "payment.capture",
            Self::Void { .. } => "payment.void",
            Self::Allocate { .. } => "allocation.allocate",
            Self::ReleaseAllocation { .. } => "allocation.release",
            Self::ReleaseShipment { .. } => "fulfillment.release",
            Self::CancelShipment { .. } => "fulfillment.cancel",
            Self::Post { .. } => "erp.post",
            Self::HoldStock(_) => "reservation.hold",
            Self::AttachReservation { .. } => "reservation.attach",
            Self::CommitReservation { .. } => "reservation.commit",
            Self::ConsumeStock { .. } => "reservation.consume",
            Self::ReleaseStock { .. } => "reservation.release",
        }
    }

    /// Who must answer.
    pub const fn party(&self) -> Party {
        Party::Participant(match self {
            Self::ReservePoints
            | Self::FinalizePoints { .. }
            | Self::ReleasePoints { .. }
            | Self::Accrue { .. } => Participant::Loyalty,
            Self::Authorize { .. } | Self::Capture { .. } | Self::Void { .. } => Participant::Payment,
            Self::Allocate { .. } | Self::ReleaseAllocation { .. } => Participant::Allocation,
            Self::ReleaseShipment { .. } | Self::CancelShipment { .. } => Participant::Fulfillment,
            Self::Post { .. } => Participant::Erp,
            Self::HoldStock(_)
            | Self::AttachReservation { .. }
            | Self::CommitReservation { .. }
            | Self::ConsumeStock { .. }
            | Self::ReleaseStock { .. } => return Party::Entity,
        })
    }

    /// Is it a command to this participant?
    pub fn is_for(&self, participant: Participant) -> bool {
        self.party() == Party::Participant(participant)
    }

    /// Is it a letter to a reservation?
    pub const fn is_letter(&self) -> bool {
        matches!(self.party(), Party::Entity)
    }

    /// What gives back goes before what asks for more: it is never held up by new work.
    pub const fn urgency(&self) -> Urgency {
        match self {
            Self::ReleasePoints { .. }
            | Self::Void { .. }
            | Self::ReleaseAllocation { .. }
            | Self::CancelShipment { .. }
            | Self::ReleaseStock { .. } => Urgency::Urgent,
            Self::ReservePoints
            | Self::FinalizePoints { .. }
            | Self::Accrue { .. }
            | Self::Authorize { .. }
            | Self::Capture { .. }
            | Self::Allocate { .. }
            | Self::ReleaseShipment { .. }
            | Self::Post { .. }
            | Self::HoldStock(_)
            | Self::AttachReservation { .. }
            | Self::CommitReservation { .. }
            | Self::ConsumeStock { .. } => Urgency::Ordinary,
        }
    }

    /// Its place in the ordinal counters; letters come after the [`KINDS`] of commands.
    pub const fn index(&self) -> usize {
        match self {
            Self::ReservePoints => 0,
            Self::FinalizePoints { .. } => 1,
            Self::ReleasePoints { .. } => 2,
            Self::Accrue { .. } => 3,
            Self::Authorize { .. } => 4,
            Self::Capture { .. } => 5,
            Self::Void { .. } => 6,
            Self::Allocate { .. } => 7,
            Self::ReleaseAllocation { .. } => 8,
            Self::ReleaseShipment { .. } => 9,
            Self::CancelShipment { .. } => 10,
            Self::Post { .. } => 11,
            Self::HoldStock(_) => KINDS,
            Self::AttachReservation { .. } => KINDS + 1,
            Self::CommitReservation { .. } => KINDS + 2,
            Self::ConsumeStock { .. } => KINDS + 3,
            Self::ReleaseStock { .. } => KINDS + 4,
        }
    }

    /// The name token of the command or letter, `authorize` for example.
    pub fn command(&self) -> &'static str {
        self.name().split_once('.').map_or(self.name(), |(_, command)| command)
    }
}

/// An open command or letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// `{tenant}:{order}:{kind}:{ordinal}`.
    pub id: Arc<str>,
    /// What is commanded.
    pub kind: Kind,
    /// Counts definitive negative answers after which it was asked anew; 1 at first.
    pub epoch: u32,
    /// How far it is.
    pub state: EffectState,
    /// How often it was sent.
    pub attempts: u32,
    /// Sent again while an earlier send was unanswered: one "not applied" does not speak for all sends.
    #[serde(default, skip_serializing_if = "is_default")]
    pub in_doubt: bool,
    /// Since when the participant may remember the key; none while it waits.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sent_at: Option<Timestamp>,
    /// When it is sent again; none while it waits, or once re-sending has stopped.
    #[serde(default, skip_serializing_if = "is_default")]
    pub deadline: Option<Timestamp>,
}

impl Effect {
    /// Can a send of it have been applied, as far as we know?
    pub fn may_be_applied(&self) -> bool {
        match self.state {
            EffectState::Waiting => false,
            EffectState::Sent => true,
            EffectState::Retrying => self.in_doubt,
        }
    }
}

/// `{tenant}:{order}:{kind}:{ordinal}`.
pub fn effect_id(tenant: &str, order_id: &str, kind: &Kind, ordinal: u32) -> Arc<str> {
    let name = kind.name();
    // Three colons, and ten digits at most.
    let mut id = String::with_capacity(tenant.len() + order_id.len() + name.len() + 13);
    for piece in [tenant, ":", order_id, ":", name, ":"] {
        id.push_str(piece);
    }
    write!(id, "{ordinal}").expect("writing to a String cannot fail");
    id.into()
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The first 128 bits of SHA-256 over effect id and epoch, in hex.
pub fn idempotency_key(effect_id: &str, epoch: u32) -> String {
    let digest =
        Sha256::new().chain_update(effect_id).chain_update(":").chain_update(epoch.to_string()).finalize();
    let mut text = [0; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(digest) {
        pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xf)]]);
    }
    str::from_utf8(&text).expect("digits are text").to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Kind, effect_id, idempotency_key};

    #[test]
    fn the_key_is_frozen_with_effect_and_epoch() {
        // invariant: effect-key-never-changes-while-unknown
        let id = effect_id("main", "o-1", &Kind::Authorize { tender: 0 }, 1);
        assert_eq!(&*id, "main:o-1:payment.authorize:1");
        assert_eq!(idempotency_key(&id, 1), idempotency_key(&id, 1));
        assert_ne!(idempotency_key(&id, 1), idempotency_key(&id, 2));
        assert_eq!(idempotency_key(&id, 1).len(), 32);
    }
}
