//! Record to bytes and back: format byte, body, checksum.
//!
//! Format 1 is a plain MessagePack body, format 2 the same compressed with lz4 (its length in front, little endian). The last
//! eight bytes are the beginning of the SHA-256 of all before them; its first sixteen are the record's hash, which the next
//! record repeats.

use std::borrow::Cow;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::entry::{RecordHead, serde_bytes_16};

const PLAIN: u8 = 1;
const LZ4: u8 = 2;
const CHECKSUM_BYTES: usize = 8;

/// Below this, compression saves less than it costs.
const COMPRESS_FROM_BYTES: usize = 2 * 1024;

/// No record is larger than this when it is unpacked; a length beyond it is damage.
const MOST_BODY_BYTES: usize = 8 * 1024 * 1024;

/// The first sixteen bytes of the SHA-256 of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordHash(#[serde(with = "serde_bytes_16")] pub [u8; 16]);

/// Why bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The end is missing.
    #[error("the record has only {0} bytes")]
    Short(usize),
    /// The bytes are not those that were written.
    #[error("the checksum does not match")]
    Checksum,
    /// Written by another version.
    #[error("unknown record format {0}")]
    Format(u8),
    /// Not what the format promises.
    #[error("the body cannot be read: {0}")]
    Body(String),
}

/// A record ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// What is stored.
    pub bytes: Bytes,
    /// Its hash, for the next record.
    pub hash: RecordHash,
}

/// Writes one entry behind those that are in `out` already.
///
/// # Panics
/// If an event cannot be serialized, which is a fault of its type: the entity is set aside for it.
pub fn encode_entry<T: Serialize>(out: &mut Vec<u8>, entry: &T) {
    rmp_serde::encode::write_named(out, entry).expect("entries are plain data and memory does not refuse");
}

/// What the head of a record takes at most in nearly all cases, with the frame of the entries.
const USUAL_HEAD_BYTES: usize = 1024;

/// Builds the record from its head and `count` entries that [`encode_entry`] wrote.
pub fn encode(head: &RecordHead, entries: &[u8], count: usize) -> Encoded {
    let mut body = Vec::with_capacity(entries.len() + USUAL_HEAD_BYTES);
    rmp_serde::encode::write_named(&mut body, head).expect("a head is plain data");
    // The head is a map with fewer than 15 fields, so its first byte counts them; the entries become one more.
    assert!((0x80..0x8e).contains(&body[0]), "record-head-is-a-small-map");
    body[0] += 1;
    rmp_serde::encode::write_named(&mut body, "entries").expect("a word is plain data");
    body.push(0xdd); // array with a length of four bytes
    body.extend_from_slice(
        &u32::try_from(count).expect("a record has fewer entries than bytes").to_be_bytes(),
    );
    body.extend_from_slice(entries);
    seal(&body)
}

/// What an entity takes at most in nearly all cases, written.
const USUAL_ITEM_BYTES: usize = 8 * 1024;

/// Writes one snapshot as it stands in a page.
///
/// # Panics
/// If a state cannot be serialized, which is a fault of its type.
pub fn encode_item<T: Serialize>(item: &T) -> Bytes {
    let mut bytes = Vec::with_capacity(USUAL_ITEM_BYTES);
    rmp_serde::encode::write_named(&mut bytes, item)
        .expect("states are plain data and memory does not refuse");
    Bytes::copy_from_slice(&bytes)
}

/// Reads what [`encode_item`] has written.
pub fn decode_item<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    rmp_serde::from_slice(bytes).map_err(|error| DecodeError::Body(error.to_string()))
}

/// Writes a page of snapshots, a page of their index or a marker, in the same formats as a record; [`decode`] reads it.
///
/// # Panics
/// If a state cannot be serialized, which is a fault of its type.
pub fn encode_snapshot<T: Serialize>(snapshot: &T) -> Bytes {
    seal(&rmp_serde::to_vec_named(snapshot).expect("states are plain data and memory does not refuse")).bytes
}

fn seal(body: &[u8]) -> Encoded {
    let mut bytes = Vec::with_capacity(body.len() + 1 + CHECKSUM_BYTES);
    bytes.push(PLAIN);
    if body.len() >= COMPRESS_FROM_BYTES {
        let packed = lz4_flex::compress_prepend_size(body);
        if packed.len() < body.len() - body.len() / 8 {
            bytes[0] = LZ4;
            bytes.extend_from_slice(&packed);
        }
    }
    if bytes[0] == PLAIN {
        bytes.extend_from_slice(body);
    }
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest[..CHECKSUM_BYTES]);
    Encoded { bytes: bytes.into(), hash: hash_of(&digest) }
}

/// Checks the checksum and reads the body as `T`; gives the record's hash beside it.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, RecordHash), DecodeError> {
    let (body, hash) = open(bytes)?;
    let record = rmp_serde::from_slice(&body).map_err(|error| DecodeError::Body(error.to_string()))?;
    Ok((record, hash))
}

/// The hash of stored bytes, whatever they are: to compare without reading them.
pub fn fingerprint(bytes: &[u8]) -> RecordHash {
    hash_of(&Sha256::digest(&bytes[..bytes.len().saturating_sub(CHECKSUM_BYTES)]))
}

fn open(bytes: &[u8]) -> Result<(Cow<'_, [u8]>, RecordHash), DecodeError> {
    if bytes.len() <= CHECKSUM_BYTES {
        return Err(DecodeError::Short(bytes.len()));
    }
    let (content, checksum) = bytes.split_at(bytes.len() - CHECKSUM_BYTES);
    let digest = Sha256::digest(content);
    if digest[..CHECKSUM_BYTES] != *checksum {
        return Err(DecodeError::Checksum);
    }
    let body = match content[0] {
        PLAIN => Cow::Borrowed(&content[1..]),
        LZ4 => Cow::Owned(unpack(&content[1..])?),
        other => return Err(DecodeError::Format(other)),
    };
    Ok((body, hash_of(&digest)))
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let damage = |text: String| DecodeError::Body(text);
    let (length, _) =
        lz4_flex::block::uncompressed_size(packed).map_err(|error| damage(error.to_string()))?;
    if length > MOST_BODY_BYTES {
        return Err(damage(format!("a body of {length} bytes is larger than any record")));
    }
    lz4_flex::decompress_size_prepended(packed).map_err(|error| damage(error.to_string()))
}

fn hash_of(digest: &[u8]) -> RecordHash {
    RecordHash(digest[..16].try_into().expect("a SHA-256 is longer than 16 bytes"))
}

#[cfg(test)]
mod tests {
    use super::{DecodeError, decode, encode, encode_entry, fingerprint};
    use crate::record::{Ahead, Entry, Positions, Record, RecordHash, RecordHead};

    fn head() -> RecordHead {
        RecordHead {
            previous: RecordHash([7; 16]),
            epoch: 2,
            batch: 41,
            positions: Positions::default(),
            ahead: Ahead::default(),
            outputs_through: 40,
        }
    }

    fn record(entries: usize) -> super::Encoded {
        let mut bytes = Vec::new();
        for _ in 0..entries {
            encode_entry(&mut bytes, &Entry::<u8>::Position);
        }
        encode(&head(), &bytes, entries)
    }

    #[test]
    fn a_record_reads_back_as_it_was_written_plain_and_compressed() {
        for (entries, format) in [(0, 1), (3, 1), (500, 2)] {
            let encoded = record(entries);
            assert_eq!(encoded.bytes[0], format, "{entries} entries");
            let (back, hash) = decode::<Record<Entry<u8>>>(&encoded.bytes).unwrap();
            assert_eq!((back.batch, back.epoch, back.entries.len()), (41, 2, entries));
            assert_eq!((hash, fingerprint(&encoded.bytes)), (encoded.hash, encoded.hash));
        }
    }

    #[test]
    fn any_changed_byte_is_found() {
        let encoded = record(3);
        for at in 0..encoded.bytes.len() {
            let mut bytes = encoded.bytes.to_vec();
            bytes[at] ^= 0x10;
            assert_eq!(decode::<Record<Entry<u8>>>(&bytes).unwrap_err(), DecodeError::Checksum, "byte {at}");
        }
        assert_eq!(decode::<Record<Entry<u8>>>(&encoded.bytes[..5]).unwrap_err(), DecodeError::Short(5));
    }
}
