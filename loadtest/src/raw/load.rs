//! The shop: submits standard orders, and sees by receipts and notices how far they are.

use std::time::Duration;

use bus::layout::Layout;
use bus::ports::{Outgoing, Request, SharedBus, Subscription, Unavailable};
use bytes::Bytes;
use domain::envelope::Headers;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::deliver;
use super::roll::{Roll, number};
use crate::contract::{Naming, ReceiptBody};
use crate::workload::{Latency, Mix, Plan};

/// Five minutes in microseconds: what is slower counts as this.
const SLOWEST: u64 = 300_000_000;
/// Long enough that no receipt says `pending` before the order is committed.
const RECEIPT_DEADLINE_MS: &str = "600000";
/// All orders alike, whatever else is chosen.
const SEED: u64 = 1;

/// How orders come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How many orders share a message; one of one comes alone.
    pub group: u64,
    /// How many orders may be under way.
    pub in_flight: u64,
    /// How many a second; none = as many as there is room for.
    pub per_second: Option<u32>,
    /// Without any progress for so long, the run is given up.
    pub patience: Duration,
}

/// How a phase went.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LoadReport {
    /// How many orders were submitted.
    pub submitted: u64,
    /// For how many a receipt said that they are committed.
    pub committed: u64,
    /// For how many a notice said that they are completed.
    pub completed: u64,
    /// From the first submit to the last completion.
    pub seconds: f64,
    /// From submit to receipt, in milliseconds.
    pub committed_ms: Latency,
    /// From submit to completion, in milliseconds.
    pub completed_ms: Latency,
    /// How late submits were with a given rate, in milliseconds.
    pub lateness_ms: Latency,
    /// How many messages came on core subjects.
    pub receipts: u64,
    /// Their bodies.
    pub receipt_bytes: u64,
    /// Receipts that said anything but `accepted`, and messages that name no order of this run.
    pub strange: u64,
    /// The first of them.
    pub first_strange: Option<String>,
}

impl LoadReport {
    /// True if every order was committed and completed, and nothing else was heard.
    pub fn is_whole(&self) -> bool {
        self.committed == self.submitted && self.completed == self.submitted && self.strange == 0
    }
}

impl LoadReport {
    fn wonder(&mut self, at: &Request) {
        self.strange += 1;
        self.first_strange.get_or_insert_with(|| {
            format!("{} {:?} {}", at.subject, at.headers, String::from_utf8_lossy(&at.body))
        });
    }
}

/// How far one order is.
#[derive(Debug, Clone, Copy)]
struct Progress {
    begun: Instant,
    is_committed: bool,
    is_completed: bool,
}

struct Times(Histogram<u64>);

impl Times {
    fn new() -> Self {
        let times = Histogram::new_with_bounds(1, SLOWEST, 3);
        Self(times.expect("the bounds are constants in the allowed range"))
    }

    fn add(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_micros()).unwrap_or(SLOWEST).max(1));
    }

    fn latency(&self) -> Latency {
        Latency::of(&self.0)
    }
}

/// The shop of one run.
pub struct Load {
    bus: SharedBus,
    naming: Naming,
    roll: Roll,
    pace: Pace,
    receipts: Box<dyn Subscription>,
    completions: Box<dyn Subscription>,
    orders: Vec<Progress>,
}

impl std::fmt::Debug for Load {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Load").field("roll", &self.roll).field("pace", &self.pace).finish_non_exhaustive()
    }
}

/// Where all receipts go.
pub fn receipt_subject(naming: &Naming) -> String {
    naming.subject("receipt", "load", "submit", "all")
}

impl Load {
    /// Listens for receipts and completions.
    pub async fn new(bus: SharedBus, layout: &Layout, pace: Pace) -> Result<Self, Unavailable> {
        let naming = Naming::new(&layout.root, "main");
        let receipts = bus.subscribe(&receipt_subject(&naming)).await?;
        let completions = bus.subscribe(&naming.subject("evt", "order", "completed", "*")).await?;
        let roll = Roll { group: pace.group.max(1), partitions: layout.partitions };
        Ok(Self { bus, naming, roll, pace, receipts, completions, orders: Vec::new() })
    }

    /// Submits so many further orders and waits until they are completed, or nothing happens any more.
    pub async fn phase(&mut self, orders: u64) -> LoadReport {
        let first = self.orders.len() as u64;
        let group = self.roll.group;
        let groups = orders.div_ceil(group);
        let mut submits =
            (0..groups).map(|at| self.submit(first + at * group)).collect::<Vec<_>>().into_iter();
        let mut report = LoadReport::default();
        let (mut committed, mut completed, mut lateness) = (Times::new(), Times::new(), Times::new());
        let start = Instant::now();
        let (mut moved, mut sent) = (start, 0);
        while report.completed.min(report.committed) < groups * group {
            let due = self.due(start, sent);
            let has_room = report.submitted - report.completed + group <= self.pace.in_flight.max(group);
            if sent < groups && has_room && due <= Instant::now() {
                let Some(submit) = submits.next() else { break };
                lateness.add(due.elapsed());
                let begun = if self.pace.per_second.is_some() { due } else { Instant::now() };
                let fresh = Progress { begun, is_committed: false, is_completed: false };
                self.orders.extend((0..group).map(|_| fresh));
                if !deliver(&*self.bus, submit).await {
                    break;
                }
                (sent, moved) = (sent + 1, Instant::now());
                report.submitted += group;
                continue;
            }
            let wake = if sent < groups && has_room { due } else { moved + self.pace.patience };
            tokio::select! {
                Some(receipt) = self.receipts.next() => {
                    report.receipts += 1;
                    report.receipt_bytes += receipt.body.len() as u64;
                    match accepted(&receipt).and_then(|order| commit(&mut self.orders, order)) {
                        Some(time) => { report.committed += 1; committed.add(time); }
                        None => report.wonder(&receipt),
                    }
                }
                Some(notice) = self.completions.next() => {
                    match notice.headers.get("Key").and_then(number).map(|order| complete(&mut self.orders, order)) {
                        Some(Some(time)) => { report.completed += 1; completed.add(time); }
                        // A notice comes at least once.
                        Some(None) => continue,
                        None => report.wonder(&notice),
                    }
                }
                () = sleep_until(wake) => {
                    if moved.elapsed() >= self.pace.patience { break; }
                    continue;
                }
            }
            moved = Instant::now();
        }
        report.seconds = (moved - start).as_secs_f64();
        report.committed_ms = committed.latency();
        report.completed_ms = completed.latency();
        report.lateness_ms =
            if self.pace.per_second.is_some() { lateness.latency() } else { Latency::default() };
        report
    }

    fn due(&self, start: Instant, sent: u64) -> Instant {
        let Some(rate) = self.pace.per_second else { return start };
        start
            + Duration::from_nanos(
                (sent * self.roll.group).saturating_mul(1_000_000_000) / u64::from(rate.max(1)),
            )
    }

    /// The submit of the group that begins with this order.
    fn submit(&self, first: u64) -> Outgoing {
        let plan = Plan { seed: SEED, run: String::new(), mix: Mix::Standard, lines: None };
        let body = |order: u64, id: &str| {
            let mut submit = plan.order(order).submit;
            id.clone_into(&mut submit.order_id);
            serde_json::to_string(&submit).expect("a struct with named fields always becomes JSON")
        };
        let first_id = self.roll.id(first);
        let reply_to = receipt_subject(&self.naming);
        let headers = Headers::new()
            .with("ce-id", format!("s-{first_id}"))
            .with("ce-source", "/load/shop")
            .with("content-type", "application/json");
        if self.roll.group == 1 {
            let headers = headers.with("Reply-To", reply_to).with("Receipt-Deadline-Ms", RECEIPT_DEADLINE_MS);
            let subject = self.naming.subject("intake", "order", "submit", first_id.as_str());
            return Outgoing { subject, headers, body: Bytes::from(body(first, first_id.as_str())) };
        }
        let items: Vec<String> = (first..first + self.roll.group)
            .map(|order| {
                let id = self.roll.id(order);
                let body = body(order, id.as_str());
                format!(
                    r#"{{"domain":"order","name":"submit","key":"{id}","headers":{{"ce-id":"i-{id}","ce-source":"/load/shop","Reply-To":"{reply_to}","Receipt-Deadline-Ms":"{RECEIPT_DEADLINE_MS}"}},"body":{body}}}"#
                )
            })
            .collect();
        let subject = self.naming.subject("intake", "order", "batch", first_id.as_str());
        Outgoing { subject, headers, body: Bytes::from(format!("[{}]", items.join(","))) }
    }
}

/// The order that a receipt calls committed.
fn accepted(receipt: &Request) -> Option<u64> {
    let body: ReceiptBody<'_> = serde_json::from_slice(&receipt.body).ok()?;
    (body.outcome == "accepted").then(|| number(&body.order_id)).flatten()
}

fn commit(orders: &mut [Progress], order: u64) -> Option<Duration> {
    let progress = orders.get_mut(usize::try_from(order).ok()?)?;
    let is_first = !std::mem::replace(&mut progress.is_committed, true);
    is_first.then(|| progress.begun.elapsed())
}

fn complete(orders: &mut [Progress], order: u64) -> Option<Duration> {
    let progress = orders.get_mut(usize::try_from(order).ok()?)?;
    let is_first = !std::mem::replace(&mut progress.is_completed, true);
    is_first.then(|| progress.begun.elapsed())
}
