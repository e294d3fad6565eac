//! The journal record: what it holds, and how it becomes bytes. Persisted: the golden files keep every version readable.

mod codec;
mod entry;

pub use codec::{DecodeError, Encoded, RecordHash, decode, encode, encode_entry, fingerprint};
pub use entry::{
    Ahead, Cause, DeadLetter, Decided, Entry, Fence, HandedOn, Positions, Quarantined, Record, RecordHead,
    ReplayDecided, ReplayEntry, ReplayQuarantined,
};
