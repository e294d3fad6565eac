//! The `data` of business events: `order_id` and what changed.

use crate::decider::Published;
use crate::messages::outbound::commands::{ReleaseUnits, SkuQuantity, Units, outgoing};
use crate::reason::Reason;

outgoing! {
    /// An event that says nothing besides its name.
    pub struct OrderOnly<'a> {
        /// The order.
        pub order_id: &'a str,
    }
}

outgoing! {
    /// `order.received`.
    pub struct OrderReceived<'a> {
        /// The order.
        pub order_id: &'a str,
        /// Where it was bought.
        pub channel: &'a str,
        /// Its currency.
        pub currency: &'a str,
        /// What is to be paid, in minor units.
        pub total_minor: i64,
    }
}

outgoing! {
    /// What a tender has authorized.
    pub struct TenderAuthorized<'a> {
        /// The tender.
        pub tender: &'a str,
        /// How much, in minor units.
        pub authorized_minor: i64,
    }
}

outgoing! {
    /// `order.committed`, `order.accepted`.
    pub struct OrderCommitted<'a> {
        /// The order.
        pub order_id: &'a str,
        /// What each tender holds.
        pub tenders: Vec<TenderAuthorized<'a>>,
        /// The points that are reserved.
        pub points: i64,
        /// What was bought.
        pub lines: Vec<SkuQuantity<'a>>,
    }
}

outgoing! {
    /// `order.rejected`, `order.cancelled`.
    pub struct OrderEnded<'a> {
        /// The order.
        pub order_id: &'a str,
        /// Why.
        pub reason: &'a Reason,
    }
}

outgoing! {
    /// `order.completed`.
    pub struct OrderCompleted<'a> {
        /// The order.
        pub order_id: &'a str,
        /// What was taken, in minor units.
        pub captured_minor: i64,
        /// What was authorized and let go, in minor units.
        pub voided_minor: i64,
        /// The points that were spent.
        pub finalized_points: i64,
        /// The points that were reserved and given back.
        pub released_points: i64,
        /// The points that were earned.
        pub accrued_points: i64,
    }
}

outgoing! {
    /// The derived statuses of an order.
    pub struct Status<'a> {
        /// Money.
        pub payment: &'a str,
        /// Goods on their way.
        pub fulfillment: &'a str,
        /// Points.
        pub loyalty: &'a str,
        /// Documents.
        pub erp: &'a str,
        /// Goods on their way back.
        pub r#return: &'a str,
        /// Stock.
        pub stock: &'a str,
        /// The one word for a customer.
        pub display: &'a str,
    }
}

outgoing! {
    /// `order.status_changed`.
    pub struct OrderStatusChanged<'a> {
        /// The order.
        pub order_id: &'a str,
        /// All of its statuses.
        pub status: Status<'a>,
    }
}

outgoing! {
    /// `loyalty.reserved`, `loyalty.finalized`, `loyalty.released`.
    pub struct PointsMoved<'a> {
        /// The order.
        pub order_id: &'a str,
        /// How many points.
        pub points: i64,
    }
}

outgoing! {
    /// `loyalty.accrued`, and `loyalty.deferred` while the accrual waits for the loyalty platform.
    pub struct PointsAccrued<'a> {
        /// The order.
        pub order_id: &'a str,
        /// By how much the points of this order changed.
        pub points_delta: i64,
        /// The points of this order after it.
        pub target_points: i64,
    }
}

outgoing! {
    /// `payment.authorized`, `payment.captured`, `payment.capture_failed`, `payment.voided`, `payment.declined`.
    pub struct MoneyMoved<'a> {
        /// The order.
        pub order_id: &'a str,
        /// The tender.
        pub tender: &'a str,
        /// How much, in minor units; for a decline what was asked.
        pub amount_minor: i64,
        /// The capture.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub settlement_ref: Option<&'a str>,
    }
}

outgoing! {
    /// Units of a line at a node.
    pub struct AllocatedUnits<'a> {
        /// The allocation.
        pub allocation_ref: &'a str,
        /// Which line.
        pub line: u32,
        /// What it is.
        pub sku: &'a str,
        /// How many units.
        pub quantity: u32,
        /// The node.
        pub node: &'a str,
    }
}

outgoing! {
    /// `stock.allocated`.
    pub struct StockAllocated<'a> {
        /// The order.
        pub order_id: &'a str,
        /// Which units at which node.
        pub allocations: Vec<AllocatedUnits<'a>>,
    }
}

outgoing! {
    /// `stock.released`.
    pub struct StockReleased<'a> {
        /// The order.
        pub order_id: &'a str,
        /// Which units.
        pub releases: Vec<ReleaseUnits<'a>>,
    }
}

outgoing! {
    /// `demand.signal`: one for each line that was sold, and one for each cancel of sold units.
    pub struct DemandSignal<'a> {
        /// The order.
        pub order_id: &'a str,
        /// Where it was bought.
        pub channel: &'a str,
        /// Which line.
        pub line: u32,
        /// What it is.
        pub sku: &'a str,
        /// By how many units the demand changed: positive = sold, negative = cancelled.
        pub units_delta: i64,
        /// Where it goes, if the shop said it and our own stock serves the order.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub region: Option<&'a str>,
    }
}

outgoing! {
    /// `shipment.requested`, `shipment.accepted`.
    pub struct ShipmentAtNode<'a> {
        /// The order.
        pub order_id: &'a str,
        /// The shipment.
        pub shipment_id: &'a str,
        /// The node.
        pub node: &'a str,
        /// Which units.
        pub lines: Vec<Units>,
    }
}

outgoing! {
    /// `shipment.dispatched`: one for each parcel.
    pub struct ShipmentDispatched<'a> {
        /// The order.
        pub order_id: &'a str,
        /// The shipment.
        pub shipment_id: &'a str,
        /// The parcel.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub parcel_id: Option<&'a str>,
        /// The node.
        pub node: &'a str,
        /// Who carries it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub carrier: Option<&'a str>,
        /// The carrier's number.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub tracking: Option<&'a str>,
        /// What is in it.
        pub lines: Vec<Units>,
    }
}

outgoing! {
    /// `shipment.delivered`, `shipment.cancelled`.
    pub struct ShipmentUnits<'a> {
        /// The order.
        pub order_id: &'a str,
        /// The shipment.
        pub shipment_id: &'a str,
        /// Which units.
        pub lines: Vec<Units>,
    }
}

outgoing! {
    /// `erp.queued`, `erp.posted`, `erp.rejected`.
    pub struct DocumentChanged<'a> {
        /// The order.
        pub order_id: &'a str,
        /// Which document.
        pub document: &'a str,
        /// Our name of it.
        pub document_key: &'a str,
        /// The ERP's number of it, once it is posted.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub document_no: Option<&'a str>,
    }
}

outgoing! {
    /// Something that keeps an order from going on.
    pub struct Hold<'a> {
        /// Names it within the order.
        pub hold_id: &'a str,
        /// What it waits for.
        pub r#type: &'a str,
    }
}

outgoing! {
    /// `hold.placed`, `hold.resolved`.
    pub struct HoldChanged<'a> {
        /// The order.
        pub order_id: &'a str,
        /// The hold.
        pub hold: Hold<'a>,
    }
}

outgoing! {
    /// Something that a person must look at.
    pub struct Exception<'a> {
        /// Names it within the order or the reservation.
        pub exception_id: &'a str,
        /// What kind of trouble.
        pub kind: &'a str,
        /// Where it comes from.
        pub cause: &'a str,
        /// The money at stake, in minor units.
        pub exposure_minor: i64,
        /// The points at stake.
        pub exposure_points: i64,
        /// The command that it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub effect_id: Option<&'a str>,
    }
}

outgoing! {
    /// `exception.opened`, `exception.resolved`.
    pub struct ExceptionChanged<'a> {
        /// The order; an exception of a reservation may have none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub order_id: Option<&'a str>,
        /// The reservation, if it is an exception of one.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reservation_id: Option<&'a str>,
        /// The exception.
        pub exception: Exception<'a>,
    }
}

macro_rules! event_data {
    (@tell $told:ident $kind:literal $data:ident) => { $told.add($kind, $data) };
    (@tell $told:ident $kind:literal $data:ident asked) => { $told.add_further($kind, $data) };
    ($($variant:ident($data:ident) = $kind:literal $(if $asked:ident)?,)+) => {
        /// Any business event of this kind of entity.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is named by its event")]
        pub enum EventData<'a> { $($variant($data<'a>),)+ }

        impl EventData<'_> {
            /// Its type in pages, `order.committed` for example.
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)+ }
            }

            /// Tells it in the form in which it is published.
            pub fn publish(&self, told: &mut Published) {
                match self { $(Self::$variant(data) => event_data!(@tell told $kind data $($asked)?),)+ }
            }
        }

        /// The types of all events.
        pub const KINDS: &[&str] = &[$($kind),+];

        /// The schema of every event's data, by its type.
        #[cfg(feature = "schemas")]
        pub(crate) fn schemas() -> Vec<(String, schemars::Schema)> {
            vec![$(($kind.to_owned(), crate::schema::of_outgoing::<$data<'static>>())),+]
        }
    };
}

pub(super) use event_data;

event_data! {
    OrderReceived(OrderReceived) = "order.received",
    OrderCommitted(OrderCommitted) = "order.committed",
    OrderAccepted(OrderCommitted) = "order.accepted",
    OrderRejected(OrderEnded) = "order.rejected",
    OrderFulfilling(OrderOnly) = "order.fulfilling",
    OrderCancelling(OrderOnly) = "order.cancelling",
    OrderCancelled(OrderEnded) = "order.cancelled",
    OrderCompleted(OrderCompleted) = "order.completed",
    OrderStatusChanged(OrderStatusChanged) = "order.status_changed",
    PointsReserved(PointsMoved) = "loyalty.reserved",
    PointsFinalized(PointsMoved) = "loyalty.finalized",
    PointsReleased(PointsMoved) = "loyalty.released",
    PointsAccrued(PointsAccrued) = "loyalty.accrued",
    AccrualDeferred(PointsAccrued) = "loyalty.deferred",
    PaymentAuthorized(MoneyMoved) = "payment.authorized",
    PaymentDeclined(MoneyMoved) = "payment.declined",
    PaymentCaptured(MoneyMoved) = "payment.captured",
    PaymentCaptureFailed(MoneyMoved) = "payment.capture_failed",
    PaymentVoided(MoneyMoved) = "payment.voided",
    StockAllocated(StockAllocated) = "stock.allocated",
    StockReleased(StockReleased) = "stock.released",
    DemandSignal(DemandSignal) = "demand.signal",
    ShipmentRequested(ShipmentAtNode) = "shipment.requested",
    ShipmentAccepted(ShipmentAtNode) = "shipment.accepted",
    ShipmentDispatched(ShipmentDispatched) = "shipment.dispatched",
    ShipmentDelivered(ShipmentUnits) = "shipment.delivered",
    ShipmentCancelled(ShipmentUnits) = "shipment.cancelled",
    ErpQueued(DocumentChanged) = "erp.queued",
    ErpPosted(DocumentChanged) = "erp.posted",
    ErpRejected(DocumentChanged) = "erp.rejected",
    HoldPlaced(HoldChanged) = "hold.placed",
    HoldResolved(HoldChanged) = "hold.resolved",
    ExceptionOpened(ExceptionChanged) = "exception.opened",
    ExceptionResolved(ExceptionChanged) = "exception.resolved",
}
