//! Publishes orders and wishes: as fast as the intake takes them or at a rate, never losing one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::ports::Outgoing;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use super::fate::Moment;
use super::goods::Goods;
use super::plan::{Plan, Planned};
use super::stopwatch::Stopwatch;
use crate::auditor::{Auditor, News, NewsKind};
use crate::chance::Dice;
use crate::contract::{Hold, Naming, ReceiptBody, ReservationRelease, Sender};
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

/// Messages that are sent when it is time, by order or reservation.
type Later = HashMap<Box<str>, (Moment, Vec<Outgoing>)>;

/// Somebody who buys.
#[derive(Debug)]
pub struct Publisher {
    plan: Plan,
    pace: Pace,
    naming: Naming,
    auditor: Arc<Mutex<Auditor>>,
    stopwatch: Mutex<Stopwatch>,
    room: Semaphore,
    /// What is sent later, by order or reservation.
    later: Mutex<Later>,
    goods: Option<Goods>,
}

impl Publisher {
    /// A publisher that tells `auditor` of everything before it sends it; orders buy `goods`, or what they were made with.
    pub fn new(
        plan: Plan,
        pace: Pace,
        naming: Naming,
        auditor: Arc<Mutex<Auditor>>,
        goods: Option<Goods>,
    ) -> Self {
        Self {
            plan,
            pace,
            naming,
            auditor,
            stopwatch: Mutex::default(),
            room: Semaphore::new(pace.in_flight.clamp(1, Semaphore::MAX_PERMITS)),
            later: Mutex::default(),
            goods,
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
            let planned = self.planned(number);
            self.submit(planned, intended.unwrap_or_else(Instant::now), &mut sender, outbox).await;
        }
    }

    fn planned(&self, number: u64) -> Planned {
        let mut planned = self.plan.order(number);
        if let Some(goods) = &self.goods {
            goods.put_into(&mut planned, &mut Dice::new(self.plan.seed, &["goods", &number.to_string()]));
            goods.dress(&mut planned, self.plan.seed, number);
        }
        planned
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
            Some((moment, wish)) => self.say_later(order, moment, vec![wish]),
            None => {}
        }
        if let Some(wish) = before {
            self.ask(order, wish, outbox).await;
        }
        if let Some(abandoned) = &planned.abandoned {
            if abandoned.is_released {
                let release = release(&self.naming, &abandoned.hold, sender);
                self.say_later(&abandoned.hold.reservation_id, Moment::Held, vec![release]);
            }
            self.hold(&abandoned.hold, sender, outbox).await;
        }
        let mut messages: Vec<Outgoing> = (0..planned.times).map(|_| submit.clone()).collect();
        if let Some(wish) = after {
            locked(&self.auditor).asked(order);
            messages.push(wish);
        }
        if let Some(cart) = &planned.cart {
            self.say_later(&cart.reservation_id, Moment::Held, messages);
            return self.hold(cart, sender, outbox).await;
        }
        for message in messages {
            outbox.put(message).await;
        }
    }

    fn say_later(&self, whom: &str, moment: Moment, messages: Vec<Outgoing>) {
        locked(&self.later).insert(whom.into(), (moment, messages));
    }

    async fn hold(&self, hold: &Hold, sender: &mut Sender, outbox: &Outbox) {
        locked(&self.auditor).holding(&hold.reservation_id);
        let subject = self.naming.subject("intake", "reservation", "hold", &hold.reservation_id);
        outbox.put(sender.message(subject, json(hold))).await;
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
            NewsKind::Held | NewsKind::HoldRefused => Moment::Held,
            NewsKind::Committed => Moment::Committed,
            NewsKind::AtNode => Moment::AtNode,
            NewsKind::Ended => {
                locked(&self.later).remove(&*news.order);
                self.stopwatch().settled(&news.order);
                self.room.add_permits(1);
                return;
            }
        };
        if moment == Moment::Committed {
            self.stopwatch().settled(&news.order);
        }
        let due = {
            let mut later = locked(&self.later);
            let is_due = later.get(&*news.order).is_some_and(|(when, _)| *when == moment);
            if is_due { later.remove(&*news.order) } else { None }
        };
        let Some((_, messages)) = due else { return };
        if moment != Moment::Held {
            locked(&self.auditor).asked(&news.order);
        }
        for message in messages {
            outbox.put(message).await;
        }
    }
}

/// The customer does not need what he holds.
pub(crate) fn release(naming: &Naming, hold: &Hold, sender: &mut Sender) -> Outgoing {
    let reservation_id = hold.reservation_id.clone();
    let subject = naming.subject("ask", "reservation", "release", &reservation_id);
    sender.message(
        subject,
        json(&ReservationRelease { reservation_id, reason: "changed their mind".to_owned() }),
    )
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn json(body: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(body).expect("a struct with named fields always becomes JSON").into()
}
