//! The working copy of a decision: events are recorded and absorbed at once, so that each rule sees what the rules before it have
//! decided.

use crate::decider::{Answer, Context, Decision, Letter, Published};
use crate::ids::Key;
use crate::reason::{Code, Reason};
use crate::reservation::effect::{Kind, Units};
use crate::reservation::event::{End, Event};
use crate::reservation::state::{ClaimState, Target};
use crate::reservation::{Policies, Reservation, State, evolve::evolve, letters, published::tell};
use crate::stock::Posted;

pub(super) struct Deciding<'a> {
    pub(super) state: State,
    pub(super) context: &'a Context<'a, Policies, Posted>,
    letters: Vec<Letter>,
    events: Vec<Event>,
    told: Published,
}

impl<'a> Deciding<'a> {
    pub(super) fn new(state: &State, context: &'a Context<'a, Policies, Posted>) -> Self {
        Self {
            state: state.clone(),
            context,
            letters: Vec::new(),
            events: Vec::new(),
            told: Published::telling(context.further),
        }
    }

    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn finish(self, answer: Answer) -> Decision<Reservation> {
        Decision {
            events: self.events,
            state: self.state,
            published: self.told,
            answer,
            settled: Vec::new(),
            dead: Vec::new(),
            letters: self.letters,
        }
    }

    pub(super) fn emit(&mut self, event: Event) {
        evolve(&mut self.state, &event);
        tell(self.context.entity, &self.state, &event, &mut self.told);
        self.events.push(event);
    }

    /// Decides a letter; it goes out after the journal's ack, and again until it is answered.
    pub(super) fn intend(&mut self, kind: Kind) {
        let at = self.context.now;
        let deadline = at.plus_ms(self.context.policies.wait_ms(1, self.context.entity.key.as_str()));
        self.emit(Event::LetterWritten { kind, at, deadline });
    }

    /// Answers an order. Lost is not bad: it asks again.
    pub(super) fn answer(&mut self, letter: Option<Letter>) {
        self.letters.extend(letter);
    }

    pub(super) fn tell_held(&mut self, order: &Key) {
        let letter = letters::held(self.context.entity, &self.state, order);
        self.answer(letter);
    }

    pub(super) fn tell_committed(&mut self, order: &Key) {
        let letter = letters::committed(self.context.entity, &self.state, order);
        self.answer(letter);
    }

    pub(super) fn tell_refused(&mut self, order: &Key, reason: &Reason) {
        let letter = letters::refused(self.context.entity, &self.state, order, reason);
        self.answer(letter);
    }

    /// The order that is told everything; none = nobody has come for the reservation.
    pub(super) fn its_order(&self) -> Option<Key> {
        self.state.order_id.clone().filter(|_| self.state.is_an_orders)
    }

    /// When the order of a reservation is called slow.
    pub(super) fn overdue_at(&self) -> crate::time::Timestamp {
        self.context.now.plus_ms(self.context.policies.overdue_ms)
    }

    /// It cannot be held: what was taken goes back.
    pub(super) fn refuse(&mut self, reason: &Reason, lines: Vec<Units>) {
        self.give_all_back();
        let version = self.context.version;
        self.emit(Event::Refused { reason: Box::new(reason.clone()), lines, version });
        if let Some(order) = self.its_order() {
            self.tell_refused(&order, reason);
        }
    }

    /// It is over. Uses go back with the last units, unless some have left: then they are used.
    pub(super) fn end(&mut self, end: End, reason: Option<Reason>) {
        if end == End::Consumed {
            self.keep_uses();
        } else {
            self.give_all_back();
        }
        let version = self.context.version;
        self.emit(Event::Ended { end, reason: reason.map(Box::new), version });
    }

    fn give_all_back(&mut self) {
        let known = self.state.indexed().filter(|(_, claim)| claim.state.may_be_known());
        let letters = known.map(|(index, claim)| {
            let may_be_final = matches!(claim.state, ClaimState::Hardening | ClaimState::Hard);
            if may_be_final && matches!(claim.target, Target::Counter(_)) {
                Kind::Reopen { claim: index }
            } else {
                Kind::GiveBack { claim: index, quantity: claim.open + claim.surplus }
            }
        });
        for letter in letters.collect::<Vec<_>>() {
            self.intend(letter);
        }
    }

    /// Uses that are only reserved are final.
    pub(super) fn keep_uses(&mut self) {
        let soft = self.state.indexed().filter(|(_, claim)| {
            matches!(claim.target, Target::Counter(_)) && claim.state == ClaimState::Soft
        });
        for claim in soft.map(|(index, _)| index).collect::<Vec<_>>() {
            self.intend(Kind::Harden { claim });
        }
    }
}

/// Why a reservation that is over cannot be used.
pub(super) fn over(of: &Deciding<'_>) -> Reason {
    let key = &of.context.entity.key;
    let told = of.state.outcome.as_ref().and_then(|(_, reason)| reason.clone());
    told.unwrap_or_else(|| {
        let message =
            format!("reservation {key} is {}; make a new one under a new id", of.state.phase.as_str());
        Reason::new(Code::Expired, message)
    })
}

/// Why a reservation that nobody has asked for cannot be used.
pub(super) fn unknown(of: &Deciding<'_>) -> Reason {
    let key = &of.context.entity.key;
    Reason::new(Code::UnknownEntity, format!("there is no reservation {key}; hold it first"))
}

/// Why a reservation cannot be used by this order.
pub(super) fn of_another(of: &Deciding<'_>, order: &Key) -> Reason {
    let key = &of.context.entity.key;
    Reason::new(
        Code::PolicyRefused,
        format!("reservation {key} is for another order than {order}; make one for this order"),
    )
}
