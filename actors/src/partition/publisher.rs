//! Event pages and dead letters, behind the journal and in its order; each is stored once, over any crash.
//!
//! The output is its own marker: it is stored only if the last one on its subject is the one we know, and its id says which
//! record it belongs to.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use bus::layout::StreamId;
use bus::ports::{Expect, Outgoing, StoreOutcome, Stored};
use domain::decider::Decider;
use futures_util::future::join_all;
use tokio::sync::{Notify, mpsc};

use super::core::Partition;
use super::recent_notices::RecentNotices;
use crate::outbound::Marker;

/// How many subjects are remembered; beyond it they are looked up again.
const MOST_KNOWN_SUBJECTS: usize = 1_024;

/// How often a partition without work looks whether the connection was lost.
const LOSS_CHECK: Duration = Duration::from_millis(500);

/// An output that is stored in order on its subject.
#[derive(Debug)]
pub(crate) struct Ordered {
    pub(crate) stream: StreamId,
    pub(crate) marker: Marker,
    pub(crate) message: Outgoing,
}

/// What one record tells the outside.
#[derive(Debug)]
pub(crate) struct OutputJob {
    pub(crate) journal_sequence: u64,
    pub(crate) ordered: Vec<Ordered>,
    /// Follow when the pages are stored.
    pub(crate) notices: Vec<Outgoing>,
}

/// How far outputs are out, and what stands last on their subjects.
#[derive(Debug, Default)]
pub(crate) struct Published {
    pub(crate) through: Cell<u64>,
    /// The last record of which pages or dead letters were stored.
    pub(crate) stored: Cell<u64>,
    /// Rings when `through` has moved.
    pub(crate) moved: Notify,
    last: RefCell<HashMap<String, Last>>,
    notices: RefCell<RecentNotices>,
}

/// What stands last on a subject.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    /// Its sequence, 0 for nothing.
    sequence: u64,
    marker: Option<Marker>,
}

impl Last {
    fn of(stored: Option<&Stored>) -> Self {
        stored.map_or_else(Self::default, |stored| Self {
            sequence: stored.sequence,
            marker: Marker::of(stored),
        })
    }
}

/// Publishes until the committer is done.
pub(crate) async fn run<D: Decider>(partition: Rc<Partition<D>>, mut jobs: mpsc::Receiver<OutputJob>) {
    loop {
        tokio::select! {
            biased;
            job = jobs.recv() => match job.inspect(|_| partition.show_outputs(jobs.len())) {
                Some(job) => publish(&partition, job).await,
                None => return,
            },
            () = tokio::time::sleep(LOSS_CHECK) => {}
        }
        let lost = partition.published.notices.borrow_mut().again(&*partition.env.bus);
        for notice in lost {
            send(&partition, notice);
        }
    }
}

fn send<D: Decider>(partition: &Partition<D>, notice: Outgoing) {
    if partition.env.bus.send(notice) {
        partition.env.metrics.notices.add_one();
    }
}

/// Stores the ordered outputs of a record, then sends its notices.
pub(crate) async fn publish<D: Decider>(partition: &Partition<D>, job: OutputJob) {
    let OutputJob { journal_sequence, ordered, notices } = job;
    let (metrics, tells) = (&partition.env.metrics, !ordered.is_empty());
    for output in &ordered {
        if output.stream == StreamId::Events {
            metrics.pages.add_one();
        }
    }
    // Within a subject one after the other, different subjects at the same time.
    let mut subjects: Vec<Vec<Ordered>> = Vec::new();
    for output in ordered {
        match subjects.iter_mut().find(|group| group[0].message.subject == output.message.subject) {
            Some(group) => group.push(output),
            None => subjects.push(vec![output]),
        }
    }
    join_all(subjects.into_iter().map(|group| async {
        for output in group {
            store_once(partition, output).await;
        }
    }))
    .await;
    for notice in notices {
        partition.published.notices.borrow_mut().add(notice.clone());
        send(partition, notice);
    }
    partition.published.through.set(journal_sequence);
    if tells {
        partition.published.stored.set(journal_sequence);
    }
    partition.published.moved.notify_one();
}

async fn store_once<D: Decider>(partition: &Partition<D>, output: Ordered) {
    let (env, known) = (&partition.env, &partition.published.last);
    let Ordered { stream, marker, message } = output;
    let stream = env.layout.name(stream);
    for attempt in 0.. {
        let remembered = known.borrow().get(&message.subject).copied();
        let last = match remembered {
            Some(last) => Ok(last),
            None => env
                .bus
                .last_on_subject(&stream, &message.subject)
                .await
                .map(|stored| Last::of(stored.as_ref())),
        };
        match last {
            Ok(last) if last.marker.is_some_and(|found| found >= marker) => {
                remember(known, &message.subject, last);
                return; // it is out already
            }
            Ok(last) => {
                match env.bus.store(message.clone(), Expect::LastOnSubject(last.sequence)).await {
                    StoreOutcome::Stored(sequence) => {
                        remember(known, &message.subject, Last { sequence, marker: Some(marker) });
                        return;
                    }
                    // Whether this or an earlier attempt is there, the subject itself tells.
                    outcome => {
                        known.borrow_mut().remove(&message.subject);
                        tracing::debug!(
                            partition = partition.number,
                            ?outcome,
                            "an output is not stored yet"
                        );
                    }
                }
            }
            Err(error) => {
                tracing::warn!(partition = partition.number, %error, "an output waits for the broker");
            }
        }
        tokio::time::sleep(env.config.retry_pause(attempt)).await;
    }
}

fn remember(known: &RefCell<HashMap<String, Last>>, subject: &str, last: Last) {
    let mut known = known.borrow_mut();
    if let Some(known) = known.get_mut(subject) {
        *known = last;
        return;
    }
    if known.len() >= MOST_KNOWN_SUBJECTS {
        known.clear();
    }
    known.insert(subject.to_owned(), last);
}
