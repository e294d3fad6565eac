//! What a server published in a run, cut into steps: one for each journal record, with what went out after it and what had
//! to arrive before it.

use std::collections::HashMap;

use bus::ports::Outgoing;
use bytes::Bytes;
use domain::envelope::Headers;
use serde::{Deserialize, Serialize};

/// A body: whole where somebody reads it, else only its length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// These bytes.
    Whole(Bytes),
    /// So many bytes, whatever they are.
    Blank(usize),
}

/// A message that was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Where to.
    pub subject: String,
    /// With which headers; those that the broker itself understands are left out, because they are set anew.
    pub headers: Headers,
    /// What it says.
    pub body: Body,
}

/// No message is larger: what blank bodies are cut from.
const MOST_BYTES: usize = 1 << 20;

/// Bytes for blank bodies, shared by all.
#[derive(Debug, Clone)]
pub struct Filler(Bytes);

impl Default for Filler {
    fn default() -> Self {
        Self(Bytes::from(vec![b'x'; MOST_BYTES]))
    }
}

impl Sent {
    /// A published message, with its body whole or only its length.
    pub fn new(subject: String, headers: &Headers, body: Bytes, is_whole: bool) -> Self {
        let own = headers.iter().filter(|(name, _)| !name.starts_with("Nats-"));
        let headers = own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let body = if is_whole { Body::Whole(body) } else { Body::Blank(body.len()) };
        Self { subject, headers, body }
    }

    /// The message as it goes out again.
    pub fn outgoing(self, filler: &Filler) -> Outgoing {
        let body = match self.body {
            Body::Whole(body) => body,
            Body::Blank(length) => filler.0.slice(..length.min(MOST_BYTES)),
        };
        Outgoing { subject: self.subject, headers: self.headers, body }
    }

    /// Its bytes: subject, headers and body.
    pub fn bytes(&self) -> u64 {
        let headers = self.headers.bytes();
        let body = match &self.body {
            Body::Whole(body) => body.len(),
            Body::Blank(length) => *length,
        };
        (self.subject.len() + headers + body) as u64
    }
}

/// A journal record and what followed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its place in [`Trace::steps`].
    pub number: u32,
    /// The partition that wrote it.
    pub partition: u16,
    /// How many messages must arrive before it; none = it follows the step before it in its partition.
    pub waits: u32,
    /// The record.
    pub record: Sent,
    /// The commands that it alone decided, in order.
    pub commands: Vec<Sent>,
    /// The places in [`Trace::joint`] of messages that it decided together with other records.
    pub joint: Vec<u32>,
    /// The receipts, on core subjects.
    pub receipts: Vec<Sent>,
    /// The event pages.
    pub pages: Vec<Sent>,
    /// The events that are also published alone; they follow the pages.
    pub notices: Vec<Sent>,
}

impl Step {
    /// Every message of it alone.
    pub fn messages(&self) -> impl Iterator<Item = &Sent> {
        let rest = [&self.commands, &self.receipts, &self.pages, &self.notices];
        std::iter::once(&self.record).chain(rest.into_iter().flatten())
    }
}

/// A message with commands of several records: it goes out after the last of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joint {
    /// How many records must be stored before it.
    pub waits: u32,
    /// The message.
    pub sent: Sent,
}

/// Everything that a server published in a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Trace {
    /// How many partitions there are.
    pub partitions: u16,
    /// The steps: within each partition in order.
    pub steps: Vec<Step>,
    /// The messages of several steps.
    pub joint: Vec<Joint>,
    /// Which steps wait for the message with this `ce-id`.
    pub causes: HashMap<String, Vec<u32>>,
}

/// How much was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Messages, receipts included.
    pub messages: u64,
    /// Subjects, headers and bodies.
    pub bytes: u64,
}

impl Totals {
    /// One more message.
    pub fn add(&mut self, sent: &Sent) {
        self.messages += 1;
        self.bytes += sent.bytes();
    }
}

impl Trace {
    /// How much its server published.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let joint = self.joint.iter().map(|joint| &joint.sent);
        self.steps.iter().flat_map(Step::messages).chain(joint).for_each(|sent| totals.add(sent));
        totals
    }
}
