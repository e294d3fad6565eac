//! `*.failed`: a participant could not do it, for no reason of the business.

use crate::ids::Key;
use crate::messages::record::{record, words};
use crate::messages::text::{Remark, Text};

words! {
    /// What a failure means for the command.
    pub enum FailureClass {
        /// Not applied and not remembered: the same again may work.
        Transient = "transient",
        /// Refused for good, for a reason of the business.
        Business = "business",
        /// Refused for good: the participant cannot read what we sent.
        Contract = "contract",
        /// The participant does not know whether it was applied.
        UnknownOutcome = "unknown_outcome",
    }
}

record! {
    /// Any participant's `failed`.
    pub struct Failed {
        /// The order.
        pub order_id: Key,
        /// The participant's own code.
        pub code: Text,
        /// What it means for the command.
        pub class: FailureClass,
        /// In words.
        pub message: Option<Remark>,
    }
}
