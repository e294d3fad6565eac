//! Shoppers who all want the same item: they hold a unit of one stock cell, hear what came of it, and let go of it again. For
//! measuring what one cell can take; of a hold nothing is remembered but when it was asked for.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bus::layout::Layout;
use bus::packing::{Packable, pack};
use bus::ports::{Outgoing, Request, SharedBus, Subscription, Unavailable};
use domain::ids::Key;
use domain::messages::body::Format;
use futures_util::FutureExt;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::contract::{Naming, Sender};
use crate::raw::deliver;
use crate::workload::Latency;

/// Five minutes in microseconds: what is slower counts as this.
const SLOWEST: u64 = 300_000_000;
/// Long enough that no receipt says `pending`.
const RECEIPT_DEADLINE_MS: &str = "600000";
/// How many messages are made before somebody looks for receipts again.
const AT_ONCE: usize = 512;

/// How holds come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Does every message come alone? Otherwise up to 64 of a partition share one.
    pub single: bool,
    /// How many holds may be unanswered.
    pub in_flight: u64,
    /// Without any receipt for so long, a phase is given up.
    pub patience: Duration,
}

/// What shoppers do with what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// They let go of it as soon as they hear of it.
    LetGo,
    /// They keep it.
    Keep,
}

/// How a phase went.
#[derive(Debug, Clone)]
pub struct Holds {
    asked: u64,
    held: u64,
    refused: BTreeMap<String, u64>,
    strange: u64,
    begun: Instant,
    ended: Instant,
    times: Histogram<u64>,
}

/// The same in numbers.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HoldReport {
    /// How many holds were asked for.
    pub asked: u64,
    /// Receipts that said `accepted`.
    pub held: u64,
    /// Receipts that said `rejected`, by the code of their reason.
    pub refused: BTreeMap<String, u64>,
    /// Receipts that said anything else.
    pub strange: u64,
    /// From the first hold to the last receipt.
    pub seconds: f64,
    /// From hold to receipt, in milliseconds.
    pub receipt_ms: Latency,
}

impl HoldReport {
    /// True if every hold had one answer.
    pub fn is_whole(&self) -> bool {
        self.held + self.refused.values().sum::<u64>() == self.asked && self.strange == 0
    }
}

impl Holds {
    fn begin() -> Self {
        let times = Histogram::new_with_bounds(1, SLOWEST, 3);
        let times = times.expect("the bounds are constants in the allowed range");
        let begun = Instant::now();
        Self { asked: 0, held: 0, refused: BTreeMap::new(), strange: 0, begun, ended: begun, times }
    }

    /// All phases that ran at the same time as one.
    pub fn together(all: impl IntoIterator<Item = Self>) -> HoldReport {
        let mut all = all.into_iter();
        let Some(mut sum) = all.next() else { return HoldReport::default() };
        for other in all {
            sum.asked += other.asked;
            sum.held += other.held;
            sum.strange += other.strange;
            for (code, count) in other.refused {
                *sum.refused.entry(code).or_default() += count;
            }
            sum.begun = sum.begun.min(other.begun);
            sum.ended = sum.ended.max(other.ended);
            sum.times.add(other.times).expect("all histograms have the same bounds");
        }
        let Self { asked, held, refused, strange, begun, ended, times } = sum;
        let seconds = (ended - begun).as_secs_f64();
        HoldReport { asked, held, refused, strange, seconds, receipt_ms: Latency::of(&times) }
    }

    fn answered(&self) -> u64 {
        self.times.len()
    }
}

/// The part of a receipt that is looked at.
#[derive(Deserialize)]
struct Receipt<'a> {
    #[serde(borrow)]
    reservation_id: Cow<'a, str>,
    #[serde(borrow)]
    outcome: Cow<'a, str>,
    #[serde(borrow)]
    reason: Option<Why<'a>>,
}

#[derive(Deserialize)]
struct Why<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
}

/// Shoppers of one connection.
pub struct Shoppers {
    bus: SharedBus,
    naming: Naming,
    partitions: u16,
    avoided: Option<u16>,
    name: String,
    pace: Pace,
    sender: Sender,
    receipts: Box<dyn Subscription>,
    made: u64,
    waiting: HashMap<String, Instant>,
}

impl std::fmt::Debug for Shoppers {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Shoppers")
            .field("name", &self.name)
            .field("made", &self.made)
            .finish_non_exhaustive()
    }
}

impl Shoppers {
    /// Listens for receipts. Ids of reservations begin with `name`; none of them falls to the partition that is `avoided`.
    ///
    /// # Errors
    /// There is no connection.
    pub async fn new(
        bus: SharedBus,
        layout: &Layout,
        name: &str,
        avoided: Option<u16>,
        pace: Pace,
    ) -> Result<Self, Unavailable> {
        let naming = Naming::new(&layout.root, "main");
        let receipts = bus.subscribe(&receipt_subject(&naming, name)).await?;
        let sender = Sender::new("/shoppers", name);
        let (name, partitions, waiting) = (name.to_owned(), layout.partitions, HashMap::new());
        Ok(Self { bus, naming, partitions, avoided, name, pace, sender, receipts, made: 0, waiting })
    }

    /// So many holds of one unit of `sku` each, as fast as the pace allows; comes back with the last receipt, or when none comes any
    /// more.
    pub async fn hold(&mut self, sku: &str, holds: u64, then: Then) -> Holds {
        let mut sum = Holds::begin();
        let mut unwanted = Vec::new();
        while sum.answered() < holds {
            if !self.ask(sku, holds, &mut sum, &mut unwanted).await {
                return sum;
            }
            let Ok(Some(receipt)) = timeout(self.pace.patience, self.receipts.next()).await else { break };
            self.hear(&receipt, &mut sum, &mut unwanted);
            // One commit of the server settles very many holds: all that are there are heard before more is asked.
            while unwanted.len() < AT_ONCE
                && let Some(Some(receipt)) = self.receipts.next().now_or_never()
            {
                self.hear(&receipt, &mut sum, &mut unwanted);
            }
            if then == Then::Keep {
                unwanted.clear();
            }
        }
        sum.ended = Instant::now();
        let unwanted = unwanted.iter().map(|id| self.letting_go(id)).collect();
        self.say(unwanted).await;
        sum
    }

    /// Lets go of what is unwanted, and asks for as much as may be unanswered; false = the connection is gone.
    async fn ask(&mut self, sku: &str, holds: u64, sum: &mut Holds, unwanted: &mut Vec<String>) -> bool {
        loop {
            let mut messages: Vec<Packable> = unwanted.drain(..).map(|id| self.letting_go(&id)).collect();
            let most = holds.min(sum.answered() + self.pace.in_flight);
            while sum.asked < most && messages.len() < 2 * AT_ONCE {
                messages.push(self.holding(sku));
                sum.asked += 1;
            }
            if messages.is_empty() {
                return true;
            }
            if !self.say(messages).await {
                return false;
            }
        }
    }

    fn hear(&mut self, receipt: &Request, sum: &mut Holds, held: &mut Vec<String>) {
        let read = serde_json::from_slice::<Receipt<'_>>(&receipt.body).ok();
        let waiting = read.and_then(|read| Some((self.waiting.remove(&*read.reservation_id)?, read)));
        let Some((begun, read)) = waiting else {
            sum.strange += 1;
            return;
        };
        let time = u64::try_from(begun.elapsed().as_micros()).unwrap_or(SLOWEST);
        sum.times.saturating_record(time.max(1));
        match (&*read.outcome, read.reason) {
            ("accepted", _) => {
                sum.held += 1;
                held.push(read.reservation_id.into_owned());
            }
            ("rejected", Some(why)) => *sum.refused.entry(why.code.into_owned()).or_default() += 1,
            _ => sum.strange += 1,
        }
    }

    fn holding(&mut self, sku: &str) -> Packable {
        let (key, partition) = loop {
            self.made += 1;
            let key = format!("{}-{}", self.name, self.made);
            let partition = partition_of(&key, self.partitions);
            if self.avoided != Some(partition) {
                break (key, partition);
            }
        };
        let body = json!({"reservation_id": key, "lines": [{"line": 1, "sku": sku, "quantity": 1}]});
        let subject = self.naming.subject("intake", "reservation", "hold", &key);
        let mut message = self.sender.message(subject, body.to_string().into());
        message.headers.push("Reply-To", receipt_subject(&self.naming, &self.name));
        message.headers.push("Receipt-Deadline-Ms", RECEIPT_DEADLINE_MS);
        self.waiting.insert(key.clone(), Instant::now());
        Packable { message, key, partition }
    }

    fn letting_go(&mut self, id: &str) -> Packable {
        let body = json!({"reservation_id": id, "reason": "not wanted any more"});
        let subject = self.naming.subject("ask", "reservation", "release", id);
        let message = self.sender.message(subject, body.to_string().into());
        Packable { message, key: id.to_owned(), partition: partition_of(id, self.partitions) }
    }

    /// Sends without waiting for an ack: what is lost has no receipt.
    async fn say(&self, messages: Vec<Packable>) -> bool {
        let packed: Vec<Outgoing> = if self.pace.single {
            messages.into_iter().map(|alone| alone.message).collect()
        } else {
            pack(messages, Format::Json).into_iter().map(|(message, _)| message).collect()
        };
        for message in packed {
            if !deliver(&*self.bus, message).await {
                return false;
            }
        }
        true
    }
}

fn receipt_subject(naming: &Naming, name: &str) -> String {
    naming.subject("receipt", "shop", "hold", name)
}

/// The partition of a key that is one.
fn partition_of(key: &str, partitions: u16) -> u16 {
    Key::new(key).expect("the name of shoppers and a number are a key").partition(partitions)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bus::layout::Layout;
    use bus::memory::MemoryBus;
    use bus::ports::{Outgoing, SharedBus};
    use domain::envelope::Headers;

    use super::{Holds, Pace, Shoppers, Then};

    const PACE: Pace = Pace { single: true, in_flight: 10, patience: Duration::from_secs(1) };

    /// A server that answers every hold of ten with what it is told to.
    async fn heard(answers: [&'static str; 10]) -> super::HoldReport {
        let layout = Layout::new("retail", 2, 1).in_memory();
        let bus: SharedBus = std::sync::Arc::new(MemoryBus::real_time(&layout));
        let mut shoppers = Shoppers::new(bus.clone(), &layout, "c", Some(1), PACE).await.unwrap();
        let told = tokio::spawn(async move {
            let ids = (1..).map(|number| format!("c-{number}"));
            let ids = ids.filter(|id| super::partition_of(id, 2) == 0);
            for (id, answer) in ids.zip(answers) {
                let subject = "retail.v1.receipt.main.shop.hold.c".to_owned();
                let body = format!(r#"{{"reservation_id":"{id}",{answer}}}"#);
                bus.send(Outgoing { subject, headers: Headers::new(), body: body.into() });
            }
        });
        let holds = shoppers.hold("A", 10, Then::LetGo);
        let (holds, told) = tokio::join!(holds, told);
        told.unwrap();
        Holds::together([holds])
    }

    const HELD: &str = r#""outcome":"accepted","reason":null"#;
    const REFUSED: &str = r#""outcome":"rejected","reason":{"code":"out_of_stock"}"#;

    #[tokio::test]
    async fn given_an_answer_to_every_hold_when_they_are_heard_then_each_counts_once() {
        let report = heard([HELD, REFUSED, HELD, HELD, HELD, HELD, HELD, REFUSED, HELD, HELD]).await;
        assert_eq!((report.asked, report.held, report.refused["out_of_stock"]), (10, 8, 2));
        assert!(report.is_whole(), "{report:?}");
    }

    #[tokio::test]
    async fn given_an_answer_that_nobody_promised_then_the_phase_is_not_whole() {
        let report =
            heard([HELD, HELD, HELD, HELD, r#""outcome":"perhaps""#, HELD, HELD, HELD, HELD, HELD]).await;
        assert_eq!(report.strange, 1);
        assert!(!report.is_whole(), "{report:?}");
    }
}
