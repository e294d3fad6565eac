//! The journal record: what it holds, and how it becomes bytes. Persisted: the golden files keep every version readable.

mod codec;
mod entry;
mod snapshot;

pub use codec::{
    DecodeError, Encoded, RecordHash, decode, decode_item, encode, encode_entry, encode_item,
    encode_snapshot, fingerprint,
};
pub use entry::{
    Ahead, Cause, DeadLetter, Decided, Entry, Fence, HandedOn, Positions, Quarantined, Record, RecordHead,
    ReplayDecided, ReplayEntry, ReplayQuarantined,
};
pub use snapshot::{IndexName, IndexPage, OpenCommands, Snapshot, SnapshotMarker, SnapshotPage};
