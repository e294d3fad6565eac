//! Why something was refused: the closed list of classes and codes of the contract.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($class:ident { $($code:ident = $text:literal),+ $(,)? })+) => {
        /// A code of the closed list; each belongs to exactly one [`Class`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum Code { $($(#[doc = concat!("`", $text, "`")] $code,)+)+ }

        /// What kind of trouble a code is, and so whether it makes sense to try again.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum Class { $(#[doc = stringify!($class)] $class,)+ }

        impl Code {
            /// The class that this code belongs to.
            pub const fn class(self) -> Class {
                match self { $($(Self::$code)|+ => Class::$class,)+ }
            }

            /// The code as it stands on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $($(Self::$code => $text,)+)+ }
            }
        }
    };
}

codes! {
    Transient { Timeout = "timeout", Unavailable = "unavailable", Throttled = "throttled", Overloaded = "overloaded" }
    UnknownOutcome { NoAnswer = "no_answer" }
    Business {
        Validation = "validation", OutOfStock = "out_of_stock", PointsRefused = "points_refused",
        PaymentDeclined = "payment_declined", AmountMismatch = "amount_mismatch", FraudRejected = "fraud_rejected",
        CancelledByCustomer = "cancelled_by_customer", CommitDeadline = "commit_deadline", Expired = "expired",
        NotCancellable = "not_cancellable", RefundExceedsCaptured = "refund_exceeds_captured",
        WindowClosed = "window_closed", PolicyRefused = "policy_refused", UnknownEntity = "unknown_entity",
    }
    Contract {
        SchemaInvalid = "schema_invalid", VersionUnsupported = "version_unsupported", UnknownType = "unknown_type",
        Oversize = "oversize", IdempotencyConflict = "idempotency_conflict", VersionConflict = "version_conflict",
    }
    Security { Unauthenticated = "unauthenticated", Forbidden = "forbidden" }
    Internal { Quarantined = "quarantined", JournalUnavailable = "journal_unavailable" }
}

/// A refusal in words, as it stands in receipts and events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Reason {
    /// The code of the closed list.
    pub code: Code,
    /// Its class.
    pub class: Class,
    /// Names field, value and remedy.
    pub message: String,
    /// The code that a participant gave, where one refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant_code: Option<String>,
}

impl Reason {
    /// A reason with the class of its code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, class: code.class(), message: message.into(), participant_code: None }
    }

    /// The same reason with the participant's own code beside it.
    #[must_use]
    pub fn from_participant(mut self, code: impl Into<String>) -> Self {
        self.participant_code = Some(code.into());
        self
    }
}

/// Why a message went to the dead letters; the last but one token of their subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadReason {
    /// The body or a header does not have the documented form.
    Schema,
    /// A major version that is not supported.
    Version,
    /// Over 256 KiB, or over 64 items in a batch.
    Oversize,
    /// No such message in this version.
    UnknownType,
    /// Nobody with this id came within the parking time.
    UnknownEntity,
    /// The same source and id with other content.
    Conflict,
    /// The entity is set aside after a fault of ours.
    Quarantined,
    /// Expired before it was begun.
    Expired,
    /// Refused for now, and nobody could be told.
    Overloaded,
}

impl DeadReason {
    /// The token in the subject.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Version => "version",
            Self::Oversize => "oversize",
            Self::UnknownType => "unknown_type",
            Self::UnknownEntity => "unknown_entity",
            Self::Conflict => "conflict",
            Self::Quarantined => "quarantined",
            Self::Expired => "expired",
            Self::Overloaded => "overloaded",
        }
    }

    /// The code of the closed list that says the same.
    pub const fn code(self) -> Code {
        match self {
            Self::Schema => Code::SchemaInvalid,
            Self::Version => Code::VersionUnsupported,
            Self::Oversize => Code::Oversize,
            Self::UnknownType => Code::UnknownType,
            Self::UnknownEntity => Code::UnknownEntity,
            Self::Conflict => Code::IdempotencyConflict,
            Self::Quarantined => Code::Quarantined,
            Self::Expired => Code::Expired,
            Self::Overloaded => Code::Overloaded,
        }
    }
}

/// One thing that is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Violation {
    /// JSON pointer to the field, `""` for the whole body; a header as `/headers/<name>`.
    pub pointer: String,
    /// What is wrong, what was found, what is expected.
    pub message: String,
}

/// A message that cannot be taken: it becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where it goes.
    pub reason: DeadReason,
    /// Everything that is wrong with it.
    pub violations: Vec<Violation>,
}

impl Refusal {
    /// A refusal with one violation.
    pub fn new(reason: DeadReason, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason, violations: vec![Violation { pointer: pointer.into(), message: message.into() }] }
    }
}
