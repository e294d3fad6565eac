//! Taking a journal over: the fence record comes first, so that no earlier owner can write behind our reading.

use std::rc::Rc;

use bus::layout::StreamId;
use bus::ports::{StreamBounds, Unavailable};
use domain::decider::Decider;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use crate::entity::HashKey;
use crate::node::PartitionStatus;
use crate::outbound::Marker;
use crate::partition::checkpoint::MARKER;
use crate::partition::{Environment, Halt, JournalEnd, Partition, append};
use crate::record::{
    Ahead, Entry, Fence, Record, RecordHash, ReplayEntry, SnapshotMarker, decode, encode_entry,
};

/// What stands in the journal before us.
struct Found {
    end: JournalEnd,
    ahead: Ahead,
    outputs_through: u64,
    hash_key: Option<[u8; 16]>,
}

/// Why the journal cannot be taken over right now, or at all.
enum Trouble {
    Later(String),
    Never(String),
}

impl From<Unavailable> for Trouble {
    fn from(error: Unavailable) -> Self {
        Self::Later(error.to_string())
    }
}

/// Appends the fence of a new epoch behind whatever is there.
pub(super) async fn fence<D: Decider>(
    number: u16,
    env: &Environment<D::Policies, D::Posted>,
) -> Result<(Rc<Partition<D>>, JournalEnd), Halt> {
    let freed = env.gates.watch(number);
    for attempt in 0.. {
        let reason = match find(number, env).await {
            Ok(found) => {
                let hash_key = found.hash_key.unwrap_or_else(|| new_hash_key(number, env));
                let partition = Rc::new(Partition::new(
                    number,
                    env.clone(),
                    HashKey(hash_key),
                    std::sync::Arc::clone(&freed),
                ));
                partition.start_lanes_at(found.end.positions, found.ahead);
                partition.published.through.set(found.outputs_through);
                let mut end = found.end;
                end.epoch += 1;
                let fence = Fence {
                    hash_key,
                    partitions: env.layout.partitions,
                    instance: env.config.instance.clone(),
                };
                let mut entries = Vec::new();
                encode_entry(&mut entries, &Entry::<()>::Fence(fence));
                match append(&partition, &mut end, &entries, 1).await {
                    Ok(()) => return Ok((partition, end)),
                    // The one before us wrote once more, or somebody starts at the same time: look again.
                    Err(_) => "another owner writes the journal".to_owned(),
                }
            }
            Err(Trouble::Never(reason)) => return Err(Halt::Broken(reason)),
            Err(Trouble::Later(reason)) => reason,
        };
        tracing::info!(partition = number, reason, "the journal cannot be taken over yet");
        env.board.set(number, PartitionStatus::Starting { reason });
        tokio::time::sleep(env.config.retry_pause(attempt)).await;
    }
    unreachable!("the attempts are counted until one succeeds")
}

async fn find<P, T>(number: u16, env: &Environment<P, T>) -> Result<Found, Trouble> {
    let stream = env.layout.name(StreamId::Journal(number));
    let bounds: StreamBounds = env.bus.bounds(&stream).await?;
    nothing_beyond(number, env, &stream, bounds.last).await?;
    if bounds.last == 0 {
        return Ok(Found {
            end: JournalEnd::default(),
            ahead: Ahead::default(),
            outputs_through: 0,
            hash_key: None,
        });
    }
    if bounds.messages == 0 {
        return Err(Trouble::Never(format!("{stream}: {} records were there and all are gone", bounds.last)));
    }
    let (last, hash) = record::<P, T, IgnoredAny>(env, &stream, bounds.last).await?;
    let (first, _) = record::<P, T, ReplayEntry<IgnoredAny>>(env, &stream, bounds.first).await?;
    let (hash_key, partitions) = match first.entries.into_iter().next() {
        Some(ReplayEntry::Fence(fence)) => (fence.hash_key, fence.partitions),
        // The beginning is purged, which happens only behind a marker.
        _ => match last_marker(number, env).await? {
            Some((Ok(marker), _)) => (marker.hash_key, marker.partitions),
            _ => {
                return Err(Trouble::Never(format!(
                    "{stream}: record {} is no fence; records before it are gone",
                    bounds.first
                )));
            }
        },
    };
    if partitions != env.layout.partitions {
        let (was, is) = (partitions, env.layout.partitions);
        return Err(Trouble::Never(format!(
            "{stream}: written for {was} partitions, this node is set up for {is}"
        )));
    }
    let end = JournalEnd {
        epoch: last.epoch,
        batch: last.batch,
        sequence: bounds.last,
        hash,
        positions: last.positions,
        outputs_through: last.outputs_through,
    };
    Ok(Found { end, ahead: last.ahead, outputs_through: last.outputs_through, hash_key: Some(hash_key) })
}

/// What left the partition tells of records that were there: if the journal ends before one of them, it lost its end or was
/// made anew, and everything decided since would be decided again, differently.
async fn nothing_beyond<P, T>(
    number: u16,
    env: &Environment<P, T>,
    stream: &str,
    last: u64,
) -> Result<(), Trouble> {
    for (outputs, subject) in [
        (StreamId::Events, env.layout.page("*", number)),
        (StreamId::Dlq, env.layout.dead_letter("*", "*", "*", number)),
    ] {
        let newest = env.bus.last_on_subject(&env.layout.name(outputs), &subject).await?;
        let Some(told) = newest.as_ref().and_then(Marker::of).filter(|told| told.sequence > last) else {
            continue;
        };
        // Its owner may have gone on between the two questions.
        if env.bus.bounds(stream).await?.last >= told.sequence {
            return Err(Trouble::Later("another owner writes the journal".to_owned()));
        }
        let (outputs, gone) = (env.layout.name(outputs), last + 1);
        return Err(Trouble::Never(format!(
            "{stream}: ends at record {last}, but {outputs} tells of record {}; records {gone} to {} are gone, restore the \
             stream",
            told.sequence, told.sequence
        )));
    }
    Ok(())
}

/// The marker of the snapshots as it stands in the stream, or why it cannot be read, and its sequence; none = there is none.
pub(crate) async fn last_marker<P, T>(
    number: u16,
    env: &Environment<P, T>,
) -> Result<Option<(Result<SnapshotMarker, String>, u64)>, Unavailable> {
    let stream = env.layout.name(StreamId::Snapshots);
    let subject = env.layout.snapshot(number, MARKER);
    let stored = env.bus.last_on_subject(&stream, &subject).await?;
    Ok(stored.map(|stored| {
        let marker = decode::<SnapshotMarker>(&stored.body);
        (marker.map(|(marker, _)| marker).map_err(|error| error.to_string()), stored.sequence)
    }))
}

async fn record<P, T, R: serde::de::DeserializeOwned>(
    env: &Environment<P, T>,
    stream: &str,
    sequence: u64,
) -> Result<(Record<R>, RecordHash), Trouble> {
    let stored = env.bus.get(stream, sequence).await?;
    // The bounds were asked a moment ago; a record that is missing now may have been replaced by a newer end.
    let stored = stored.ok_or_else(|| Trouble::Later(format!("{stream}: record {sequence} is not there")))?;
    decode(&stored.body).map_err(|error| Trouble::Never(format!("{stream}: record {sequence}: {error}")))
}

/// Nobody outside can guess it if the name of this start is random; the simulation gives the same one each time.
fn new_hash_key<P, T>(number: u16, env: &Environment<P, T>) -> [u8; 16] {
    let digest = Sha256::digest(format!("hash key of {number} by {}", env.config.instance));
    digest[..16].try_into().expect("a SHA-256 is longer than 16 bytes")
}
