//! What the stream of snapshots says: pages of entities, pages of their index, and the marker that makes both count. Names and
//! meanings stay for ever; fields may be added with a default.

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

/// Several entities in one message: so the broker keeps no subject for each of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotPage {
    /// When it was written.
    pub written_at: Timestamp,
    /// One [`Snapshot`] each, as MessagePack; the index names them by their place.
    pub items: Vec<Bytes>,
}

/// What the index says of some entities, column by column; a later page of the same index replaces what an earlier one says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IndexPage {
    /// Keyed hashes of the entities: who has them cannot tell the ids.
    pub hashes: Vec<u64>,
    /// The version that the snapshot of each has.
    pub versions: Vec<u64>,
    /// The message that holds the snapshot of each: how many messages in front of this one it stands if `are_distances`, else
    /// its sequence; 0 = the snapshot is gone, and only that there was one is known.
    pub pages: Vec<u64>,
    /// The snapshots stand in the same batch, which is stored whole or not at all.
    #[serde(default)]
    pub are_distances: bool,
    /// The place of each in its page.
    pub items: Vec<u16>,
    /// When the closed ones were closed, by row.
    #[serde(default)]
    pub closed: Vec<(u32, Timestamp)>,
    /// Those that have something on the board, by row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub posting: Vec<u32>,
    /// The next deadline of those that have one, by row.
    #[serde(default)]
    pub deadlines: Vec<(u32, Timestamp)>,
    /// The words in `phases`.
    #[serde(default)]
    pub phase_names: Vec<String>,
    /// The phase of each, as a place in `phase_names`.
    #[serde(default)]
    pub phases: Vec<u8>,
    /// Commands that are open, by row.
    #[serde(default)]
    pub open: Vec<(u32, OpenCommands)>,
    /// Entities that are not known any more.
    #[serde(default)]
    pub forgotten: Vec<u64>,
}

/// The open commands of an entity, counted by participant in their fixed order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OpenCommands {
    /// Possibly sent and not answered.
    pub in_flight: [u16; 5],
    /// Waiting for the participant's gate.
    pub waiting: [u16; 5],
    /// Those of them that go before others.
    #[serde(default, skip_serializing_if = "is_nobody")]
    pub urgent: [u16; 5],
    /// Since when something waits.
    pub since: Timestamp,
}

fn is_nobody(counts: &[u16; 5]) -> bool {
    *counts == [0; 5]
}

/// Which index counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IndexName {
    /// The token in the subject of its pages; pages under another token are left over and mean nothing.
    pub token: String,
    /// How many pages it has.
    pub pages: u64,
}

/// Says what the snapshots of a partition are worth. The first message of every batch of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotMarker {
    /// Which ownership wrote it.
    pub epoch: u64,
    /// Its number within the ownership, from 1; so no two markers are equal.
    pub number: u64,
    /// The index of all snapshots; none = written by a version that had none, and of no use.
    #[serde(default)]
    pub index: Option<IndexName>,
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
}
