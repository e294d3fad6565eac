//! What memory held besides the states: deadlines, counts, wait lists, phases, and the commands that may not have arrived.

use domain::decider::{Decider, EffectState, Participant};

use bus::ports::Outgoing;

use crate::entity::outgoing::counts;
use crate::outbound;
use crate::partition::Due;
use crate::partition::Partition;

/// Sets everything up again from the states; gives the open commands, to be sent once more with the same keys.
pub(super) fn rearm<D: Decider>(partition: &Partition<D>) -> Vec<(Participant, Vec<Outgoing>)> {
    let mut commands: [Vec<Outgoing>; 5] = Default::default();
    let mut in_flight = [0; 5];
    let known = partition.entities.borrow().known();
    for number in known {
        let mut entities = partition.entities.borrow_mut();
        let slot = entities.slot(number).expect("it was known just now");
        let entity = slot.resting.as_deref().expect("nothing is live during recovery");
        if entity.suspect {
            continue;
        }
        let state = &entity.state;
        if D::exists(state) {
            partition.env.metrics.phase_changed(None, Some(D::phase(state)));
        }
        let effects = D::effects(state);
        let mut waiting = Vec::new();
        for effect in &effects {
            if counts(effect) {
                in_flight[effect.participant.index()] += 1;
            }
            match effect.state {
                EffectState::Waiting => waiting.push((effect.participant, effect.id.into())),
                EffectState::Sent => {
                    if let Some(command) = D::command(&slot.id, state, effect.id) {
                        let now = partition.now();
                        let message =
                            outbound::command(&partition.env.layout, &slot.id, D::trace(state), now, command);
                        commands[effect.participant.index()].push(message);
                    }
                }
                EffectState::Retrying => {} // its own deadline sends it
            }
        }
        let deadline = if entity.quarantined { None } else { D::next_deadline(state) };
        slot.deadline = deadline;
        drop(entities);
        partition.set_deadline(Due::Entity(number), None, deadline);
        for (participant, effect) in waiting {
            partition.wait(participant, (number, effect));
        }
    }
    partition.count_in_flight(in_flight);
    Participant::ALL.into_iter().zip(commands).filter(|(_, commands)| !commands.is_empty()).collect()
}
