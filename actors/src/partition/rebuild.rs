//! Entities whose snapshots have disappeared are read from the journal instead, as long as that is whole. Slow, so all that are
//! wanted at the same time share one reading.

use std::collections::BTreeMap;
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

/// An entity that comes together.
#[derive(Debug)]
pub(super) struct Rebuilt<D: Decider> {
    /// None = no record of it was seen.
    pub(super) id: Option<EntityId>,
    pub(super) entity: Entity<D>,
    pub(super) trail: Trail,
    /// The version that it must come to.
    version: u64,
}

/// Makes entities that are away again from their records, and checks that they have come to the versions that they must have:
/// both by the hash of the entity.
pub(super) async fn rebuild<D: Decider>(
    partition: &Partition<D>,
    wanted: impl IntoIterator<Item = (u64, u64)>,
) -> Result<BTreeMap<u64, Rebuilt<D>>, LoadError> {
    let mut all: BTreeMap<u64, Rebuilt<D>> =
        wanted.into_iter().map(|(hash, version)| (hash, Rebuilt::coming_to(version))).collect();
    let env = &partition.env;
    let stream = env.layout.name(StreamId::Journal(partition.number));
    tracing::warn!(
        stream,
        entities = all.len(),
        "snapshots are gone; the journal is read for their entities"
    );
    // Their snapshots are recorded, so no record that they need is younger than this.
    let end = partition.recorded.get();
    let mut reader = env.bus.open(&stream, None, Position::default()).await.map_err(not_now)?;
    let mut at = 0;
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
                let entity = match &entry {
                    ReplayEntry::Decision(decided) => &decided.entity,
                    ReplayEntry::Quarantined(quarantined) => &quarantined.entity,
                    _ => continue,
                };
                let Some(rebuilt) = all.get_mut(&partition.hash_key.entity(entity)) else { continue };
                rebuilt.take(entry, at).map_err(damaged)?;
            }
        }
    }
    for Rebuilt { id, entity, version, .. } in all.values() {
        let reached = entity.version.max(u64::from(entity.quarantined));
        if id.is_none() || reached != *version {
            let text =
                format!("a snapshot is gone, and the journal has version {reached} instead of {version}");
            return Err(LoadError::Damaged(text));
        }
    }
    Ok(all)
}

impl<D: Decider> Rebuilt<D> {
    fn coming_to(version: u64) -> Self {
        Self { id: None, entity: Entity::default(), trail: Trail::default(), version }
    }

    /// An entry of this entity stands in the record with this sequence.
    fn take(&mut self, entry: ReplayEntry<D::Event>, at: u64) -> Result<(), &'static str> {
        let id = match entry {
            // Recovery replays what is younger than the snapshot.
            ReplayEntry::Decision(decided) if decided.version > self.version => return Ok(()),
            ReplayEntry::Decision(decided) => {
                absorb(&mut self.entity, &decided)?;
                decided.entity
            }
            ReplayEntry::Quarantined(quarantined) => {
                self.entity.quarantined = true;
                quarantined.entity
            }
            _ => return Ok(()),
        };
        self.trail.push(at);
        self.id.get_or_insert(id);
        Ok(())
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
