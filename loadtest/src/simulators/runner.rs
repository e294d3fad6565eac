//! The loop around a participant: read commands, decide each key once, answer when it is time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use bus::ports::{OpenError, SharedBus, Stored};
use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::behaviour::{Profile, Reaction};
use super::desk::{Answer, Desk, Trade};
use super::outbox::Outbox;
use super::position::open;
use super::simulator::{Forgotten, Simulator};
use crate::contract::{Command, Naming, Sender, as_json};
use crate::ledger::{Entry, Witness};

/// How many commands are read at once.
const MOST_AT_ONCE: usize = 256;
/// How long the loop waits for commands before it looks whether it is to end.
const PATIENCE: Duration = Duration::from_millis(50);

pub(super) struct Runner<T: Trade> {
    trade: T,
    profile: watch::Receiver<Profile>,
    seed: u64,
    naming: Naming,
    stream: String,
    simulator: Simulator,
    witness: Arc<dyn Witness>,
    outbox: Outbox,
    sender: Sender,
    desk: Desk<T::Book>,
    due: BinaryHeap<Reverse<Due>>,
    number: u64,
}

/// Something to be done at a time; the number keeps what is due together in order.
struct Due {
    at: Instant,
    number: u64,
    work: Work,
}

enum Work {
    Say {
        order: Box<str>,
        answer: Answer,
        effect: Box<str>,
        epoch: Box<str>,
        is_repeated: bool,
        is_echoed: bool,
    },
    Send {
        order: Box<str>,
        shipment: Box<str>,
        parcel: u32,
        parcels: u32,
    },
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl<T: Trade> Runner<T> {
    /// `profile` is looked at again for each command, so that a participant can change.
    pub(super) fn new(
        trade: T,
        simulator: Simulator,
        profile: watch::Receiver<Profile>,
        witness: Arc<dyn Witness>,
        outbox: Outbox,
    ) -> Self {
        Self {
            trade,
            profile,
            seed: simulator.seed,
            naming: simulator.naming.clone(),
            stream: simulator.naming.commands(simulator.participant),
            witness,
            outbox,
            sender: Sender::new(format!("/sim/{}", T::DOMAIN), format!("{}-{}", simulator.run, T::DOMAIN)),
            desk: Desk::new(simulator.kept_orders),
            due: BinaryHeap::new(),
            number: 0,
            simulator,
        }
    }

    pub(super) async fn run(
        mut self,
        bus: SharedBus,
        forgotten: Forgotten,
        shutdown: watch::Receiver<bool>,
    ) -> Result<(), OpenError> {
        let mut reader = open(&bus, &self.stream, self.simulator.from).await?;
        while !*shutdown.borrow() {
            self.desk.forget(forgotten.take());
            self.work_off().await;
            let until_due =
                self.due.peek().map(|Reverse(due)| due.at.saturating_duration_since(Instant::now()));
            let patience = until_due.map_or(PATIENCE, |until| until.min(PATIENCE));
            match reader.next(MOST_AT_ONCE, patience).await {
                Ok(messages) => messages.iter().for_each(|stored| self.take(stored)),
                Err(OpenError::Unavailable(cause)) => {
                    tracing::debug!(stream = self.stream, %cause, "waiting for the broker");
                    sleep(PATIENCE).await;
                }
                Err(lost) => return Err(lost),
            }
        }
        Ok(())
    }

    /// Meets one send of a command, or of several in a batch.
    fn take(&mut self, stored: &Stored) {
        let read = as_json(stored).and_then(|stored| {
            Command::read_all(&stored).map(|commands| commands.iter().for_each(|command| self.meet(command)))
        });
        if let Err(cause) = read {
            self.witness.unreadable(&cause.to_string());
        }
    }

    fn meet(&mut self, command: &Command<'_>) {
        let profile = *self.profile.borrow();
        self.witness.command(command);
        if profile.away {
            return;
        }
        let memory = self.desk.memory(command.key);
        let (sends, mut answer) = memory.keys.get(command.idempotency_key).cloned().unwrap_or((0, None));
        let sends = sends + 1;
        let manner = profile.manner(self.seed, command.idempotency_key, sends);
        let mut parcels = 0;
        if answer.is_none() && manner.reaction != Reaction::Transient {
            let is_refused = profile.refuses(self.seed, command.idempotency_key);
            let Some(decided) = self.trade.decide(command, is_refused, &mut memory.book) else {
                let what = format!("{} does not know {}.{}", T::DOMAIN, command.domain, command.name);
                return self.witness.unreadable(&what);
            };
            self.witness.applied(Entry {
                order: command.key,
                key: command.idempotency_key,
                effect_id: command.effect_id,
                change: &decided.change,
            });
            parcels = decided.parcels;
            answer = Some(Answer { kind: decided.kind, body: decided.body.into() });
        }
        memory.keys.insert(command.idempotency_key.into(), (sends, answer.clone()));
        let said = match manner.reaction {
            Reaction::Silence => None,
            Reaction::Transient => Some(failure(T::DOMAIN, command.key, "unavailable", "transient")),
            Reaction::UnknownOutcome => Some(failure(T::DOMAIN, command.key, "no_answer", "unknown_outcome")),
            Reaction::Answer => answer,
        };
        let at = Instant::now() + manner.after;
        if let Some(answer) = said {
            let (is_repeated, is_echoed) = (manner.is_repeated, manner.is_echoed);
            let (effect, epoch) = (command.effect_id.into(), command.epoch.into());
            self.plan(
                at,
                Work::Say { order: command.key.into(), answer, effect, epoch, is_repeated, is_echoed },
            );
        }
        if parcels > 0 {
            let shipment = command.body.shipment_id.as_ref().into();
            let at = at + self.trade.parcel_gap();
            self.plan(at, Work::Send { order: command.key.into(), shipment, parcel: 1, parcels });
        }
    }

    fn plan(&mut self, at: Instant, work: Work) {
        self.number += 1;
        self.due.push(Reverse(Due { at, number: self.number, work }));
    }

    /// Does everything that is due.
    async fn work_off(&mut self) {
        let now = Instant::now();
        while self.due.peek().is_some_and(|Reverse(due)| due.at <= now) {
            let Some(Reverse(due)) = self.due.pop() else { return };
            match due.work {
                Work::Say { order, answer, effect, epoch, is_repeated, is_echoed } => {
                    let (domain, name) = answer.kind;
                    let subject = self.naming.subject("reply", domain, name, &order);
                    let body = Bytes::copy_from_slice(answer.body.as_bytes());
                    let echo = [("Effect-Id", &*effect), ("Effect-Epoch", &*epoch)];
                    self.say(subject, body, &echo, is_repeated, is_echoed).await;
                }
                Work::Send { order, shipment, parcel, parcels } => {
                    self.send(&order, &shipment, parcel, parcels).await;
                }
            }
        }
    }

    /// A parcel leaves: first it is written into the books, then it is told.
    async fn send(&mut self, order: &str, shipment: &str, parcel: u32, parcels: u32) {
        let book = &mut self.desk.memory(order).book;
        if let Some(gone) = self.trade.depart(order, shipment, parcel, book) {
            self.witness.applied(Entry { order, key: &gone.parcel, effect_id: "", change: &gone.change });
            let subject = self.naming.subject("fact", "shipment", "departed", order);
            let manner = self.profile.borrow().manner(self.seed, &gone.parcel, 1);
            self.say(subject, gone.body.into(), &[], manner.is_repeated, manner.is_echoed).await;
        }
        if parcel < parcels {
            let at = Instant::now() + self.trade.parcel_gap();
            let work =
                Work::Send { order: order.into(), shipment: shipment.into(), parcel: parcel + 1, parcels };
            self.plan(at, work);
        }
    }

    async fn say(
        &mut self,
        subject: String,
        body: Bytes,
        extra: &[(&str, &str)],
        is_repeated: bool,
        is_echoed: bool,
    ) {
        let mut message = self.sender.message(subject.clone(), body.clone());
        for (name, value) in extra {
            message.headers.push(name, value);
        }
        let echo = is_echoed.then(|| {
            let mut echo = self.sender.message(subject, body);
            for (name, value) in extra {
                echo.headers.push(name, value);
            }
            echo
        });
        let repetition = is_repeated.then(|| message.clone());
        for message in std::iter::once(message).chain(repetition).chain(echo) {
            if !self.outbox.put(message).await {
                tracing::error!(stream = self.stream, "the outbox has ended before its participant");
            }
        }
    }
}

/// What is said instead of a definite answer. A warehouse speaks of shipments.
fn failure(domain: &'static str, order: &str, code: &str, class: &str) -> Answer {
    let domain = if domain == "fulfillment" { "shipment" } else { domain };
    let body = format!(r#"{{"order_id":"{order}","code":"{code}","class":"{class}","message":"simulated"}}"#);
    Answer { kind: (domain, "failed"), body: body.into() }
}
