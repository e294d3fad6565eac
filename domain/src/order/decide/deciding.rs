//! The working copy of a decision: events are recorded and absorbed at once, so that each rule sees what the rules
//! before it have decided.

use std::sync::Arc;

use std::collections::BTreeMap;

use crate::decider::{Answer, Context, Decision, Letter, Party, Published};
use crate::envelope::Envelope;
use crate::money::{Minor, Points};
use crate::order::degraded::{DegradedMode, Dependency};
use crate::order::effect::{Kind, effect_id};
use crate::order::event::{Event, Exception, ExceptionKind};
use crate::order::{Order, Policies, State, evolve::evolve, published::tell};
use crate::reason::DeadReason;
use crate::stock::Posted;

/// How many exceptions an order keeps; one that has so many needs a person anyway.
const EXCEPTIONS_MOST: usize = 64;

pub(super) struct Deciding<'a> {
    pub(super) state: State,
    pub(super) context: &'a Context<'a, Policies, Posted>,
    pub(super) settled: BTreeMap<(String, String), Answer>,
    pub(super) dead: Vec<(Envelope, DeadReason)>,
    /// Answers to letters.
    pub(super) letters: Vec<Letter>,
    events: Vec<Event>,
    told: Published,
}

impl<'a> Deciding<'a> {
    pub(super) fn new(state: &State, context: &'a Context<'a, Policies, Posted>) -> Self {
        Self {
            state: state.clone(),
            context,
            settled: BTreeMap::new(),
            dead: Vec::new(),
            letters: Vec::new(),
            events: Vec::new(),
            told: Published::telling(context.further),
        }
    }

    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn finish(self, answer: Answer) -> Decision<Order> {
        Decision {
            events: self.events,
            state: self.state,
            published: self.told,
            answer,
            settled: self.settled.into_iter().collect(),
            dead: self.dead,
            letters: self.letters,
        }
    }

    pub(super) fn emit(&mut self, event: Event) {
        evolve(&mut self.state, &event);
        tell(self.context.entity, &self.state, &event, &mut self.told);
        self.events.push(event);
    }

    /// Decides a command or letter: it goes out after the journal's ack, or waits if its participant's gate is closed. A letter
    /// has no gate.
    pub(super) fn intend(&mut self, kind: Kind) {
        let now = self.context.now;
        let ordinal = self.state.last_ordinal(&kind) + 1;
        let entity = self.context.entity;
        let goes = match kind.party() {
            Party::Participant(participant) => self.context.gates.open_for(participant, kind.urgency()),
            Party::Entity => true,
        };
        let deadline = goes.then(|| {
            let id = effect_id(entity.tenant.as_str(), entity.key.as_str(), &kind, ordinal);
            now.plus_ms(self.context.policies.wait_ms(&kind, 1, &id))
        });
        let told = match kind {
            Kind::Accrue { points_delta, target_points, .. }
                if deadline.is_none() && self.defers_accruals() =>
            {
                Some(Event::AccrualDeferred { points_delta, target_points })
            }
            _ => None,
        };
        self.emit(Event::EffectIntended { kind, at: now, deadline });
        if let Some(told) = told {
            self.emit(told);
        }
    }

    fn defers_accruals(&self) -> bool {
        let modes = &self.context.policies.degraded_modes;
        modes.in_force(Dependency::Accrual, self.context.gates) == Some(DegradedMode::Defer)
    }

    /// Sends an open effect (again), with the same key.
    pub(super) fn send_again(&mut self, effect: &str) {
        let Some(open) = self.state.effect(effect) else { return };
        let wait = self.context.policies.wait_ms(&open.kind, open.attempts + 1, effect);
        let at = self.context.now;
        self.emit(Event::EffectSent { effect: effect.into(), at, deadline: at.plus_ms(wait) });
    }

    /// Tells a person, once for each kind and cause.
    pub(super) fn exception(
        &mut self,
        kind: ExceptionKind,
        cause: String,
        exposure: Exposure,
        effect: Option<&str>,
    ) {
        let cause: Arc<str> = cause.into();
        let open = &self.state.exceptions;
        let is_known = open.iter().any(|known| known.kind == kind && known.cause == cause);
        if is_known || open.len() >= EXCEPTIONS_MOST {
            return;
        }
        let id = u32::try_from(self.state.exceptions.len()).unwrap_or(u32::MAX).saturating_add(1);
        self.emit(Event::ExceptionOpened(Box::new(Exception {
            id,
            kind,
            cause,
            exposure_minor: exposure.minor,
            exposure_points: exposure.points,
            effect_id: effect.map(Into::into),
        })));
    }
}

/// What is at risk in an exception.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Exposure {
    pub(super) minor: Minor,
    pub(super) points: Points,
}

impl Exposure {
    pub(super) const NONE: Self = Self { minor: 0, points: 0 };

    pub(super) const fn minor(minor: Minor) -> Self {
        Self { minor, points: 0 }
    }

    pub(super) const fn points(points: Points) -> Self {
        Self { minor: 0, points }
    }
}
