//! What is consumed and recorded leaves the inbound streams: for all partitions at once, and around one that stands still.

use std::sync::Arc;
use std::time::Duration;

use bus::layout::{Lane, Layout};
use bus::ports::{Position, SharedBus, StreamBounds, Unavailable};
use tokio::time::Instant;

use super::board::{Board, Place};
use super::purge_note::{PurgeNote, Standing};
use crate::config::NodeConfig;

/// How often the streams are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// From this share of its bound on, in percent, a stream is purged at every look.
const OFTEN_ABOVE: u64 = 50;

/// From this share of its bound on, in percent, a partition that stands still keeps only its own messages.
const AROUND_ABOVE: u64 = 70;

/// The inbound streams and who reads them.
struct Purging {
    bus: SharedBus,
    layout: Arc<Layout>,
    board: Arc<Board>,
}

/// Purges until the node stops.
pub(super) async fn run(config: Arc<NodeConfig>, bus: SharedBus, layout: Arc<Layout>, board: Arc<Board>) {
    let interval = Duration::from_millis(config.purge_interval_ms);
    let mut purged_at = Lane::ALL.map(|_| Instant::now());
    let purging = Purging { bus, layout, board };
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        for lane in Lane::ALL {
            let due = purged_at[lane.index()].elapsed() >= interval;
            match purging.look(lane, due).await {
                Ok(true) => purged_at[lane.index()] = Instant::now(),
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "inbound streams are not purged"),
            }
        }
    }
}

impl Purging {
    async fn look(&self, lane: Lane, due: bool) -> Result<bool, Unavailable> {
        let stream = self.layout.name(lane.stream());
        let mut bounds = self.bus.bounds(&stream).await?;
        self.board.set_stream_end(lane, bounds.last);
        if !due && !is_above(&bounds, OFTEN_ABOVE) {
            return Ok(false);
        }
        let places = self.board.places(lane, self.layout.partitions);
        let lowest = places.iter().map(|place| place.position.unwrap_or_default());
        let lowest = lowest.min_by_key(|position| position.sequence).unwrap_or_default();
        // The message at the position itself stays: by its timestamp the position is checked.
        if lowest.sequence > bounds.first && self.is_still(&stream, &bounds, lowest).await? {
            self.bus.purge_below(&stream, lowest.sequence).await?;
            bounds = self.bus.bounds(&stream).await?;
        }
        if is_above(&bounds, AROUND_ABOVE) {
            self.purge_around(lane, &stream, &bounds, &places).await?;
        }
        Ok(true)
    }

    /// Is the position one of this stream as it is now? If the stream lost its end, its sequences are given to messages that
    /// nobody has read, and they must stay.
    async fn is_still(
        &self,
        stream: &str,
        bounds: &StreamBounds,
        position: Position,
    ) -> Result<bool, Unavailable> {
        if position.sequence > bounds.last {
            return Ok(false);
        }
        let there = self.bus.get(stream, position.sequence).await?;
        Ok(there.is_none_or(|there| there.timestamp_ns == position.timestamp_ns))
    }

    /// Purges what the others have consumed, partition by partition. What those that stand still have not read stays, and how
    /// much that is gets written down first.
    async fn purge_around(
        &self,
        lane: Lane,
        stream: &str,
        bounds: &StreamBounds,
        places: &[Place],
    ) -> Result<(), Unavailable> {
        let (standing, moving): (Vec<&Place>, Vec<&Place>) =
            places.iter().partition(|place| stands_still(place, bounds));
        let reached = moving.iter().filter_map(|place| place.position).min_by_key(|it| it.sequence);
        let Some(reached) = reached.filter(|_| !standing.is_empty()) else { return Ok(()) };
        let (note, known) = PurgeNote::read(&*self.bus, &self.layout, lane).await?;
        let through = reached.sequence.saturating_sub(1);
        if through <= note.through || !self.is_still(stream, bounds, reached).await? {
            return Ok(());
        }
        let mut next = PurgeNote { through, ..PurgeNote::default() };
        for place in standing {
            let position = place.position.unwrap_or_default();
            let filter = self.layout.inbound_filter(place.number);
            let who = (place.number, position);
            let lost = note.unexplained(&*self.bus, (stream, &filter), who, Some(through)).await?;
            let unread = self.bus.count_between(stream, &filter, position.sequence, through).await?;
            next.standing.insert(place.number, Standing { position, unread, lost });
        }
        next.write(&*self.bus, &self.layout, lane, known).await?;
        let numbers: Vec<_> = next.standing.keys().collect();
        tracing::warn!(stream, ?numbers, through, "purged around partitions that stand still");
        for place in moving {
            let filter = self.layout.inbound_filter(place.number);
            self.bus.purge_filtered(stream, &filter, reached.sequence).await?;
        }
        Ok(())
    }
}

/// A partition that does not work here, or that is behind by more than half of what the stream spans.
fn stands_still(place: &Place, bounds: &StreamBounds) -> bool {
    let half_way = bounds.first + bounds.last.saturating_sub(bounds.first) / 2;
    !place.works || place.position.is_none_or(|position| position.sequence < half_way)
}

fn is_above(bounds: &StreamBounds, percent: u64) -> bool {
    let above = |used: u64, most: Option<u64>| {
        most.is_some_and(|most| u128::from(used) * 100 > u128::from(most) * u128::from(percent))
    };
    above(bounds.messages, bounds.most_messages) || above(bounds.bytes, bounds.most_bytes)
}

#[cfg(test)]
mod tests {
    use bus::ports::{Position, StreamBounds};

    use super::super::board::Place;
    use super::{is_above, stands_still};

    #[test]
    fn a_stream_is_above_its_share_by_messages_or_by_bytes() {
        let bounds =
            StreamBounds { messages: 6, most_messages: Some(10), bytes: 1, ..StreamBounds::default() };
        assert!(is_above(&bounds, 50));
        assert!(!is_above(&StreamBounds { messages: 5, ..bounds }, 50));
        assert!(is_above(&StreamBounds { messages: 5, bytes: 6, most_bytes: Some(10), ..bounds }, 50));
        assert!(!is_above(&StreamBounds { most_messages: None, ..bounds }, 50));
    }

    #[test]
    fn who_does_not_work_or_is_far_behind_stands_still() {
        let bounds = StreamBounds { first: 101, last: 200, ..StreamBounds::default() };
        let place = |sequence, works| Place {
            number: 0,
            position: Some(Position { sequence, timestamp_ns: 1 }),
            works,
        };
        assert!(!stands_still(&place(150, true), &bounds));
        assert!(stands_still(&place(150, false), &bounds));
        assert!(stands_still(&place(149, true), &bounds));
        assert!(stands_still(&Place { position: None, ..place(150, true) }, &bounds));
    }
}
