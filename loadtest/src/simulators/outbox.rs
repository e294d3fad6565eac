//! Stores messages until the broker has them, many at a time, without making the sender wait for each.

use std::time::Duration;

use bus::packing::{Packable, encoded, pack};
use bus::ports::{Expect, Outgoing, SharedBus, StoreOutcome};
use domain::ids::Key;
use domain::messages::body::Format;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// The bounds of an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxSettings {
    /// How many stores may be under way at once.
    pub under_way: usize,
    /// How many more may wait; then the sender waits.
    pub waiting: usize,
    /// The first pause after a full stream or an unknown outcome; it doubles up to a second.
    pub pause: Duration,
    /// Messages that wait together go out in batches, by partition of so many; none = each alone.
    pub batch_partitions: Option<u16>,
    /// The least time between two sends in batches: who sends batches lets what is said at about the same time travel together.
    pub gather: Duration,
    /// How everything is written; it is handed over as JSON.
    pub format: Format,
}

impl Default for OutboxSettings {
    fn default() -> Self {
        Self {
            under_way: 256,
            waiting: 1024,
            pause: Duration::from_millis(5),
            batch_partitions: None,
            gather: Duration::from_millis(5),
            format: Format::Json,
        }
    }
}

/// Where to put messages.
#[derive(Debug, Clone)]
pub struct Outbox(mpsc::Sender<Outgoing>);

impl Outbox {
    /// Hands a message over; waits while the outbox is full. False: the outbox is closed.
    pub async fn put(&self, message: Outgoing) -> bool {
        self.0.send(message).await.is_ok()
    }
}

/// An outbox, and the work that empties it: it ends when all handles are gone and everything is stored.
///
/// What the broker refuses for good (no stream takes it, too large) is given to `refused`.
pub fn outbox(
    bus: SharedBus,
    settings: OutboxSettings,
    refused: impl Fn(&Outgoing, &str) + Send + Sync,
) -> (Outbox, impl Future<Output = ()> + Send) {
    let (sender, mut receiver) = mpsc::channel(settings.waiting.max(1));
    let work = async move {
        let mut under_way = FuturesUnordered::new();
        let mut is_open = true;
        let mut next_at = Instant::now();
        while is_open || !under_way.is_empty() {
            tokio::select! {
                biased;
                Some(()) = under_way.next() => {}
                () = sleep_until(next_at), if is_open && Instant::now() < next_at => {}
                next = receiver.recv(), if is_open && Instant::now() >= next_at && under_way.len() < settings.under_way => match next {
                    Some(message) => {
                        if settings.batch_partitions.is_some() {
                            next_at = Instant::now() + settings.gather;
                        }
                        for message in together(message, &mut receiver, settings) {
                            under_way.push(store(&bus, message, settings.pause, &refused));
                        }
                    }
                    None => is_open = false,
                },
            }
        }
    };
    (Outbox(sender), work)
}

/// A message, and what waits behind it if messages go out in batches.
fn together(
    first: Outgoing,
    receiver: &mut mpsc::Receiver<Outgoing>,
    settings: OutboxSettings,
) -> Vec<Outgoing> {
    let Some(partitions) = settings.batch_partitions else {
        return vec![encoded(first, settings.format)];
    };
    let mut messages = vec![first];
    while messages.len() < settings.under_way {
        let Ok(next) = receiver.try_recv() else { break };
        messages.push(next);
    }
    let (mut packable, mut together) = (Vec::new(), Vec::new());
    for message in messages {
        match message.subject.rsplit('.').next().map(Key::new) {
            Some(Ok(key)) => {
                packable.push(Packable {
                    partition: key.partition(partitions),
                    key: key.to_string(),
                    message,
                });
            }
            _ => together.push(encoded(message, settings.format)),
        }
    }
    together.extend(pack(packable, settings.format).into_iter().map(|(message, _)| message));
    together
}

/// Stores one message, however often that has to be tried: its `ce-id` makes a second copy harmless.
async fn store(
    bus: &SharedBus,
    message: Outgoing,
    first_pause: Duration,
    refused: &impl Fn(&Outgoing, &str),
) {
    let mut pause = first_pause;
    loop {
        match bus.store(message.clone(), Expect::Anything).await {
            StoreOutcome::Stored(_) => return,
            StoreOutcome::Refused(cause) => return refused(&message, &cause),
            StoreOutcome::Full | StoreOutcome::Unknown(_) | StoreOutcome::Conflict => sleep(pause).await,
        }
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}
