//! Every rule of a counter.

use serde::Serialize;

use super::event::Event;
use super::limits::{Limits, Policies};
use super::state::{MOST_CLAIM_BYTES, State, evolve};
use super::{Counter, published};
use crate::claims::letters::{
    Consume, Consumed, GiveBack, GivenBack, Harden, Hardened, NotTaken, Question, Reopen, Reopened, Take,
    Taken, Why, answer, reservation_of,
};
use crate::claims::{Amount, Claim, Mark, Side};
use crate::decider::{Answer, Context, Decision, Letter, Published};
use crate::ids::Key;
use crate::messages::leaf::{Minor, Quantity};
use crate::messages::text::Text;
use crate::stock::Posted;
use crate::time::Timestamp;

struct Deciding<'a> {
    state: State,
    context: &'a Context<'a, Policies, Posted>,
    events: Vec<Event>,
    told: Published,
    letters: Vec<Letter>,
}

/// Judges one question.
pub(super) fn decide(
    state: &State,
    question: Option<&Question>,
    context: &Context<'_, Policies, Posted>,
) -> Decision<Counter> {
    let told = Published::telling(context.further);
    let mut counter =
        Deciding { state: state.clone(), context, events: Vec::new(), told, letters: Vec::new() };
    match question {
        Some(Question::Take(take)) => counter.take(take),
        Some(Question::Harden(harden)) => counter.harden(harden),
        Some(Question::Reopen(reopen)) => counter.reopen(reopen),
        Some(Question::Consume(consume)) => counter.consume(consume),
        Some(Question::GiveBack(back)) => counter.give_back(back),
        // Goods may depart that nobody held; a promotion that nobody asked for was not used.
        Some(Question::ConsumeUnclaimed(consume)) => {
            let body =
                Consumed { claim_id: None, cell: counter.key(), movement_id: consume.movement_id.clone() };
            counter.say(consume.reservation_id.as_str(), "consumed", &body);
        }
        None => {}
    }
    let Deciding { state, events, told, letters, .. } = counter;
    Decision {
        events,
        state,
        published: told,
        answer: Answer::Accepted,
        settled: Vec::new(),
        dead: Vec::new(),
        letters,
    }
}

impl Deciding<'_> {
    fn emit(&mut self, event: Event) {
        evolve(&mut self.state, &event);
        published::tell(self.context.entity, &self.state, &event, &mut self.told);
        self.events.push(event);
    }

    fn key(&self) -> Key {
        self.context.entity.key.clone()
    }

    fn say(&mut self, reservation: &str, name: &'static str, body: &impl Serialize) {
        self.letters.push(answer(self.context.entity, reservation, name, body));
    }

    fn answer(&mut self, claim: &str, name: &'static str, body: &impl Serialize) {
        self.say(reservation_of(claim), name, body);
    }

    fn take(&mut self, take: &Take) {
        let id = &take.claim_id;
        if let Some(claim) = self.state.claims.get(id.as_str()) {
            let quantity = uses_of(claim);
            return self.taken(take, quantity);
        }
        let none = Limits::default();
        let policies = self.context.policies;
        let limits = policies.limits.get(self.context.entity.key.as_str()).unwrap_or(&none);
        let left = left(&self.state, limits, take);
        let why = refusal(limits, take, self.context.now)
            .or_else(|| (!fits(left, limits, take)).then_some(Why::PolicyRefused))
            .or_else(|| (!self.has_room(limits, take)).then_some(Why::Overloaded));
        if let Some(code) = why {
            let available = u32::try_from(left.units.max(0)).unwrap_or(u32::MAX);
            let body =
                NotTaken { claim_id: id.clone(), cell: self.key(), available, code, promised_at: None };
            return self.answer(id.as_str(), "not_taken", &body);
        }
        let customer = take.customer_id.as_ref().filter(|_| limits.most.per_customer.is_some());
        self.emit(Event::Taken {
            claim: id.share(),
            amount: amount(take),
            hard: take.hard,
            customer: customer.map(Text::share),
            most: Box::new(limits.most),
        });
        self.taken(take, take.quantity);
    }

    fn taken(&mut self, take: &Take, quantity: Quantity) {
        let body = Taken { claim_id: take.claim_id.clone(), cell: self.key(), quantity };
        self.answer(take.claim_id.as_str(), "taken", &body);
    }

    /// Is there room for one more claim, and for its customer, in a snapshot?
    fn has_room(&self, limits: &Limits, take: &Take) -> bool {
        let (state, policies) = (&self.state, self.context.policies);
        let is_new = limits.most.per_customer.is_some()
            && take.customer_id.as_ref().is_some_and(|customer| state.taken_by(mark(customer)) == 0);
        self.has_room_for(take.claim_id.as_str(), amount(take))
            && (!is_new || state.customers.len() < policies.customers_most)
    }

    fn has_room_for(&self, id: &str, amount: Amount) -> bool {
        let claims = &self.state.claims;
        claims.len() < self.context.policies.claims_most
            && claims.bytes() + Claim::bytes(id, amount) <= MOST_CLAIM_BYTES
    }

    /// What is reserved may always become final: limits were judged when it was taken. A claim that is not there is final already: who
    /// asks was told that it is there, and no letter of his comes after one that he wrote later.
    fn harden(&mut self, harden: &Harden) {
        let id = &harden.claim_id;
        if let Some(claim) = self.state.claims.get(id.as_str()) {
            let amount = claim.live();
            self.emit(Event::Finalized { claim: id.share(), amount });
        }
        let body = Hardened { claim_id: id.clone(), cell: self.key() };
        self.answer(id.as_str(), "hardened", &body);
    }

    /// Two steps back, because a number does not know what was taken off it: the claim that is there again is given back once, and asked
    /// for no more after that. Without room for it there is no answer, and it is asked for again.
    fn reopen(&mut self, reopen: &Reopen) {
        let id = &reopen.claim_id;
        if self.state.claims.get(id.as_str()).is_none() {
            let used = self.state.consumed;
            let asked = amount_of(reopen.quantity, reopen.amount_minor.as_ref());
            let amount = Amount { units: asked.units.min(used.units), minor: asked.minor.min(used.minor) };
            if !self.has_room_for(id.as_str(), amount) {
                return;
            }
            let is_counted = |customer: &&Text| self.state.taken_by(mark(customer)) > 0;
            let customer = reopen.customer_id.as_ref().filter(is_counted).map(Text::share);
            if amount.units > 0 {
                self.emit(Event::Reopened { claim: id.share(), amount, customer });
            }
        }
        let body = Reopened { claim_id: id.clone(), cell: self.key() };
        self.answer(id.as_str(), "reopened", &body);
    }

    fn consume(&mut self, consume: &Consume) {
        let (id, movement) = (&consume.claim_id, consume.movement_id.share());
        let held = self.state.claims.get(id.as_str());
        if let Some(held) = held.filter(|held| !held.marks.has(Mark::of_departure(id.as_str(), &movement))) {
            let amount = held.part(consume.quantity.get().into(), Side::Hard);
            self.emit(Event::Consumed { claim: id.share(), amount, movement });
        }
        let movement_id = consume.movement_id.clone();
        let body = Consumed { claim_id: Some(id.clone()), cell: self.key(), movement_id };
        self.answer(id.as_str(), "consumed", &body);
    }

    fn give_back(&mut self, back: &GiveBack) {
        let (id, release) = (&back.claim_id, back.release_id.share());
        let held = self.state.claims.get(id.as_str());
        if let Some(held) = held.filter(|held| !held.marks.has(Mark::of_release(id.as_str(), &release))) {
            let amount = held.part(back.quantity.get().into(), Side::Soft);
            self.emit(Event::GivenBack { claim: id.share(), amount, release });
        }
        let release_id = back.release_id.clone();
        let body = GivenBack { claim_id: id.clone(), cell: self.key(), release_id };
        self.answer(id.as_str(), "given_back", &body);
    }
}

fn uses_of(claim: &Claim) -> Quantity {
    let uses = u32::try_from(claim.taken.units).unwrap_or(u32::MAX);
    Quantity::new(uses).expect("nobody takes nothing")
}

fn mark(customer: &Text) -> Mark {
    Mark::of_name(customer.as_str())
}

fn amount(take: &Take) -> Amount {
    amount_of(take.quantity, take.amount_minor.as_ref())
}

fn amount_of(quantity: Quantity, minor: Option<&Minor>) -> Amount {
    Amount { units: i64::from(quantity.get()), minor: minor.map_or(0, |minor| minor.get()) }
}

/// Not now, not here, or nobody knows for whom.
fn refusal(limits: &Limits, take: &Take, now: Timestamp) -> Option<Why> {
    if limits.until.is_some_and(|until| now >= until) {
        return Some(Why::Expired);
    }
    let is_early = limits.from.is_some_and(|from| now < from);
    let names = |channel: &Text| limits.channels.iter().any(|named| **named == *channel.as_str());
    let is_elsewhere =
        !limits.channels.is_empty() && take.channel.as_ref().is_some_and(|channel| !names(channel));
    let is_nobody = limits.most.per_customer.is_some() && take.customer_id.is_none();
    (is_early || is_elsewhere || is_nobody).then_some(Why::PolicyRefused)
}

/// What the limits leave: uses, for this customer if they are limited, and money. Negative if a limit was lowered.
fn left(state: &State, limits: &Limits, take: &Take) -> Amount {
    let taken = state.taken();
    let all = limits.most.uses.map_or(i64::MAX, |uses| i64::from(uses) - taken.units);
    let by_customer = limits.most.per_customer.zip(take.customer_id.as_ref());
    let one =
        by_customer.map_or(i64::MAX, |(most, customer)| i64::from(most) - state.taken_by(mark(customer)));
    let minor = limits.most.budget_minor.map_or(i64::MAX, |budget| budget - taken.minor);
    Amount { units: all.min(one), minor }
}

/// Does it fit? Uses that cost nothing of the budget do not ask for any of it.
fn fits(left: Amount, limits: &Limits, take: &Take) -> bool {
    let asked = amount(take);
    let costs = limits.most.budget_minor.is_some() && asked.minor > 0;
    asked.units <= left.units && (!costs || asked.minor <= left.minor)
}
