//! What survives a crash besides the journal: snapshots behind a marker, and how far they cover the journal.
//!
//! Every batch is stored whole or not at all, and only by the owner that wrote the marker before it: the next marker, pages of
//! entities, and a page of the index that says where they stand. Whoever starts reads the last marker and the index that it
//! names, and replays what stands in the journal behind the record that it names. Nothing is written of an entity that is not
//! recorded, and of no record whose event pages are not out. So all of it may be lost: the journal says the same, only slower.

use std::rc::Rc;
use std::time::Duration;

use bus::layout::StreamId;
use bus::marked::{Marked, store_marked};
use bus::ports::{MOST_IN_BATCH, Outgoing, Unavailable};
use domain::decider::Decider;
use domain::envelope::Headers;
use domain::time::Timestamp;
use futures_util::future::join_all;
use serde::de::IgnoredAny;

use super::batch::Batch;
use super::core::{Halt, Partition, Stage};
use super::keeping::{Captured, Covered};
use crate::record::{IndexName, Record, SnapshotMarker, decode, encode_snapshot};
use crate::recovery::last_marker;

/// The largest snapshot; an entity beyond it stays in the journal.
const MOST_SNAPSHOT_BYTES: usize = 768 * 1024;
/// The most bytes of the entities of one batch, so that it is stored in well under a second.
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

/// Why nothing is stored.
pub(super) enum Trouble {
    Later(Unavailable),
    Deposed,
}

impl From<Unavailable> for Trouble {
    fn from(error: Unavailable) -> Self {
        Self::Later(error)
    }
}

async fn round<D: Decider>(partition: &Rc<Partition<D>>, marked_at: &mut Timestamp) -> Result<(), Trouble> {
    let now = partition.env.clock.now();
    let chosen = partition.to_be_kept(now);
    let unsaved = partition.unsaved(chosen.clone());
    let most = partition.env.config.snapshot_batch.clamp(1, MOST_IN_BATCH - 2);
    for numbers in unsaved.chunks(most) {
        let asked = numbers.iter().filter_map(|number| partition.capture(*number));
        let captured = join_all(asked).await.into_iter().filter_map(|answer| answer.ok().flatten());
        let captured: Vec<Captured> = captured.filter(is_writable).collect();
        let recorded = captured.iter().map(|captured| captured.recorded).max().unwrap_or_default();
        // A snapshot never covers a record of which the pages are not out: only the record can make them again.
        while partition.published.through.get() < recorded {
            partition.published.moved.notified().await;
        }
        for captured in in_bytes(captured) {
            partition.env.metrics.snapshots.add(captured.len() as u64);
            store(partition, Batch { captured, ..Batch::default() }, None).await?;
            *marked_at = now;
        }
    }
    for number in chosen {
        partition.put_away_if_idle(number, now);
    }
    partition.show_counts();
    super::cleaning::clean(partition, now).await?;
    let due = marked_at.plus_ms(partition.env.config.checkpoint_age_ms) <= now;
    if due && partition.coverable(&[]) > partition.keeping.borrow().covered.sequence {
        store(partition, Batch::default(), None).await?;
        *marked_at = now;
    }
    Ok(())
}

fn is_writable(captured: &Captured) -> bool {
    let fits = captured.body.len() <= MOST_SNAPSHOT_BYTES;
    if !fits {
        tracing::warn!(entity = %captured.id, bytes = captured.body.len(), "too large for a snapshot");
    }
    fits
}

/// Parts of bounded size, in the same order.
fn in_bytes(captured: Vec<Captured>) -> Vec<Vec<Captured>> {
    let (mut parts, mut bytes) = (Vec::<Vec<Captured>>::new(), MOST_BATCH_BYTES);
    for one in captured {
        bytes += one.body.len();
        if bytes > MOST_BATCH_BYTES {
            parts.push(Vec::new());
            bytes = one.body.len();
        }
        parts.last_mut().expect("the first one always begins a part").push(one);
    }
    parts
}

/// Stores a batch behind the next marker, and notes what it says. The marker names the index as it is with this batch, or
/// `index` if that is another one.
pub(super) async fn store<D: Decider>(
    partition: &Rc<Partition<D>>,
    batch: Batch,
    index: Option<IndexName>,
) -> Result<(), Trouble> {
    let env = &partition.env;
    let covered = covered(partition, partition.coverable(&batch.captured)).await?;
    let (token, mut named) = {
        let keeping = partition.keeping.borrow();
        (keeping.index.name.token.clone(), keeping.index.name.clone())
    };
    let laid = batch.lay(partition, &token);
    named.pages += u64::from(laid.rows > 0);
    let (marker, known) = next_marker(partition, covered, index.unwrap_or(named));
    let all = std::iter::once(marker_message(partition, &marker)).chain(laid.messages.clone()).collect();
    let stream = env.layout.name(StreamId::Snapshots);
    let first = match store_marked(&*env.bus, &stream, all, known).await {
        Marked::Stored(sequence) => sequence,
        Marked::Deposed => return Err(deposed(partition).await),
        Marked::Refused(cause) => {
            let what = "store snapshots".to_owned();
            return Err(Trouble::Later(Unavailable { what, cause }));
        }
    };
    {
        let mut keeping = partition.keeping.borrow_mut();
        (keeping.marker, keeping.covered) = (first, covered);
        if laid.rows > 0 {
            keeping.index.grew(laid.rows, first);
        }
    }
    batch.is_stored(partition, &laid, first);
    Ok(())
}

/// Has another owner written the marker that stands there, or has somebody emptied the stream?
async fn deposed<D: Decider>(partition: &Partition<D>) -> Trouble {
    match last_marker(partition.number, &partition.env).await {
        Err(error) => Trouble::Later(error),
        Ok(Some((Ok(marker), _))) if marker.epoch > partition.keeping.borrow().epoch => Trouble::Deposed,
        Ok(found) => {
            let mut keeping = partition.keeping.borrow_mut();
            keeping.marker = found.map_or(0, |(_, sequence)| sequence);
            // Pages of the index have gone with it.
            keeping.index.is_damaged();
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
    index: IndexName,
) -> (SnapshotMarker, u64) {
    let mut keeping = partition.keeping.borrow_mut();
    keeping.number += 1;
    let marker = SnapshotMarker {
        epoch: keeping.epoch,
        number: keeping.number,
        index: Some(index),
        partitions: partition.env.layout.partitions,
        hash_key: partition.hash_key.0,
        journal_sequence: covered.sequence,
        journal_batch: covered.batch,
        journal_hash: covered.hash,
        outputs_through: partition.published.through.get(),
        last_time: partition.last_time(),
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
