//! An entity whose snapshot has disappeared is read from the journal instead, as long as that is whole. Slow, and rare.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bus::layout::StreamId;
use bus::ports::{OpenError, Position, Unavailable};
use domain::decider::Decider;
use domain::ids::EntityId;

use super::core::Partition;
use super::loading::LoadError;
use crate::entity::{Entity, Trail};
use crate::record::{Record, ReplayDecided, ReplayEntry, decode};
use crate::recovery::evolve;

/// How many records are asked for at once.
const RECORDS_AT_ONCE: usize = 256;

/// Makes an entity that is away again from its records, and checks that it has come to the version that it must have.
pub(super) async fn rebuild<D: Decider>(
    partition: &Partition<D>,
    hash: u64,
    version: u64,
) -> Result<(EntityId, Entity<D>, Trail), LoadError> {
    let env = &partition.env;
    let stream = env.layout.name(StreamId::Journal(partition.number));
    tracing::warn!(stream, "a snapshot is gone; the journal is read for its entity");
    // Its snapshot is recorded, so no record that it needs is younger than this.
    let end = partition.recorded.get();
    let mut reader = env.bus.open(&stream, None, Position::default()).await.map_err(not_now)?;
    let (mut id, mut entity, mut trail, mut at) = (None, Entity::<D>::default(), Trail::default(), 0);
    let is_it = |entity: &EntityId| partition.hash_key.entity(entity) == hash;
    while at < end {
        let records = reader.next(RECORDS_AT_ONCE, env.config.lane_patience()).await.map_err(not_now)?;
        if records.is_empty() {
            let cause = "it gives no records".to_owned();
            return Err(LoadError::Unavailable(Unavailable { what: format!("read {stream}"), cause }));
        }
        for stored in records {
            let damaged = |text: &str| {
                LoadError::Damaged(format!("a snapshot is gone, and record {}: {text}", stored.sequence))
            };
            let (record, _) = decode::<Record<ReplayEntry<D::Event>>>(&stored.body)
                .map_err(|error| damaged(&error.to_string()))?;
            if at == 0 && record.batch != 1 {
                return Err(damaged("the records before it are gone"));
            }
            at = stored.sequence;
            for entry in record.entries {
                match entry {
                    // Recovery replays what is younger than the snapshot.
                    ReplayEntry::Decision(decided)
                        if decided.version <= version && is_it(&decided.entity) =>
                    {
                        absorb(&mut entity, &decided).map_err(damaged)?;
                        trail.push(at);
                        id.get_or_insert(decided.entity);
                    }
                    ReplayEntry::Quarantined(quarantined) if is_it(&quarantined.entity) => {
                        entity.quarantined = true;
                        trail.push(at);
                        id.get_or_insert(quarantined.entity);
                    }
                    _ => {}
                }
            }
        }
    }
    let reached = entity.version.max(u64::from(entity.quarantined));
    match id {
        Some(id) if reached == version => Ok((id, entity, trail)),
        _ => {
            let text =
                format!("a snapshot is gone, and the journal has version {reached} instead of {version}");
            Err(LoadError::Damaged(text))
        }
    }
}

fn not_now(error: OpenError) -> LoadError {
    match error {
        OpenError::Unavailable(error) => LoadError::Unavailable(error),
        other => LoadError::Damaged(other.to_string()),
    }
}

fn absorb<D: Decider>(entity: &mut Entity<D>, decided: &ReplayDecided<D::Event>) -> Result<(), &'static str> {
    if decided.version != entity.version + 1 {
        return Err("its decisions are not complete");
    }
    let state = &mut entity.state;
    let evolved =
        catch_unwind(AssertUnwindSafe(|| evolve::<D>(&decided.entity, state, &decided.events, None)));
    if evolved.is_err() {
        return Err("an event cannot be absorbed");
    }
    entity.version = decided.version;
    entity.event_sequence += u64::from(decided.published);
    if let Some(seen) = decided.seen {
        entity.seen.remember(seen);
    }
    Ok(())
}
