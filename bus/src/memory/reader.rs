//! Reads a stream of the memory bus from a position on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::bus::Shared;
use super::kept::Kept;
use super::stream::Stream;
use crate::ports::{Healed, OpenError, Position, Reader, Stored};

#[derive(Debug)]
pub(super) struct MemoryReader {
    shared: Arc<Shared>,
    stream: Arc<Stream>,
    filter: usize,
    bell: Arc<Notify>,
    at: Position,
    losses: u64,
    healed: Healed,
}

impl MemoryReader {
    pub(super) fn open(
        shared: Arc<Shared>,
        stream: Arc<Stream>,
        filter: Option<&str>,
        position: Position,
    ) -> Result<Self, OpenError> {
        let mut kept = stream.kept();
        let gone = position.sequence + 1 < kept.first && position.sequence < kept.last;
        if filter.is_none() && position.sequence > 0 && gone {
            let (from, to) = (position.sequence + 1, kept.first);
            return Err(OpenError::Gap { stream: stream.spec.name.clone(), from, to });
        }
        let (filter, bell) = kept.join(filter.unwrap_or(">"));
        let losses = kept.losses;
        let (at, lost) = heal(&kept, position);
        drop(kept);
        Ok(Self { shared, stream, filter, bell, at, losses, healed: Healed { lost } })
    }

    fn take(&mut self, most: usize) -> Vec<Stored> {
        let kept = self.stream.kept();
        if kept.losses != self.losses {
            let (at, lost) = heal(&kept, self.at);
            self.losses = kept.losses;
            self.at = at;
            self.healed.lost += lost;
        }
        let messages = kept.read(self.filter, self.at.sequence, most.max(1));
        if let Some(newest) = messages.last() {
            self.at = Position { sequence: newest.sequence, timestamp_ns: newest.timestamp_ns };
        }
        messages
    }
}

/// The position itself, or, if the stream lost its end below it, the newest message that was there before.
fn heal(kept: &Kept, position: Position) -> (Position, u64) {
    if position.sequence == 0 || kept.confirms(position) != Some(false) {
        return (position, 0);
    }
    let known = match position.timestamp_ns {
        0 => kept.last,
        timestamp_ns => kept.newest_until(timestamp_ns),
    };
    (Position { sequence: known, ..position }, position.sequence.saturating_sub(known))
}

#[async_trait]
impl Reader for MemoryReader {
    async fn next(&mut self, most: usize, patience: Duration) -> Result<Vec<Stored>, OpenError> {
        let deadline = Instant::now() + patience;
        let bell = self.bell.clone();
        loop {
            let mut rung = std::pin::pin!(bell.notified());
            // Listening begins before looking, so nothing can come in between unheard.
            rung.as_mut().enable();
            if self.shared.is_connected() {
                let messages = self.take(most);
                if !messages.is_empty() {
                    return Ok(messages);
                }
            }
            if timeout_at(deadline, rung).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    fn healed(&self) -> Healed {
        self.healed
    }

    fn is_behind(&self) -> bool {
        self.shared.is_connected() && self.stream.kept().has_more(self.filter, self.at.sequence)
    }
}

impl Drop for MemoryReader {
    fn drop(&mut self) {
        self.stream.kept().leave(self.filter);
    }
}
