//! The sender to one participant: bounded, never waiting. What it drops, the deadline of its effect sends again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient};
use bus::packing::{Packable, encoded, pack};
use bus::ports::{Outgoing, SharedBus};
use domain::decider::Participant;
use domain::messages::body::Format;

use super::gates::Gates;
use crate::clock::SharedClock;
use crate::config::NodeConfig;
use crate::metrics::Metrics;

/// How often commands of a recovery go out.
const RESEND_INTERVAL: Duration = Duration::from_millis(20);

/// Commands of one record.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Batch(pub(crate) Vec<Outgoing>);

/// Commands that may be out already: sent again by and by.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Resend(pub(crate) Vec<Outgoing>);

/// The way to the participants for those who have commands.
#[derive(Debug, Clone)]
pub(crate) struct Senders {
    batches: Arc<[Recipient<Batch>]>,
    resends: Arc<[Recipient<Resend>]>,
    metrics: Arc<Metrics>,
}

impl Senders {
    /// Starts one actor for each participant on the current thread.
    pub(crate) fn start(
        bus: &SharedBus,
        gates: &Arc<Gates>,
        clock: &SharedClock,
        metrics: &Arc<Metrics>,
        config: &NodeConfig,
    ) -> Self {
        let started = Participant::ALL.map(|participant| {
            ParticipantActor::create(|context| {
                context.set_mailbox_capacity(config.send_queue);
                ParticipantActor {
                    participant,
                    bus: Arc::clone(bus),
                    gates: Arc::clone(gates),
                    clock: Arc::clone(clock),
                    metrics: Arc::clone(metrics),
                    again: VecDeque::new(),
                    resend_per_second: config.resend_per_second,
                    takes_batches: *config.command_batches.of(participant),
                    format: *config.command_formats.of(participant),
                }
            })
        });
        Self {
            batches: started.iter().map(|address| address.clone().recipient()).collect(),
            resends: started.iter().map(|address| address.clone().recipient()).collect(),
            metrics: Arc::clone(metrics),
        }
    }

    /// Sends commands; drops and counts them if too many wait.
    pub(crate) fn send(&self, participant: Participant, commands: Vec<Outgoing>) {
        let count = commands.len() as u64;
        if self.batches[participant.index()].try_send(Batch(commands)).is_err() {
            self.metrics.commands_dropped[participant.index()].add(count);
        }
    }

    /// Sends commands again, paced.
    pub(crate) fn resend(&self, participant: Participant, commands: Vec<Outgoing>) {
        let count = commands.len() as u64;
        if self.resends[participant.index()].try_send(Resend(commands)).is_err() {
            self.metrics.commands_dropped[participant.index()].add(count);
        }
    }
}

/// One participant.
#[derive(Debug)]
pub(crate) struct ParticipantActor {
    participant: Participant,
    bus: SharedBus,
    gates: Arc<Gates>,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    /// Bounded by the commands that may be open at once.
    again: VecDeque<Outgoing>,
    resend_per_second: u32,
    /// It takes several commands in one message.
    takes_batches: bool,
    /// What it reads.
    format: Format,
}

impl ParticipantActor {
    /// The one way out, for the first send of a command and for every later one: in batches where that is wanted.
    fn send_all(&self, commands: impl Iterator<Item = Outgoing>) {
        if !self.takes_batches {
            return commands.for_each(|command| self.send(encoded(command, self.format), 1));
        }
        for (message, count) in pack(commands.map(packable).collect(), self.format) {
            self.send(message, count);
        }
    }

    fn send(&self, message: Outgoing, commands: usize) {
        let counters =
            if self.bus.send(message) { &self.metrics.commands } else { &self.metrics.commands_dropped };
        counters[self.participant.index()].add(commands as u64);
    }

    fn send_some_again(&mut self) {
        let ticks = 1_000 / RESEND_INTERVAL.as_millis() as usize;
        let most = (self.resend_per_second as usize / ticks).max(1).min(self.again.len());
        let Some(some) = self.gates.take_for_recovery(self.participant, most, self.clock.now()) else {
            // It is not there: each of them has a deadline, which asks the breaker again.
            self.metrics.commands_dropped[self.participant.index()].add(self.again.len() as u64);
            self.again = VecDeque::new();
            return;
        };
        let some: Vec<Outgoing> = self.again.drain(..some).collect();
        self.send_all(some.into_iter());
    }

    fn tick(&mut self, context: &mut Context<Self>) {
        self.send_some_again();
        if !self.again.is_empty() {
            context.run_later(RESEND_INTERVAL, Self::tick);
        }
    }
}

/// A command says by its header whom it is for, and by its subject in which partition that is.
fn packable(message: Outgoing) -> Packable {
    let key = message.headers.get("Key").unwrap_or_default().to_owned();
    let partition = message.subject.rsplit('.').next().and_then(|last| last.parse().ok()).unwrap_or_default();
    Packable { message, key, partition }
}

impl Actor for ParticipantActor {
    type Context = Context<Self>;
}

impl Handler<Batch> for ParticipantActor {
    type Result = ();

    fn handle(&mut self, Batch(commands): Batch, _: &mut Context<Self>) {
        self.send_all(commands.into_iter());
    }
}

impl Handler<Resend> for ParticipantActor {
    type Result = ();

    fn handle(&mut self, Resend(commands): Resend, context: &mut Context<Self>) {
        let ticking = !self.again.is_empty();
        self.again.extend(commands);
        if !ticking {
            self.tick(context);
        }
    }
}
