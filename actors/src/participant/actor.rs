//! The sender to one participant: bounded, never waiting. What it drops, the deadline of its effect sends again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient};
use bus::ports::{Outgoing, SharedBus};
use domain::decider::Participant;

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
        metrics: &Arc<Metrics>,
        queue: usize,
        resend_per_second: u32,
    ) -> Self {
        let started = Participant::ALL.map(|participant| {
            ParticipantActor::create(|context| {
                context.set_mailbox_capacity(queue);
                ParticipantActor {
                    participant,
                    bus: Arc::clone(bus),
                    metrics: Arc::clone(metrics),
                    again: VecDeque::new(),
                    resend_per_second,
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
    metrics: Arc<Metrics>,
    /// Bounded by the commands that may be open at once.
    again: VecDeque<Outgoing>,
    resend_per_second: u32,
}

impl ParticipantActor {
    fn send(&self, command: Outgoing) {
        let counters =
            if self.bus.send(command) { &self.metrics.commands } else { &self.metrics.commands_dropped };
        counters[self.participant.index()].add_one();
    }

    fn send_some_again(&mut self) {
        let ticks = 1_000 / RESEND_INTERVAL.as_millis() as usize;
        let most = (self.resend_per_second as usize / ticks).max(1);
        for _ in 0..most {
            let Some(command) = self.again.pop_front() else { return };
            self.send(command);
        }
    }

    fn tick(&mut self, context: &mut Context<Self>) {
        self.send_some_again();
        if !self.again.is_empty() {
            context.run_later(RESEND_INTERVAL, Self::tick);
        }
    }
}

impl Actor for ParticipantActor {
    type Context = Context<Self>;
}

impl Handler<Batch> for ParticipantActor {
    type Result = ();

    fn handle(&mut self, Batch(commands): Batch, _: &mut Context<Self>) {
        for command in commands {
            self.send(command);
        }
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
