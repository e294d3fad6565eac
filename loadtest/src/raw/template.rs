//! The messages of one order, each alone, made from a recorded run in which orders came one after the other: what a program
//! without any packing would send. Ids have one width, so another order's messages are the same with its id put in.

use std::collections::HashMap;

use bus::layout::Layout;
use bytes::Bytes;
use domain::envelope::Headers;
use domain::ids::Key;
use serde::{Deserialize, Serialize};

use super::roll::{ID_BYTES, id_in};
use super::trace::{Body, Sent, Step, Trace};
use crate::contract::Page;

/// What follows each input of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    order: String,
    partitions: u16,
    /// By the `ce-id` of the input.
    steps: HashMap<String, Step>,
}

impl Template {
    /// The template of an order in a trace; none if the trace does not hold it.
    pub fn of(trace: &Trace, order: &str, layout: &Layout) -> Option<Self> {
        let mut inputs: Vec<Vec<&String>> = vec![Vec::new(); trace.steps.len()];
        for (id, numbers) in trace.causes.iter().filter(|(id, _)| id.contains(order)) {
            for number in numbers {
                inputs[*number as usize].push(id);
            }
        }
        let mut steps = HashMap::new();
        for (step, mut ids) in trace.steps.iter().zip(inputs) {
            ids.sort_unstable();
            let mut whole = Some(alone(step, order, layout)?);
            // A record for two inputs becomes two; what followed it follows the first of them.
            let share = step.record.blank_share(ids.len());
            for id in ids {
                let record = Sent { body: Body::Blank(share), ..step.record.clone() };
                let bare = Step {
                    record: record.clone(),
                    commands: Vec::new(),
                    joint: Vec::new(),
                    receipts: Vec::new(),
                    pages: Vec::new(),
                    notices: Vec::new(),
                    ..step.clone()
                };
                let following = whole.take().map_or(bare, |whole| Step { record, ..whole });
                steps.insert(id.clone(), following);
            }
        }
        let template = Self { order: order.to_owned(), partitions: layout.partitions, steps };
        (!template.steps.is_empty()).then_some(template)
    }

    /// How many inputs an order has.
    pub fn inputs(&self) -> usize {
        self.steps.len()
    }

    /// How many commands, and how many events.
    pub fn outputs(&self) -> (usize, usize) {
        let sum = |count: fn(&Step) -> usize| self.steps.values().map(count).sum();
        (sum(|step| step.commands.len()), sum(|step| step.notices.len()))
    }

    /// What follows the input with this `ce-id`, if it is one of the standard order.
    pub fn step(&self, id: &str) -> Option<Step> {
        let order = id_in(id)?;
        let mut step = self.steps.get(&id.replacen(order, &self.order, 1))?.clone();
        step.partition = Key::new(order).ok()?.partition(self.partitions);
        let partition = step.partition.to_string();
        let lists = [&mut step.commands, &mut step.receipts, &mut step.notices];
        for sent in lists.into_iter().flatten() {
            self.put(sent, order, &partition);
        }
        step.record.subject = replace_last(&step.record.subject, &partition);
        Some(step)
    }

    fn put(&self, sent: &mut Sent, order: &str, partition: &str) {
        // Receipts go where they were asked to go; everything else to the order's partition.
        if !sent.subject.contains(".receipt.") {
            sent.subject = replace_last(&sent.subject, partition);
        }
        let renamed =
            sent.headers.iter().map(|(name, value)| (name.to_owned(), value.replace(&self.order, order)));
        sent.headers = renamed.collect();
        if let Body::Whole(body) = &mut sent.body {
            *body = rename(body, self.order.as_bytes(), order.as_bytes());
        }
    }
}

impl Sent {
    fn blank_share(&self, parts: usize) -> usize {
        match &self.body {
            Body::Whole(body) => body.len() / parts.max(1),
            Body::Blank(length) => length / parts.max(1),
        }
    }
}

fn replace_last(subject: &str, last: &str) -> String {
    let front = subject.rsplit_once('.').map_or("", |(front, _)| front);
    format!("{front}.{last}")
}

/// Both ids have the same width, in whatever encoding the body is.
fn rename(body: &[u8], from: &[u8], to: &[u8]) -> Bytes {
    let mut renamed = body.to_vec();
    let mut at = 0;
    while at + ID_BYTES <= renamed.len() {
        if renamed[at] == from[0] && &renamed[at..at + ID_BYTES] == from {
            renamed[at..at + ID_BYTES].copy_from_slice(to);
            at += ID_BYTES;
        } else {
            at += 1;
        }
    }
    renamed.into()
}

/// What a step says about one order, with each event as a message of its own instead of a page.
fn alone(step: &Step, order: &str, layout: &Layout) -> Option<Step> {
    let of_order = |sent: &&Sent| sent.headers.get("Key") == Some(order);
    let mut notices = Vec::new();
    for sent in &step.pages {
        let Body::Whole(body) = &sent.body else { return None };
        let page: Page<'_> = serde_json::from_slice(body).ok()?;
        for event in page.events.iter().filter(|event| event.key == order) {
            let (domain, name) = event.kind.split_once('.')?;
            let headers = Headers::new()
                .with("ce-id", &event.id)
                .with("ce-type", format!("retail.{}.v1", event.kind))
                .with("ce-source", sent.headers.get("ce-source").unwrap_or_default())
                .with("ce-time", sent.headers.get("ce-time").unwrap_or_default())
                .with("content-type", "application/json")
                .with("Key", order)
                .with("ce-sequence", event.sequence.to_string())
                .with("Order-Version", event.order_version.to_string())
                .with("ce-correlationid", format!("s-{order}"));
            let subject = layout.notice("main", domain, name, step.partition);
            notices.push(Sent { subject, headers, body: Body::Blank(event.data.get().len()) });
        }
    }
    let receipt_of = |sent: &&Sent| match &sent.body {
        Body::Whole(body) => id_in(&String::from_utf8_lossy(body)) == Some(order),
        Body::Blank(_) => false,
    };
    Some(Step {
        commands: step.commands.iter().filter(of_order).cloned().collect(),
        receipts: step.receipts.iter().filter(receipt_of).cloned().collect(),
        pages: Vec::new(),
        notices,
        ..step.clone()
    })
}
