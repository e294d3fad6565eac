//! Warehouses and the ERP as those who know how much is there: they count everything before the first order comes, and go on telling
//! what comes in and what was miscounted, now and then twice, now and then long after it happened.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bus::ports::{Expect, OpenError, Outgoing, Reader, SharedBus, StoreOutcome};
use bytes::Bytes;
use domain::envelope::Headers;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::outbox::Outbox;
use crate::auditor::{Auditor, NewsKind};
use crate::chance::Dice;
use crate::contract::{BEFORE_THE_COUNT, Hold, HoldLine, Naming, Sender, StockFact};
use crate::workload::Supply;

/// Until all of it must be in force.
const IN_FORCE_WITHIN: Duration = Duration::from_mins(2);
/// How long to wait for pages before looking around.
const LOOK_AROUND: Duration = Duration::from_millis(20);
/// How long the unit is held that shows that all is in force, in milliseconds.
const PROBE_MS: u32 = 1_000;
/// Of a thousand facts, so many come twice.
const TWICE: u32 = 100;

const UNHEARD: &str = "the counts were not heard of; is stock.moved, counter.moved, reservation.consumed and \
                       reservation.given_up in the server's node.further?";

/// Somebody who has an auditor.
pub(crate) trait Audits {
    /// Lets the auditor see or say something.
    fn audit<T>(&self, act: impl FnOnce(&mut Auditor) -> T) -> T;
}

impl Audits for Mutex<Auditor> {
    fn audit<T>(&self, act: impl FnOnce(&mut Auditor) -> T) -> T {
        act(&mut self.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Why there is no stock to sell from.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    /// The events cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The broker does not take reference data.
    #[error("the broker refuses reference data: {0}")]
    Refused(String),
    /// Nobody holds what is asked for.
    #[error("not in force after two minutes: {0}")]
    NotInForce(&'static str),
}

/// Who tells the stock of a run.
pub(crate) struct StockFeed {
    pub(crate) supply: Supply,
    pub(crate) naming: Naming,
    pub(crate) run: String,
    pub(crate) seed: u64,
}

impl StockFeed {
    /// Tells limits, nodes and counts, and returns once a unit of the last of them could be held.
    pub(crate) async fn open(
        &self,
        bus: &SharedBus,
        auditor: &impl Audits,
        pages: &mut Box<dyn Reader>,
        outbox: &Outbox,
    ) -> Result<(), StockError> {
        for (kind, id, uses) in self.supply.limits() {
            auditor.audit(|auditor| auditor.limited(format!("{kind}~{id}"), uses));
        }
        for (key, value) in self.supply.reference() {
            self.refer(bus, &key, value.to_string().into()).await?;
        }
        let mut sender = Sender::new("/sim/erp-stock", format!("{}-count", self.run));
        let mut facts = self.supply.counts().chain(std::iter::once(self.supply.probe())).peekable();
        let begun = Instant::now();
        let mut are_sent = false;
        while !(are_sent && auditor.audit(|auditor| auditor.stock_is_heard())) {
            // A few at a time, so that the events of the first are read while the last are sent.
            for fact in facts.by_ref().take(200) {
                auditor.audit(|auditor| auditor.stock(&fact));
                outbox.put(self.message(&mut sender, &fact)).await;
            }
            are_sent = facts.peek().is_none();
            hear(auditor, pages).await?;
            if begun.elapsed() > IN_FORCE_WITHIN {
                return Err(StockError::NotInForce(UNHEARD));
            }
        }
        self.hold_one(auditor, pages, outbox).await
    }

    /// Tries to hold the item that nobody buys, until it can be held.
    async fn hold_one(
        &self,
        auditor: &impl Audits,
        pages: &mut Box<dyn Reader>,
        outbox: &Outbox,
    ) -> Result<(), StockError> {
        let mut sender = Sender::new("/sim/shop", format!("{}-probe", self.run));
        let probing = async {
            let mut number = 0;
            loop {
                number += 1;
                let reservation_id = format!("{}-probe~{number}", self.run);
                auditor.audit(|auditor| auditor.holding(&reservation_id));
                let subject = self.naming.subject("intake", "reservation", "hold", &reservation_id);
                let sku = self.supply.probe().sku;
                let lines = vec![HoldLine { line: 1, sku, quantity: 1 }];
                let hold = Hold { reservation_id: reservation_id.clone(), lines, ttl_ms: PROBE_MS };
                outbox.put(sender.message(subject, json(&hold))).await;
                let is_held = loop {
                    let news = hear(auditor, pages).await?;
                    let mine = news.iter().find(|(reservation, _)| *reservation == reservation_id);
                    if let Some((_, kind)) = mine {
                        break *kind == NewsKind::Held;
                    }
                };
                if is_held {
                    return Ok(());
                }
                sleep(LOOK_AROUND * 5).await;
            }
        };
        let none = StockError::NotInForce("nothing can be held, although everything was counted");
        timeout(IN_FORCE_WITHIN, probing).await.unwrap_or(Err(none))
    }

    async fn refer(&self, bus: &SharedBus, key: &str, body: Bytes) -> Result<(), StockError> {
        let value = Outgoing { subject: self.naming.reference(key), headers: Headers::new(), body };
        loop {
            match bus.store(value.clone(), Expect::Anything).await {
                StoreOutcome::Stored(_) => return Ok(()),
                StoreOutcome::Refused(cause) => return Err(StockError::Refused(cause)),
                StoreOutcome::Full | StoreOutcome::Unknown(_) | StoreOutcome::Conflict => {
                    sleep(LOOK_AROUND).await;
                }
            }
        }
    }

    /// Goes on telling what comes in until it is told to stop.
    pub(crate) async fn go_on(&self, auditor: &impl Audits, outbox: &Outbox, quiet: watch::Receiver<bool>) {
        let rate = self.supply.plan().facts_per_second;
        if rate <= 0.0 {
            return;
        }
        let (mut sender, begun) = (Sender::new("/sim/wms", format!("{}-wms", self.run)), Instant::now());
        for number in 0_u32.. {
            sleep_until(begun + Duration::from_secs_f64(f64::from(number) / rate)).await;
            if *quiet.borrow() {
                return;
            }
            let number = u64::from(number);
            let fact = self.supply.later(self.seed, number);
            auditor.audit(|auditor| auditor.stock(&fact));
            let message = self.message(&mut sender, &fact);
            if Dice::new(self.seed, &["twice", &number.to_string()]).happens(TWICE) {
                // Once more as it is, and once under another id: the movement counts once all the same.
                outbox.put(message.clone()).await;
                outbox.put(self.message(&mut sender, &fact)).await;
            }
            outbox.put(message).await;
        }
    }

    fn message(&self, sender: &mut Sender, fact: &StockFact) -> Outgoing {
        let subject = self.naming.subject("fact", "stock", fact.name(), &fact.cell());
        let mut message = sender.message(subject, fact.body().to_string().into());
        if fact.is_late {
            message.headers.push("ce-time", BEFORE_THE_COUNT);
        }
        message
    }
}

/// Reads what the pages tell. Gives what became of reservations.
async fn hear(
    auditor: &impl Audits,
    pages: &mut Box<dyn Reader>,
) -> Result<Vec<(String, NewsKind)>, OpenError> {
    match pages.next(256, LOOK_AROUND).await {
        Ok(messages) => Ok(auditor.audit(|auditor| {
            let news = messages.iter().flat_map(|stored| auditor.page(stored));
            news.map(|one| (one.order.to_string(), one.kind)).collect()
        })),
        Err(OpenError::Unavailable(cause)) => {
            tracing::debug!(%cause, "waiting for the broker");
            sleep(LOOK_AROUND).await;
            Ok(Vec::new())
        }
        Err(lost) => Err(lost),
    }
}

fn json(body: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(body).expect("a struct with named fields always becomes JSON").into()
}
