//! From the snapshots back to the entities, as far as they can be believed; the journal has the last word.

use std::collections::HashSet;

use bus::layout::StreamId;
use bus::marked::{Marked, store_marked};
use bus::ports::{OpenError, Position, Reader, Stored, Unavailable};
use domain::decider::Decider;
use domain::ids::EntityId;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use super::fence::last_marker;
use super::rearm::{Commands, Outline, apply, outline};
use crate::entity::Entity;
use crate::node::PartitionStatus;
use crate::partition::checkpoint::{marker_message, next_marker};
use crate::partition::keeping::{Census, Covered, Keeping};
use crate::partition::{Entities, Halt, JournalEnd, Partition, Saved};
use crate::record::{Record, ReplayEntry, Snapshot, SnapshotMarker, decode};

/// How many messages are asked for at once.
const MESSAGES_AT_ONCE: usize = 1_000;

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
pub(super) async fn restore<D: Decider>(
    partition: &Partition<D>,
    end: &JournalEnd,
    commands: &mut Commands,
) -> Result<Covered, Halt> {
    let env = &partition.env;
    for attempt in 0.. {
        match from_snapshots(partition, end, commands).await {
            Ok(covered) => return Ok(covered),
            Err(Trouble::Halt(halt)) => return Err(halt),
            Err(Trouble::Useless(reason)) => match journal_is_whole(partition).await {
                Ok(true) => {
                    tracing::info!(partition = partition.number, reason, "the journal alone is used");
                    begin_anew(partition, end, commands);
                    match depose(partition, Covered::default(), Census::default()).await {
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

/// Snapshots of another generation than any before begin with the next marker.
fn begin_anew<D: Decider>(partition: &Partition<D>, end: &JournalEnd, commands: &mut Commands) {
    *commands = Commands::default();
    let digest = Sha256::digest(&partition.env.config.instance);
    let own: u32 = digest[..4].iter().fold(0, |number, byte| (number << 8) | u32::from(*byte));
    let mut keeping = partition.keeping.borrow_mut();
    keeping.generation = format!("{}-{own:08x}", end.epoch);
    (keeping.census, keeping.covered) = (Census::default(), Covered::default());
}

async fn journal_is_whole<D: Decider>(partition: &Partition<D>) -> Result<bool, Unavailable> {
    let stream = partition.env.layout.name(StreamId::Journal(partition.number));
    let bounds = partition.env.bus.bounds(&stream).await?;
    let first = partition.env.bus.get(&stream, bounds.first).await?;
    let record = first.and_then(|first| decode::<Record<IgnoredAny>>(&first.body).ok());
    Ok(record.is_some_and(|(record, _)| record.batch == 1))
}

async fn from_snapshots<D: Decider>(
    partition: &Partition<D>,
    end: &JournalEnd,
    commands: &mut Commands,
) -> Result<Covered, Trouble> {
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
    let covered =
        Covered { sequence: marker.journal_sequence, batch: marker.journal_batch, hash: marker.journal_hash };
    let census = Census { entities: marker.entities, digest: marker.digest };
    {
        let mut keeping = partition.keeping.borrow_mut();
        keeping.generation.clone_from(&marker.generation);
        (keeping.covered, keeping.census) = (covered, census);
    }
    depose(partition, covered, census).await?;
    continues(partition, covered).await?;
    partition.published.through.set(partition.published.through.get().max(marker.outputs_through));
    partition.time_passed(marker.last_time);
    let touched =
        if census.entities == 0 { HashSet::new() } else { touched(partition, covered, end).await? };
    let read = read(partition, &marker.generation, &touched).await?;
    if read.census != census {
        return Err(Trouble::Useless(format!(
            "{} of {} snapshots are there, or not those that the marker means",
            read.census.entities, census.entities
        )));
    }
    *partition.entities.borrow_mut() = read.entities;
    for (number, outline) in read.outlines {
        apply(partition, number, outline, commands);
    }
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
    census: Census,
) -> Result<(), Trouble> {
    let (marker, known) = next_marker(partition, covered, census);
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

/// Who is named by the records behind the snapshots: their states are needed for replay.
async fn touched<D: Decider>(
    partition: &Partition<D>,
    covered: Covered,
    end: &JournalEnd,
) -> Result<HashSet<EntityId>, Trouble> {
    let env = &partition.env;
    let stream = env.layout.name(StreamId::Journal(partition.number));
    let position = Position { sequence: covered.sequence, timestamp_ns: 0 };
    let mut reader = match env.bus.open(&stream, None, position).await {
        Err(error @ OpenError::Gap { .. }) => return Err(Trouble::Useless(error.to_string())),
        opened => opened?,
    };
    let (mut touched, mut at) = (HashSet::new(), covered.sequence);
    while at < end.sequence {
        for stored in next(partition, &mut *reader).await? {
            at = stored.sequence;
            // What cannot be read is found out by replay, which says it better.
            let Ok((record, _)) = decode::<Record<ReplayEntry<IgnoredAny>>>(&stored.body) else { continue };
            for entry in record.entries {
                match entry {
                    ReplayEntry::Decision(decided) => drop(touched.insert(decided.entity)),
                    ReplayEntry::Quarantined(quarantined) => drop(touched.insert(quarantined.entity)),
                    _ => {}
                }
            }
        }
    }
    Ok(touched)
}

async fn next<D: Decider>(partition: &Partition<D>, reader: &mut dyn Reader) -> Result<Vec<Stored>, Trouble> {
    let messages = reader.next(MESSAGES_AT_ONCE, partition.env.config.lane_patience()).await?;
    if messages.is_empty() {
        return Err(Trouble::Later("the broker gives no messages".to_owned()));
    }
    Ok(messages)
}

/// What the snapshots hold.
struct Read<D: Decider> {
    entities: Entities<D>,
    outlines: Vec<(u32, Outline)>,
    census: Census,
}

/// Reads all snapshots; only the entities that replay needs stay in memory.
async fn read<D: Decider>(
    partition: &Partition<D>,
    generation: &str,
    touched: &HashSet<EntityId>,
) -> Result<Read<D>, Trouble> {
    let env = &partition.env;
    let mut read = Read { entities: Entities::default(), outlines: Vec::new(), census: Census::default() };
    let stream = env.layout.name(StreamId::Snapshots);
    let filter = env.layout.snapshot(partition.number, format!("{generation}.>"));
    // Nobody else writes any more, so the last one is the last.
    let Some(last) = env.bus.last_on_subject(&stream, &filter).await? else { return Ok(read) };
    let mut reader = env.bus.open(&stream, Some(&filter), Position::default()).await?;
    let mut at = 0;
    while at < last.sequence {
        for stored in next(partition, &mut *reader).await? {
            at = stored.sequence;
            let (snapshot, _) = decode::<Snapshot<D::State>>(&stored.body)
                .map_err(|error| Trouble::Useless(format!("{}: {error}", stored.subject)))?;
            take(partition, &mut read, stored.sequence, snapshot, touched);
        }
    }
    Ok(read)
}

fn take<D: Decider>(
    partition: &Partition<D>,
    read: &mut Read<D>,
    sequence: u64,
    snapshot: Snapshot<D::State>,
    touched: &HashSet<EntityId>,
) {
    let (id, version) = (snapshot.entity.clone(), snapshot.version);
    read.census.count(None, partition.hash_key.mark(&id, version));
    let (entity, trail) = Entity::<D>::from_snapshot(snapshot);
    let number = read.entities.number_or_new(&id);
    let slot = read.entities.slot(number).expect("the entity was made known just now");
    slot.saved = Some(Saved { version, sequence });
    // An entity that was set aside has a version, so that it is not forgotten.
    slot.version = version.max(u64::from(entity.quarantined));
    if touched.contains(&id) || slot.version != version {
        slot.trail = trail;
        slot.resting = Some(Box::new(entity));
        return;
    }
    read.outlines.push((number, outline(partition, &id, &entity)));
    slot.put_away();
}
