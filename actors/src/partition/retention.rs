//! What snapshots cover may leave the journal, as soon as nobody asked to keep it any longer.

use std::rc::Rc;
use std::time::Duration;

use bus::layout::StreamId;
use bus::ports::Unavailable;
use domain::decider::Decider;

use super::core::{Partition, Stage};

/// Purges until the partition drains. Without a limit everything is kept.
pub(crate) async fn run<D: Decider>(partition: Rc<Partition<D>>) {
    let mut stage = partition.stage();
    let config = &partition.env.config;
    let is_limited = config.journal_keep_ms > 0 || config.journal_keep_bytes > 0;
    let interval = Duration::from_millis(config.purge_interval_ms.max(1));
    loop {
        tokio::select! {
            biased;
            _ = stage.wait_for(|stage| *stage != Stage::Running) => return,
            () = tokio::time::sleep(interval), if is_limited => {}
        }
        if let Err(error) = purge(&partition).await {
            tracing::debug!(partition = partition.number, %error, "the journal is not purged");
        }
    }
}

async fn purge<D: Decider>(partition: &Partition<D>) -> Result<(), Unavailable> {
    let (env, now) = (&partition.env, partition.env.clock.now());
    // The record up to which everything is covered stays: by its hash recovery knows the journal.
    let covered = partition.keeping.borrow().covered.sequence;
    let stream = env.layout.name(StreamId::Journal(partition.number));
    let bounds = env.bus.bounds(&stream).await?;
    let mut below = bounds.first;
    let most = env.config.journal_keep_bytes;
    if most > 0 && bounds.bytes > most && bounds.messages > 0 {
        // Records differ in size, so a round may leave a little too much; the next one sees it.
        let average = (bounds.bytes / bounds.messages).max(1);
        below = bounds.first + (bounds.bytes - most) / average;
    }
    if env.config.journal_keep_ms > 0 {
        let oldest_kept_ns = now.plus_ms(-env.config.journal_keep_ms).0.saturating_mul(1_000_000);
        below = below.max(first_since(partition, &stream, bounds.first, covered, oldest_kept_ns).await?);
    }
    let below = below.min(covered);
    if below > bounds.first {
        env.bus.purge_below(&stream, below).await?;
        env.metrics.purged_records.add(below - bounds.first);
    }
    Ok(())
}

/// The first record from `low` on that is not older than a moment; `high` if all before that are. The times of records grow.
async fn first_since<D: Decider>(
    partition: &Partition<D>,
    stream: &str,
    mut low: u64,
    mut high: u64,
    moment_ns: i64,
) -> Result<u64, Unavailable> {
    while low < high {
        let middle = low + (high - low) / 2;
        let stored = partition.env.bus.get(stream, middle).await?;
        match stored {
            Some(stored) if stored.timestamp_ns >= moment_ns => high = middle,
            _ => low = middle + 1,
        }
    }
    Ok(low)
}
