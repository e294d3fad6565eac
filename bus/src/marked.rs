//! Batches behind a marker: a marker is replaced only by whoever knows the one before, so a deposed owner stores nothing.

use std::time::Duration;

use crate::ports::{Bus, Expect, Outgoing, StoreOutcome};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What became of a marked batch in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marked {
    /// It stands in the stream, once; its marker under this sequence, the others behind it.
    Stored(u64),
    /// Another marker stands there: somebody else goes on from the one we know. Nothing of the batch is stored, or ever will be.
    Deposed,
    /// The stream does not take it, and will not.
    Refused(String),
}

/// Stores `batch` behind the marker with sequence `known` (0 = none yet), and comes back only with a definite answer.
///
/// The first message of the batch is the next marker; it differs from any other marker that was ever stored. A batch without
/// an answer goes out again, whole, with the same expectation: at most one of the attempts can be stored. Waits while the broker
/// is away or full; the pauses grow from 20 ms to 2 s.
///
/// # Panics
/// If `batch` is empty.
pub async fn store_marked(bus: &dyn Bus, stream: &str, batch: Vec<Outgoing>, known: u64) -> Marked {
    let marker = batch.first().expect("a batch has its marker").clone();
    let mut pause = FIRST_PAUSE;
    for attempt in 1_u64.. {
        let outcome = bus.store_batch(batch.clone(), Expect::LastOnSubject(known)).await;
        match &outcome {
            StoreOutcome::Stored(first) => return Marked::Stored(*first),
            // An earlier attempt would have been refused just the same.
            StoreOutcome::Refused(cause) => return Marked::Refused(cause.clone()),
            StoreOutcome::Conflict => match bus.last_on_subject(stream, &marker.subject).await {
                Ok(Some(found)) if found.body == marker.body => return Marked::Stored(found.sequence),
                Ok(Some(found)) if found.sequence != known => return Marked::Deposed,
                // The marker that we know is gone: somebody emptied the stream under us.
                Ok(None) if known > 0 => return Marked::Deposed,
                // An earlier attempt is in process, or the broker does not say.
                Ok(_) | Err(_) => {}
            },
            StoreOutcome::Full | StoreOutcome::Unknown(_) => {}
        }
        tracing::debug!(stream, attempt, ?outcome, "a marked batch has no definite answer yet");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    unreachable!("the attempts are counted in 64 bits")
}
