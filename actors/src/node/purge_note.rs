//! What was purged around partitions that stand still, written down before it is purged: so a reader that comes back can tell
//! what we removed of others from what somebody else removed of its own.

use std::collections::BTreeMap;

use bus::layout::{Lane, Layout, StreamId};
use bus::ports::{Bus, Expect, Outgoing, Position, StoreOutcome, Unavailable};
use domain::envelope::Headers;
use serde::{Deserialize, Serialize};

/// The note of one inbound stream. Up to `through`, and only there, messages are gone that others had consumed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct PurgeNote {
    /// The last sequence up to which anything was purged by subject.
    pub(crate) through: u64,
    /// The partitions that stood still below it.
    pub(crate) standing: BTreeMap<u16, Standing>,
}

/// A partition that stood still when the others' messages were purged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// Where it stood.
    pub(crate) position: Position,
    /// How many of its own messages were there behind that, up to [`PurgeNote::through`].
    pub(crate) unread: u64,
    /// How many messages were gone before, unread and not by us.
    pub(crate) lost: u64,
}

impl PurgeNote {
    /// The note as it stands, and its sequence; an empty one if there is none.
    pub(crate) async fn read(bus: &dyn Bus, layout: &Layout, lane: Lane) -> Result<(Self, u64), Unavailable> {
        let stream = layout.name(StreamId::Owners);
        let Some(stored) = bus.last_on_subject(&stream, &layout.purge_note(lane)).await? else {
            return Ok((Self::default(), 0));
        };
        // What cannot be read explains nothing: holes then count as losses.
        let note = serde_json::from_slice(&stored.body).unwrap_or_default();
        Ok((note, stored.sequence))
    }

    /// Writes the note in place of the one with this sequence; an error if somebody else was faster or nobody knows.
    pub(crate) async fn write(
        &self,
        bus: &dyn Bus,
        layout: &Layout,
        lane: Lane,
        known: u64,
    ) -> Result<(), Unavailable> {
        let body = serde_json::to_vec(self).expect("a note is plain data").into();
        let note = Outgoing { subject: layout.purge_note(lane), headers: Headers::new(), body };
        match bus.store(note, Expect::LastOnSubject(known)).await {
            StoreOutcome::Stored(_) => Ok(()),
            outcome => {
                Err(Unavailable { what: "write a purge note".to_owned(), cause: format!("{outcome:?}") })
            }
        }
    }

    /// How many messages behind the position of a partition are gone that this note does not explain, up to `through` or to
    /// the end of the stream.
    pub(crate) async fn unexplained(
        &self,
        bus: &dyn Bus,
        (stream, filter): (&str, &str),
        (number, position): (u16, Position),
        through: Option<u64>,
    ) -> Result<u64, Unavailable> {
        let mut from = position.sequence;
        if self.through > from
            && let Some(standing) = self.standing.get(&number)
        {
            from = self.through;
            // If it moved meanwhile, it has read what this note is about, or is about to.
            if standing.position == position {
                let there = bus.count_between(stream, filter, position.sequence, self.through).await?;
                let lost = standing.lost + standing.unread.saturating_sub(there);
                if lost > 0 {
                    return Ok(lost);
                }
            }
        }
        // Who has consumed nothing yet makes no claim to what was there before it.
        if position.sequence == 0 {
            return Ok(0);
        }
        let gone = bus.missing_after(stream, from).await?;
        match through {
            None => Ok(gone),
            Some(through) => Ok(gone.saturating_sub(bus.missing_after(stream, through.max(from)).await?)),
        }
    }
}
