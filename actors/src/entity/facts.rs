//! What the partition has to know of an entity while only its snapshot has the rest.

use domain::decider::{Decider, EffectState, Party};
use domain::gates::Urgency;
use domain::time::Timestamp;

use super::memory::Entity;
use super::outgoing::counts;
use crate::record::OpenCommands;

/// The phase of an entity that nobody has made.
pub(crate) const NO_PHASE: u8 = u8::MAX;

/// What follows from the state of an entity alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// In the phases of its kind, or [`NO_PHASE`].
    pub(crate) phase: u8,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) is_final: bool,
    /// It has something on the board.
    pub(crate) posts: bool,
    /// Without a moment.
    pub(crate) open: Option<Box<OpenCommands>>,
}

impl Facts {
    /// Of an entity whose state can be believed.
    pub(crate) fn of<D: Decider>(entity: &Entity<D>) -> Self {
        let state = &entity.state;
        let place = |phase| D::phases().iter().position(|known| *known == phase);
        let phase = D::exists(state).then(|| D::phase(state)).and_then(place);
        let mut open = OpenCommands::default();
        for effect in &D::effects(state) {
            let Party::Participant(participant) = effect.party else { continue };
            let at = participant.index();
            if counts(effect) {
                open.in_flight[at] = open.in_flight[at].saturating_add(1);
            }
            if effect.state == EffectState::Waiting {
                open.waiting[at] = open.waiting[at].saturating_add(1);
                if effect.urgency == Urgency::Urgent {
                    open.urgent[at] = open.urgent[at].saturating_add(1);
                }
            }
        }
        Self {
            phase: phase.and_then(|phase| u8::try_from(phase).ok()).unwrap_or(NO_PHASE),
            deadline: if entity.quarantined { None } else { D::next_deadline(state) },
            is_final: D::is_final(state),
            posts: D::posted(state).is_some(),
            open: (open != OpenCommands::default()).then(|| Box::new(open)),
        }
    }
}
