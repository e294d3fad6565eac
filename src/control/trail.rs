//! Writing the audit: each entry once, at the end of the chain, or a clear no.

use std::collections::VecDeque;
use std::time::Duration;

use bus::layout::{Layout, StreamId};
use bus::ports::{Expect, Outgoing, SharedBus, StoreOutcome, Unavailable};
use bytes::Bytes;
use domain::envelope::Headers;
use tokio::time::{Instant, sleep};

use super::entry::{Entry, NOTHING_BEFORE, hash};

/// How long one entry is tried.
const PATIENCE: Duration = Duration::from_secs(5);

const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// Entries about what is done already and that the stream has not taken yet. Beyond it no act is begun; what was set for a time
/// still ends, and of that there is only so much.
pub const MOST_OWED: usize = 100;

/// The entry is not written, or nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit stream {stream} {why}")]
pub struct Unwritten {
    stream: String,
    why: String,
}

/// The end of the chain.
#[derive(Debug, Clone)]
struct End {
    sequence: u64,
    hash: String,
}

/// The writer of the audit. Whoever else writes to the stream is noticed by the sequence, and written behind.
#[derive(Debug)]
pub struct Trail {
    bus: SharedBus,
    layout: Layout,
    stream: String,
    /// None = the stream has to be asked.
    end: Option<End>,
    owed: VecDeque<Entry>,
}

impl Trail {
    /// Writes to the audit stream of `layout`.
    pub fn new(bus: SharedBus, layout: Layout) -> Self {
        let stream = layout.name(StreamId::Audit);
        Self { bus, layout, stream, end: None, owed: VecDeque::new() }
    }

    /// Writes an entry, and before it all that is owed. Gives its sequence.
    ///
    /// # Errors
    /// The entry is not written; or nobody knows, and then it may stand there alone.
    pub async fn write(&mut self, entry: Entry) -> Result<u64, Unwritten> {
        self.settle().await?;
        self.append(entry).await
    }

    /// Writes an entry about what is done already; what cannot be written now is owed.
    pub async fn write_or_owe(&mut self, entry: Entry) -> Option<u64> {
        match self.write(entry.clone()).await {
            Ok(sequence) => Some(sequence),
            Err(error) => {
                tracing::error!(%error, id = entry.id, "an entry of the audit is owed");
                self.owe(entry);
                None
            }
        }
    }

    /// Keeps an entry about what is done already until the stream takes it: for whoever has just seen that it does not.
    pub fn owe(&mut self, entry: Entry) {
        self.owed.push_back(entry);
    }

    /// Writes what is owed.
    ///
    /// # Errors
    /// Some of it is still owed.
    pub async fn settle(&mut self) -> Result<(), Unwritten> {
        while let Some(entry) = self.owed.front().cloned() {
            self.append(entry).await?;
            self.owed.pop_front();
        }
        Ok(())
    }

    /// How many entries are owed.
    pub fn owed(&self) -> usize {
        self.owed.len()
    }

    /// May an act begin? Not while more is owed than memory should hold.
    pub fn has_room(&self) -> bool {
        self.owed.len() < MOST_OWED
    }

    async fn append(&mut self, mut entry: Entry) -> Result<u64, Unwritten> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            let why = match self.attempt(&mut entry).await {
                Ok(sequence) => return Ok(sequence),
                Err(Failed::Definitely(why)) => {
                    self.end = None;
                    return Err(self.unwritten(why));
                }
                Err(Failed::TryAgain(why)) => why,
            };
            if Instant::now() + pause >= deadline {
                self.end = None;
                return Err(self.unwritten(why));
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// One attempt at the end as it is known, or as the stream says it is.
    async fn attempt(&mut self, entry: &mut Entry) -> Result<u64, Failed> {
        let end = match self.end.clone() {
            Some(end) => end,
            None => match self.ask(&entry.id).await? {
                Asked::End(end) => end,
                Asked::Written(end) => {
                    let sequence = end.sequence;
                    self.end = Some(end);
                    return Ok(sequence);
                }
            },
        };
        // The identical entry at the same end has the identical bytes: what is found there is recognised as ours.
        entry.prev_hash.clone_from(&end.hash);
        let message = self.message(entry);
        let body = message.body.clone();
        let outcome = self.bus.store(message, Expect::LastSequence(end.sequence)).await;
        let next = End { sequence: end.sequence + 1, hash: hash(&body) };
        let why = match outcome {
            StoreOutcome::Stored(sequence) => {
                self.end = Some(End { sequence, ..next });
                return Ok(sequence);
            }
            StoreOutcome::Full => return Err(Failed::Definitely("is full: raise its bound".to_owned())),
            StoreOutcome::Refused(why) => return Err(Failed::Definitely(format!("refuses it: {why}"))),
            StoreOutcome::Conflict => "was written by somebody else at the same time".to_owned(),
            StoreOutcome::Unknown(why) => format!("did not answer: {why}"),
        };
        match self.bus.get(&self.stream, next.sequence).await {
            Ok(Some(there)) if there.body == body => {
                let sequence = next.sequence;
                self.end = Some(next);
                Ok(sequence)
            }
            Ok(Some(_)) => {
                self.end = None;
                Err(Failed::TryAgain(why))
            }
            // Nothing there yet: the first attempt may still arrive, so the next one has to be identical to it.
            Ok(None) | Err(_) => {
                self.end = Some(end);
                Err(Failed::TryAgain(why))
            }
        }
    }

    /// Where the chain ends; an entry that was given up without an answer may be what stands there.
    async fn ask(&self, id: &str) -> Result<Asked, Failed> {
        let asked = async {
            let last = self.bus.bounds(&self.stream).await?.last;
            let stored = if last == 0 { None } else { self.bus.get(&self.stream, last).await? };
            let hash = stored.as_ref().map_or_else(|| NOTHING_BEFORE.to_owned(), |stored| hash(&stored.body));
            let end = End { sequence: last, hash };
            let is_it = stored.is_some_and(|stored| stored.headers.get("ce-id") == Some(id));
            Ok(if is_it { Asked::Written(end) } else { Asked::End(end) })
        };
        asked.await.map_err(|error: Unavailable| Failed::TryAgain(error.to_string()))
    }

    fn message(&self, entry: &Entry) -> Outgoing {
        let root = &self.layout.root;
        let headers = Headers::new()
            .with("ce-specversion", "1.0")
            .with("ce-id", entry.id.clone())
            .with("ce-type", entry.message_type(root))
            .with("ce-source", format!("/{root}/doorbuster"))
            .with("ce-time", entry.time.clone())
            .with("content-type", "application/json");
        let body = serde_json::to_vec(entry).expect("an entry is plain data");
        let subject = self.layout.audit(entry.tenant(), &entry.domain, &entry.action, entry.partition());
        Outgoing { subject, headers, body: Bytes::from(body) }
    }

    fn unwritten(&self, why: String) -> Unwritten {
        Unwritten { stream: self.stream.clone(), why }
    }
}

/// What the stream says about its end.
enum Asked {
    /// It ends here.
    End(End),
    /// It ends with the entry itself.
    Written(End),
}

/// Why an attempt came to nothing.
enum Failed {
    /// It is not stored and will not be.
    Definitely(String),
    /// It may be stored, or the end was another one.
    TryAgain(String),
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bus::faulty::{FaultPlan, FaultyBus};
    use bus::layout::{Bounds, Layout, StreamId};
    use bus::memory::MemoryBus;
    use bus::ports::{Bus, SharedBus};
    use domain::time::Timestamp;

    use super::Trail;
    use crate::control::act::Act;
    use crate::control::chain::verify;
    use crate::control::entry::{Caller, Entry};
    use crate::control::scope::Scope;

    fn entry(id: u32) -> Entry {
        let act = Act::Pause(Scope::All);
        let caller = Caller::default();
        Entry::intent(format!("e-{id}"), "test", &act, "a test", (Timestamp(0), None), &caller)
    }

    fn broker() -> (MemoryBus, Layout) {
        let layout = Layout::default();
        (MemoryBus::real_time(&layout), layout)
    }

    async fn ids(bus: &MemoryBus, layout: &Layout) -> Vec<String> {
        let stream = layout.name(StreamId::Audit);
        let mut ids = Vec::new();
        for sequence in 1..=bus.bounds(&stream).await.unwrap().last {
            let stored = bus.get(&stream, sequence).await.unwrap().unwrap();
            ids.push(stored.headers.get("ce-id").unwrap().to_owned());
        }
        ids
    }

    #[tokio::test(start_paused = true)]
    async fn given_lost_and_late_answers_then_each_entry_stands_once_in_an_unbroken_chain() {
        let (bus, layout) = broker();
        let plan = FaultPlan {
            lost_acks: 200,
            refused_stores: 200,
            late_stores: 200,
            failed_reads: 200,
            ..FaultPlan::none(7)
        };
        let faulty: SharedBus = Arc::new(FaultyBus::new(Arc::new(bus.clone()), plan));
        let mut trail = Trail::new(faulty, layout.clone());
        let mut expected = Vec::new();
        for id in 0..100 {
            // What could not be written within the patience is not there, or stands at the end by itself.
            if trail.write(entry(id)).await.is_ok() {
                expected.push(format!("e-{id}"));
            }
        }
        let mut found = ids(&bus, &layout).await;
        found.retain(|id| expected.contains(id));
        assert!(expected.len() > 90, "{}", expected.len());
        assert_eq!(found, expected);
        let verdict = verify(&bus, &layout).await.unwrap();
        assert!(verdict.intact, "{verdict:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn two_writers_share_one_chain() {
        let (bus, layout) = broker();
        let shared: SharedBus = Arc::new(bus.clone());
        let mut one = Trail::new(Arc::clone(&shared), layout.clone());
        let mut two = Trail::new(shared, layout.clone());
        for id in 0..10 {
            one.write(entry(2 * id)).await.unwrap();
            two.write(entry(2 * id + 1)).await.unwrap();
        }
        assert_eq!(ids(&bus, &layout).await.len(), 20);
        assert!(verify(&bus, &layout).await.unwrap().intact);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_already_is_owed_and_written_before_the_next() {
        let (bus, layout) = broker();
        let mut trail = Trail::new(Arc::new(bus.clone()), layout.clone());
        trail.write(entry(1)).await.unwrap();
        bus.disconnect();
        assert!(trail.write(entry(2)).await.is_err());
        assert_eq!(trail.write_or_owe(entry(3)).await, None);
        bus.reconnect();
        trail.write(entry(4)).await.unwrap();
        assert_eq!(
            (ids(&bus, &layout).await, trail.owed()),
            (["e-1", "e-3", "e-4"].map(str::to_owned).to_vec(), 0)
        );
        assert!(verify(&bus, &layout).await.unwrap().intact);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_stream_takes_no_entry_and_says_so() {
        let layout = Layout::default().with_bounds(StreamId::Audit, Bounds::messages(1));
        let bus = MemoryBus::real_time(&layout);
        let mut trail = Trail::new(Arc::new(bus), layout);
        trail.write(entry(1)).await.unwrap();
        let error = trail.write(entry(2)).await.unwrap_err();
        assert!(error.to_string().contains("RETAIL_AUDIT is full"), "{error}");
    }
}
