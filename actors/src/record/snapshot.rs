//! What a snapshot and its partition's marker say. Names and meanings stay for ever; fields may be added with a default.

use bytes::Bytes;
use domain::ids::EntityId;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::codec::RecordHash;
use super::entry::serde_bytes_16;

/// One entity as the journal has it up to one of its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot<S> {
    /// Which entity.
    pub entity: EntityId,
    /// Its version: every decision up to it is in `state`, and none behind it.
    pub version: u64,
    /// The sequence of its last published event.
    pub event_sequence: u64,
    /// Set aside after a fault of ours.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quarantined: bool,
    /// Identity and content of the inputs that it remembers, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<(u64, u32)>,
    /// Where its records stand in the journal: differences, in groups of seven bits, lowest first.
    pub trail: Bytes,
    /// What it knows.
    pub state: S,
}

/// Says what the snapshots of a partition are worth. The first message of every batch of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotMarker {
    /// Which ownership wrote it.
    pub epoch: u64,
    /// Its number within the ownership, from 1; so no two markers are equal.
    pub number: u64,
    /// The token in the subjects of the snapshots that count; others are left over and mean nothing.
    pub generation: String,
    /// How many partitions there are.
    pub partitions: u16,
    /// The key of the hashes of the partition, as in its fences.
    #[serde(with = "serde_bytes_16")]
    pub hash_key: [u8; 16],
    /// Everything up to this journal record is in the snapshots; replay begins behind it. 0 = at the beginning.
    pub journal_sequence: u64,
    /// The number of that record.
    pub journal_batch: u64,
    /// Its hash.
    pub journal_hash: RecordHash,
    /// The journal sequence up to which all event pages and dead letters are known to be out; no snapshot goes beyond it.
    pub outputs_through: u64,
    /// The latest time that any decision was given.
    pub last_time: Timestamp,
    /// How many snapshots there are.
    pub entities: u64,
    /// The keyed hashes of ids and versions of all snapshots, combined by exclusive or: one that is missing shows.
    pub digest: u64,
}
