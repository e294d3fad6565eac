//! Publishes orders and wishes: as fast as the intake takes them or at a rate, never losing one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::ports::Outgoing;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use super::fate::Moment;
use super::plan::{Plan, Planned};
use super::stopwatch::Stopwatch;
use crate::auditor::{Auditor, News, NewsKind};
use crate::contract::{Naming, ReceiptBody, Sender};
use crate::simulators::Outbox;

/// How fast orders come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How many orders.
    pub orders: u64,
    /// How many a second; none = as fast as they are taken.
    pub per_second: Option<u32>,
    /// How many may be under way at once; with a rate, the latency counts from when an order was meant to come.
    pub in_flight: usize,
}

/// Somebody who buys.
#[derive(Debug)]
pub struct Publisher {
    plan: Plan,
    pace: Pace,
    naming: Naming,
    auditor: Arc<Mutex<Auditor>>,
    stopwatch: Mutex<Stopwatch>,
    room: Semaphore,
    wishes: Mutex<HashMap<Box<str>, (Moment, Outgoing)>>,
}

impl Publisher {
    /// A publisher that tells `auditor` of everything before it sends it.
    pub fn new(plan: Plan, pace: Pace, naming: Naming, auditor: Arc<Mutex<Auditor>>) -> Self {
        Self {
            plan,
            pace,
            naming,
            auditor,
            stopwatch: Mutex::default(),
            room: Semaphore::new(pace.in_flight.clamp(1, Semaphore::MAX_PERMITS)),
            wishes: Mutex::default(),
        }
    }

    /// Where receipts go: one subject for each order; this is the filter for all.
    pub fn receipts(&self) -> String {
        self.naming.subject("receipt", &self.plan.run, "submit", "*")
    }

    /// How long the orders have taken to be settled.
    pub fn stopwatch(&self) -> MutexGuard<'_, Stopwatch> {
        locked(&self.stopwatch)
    }

    /// Publishes all orders of the plan; ends when the last is handed to the outbox.
    pub async fn publish(&self, outbox: &Outbox) {
        let mut sender = Sender::new("/sim/shop", format!("{}-shop", self.plan.run));
        let start = Instant::now();
        for number in 0..self.pace.orders {
            let intended = self.intended(start, number);
            if let Some(intended) = intended {
                sleep_until(intended).await;
            }
            let Ok(permit) = self.room.acquire().await else { return };
            permit.forget();
            let planned = self.plan.order(number);
            self.submit(planned, intended.unwrap_or_else(Instant::now), &mut sender, outbox).await;
        }
    }

    fn intended(&self, start: Instant, number: u64) -> Option<Instant> {
        let rate = u64::from(self.pace.per_second?.max(1));
        Some(start + Duration::from_nanos(number.saturating_mul(1_000_000_000) / rate))
    }

    async fn submit(&self, planned: Planned, intended: Instant, sender: &mut Sender, outbox: &Outbox) {
        let order = planned.order_id();
        locked(&self.auditor).submitted(&planned.submit, planned.legal);
        self.stopwatch().start(order, intended);
        let subject = self.naming.subject("intake", "order", "submit", order);
        let body = json(&planned.submit);
        let mut submit = sender.message(subject, body);
        submit.headers.push("Reply-To", self.naming.subject("receipt", &self.plan.run, "submit", order));
        let wish = planned.cancel().map(|body| {
            let subject = self.naming.subject("ask", "order", "cancel", order);
            sender.message(subject, json(&body))
        });
        let (mut before, mut after) = (None, None);
        match planned.wish.as_ref().map(|wish| wish.moment).zip(wish) {
            Some((Moment::BeforeSubmit, wish)) => before = Some(wish),
            Some((Moment::WithSubmit, wish)) => after = Some(wish),
            Some(later) => {
                locked(&self.wishes).insert(order.into(), later);
            }
            None => {}
        }
        if let Some(wish) = before {
            self.ask(order, wish, outbox).await;
        }
        for _ in 0..planned.times {
            outbox.put(submit.clone()).await;
        }
        if let Some(wish) = after {
            self.ask(order, wish, outbox).await;
        }
    }

    async fn ask(&self, order: &str, wish: Outgoing, outbox: &Outbox) {
        locked(&self.auditor).asked(order);
        outbox.put(wish).await;
    }

    /// A receipt has come.
    pub fn receipt(&self, body: &[u8]) {
        let Ok(receipt) = serde_json::from_slice::<ReceiptBody<'_>>(body) else {
            locked(&self.auditor).unreadable("a receipt that is not of the form of the contract");
            return;
        };
        let accepted = match receipt.outcome.as_ref() {
            "accepted" => true,
            "rejected" => false,
            _ => return, // pending: the settlement is still to come
        };
        locked(&self.auditor).receipt(&receipt.order_id, accepted);
        self.stopwatch().settled(&receipt.order_id);
    }

    /// The pages have told something: a wish may be due, or there is room for another order.
    pub async fn news(&self, news: &News, outbox: &Outbox) {
        let moment = match news.kind {
            NewsKind::Received => return,
            NewsKind::Committed => Moment::Committed,
            NewsKind::AtNode => Moment::AtNode,
            NewsKind::Ended => {
                locked(&self.wishes).remove(&*news.order);
                self.stopwatch().settled(&news.order);
                self.room.add_permits(1);
                return;
            }
        };
        if moment == Moment::Committed {
            self.stopwatch().settled(&news.order);
        }
        let due = {
            let mut wishes = locked(&self.wishes);
            let is_due = wishes.get(&*news.order).is_some_and(|(when, _)| *when == moment);
            if is_due { wishes.remove(&*news.order) } else { None }
        };
        if let Some((_, wish)) = due {
            self.ask(&news.order, wish, outbox).await;
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn json(body: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(body).expect("a struct with named fields always becomes JSON").into()
}
