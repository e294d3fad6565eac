//! From the marker and the index of the snapshots to the entities that they know, as far as these can be believed; the journal
//! has the last word.

use bus::layout::StreamId;
use bus::marked::{Marked, store_marked};
use bus::ports::{OpenError, Position, Unavailable};
use domain::decider::Decider;
use serde::de::IgnoredAny;

use super::fence::last_marker;
use crate::node::PartitionStatus;
use crate::partition::batch::index_subject;
use crate::partition::checkpoint::{marker_message, next_marker};
use crate::partition::index::{Found, IndexState};
use crate::partition::keeping::{Covered, Keeping};
use crate::partition::{Entities, Halt, JournalEnd, Partition};
use crate::record::{IndexName, IndexPage, Record, SnapshotMarker, decode};

/// How many pages of the index are asked for at once.
const PAGES_AT_ONCE: usize = 64;

/// Why the snapshots are not used.
enum Trouble {
    /// Not now.
    Later(String),
    /// They are not what the marker says, or do not belong to this journal.
    Useless(String),
    /// The partition cannot be taken over.
    Halt(Halt),
}

impl From<Unavailable> for Trouble {
    fn from(error: Unavailable) -> Self {
        Self::Later(error.to_string())
    }
}

impl From<OpenError> for Trouble {
    fn from(error: OpenError) -> Self {
        Self::Later(error.to_string())
    }
}

/// Takes the snapshots over and makes their entities known; gives where replay begins. Without usable snapshots, and with a
/// whole journal, that is the beginning.
pub(super) async fn restore<D: Decider>(partition: &Partition<D>, end: &JournalEnd) -> Result<Covered, Halt> {
    let env = &partition.env;
    for attempt in 0.. {
        match from_snapshots(partition, end).await {
            Ok(covered) => return Ok(covered),
            Err(Trouble::Halt(halt)) => return Err(halt),
            Err(Trouble::Useless(reason)) => match journal_is_whole(partition).await {
                Ok(true) => {
                    tracing::info!(partition = partition.number, reason, "the journal alone is used");
                    let name = begin_anew(partition);
                    match depose(partition, Covered::default(), name).await {
                        Ok(()) => return Ok(Covered::default()),
                        Err(Trouble::Halt(halt)) => return Err(halt),
                        Err(Trouble::Later(reason) | Trouble::Useless(reason)) => {
                            tracing::info!(partition = partition.number, reason, "recovery looks again");
                        }
                    }
                }
                Ok(false) => {
                    return Err(Halt::Broken(format!("{reason}, and the beginning of the journal is gone")));
                }
                Err(error) => tracing::warn!(partition = partition.number, %error, "recovery waits"),
            },
            Err(Trouble::Later(reason)) => {
                tracing::warn!(partition = partition.number, reason, "recovery waits for the broker");
                env.board.set(partition.number, PartitionStatus::Starting { reason });
            }
        }
        tokio::time::sleep(env.config.retry_pause(attempt)).await;
    }
    unreachable!("the attempts are counted until one succeeds")
}

/// Nobody is known; the index that comes has a name that no earlier one has.
fn begin_anew<D: Decider>(partition: &Partition<D>) -> IndexName {
    let name = IndexName { token: partition.new_index_token(), pages: 0 };
    let mut keeping = partition.keeping.borrow_mut();
    let (marker, epoch, number) = (keeping.marker, keeping.epoch, keeping.number);
    *keeping = Keeping::behind(marker, epoch, number);
    keeping.index = IndexState::new(name.clone(), 0, 0, None);
    *partition.entities.borrow_mut() = Entities::new(partition.hash_key);
    name
}

async fn journal_is_whole<D: Decider>(partition: &Partition<D>) -> Result<bool, Unavailable> {
    let stream = partition.env.layout.name(StreamId::Journal(partition.number));
    let bounds = partition.env.bus.bounds(&stream).await?;
    let first = partition.env.bus.get(&stream, bounds.first).await?;
    let record = first.and_then(|first| decode::<Record<IgnoredAny>>(&first.body).ok());
    Ok(record.is_some_and(|(record, _)| record.batch == 1))
}

async fn from_snapshots<D: Decider>(partition: &Partition<D>, end: &JournalEnd) -> Result<Covered, Trouble> {
    let (env, number) = (&partition.env, partition.number);
    let found = last_marker(number, env).await?;
    let known = found.as_ref().map_or(0, |(_, sequence)| *sequence);
    {
        let mut keeping = partition.keeping.borrow_mut();
        let number = keeping.number;
        *keeping = Keeping::behind(known, end.epoch, number);
    }
    let Some((marker, _)) = found else {
        return Err(Trouble::Useless("there are no snapshots".to_owned()));
    };
    let marker = marker.map_err(Trouble::Useless)?;
    belongs(partition, end, &marker).map_err(Trouble::Useless)?;
    let Some(name) = marker.index else {
        return Err(Trouble::Useless("the snapshots are of a version without an index".to_owned()));
    };
    let covered =
        Covered { sequence: marker.journal_sequence, batch: marker.journal_batch, hash: marker.journal_hash };
    partition.keeping.borrow_mut().covered = covered;
    continues(partition, covered).await?;
    // Before our own marker, which must not say less than the one that it replaces: whoever starts after us has only ours.
    partition.published.through.set(partition.published.through.get().max(marker.outputs_through));
    partition.time_passed(marker.last_time);
    depose(partition, covered, name.clone()).await?;
    let found = read_index(partition, &name).await?;
    let (entities, pages, index) = found.finish(name);
    {
        let mut keeping = partition.keeping.borrow_mut();
        (keeping.pages, keeping.index) = (pages, index);
    }
    *partition.entities.borrow_mut() = entities;
    Ok(covered)
}

fn belongs<D: Decider>(
    partition: &Partition<D>,
    end: &JournalEnd,
    marker: &SnapshotMarker,
) -> Result<(), String> {
    let (number, partitions) = (partition.number, partition.env.layout.partitions);
    if marker.partitions != partitions {
        return Err(format!("the snapshots of partition {number} are for {} partitions", marker.partitions));
    }
    if marker.hash_key != partition.hash_key.0 || marker.journal_sequence > end.sequence {
        return Err(format!("the snapshots of partition {number} belong to another journal"));
    }
    Ok(())
}

/// Replaces the marker by ours, so that no earlier owner can write behind our reading.
async fn depose<D: Decider>(
    partition: &Partition<D>,
    covered: Covered,
    index: IndexName,
) -> Result<(), Trouble> {
    let (marker, known) = next_marker(partition, covered, index);
    let stream = partition.env.layout.name(StreamId::Snapshots);
    let message = marker_message(partition, &marker);
    match store_marked(&*partition.env.bus, &stream, vec![message], known).await {
        Marked::Stored(sequence) => {
            partition.keeping.borrow_mut().marker = sequence;
            Ok(())
        }
        Marked::Deposed => Err(Trouble::Later("an earlier owner still wrote snapshots".to_owned())),
        Marked::Refused(cause) => Err(Trouble::Halt(Halt::Broken(format!("{stream}: {cause}")))),
    }
}

/// Is the record that the marker names in the journal?
async fn continues<D: Decider>(partition: &Partition<D>, covered: Covered) -> Result<(), Trouble> {
    if covered.sequence == 0 {
        return Ok(());
    }
    let stream = partition.env.layout.name(StreamId::Journal(partition.number));
    let stored = partition.env.bus.get(&stream, covered.sequence).await?;
    let Some(stored) = stored else {
        return Err(Trouble::Useless(format!("{stream}: record {} is gone", covered.sequence)));
    };
    match decode::<Record<IgnoredAny>>(&stored.body) {
        Ok((record, hash)) if hash == covered.hash && record.batch == covered.batch => Ok(()),
        _ => Err(Trouble::Useless(format!(
            "{stream}: record {} is not the one that the snapshots continue",
            covered.sequence
        ))),
    }
}

/// Reads the index page by page. It must have exactly the pages that the marker counts.
async fn read_index<D: Decider>(partition: &Partition<D>, name: &IndexName) -> Result<Found<D>, Trouble> {
    let env = &partition.env;
    let mut found = Found::new(Entities::new(partition.hash_key));
    let stream = env.layout.name(StreamId::Snapshots);
    let filter = env.layout.snapshot(partition.number, index_subject(&name.token));
    // Nobody else writes any more, so the last one is the last.
    let last = env.bus.last_on_subject(&stream, &filter).await?.map_or(0, |last| last.sequence);
    let (mut pages, mut at) = (0, 0);
    if last > 0 {
        let mut reader = env.bus.open(&stream, Some(&filter), Position::default()).await?;
        while at < last {
            let messages = reader.next(PAGES_AT_ONCE, env.config.lane_patience()).await?;
            if messages.is_empty() {
                return Err(Trouble::Later("the broker gives no pages of the index".to_owned()));
            }
            for stored in messages {
                at = stored.sequence;
                pages += 1;
                let (page, _) = decode::<IndexPage>(&stored.body)
                    .map_err(|error| Trouble::Useless(format!("index page {at}: {error}")))?;
                found.read(at, page).map_err(Trouble::Useless)?;
            }
        }
    }
    if pages != name.pages {
        return Err(Trouble::Useless(format!("{pages} of {} pages of the index are there", name.pages)));
    }
    Ok(found)
}
