//! How many commands may be open at each participant, over all partitions of a node.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::decider::{self, Participant};
use tokio::sync::Notify;

use crate::config::InFlight;
use crate::metrics::Metrics;

/// The gates of a node. An entity reads them in the moment of its decision; a closed one makes an effect wait.
#[derive(Debug)]
pub(crate) struct Gates {
    caps: [i64; 5],
    in_flight: [AtomicI64; 5],
    /// One for each partition: some gate has room again.
    freed: Mutex<Vec<Arc<Notify>>>,
    metrics: Arc<Metrics>,
}

impl Gates {
    pub(crate) fn new(caps: InFlight, metrics: Arc<Metrics>) -> Self {
        Self {
            caps: Participant::ALL.map(|participant| i64::from(caps.of(participant))),
            in_flight: Default::default(),
            freed: Mutex::default(),
            metrics,
        }
    }

    /// A partition wants to know when a gate has room again.
    pub(crate) fn watch(&self) -> Arc<Notify> {
        let freed = Arc::new(Notify::new());
        self.freed.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&freed));
        freed
    }

    /// How many more commands may go out now.
    pub(crate) fn free(&self, participant: Participant) -> usize {
        let at = participant.index();
        usize::try_from(self.caps[at] - self.in_flight[at].load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// The gates as a decision sees them.
    pub(crate) fn snapshot(&self) -> decider::Gates {
        Participant::ALL.iter().fold(decider::Gates::OPEN, |gates, participant| {
            gates.with(*participant, self.free(*participant) > 0)
        })
    }

    /// So many more commands are open (or, negative, are answered).
    pub(crate) fn adjust(&self, participant: Participant, difference: i64) {
        self.in_flight[participant.index()].fetch_add(difference, Ordering::Relaxed);
        self.metrics.in_flight[participant.index()].adjust(difference);
        if difference < 0 && self.metrics.waiting_of(participant).get() > 0 {
            for freed in self.freed.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                freed.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::decider::Participant;

    use super::Gates;
    use crate::config::InFlight;
    use crate::metrics::Metrics;

    #[test]
    fn a_gate_closes_at_its_cap_and_opens_with_an_answer() {
        let gates = Gates::new(InFlight { erp: 2, ..InFlight::default() }, Arc::<Metrics>::default());
        gates.adjust(Participant::Erp, 2);
        assert!(!gates.snapshot().open(Participant::Erp) && gates.snapshot().open(Participant::Payment));
        gates.adjust(Participant::Erp, 1);
        assert_eq!(gates.free(Participant::Erp), 0);
        gates.adjust(Participant::Erp, -2);
        assert!(gates.snapshot().open(Participant::Erp));
    }
}
