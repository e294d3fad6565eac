//! The life of an order.
//!
//! ```text
//! Unborn -> Received -> Reserving -> Committed -> Fulfilling -> Completed
//!                 \          \            \           |  ^
//!                  \-> Rejected            \-> Cancelling |  -> Cancelled
//! ```
//!
//! Reading order: [`content`] (what was submitted), [`state`] (what is known), [`event`] (what can happen), `decide`
//! (every rule, one file for each participant; `advance` says what follows from the state alone), `evolve` (how events
//! change the state), [`effect`] (open commands), [`supply`] and [`stock`] (where its units come from), [`degraded`] (what is done while a system is away), `published` (what the outside is told), [`status`] (what people read).

pub mod content;
pub mod degraded;
pub mod effect;
pub mod event;
pub mod policies;
pub mod state;
pub mod status;
pub mod stock;
pub mod supply;

mod command;
mod decide;
mod evolve;
mod exception;
mod goods;
mod ledgers;
mod letter;
mod published;
mod sense;
mod view;

pub use degraded::DegradedModes;
pub use event::Event;
pub use policies::Policies;
pub use state::State;

use crate::decider::{
    Addressed, Command, Context, Decider, Decision, Input, Letter, OpenEffect, Outcome, Published, Trace,
};
use crate::envelope::Envelope;
use crate::ids::{EntityId, Token};
use crate::kinds::Kind;
use crate::messages::outbound::answers::QueuePlace;
use crate::messages::{self, Message};
use crate::reason::{Reason, Refusal};
use crate::stock::Posted;
use crate::time::Timestamp;

/// Orders, as a kind of entity.
#[derive(Debug, Clone, Copy)]
pub struct Order;

impl Kind for Order {
    const NAME: &'static str = "order";
}

impl Decider for Order {
    type State = State;
    type Message = Message;
    type Event = Event;
    type Policies = Policies;
    /// Nobody looks at an order but its readers.
    /// It posts nothing. Kinds on one board agree on what is on it.
    type Posted = Posted;

    fn decode(envelope: &Envelope) -> Result<Addressed<Message>, Refusal> {
        messages::decode(envelope)
    }

    fn decide(
        state: &State,
        input: Input<'_, Message>,
        context: &Context<'_, Policies, Posted>,
    ) -> Result<Decision<Self>, Reason> {
        decide::decide(state, &input, context)
    }

    fn evolve(state: &mut State, event: &Event) {
        evolve::evolve(state, event);
    }

    fn tell(entity: &EntityId, state: &State, event: &Event, told: &mut Published) {
        published::tell(entity, state, event, told);
    }

    fn exists(state: &State) -> bool {
        state.content.is_some()
    }

    fn outcome(state: &State) -> Option<Outcome> {
        let (version, rejected) = state.outcome.clone()?;
        Some(Outcome { version, rejected })
    }

    fn next_deadline(state: &State) -> Option<Timestamp> {
        decide::next_deadline(state)
    }

    fn effects(state: &State) -> Vec<OpenEffect<'_>> {
        let effects = state.effects.iter().map(|effect| OpenEffect {
            id: &effect.id,
            party: effect.kind.party(),
            state: effect.state,
            attempts: effect.attempts,
            sent_at: effect.sent_at,
            urgency: effect.kind.urgency(),
        });
        effects.collect()
    }

    fn command(_: &EntityId, state: &State, effect_id: &str) -> Option<Command> {
        command::command(state, effect_id)
    }

    fn letter(entity: &EntityId, state: &State, effect_id: &str) -> Option<Letter> {
        letter::letter(entity, state, effect_id)
    }

    fn trace(state: &State) -> Trace<'_> {
        let Some(frozen) = &state.content else { return Trace::default() };
        let origin = &frozen.content.origin;
        Trace {
            correlation_id: Some(&origin.correlation_id),
            traceparent: origin.traceparent.as_deref(),
            tracestate: origin.tracestate.as_deref(),
        }
    }

    fn phase(state: &State) -> &'static str {
        state.phase.as_str()
    }

    fn phases() -> &'static [&'static str] {
        const PHASES: [&str; state::Phase::ALL.len()] = {
            let (mut words, mut at) = ([""; state::Phase::ALL.len()], 0);
            while at < words.len() {
                words[at] = state::Phase::ALL[at].as_str();
                at += 1;
            }
            words
        };
        &PHASES
    }

    fn is_unsettled(phase: &'static str) -> bool {
        phase == state::Phase::Received.as_str() || phase == state::Phase::Reserving.as_str()
    }

    fn channel(message: &Message) -> Option<&str> {
        match message {
            Message::Submit(submit) => Some(submit.channel.as_str()),
            _ => None,
        }
    }

    fn view(entity: &EntityId, state: &State, version: u64) -> String {
        view::view(entity, state, version)
    }

    fn queued_view(entity: &EntityId, place: &QueuePlace) -> String {
        view::queued(entity, place)
    }

    fn is_final(state: &State) -> bool {
        state.phase.is_terminal() && state.effects.is_empty()
    }

    fn kind() -> Token {
        Token::new("order").expect("a lower-case word")
    }
}
