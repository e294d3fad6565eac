//! Views of what Doorbuster publishes: commands, event pages, receipts. They borrow from the message where they can.

use std::borrow::Cow;

use bus::ports::Stored;
use domain::messages::body::{Format, json_of};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Why a message of Doorbuster could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The subject is not of the form of the contract.
    #[error("subject {0:?} has not seven tokens")]
    Subject(String),
    /// A header that every command carries is missing.
    #[error("header {name} is missing on {subject}")]
    Header {
        /// The header.
        name: &'static str,
        /// The message.
        subject: String,
    },
    /// The body is not what the contract says.
    #[error("body of {subject}: {cause}")]
    Body {
        /// The message.
        subject: String,
        /// What the decoder said.
        cause: serde_json::Error,
    },
    /// The body says that it is `MessagePack`, and is not.
    #[error("body of {subject}: {cause}")]
    Pack {
        /// The message.
        subject: String,
        /// What is wrong with it.
        cause: String,
    },
}

/// A command to a participant.
#[derive(Debug, Clone)]
pub struct Command<'a> {
    /// The domain token: who is asked.
    pub domain: &'a str,
    /// The name token: what is asked.
    pub name: &'a str,
    /// Header `Key`: the order.
    pub key: &'a str,
    /// Header `Effect-Id`.
    pub effect_id: &'a str,
    /// Header `Effect-Epoch`.
    pub epoch: &'a str,
    /// Header `Idempotency-Key`.
    pub idempotency_key: &'a str,
    /// The fields of the body.
    pub body: CommandBody<'a>,
    /// The body as it came.
    pub raw: &'a [u8],
}

/// The message as JSON; one in `MessagePack` is written anew, value by value.
pub fn as_json(stored: &Stored) -> Result<Cow<'_, Stored>, Unreadable> {
    let unreadable = |cause| Unreadable::Pack { subject: stored.subject.clone(), cause };
    let format = Format::of_content_type(stored.headers.get("content-type"))
        .map_err(|refusal| unreadable(format!("{refusal:?}")))?;
    match format {
        Format::Json => Ok(Cow::Borrowed(stored)),
        Format::MessagePack => {
            let body = json_of(&stored.body).map_err(unreadable)?.into();
            Ok(Cow::Owned(Stored { body, ..stored.clone() }))
        }
    }
}

impl<'a> Command<'a> {
    /// Reads a stored message as a command.
    pub fn read(stored: &'a Stored) -> Result<Self, Unreadable> {
        let (domain, name) = domain_and_name(&stored.subject)?;
        let header = |name: &'static str| {
            stored
                .headers
                .get(name)
                .ok_or_else(|| Unreadable::Header { name, subject: stored.subject.clone() })
        };
        let body = serde_json::from_slice(&stored.body)
            .map_err(|cause| Unreadable::Body { subject: stored.subject.clone(), cause })?;
        Ok(Self {
            domain,
            name,
            key: header("Key")?,
            effect_id: header("Effect-Id")?,
            epoch: header("Effect-Epoch")?,
            idempotency_key: header("Idempotency-Key")?,
            body,
            raw: &stored.body,
        })
    }

    /// Reads a stored message as one command, or as a batch of several.
    pub fn read_all(stored: &'a Stored) -> Result<Vec<Self>, Unreadable> {
        if domain_and_name(&stored.subject)?.1 != "batch" {
            return Self::read(stored).map(|command| vec![command]);
        }
        let unreadable = |cause| Unreadable::Body { subject: stored.subject.clone(), cause };
        let items: Vec<Item<'a>> = serde_json::from_slice(&stored.body).map_err(unreadable)?;
        items
            .into_iter()
            .map(|item| {
                let raw = item.body.get();
                Ok(Self {
                    domain: item.domain,
                    name: item.name,
                    key: item.key,
                    effect_id: item.headers.effect_id,
                    epoch: item.headers.epoch,
                    idempotency_key: item.headers.idempotency_key,
                    body: serde_json::from_str(raw).map_err(unreadable)?,
                    raw: raw.as_bytes(),
                })
            })
            .collect()
    }

    /// Is it this command?
    pub fn is(&self, domain: &str, name: &str) -> bool {
        self.domain == domain && self.name == name
    }
}

/// One command of a batch.
#[derive(Debug, Deserialize)]
struct Item<'a> {
    domain: &'a str,
    name: &'a str,
    key: &'a str,
    #[serde(borrow)]
    headers: ItemHeaders<'a>,
    body: &'a RawValue,
}

#[derive(Debug, Deserialize)]
struct ItemHeaders<'a> {
    #[serde(rename = "Effect-Id")]
    effect_id: &'a str,
    #[serde(rename = "Effect-Epoch")]
    epoch: &'a str,
    #[serde(rename = "Idempotency-Key")]
    idempotency_key: &'a str,
}

fn domain_and_name(subject: &str) -> Result<(&str, &str), Unreadable> {
    let mut tokens = subject.split('.').skip(4);
    match (tokens.next(), tokens.next(), tokens.next(), tokens.next()) {
        (Some(domain), Some(name), Some(_), None) => Ok((domain, name)),
        _ => Err(Unreadable::Subject(subject.to_owned())),
    }
}

/// The fields of all commands that anybody here looks at; what a command has not is empty or zero.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct CommandBody<'a> {
    #[serde(borrow)]
    pub order_id: Cow<'a, str>,
    #[serde(borrow)]
    pub currency: Cow<'a, str>,
    #[serde(borrow)]
    pub member_id: Cow<'a, str>,
    #[serde(borrow)]
    pub reservation_ref: Cow<'a, str>,
    pub points: i64,
    pub value_minor: i64,
    pub points_delta: i64,
    pub target_points: i64,
    #[serde(borrow)]
    pub tender: Cow<'a, str>,
    #[serde(borrow)]
    pub token: Cow<'a, str>,
    #[serde(borrow)]
    pub authorization_ref: Cow<'a, str>,
    #[serde(borrow)]
    pub settlement_ref: Cow<'a, str>,
    pub amount_minor: i64,
    #[serde(borrow)]
    pub shipment_id: Cow<'a, str>,
    #[serde(borrow)]
    pub node: Cow<'a, str>,
    pub lines: Vec<DocumentRow<'a>>,
    pub releases: Vec<ReleaseRow<'a>>,
    pub ship_to: Option<Destination<'a>>,
    #[serde(borrow)]
    pub document: Cow<'a, str>,
    #[serde(borrow)]
    pub document_key: Cow<'a, str>,
    pub depends_on: Vec<Cow<'a, str>>,
    pub tenders: Vec<TenderRow<'a>>,
}

/// A row of a document, of a shipment, or of what is to be allocated.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct DocumentRow<'a> {
    pub line: Option<u32>,
    #[serde(borrow)]
    pub fee: Cow<'a, str>,
    #[serde(borrow)]
    pub sku: Cow<'a, str>,
    pub quantity: u32,
    pub net_minor: i64,
    pub tax_minor: i64,
}

/// Some units of an allocation that are given back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct ReleaseRow<'a> {
    #[serde(borrow)]
    pub allocation_ref: Cow<'a, str>,
    pub line: u32,
    pub quantity: u32,
}

/// The part of `ship_to` that the simulators look at.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Destination<'a> {
    /// Says into how many parts the order is to be split.
    #[serde(borrow)]
    pub address_ref: Cow<'a, str>,
}

/// Money of one tender in a document.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct TenderRow<'a> {
    #[serde(borrow)]
    pub tender: Cow<'a, str>,
    pub amount_minor: i64,
    #[serde(borrow)]
    pub settlement_ref: Cow<'a, str>,
}

/// All events of one journal record.
#[derive(Debug, Clone, Deserialize)]
pub struct Page<'a> {
    /// The partition that wrote it.
    pub partition: u32,
    /// The journal record; only goes up in a partition.
    pub journal_sequence: u64,
    /// Its events, in order.
    #[serde(borrow)]
    pub events: Vec<PageEvent<'a>>,
}

impl<'a> Page<'a> {
    /// Reads a stored message as a page.
    pub fn read(stored: &'a Stored) -> Result<Self, Unreadable> {
        serde_json::from_slice(&stored.body)
            .map_err(|cause| Unreadable::Body { subject: stored.subject.clone(), cause })
    }
}

/// One event as a page carries it.
#[derive(Debug, Clone, Deserialize)]
pub struct PageEvent<'a> {
    /// The short type, `order.committed` for example.
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    /// The order.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// The id of this event.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    /// Its number within the order: 1, 2, 3 …
    pub sequence: u64,
    /// The version of the order after the decision.
    pub order_version: u64,
    /// What it says.
    #[serde(borrow)]
    pub data: &'a RawValue,
}

/// The fields of all event data that the auditor looks at; what an event has not is empty or zero.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the field words are the contract's, which explains them")]
pub struct EventData<'a> {
    #[serde(borrow)]
    pub tender: Cow<'a, str>,
    pub amount_minor: i64,
    pub points: i64,
    pub points_delta: i64,
    pub lines: Vec<DocumentRow<'a>>,
}

/// The body of a receipt.
#[derive(Debug, Clone, Deserialize)]
pub struct ReceiptBody<'a> {
    /// The order.
    #[serde(borrow)]
    pub order_id: Cow<'a, str>,
    /// `accepted`, `rejected` or `pending`.
    #[serde(borrow)]
    pub outcome: Cow<'a, str>,
    /// The version of the order; 0 = it was never begun.
    #[serde(default)]
    pub order_version: u64,
    /// Why it was rejected.
    #[serde(borrow, default)]
    pub reason: Option<ReceiptReason<'a>>,
}

/// Why something was rejected.
#[derive(Debug, Clone, Deserialize)]
pub struct ReceiptReason<'a> {
    /// In one word.
    #[serde(borrow)]
    pub code: Cow<'a, str>,
}

impl ReceiptBody<'_> {
    /// Was an order refused without being begun, so that it may come again? Nothing of it may be remembered then.
    pub fn is_turned_away(&self) -> bool {
        ["expired", "overloaded", "throttled"].into_iter().any(|code| self.is_rejected_as(code))
    }

    /// Was it too late to begin it? There is a dead letter of it, too.
    pub fn is_expired(&self) -> bool {
        self.is_rejected_as("expired")
    }

    fn is_rejected_as(&self, code: &str) -> bool {
        self.outcome == "rejected"
            && self.order_version == 0
            && self.reason.as_ref().is_some_and(|reason| reason.code == code)
    }
}
