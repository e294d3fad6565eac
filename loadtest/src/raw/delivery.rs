//! Sending without an answer, but not losing anything to a queue that is full for a moment.

use std::time::Duration;

use bus::ports::{Bus, Outgoing};
use tokio::time::sleep;

/// How long a full queue is waited for, in all.
const MOST_TRIES: u32 = 5_000;
const PAUSE: Duration = Duration::from_millis(2);

/// Sends; false = the queue stayed full, or the connection stayed away.
pub async fn deliver(bus: &dyn Bus, message: Outgoing) -> bool {
    for _ in 0..MOST_TRIES {
        if bus.send(message.clone()) {
            return true;
        }
        sleep(PAUSE).await;
    }
    false
}
