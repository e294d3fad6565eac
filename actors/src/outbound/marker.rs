//! Which record an output belongs to, readable from the output itself: so each is stored once, over any crash.

use bus::ports::Stored;

/// Journal sequence, and place within the record's outputs of that kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Marker {
    pub(crate) sequence: u64,
    pub(crate) place: u32,
}

impl Marker {
    /// The `ce-id` of the output: `<what>:<partition>:<sequence>:<place>`.
    pub(crate) fn id(self, what: &str, partition: u16) -> String {
        format!("{what}:{partition}:{}:{}", self.sequence, self.place)
    }

    /// The marker of a stored output.
    pub(crate) fn of(stored: &Stored) -> Option<Self> {
        let (rest, place) = stored.headers.get("ce-id")?.rsplit_once(':')?;
        let (_, sequence) = rest.rsplit_once(':')?;
        Some(Self { sequence: sequence.parse().ok()?, place: place.parse().ok()? })
    }
}
