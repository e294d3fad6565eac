//! Answers of the payment gateways.

use crate::ids::Key;
use crate::messages::leaf::Minor;
use crate::messages::record::{record, words};
use crate::messages::text::{CurrencyCode, Moment, Remark, Text};

words! {
    /// Whether a decline may be tried again.
    pub enum DeclineKind {
        /// May work another time.
        Soft = "soft",
        /// Never works.
        Hard = "hard",
    }
}

record! {
    /// `payment.authorized`: the amount is held for us.
    pub struct Authorized {
        /// The order.
        pub order_id: Key,
        /// The tender of the order.
        pub tender: Text,
        /// Names the authorization in later commands.
        pub authorization_ref: Text,
        /// What is held; may differ from what was asked.
        pub amount_minor: Minor,
        /// Its currency.
        pub currency: CurrencyCode,
        /// When the gateway lets it go by itself.
        pub expires_at: Option<Moment>,
    }
}

record! {
    /// `payment.declined`: no authorization.
    pub struct Declined {
        /// The order.
        pub order_id: Key,
        /// The tender of the order.
        pub tender: Text,
        /// The gateway's own code.
        pub code: Text,
        /// Whether it may be tried again.
        pub kind: DeclineKind,
        /// In words.
        pub message: Option<Remark>,
    }
}

record! {
    /// `payment.captured`: money was taken.
    pub struct Captured {
        /// The order.
        pub order_id: Key,
        /// The tender of the order.
        pub tender: Text,
        /// What was taken.
        pub amount_minor: Minor,
        /// Its currency.
        pub currency: CurrencyCode,
        /// Names the capture in settlement reports.
        pub settlement_ref: Text,
    }
}

record! {
    /// `payment.capture_declined`: the gateway does not pay out what it had authorized.
    pub struct CaptureDeclined {
        /// The order.
        pub order_id: Key,
        /// The tender of the order.
        pub tender: Text,
        /// What was asked for.
        pub amount_minor: Minor,
        /// Its currency.
        pub currency: CurrencyCode,
        /// The gateway's own code.
        pub code: Text,
        /// Whether it may be tried again.
        pub kind: DeclineKind,
    }
}

record! {
    /// `payment.voided`: held money was let go.
    pub struct Voided {
        /// The order.
        pub order_id: Key,
        /// The tender of the order.
        pub tender: Text,
        /// What was let go.
        pub amount_minor: Minor,
        /// Its currency.
        pub currency: CurrencyCode,
    }
}
