//! What reservations tell the outside: the `data` of their events.

use crate::decider::Published;
use crate::messages::outbound::answers::{QueuePlace, ReceiptOutcome};
use crate::messages::outbound::commands::{SkuQuantity, outgoing};
use crate::messages::outbound::events::event_data;
use crate::reason::Reason;

outgoing! {
    /// Units of a line at a node.
    pub struct UnitsAtNode<'a> {
        /// Which line.
        pub line: u32,
        /// What it is.
        pub sku: &'a str,
        /// The node.
        pub node: &'a str,
        /// How many units.
        pub quantity: u32,
    }
}

outgoing! {
    /// `reservation.held`, `reservation.committed`: where the units are.
    pub struct ReservationHeld<'a> {
        /// The reservation.
        pub reservation_id: &'a str,
        /// The order that it is for.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_id: Option<&'a str>,
        /// Which units at which node.
        pub lines: Vec<UnitsAtNode<'a>>,
        /// Which units wait for stock.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[cfg_attr(feature = "schemas", schemars(default))]
        pub backordered: Vec<SkuQuantity<'a>>,
        /// When it ends by itself.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub expires_at: Option<String>,
    }
}

outgoing! {
    /// `reservation.refused`, `reservation.released`, `reservation.expired`, `reservation.consumed`: it is over.
    pub struct ReservationEnded<'a> {
        /// The reservation.
        pub reservation_id: &'a str,
        /// The order that it is for.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_id: Option<&'a str>,
        /// Why, where there is more to say than its name does.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reason: Option<&'a Reason>,
    }
}

outgoing! {
    /// `reservation.allocated`: units that had waited have a node.
    pub struct ReservationAllocated<'a> {
        /// The reservation.
        pub reservation_id: &'a str,
        /// The order that it is for.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_id: Option<&'a str>,
        /// Which units at which node.
        pub lines: Vec<UnitsAtNode<'a>>,
    }
}

outgoing! {
    /// `reservation.parked`, `reservation.given_up`: units that were sold have no node; for now, or for good.
    pub struct ReservationShort<'a> {
        /// The reservation.
        pub reservation_id: &'a str,
        /// The order that it is for.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_id: Option<&'a str>,
        /// Which units.
        pub lines: Vec<SkuQuantity<'a>>,
    }
}

outgoing! {
    /// The receipt of `reservation.hold`, `extend`, `commit` and `release`. Those of wishes have the fields of every receipt besides.
    pub struct ReservationReceipt<'a> {
        /// The reservation; none if the message could not be read so far.
        pub reservation_id: Option<&'a str>,
        /// The reservation again, for whoever reads the receipts of all wishes alike; not in that of a hold.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_id: Option<&'a str>,
        /// How it was settled.
        pub outcome: ReceiptOutcome,
        /// The version of the reservation after it.
        pub version: u64,
        /// The version again, as beside `order_id`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_version: Option<u64>,
        /// Which units are held at which node.
        pub lines: Vec<UnitsAtNode<'a>>,
        /// When it ends by itself; null if it does not, or is over.
        pub expires_at: Option<String>,
        /// Why not; null unless rejected.
        pub reason: Option<&'a Reason>,
        /// Its place in the queue, if it has not been looked at yet.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub queue: Option<QueuePlace>,
        /// Refused only for now: when to send it again, in milliseconds from now.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub retry_after_ms: Option<u64>,
    }
}

event_data! {
    Held(ReservationHeld) = "reservation.held",
    Refused(ReservationEnded) = "reservation.refused",
    Committed(ReservationHeld) = "reservation.committed",
    Released(ReservationEnded) = "reservation.released",
    Expired(ReservationEnded) = "reservation.expired",
    Consumed(ReservationEnded) = "reservation.consumed" if asked,
    Allocated(ReservationAllocated) = "reservation.allocated" if asked,
    Parked(ReservationShort) = "reservation.parked" if asked,
    GivenUp(ReservationShort) = "reservation.given_up" if asked,
}
