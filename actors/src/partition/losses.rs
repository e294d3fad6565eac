//! Is everything still there that a lane has not read? Asked whenever its stream is opened, and at every new connection.

use bus::layout::Lane;
use bus::ports::{Position, Unavailable};
use domain::decider::Decider;

use super::core::{Halt, Partition};
use crate::node::PurgeNote;

/// Messages that are gone and that nobody here has read.
#[derive(Debug)]
struct Loss {
    /// How many, at least.
    count: u64,
    reason: String,
}

/// Goes on if nothing is lost, or what is lost comes again; halts with the reason if not.
pub(crate) async fn check<D: Decider>(
    partition: &Partition<D>,
    lane: Lane,
    position: Position,
) -> Result<Result<(), Halt>, Unavailable> {
    let Some(loss) = find(partition, lane, position).await? else { return Ok(Ok(())) };
    let env = &partition.env;
    env.metrics.missing[lane.index()].add(loss.count);
    let (number, reason) = (partition.number, &loss.reason);
    if lane == Lane::Replies {
        // The effects are open in the state, and their commands are sent again with the same keys.
        tracing::error!(partition = number, reason, "answers are gone; they are asked for again");
        return Ok(Ok(()));
    }
    if env.config.accept_lost_inputs {
        tracing::error!(partition = number, reason, "inputs are gone; going on without them, as configured");
        return Ok(Ok(()));
    }
    Ok(Err(Halt::Broken(format!(
        "{reason}; restore the stream, or start with node.accept_lost_inputs = true to go on without them"
    ))))
}

async fn find<D: Decider>(
    partition: &Partition<D>,
    lane: Lane,
    position: Position,
) -> Result<Option<Loss>, Unavailable> {
    let (env, stream) = (&partition.env, &partition.lane(lane).stream);
    let bounds = env.bus.bounds(stream).await?;
    if position.timestamp_ns > 0 && bounds.created_ns > position.timestamp_ns {
        let reason = format!(
            "{stream}: the stream was made anew after message {} was consumed, what it held behind that is gone",
            position.sequence
        );
        return Ok(Some(Loss { count: 1, reason }));
    }
    // Nothing can be gone behind the end. If the end went back, the reader finds its place by the time.
    if position.sequence >= bounds.last {
        return Ok(None);
    }
    let (note, _) = PurgeNote::read(&*env.bus, &env.layout, lane).await?;
    let filter = env.layout.inbound_filter(partition.number);
    let who = (partition.number, position);
    let count = note.unexplained(&*env.bus, (stream, &filter), who, None).await?;
    let reason = format!(
        "{stream}: {count} of the messages {} to {} are gone, unread, and may have been for this partition",
        position.sequence + 1,
        bounds.last
    );
    Ok((count > 0).then_some(Loss { count, reason }))
}
