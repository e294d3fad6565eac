//! What can happen to a counter, as it is recorded. Persisted: names and meaning stay, see the golden files.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::limits::Most;
use crate::claims::Amount;

/// What happened. `claim` names a claim by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    missing_docs,
    reason = "the fields repeat the words of the contract; each variant says what they mean together"
)]
pub enum Event {
    /// Uses are reserved, or final at once.
    Taken {
        claim: Arc<str>,
        amount: Amount,
        hard: bool,
        /// Who, if it is limited by customer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer: Option<Arc<str>>,
        /// The limits that it fits into.
        most: Box<Most>,
    },
    /// Reserved uses are final, and their claim lived on. Not recorded any more: see [`Event::Finalized`].
    Hardened { claim: Arc<str>, amount: Amount },
    /// Reserved uses are final: the order is committed. They are a number from then on, and the claim ends.
    Finalized { claim: Arc<str>, amount: Amount },
    /// Final uses are a claim again, for they are about to be given back: the order is cancelled as a whole.
    Reopened {
        claim: Arc<str>,
        amount: Amount,
        /// Who, if he is counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer: Option<Arc<str>>,
    },
    /// They can never be given back any more.
    Consumed { claim: Arc<str>, amount: Amount, movement: Arc<str> },
    /// They were not needed.
    GivenBack { claim: Arc<str>, amount: Amount, release: Arc<str> },
}
