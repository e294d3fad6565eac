//! The shop: sends every order at the moment when it is meant to come, and never waits for the one before.

use std::sync::Arc;
use std::time::Duration;

use bus::ports::{Expect, Outgoing, SharedBus, StoreOutcome};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::arrivals::{Arrival, Arrivals};
use super::observer::{Note, Observer, Trouble};
use super::orders::{Chosen, Orders};
use super::recorder::Begun;
use crate::contract::{Hold, Naming, Sender};
use crate::workload::{Moment, release};

/// Messages that wait for the ack of the broker. When so many wait, the shop waits, is late, and the run is invalid.
const UNACKED: usize = 20_000;
/// An order that is due since less than this may just have been on its way out.
const A_MOMENT: Duration = Duration::from_millis(100);
/// The first pause before a message is sent again; it doubles up to a second.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// Messages that are no orders, in turn: no JSON, no object, an order without anything.
const POISONS: [&str; 3] = ["{\"order_id\":", "[]", "{\"channel\":7}"];

/// What the shop is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Signal {
    /// Send orders.
    Open,
    /// Begin no more orders.
    Close,
    /// And do not try again what is not stored yet.
    GiveUp,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shop {
    pub(super) orders: Arc<Orders>,
    pub(super) arrivals: Arrivals,
    /// See [`crate::scenario::Scenario::expires`].
    pub(super) expires: Option<Duration>,
    pub(super) naming: Naming,
    pub(super) run: String,
    pub(super) observer: Arc<Observer>,
    /// Room for orders under way.
    pub(super) room: Arc<Semaphore>,
    pub(super) signal: watch::Receiver<Signal>,
}

/// What a message is to the run.
#[derive(Debug)]
enum Purpose {
    Submit {
        number: u64,
        order: String,
    },
    Poison,
    /// A repetition, or a wish.
    Other,
}

type Messages = Vec<(Outgoing, Purpose)>;

/// What tells that a reservation was heard of, and what is sent then.
type AfterHold = (oneshot::Receiver<()>, Messages);

/// An order, and everything that goes out with it.
struct Prepared {
    arrival: Arrival,
    chosen: Chosen,
    /// To be told to the observer before anything is sent.
    notes: Vec<Note>,
    messages: Messages,
    /// To be sent once the customer's reservation is held, or cannot be.
    after_hold: Option<AfterHold>,
}

impl Shop {
    /// Sends all orders of the run; ends when the broker has everything, or when it is told to give up.
    pub(super) async fn run(mut self, bus: SharedBus, start: Instant) {
        let mut sender = Sender::new("/sim/shop", format!("{}-shop", self.run));
        let unacked = Arc::new(Semaphore::new(UNACKED));
        let mut deliveries = JoinSet::new();
        while let Some(arrival) = self.arrivals.next() {
            let intended = start + arrival.at;
            // Made before its time, so that making it delays nothing.
            let prepared = self.prepare(arrival, intended, &mut sender);
            let room = Arc::clone(&self.room);
            let turn = async {
                sleep_until(intended).await;
                room.acquire().await.is_ok_and(|permit| {
                    permit.forget(); // given back when the order ends
                    true
                })
            };
            let is_open = tokio::select! {
                biased;
                _ = self.signal.wait_for(|signal| *signal != Signal::Open) => false,
                is_open = turn => is_open,
            };
            if !is_open {
                self.tell_unsent(arrival, start);
                break;
            }
            let sent = Instant::now();
            let (messages, after_hold) = self.announce(prepared, intended, sent);
            let delivery = |permit| Delivery {
                bus: Arc::clone(&bus),
                observer: Arc::clone(&self.observer),
                signal: self.signal.clone(),
                _permit: permit,
            };
            for (message, purpose) in messages {
                let Ok(permit) = Arc::clone(&unacked).acquire_owned().await else { return };
                deliveries.spawn(delivery(permit).deliver_alone(message, purpose));
            }
            if let Some((held, messages)) = after_hold {
                let Ok(permit) = Arc::clone(&unacked).acquire_owned().await else { return };
                deliveries.spawn(delivery(permit).deliver_after(held, messages));
            }
            while deliveries.try_join_next().is_some() {}
        }
        while deliveries.join_next().await.is_some() {}
    }

    /// Orders that should have been sent by now, this one and those behind it.
    fn tell_unsent(&mut self, next: Arrival, start: Instant) {
        let late = Instant::now().saturating_duration_since(start).saturating_sub(A_MOMENT);
        if next.at < late {
            let behind = self.arrivals.by_ref().take_while(|arrival| arrival.at < late).count();
            self.observer.note(Note::Unsent(1 + behind as u64));
        }
    }

    fn prepare(&self, arrival: Arrival, intended: Instant, sender: &mut Sender) -> Prepared {
        let chosen = self.orders.order(arrival.number);
        let planned = &chosen.planned;
        let order = planned.order_id();
        let subject = |plane: &str, name: &str| self.naming.subject(plane, "order", name, order);
        let mut submit = sender.message(subject("intake", "submit"), json(&planned.submit));
        submit.headers.push("Reply-To", self.naming.subject("receipt", &self.run, "submit", order));
        if let Some(expires) = self.expires {
            submit.headers.push("ce-expirytime", text_of(intended + expires));
        }
        let mut messages: Vec<(Outgoing, Purpose)> =
            (1..planned.times).map(|_| (submit.clone(), Purpose::Other)).collect();
        messages.insert(0, (submit, Purpose::Submit { number: arrival.number, order: order.to_owned() }));
        let wish = planned.cancel().map(|body| sender.message(subject("ask", "cancel"), json(&body)));
        let (mut notes, mut before) = (Vec::new(), Vec::new());
        match planned.wish.as_ref().map(|wish| wish.moment).zip(wish) {
            Some((Moment::BeforeSubmit, wish)) => {
                before.push((wish, Purpose::Other));
                notes.push(Note::Asked(order.to_owned()));
            }
            Some((Moment::WithSubmit, wish)) => {
                messages.push((wish, Purpose::Other));
                notes.push(Note::Asked(order.to_owned()));
            }
            Some((moment, wish)) => notes.push(Note::Later(order.to_owned(), moment, wish)),
            None => {}
        }
        if chosen.is_poisoned {
            let key = format!("{}-poison-{}", self.run, arrival.number);
            let kind = POISONS[usize::try_from(arrival.number % 3).unwrap_or(0)];
            let subject = self.naming.subject("intake", "order", "submit", &key);
            // Its dead letter is recognised by this id.
            let message = sender.message_with_id(subject, Bytes::from_static(kind.as_bytes()), &key);
            messages.push((message, Purpose::Poison));
        }
        if let Some(abandoned) = &planned.abandoned {
            before.push((self.hold(&abandoned.hold, sender, &mut notes), Purpose::Other));
            if abandoned.is_released {
                let release = release(&self.naming, &abandoned.hold, sender);
                notes.push(Note::Later(abandoned.hold.reservation_id.clone(), Moment::Held, release));
            }
        }
        let Some(cart) = &planned.cart else {
            before.append(&mut messages);
            return Prepared { arrival, chosen, notes, messages: before, after_hold: None };
        };
        before.push((self.hold(cart, sender, &mut notes), Purpose::Other));
        let (waiting, held) = oneshot::channel();
        notes.push(Note::Awaited(cart.reservation_id.clone(), waiting));
        Prepared { arrival, chosen, notes, messages: before, after_hold: Some((held, messages)) }
    }

    fn hold(&self, hold: &Hold, sender: &mut Sender, notes: &mut Vec<Note>) -> Outgoing {
        notes.push(Note::Holding(hold.reservation_id.clone()));
        let subject = self.naming.subject("intake", "reservation", "hold", &hold.reservation_id);
        sender.message(subject, json(hold))
    }

    /// Tells of the order before anybody can hear of it.
    fn announce(
        &self,
        prepared: Prepared,
        intended: Instant,
        sent: Instant,
    ) -> (Messages, Option<AfterHold>) {
        let Prepared { arrival, chosen, notes, messages, after_hold } = prepared;
        let Chosen { class, planned, is_hot, .. } = chosen;
        let begun = Begun {
            number: arrival.number,
            intended,
            sent,
            class,
            phase: arrival.phase,
            is_hot,
            copies: planned.times,
        };
        let (legal, submit) = (planned.legal, Box::new(planned.submit));
        self.observer.note(Note::Begun { begun, submit, legal });
        for note in notes {
            self.observer.note(note);
        }
        (messages, after_hold)
    }
}

/// Somebody who stores messages of one order.
struct Delivery {
    bus: SharedBus,
    observer: Arc<Observer>,
    signal: watch::Receiver<Signal>,
    _permit: OwnedSemaphorePermit,
}

impl Delivery {
    async fn deliver_alone(mut self, message: Outgoing, purpose: Purpose) {
        self.deliver(message, purpose).await;
    }

    /// What follows a reservation: it is sent when that is held or cannot be.
    async fn deliver_after(mut self, held: oneshot::Receiver<()>, messages: Messages) {
        let is_time = tokio::select! {
            biased;
            _ = held => true,
            _ = self.signal.wait_for(|signal| *signal == Signal::GiveUp) => false,
        };
        for (message, purpose) in messages {
            if is_time {
                self.deliver(message, purpose).await;
            } else {
                self.lost(Trouble::GivenUp, &message, &purpose, "its reservation was not heard of");
            }
        }
    }

    fn lost(&self, trouble: Trouble, message: &Outgoing, purpose: &Purpose, cause: &str) {
        self.observer.note(Note::Trouble(trouble, format!("{}: {cause}", message.subject)));
        if let Purpose::Submit { number, order } = purpose {
            // Given up is not the same as not stored: only a definite refusal takes the order out of the books.
            if trouble == Trouble::Refused {
                self.observer.note(Note::Withdrawn { number: *number, order: order.clone() });
            }
        }
    }

    /// Stores one message, however often that has to be tried: its `ce-id` makes a second copy harmless.
    async fn deliver(&mut self, message: Outgoing, purpose: Purpose) {
        let mut pause = FIRST_PAUSE;
        loop {
            let (trouble, cause) = match self.bus.store(message.clone(), Expect::Anything).await {
                StoreOutcome::Stored(_) => {
                    match purpose {
                        Purpose::Submit { number, .. } => {
                            self.observer.note(Note::Acked { number, at: Instant::now() });
                        }
                        Purpose::Poison => self.observer.note(Note::PoisonStored),
                        Purpose::Other => {}
                    }
                    return;
                }
                StoreOutcome::Refused(cause) => {
                    return self.lost(Trouble::Refused, &message, &purpose, &cause);
                }
                StoreOutcome::Full => (Trouble::Full, "the stream is at its bound".to_owned()),
                StoreOutcome::Unknown(cause) => (Trouble::Unknown, cause),
                StoreOutcome::Conflict => (Trouble::Unknown, "conflict".to_owned()),
            };
            self.observer.note(Note::Trouble(trouble, format!("{}: {cause}", message.subject)));
            let gave_up = tokio::select! {
                _ = self.signal.wait_for(|signal| *signal == Signal::GiveUp) => true,
                () = sleep(pause) => false,
            };
            if gave_up {
                return self.lost(Trouble::GivenUp, &message, &purpose, &cause);
            }
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }
}

/// What the clock on the wall will show at that moment, as the contract writes it.
fn text_of(at: Instant) -> String {
    let (now, wall) = (Instant::now(), jiff::Timestamp::now());
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let ahead = millis(at.saturating_duration_since(now)) - millis(now.saturating_duration_since(at));
    let at = jiff::Timestamp::from_millisecond(wall.as_millisecond().saturating_add(ahead));
    at.unwrap_or(jiff::Timestamp::MAX).to_string()
}

fn json(body: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(body).expect("a struct with named fields always becomes JSON").into()
}
