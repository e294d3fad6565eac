//! Where to begin reading, and reading on through broker trouble.

use std::time::Duration;

use bus::ports::{OpenError, Position, Reader, SharedBus, Unavailable};
use tokio::time::sleep;

/// How long to wait before asking a broker again that could not be asked.
const PAUSE: Duration = Duration::from_millis(200);

/// The position after everything that a stream holds now.
pub async fn end_of(bus: &SharedBus, stream: &str) -> Result<Position, Unavailable> {
    let bounds = bus.bounds(stream).await?;
    let last = if bounds.messages == 0 { None } else { bus.get(stream, bounds.last).await? };
    let timestamp_ns = last.map_or(0, |stored| stored.timestamp_ns);
    Ok(Position { sequence: bounds.last, timestamp_ns })
}

/// Opens a reader; tries again for as long as the broker cannot be asked.
pub(crate) async fn open(
    bus: &SharedBus,
    stream: &str,
    from: Position,
) -> Result<Box<dyn Reader>, OpenError> {
    loop {
        match bus.open(stream, None, from).await {
            Err(OpenError::Unavailable(cause)) => {
                tracing::debug!(stream, %cause, "waiting for the broker");
                sleep(PAUSE).await;
            }
            definite => return definite,
        }
    }
}
