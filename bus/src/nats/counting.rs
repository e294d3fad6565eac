//! What a stream holds behind a sequence, and what it holds no more.

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::{State, Stream};
use std::time::Duration;

use super::bus::unavailable;
use crate::ports::Unavailable;

/// The server removes a consumer that was left behind after so long.
const CONSUMER_LIFE: Duration = Duration::from_secs(10);

/// How often a count is tried while messages come in between.
const MOST_TRIES: u32 = 16;

/// How many messages behind `sequence` are gone; the state lists what was removed out of its middle.
pub(super) fn missing(state: &State, sequence: u64) -> u64 {
    let first = if state.messages == 0 { state.last_sequence + 1 } else { state.first_sequence };
    if sequence >= state.last_sequence {
        return 0;
    }
    let at_the_front = first.saturating_sub(sequence + 1);
    let removed = state.deleted.iter().flatten().filter(|gone| **gone > sequence && **gone >= first).count();
    at_the_front + u64::try_from(removed).expect("a length is a u64")
}

/// How many messages on `filter` are there behind `after` up to `through`.
pub(super) async fn between(
    handle: &Stream<()>,
    stream: &str,
    filter: &str,
    after: u64,
    through: u64,
) -> Result<u64, Unavailable> {
    if through <= after {
        return Ok(0);
    }
    for _ in 0..MOST_TRIES {
        // The server counts up to the end, and the end moves. If it has not moved for this filter, the counts belong together.
        let before = behind(handle, stream, filter, after).await?;
        let beyond = behind(handle, stream, filter, through).await?;
        if behind(handle, stream, filter, after).await? == before {
            return Ok(before.saturating_sub(beyond));
        }
    }
    Err(unavailable("count in", stream, &"too much comes in to count"))
}

async fn behind(handle: &Stream<()>, stream: &str, filter: &str, sequence: u64) -> Result<u64, Unavailable> {
    let error = |error: &dyn std::fmt::Display| unavailable("count in", stream, error);
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: sequence + 1 },
        ack_policy: AckPolicy::None,
        filter_subject: filter.to_owned(),
        inactive_threshold: CONSUMER_LIFE,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let consumer = handle.create_consumer(config).await.map_err(|cause| error(&cause))?;
    let info = consumer.cached_info();
    let (count, name) = (info.num_pending, info.name.clone());
    if let Err(cause) = handle.delete_consumer(&name).await {
        tracing::debug!(stream, %cause, "a consumer that only counted goes by itself");
    }
    Ok(count)
}
