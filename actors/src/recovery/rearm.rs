//! What memory held besides the states: deadlines, counts, wait lists, phases, and the commands and letters that may not have
//! arrived.

use domain::decider::{Decider, EffectState, Participant, Party};
use domain::envelope::HeaderWriter;
use domain::gates::Urgency;
use domain::ids::EntityId;
use domain::time::Timestamp;

use bus::ports::Outgoing;

use crate::entity::{Entity, Facts};
use crate::mail::{Desk, Sealed};
use crate::outbound;
use crate::partition::{Due, Partition, Presence};

/// Commands to each participant, to be sent once more with the same keys.
pub(super) type Commands = [Vec<Outgoing>; 5];

/// Effects that wait: since when, of whom, for whom, how many, and how many of them are urgent.
type Waiting = (Timestamp, u32, Participant, u16, u16);

/// Sets everything up again: from the states of those that are in memory, from the index for the others. The commands and
/// letters of those that are away go out again at their deadlines.
pub(super) fn rearm<D: Decider>(partition: &Partition<D>) -> (Commands, Vec<Sealed>) {
    let (mut commands, mut letters, mut waiting) = (Commands::default(), Vec::new(), Vec::new());
    let known = partition.entities.borrow().known();
    for number in known {
        let mut entities = partition.entities.borrow_mut();
        let slot = entities.slot(number).expect("it was known just now");
        let facts = match &mut slot.presence {
            Presence::Here(here) => {
                let Some(entity) = here.resting.as_deref().filter(|entity| !entity.suspect) else { continue };
                let facts = Facts::of(entity);
                add_open(partition, &here.id, entity, &mut commands, &mut letters);
                here.deadline = facts.deadline;
                partition.in_memory(here, number, facts.is_final);
                facts
            }
            Presence::Away | Presence::Coming(_) => match &slot.row {
                Some(row) => Facts {
                    phase: row.phase,
                    deadline: row.deadline,
                    is_final: row.is_closed,
                    posts: row.posts,
                    open: row.open.clone(),
                },
                None => continue,
            },
        };
        drop(entities);
        apply(partition, number, &facts, &mut waiting);
    }
    // Oldest first, as they stood in the lists; who has waited for as long, in the order in which they became known.
    waiting.sort_by_key(|(since, number, ..)| (*since, *number));
    for (_, number, participant, count, urgent) in waiting {
        partition.env.gates.probe_first(participant, partition.env.clock.now());
        for place in 0..count {
            let urgency = if place < urgent { Urgency::Urgent } else { Urgency::Ordinary };
            partition.wait(participant, urgency, number);
        }
    }
    (commands, letters)
}

fn apply<D: Decider>(partition: &Partition<D>, number: u32, facts: &Facts, waiting: &mut Vec<Waiting>) {
    let phase = D::phases().get(usize::from(facts.phase)).copied();
    partition.phase_changed(None, phase);
    partition.set_deadline(Due::Entity(number), None, facts.deadline);
    let Some(open) = facts.open.as_deref() else { return };
    partition.count_in_flight(open.in_flight.map(i64::from));
    for participant in Participant::ALL {
        let count = open.waiting[participant.index()];
        if count > 0 {
            waiting.push((open.since, number, participant, count, open.urgent[participant.index()]));
        }
    }
}

fn add_open<D: Decider>(
    partition: &Partition<D>,
    id: &EntityId,
    entity: &Entity<D>,
    commands: &mut Commands,
    letters: &mut Vec<Sealed>,
) {
    let (state, layout, now) = (&entity.state, &partition.env.layout, partition.now());
    let (trace, partitions) = (D::trace(state), layout.partitions);
    let desk = Desk { from: id, version: entity.version, trace, now, partitions };
    for effect in &D::effects(state) {
        // One that is retried is sent by its own deadline.
        if effect.state != EffectState::Sent {
            continue;
        }
        match effect.party {
            Party::Participant(participant) => {
                let Some(command) = D::command(id, state, effect.id) else { continue };
                let (time, mut headers) = (outbound::rfc3339(now), HeaderWriter::default());
                let message = outbound::command(layout, id, trace, &time, &command, &mut headers);
                commands[participant.index()].push(message);
            }
            Party::Entity => letters.extend(desk.letter_of::<D>(state, effect)),
        }
    }
}
