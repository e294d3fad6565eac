//! What all partitions have consumed and recorded leaves the inbound streams.

use std::sync::Arc;
use std::time::Duration;

use bus::layout::{Lane, Layout};
use bus::ports::{SharedBus, StreamBounds, Unavailable};
use tokio::time::Instant;

use super::board::Board;
use crate::config::NodeConfig;

/// How often the streams are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Purges until the node stops.
pub(super) async fn run(config: Arc<NodeConfig>, bus: SharedBus, layout: Arc<Layout>, board: Arc<Board>) {
    let interval = Duration::from_millis(config.purge_interval_ms);
    let mut purged_at = Lane::ALL.map(|_| Instant::now());
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        for lane in Lane::ALL {
            let due = purged_at[lane.index()].elapsed() >= interval;
            match look(&bus, &layout, &board, lane, due).await {
                Ok(true) => purged_at[lane.index()] = Instant::now(),
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "inbound streams are not purged"),
            }
        }
    }
}

async fn look(
    bus: &SharedBus,
    layout: &Layout,
    board: &Board,
    lane: Lane,
    due: bool,
) -> Result<bool, Unavailable> {
    let stream = layout.name(lane.stream());
    let bounds = bus.bounds(&stream).await?;
    board.set_stream_end(lane, bounds.last);
    if !due && !is_half_full(&bounds) {
        return Ok(false);
    }
    let Some(lowest) = board.lowest(lane, layout.partitions) else { return Ok(false) };
    // The message at the position itself stays: by its timestamp the position is checked.
    if lowest > bounds.first {
        bus.purge_below(&stream, lowest).await?;
    }
    Ok(true)
}

fn is_half_full(bounds: &StreamBounds) -> bool {
    let half = |used: u64, most: Option<u64>| most.is_some_and(|most| used.saturating_mul(2) > most);
    half(bounds.messages, bounds.most_messages) || half(bounds.bytes, bounds.most_bytes)
}

#[cfg(test)]
mod tests {
    use bus::ports::StreamBounds;

    use super::is_half_full;

    #[test]
    fn a_stream_is_half_full_by_messages_or_by_bytes() {
        let bounds =
            StreamBounds { messages: 6, most_messages: Some(10), bytes: 1, ..StreamBounds::default() };
        assert!(is_half_full(&bounds));
        assert!(!is_half_full(&StreamBounds { messages: 5, ..bounds }));
        assert!(is_half_full(&StreamBounds { messages: 5, bytes: 6, most_bytes: Some(10), ..bounds }));
        assert!(!is_half_full(&StreamBounds { most_messages: None, ..bounds }));
    }
}
