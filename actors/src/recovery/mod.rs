//! From the journal back to a live partition: fence, replay, then everything that memory held.

mod fence;
mod rearm;
mod replay;

use std::rc::Rc;

use domain::decider::Decider;

use crate::node::PartitionStatus;
use crate::partition::{Environment, Halt, JournalEnd, Partition, publish};

pub(crate) use replay::evolve;

/// Takes the partition over and rebuilds it. Waits while the broker is away.
///
/// # Errors
/// The journal is damaged: going on would be wrong.
pub(crate) async fn recover<D: Decider>(
    number: u16,
    env: &Environment<D::Policies>,
) -> Result<(Rc<Partition<D>>, JournalEnd), Halt> {
    env.board.set(number, PartitionStatus::Starting { reason: "taking the journal over".to_owned() });
    let (partition, end) = fence::fence::<D>(number, env).await?;
    let jobs = replay::replay(&partition, &end).await?;
    let commands = rearm::rearm(&partition);
    for job in jobs {
        publish(&partition, job).await;
    }
    partition.published.through.set(end.sequence);
    for (participant, commands) in commands {
        env.senders.resend(participant, commands);
    }
    env.board.recorded(number, end.positions);
    Ok((partition, end))
}
