//! The uses of one promotion or coupon: how often, for how much money, and by whom.
//!
//! A counter is to money and uses what a stock cell is to units, on the same engine. Uses are reserved before an order commits, final
//! with it, and given back by a cancel or a rejection. The limits are reference data; a counter keeps what is taken.
//!
//! Reading order: [`limits`], [`state`] (what is known), [`event`] (what can happen), `decide` (every rule), `published` (what the outside sees).

pub mod event;
pub mod limits;
pub mod state;

mod decide;
mod published;

pub use event::Event;
pub use limits::{Limits, Most, Policies};
pub use state::State;

use crate::bounds::{Bound, Note};
use crate::claims::letters::Question;
use crate::decider::{
    Addressed, Command, Context, Decider, Decision, Input, OpenEffect, Outcome, Published, Trace,
};
use crate::envelope::{Envelope, Plane};
use crate::ids::{EntityId, Token};
use crate::kinds::Kind;
use crate::letter::recipient;
use crate::messages::outbound::answers::QueuePlace;
use crate::reason::{DeadReason, Reason, Refusal};
use crate::stock::Posted;
use crate::time::Timestamp;

/// Counters, as a kind of entity.
#[derive(Debug, Clone, Copy)]
pub struct Counter;

const PHASES: [&str; 1] = ["open"];

impl Kind for Counter {
    const NAME: &'static str = "counter";
}

impl Decider for Counter {
    type State = State;
    type Message = Question;
    type Event = Event;
    type Policies = Policies;
    /// It posts nothing: nobody needs a hint of what a question answers for good. Kinds on one board agree on what is on it.
    type Posted = Posted;

    /// Nobody outside speaks to a counter.
    fn decode(envelope: &Envelope) -> Result<Addressed<Question>, Refusal> {
        let question = match envelope.plane {
            Plane::Internal if envelope.domain.as_str() == Self::NAME => {
                Question::read(envelope.name.as_str(), &envelope.body)?
            }
            _ => None,
        };
        let Some(message) = question else {
            let text = format!("{} names no message to a counter", envelope.subject("retail", None));
            return Err(Refusal::new(DeadReason::UnknownType, "", text));
        };
        Ok(Addressed { entity: recipient(envelope)?, pointer: "", message })
    }

    fn decide(
        state: &State,
        input: Input<'_, Question>,
        context: &Context<'_, Policies, Posted>,
    ) -> Result<Decision<Self>, Reason> {
        let question = match input {
            Input::Message(_, question) => Some(question),
            Input::Timer | Input::Release(_) => None,
        };
        Ok(decide::decide(state, question, context))
    }

    fn evolve(state: &mut State, event: &Event) {
        state::evolve(state, event);
    }

    fn tell(entity: &EntityId, state: &State, event: &Event, told: &mut Published) {
        published::tell(entity, state, event, told);
    }

    fn exists(state: &State) -> bool {
        state.version > 0
    }

    fn outcome(_: &State) -> Option<Outcome> {
        None
    }

    fn next_deadline(_: &State) -> Option<Timestamp> {
        None
    }

    fn effects(_: &State) -> Vec<OpenEffect<'_>> {
        Vec::new()
    }

    fn command(_: &EntityId, _: &State, _: &str) -> Option<Command> {
        None
    }

    fn fill(state: &State, policies: &Policies, note: &mut Note<'_>) {
        note(Bound::CounterClaims, state.claims.len(), policies.claims_most);
        note(Bound::CounterClaimBytes, state.claims.bytes(), state::MOST_CLAIM_BYTES);
        note(Bound::CounterCustomers, state.customers.len(), policies.customers_most);
    }

    fn trace(_: &State) -> Trace<'_> {
        Trace::default()
    }

    fn phase(_: &State) -> &'static str {
        PHASES[0]
    }

    fn phases() -> &'static [&'static str] {
        &PHASES
    }

    fn is_unsettled(_: &'static str) -> bool {
        false
    }

    fn view(entity: &EntityId, state: &State, version: u64) -> String {
        published::view(entity, state, version)
    }

    fn queued_view(entity: &EntityId, _: &QueuePlace) -> String {
        published::view(entity, &State::default(), 0)
    }

    fn is_final(_: &State) -> bool {
        false
    }

    fn kind() -> Token {
        Token::new(Self::NAME).expect("a lower-case word")
    }
}
