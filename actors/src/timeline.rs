//! The whole history of one entity, read from the journal by the sequences that it remembers.

use bus::layout::StreamId;
use domain::decider::{Decider, Published};
use domain::ids::EntityId;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::entity::Trail;
use crate::node::ReadError;
use crate::outbound::rfc3339;
use crate::partition::Partition;
use crate::partition::loading::{LoadError, fetch};
use crate::record::{Cause, Decided, Entry, Record, decode};
use crate::recovery::evolve;

#[derive(Serialize)]
struct Line {
    version: u64,
    time: String,
    cause: CauseLine,
    events: Vec<EventLine>,
}

#[derive(Serialize)]
struct CauseLine {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

#[derive(Serialize)]
struct EventLine {
    #[serde(rename = "type")]
    kind: &'static str,
    /// None if the outside was not told, because nobody had asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    data: Box<RawValue>,
}

/// Tells the history as JSON, oldest first; none = never heard of, or not more than parked messages.
pub(crate) async fn tell<D: Decider>(
    partition: &Partition<D>,
    id: &EntityId,
) -> Result<Option<String>, ReadError> {
    let sequences = sequences(partition, id).await?;
    let Some(sequences) = sequences else { return Ok(None) };
    let stream = partition.env.layout.name(StreamId::Journal(partition.number));
    let (mut state, mut lines) = (D::State::default(), Vec::new());
    for sequence in sequences {
        let stored = partition.env.bus.get(&stream, sequence).await;
        let stored = stored.map_err(|error| ReadError::Unavailable(error.to_string()))?;
        let stored = stored.ok_or(ReadError::Purged { sequence })?;
        let (record, _) = decode::<Record<Entry<D::Event>>>(&stored.body)
            .map_err(|error| ReadError::Unavailable(format!("{stream}: record {sequence}: {error}")))?;
        for entry in record.entries {
            match entry {
                Entry::Decision(decided) if decided.entity == *id => {
                    lines.push(line::<D>(&mut state, &decided)?);
                }
                _ => {}
            }
        }
    }
    if !D::exists(&state) {
        return Ok(None);
    }
    let entries = serde_json::to_string(&lines).expect("lines are plain data");
    Ok(Some(format!(r#"{{"{}_id":"{}","entries":{entries}}}"#, id.kind, id.key)))
}

/// The sequences of the records of an entity; of one that is away, its snapshot has them. None = never heard of.
async fn sequences<D: Decider>(
    partition: &Partition<D>,
    id: &EntityId,
) -> Result<Option<Vec<u64>>, ReadError> {
    let (number, row) = {
        let mut entities = partition.entities.borrow_mut();
        let Some(number) = entities.number(id) else { return Ok(None) };
        let Some(slot) = entities.slot(number) else { return Ok(None) };
        if let Some(here) = slot.here() {
            return whole(&here.trail).map(Some);
        }
        match slot.row.clone() {
            Some(row) if row.place.page > 0 => (number, row),
            _ => return Ok(None), // closed for so long that only its id is known
        }
    };
    match fetch(partition, number, &row).await {
        Ok(fetched) => whole(&fetched.trail).map(Some),
        Err(LoadError::Unavailable(error)) => Err(ReadError::Unavailable(error.to_string())),
        Err(LoadError::Damaged(text)) => Err(ReadError::Unavailable(text)),
        Err(LoadError::Gone) => Err(ReadError::Unavailable("it changes just now; ask again".to_owned())),
    }
}

/// A history is told from its beginning, or not at all: what an event led to depends on all before it.
fn whole(trail: &Trail) -> Result<Vec<u64>, ReadError> {
    let sequences = trail.sequences();
    match sequences.first() {
        Some(first) if !trail.is_whole() => Err(ReadError::Purged { sequence: first - 1 }),
        _ => Ok(sequences),
    }
}

fn line<D: Decider>(state: &mut D::State, decided: &Decided<D::Event>) -> Result<Line, ReadError> {
    let mut published = Published::default();
    evolve::<D>(&decided.entity, state, &decided.events, Some(&mut published));
    let (kind, id) = match &decided.cause {
        Cause::Message(envelope) => (envelope.kind(), envelope.id()),
        Cause::Timer => ("timer".to_owned(), format!("{}:{}", decided.entity, decided.version)),
        Cause::Release(effect) => ("release".to_owned(), effect.clone()),
    };
    let (mut events, mut sequences) = (Vec::new(), decided.first_sequence..);
    for event in published.iter() {
        let data = serde_json::from_slice(event.data).map_err(|_| ReadError::Quarantined)?;
        let was_told = decided.further.tells(event.kind);
        let sequence = was_told.then(|| sequences.next()).flatten();
        events.push(EventLine { kind: event.kind, sequence, data });
    }
    let cause = CauseLine { kind, id };
    Ok(Line { version: decided.version, time: rfc3339(decided.now), cause, events })
}
