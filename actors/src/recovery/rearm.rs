//! What memory held besides the states: deadlines, counts, wait lists, phases, and the commands that may not have arrived.

use domain::decider::{Decider, EffectState, Participant};
use domain::ids::EntityId;
use domain::time::Timestamp;

use bus::ports::Outgoing;

use crate::entity::Entity;
use crate::entity::outgoing::counts;
use crate::outbound;
use crate::partition::Due;
use crate::partition::Partition;

/// Commands to each participant, to be sent once more with the same keys.
pub(super) type Commands = [Vec<Outgoing>; 5];

/// What memory holds of one entity besides its state.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pub(super) phase: Option<&'static str>,
    pub(super) deadline: Option<Timestamp>,
    pub(super) is_final: bool,
    in_flight: [i64; 5],
    waiting: Vec<(Participant, Box<str>)>,
    commands: Vec<(Participant, Outgoing)>,
}

/// What follows from the state of an entity alone.
pub(super) fn outline<D: Decider>(partition: &Partition<D>, id: &EntityId, entity: &Entity<D>) -> Outline {
    let mut outline = Outline::default();
    if entity.suspect {
        return outline;
    }
    let state = &entity.state;
    outline.phase = D::exists(state).then(|| D::phase(state));
    outline.deadline = if entity.quarantined { None } else { D::next_deadline(state) };
    outline.is_final = D::is_final(state);
    for effect in &D::effects(state) {
        if counts(effect) {
            outline.in_flight[effect.participant.index()] += 1;
        }
        match effect.state {
            EffectState::Waiting => outline.waiting.push((effect.participant, effect.id.into())),
            EffectState::Sent => {
                if let Some(command) = D::command(id, state, effect.id) {
                    let (layout, now) = (&partition.env.layout, partition.now());
                    let message = outbound::command(layout, id, D::trace(state), now, command);
                    outline.commands.push((effect.participant, message));
                }
            }
            EffectState::Retrying => {} // its own deadline sends it
        }
    }
    outline
}

/// Sets up again what follows from one entity.
pub(super) fn apply<D: Decider>(
    partition: &Partition<D>,
    number: u32,
    outline: Outline,
    commands: &mut Commands,
) {
    partition.env.metrics.phase_changed(None, outline.phase);
    if let Some(slot) = partition.entities.borrow_mut().slot(number) {
        slot.deadline = outline.deadline;
    }
    partition.set_deadline(Due::Entity(number), None, outline.deadline);
    for (participant, effect) in outline.waiting {
        partition.wait(participant, (number, effect));
    }
    partition.count_in_flight(outline.in_flight);
    for (participant, command) in outline.commands {
        commands[participant.index()].push(command);
    }
}

/// Sets everything up again from the states that are in memory.
pub(super) fn rearm<D: Decider>(partition: &Partition<D>, commands: &mut Commands) {
    let known = partition.entities.borrow().known();
    for number in known {
        let mut entities = partition.entities.borrow_mut();
        let slot = entities.slot(number).expect("it was known just now");
        let Some(entity) = slot.resting.as_deref() else { continue };
        let outline = outline(partition, &slot.id, entity);
        partition.in_memory(slot, number, outline.is_final);
        drop(entities);
        apply(partition, number, outline, commands);
    }
}
