//! Items of a batch that belong to another partition: recorded there, or stored under their own subject, before the batch
//! counts as consumed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use bus::ports::{Expect, StoreOutcome};
use domain::decider::Decider;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;

use super::actor::HandOver;
use super::commit_queue::{Consumed, Queued};
use super::core::{Partition, Stage};
use super::guests::NotTaken;
use crate::inbound::Elsewhere;
use crate::record::{Entry, HandedOn as HandedOnEntry, encode_entry};

/// How many items are on their way at the same time.
const MOST_AT_ONCE: usize = 128;

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

    fn pop(&self) -> Option<(Elsewhere, Consumed)> {
        self.waiting.borrow_mut().pop_front()
    }
}

/// Hands items on, each by itself, until everything of the partition is recorded.
pub(crate) async fn run<D: Decider>(partition: Rc<Partition<D>>) {
    let mut stage = partition.stage();
    let mut under_way = FuturesUnordered::new();
    loop {
        while under_way.len() < MOST_AT_ONCE {
            let Some((item, consumed)) = partition.handing_on.pop() else { break };
            under_way.push(hand_on(&partition, item, consumed));
        }
        tokio::select! {
            biased;
            Some(()) = under_way.next() => {}
            () = partition.handing_on.filled.notified(), if under_way.len() < MOST_AT_ONCE => {}
            _ = stage.wait_for(|stage| *stage == Stage::Recorded) => return,
        }
    }
}

async fn hand_on<D: Decider>(partition: &Partition<D>, item: Elsewhere, consumed: Consumed) {
    let (env, mut attempt) = (&partition.env, 0);
    loop {
        // Memory first, at every attempt: the stream may be full of what only that can settle.
        match through_memory(partition, &item).await {
            Ok(()) => break,
            Err(NotTaken::Busy) => {}
            Err(NotTaken::Gone) => match env.bus.store(item.message(), Expect::Anything).await {
                StoreOutcome::Stored(_) => break,
                StoreOutcome::Refused(cause) => {
                    // No server takes it, so its own partition cannot judge it: it is set aside here.
                    let refused = item.refused(&cause);
                    partition.refuse(refused, Some(consumed));
                    return;
                }
                // After an unknown outcome it may be there twice; its source and id tell.
                StoreOutcome::Unknown(_) | StoreOutcome::Full | StoreOutcome::Conflict => {}
            },
        }
        tokio::time::sleep(env.config.retry_pause(attempt)).await;
        attempt += 1;
    }
    env.metrics.handed_on.add_one();
    let entry = HandedOnEntry {
        stream: item.envelope.stream.to_string(),
        sequence: item.envelope.sequence,
        item: item.envelope.item.unwrap_or_default(),
        subject: item.subject,
    };
    let mut queued = Queued { consumed: Some(consumed), credits: 1, entry_count: 1, ..Queued::default() };
    encode_entry(&mut queued.entries, &Entry::<()>::HandedOn(entry));
    partition.queue.push(queued);
}

/// Gives the item to its own partition if this node has it; comes back once its outcome is recorded there.
async fn through_memory<D: Decider>(partition: &Partition<D>, item: &Elsewhere) -> Result<(), NotTaken> {
    let hand_over = {
        let doors = partition.env.doors.upgrade().ok_or(NotTaken::Gone)?;
        let door = doors.get(&item.partition).ok_or(NotTaken::Gone)?;
        door.hand_over.clone()
    };
    hand_over.send(HandOver(item.envelope.clone())).await.unwrap_or(Err(NotTaken::Gone))
}
