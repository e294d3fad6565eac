//! Where the records of an entity stand in the journal: one or two bytes each, so a whole life costs little. A stock cell lives for ever
//! and decides all day, so of a very long life only the end is remembered.

/// The most bytes of a trail: several thousand records, far more than an order has.
const MOST_BYTES: usize = 8 * 1024;

/// A difference that no two records have; first in a trail it says that older records are forgotten.
const FORGOTTEN: u8 = 0;

/// Journal sequences, rising, stored as differences in groups of seven bits.
#[derive(Debug, Default, Clone)]
pub(crate) struct Trail {
    bytes: Vec<u8>,
    last: u64,
}

impl Trail {
    /// Adds the sequence of a record; the same again is no addition.
    pub(crate) fn push(&mut self, sequence: u64) {
        if sequence <= self.last {
            return;
        }
        if self.bytes.len() >= MOST_BYTES {
            self.forget_half();
        }
        self.add(sequence - self.last);
        self.last = sequence;
    }

    fn add(&mut self, mut difference: u64) {
        loop {
            let group = u8::try_from(difference & 0x7f).expect("seven bits fit into a byte");
            difference >>= 7;
            if difference == 0 {
                self.bytes.push(group);
                return;
            }
            self.bytes.push(group | 0x80);
        }
    }

    /// Forgets the older half of the records.
    fn forget_half(&mut self) {
        let sequences = self.sequences();
        let kept = &sequences[sequences.len() / 2..];
        self.bytes = vec![FORGOTTEN];
        let mut before = 0;
        for sequence in kept {
            self.add(sequence - before);
            before = *sequence;
        }
    }

    /// True if no record is forgotten.
    pub(crate) fn is_whole(&self) -> bool {
        self.bytes.first() != Some(&FORGOTTEN)
    }

    /// The trail as it is written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The trail that was written as `bytes`.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut trail = Self { bytes: bytes.to_vec(), last: 0 };
        trail.last = trail.sequences().last().copied().unwrap_or_default();
        trail
    }

    /// All sequences that are remembered, oldest first.
    pub(crate) fn sequences(&self) -> Vec<u64> {
        let (mut sequences, mut sequence, mut difference, mut shift) = (Vec::new(), 0, 0, 0);
        for byte in self.bytes.iter().skip(usize::from(!self.is_whole())) {
            difference |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                sequence += difference;
                sequences.push(sequence);
                (difference, shift) = (0, 0);
            }
        }
        sequences
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_BYTES, Trail};

    #[test]
    fn sequences_come_back_as_they_went_in_each_once() {
        let mut trail = Trail::default();
        let sequences = [1, 2, 129, 130, 20_000, 20_000 + (1 << 40)];
        for sequence in sequences {
            trail.push(sequence);
            trail.push(sequence);
        }
        assert_eq!(trail.sequences(), sequences);
        assert_eq!(trail.bytes.len(), 1 + 1 + 1 + 1 + 3 + 6);
        let mut again = Trail::from_bytes(trail.bytes());
        again.push(sequences[5]);
        assert_eq!(again.sequences(), sequences, "a trail that was written goes on where it ended");
    }

    #[test]
    fn of_a_very_long_life_only_the_end_is_remembered() {
        // invariant: bounded-everything
        let mut trail = Trail::default();
        let last = 20 * MOST_BYTES as u64;
        for sequence in (1..=last).step_by(2) {
            assert!(trail.bytes.len() <= MOST_BYTES, "{} bytes", trail.bytes.len());
            trail.push(sequence);
        }
        let again = Trail::from_bytes(trail.bytes());
        assert!(!trail.is_whole() && !again.is_whole());
        assert_eq!(again.last, trail.last);
        let end = again.sequences();
        assert!(end.len() > MOST_BYTES / 3, "{} records", end.len());
        assert!(end.windows(2).all(|pair| pair[1] == pair[0] + 2) && end.last() == Some(&(last - 1)));
    }
}
