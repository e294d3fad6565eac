//! The public contract as this crate speaks it: subjects, bodies of what it sends, and views of what it reads.

mod inbound;
mod naming;
mod outbound;
mod stock;

pub use inbound::{
    Command, CommandBody, Destination, DocumentRow, EventData, Page, PageEvent, ReceiptBody, ReceiptReason,
    ReleaseRow, TenderRow, Unreadable, as_json,
};
pub use naming::{Naming, Sender};
pub use outbound::{
    Accrual, Customer, Fee, Fulfillment, Line, LineQuantity, OrderCancel, Promotion, Redemption, ShipTo,
    Submit, Tender, quantities,
};
pub use stock::{BEFORE_THE_COUNT, Hold, HoldLine, ReservationRelease, Said, StockFact};
