//! Answers of the loyalty platform.

use crate::ids::Key;
use crate::messages::leaf::Points;
use crate::messages::record::record;
use crate::messages::text::{Moment, Remark, Text};

record! {
    /// `loyalty.reserved`: points are set aside for the order.
    pub struct Reserved {
        /// The order.
        pub order_id: Key,
        /// How many points.
        pub points: Points,
        /// Names the reservation in later commands.
        pub reservation_ref: Text,
        /// When the platform gives them back by itself.
        pub expires_at: Option<Moment>,
    }
}

record! {
    /// `loyalty.reserve_refused` and `loyalty.accrue_refused`: not done, for good.
    pub struct Refused {
        /// The order.
        pub order_id: Key,
        /// The platform's own code.
        pub code: Text,
        /// In words.
        pub message: Option<Remark>,
    }
}

record! {
    /// `loyalty.finalized` and `loyalty.released`: reserved points are spent, or given back.
    pub struct Moved {
        /// The order.
        pub order_id: Key,
        /// How many points.
        pub points: Points,
    }
}

record! {
    /// `loyalty.accrued`: points earned with the order are posted.
    pub struct Accrued {
        /// The order.
        pub order_id: Key,
        /// By how much the points of this order went up, or down.
        pub points_delta: i64,
        /// The points of this order after it.
        pub target_points: Points,
    }
}
