//! Where the records of an entity stand in the journal: one or two bytes each, so a whole life costs little.

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
        let mut difference = sequence - self.last;
        self.last = sequence;
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

    /// All sequences, oldest first.
    pub(crate) fn sequences(&self) -> Vec<u64> {
        let (mut sequences, mut sequence, mut difference, mut shift) = (Vec::new(), 0, 0, 0);
        for byte in &self.bytes {
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
    use super::Trail;

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
}
