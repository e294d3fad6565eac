//! What the controls turn: a port, so that the rules of an act (audit, keys, time to live) are tested without a node.

use async_trait::async_trait;
use serde_json::Value;

use super::act::Act;
use super::pressure::BackpressureReport;
use super::report::{BreakerReport, FlowReport};

/// Why an act is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is nothing of that name.
    #[error("{what} is not known here; known are: {known}")]
    Unknown {
        /// What was named.
        what: String,
        /// What could be named.
        known: String,
    },
    /// A value that it cannot have.
    #[error("{field} = {value}: {remedy}")]
    Value {
        /// The field of the request.
        field: &'static str,
        /// What was given.
        value: Value,
        /// What would be right.
        remedy: String,
    },
    /// Values that do not fit together.
    #[error("{0}")]
    Invalid(String),
    /// It does not fit to how things are.
    #[error("{0}")]
    Conflict(String),
    /// Not now; the same act may be done later.
    #[error("{0}")]
    NotNow(String),
}

impl Refusal {
    /// One word for the audit, which is also the code of the problem.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "not_found",
            Self::Value { .. } | Self::Invalid(_) => "validation",
            Self::Conflict(_) => "conflict",
            Self::NotNow(_) => "unavailable",
        }
    }
}

/// The running node, as far as an operator may turn it.
#[async_trait]
pub trait Knobs: Send + Sync + std::fmt::Debug {
    /// How the thing is that the act is about.
    ///
    /// # Errors
    /// Nothing of that name, or not now.
    async fn show(&self, act: &Act) -> Result<Value, Refusal>;

    /// The same, if the act can be done now.
    ///
    /// # Errors
    /// It cannot: a value out of range, or it does not fit to how things are. What is found here is found before anything is
    /// written.
    async fn look(&self, act: &Act) -> Result<Value, Refusal>;

    /// How the intake, its limits and the bulkheads are; `set` is left empty.
    ///
    /// # Errors
    /// The node cannot say it now.
    async fn flow(&self) -> Result<FlowReport, Refusal>;

    /// Who holds whom back, and why.
    ///
    /// # Errors
    /// The node cannot say it now.
    async fn backpressure(&self) -> Result<BackpressureReport, Refusal>;

    /// How the breakers are.
    ///
    /// # Errors
    /// The node cannot say it now.
    async fn breakers(&self) -> Result<Vec<BreakerReport>, Refusal>;

    /// Does it. Doing it again changes nothing.
    ///
    /// # Errors
    /// Nothing was changed.
    async fn turn(&self, act: &Act) -> Result<(), Refusal>;
}
