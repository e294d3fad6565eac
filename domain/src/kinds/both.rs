//! Two kinds as one decider: who an entity is says whose rules judge it.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::{Either, Event, Kind, State};
use crate::bounds::Note;
use crate::decider::{
    Addressed, Asked, Command, Context, Decider, Decision, Input, Letter, OpenEffect, Outcome, Published,
    Trace,
};
use crate::envelope::Envelope;
use crate::ids::{EntityId, Token};
use crate::messages::outbound::answers::{QueuePlace, Receipt};
use crate::reason::{DeadReason, Reason, Refusal};
use crate::time::Timestamp;

/// The kinds of `A`, and beside them those of `B`. They look at the same board, and no two of them share a phase of which
/// they say different things.
#[derive(Debug, Clone, Copy)]
pub struct Both<A, B>(PhantomData<(A, B)>);

impl<A: Kind, B: Kind<Posted = A::Posted>> Kind for Both<A, B> {
    const NAME: &'static str = A::NAME;

    fn owns(kind: &str) -> bool {
        A::owns(kind) || B::owns(kind)
    }
}

/// Does an entity belong to the second kind?
fn is_second<B: Kind>(entity: &EntityId) -> bool {
    B::owns(entity.kind.as_str())
}

/// A decision of one of the kinds as one of both.
fn widened<D: Decider, Of: Decider>(
    decision: Decision<Of>,
    event: impl Fn(Of::Event) -> D::Event,
    state: impl FnOnce(Of::State) -> D::State,
) -> Decision<D> {
    let Decision { events, state: after, published, answer, settled, dead, letters } = decision;
    let events = events.into_iter().map(event).collect();
    Decision { events, state: state(after), published, answer, settled, dead, letters }
}

/// Judges with the rules of one kind.
fn judged<'a, Of: Decider, P>(
    state: Option<&Of::State>,
    input: Input<'_, Of::Message>,
    context: &Context<'a, P, Of::Posted>,
    policies: &'a Of::Policies,
) -> Result<Decision<Of>, Reason> {
    let Context { entity, now, version, gates, board, further, .. } = *context;
    let context = Context { entity, now, version, policies, gates, board, further };
    match state {
        Some(state) => Of::decide(state, input, &context),
        None => Of::decide(&Of::State::default(), input, &context),
    }
}

/// The same input, if its message is of one of the kinds.
fn narrowed<'a, M, N>(
    input: &Input<'a, M>,
    message: impl FnOnce(&'a M) -> Option<&'a N>,
) -> Option<Input<'a, N>> {
    Some(match *input {
        Input::Message(envelope, said) => Input::Message(envelope, message(said)?),
        Input::Timer => Input::Timer,
        Input::Release(effect) => Input::Release(effect),
    })
}

impl<A: Kind, B: Kind<Posted = A::Posted>> Decider for Both<A, B> {
    type State = State<A, B>;
    type Message = Either<A::Message, B::Message>;
    type Event = Event<A, B>;
    type Policies = (A::Policies, B::Policies);
    type Posted = A::Posted;

    fn decode(envelope: &Envelope) -> Result<Addressed<Self::Message>, Refusal> {
        let first = || {
            A::decode(envelope).map(|Addressed { entity, pointer, message }| Addressed {
                entity,
                pointer,
                message: Either::First(message),
            })
        };
        let second = || {
            B::decode(envelope).map(|Addressed { entity, pointer, message }| Addressed {
                entity,
                pointer,
                message: Either::Second(message),
            })
        };
        let is_unknown = |refusal: &Refusal| refusal.reason == DeadReason::UnknownType;
        // Most messages name in their subject whose they are; others are asked for in turn, and of two refusals the first tells
        // more.
        if B::owns(envelope.domain.as_str()) {
            return second().or_else(|refusal| {
                if is_unknown(&refusal) { first().or(Err(refusal)) } else { Err(refusal) }
            });
        }
        first().or_else(|refusal| if is_unknown(&refusal) { second().or(Err(refusal)) } else { Err(refusal) })
    }

    fn decide(
        state: &Self::State,
        input: Input<'_, Self::Message>,
        context: &Context<'_, Self::Policies, Self::Posted>,
    ) -> Result<Decision<Self>, Reason> {
        let (first, second) = context.policies;
        if is_second::<B>(context.entity) {
            let state = match &state.0 {
                Some(Either::Second(state)) => Some(state),
                _ => None,
            };
            let input = narrowed(&input, |said| match said {
                Either::First(_) => None,
                Either::Second(said) => Some(said),
            });
            let input = input.expect("what decode made for an entity is of its kind");
            let decision = judged::<B, _>(state, input, context, second)?;
            let wrap = |state| State(Some(Either::Second(state)));
            return Ok(widened(decision, |event| Event(Either::Second(event)), wrap));
        }
        let state = match &state.0 {
            Some(Either::First(state)) => Some(state),
            _ => None,
        };
        let input = narrowed(&input, |said| match said {
            Either::First(said) => Some(said),
            Either::Second(_) => None,
        });
        let input = input.expect("what decode made for an entity is of its kind");
        let decision = judged::<A, _>(state, input, context, first)?;
        let wrap = |state| State(Some(Either::First(state)));
        Ok(widened(decision, |event| Event(Either::First(event)), wrap))
    }

    fn evolve(state: &mut Self::State, event: &Self::Event) {
        match &event.0 {
            Either::First(event) => {
                let known = state.0.get_or_insert_with(|| Either::First(A::State::default()));
                let Either::First(state) = known else {
                    panic!("an event of {} befell another kind", A::NAME)
                };
                A::evolve(state, event);
            }
            Either::Second(event) => {
                let known = state.0.get_or_insert_with(|| Either::Second(B::State::default()));
                let Either::Second(state) = known else {
                    panic!("an event of {} befell another kind", B::NAME)
                };
                B::evolve(state, event);
            }
        }
    }

    fn tell(entity: &EntityId, state: &Self::State, event: &Self::Event, told: &mut Published) {
        match (&state.0, &event.0) {
            (Some(Either::First(state)), Either::First(event)) => A::tell(entity, state, event, told),
            (Some(Either::Second(state)), Either::Second(event)) => B::tell(entity, state, event, told),
            _ => unreachable!("the state was evolved by this event"),
        }
    }

    fn exists(state: &Self::State) -> bool {
        by(state, A::exists, B::exists).unwrap_or(false)
    }

    fn outcome(state: &Self::State) -> Option<Outcome> {
        by(state, A::outcome, B::outcome).flatten()
    }

    fn next_deadline(state: &Self::State) -> Option<Timestamp> {
        by(state, A::next_deadline, B::next_deadline).flatten()
    }

    fn effects(state: &Self::State) -> Vec<OpenEffect<'_>> {
        by(state, A::effects, B::effects).unwrap_or_default()
    }

    fn command(entity: &EntityId, state: &Self::State, effect_id: &str) -> Option<Command> {
        let first = |state| A::command(entity, state, effect_id);
        by(state, first, |state| B::command(entity, state, effect_id)).flatten()
    }

    fn letter(entity: &EntityId, state: &Self::State, effect_id: &str) -> Option<Letter> {
        let first = |state| A::letter(entity, state, effect_id);
        by(state, first, |state| B::letter(entity, state, effect_id)).flatten()
    }

    fn posted(state: &Self::State) -> Option<Self::Posted> {
        by(state, A::posted, B::posted).flatten()
    }

    fn receipt(entity: &EntityId, state: &Self::State, outcome: &Outcome, asked: Asked) -> Option<Bytes> {
        let first = |state| A::receipt(entity, state, outcome, asked);
        by(state, first, |state| B::receipt(entity, state, outcome, asked)).flatten()
    }

    fn early_receipt(domain: &str, asked: Asked, receipt: &Receipt<'_>) -> Option<Bytes> {
        if B::owns(domain) {
            B::early_receipt(domain, asked, receipt)
        } else {
            A::early_receipt(domain, asked, receipt)
        }
    }

    fn fill(state: &Self::State, (first, second): &Self::Policies, note: &mut Note<'_>) {
        match &state.0 {
            Some(Either::First(state)) => A::fill(state, first, note),
            Some(Either::Second(state)) => B::fill(state, second, note),
            None => {}
        }
    }

    fn trace(state: &Self::State) -> Trace<'_> {
        by(state, A::trace, B::trace).unwrap_or_default()
    }

    fn phase(state: &Self::State) -> &'static str {
        by(state, A::phase, B::phase).unwrap_or_else(|| A::phase(&A::State::default()))
    }

    fn phases() -> &'static [&'static str] {
        static MADE: Mutex<BTreeMap<TypeId, &'static [&'static str]>> = Mutex::new(BTreeMap::new());
        let made = || MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let known = made().get(&TypeId::of::<Self>()).copied();
        known.unwrap_or_else(|| {
            // Not under the lock: the kinds may be pairs themselves. Once for each pair that a program knows.
            let phases = [A::phases(), B::phases()].concat();
            made().entry(TypeId::of::<Self>()).or_insert_with(|| Vec::leak(phases))
        })
    }

    fn is_unsettled(phase: &'static str) -> bool {
        A::is_unsettled(phase) || B::is_unsettled(phase)
    }

    fn channel(message: &Self::Message) -> Option<&str> {
        match message {
            Either::First(message) => A::channel(message),
            Either::Second(message) => B::channel(message),
        }
    }

    fn view(entity: &EntityId, state: &Self::State, version: u64) -> String {
        let first = |state| A::view(entity, state, version);
        let known = by(state, first, |state| B::view(entity, state, version));
        known.unwrap_or_else(|| {
            if is_second::<B>(entity) {
                B::view(entity, &B::State::default(), version)
            } else {
                A::view(entity, &A::State::default(), version)
            }
        })
    }

    fn queued_view(entity: &EntityId, place: &QueuePlace) -> String {
        if is_second::<B>(entity) { B::queued_view(entity, place) } else { A::queued_view(entity, place) }
    }

    fn is_final(state: &Self::State) -> bool {
        by(state, A::is_final, B::is_final).unwrap_or(false)
    }

    fn kind() -> Token {
        A::kind()
    }
}

/// Asks the kind that a state is of.
fn by<'a, A: Kind, B: Kind, T>(
    state: &'a State<A, B>,
    first: impl FnOnce(&'a A::State) -> T,
    second: impl FnOnce(&'a B::State) -> T,
) -> Option<T> {
    match state.0.as_ref()? {
        Either::First(state) => Some(first(state)),
        Either::Second(state) => Some(second(state)),
    }
}
