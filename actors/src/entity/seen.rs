//! Which inputs an entity has already had: bounded, by keyed hash, so nobody can make two inputs look alike on purpose.

use std::hash::Hasher;

use domain::envelope::Envelope;
use domain::ids::EntityId;
use siphasher::sip::SipHasher13;

/// How many inputs an entity remembers, as the contract promises; what is older, the rules recognise by what it says.
const MOST_SEEN: usize = 256;

/// The key of the hashes; the same for the life of a partition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct HashKey(pub(crate) [u8; 16]);

impl std::fmt::Debug for HashKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("HashKey(..)") // whoever knows it can forge repeats
    }
}

impl HashKey {
    /// By what an entity is found, and named in the index.
    pub(crate) fn entity(self, entity: &EntityId) -> u64 {
        let mut hash = SipHasher13::new_with_key(&self.0);
        for part in [entity.tenant.as_str(), entity.kind.as_str(), entity.key.as_str()] {
            hash.write(part.as_bytes());
            hash.write_u8(0xff); // no token or key holds it, so the parts cannot run into each other
        }
        hash.finish()
    }

    /// Identity (source and id) and content of a message.
    pub(crate) fn of(self, envelope: &Envelope) -> (u64, u32) {
        let mut identity = SipHasher13::new_with_key(&self.0);
        identity.write(envelope.source().as_bytes());
        identity.write_u8(0xff); // no UTF-8 text holds it, so source and id cannot run into each other
        match envelope.headers.get("ce-id") {
            Some(id) => identity.write(id.as_bytes()),
            None => identity.write(envelope.id().as_bytes()),
        }
        let mut content = SipHasher13::new_with_key(&self.0);
        content.write(envelope.domain.as_str().as_bytes());
        content.write_u8(0xff);
        content.write(envelope.name.as_str().as_bytes());
        content.write_u8(0xff);
        content.write(&envelope.body);
        (identity.finish(), (content.finish() >> 32) as u32)
    }
}

/// What an entity knows of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recognised {
    /// Never seen, or long ago.
    New,
    /// The same message again.
    Repeated,
    /// The same source and id, but it says something else.
    Contradicted,
}

/// Bytes of an input: its identity and its content, both little endian.
const INPUT_BYTES: usize = 12;

/// The last inputs that led to a decision, newest overwriting oldest.
#[derive(Debug, Default, Clone)]
pub(crate) struct SeenInputs {
    ring: Vec<[u8; INPUT_BYTES]>,
    next: usize,
}

fn packed((identity, content): (u64, u32)) -> [u8; INPUT_BYTES] {
    let mut bytes = [0; INPUT_BYTES];
    bytes[..8].copy_from_slice(&identity.to_le_bytes());
    bytes[8..].copy_from_slice(&content.to_le_bytes());
    bytes
}

fn unpacked(bytes: &[u8; INPUT_BYTES]) -> (u64, u32) {
    let (mut identity, mut content) = ([0; 8], [0; 4]);
    identity.copy_from_slice(&bytes[..8]);
    content.copy_from_slice(&bytes[8..]);
    (u64::from_le_bytes(identity), u32::from_le_bytes(content))
}

impl SeenInputs {
    /// Was there an input with this identity?
    pub(crate) fn recognise(&self, (identity, content): (u64, u32)) -> Recognised {
        match self.ring.iter().map(unpacked).find(|(known, _)| *known == identity) {
            None => Recognised::New,
            Some((_, known)) if known == content => Recognised::Repeated,
            Some(_) => Recognised::Contradicted,
        }
    }

    /// All that are remembered, oldest first.
    pub(crate) fn in_order(&self) -> Vec<(u64, u32)> {
        self.ring[self.next..].iter().chain(&self.ring[..self.next]).map(unpacked).collect()
    }

    /// Those that [`Self::in_order`] gave.
    pub(crate) fn from_order(inputs: &[(u64, u32)]) -> Self {
        let mut seen = Self::default();
        for input in inputs {
            seen.remember(*input);
        }
        seen
    }

    /// All that are remembered, oldest first, in as few bytes as they have.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        [&self.ring[self.next..], &self.ring[..self.next]].concat().into_flattened()
    }

    /// Those that [`Self::to_bytes`] gave.
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let (ring, _) = bytes.as_chunks::<INPUT_BYTES>();
        Self { ring: ring.to_vec(), next: 0 }
    }

    /// Remembers an input; the oldest goes if there are too many.
    pub(crate) fn remember(&mut self, input: (u64, u32)) {
        if self.ring.len() < MOST_SEEN {
            self.ring.push(packed(input));
            return;
        }
        self.ring[self.next] = packed(input);
        self.next = (self.next + 1) % MOST_SEEN;
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_SEEN, Recognised, SeenInputs};

    #[test]
    fn the_last_inputs_are_recognised_and_older_ones_are_not() {
        let mut seen = SeenInputs::default();
        for identity in 0..=MOST_SEEN as u64 {
            seen.remember((identity, 1));
        }
        assert_eq!(seen.recognise((0, 1)), Recognised::New);
        assert_eq!(seen.recognise((1, 1)), Recognised::Repeated);
        assert_eq!(seen.recognise((MOST_SEEN as u64, 2)), Recognised::Contradicted);
        assert_eq!(seen.ring.len(), MOST_SEEN);
        let mut again = SeenInputs::from_order(&seen.in_order());
        again.remember((1_000, 1));
        assert_eq!(again.recognise((1, 1)), Recognised::New, "the oldest goes first, as before");
        assert_eq!(again.recognise((2, 1)), Recognised::Repeated);
        let mut packed = SeenInputs::from_bytes(&seen.to_bytes());
        packed.remember((1_000, 1));
        assert_eq!(packed.in_order(), again.in_order());
    }
}
