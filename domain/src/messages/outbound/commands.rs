//! The bodies of commands. They borrow from the state that they are made from.

use bytes::Bytes;
use serde::Serialize;

use crate::decider::Participant;
use crate::messages::json::JsonObject;
use crate::messages::outbound::render;

/// Defines a body that is only written: optional fields that are none are left out.
macro_rules! outgoing {
    ($(#[$meta:meta])* pub struct $name:ident $(<$life:lifetime>)? { $($body:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
        #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
        pub struct $name $(<$life>)? { $($body)* }
    };
}
pub(super) use outgoing;

outgoing! {
    /// `loyalty.reserve`: set points aside.
    pub struct LoyaltyReserve<'a> {
        /// The order.
        pub order_id: &'a str,
        /// Whose points.
        pub member_id: &'a str,
        /// How many.
        pub points: i64,
        /// What they pay, in minor units.
        pub value_minor: i64,
        /// The currency of the value.
        pub currency: &'a str,
    }
}

outgoing! {
    /// `loyalty.finalize`: spend reserved points.
    pub struct LoyaltyFinalize<'a> {
        /// The order.
        pub order_id: &'a str,
        /// The reservation.
        pub reservation_ref: &'a str,
        /// How many of its points.
        pub points: i64,
        /// What they pay, in minor units.
        pub value_minor: i64,
        /// What they pay for.
        pub shipment_id: &'a str,
    }
}

outgoing! {
    /// `loyalty.release`: give reserved points back.
    pub struct LoyaltyRelease<'a> {
        /// The order.
        pub order_id: &'a str,
        /// The reservation.
        pub reservation_ref: &'a str,
        /// How many of its points.
        pub points: i64,
        /// What they would have paid, in minor units.
        pub value_minor: i64,
    }
}

outgoing! {
    /// `loyalty.accrue`: post the points that the order has earned so far.
    pub struct LoyaltyAccrue<'a> {
        /// The order.
        pub order_id: &'a str,
        /// Whose points.
        pub member_id: &'a str,
        /// By how much the points of this order change.
        pub points_delta: i64,
        /// The points of this order after it.
        pub target_points: i64,
        /// The value so far that they are counted from, in minor units.
        pub basis_minor: i64,
        /// What makes value count, `shipped` for example.
        pub milestone: &'a str,
        /// The rule that the order named.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub rule: Option<&'a str>,
    }
}

outgoing! {
    /// `payment.authorize`: hold an amount.
    pub struct PaymentAuthorize<'a> {
        /// The order.
        pub order_id: &'a str,
        /// The tender of the order.
        pub tender: &'a str,
        /// Which gateway.
        pub gateway: &'a str,
        /// The gateway's token.
        pub token: &'a str,
        /// How much, in minor units.
        pub amount_minor: i64,
        /// Its currency.
        pub currency: &'a str,
    }
}

outgoing! {
    /// `payment.capture`: take a part of what is held.
    pub struct PaymentCapture<'a> {
        /// The order.
        pub order_id: &'a str,
        /// The tender of the order.
        pub tender: &'a str,
        /// The authorization.
        pub authorization_ref: &'a str,
        /// How much, in minor units.
        pub amount_minor: i64,
        /// Its currency.
        pub currency: &'a str,
        /// What is paid for.
        pub shipment_id: &'a str,
        /// Names this capture in settlement reports.
        pub settlement_ref: &'a str,
    }
}

outgoing! {
    /// `payment.void`: let all or a part of what is held go.
    pub struct PaymentVoid<'a> {
        /// The order.
        pub order_id: &'a str,
        /// The tender of the order.
        pub tender: &'a str,
        /// The authorization.
        pub authorization_ref: &'a str,
        /// How much, in minor units.
        pub amount_minor: i64,
        /// Its currency.
        pub currency: &'a str,
    }
}

outgoing! {
    /// Units of a line, with what it is.
    pub struct SkuQuantity<'a> {
        /// Which line.
        pub line: u32,
        /// What it is.
        pub sku: &'a str,
        /// How many units.
        pub quantity: u32,
    }
}

outgoing! {
    /// Units of a line.
    pub struct Units {
        /// Which line.
        pub line: u32,
        /// How many units.
        pub quantity: u32,
    }
}

outgoing! {
    /// Units of an allocation.
    pub struct ReleaseUnits<'a> {
        /// The allocation.
        pub allocation_ref: &'a str,
        /// Its line.
        pub line: u32,
        /// How many of its units.
        pub quantity: u32,
    }
}

outgoing! {
    /// `allocation.allocate`: find nodes for these units.
    pub struct AllocationAllocate<'a> {
        /// The order.
        pub order_id: &'a str,
        /// Which units.
        pub lines: Vec<SkuQuantity<'a>>,
        /// Where they go.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ship_to: Option<&'a JsonObject>,
    }
}

outgoing! {
    /// `allocation.release`: these units are not needed any more.
    pub struct AllocationRelease<'a> {
        /// The order.
        pub order_id: &'a str,
        /// Which units.
        pub releases: Vec<ReleaseUnits<'a>>,
        /// Why.
        pub reason: &'a str,
    }
}

outgoing! {
    /// `fulfillment.release`: pick, pack and ship.
    pub struct FulfillmentRelease<'a> {
        /// The order.
        pub order_id: &'a str,
        /// Names what is released.
        pub shipment_id: &'a str,
        /// Who ships it.
        pub node: &'a str,
        /// Which units.
        pub lines: Vec<SkuQuantity<'a>>,
        /// Where they go.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ship_to: Option<&'a JsonObject>,
    }
}

outgoing! {
    /// `fulfillment.cancel`: do not ship these units if they are still there.
    pub struct FulfillmentCancel<'a> {
        /// The order.
        pub order_id: &'a str,
        /// What was released.
        pub shipment_id: &'a str,
        /// Who has it.
        pub node: &'a str,
        /// Which units.
        pub lines: Vec<Units>,
    }
}

/// A row of a document: a line of the order or a fee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DocumentRow<'a> {
    /// Units of a line.
    Line {
        /// Which line.
        line: u32,
        /// What it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        sku: Option<&'a str>,
        /// How many units.
        quantity: u32,
        /// Their value without tax, in minor units.
        net_minor: i64,
        /// The tax on them, in minor units.
        tax_minor: i64,
    },
    /// A fee.
    Fee {
        /// Its name.
        fee: &'a str,
        /// Always 1.
        quantity: u32,
        /// Its value without tax, in minor units.
        net_minor: i64,
        /// The tax on it, in minor units.
        tax_minor: i64,
    },
}

outgoing! {
    /// What a tender paid of a document.
    pub struct DocumentTender<'a> {
        /// The tender of the order.
        pub tender: &'a str,
        /// How much, in minor units.
        pub amount_minor: i64,
        /// The capture.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub settlement_ref: Option<&'a str>,
    }
}

outgoing! {
    /// `erp.post`: put a document into the books.
    pub struct ErpPost<'a> {
        /// The order.
        pub order_id: &'a str,
        /// Which document: `book`, `amend`, `cancel`, `ship`, `invoice`, `receipt`.
        pub document: &'a str,
        /// Names this document; the same for every re-send.
        pub document_key: &'a str,
        /// The currency of every amount.
        pub currency: &'a str,
        /// Its rows.
        pub lines: Vec<DocumentRow<'a>>,
        /// What the tenders paid of it.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[cfg_attr(feature = "schemas", schemars(default))]
        pub tenders: Vec<DocumentTender<'a>>,
        /// What points paid of it, in minor units.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub loyalty_value_minor: Option<i64>,
        /// What was shipped.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub shipment_id: Option<&'a str>,
        /// The documents that are posted before it.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        #[cfg_attr(feature = "schemas", schemars(default))]
        pub depends_on: Vec<&'a str>,
    }
}

/// What most bodies take at most; a larger one makes room for itself.
const USUAL_BODY_BYTES: usize = 1_024;

macro_rules! command_bodies {
    ($($variant:ident = $participant:ident $name:literal,)+) => {
        /// The body of any command, with who gets it.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is named by its body")]
        pub enum CommandBody<'a> { $($variant($variant<'a>),)+ }

        impl CommandBody<'_> {
            /// Who gets it.
            pub const fn participant(&self) -> Participant {
                match self { $(Self::$variant(_) => Participant::$participant,)+ }
            }

            /// The name token of its subject.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)+ }
            }

            /// The body as JSON text.
            pub fn render(&self) -> String {
                match self { $(Self::$variant(body) => render(body),)+ }
            }

            /// The same text as bytes, in as much memory as they take: a command waits for its record, and then for its sender.
            pub fn to_bytes(&self) -> Bytes {
                let mut text = Vec::with_capacity(USUAL_BODY_BYTES);
                let written = match self { $(Self::$variant(body) => serde_json::to_writer(&mut text, body),)+ };
                written.expect("texts, numbers and lists can always be written");
                Bytes::copy_from_slice(&text)
            }
        }

        /// The schema of every command, by its kind.
        #[cfg(feature = "schemas")]
        pub(crate) fn schemas() -> Vec<(String, schemars::Schema)> {
            vec![$((format!("{}.{}", Participant::$participant.as_str(), $name), crate::schema::of_outgoing::<$variant<'static>>())),+]
        }
    };
}

command_bodies! {
    LoyaltyReserve = Loyalty "reserve",
    LoyaltyFinalize = Loyalty "finalize",
    LoyaltyRelease = Loyalty "release",
    LoyaltyAccrue = Loyalty "accrue",
    PaymentAuthorize = Payment "authorize",
    PaymentCapture = Payment "capture",
    PaymentVoid = Payment "void",
    AllocationAllocate = Allocation "allocate",
    AllocationRelease = Allocation "release",
    FulfillmentRelease = Fulfillment "release",
    FulfillmentCancel = Fulfillment "cancel",
    ErpPost = Erp "post",
}
