//! What senders get back, and the page that carries events.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::messages::outbound::commands::outgoing;
use crate::reason::{Reason, Violation};

/// How a message was settled, so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ReceiptOutcome {
    /// Settled: yes.
    Accepted,
    /// Settled: no, for good.
    Rejected,
    /// Not settled yet.
    Pending,
}

outgoing! {
    /// Where a message stands that is still in the queue.
    pub struct QueuePlace {
        /// How many messages are before it.
        pub position: u64,
        /// How long that may take, in milliseconds.
        pub estimated_wait_ms: u64,
    }
}

outgoing! {
    /// A receipt, sent to `Reply-To`.
    pub struct Receipt<'a> {
        /// The order; none if the message could not be read so far.
        pub order_id: Option<&'a str>,
        /// How it was settled.
        pub outcome: ReceiptOutcome,
        /// The version of the order after it; 0 if there is no order.
        pub order_version: u64,
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

outgoing! {
    /// A dead letter: a message that could not be taken, and why.
    pub struct DeadLetter<'a> {
        /// Why, as in its subject.
        pub reason: &'a str,
        /// The code of the closed list.
        pub code: &'a str,
        /// Everything that is wrong with it.
        pub violations: &'a [Violation],
        /// The subject that it was published to.
        pub subject: &'a str,
        /// The stream that it was stored in.
        pub stream: &'a str,
        /// Its sequence there.
        pub sequence: u64,
        /// Its `ce-id`, or what is taken for it.
        pub ce_id: &'a str,
        /// Its `ce-source`.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub ce_source: Option<&'a str>,
        /// Its headers.
        pub headers: BTreeMap<&'a str, &'a str>,
        /// Its body, base64.
        pub payload_base64: String,
    }
}

/// An event in a page.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct PageRow<'a> {
    /// `order.committed` for example.
    pub r#type: &'a str,
    /// The entity.
    pub key: &'a str,
    /// The same for the same decision, however often it is published.
    pub id: &'a str,
    /// Counts the events of the entity without a gap, from 1.
    pub sequence: u64,
    /// The version of the entity after the decision.
    pub order_version: u64,
    /// When it was decided, RFC 3339.
    pub time: &'a str,
    /// Carried on from what made the entity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<&'a str>,
    /// What changed: a JSON object.
    #[cfg_attr(feature = "schemas", schemars(with = "crate::messages::json::JsonObject"))]
    pub data: &'a RawValue,
}

/// The events of one journal record.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Page<'a> {
    /// The partition of all its events.
    pub partition: u16,
    /// The record.
    pub journal_sequence: u64,
    /// Which of the pages of the record this is, from 1; missing if it is the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// How many pages the record has; missing if this is the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<u32>,
    /// The events, in order.
    pub events: Vec<PageRow<'a>>,
}
