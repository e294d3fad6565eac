//! What is told to whoever asked: at once, or once it is settled.

use bus::ports::Outgoing;
use domain::decider::{Answer, Asked, Decider, Outcome};
use domain::envelope::{Envelope, Plane};
use domain::reason::Reason;

use super::actor::EntityActor;
use crate::partition::{Addressee, Awaited, Queued, receipts};

/// The refusal of what was asked. That of a wish says besides how its entity is, which goes on as it was.
pub(super) fn rejection<D: Decider>(
    actor: &EntityActor<D>,
    to: &Addressee,
    version: u64,
    reason: &Reason,
) -> Outgoing {
    let env = &actor.partition.env;
    if to.asked == Asked::NewWork || !D::exists(&actor.entity.state) {
        return receipts::rejected(env, to, version, reason);
    }
    let refused = Outcome { version, rejected: Some(reason.clone()) };
    let own = |outcome: &_, asked| D::receipt(&actor.id, &actor.entity.state, outcome, asked);
    receipts::of_outcome(env, to, &refused, own)
}

/// Tells who asked what came of it, or remembers whom to tell once something does.
pub(super) fn answer<D: Decider>(
    actor: &EntityActor<D>,
    queued: &mut Queued,
    envelope: &Envelope,
    addressee: Option<Addressee>,
    answer: &Answer,
    outcome: Option<&Outcome>,
    version: u64,
) {
    let Some(addressee) = addressee else { return };
    let (partition, intake) = (&actor.partition, envelope.plane == Plane::Intake);
    let own = |outcome: &_, asked| D::receipt(&actor.id, &actor.entity.state, outcome, asked);
    let receipt = match (answer, outcome) {
        (Answer::Rejected(reason), Some(outcome)) if intake && outcome.rejected.as_ref() == Some(reason) => {
            receipts::of_outcome(&partition.env, &addressee, outcome, own)
        }
        (Answer::Rejected(reason), _) => rejection(actor, &addressee, version, reason),
        (Answer::Accepted | Answer::Later, Some(outcome)) if intake => {
            receipts::of_outcome(&partition.env, &addressee, outcome, own)
        }
        (Answer::Accepted, _) => receipts::of_wish(&partition.env, &addressee, version, own),
        (Answer::Later, _) => {
            let awaited = if intake {
                Awaited::Outcome
            } else {
                Awaited::Wish(envelope.source().to_owned(), envelope.id())
            };
            partition.await_receipt(queued, actor.number, version, awaited, addressee, envelope);
            return;
        }
    };
    queued.receipts.push(receipt);
}
