//! Orders that stand still: brought to where they wait for somebody, by participants that remember nothing. For measuring
//! what a waiting order costs, without counting what a simulator or an auditor keeps of it.

use std::collections::HashMap;
use std::time::Duration;

use bus::packing::{Packable, pack};
use bus::ports::{Expect, OpenError, Outgoing, Position, Reader, SharedBus, StoreOutcome};
use domain::decider::Participant;
use domain::ids::Key;
use domain::messages::body::Format;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::contract::{Command, Naming, Sender};
use crate::simulators::{end_of, open};
use crate::workload::{Mix, Plan};

/// How many orders may be on their way at once.
const UNDER_WAY: u64 = 4_000;
/// How many messages are read or submitted at once.
const AT_ONCE: usize = 512;
/// How long to wait when there is nothing to answer.
const PAUSE: Duration = Duration::from_millis(1);

/// Where orders are left standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Committed: allocation and ERP are silent.
    Committed,
    /// Allocated and accepted by its node, but not booked: the ERP is silent.
    Unbooked,
    /// Allocated, booked, and accepted by its node: it waits for its departure.
    Released,
}

impl Until {
    /// Who answers.
    fn answering(self) -> &'static [Participant] {
        match self {
            Self::Committed => &[Participant::Loyalty, Participant::Payment],
            Self::Unbooked => &[
                Participant::Loyalty,
                Participant::Payment,
                Participant::Allocation,
                Participant::Fulfillment,
            ],
            Self::Released => &Participant::ALL,
        }
    }

    /// How many inputs a standard order has had by then: the submit and one answer to each command.
    pub fn inputs(self) -> u64 {
        1 + self.answers()
    }

    fn answers(self) -> u64 {
        u64::try_from(self.answering().len()).expect("there are five participants")
    }
}

/// Brings standard orders to where they stand.
pub struct Crowd {
    bus: SharedBus,
    naming: Naming,
    partitions: u16,
    until: Until,
    plan: Plan,
    shop: Sender,
    participants: Sender,
    commands: Vec<Box<dyn Reader>>,
    submitted: u64,
    answered: u64,
}

impl std::fmt::Debug for Crowd {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Crowd")
            .field("until", &self.until)
            .field("submitted", &self.submitted)
            .finish_non_exhaustive()
    }
}

impl Crowd {
    /// A crowd whose order ids begin with `run`. Commands that were sent before are not answered.
    ///
    /// # Errors
    /// A command stream is missing.
    pub async fn new(
        bus: SharedBus,
        naming: Naming,
        partitions: u16,
        until: Until,
        run: &str,
    ) -> Result<Self, OpenError> {
        let mut commands = Vec::new();
        for participant in until.answering() {
            let stream = naming.commands(*participant);
            commands.push(open(&bus, &stream, end_of(&bus, &stream).await?).await?);
        }
        Ok(Self {
            bus,
            naming,
            partitions,
            until,
            plan: Plan { seed: 1, run: run.to_owned(), mix: Mix::Standard, lines: None },
            shop: Sender::new("/standing/shop", format!("{run}-s")),
            participants: Sender::new("/standing/participants", format!("{run}-p")),
            commands,
            submitted: 0,
            answered: 0,
        })
    }

    /// So many orders more; comes back when the last answer is stored. Each command must be sent once only: the caller sees to
    /// it that nothing is sent again meanwhile.
    ///
    /// # Errors
    /// The broker has lost commands that were not yet read.
    pub async fn bring(&mut self, orders: u64) -> Result<(), OpenError> {
        let wanted = self.submitted + orders;
        while self.submitted < wanted || self.answered < wanted * self.until.answers() {
            let mut messages = self.answers().await?;
            let standing = self.answered / self.until.answers();
            while self.submitted < wanted && self.submitted - standing < UNDER_WAY && messages.len() < AT_ONCE
            {
                messages.push(self.submit());
            }
            if messages.is_empty() {
                sleep(PAUSE).await;
            }
            for (message, _) in pack(messages, Format::Json) {
                store(&self.bus, message).await;
            }
        }
        Ok(())
    }

    /// Asks to cancel the orders of these numbers, each once; comes back when all wishes are stored.
    pub async fn ask_to_cancel(&mut self, orders: impl Iterator<Item = u64>) {
        let mut wishes = Vec::new();
        for order in orders {
            let order = self.plan.order(order).order_id().to_owned();
            let body = json!({"order_id": order, "reason": "a wish to measure"});
            let subject = self.naming.subject("ask", "order", "cancel", &order);
            let message = self.shop.message(subject, body.to_string().into());
            wishes.push(packable(self.partitions, &order, message));
        }
        for (message, _) in pack(wishes, Format::Json) {
            store(&self.bus, message).await;
        }
    }

    fn submit(&mut self) -> Packable {
        let order = self.plan.order(self.submitted);
        self.submitted += 1;
        let subject = self.naming.subject("intake", "order", "submit", order.order_id());
        let body = serde_json::to_vec(&order.submit).expect("an order is plain data");
        let message = self.shop.message(subject, body.into());
        packable(self.partitions, order.order_id(), message)
    }

    async fn answers(&mut self) -> Result<Vec<Packable>, OpenError> {
        let mut commands = Vec::new();
        for reader in &mut self.commands {
            commands.extend(reader.next(AT_ONCE, Duration::ZERO).await?);
        }
        let mut answers = Vec::new();
        for stored in &commands {
            for command in Command::read_all(stored).expect("the server keeps to the contract") {
                let sender = &mut self.participants;
                let Some(message) = reply(&self.naming, sender, self.partitions, &command) else { continue };
                answers.push(message);
                self.answered += 1;
            }
        }
        Ok(answers)
    }
}

/// An ERP that comes back: it books what it is asked to, each document once.
pub struct ReturningErp {
    bus: SharedBus,
    naming: Naming,
    partitions: u16,
    sender: Sender,
    commands: Box<dyn Reader>,
    booked: HashMap<String, u32>,
}

impl std::fmt::Debug for ReturningErp {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ReturningErp").field("booked", &self.booked.len()).finish_non_exhaustive()
    }
}

impl ReturningErp {
    /// One that is going to answer every command of the stream, from its beginning.
    ///
    /// # Errors
    /// The stream is missing.
    pub async fn new(bus: SharedBus, naming: Naming, partitions: u16, run: &str) -> Result<Self, OpenError> {
        let commands = open(&bus, &naming.commands(Participant::Erp), Position::default()).await?;
        let sender = Sender::new("/standing/erp", format!("{run}-e"));
        Ok(Self { bus, naming, partitions, sender, commands, booked: HashMap::new() })
    }

    /// Answers what has come; gives how many documents are booked by now.
    ///
    /// # Errors
    /// The broker has lost commands that were not yet read.
    pub async fn answer(&mut self) -> Result<usize, OpenError> {
        let mut answers = Vec::new();
        for stored in self.commands.next(AT_ONCE, PAUSE).await? {
            for command in Command::read_all(&stored).expect("the server keeps to the contract") {
                let times = self.booked.entry(command.effect_id.to_owned()).or_default();
                *times += 1;
                if *times == 1
                    && let Some(message) = reply(&self.naming, &mut self.sender, self.partitions, &command)
                {
                    answers.push(message);
                }
            }
        }
        for (message, _) in pack(answers, Format::Json) {
            store(&self.bus, message).await;
        }
        Ok(self.booked.len())
    }

    /// How many commands came more than once.
    pub fn repeated(&self) -> u64 {
        self.booked.values().map(|times| u64::from(times - 1)).sum()
    }
}

/// The answer to a command, as a message.
fn reply(naming: &Naming, sender: &mut Sender, partitions: u16, command: &Command<'_>) -> Option<Packable> {
    let (domain, name, body) = answer(command)?;
    let subject = naming.subject("reply", domain, name, command.key);
    let mut message = sender.message(subject, body.to_string().into());
    message.headers.push("Effect-Id", command.effect_id);
    message.headers.push("Effect-Epoch", command.epoch);
    Some(packable(partitions, command.key, message))
}

fn packable(partitions: u16, key: &str, message: Outgoing) -> Packable {
    let partition = Key::new(key).expect("an order id is a key").partition(partitions);
    Packable { message, key: key.to_owned(), partition }
}

async fn store(bus: &SharedBus, message: Outgoing) {
    loop {
        match bus.store(message.clone(), Expect::Anything).await {
            StoreOutcome::Stored(_) => return,
            StoreOutcome::Refused(cause) => panic!("the broker refused {}: {cause}", message.subject),
            StoreOutcome::Full | StoreOutcome::Unknown(_) | StoreOutcome::Conflict => sleep(PAUSE).await,
        }
    }
}

/// The good answer to a command of the first half of an order's life: domain, name, body.
fn answer(command: &Command<'_>) -> Option<(&'static str, &'static str, Value)> {
    let (order_id, body) = (command.key, &command.body);
    Some(match (command.domain, command.name) {
        ("loyalty", "reserve") => {
            let answer = json!({"order_id": order_id, "points": body.points,
                "reservation_ref": format!("res-{order_id}")});
            ("loyalty", "reserved", answer)
        }
        ("payment", "authorize") => {
            let answer = json!({"order_id": order_id, "tender": body.tender, "amount_minor": body.amount_minor,
                "currency": body.currency, "authorization_ref": format!("auth-{order_id}-{}", body.tender)});
            ("payment", "authorized", answer)
        }
        ("allocation", "allocate") => {
            let rows = body.lines.iter().map(|row| {
                json!({"allocation_ref": format!("al-{order_id}-{}", row.line.unwrap_or(0)), "line": row.line,
                    "sku": row.sku, "quantity": row.quantity, "node": "n-1"})
            });
            let rows: Vec<Value> = rows.collect();
            ("allocation", "allocated", json!({"order_id": order_id, "allocations": rows}))
        }
        ("fulfillment", "release") => {
            let answer = json!({"order_id": order_id, "shipment_id": body.shipment_id, "node": body.node});
            ("shipment", "accepted", answer)
        }
        ("erp", "post") => {
            let answer = json!({"order_id": order_id, "document_key": body.document_key,
                "document_no": "4500017"});
            ("erp", "posted", answer)
        }
        _ => return None,
    })
}
