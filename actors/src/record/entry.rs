//! What a record says. Names and meanings stay for ever; fields may be added with a default.

use bus::layout::Lane;
use bus::ports::Position;
use domain::envelope::Envelope;
use domain::further::Further;
use domain::ids::{EntityId, Key};
use domain::reason::{DeadReason, Violation};
use domain::time::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::codec::RecordHash;

/// How far each inbound stream is consumed, as of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Positions {
    /// In the stream of replies.
    pub replies: Position,
    /// In the stream of wishes and facts.
    pub work: Position,
    /// In the stream of new work.
    pub intake: Position,
    /// In the stream of late completed sales.
    pub bulk: Position,
}

impl Positions {
    /// The position in one lane.
    pub const fn of(&self, lane: Lane) -> Position {
        match lane {
            Lane::Replies => self.replies,
            Lane::Work => self.work,
            Lane::Intake => self.intake,
            Lane::Bulk => self.bulk,
        }
    }

    /// The position in one lane, to change it.
    pub const fn of_mut(&mut self, lane: Lane) -> &mut Position {
        match lane {
            Lane::Replies => &mut self.replies,
            Lane::Work => &mut self.work,
            Lane::Intake => &mut self.intake,
            Lane::Bulk => &mut self.bulk,
        }
    }
}

/// Inputs behind the positions that have their outcome already: read again after a restart, they are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ahead {
    /// In the stream of replies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replies: Vec<Position>,
    /// In the stream of wishes and facts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub work: Vec<Position>,
    /// In the stream of new work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intake: Vec<Position>,
    /// In the stream of late completed sales.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bulk: Vec<Position>,
}

impl Ahead {
    /// Those of one lane.
    pub const fn of_mut(&mut self, lane: Lane) -> &mut Vec<Position> {
        match lane {
            Lane::Replies => &mut self.replies,
            Lane::Work => &mut self.work,
            Lane::Intake => &mut self.intake,
            Lane::Bulk => &mut self.bulk,
        }
    }

    /// True if there are none.
    pub const fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.work.is_empty() && self.intake.is_empty() && self.bulk.is_empty()
    }
}

/// What stands in a record before its entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordHead {
    /// The hash of the record before this one; zeros in the first.
    pub previous: RecordHash,
    /// Which ownership wrote it; each fence begins a new one.
    pub epoch: u64,
    /// Dense number of the record in its partition, from 1. A number never has two contents.
    pub batch: u64,
    /// How far the inbound streams are consumed once this record is stored.
    pub positions: Positions,
    /// Which inputs behind the positions have their outcome in this or an earlier record.
    #[serde(default, skip_serializing_if = "Ahead::is_empty")]
    pub ahead: Ahead,
    /// The journal sequence up to which all event pages and dead letters are known to be out.
    pub outputs_through: u64,
}

/// A record as it is read: the fields of [`RecordHead`] and the entries, whole ([`Entry`]) or lean ([`ReplayEntry`]).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Record<T> {
    /// See [`RecordHead::previous`].
    pub previous: RecordHash,
    /// See [`RecordHead::epoch`].
    pub epoch: u64,
    /// See [`RecordHead::batch`].
    pub batch: u64,
    /// See [`RecordHead::positions`].
    pub positions: Positions,
    /// See [`RecordHead::ahead`].
    #[serde(default)]
    pub ahead: Ahead,
    /// See [`RecordHead::outputs_through`].
    pub outputs_through: u64,
    /// What happened, in order.
    pub entries: Vec<T>,
}

/// Why something was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A message, as it came.
    Message(Envelope),
    /// A deadline of the entity had passed.
    Timer,
    /// This waiting effect could go out.
    Release(String),
}

/// A decision: one version of one entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decided<E, C = Cause> {
    /// Who decided.
    pub entity: EntityId,
    /// The version after it: dense, from 1.
    pub version: u64,
    /// The time that the decision was given.
    pub now: Timestamp,
    /// Why.
    pub cause: C,
    /// Identity and content of the message, as the entity remembers them; none for timers and releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<(u64, u32)>,
    /// The sequence of its first published event; dense in the entity, from 1.
    pub first_sequence: u64,
    /// How many events it publishes.
    pub published: u32,
    /// Which of them had to be asked for, and were.
    #[serde(default, skip_serializing_if = "Further::is_none")]
    pub further: Further,
    /// What happened.
    pub events: Vec<E>,
}

/// A message that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The message, cut if it is far over the limits.
    pub envelope: Envelope,
    /// Whom it was for, if that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// Why it could not be taken.
    pub reason: DeadReason,
    /// Everything that is wrong with it.
    pub violations: Vec<Violation>,
}

/// An item of a batch that belongs to another partition and is recorded or stored there now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOn {
    /// The stream and sequence of the batch.
    pub stream: String,
    /// See `stream`.
    pub sequence: u64,
    /// Its place in the batch, from 0.
    pub item: u16,
    /// Its subject as a message of its own.
    pub subject: String,
}

/// The beginning of an ownership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// The key of the hashes by which entities recognise repeated inputs; the same in every fence of a partition.
    #[serde(with = "serde_bytes_16")]
    pub hash_key: [u8; 16],
    /// How many partitions there are.
    pub partitions: u16,
    /// Who began it; two starts never have the same.
    pub instance: String,
}

/// An entity that was set aside after a fault of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Which one.
    pub entity: EntityId,
    /// What the fault said.
    pub cause: String,
    /// The message that met the fault; none for timers and releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Envelope>,
}

/// One thing that a record says. `C` is the cause of a decision, owned when it is read, lent when it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry<E, C = Cause> {
    /// An entity decided.
    Decision(Decided<E, C>),
    /// A message could not be taken.
    DeadLetter(DeadLetter),
    /// An item of a batch went to its own partition.
    HandedOn(HandedOn),
    /// Nothing but the positions.
    Position,
    /// An ownership begins.
    Fence(Fence),
    /// An entity was set aside.
    Quarantined(Quarantined),
}

/// What replay needs of a [`Decided`]; the rest is skipped, not built.
#[derive(Debug, Deserialize)]
pub struct ReplayDecided<E> {
    /// See [`Decided::entity`].
    pub entity: EntityId,
    /// See [`Decided::version`].
    pub version: u64,
    /// See [`Decided::now`].
    pub now: Timestamp,
    /// See [`Decided::seen`].
    #[serde(default)]
    pub seen: Option<(u64, u32)>,
    /// See [`Decided::first_sequence`].
    pub first_sequence: u64,
    /// See [`Decided::published`].
    pub published: u32,
    /// See [`Decided::events`].
    pub events: Vec<E>,
}

/// What replay needs of a [`Quarantined`].
#[derive(Debug, Deserialize)]
pub struct ReplayQuarantined {
    /// See [`Quarantined::entity`].
    pub entity: EntityId,
}

/// What replay needs of an [`Entry`].
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayEntry<E> {
    /// See [`Entry::Decision`].
    Decision(ReplayDecided<E>),
    /// See [`Entry::DeadLetter`].
    DeadLetter(IgnoredAny),
    /// See [`Entry::HandedOn`].
    HandedOn(IgnoredAny),
    /// See [`Entry::Position`].
    Position,
    /// See [`Entry::Fence`].
    Fence(Fence),
    /// See [`Entry::Quarantined`].
    Quarantined(ReplayQuarantined),
}

/// Sixteen bytes as one binary value instead of sixteen numbers.
pub(super) mod serde_bytes_16 {
    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    pub(in crate::record) fn serialize<S: Serializer>(bytes: &[u8; 16], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_bytes(bytes)
    }

    pub(in crate::record) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<[u8; 16], D::Error> {
        struct Sixteen;
        impl Visitor<'_> for Sixteen {
            type Value = [u8; 16];
            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("16 bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<[u8; 16], E> {
                bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }
        input.deserialize_bytes(Sixteen)
    }
}
