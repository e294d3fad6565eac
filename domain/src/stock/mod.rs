//! The stock of one SKU at one node: what is there, who holds it, who waits for it.
//!
//! ```text
//! available = max(0, on_hand - soft - hard - safety - set aside for others + oversell_cap - waited for)
//! ```
//!
//! A cell says yes or no to a claim, and nobody else does. What happened in the world it never refuses: more may have left than it
//! knew of, and then it says who will not get his units.
//!
//! Reading order: [`message`] (what it is told), [`state`] (what is known), [`queue`] (who waits), [`feed`] (what is known from outside),
//! [`said`] (what a fact said), [`event`] (what can happen), `decide` (every rule), `evolve` (how events change the state), `published` (what the outside is told).

pub mod event;
pub mod feed;
pub mod message;
pub mod policies;
pub mod queue;
pub mod said;
pub mod state;

mod decide;
mod evolve;
mod published;
mod view;

pub use event::Event;
pub use message::Message;
pub use policies::Policies;
pub use state::{Posted, State};

use crate::bounds::{Bound, Note};
use crate::decider::{
    Addressed, Command, Context, Decider, Decision, Input, OpenEffect, Outcome, Published, Trace,
};
use crate::envelope::Envelope;
use crate::ids::{EntityId, Token};
use crate::kinds::Kind;
use crate::messages::outbound::answers::QueuePlace;
use crate::reason::{Reason, Refusal};
use crate::time::Timestamp;

/// Stock cells, as a kind of entity.
#[derive(Debug, Clone, Copy)]
pub struct Stock;

/// What a cell is doing, in words: as it should, on old knowledge, or with more held than there is.
const PHASES: [&str; 3] = ["fresh", "stale", "oversold"];

impl Kind for Stock {
    const NAME: &'static str = "stock";
}

impl Decider for Stock {
    type State = State;
    type Message = Message;
    type Event = Event;
    type Policies = Policies;
    type Posted = Posted;

    fn decode(envelope: &Envelope) -> Result<Addressed<Message>, Refusal> {
        message::decode(envelope)
    }

    fn decide(
        state: &State,
        input: Input<'_, Message>,
        context: &Context<'_, Policies, Posted>,
    ) -> Result<Decision<Self>, Reason> {
        Ok(decide::decide(state, &input, context))
    }

    fn evolve(state: &mut State, event: &Event) {
        evolve::evolve(state, event);
    }

    fn tell(entity: &EntityId, state: &State, event: &Event, told: &mut Published) {
        published::tell(entity, state, event, told);
    }

    fn exists(state: &State) -> bool {
        state.is_known()
    }

    /// Facts have no receipts.
    fn outcome(_: &State) -> Option<Outcome> {
        None
    }

    fn next_deadline(state: &State) -> Option<Timestamp> {
        decide::next_deadline(state)
    }

    /// A cell answers and asks nothing.
    fn effects(_: &State) -> Vec<OpenEffect<'_>> {
        Vec::new()
    }

    fn command(_: &EntityId, _: &State, _: &str) -> Option<Command> {
        None
    }

    fn posted(state: &State) -> Option<Posted> {
        state.is_known().then(|| state.posted())
    }

    fn fill(state: &State, policies: &Policies, note: &mut Note<'_>) {
        let waiting = state.waiting.len();
        note(Bound::StockClaims, state.claims.len() + waiting, policies.claims_most);
        note(Bound::StockClaimBytes, state.claim_bytes(), state::MOST_CLAIM_BYTES);
        note(Bound::StockBackorders, waiting, policies.claims_most);
        note(Bound::StockMovements, state.feed.movements.len(), feed::MOVEMENTS_MOST);
        note(Bound::StockInbound, state.feed.inbound.len(), feed::INBOUND_MOST);
        note(Bound::StockSetAsides, state.feed.set_aside.len(), feed::SET_ASIDE_MOST);
    }

    fn trace(_: &State) -> Trace<'_> {
        Trace::default()
    }

    fn phase(state: &State) -> &'static str {
        if state.oversold > 0 { PHASES[2] } else { PHASES[usize::from(state.feed.stale.is_some())] }
    }

    fn phases() -> &'static [&'static str] {
        &PHASES
    }

    fn is_unsettled(_: &'static str) -> bool {
        false
    }

    fn view(entity: &EntityId, state: &State, version: u64) -> String {
        view::view(entity, state, version)
    }

    /// Facts do not queue in the intake.
    fn queued_view(entity: &EntityId, _: &QueuePlace) -> String {
        view::view(entity, &State::default(), 0)
    }

    /// There may always be more of it.
    fn is_final(_: &State) -> bool {
        false
    }

    fn kind() -> Token {
        Token::new(Self::NAME).expect("a lower-case word")
    }
}
