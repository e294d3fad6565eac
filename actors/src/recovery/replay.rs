//! Replay: every record that no snapshot covers up to our fence, checked link by link.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use bus::layout::StreamId;
use bus::ports::{OpenError, Position, Reader, Stored};
use domain::decider::{Decider, Published};
use domain::envelope::HeaderWriter;
use domain::ids::EntityId;
use domain::time::Timestamp;
use serde::de::DeserializeOwned;

use crate::entity::command_path::fault_text;
use crate::node::PartitionStatus;
use crate::outbound::{self, rfc3339};
use crate::partition::keeping::Covered;
use crate::partition::loading::bring_back;
use crate::partition::{
    Halt, JournalEnd, KEPT_FOR, MOST_KEPT, OutputJob, Partition, Presence, TenantRows, ordered,
};
use crate::record::{DeadLetter, Decided, Entry, Record, RecordHash, ReplayDecided, ReplayEntry, decode};

/// How many records are asked for at once.
const RECORDS_AT_ONCE: usize = 64;

/// The link that the next record must continue.
#[derive(Debug, Default)]
struct Chain {
    sequence: u64,
    batch: u64,
    hash: RecordHash,
}

/// What one decision needs to be absorbed again.
struct Absorbed<'a, E> {
    sequence: u64,
    entity: &'a EntityId,
    version: u64,
    now: Timestamp,
    seen: Option<(u64, u32)>,
    first_sequence: u64,
    published: u32,
    events: &'a [E],
}

/// A record, whole if its outputs may have to be made again.
enum Read<E> {
    Whole(Record<Entry<E>>),
    Lean(Record<ReplayEntry<E>>),
}

impl<E> Read<E> {
    /// Who decided or was set aside, and at which version.
    fn named(&self) -> Vec<(&EntityId, u64)> {
        let mut named = Vec::new();
        match self {
            Self::Whole(record) => named.extend(record.entries.iter().filter_map(|entry| match entry {
                Entry::Decision(decided) => Some((&decided.entity, decided.version)),
                Entry::Quarantined(quarantined) => Some((&quarantined.entity, u64::MAX)),
                _ => None,
            })),
            Self::Lean(record) => named.extend(record.entries.iter().filter_map(|entry| match entry {
                ReplayEntry::Decision(decided) => Some((&decided.entity, decided.version)),
                ReplayEntry::Quarantined(quarantined) => Some((&quarantined.entity, u64::MAX)),
                _ => None,
            })),
        }
        named
    }
}

/// Replays up to and including `end`; gives the outputs that may not be out yet, in order.
pub(super) async fn replay<D: Decider>(
    partition: &Rc<Partition<D>>,
    end: &JournalEnd,
    covered: Covered,
) -> Result<Vec<OutputJob>, Halt> {
    let env = &partition.env;
    let stream = env.layout.name(StreamId::Journal(partition.number));
    let outputs_through = partition.published.through.get();
    let mut reader = open(partition, &stream, covered.sequence).await?;
    let notices_from = notices_from(partition, &stream, end).await;
    let mut again = VecDeque::new();
    let Covered { sequence, batch, hash } = covered;
    let (mut chain, mut jobs, mut attempt) = (Chain { sequence, batch, hash }, Vec::new(), 0);
    while chain.sequence < end.sequence {
        let status = PartitionStatus::Recovering { replayed: chain.sequence, of: end.sequence };
        env.board.set(partition.number, status);
        let records = match reader.next(RECORDS_AT_ONCE, env.config.lane_patience()).await {
            Ok(records) => records,
            Err(error @ OpenError::Gap { .. }) => return Err(Halt::Broken(error.to_string())),
            Err(error) => {
                tracing::warn!(partition = partition.number, %error, "replay waits for the broker");
                tokio::time::sleep(env.config.retry_pause(attempt)).await;
                attempt += 1;
                continue;
            }
        };
        attempt = 0;
        let mut read = Vec::with_capacity(records.len());
        for stored in records {
            let damaged =
                |text: String| Halt::Broken(format!("{stream}: record {}: {text}", stored.sequence));
            let record = if stored.sequence > outputs_through || stored.timestamp_ns >= notices_from {
                Read::Whole(linked::<Entry<D::Event>>(&mut chain, &stored).map_err(damaged)?)
            } else {
                Read::Lean(linked::<ReplayEntry<D::Event>>(&mut chain, &stored).map_err(damaged)?)
            };
            read.push((stored.sequence, record));
            if stored.sequence == end.sequence {
                break;
            }
        }
        bring_in(partition, &read).await?;
        for (sequence, record) in read {
            let damaged = |text: String| Halt::Broken(format!("{stream}: record {sequence}: {text}"));
            match record {
                Read::Whole(record) => {
                    let job = replay_whole(partition, sequence, record).map_err(damaged)?;
                    if sequence > outputs_through {
                        jobs.push(job);
                    } else {
                        again.extend(job.notices);
                        again.drain(..again.len().saturating_sub(MOST_KEPT));
                    }
                }
                Read::Lean(record) => replay_lean(partition, sequence, record).map_err(damaged)?,
            }
        }
    }
    if !again.is_empty() {
        let notices = again.into();
        jobs.insert(0, OutputJob { journal_sequence: outputs_through, ordered: Vec::new(), notices });
    }
    Ok(jobs)
}

/// Brings everybody into memory whom the records change and whose snapshot does not have it yet.
async fn bring_in<D: Decider>(
    partition: &Rc<Partition<D>>,
    records: &[(u64, Read<D::Event>)],
) -> Result<(), Halt> {
    let mut wanted = Vec::new();
    for (entity, version) in records.iter().flat_map(|(_, record)| record.named()) {
        let mut entities = partition.entities.borrow_mut();
        let Some(number) = entities.number(entity) else { continue };
        let Some(slot) = entities.slot(number) else { continue };
        if matches!(slot.presence, Presence::Away) && version > slot.saved_version() {
            slot.presence = Presence::Coming(Box::default());
            wanted.push(number);
        }
    }
    bring_back(partition, wanted).await
}

/// Since when notices are sent again though their pages are out: they were only sent, so with a broker that lost power they may
/// be gone. In the broker's time, counted back from the last record before our fence.
async fn notices_from<D: Decider>(partition: &Partition<D>, stream: &str, end: &JournalEnd) -> i64 {
    let kept = i64::try_from(KEPT_FOR.as_nanos()).expect("a few seconds");
    // Without an answer none is sent again: nobody is promised that each notice survives a power cut.
    let last = partition.env.bus.get(stream, end.sequence.saturating_sub(1)).await;
    last.ok().flatten().map_or(i64::MAX, |last| last.timestamp_ns.saturating_sub(kept))
}

async fn open<D: Decider>(
    partition: &Partition<D>,
    stream: &str,
    after: u64,
) -> Result<Box<dyn Reader>, Halt> {
    let position = Position { sequence: after, timestamp_ns: 0 };
    let env = &partition.env;
    for attempt in 0.. {
        match env.bus.open(stream, None, position).await {
            Ok(reader) => return Ok(reader),
            Err(error @ OpenError::Gap { .. }) => return Err(Halt::Broken(error.to_string())),
            Err(error) => tracing::warn!(partition = partition.number, %error, "replay waits for the broker"),
        }
        tokio::time::sleep(env.config.retry_pause(attempt)).await;
    }
    unreachable!("the attempts are counted until one succeeds")
}

/// Reads a record and checks that it continues the chain.
fn linked<T: DeserializeOwned>(chain: &mut Chain, stored: &Stored) -> Result<Record<T>, String> {
    let (record, hash) = decode::<Record<T>>(&stored.body).map_err(|error| error.to_string())?;
    if chain.sequence > 0 && stored.sequence != chain.sequence + 1 {
        return Err(format!("the record before it is {}, one is missing", chain.sequence));
    }
    if record.batch != chain.batch + 1 {
        return Err(format!("its number is {}, expected {}", record.batch, chain.batch + 1));
    }
    if record.previous != chain.hash {
        return Err("it does not continue the record before it".to_owned());
    }
    *chain = Chain { sequence: stored.sequence, batch: record.batch, hash };
    Ok(record)
}

fn replay_lean<D: Decider>(
    partition: &Partition<D>,
    sequence: u64,
    record: Record<ReplayEntry<D::Event>>,
) -> Result<(), String> {
    for entry in record.entries {
        match entry {
            ReplayEntry::Decision(decided) => {
                let ReplayDecided { entity, version, now, seen, first_sequence, published, events } = decided;
                let (entity, events) = (&entity, &events[..]);
                let absorbed =
                    Absorbed { sequence, entity, version, now, seen, first_sequence, published, events };
                absorb(partition, &absorbed, None)?;
            }
            ReplayEntry::Quarantined(quarantined) => set_aside(partition, &quarantined.entity, sequence),
            ReplayEntry::DeadLetter(_)
            | ReplayEntry::HandedOn(_)
            | ReplayEntry::Position
            | ReplayEntry::Fence(_) => {}
        }
    }
    Ok(())
}

/// Like lean, but makes the outputs of the record again.
fn replay_whole<D: Decider>(
    partition: &Partition<D>,
    sequence: u64,
    record: Record<Entry<D::Event>>,
) -> Result<OutputJob, String> {
    let mut told = TenantRows::new();
    let (mut letters, mut notices): (Vec<DeadLetter>, _) = (Vec::new(), Vec::new());
    for entry in record.entries {
        match entry {
            Entry::Decision(decided) => {
                let Decided { entity, version, now, seen, first_sequence, published, events, .. } = &decided;
                let (version, now, seen, published) = (*version, *now, *seen, *published);
                let absorbed = Absorbed {
                    sequence,
                    entity,
                    version,
                    now,
                    seen,
                    first_sequence: *first_sequence,
                    published,
                    events,
                };
                let mut published = Published::telling(decided.further);
                absorb(partition, &absorbed, Some(&mut published))?;
                tell(partition, &absorbed, &published, &mut told, &mut notices);
            }
            Entry::DeadLetter(letter) => letters.push(letter),
            Entry::Quarantined(quarantined) => set_aside(partition, &quarantined.entity, sequence),
            Entry::HandedOn(_) | Entry::Position | Entry::Fence(_) => {}
        }
    }
    let is_out = sequence <= partition.published.through.get();
    let ordered = if is_out { Vec::new() } else { ordered(partition, sequence, &told, &letters) };
    Ok(OutputJob { journal_sequence: sequence, ordered, notices })
}

fn tell<D: Decider>(
    partition: &Partition<D>,
    absorbed: &Absorbed<'_, D::Event>,
    published: &Published,
    told: &mut TenantRows,
    notices: &mut Vec<bus::ports::Outgoing>,
) {
    let mut entities = partition.entities.borrow_mut();
    let Some(number) = entities.number(absorbed.entity) else { return };
    let Some(entity) = entities.slot(number).and_then(|slot| slot.resting()) else { return };
    let this = outbound::Told {
        entity: absorbed.entity,
        version: absorbed.version,
        first_sequence: absorbed.first_sequence,
        time: &rfc3339(absorbed.now),
        trace: D::trace(&entity.state),
        events: published,
    };
    let page = told.entry(absorbed.entity.tenant.clone()).or_default();
    page.0 = page.0.max(absorbed.now);
    let (config, layout, mut headers) =
        (&partition.env.config, &partition.env.layout, HeaderWriter::default());
    notices.extend(outbound::rows_and_notices(config, layout, &this, &mut page.1, &mut headers));
}

fn absorb<D: Decider>(
    partition: &Partition<D>,
    absorbed: &Absorbed<'_, D::Event>,
    published: Option<&mut Published>,
) -> Result<(), String> {
    let mut entities = partition.entities.borrow_mut();
    let number = entities.number_or_new(absorbed.entity);
    let slot = entities.slot(number).expect("the entity was made known just now");
    if absorbed.version <= slot.saved_version() {
        return if published.is_none() || absorbed.sequence <= partition.published.through.get() {
            Ok(()) // the snapshot has it
        } else {
            Err(format!("the snapshot of {} is ahead of what is out", absorbed.entity))
        };
    }
    let Some(here) = slot.here() else {
        return Err(format!("{} is not in memory for replay", absorbed.entity));
    };
    if *here.id != *absorbed.entity {
        return Err(format!("{} and {} cannot be told apart", absorbed.entity, here.id));
    }
    let entity = here.resting.as_deref_mut().expect("nothing is live during replay");
    let (version, event) = (entity.version + 1, entity.event_sequence + 1);
    if (absorbed.version, absorbed.first_sequence) != (version, event) {
        return Err(format!(
            "{} goes on with version {} and event {}, expected {version} and {event}",
            absorbed.entity, absorbed.version, absorbed.first_sequence
        ));
    }
    if !entity.suspect {
        let state = &mut entity.state;
        let evolved = catch_unwind(AssertUnwindSafe(|| {
            evolve::<D>(absorbed.entity, state, absorbed.events, published);
        }));
        if let Err(panic) = evolved {
            let fault = fault_text(&*panic);
            tracing::error!(entity = %absorbed.entity, fault, "a recorded event cannot be absorbed; the entity is set aside");
            partition.env.metrics.panics.add_one();
            (entity.quarantined, entity.suspect) = (true, true);
        }
    }
    entity.version = version;
    entity.event_sequence += u64::from(absorbed.published);
    if let Some(seen) = absorbed.seen {
        entity.seen.remember(seen);
    }
    here.version = version;
    partition.is_unsaved(here, number, absorbed.sequence);
    partition.time_passed(absorbed.now);
    partition.env.metrics.replayed.add_one();
    Ok(())
}

/// Absorbs recorded events; gives what they told the outside, if that is wanted.
pub(crate) fn evolve<D: Decider>(
    entity: &EntityId,
    state: &mut D::State,
    events: &[D::Event],
    mut published: Option<&mut Published>,
) {
    for event in events {
        D::evolve(state, event);
        if let Some(published) = &mut published {
            D::tell(entity, state, event, published);
        }
    }
}

fn set_aside<D: Decider>(partition: &Partition<D>, entity: &EntityId, sequence: u64) {
    let mut entities = partition.entities.borrow_mut();
    let number = entities.number_or_new(entity);
    let here = entities.here(number).expect("everybody whom a record names was brought in");
    here.version = here.version.max(1); // an entity that was set aside is not forgotten
    here.resting.as_deref_mut().expect("nothing is live during replay").quarantined = true;
    partition.is_unsaved(here, number, sequence);
}
