//! Reads everything that a server published in a run from the streams, and finds out what caused what.
//!
//! What a journal record was written for, it says itself; whoever can read records says it here ([`Causes`]). Pages name their
//! record, notices an event of a page, receipts follow the record that committed their order. A command follows the last record
//! with a decision of its order that the broker had stored before it: a later record of other orders may well be stored before it
//! too, but in a replay that can come before its order is there.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bus::layout::{Lane, Layout, StreamId};
use bus::ports::{OpenError, Position, Request, SharedBus, Stored};
use domain::decider::Participant;
use serde::Deserialize;

use super::trace::{Joint, Sent, Step, Trace};
use crate::contract::{Command, Page};

/// What a journal record says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// The `ce-id`s of the inputs that it holds.
    pub inputs: Vec<String>,
    /// The orders that decided.
    pub orders: Vec<String>,
}

/// Reads a journal record; none = it cannot be read.
pub type Causes<'a> = &'a (dyn Fn(&[u8]) -> Option<Contents> + Sync);

const MOST_AT_ONCE: usize = 500;
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no trace.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// A stream cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something is missing or makes no sense.
    #[error("the recording is not whole: {0}")]
    NotWhole(String),
}

/// Reads a stream from its beginning to its present end.
pub async fn read_all(bus: &SharedBus, stream: &str) -> Result<Vec<Stored>, RecordingError> {
    let bounds = bus.bounds(stream).await.map_err(OpenError::from)?;
    if bounds.messages > 0 && bounds.first != 1 {
        return Err(missing(format!("{stream} begins with message {}", bounds.first)));
    }
    let mut messages = Vec::new();
    if bounds.messages == 0 {
        return Ok(messages);
    }
    let mut reader = bus.open(stream, None, Position::default()).await?;
    while messages.last().is_none_or(|last: &Stored| last.sequence < bounds.last) {
        let more = reader.next(MOST_AT_ONCE, PATIENCE).await?;
        if more.is_empty() {
            return Err(missing(format!("{stream} ends before message {}", bounds.last)));
        }
        messages.extend(more);
    }
    Ok(messages)
}

fn missing(what: String) -> RecordingError {
    RecordingError::NotWhole(what)
}

/// Reads a run that is over. `receipts` are those that were heard while it ran.
pub async fn record(
    bus: &SharedBus,
    layout: &Layout,
    receipts: Vec<Request>,
    causes: Causes<'_>,
) -> Result<Trace, RecordingError> {
    let inputs = inputs(bus, layout).await?;
    let mut recording = Recording::default();
    recording.trace.partitions = layout.partitions;
    for partition in 0..layout.partitions {
        for stored in read_all(bus, &layout.name(StreamId::Journal(partition))).await? {
            let contents = causes(&stored.body)
                .ok_or_else(|| missing(format!("record {} of partition {partition}", stored.sequence)))?;
            recording.record(layout, partition, &stored, contents, &inputs)?;
        }
    }
    for stored in read_all(bus, &layout.name(StreamId::Events)).await? {
        recording.page(&stored)?;
    }
    for stored in read_all(bus, &layout.name(StreamId::Notices)).await? {
        recording.notice(&stored)?;
    }
    for participant in Participant::ALL {
        for stored in read_all(bus, &layout.name(StreamId::Commands(participant))).await? {
            recording.command(&stored)?;
        }
    }
    for receipt in receipts {
        recording.receipt(receipt)?;
    }
    Ok(recording.trace)
}

/// The items of an inbound batch, as far as they matter here.
#[derive(Deserialize)]
struct Item {
    headers: HashMap<String, String>,
}

/// The broker message in which each input came.
async fn inputs(bus: &SharedBus, layout: &Layout) -> Result<HashMap<String, String>, RecordingError> {
    let mut inputs = HashMap::new();
    for lane in Lane::ALL {
        for stored in read_all(bus, &layout.name(lane.stream())).await? {
            let id = stored.headers.get("ce-id").unwrap_or_default().to_owned();
            if stored.subject.rsplit('.').next() == Some("batch") {
                let items: Vec<Item> =
                    serde_json::from_slice(&stored.body).map_err(|cause| missing(cause.to_string()))?;
                for item in items {
                    inputs.insert(item.headers.get("ce-id").cloned().unwrap_or_default(), id.clone());
                }
            } else {
                inputs.insert(id.clone(), id);
            }
        }
    }
    Ok(inputs)
}

#[derive(Default)]
struct Recording {
    trace: Trace,
    /// For each order the time and number of the steps in which it decided, in order.
    decided: HashMap<String, Vec<(i64, u32)>>,
    /// The step of each journal sequence.
    sequences: HashMap<(u16, u64), u32>,
    events: HashMap<String, u32>,
    committed: HashMap<String, u32>,
}

impl Recording {
    fn record(
        &mut self,
        layout: &Layout,
        partition: u16,
        stored: &Stored,
        contents: Contents,
        inputs: &HashMap<String, String>,
    ) -> Result<(), RecordingError> {
        let number = u32::try_from(self.trace.steps.len()).map_err(|cause| missing(cause.to_string()))?;
        let mut messages = Vec::with_capacity(contents.inputs.len());
        for id in &contents.inputs {
            messages.push(inputs.get(id).ok_or_else(|| missing(format!("input {id} of a record")))?);
        }
        messages.sort_unstable();
        messages.dedup();
        for message in &messages {
            self.trace.causes.entry((*message).clone()).or_default().push(number);
        }
        for order in contents.orders {
            self.decided.entry(order).or_default().push((stored.timestamp_ns, number));
        }
        self.sequences.insert((partition, stored.sequence), number);
        self.trace.steps.push(Step {
            number,
            partition,
            waits: u32::try_from(messages.len()).map_err(|cause| missing(cause.to_string()))?,
            record: Sent::new(layout.journal(partition), &stored.headers, stored.body.clone(), false),
            commands: Vec::new(),
            joint: Vec::new(),
            receipts: Vec::new(),
            pages: Vec::new(),
            notices: Vec::new(),
        });
        Ok(())
    }

    fn step(&mut self, number: u32) -> &mut Step {
        &mut self.trace.steps[number as usize]
    }

    fn page(&mut self, stored: &Stored) -> Result<(), RecordingError> {
        let page = Page::read(stored).map_err(|cause| missing(cause.to_string()))?;
        let partition = u16::try_from(page.partition).map_err(|cause| missing(cause.to_string()))?;
        let place = (partition, page.journal_sequence);
        let number =
            *self.sequences.get(&place).ok_or_else(|| missing(format!("the record of page {place:?}")))?;
        for event in &page.events {
            self.events.insert(event.id.clone().into_owned(), number);
            if event.kind == "order.committed" {
                self.committed.insert(event.key.clone().into_owned(), number);
            }
        }
        // Kept whole: the events in it are needed where each is to be sent alone.
        let page = Sent::new(stored.subject.clone(), &stored.headers, stored.body.clone(), true);
        self.step(number).pages.push(page);
        Ok(())
    }

    fn notice(&mut self, stored: &Stored) -> Result<(), RecordingError> {
        let id = stored.headers.get("ce-id").unwrap_or_default();
        let number = *self.events.get(id).ok_or_else(|| missing(format!("the page with event {id}")))?;
        let notice = Sent::new(stored.subject.clone(), &stored.headers, stored.body.clone(), false);
        self.step(number).notices.push(notice);
        Ok(())
    }

    fn command(&mut self, stored: &Stored) -> Result<(), RecordingError> {
        let commands = Command::read_all(stored).map_err(|cause| missing(cause.to_string()))?;
        let mut numbers = BTreeSet::new();
        for command in &commands {
            let decided = self.decided.get(command.key).map_or(&[][..], Vec::as_slice);
            let after = decided.partition_point(|(time, _)| *time < stored.timestamp_ns);
            let before = after.checked_sub(1).and_then(|last| decided.get(last));
            let (_, number) = before
                .ok_or_else(|| missing(format!("the record that decided a command of {}", command.key)))?;
            numbers.insert(*number);
        }
        let sent = Sent::new(stored.subject.clone(), &stored.headers, stored.body.clone(), true);
        if let (Some(number), 1) = (numbers.first(), numbers.len()) {
            self.step(*number).commands.push(sent);
            return Ok(());
        }
        let place = u32::try_from(self.trace.joint.len()).map_err(|cause| missing(cause.to_string()))?;
        let waits = u32::try_from(numbers.len()).map_err(|cause| missing(cause.to_string()))?;
        self.trace.joint.push(Joint { waits, sent });
        for number in numbers {
            self.step(number).joint.push(place);
        }
        Ok(())
    }

    fn receipt(&mut self, receipt: Request) -> Result<(), RecordingError> {
        let body: crate::contract::ReceiptBody<'_> =
            serde_json::from_slice(&receipt.body).map_err(|cause| missing(cause.to_string()))?;
        let order = body.order_id.as_ref();
        let number = *self
            .committed
            .get(order)
            .ok_or_else(|| missing(format!("the record that committed {order}")))?;
        let sent = Sent::new(receipt.subject, &receipt.headers, receipt.body, true);
        self.step(number).receipts.push(sent);
        Ok(())
    }
}
