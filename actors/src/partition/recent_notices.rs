//! Notices are only sent, so the last ones before the connection was lost may not have been kept: they go out again.

use std::collections::VecDeque;
use std::time::Duration;

use bus::ports::{Bus, Outgoing};
use tokio::time::Instant;

/// How many notices are remembered.
pub(crate) const MOST_KEPT: usize = 1_024;

/// How long before the newest one; a killed broker loses what it has not written yet, which is far younger.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(10);

/// The notices that were sent last.
#[derive(Debug, Default)]
pub(crate) struct RecentNotices {
    sent: VecDeque<(Instant, Outgoing)>,
    /// The losses of connection that these notices have been sent again for.
    losses: u64,
}

impl RecentNotices {
    /// Remembers a notice that is sent now.
    pub(crate) fn add(&mut self, notice: Outgoing) {
        let now = Instant::now();
        while self.sent.front().is_some_and(|(at, _)| self.sent.len() >= MOST_KEPT || now - *at > KEPT_FOR) {
            self.sent.pop_front();
        }
        self.sent.push_back((now, notice));
    }

    /// What has to be sent again: all of them, once the connection is back after a loss.
    pub(crate) fn again(&mut self, bus: &dyn Bus) -> Vec<Outgoing> {
        let losses = bus.losses();
        if losses == self.losses || !bus.connected() {
            return Vec::new();
        }
        self.losses = losses;
        let now = Instant::now();
        // They are as young as new ones now: the next loss may come at once.
        for (at, _) in &mut self.sent {
            *at = now;
        }
        self.sent.iter().map(|(_, notice)| notice.clone()).collect()
    }
}
