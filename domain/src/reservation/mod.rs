//! The life of a reservation: goods set aside over several cells, all of them or none, sold or given back.
//!
//! ```text
//! Unborn -> Requested -> Soft -> Committing -> Hard -> Consumed
//!                  \        \ \-> Expired \------\---> Released
//!                   \-> Refused, Released
//! ```
//!
//! The cells decide, the reservation asks them one after the other, in the order of their keys. None waits for another, so nothing
//! can lock; what one refuses is looked for elsewhere, and if it is nowhere everything goes back.
//!
//! Reading order: [`content`] (what was asked), [`state`] (what is known), [`event`] (what can happen), [`message`] (what it is
//! told), `decide` (every rule), `evolve` (how events change the state), [`effect`] and `letters` (what it asks and answers),
//! `published` (what the outside is told), `view` (what people read).

pub mod content;
pub mod effect;
pub mod event;
pub mod message;
pub mod policies;
pub mod state;

mod decide;
mod evolve;
mod letters;
mod published;
mod rows;
mod view;

pub use event::Event;
pub use message::Message;
pub use policies::Policies;
pub use state::State;

use bytes::Bytes;

use crate::bounds::{Bound, Note};
use crate::decider::{
    Addressed, Asked, Command, Context, Decider, Decision, EffectState, Input, Letter, OpenEffect, Outcome,
    Party, Published, Trace,
};
use crate::envelope::Envelope;
use crate::gates::Urgency;
use crate::ids::{EntityId, Token};
use crate::kinds::Kind;
use crate::messages::outbound::answers::{QueuePlace, Receipt};
use crate::reason::{Reason, Refusal};
use crate::stock::Posted;
use crate::time::Timestamp;

/// Reservations, as a kind of entity.
#[derive(Debug, Clone, Copy)]
pub struct Reservation;

impl Kind for Reservation {
    const NAME: &'static str = "reservation";
}

impl Decider for Reservation {
    type State = State;
    type Message = Message;
    type Event = Event;
    type Policies = Policies;
    /// What it looks at on the board: cells. It posts nothing itself.
    type Posted = Posted;

    fn decode(envelope: &Envelope) -> Result<Addressed<Message>, Refusal> {
        message::decode(envelope)
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
        state.id.is_some()
    }

    fn outcome(state: &State) -> Option<Outcome> {
        let (version, rejected) = state.outcome.clone()?;
        Some(Outcome { version, rejected })
    }

    fn receipt(entity: &EntityId, state: &State, outcome: &Outcome, asked: Asked) -> Option<Bytes> {
        Some(view::receipt(entity, state, outcome, asked))
    }

    fn next_deadline(state: &State) -> Option<Timestamp> {
        decide::next_deadline(state)
    }

    fn effects(state: &State) -> Vec<OpenEffect<'_>> {
        let effects = state.effects.iter().map(|effect| OpenEffect {
            id: &effect.id,
            party: Party::Entity,
            state: EffectState::Sent,
            attempts: effect.attempts,
            sent_at: Some(effect.sent_at),
            urgency: Urgency::Ordinary,
        });
        effects.collect()
    }

    fn command(_: &EntityId, _: &State, _: &str) -> Option<Command> {
        None
    }

    fn letter(entity: &EntityId, state: &State, effect_id: &str) -> Option<Letter> {
        letters::letter(entity, state, effect_id)
    }

    fn early_receipt(_: &str, asked: Asked, receipt: &Receipt<'_>) -> Option<Bytes> {
        Some(view::early_receipt(asked, receipt))
    }

    fn fill(state: &State, policies: &Policies, note: &mut Note<'_>) {
        note(Bound::ReservationMovements, state.applied.len(), evolve::APPLIED_MOST);
        note(Bound::ReservationTries, state.tries.into(), policies.tries_most.into());
    }

    fn trace(state: &State) -> Trace<'_> {
        let Some(content) = &state.content else { return Trace::default() };
        Trace {
            correlation_id: Some(&content.origin.correlation_id),
            traceparent: content.origin.traceparent.as_deref(),
            tracestate: content.origin.tracestate.as_deref(),
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
        phase == state::Phase::Requested.as_str()
    }

    fn channel(message: &Message) -> Option<&str> {
        match message {
            Message::Hold(hold) => hold.channel.as_ref().map(crate::messages::text::Text::as_str),
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
        state.phase.is_final() && state.effects.is_empty()
    }

    fn kind() -> Token {
        Token::new("reservation").expect("a lower-case word")
    }
}
