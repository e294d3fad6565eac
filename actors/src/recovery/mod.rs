//! From snapshots and journal back to a live partition: fence, restore, replay, then everything that memory held.

mod fence;
mod fill;
mod rearm;
mod replay;
mod restore;

use std::rc::Rc;
use std::time::Duration;

use domain::decider::{Decider, Participant};

use crate::node::PartitionStatus;
use crate::partition::{Environment, Halt, JournalEnd, Partition, publish};

pub(crate) use fence::last_marker;
pub(crate) use replay::evolve;

/// Takes the partition over and rebuilds it. Waits while the broker is away.
///
/// # Errors
/// The journal is damaged: going on would be wrong.
pub(crate) async fn recover<D: Decider>(
    number: u16,
    env: &Environment<D::Policies, D::Posted>,
) -> Result<(Rc<Partition<D>>, JournalEnd), Halt> {
    env.board.set(number, PartitionStatus::Starting { reason: "taking the journal over".to_owned() });
    let (partition, end) = fence::fence::<D>(number, env).await?;
    partition.recorded.set(end.sequence);
    let covered = restore::restore(&partition, &end).await?;
    let jobs = replay::replay(&partition, &end, covered).await?;
    fill::fill(&partition).await?;
    env.posted.is_complete_for(number);
    let (commands, letters) = rearm::rearm(&partition);
    for job in jobs {
        publish(&partition, job).await;
    }
    partition.published.through.set(end.sequence);
    for (participant, commands) in Participant::ALL.into_iter().zip(commands) {
        if !commands.is_empty() {
            env.senders.resend(participant, commands);
        }
    }
    let patience = Duration::from_millis(env.config.board_patience_ms);
    env.posted.wait_until_complete(env.layout.partitions, patience).await;
    for letter in letters {
        env.mail.send(letter);
    }
    env.board.recorded(number, end.positions);
    Ok((partition, end))
}
