//! Items of a batch that belong to another partition: stored under their own subject before the batch counts as consumed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use bus::ports::{Expect, StoreOutcome};
use domain::decider::Decider;
use futures_util::future::join_all;
use tokio::sync::Notify;

use super::commit_queue::{Consumed, Queued};
use super::core::{Partition, Stage};
use crate::inbound::Elsewhere;
use crate::record::{Entry, HandedOn as HandedOnEntry, encode_entry};

/// How many items are on their way at the same time.
const MOST_AT_ONCE: usize = 64;

/// The items that wait to be handed on; bounded by the credits of their batches.
#[derive(Debug, Default)]
pub(crate) struct HandingOn {
    waiting: RefCell<VecDeque<(Elsewhere, Consumed)>>,
    filled: Notify,
}

impl HandingOn {
    /// Adds an item.
    pub(crate) fn push(&self, item: Elsewhere, consumed: Consumed) {
        self.waiting.borrow_mut().push_back((item, consumed));
        self.filled.notify_one();
    }

    fn take(&self) -> Vec<(Elsewhere, Consumed)> {
        let mut waiting = self.waiting.borrow_mut();
        let count = waiting.len().min(MOST_AT_ONCE);
        waiting.drain(..count).collect()
    }
}

/// Hands items on until everything of the partition is recorded.
pub(crate) async fn run<D: Decider>(partition: Rc<Partition<D>>) {
    let mut stage = partition.stage();
    loop {
        let items = partition.handing_on.take();
        if items.is_empty() {
            tokio::select! {
                biased;
                () = partition.handing_on.filled.notified() => {}
                _ = stage.wait_for(|stage| *stage == Stage::Recorded) => return,
            }
            continue;
        }
        join_all(items.into_iter().map(|(item, consumed)| hand_on(&partition, item, consumed))).await;
    }
}

async fn hand_on<D: Decider>(partition: &Partition<D>, item: Elsewhere, consumed: Consumed) {
    let (env, mut attempt) = (&partition.env, 0);
    loop {
        match env.bus.store(item.message.clone(), Expect::Anything).await {
            StoreOutcome::Stored(_) => break,
            StoreOutcome::Refused(cause) => {
                // No server takes it, so its own partition cannot judge it: it is set aside here.
                let refused = item.refused(&cause);
                partition.refuse(refused, Some(consumed));
                return;
            }
            // After an unknown outcome it may be stored twice; its source and id tell.
            StoreOutcome::Unknown(_) | StoreOutcome::Full | StoreOutcome::Conflict => {
                tokio::time::sleep(env.config.retry_pause(attempt)).await;
                attempt += 1;
            }
        }
    }
    env.metrics.handed_on.add_one();
    let entry = HandedOnEntry {
        stream: item.envelope.stream.clone(),
        sequence: item.envelope.sequence,
        item: item.envelope.item.unwrap_or_default(),
        subject: item.message.subject,
    };
    let mut queued = Queued { consumed: Some(consumed), credits: 1, entry_count: 1, ..Queued::default() };
    encode_entry(&mut queued.entries, &Entry::<()>::HandedOn(entry));
    partition.queue.push(queued);
}
