//! Positions of idle lanes go along with their streams, or a quiet partition would keep everybody's messages from being purged.

use std::rc::Rc;
use std::sync::atomic::Ordering;

use bus::layout::Lane;
use bus::ports::{Position, Unavailable};
use domain::decider::Decider;

use super::core::{Partition, Stage};

/// Looks after idle lanes until the partition drains.
pub(crate) async fn run<D: Decider>(partition: Rc<Partition<D>>) {
    let mut stage = partition.stage();
    loop {
        tokio::select! {
            biased;
            _ = stage.wait_for(|stage| *stage != Stage::Running) => return,
            () = tokio::time::sleep(partition.env.config.position_interval()) => {}
        }
        if let Err(error) = see_how_far(&partition).await {
            tracing::debug!(partition = partition.number, %error, "nobody knows yet how far the intake is");
        }
        for lane in Lane::ALL {
            if let Err(error) = go_along(&partition, lane).await {
                tracing::debug!(partition = partition.number, %error, "idle positions stay where they are");
            }
        }
    }
}

/// An intake in which nothing is left has reached the moment of the question. Asked only if somebody wants to know.
async fn see_how_far<D: Decider>(partition: &Partition<D>) -> Result<(), Unavailable> {
    let env = &partition.env;
    if !env.flow.is_wanted(partition.number) {
        return Ok(());
    }
    let (state, asked_at) = (partition.lane(Lane::Intake), env.clock.now());
    let filter = env.layout.inbound_filter(partition.number);
    let newest = env.bus.last_on_subject(&state.stream, &filter).await?;
    let position = state.tracker.borrow().position().sequence;
    let taken = partition.admission.last_taken().max(position);
    if newest.is_none_or(|newest| newest.sequence <= taken) {
        env.flow.figures(partition.number).reached.fetch_max(asked_at.0, Ordering::Relaxed);
    }
    Ok(())
}

/// Moves the position of an idle lane to an end of its stream behind which nothing for this partition can be.
async fn go_along<D: Decider>(partition: &Partition<D>, lane: Lane) -> Result<(), Unavailable> {
    let state = partition.lane(lane);
    let position = state.tracker.borrow().position();
    // What came and went while we were cut off would be passed over unseen, so the reader looks first.
    let connection = partition.env.bus.losses();
    let is_looked_after =
        || state.whole_at.get() == Some(connection) && partition.env.bus.losses() == connection;
    if !is_looked_after() {
        return Ok(());
    }
    // The end was seen by somebody before the questions below, so what comes later stands behind it.
    let end = partition.env.board.stream_end(lane);
    if end <= position.sequence || !partition.is_idle(lane) {
        return Ok(());
    }
    let bus = &partition.env.bus;
    let filter = partition.env.layout.inbound_filter(partition.number);
    let newest = bus.last_on_subject(&state.stream, &filter).await?;
    if newest.is_some_and(|newest| newest.sequence > position.sequence) {
        return Ok(());
    }
    let timestamp_ns = if let Some(last) = bus.get(&state.stream, end).await? {
        last.timestamp_ns
    } else {
        let bounds = bus.bounds(&state.stream).await?;
        if bounds.last < end {
            return Ok(());
        }
        // Somebody purged the end itself. The old time, or that of the stream, is older than whatever gets that sequence after
        // a loss, so that is noticed; and it is not older than the stream, which is the one that we know.
        position.timestamp_ns.max(bounds.created_ns).max(1)
    };
    let unmoved = state.tracker.borrow().position() == position;
    if partition.is_idle(lane) && unmoved && is_looked_after() {
        state.tracker.borrow_mut().skip_to(Position { sequence: end, timestamp_ns });
        partition.queue.filled.notify_one();
    }
    Ok(())
}
