//! The working copy of a decision: events are recorded and absorbed at once, so that each rule sees what the rules before it have
//! decided.

use serde::Serialize;

use crate::claims::letters::{answer, reservation_of};
use crate::decider::{Answer, Context, Decision, Letter, Published};
use crate::stock::evolve::evolve;
use crate::stock::published::tell;
use crate::stock::{Event, Policies, Posted, State, Stock};

pub(super) struct Deciding<'a> {
    pub(super) state: State,
    pub(super) context: &'a Context<'a, Policies, Posted>,
    events: Vec<Event>,
    told: Published,
    letters: Vec<Letter>,
}

impl<'a> Deciding<'a> {
    pub(super) fn new(state: &State, context: &'a Context<'a, Policies, Posted>) -> Self {
        Self {
            state: state.clone(),
            context,
            events: Vec::new(),
            told: Published::telling(context.further),
            letters: Vec::new(),
        }
    }

    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn emit(&mut self, event: Event) {
        evolve(&mut self.state, &event);
        tell(self.context.entity, &self.state, &event, &mut self.told);
        self.events.push(event);
    }

    /// Answers the reservation of a claim.
    pub(super) fn answer(&mut self, claim: &str, name: &'static str, body: &impl Serialize) {
        self.answer_to(reservation_of(claim), name, body);
    }

    /// Answers a reservation.
    pub(super) fn answer_to(&mut self, reservation: &str, name: &'static str, body: &impl Serialize) {
        self.letters.push(answer(self.context.entity, reservation, name, body));
    }

    pub(super) fn finish(self) -> Decision<Stock> {
        Decision {
            events: self.events,
            state: self.state,
            published: self.told,
            answer: Answer::Accepted,
            settled: Vec::new(),
            dead: Vec::new(),
            letters: self.letters,
        }
    }
}
