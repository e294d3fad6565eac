//! Writes what is recorded into snapshots, behind a marker, and lets go of what is idle.

use std::rc::Rc;
use std::time::Duration;

use bus::layout::StreamId;
use bus::marked::{Marked, store_marked};
use bus::ports::{MOST_IN_BATCH, Outgoing, Unavailable};
use domain::decider::Decider;
use domain::envelope::Headers;
use domain::ids::EntityId;
use domain::time::Timestamp;
use futures_util::future::join_all;
use serde::de::IgnoredAny;

use super::core::{Halt, Partition, Stage};
use super::keeping::{Captured, Census, Covered};
use crate::record::{Record, SnapshotMarker, decode, encode_snapshot};
use crate::recovery::last_marker;

/// The largest snapshot; an entity beyond it stays in the journal.
const MOST_SNAPSHOT_BYTES: usize = 768 * 1024;
/// The most bytes of one batch, so that it is stored in well under a second.
const MOST_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Keeps entities until the partition drains.
pub(crate) async fn run<D: Decider>(partition: Rc<Partition<D>>) -> Result<(), Halt> {
    let mut stage = partition.stage();
    let interval = Duration::from_millis(partition.env.config.snapshot_interval_ms.max(1));
    let mut marked_at = partition.env.clock.now();
    loop {
        tokio::select! {
            biased;
            _ = stage.wait_for(|stage| *stage != Stage::Running) => return Ok(()),
            () = tokio::time::sleep(interval) => {}
        }
        let round = round(&partition, &mut marked_at);
        tokio::select! {
            biased;
            // What is not stored now is in the journal.
            () = stage_left(&partition) => return Ok(()),
            done = round => match done {
                Ok(()) => {}
                Err(Trouble::Later(error)) => {
                    tracing::debug!(partition = partition.number, %error, "snapshots wait for the broker");
                }
                // Whoever deposed us has fenced the journal before; the next append learns it.
                Err(Trouble::Deposed) => {
                    tracing::warn!(partition = partition.number, "somebody else keeps the snapshots now");
                    return Ok(());
                }
            },
        }
    }
}

async fn stage_left<D: Decider>(partition: &Partition<D>) {
    let mut stage = partition.stage();
    let _gone = stage.wait_for(|stage| *stage != Stage::Running).await; // the partition ends: left enough
}

enum Trouble {
    Later(Unavailable),
    Deposed,
}

async fn round<D: Decider>(partition: &Rc<Partition<D>>, marked_at: &mut Timestamp) -> Result<(), Trouble> {
    let now = partition.env.clock.now();
    let chosen = partition.to_be_kept(now);
    let unsaved = chosen.iter().copied().filter(|number| {
        let mut entities = partition.entities.borrow_mut();
        entities.slot(*number).is_some_and(|slot| slot.unsaved_from.is_some())
    });
    let unsaved: Vec<u32> = unsaved.collect();
    let most = partition.env.config.snapshot_batch.clamp(1, MOST_IN_BATCH - 1);
    let mut stored = false;
    for numbers in unsaved.chunks(most) {
        let asked = numbers.iter().filter_map(|number| partition.capture(*number));
        let captured: Vec<Captured> =
            join_all(asked).await.into_iter().flatten().filter(is_writable).collect();
        let recorded = captured.iter().map(|captured| captured.recorded).max().unwrap_or_default();
        // A snapshot never covers a record of which the pages are not out: only the record can make them again.
        while partition.published.through.get() < recorded {
            partition.published.moved.notified().await;
        }
        for batch in in_bytes(captured) {
            store(partition, batch).await?;
            stored = true;
        }
    }
    for number in chosen {
        partition.put_away_if_idle(number, now);
    }
    let due = marked_at.plus_ms(partition.env.config.checkpoint_age_ms) <= now;
    if !stored && due && partition.coverable(&[]) > partition.keeping.borrow().covered.sequence {
        store(partition, Vec::new()).await?;
        stored = true;
    }
    if stored {
        *marked_at = now;
    }
    Ok(())
}

fn is_writable(captured: &Captured) -> bool {
    let fits = captured.body.len() <= MOST_SNAPSHOT_BYTES;
    if !fits {
        tracing::warn!(entity = %captured.id, bytes = captured.body.len(), "too large for a snapshot");
    }
    fits && captured.sound
}

/// Batches of bounded size, in the same order.
fn in_bytes(captured: Vec<Captured>) -> Vec<Vec<Captured>> {
    let (mut batches, mut bytes) = (Vec::<Vec<Captured>>::new(), MOST_BATCH_BYTES);
    for one in captured {
        bytes += one.body.len();
        if bytes > MOST_BATCH_BYTES {
            batches.push(Vec::new());
            bytes = one.body.len();
        }
        batches.last_mut().expect("the first one always begins a batch").push(one);
    }
    batches
}

/// Stores snapshots behind the next marker.
async fn store<D: Decider>(partition: &Rc<Partition<D>>, batch: Vec<Captured>) -> Result<(), Trouble> {
    let env = &partition.env;
    let wanted = partition.coverable(&batch);
    let covered = covered(partition, wanted).await.map_err(Trouble::Later)?;
    let mut census = partition.keeping.borrow().census;
    for captured in &batch {
        let saved = partition.entities.borrow_mut().slot(captured.number).and_then(|slot| slot.saved);
        let old = saved.map(|saved| partition.hash_key.mark(&captured.id, saved.version));
        census.count(old, partition.hash_key.mark(&captured.id, captured.version));
    }
    let (marker, known) = next_marker(partition, covered, census);
    let generation = marker.generation.clone();
    let mut messages = vec![marker_message(partition, &marker)];
    messages.extend(batch.iter().map(|captured| {
        let EntityId { tenant, kind, key } = &captured.id;
        let rest = format!("{generation}.{tenant}.{kind}.{key}");
        let subject = env.layout.snapshot(partition.number, rest);
        Outgoing { subject, headers: Headers::new(), body: captured.body.clone() }
    }));
    let stream = env.layout.name(StreamId::Snapshots);
    let sequence = match store_marked(&*env.bus, &stream, messages, known).await {
        Marked::Stored(sequence) => sequence,
        Marked::Deposed => return Err(deposed(partition).await),
        Marked::Refused(cause) => {
            let what = "store snapshots".to_owned();
            return Err(Trouble::Later(Unavailable { what, cause }));
        }
    };
    {
        let mut keeping = partition.keeping.borrow_mut();
        (keeping.marker, keeping.covered, keeping.census) = (sequence, covered, census);
    }
    for (captured, sequence) in batch.iter().zip(sequence + 1..) {
        partition.is_saved(captured, sequence);
    }
    env.metrics.snapshots.add(batch.len() as u64);
    Ok(())
}

/// Has another owner written the marker that stands there, or has somebody emptied the stream?
async fn deposed<D: Decider>(partition: &Partition<D>) -> Trouble {
    match last_marker(partition.number, &partition.env).await {
        Err(error) => Trouble::Later(error),
        Ok(Some((Ok(marker), _))) if marker.epoch > partition.keeping.borrow().epoch => Trouble::Deposed,
        Ok(found) => {
            // Whoever reads the next marker finds that the census does not agree, and uses the journal.
            partition.keeping.borrow_mut().marker = found.map_or(0, |(_, sequence)| sequence);
            let cause = "somebody has removed the marker".to_owned();
            Trouble::Later(Unavailable { what: "store snapshots".to_owned(), cause })
        }
    }
}

/// Number and hash of the record up to which the journal is covered.
async fn covered<D: Decider>(partition: &Partition<D>, wanted: u64) -> Result<Covered, Unavailable> {
    let known = partition.keeping.borrow().covered;
    if wanted == known.sequence {
        return Ok(known);
    }
    let stream = partition.env.layout.name(StreamId::Journal(partition.number));
    let missing = |cause: String| Unavailable { what: format!("get from {stream}"), cause };
    let stored = partition.env.bus.get(&stream, wanted).await?;
    let stored = stored.ok_or_else(|| missing(format!("record {wanted} is not there")))?;
    let (record, hash) =
        decode::<Record<IgnoredAny>>(&stored.body).map_err(|error| missing(error.to_string()))?;
    Ok(Covered { sequence: wanted, batch: record.batch, hash })
}

/// The marker that follows the last one, and the sequence of that.
pub(crate) fn next_marker<D: Decider>(
    partition: &Partition<D>,
    covered: Covered,
    census: Census,
) -> (SnapshotMarker, u64) {
    let mut keeping = partition.keeping.borrow_mut();
    keeping.number += 1;
    let marker = SnapshotMarker {
        epoch: keeping.epoch,
        number: keeping.number,
        generation: keeping.generation.clone(),
        partitions: partition.env.layout.partitions,
        hash_key: partition.hash_key.0,
        journal_sequence: covered.sequence,
        journal_batch: covered.batch,
        journal_hash: covered.hash,
        outputs_through: partition.published.through.get(),
        last_time: partition.last_time(),
        entities: census.entities,
        digest: census.digest,
    };
    (marker, keeping.marker)
}

/// A marker as it is stored.
pub(crate) fn marker_message<D: Decider>(partition: &Partition<D>, marker: &SnapshotMarker) -> Outgoing {
    let subject = partition.env.layout.snapshot(partition.number, MARKER);
    Outgoing { subject, headers: Headers::new(), body: encode_snapshot(marker) }
}

/// The token of the markers.
pub(crate) const MARKER: &str = "marker";
