//! The memory bus as a [`Bus`], with the hooks by which tests give it bad days.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

use super::core::Core;
use super::reader::MemoryReader;
use super::router::Router;
use super::stream::Stream;
use crate::layout::Layout;
use crate::ports::{
    Bus, Expect, MOST_IN_BATCH, OpenError, Outgoing, Position, Reader, Request, StoreOutcome, Stored,
    StreamBounds, Subscription, Unavailable,
};

/// What time it is: nanoseconds since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The largest message that is taken, headers and body together: the default of nats-server.
const MOST_BYTES_A_MESSAGE: usize = 1024 * 1024;

/// A broker inside the process. Clones are handles to the same broker.
#[derive(Debug, Clone)]
pub struct MemoryBus {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    streams: Vec<Arc<Stream>>,
    by_name: HashMap<String, usize>,
    router: Router,
    core: Arc<Core>,
    clock: Clock,
    connected: AtomicBool,
    dropped: AtomicU64,
    losses: AtomicU64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("MemoryBus").field("streams", &self.by_name.len()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    fn stream(&self, name: &str) -> Option<&Arc<Stream>> {
        self.by_name.get(name).map(|at| &self.streams[*at])
    }
}

impl MemoryBus {
    /// A broker with the streams of `layout`; `clock` stamps the messages.
    pub fn new(layout: &Layout, clock: Clock) -> Self {
        let (mut router, mut by_name, mut streams) = (Router::default(), HashMap::new(), Vec::new());
        for (at, spec) in layout.streams().into_iter().enumerate() {
            for pattern in &spec.subjects {
                router.add(pattern, at);
            }
            by_name.insert(spec.name.clone(), at);
            streams.push(Arc::new(Stream::new(spec, clock())));
        }
        let shared = Shared {
            streams,
            by_name,
            router,
            core: Arc::default(),
            clock,
            connected: AtomicBool::new(true),
            dropped: AtomicU64::new(0),
            losses: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The same with the clock of the machine.
    pub fn real_time(layout: &Layout) -> Self {
        Self::new(layout, Arc::new(now_ns))
    }

    /// Takes the connection away: stores become unknown, sends are dropped, readers wait.
    pub fn disconnect(&self) {
        self.shared.losses.fetch_add(1, Ordering::Relaxed);
        self.shared.connected.store(false, Ordering::Release);
    }

    /// Gives the connection back.
    pub fn reconnect(&self) {
        self.shared.connected.store(true, Ordering::Release);
        for stream in &self.shared.streams {
            stream.kept().ring();
        }
    }

    /// Takes the last `most` messages from the end of a stream, as a killed server does to a stream that writes after its
    /// ack. Their sequences are given out again. Says how many went.
    pub fn lose_tail(&self, stream: &str, most: u64) -> u64 {
        self.shared.stream(stream).map_or(0, |stream| stream.kept().lose_tail(most))
    }

    /// How many sends were dropped because there was no connection.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }

    fn reached(&self, what: &str, stream: &str) -> Result<&Arc<Stream>, Unavailable> {
        let error = |cause: &str| Unavailable { what: format!("{what} {stream}"), cause: cause.to_owned() };
        if !self.shared.is_connected() {
            return Err(error("no connection"));
        }
        self.shared.stream(stream).ok_or_else(|| error("no such stream"))
    }

    fn purgeable(&self, stream: &str) -> Result<&Arc<Stream>, Unavailable> {
        let found = self.reached("purge", stream)?;
        if found.spec.deny_purge {
            return Err(Unavailable { what: format!("purge {stream}"), cause: "not permitted".to_owned() });
        }
        Ok(found)
    }

    fn store_batch_now(&self, messages: Vec<Outgoing>, expect: Expect) -> StoreOutcome {
        if messages.is_empty() || messages.len() > MOST_IN_BATCH {
            return StoreOutcome::Refused(format!("a batch has 1 to {MOST_IN_BATCH} messages"));
        }
        if messages.iter().any(is_too_large) {
            return StoreOutcome::Refused(format!("larger than {MOST_BYTES_A_MESSAGE} bytes"));
        }
        let Some(at) = self.shared.router.find(&messages[0].subject) else {
            return StoreOutcome::Refused(format!("no stream takes {}", messages[0].subject));
        };
        if messages.iter().any(|message| self.shared.router.find(&message.subject) != Some(at)) {
            return StoreOutcome::Refused("a batch belongs to one stream".to_owned());
        }
        self.shared.streams[at].store_batch(messages, expect, (self.shared.clock)())
    }

    fn store_now(&self, message: Outgoing, expect: Expect) -> StoreOutcome {
        if is_too_large(&message) {
            return StoreOutcome::Refused(format!("larger than {MOST_BYTES_A_MESSAGE} bytes"));
        }
        self.shared.core.deliver(&message, None);
        match self.shared.router.find(&message.subject) {
            Some(at) => self.shared.streams[at].store(message, expect, (self.shared.clock)()),
            None => StoreOutcome::Refused(format!("no stream takes {}", message.subject)),
        }
    }
}

fn is_too_large(message: &Outgoing) -> bool {
    let headers = message.headers.bytes() + 4 * message.headers.len();
    headers + message.body.len() > MOST_BYTES_A_MESSAGE
}

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[async_trait]
impl Bus for MemoryBus {
    async fn store(&self, message: Outgoing, expect: Expect) -> StoreOutcome {
        if self.shared.is_connected() {
            self.store_now(message, expect)
        } else {
            StoreOutcome::Unknown("no connection".to_owned())
        }
    }

    async fn store_batch(&self, messages: Vec<Outgoing>, expect: Expect) -> StoreOutcome {
        if self.shared.is_connected() {
            self.store_batch_now(messages, expect)
        } else {
            StoreOutcome::Unknown("no connection".to_owned())
        }
    }

    fn send(&self, message: Outgoing) -> bool {
        if !self.shared.is_connected() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        // Nobody waits for what became of it: a full stream or a subject without stream is the sender's silence.
        let _outcome = self.store_now(message, Expect::Anything);
        true
    }

    async fn open(
        &self,
        stream: &str,
        filter: Option<&str>,
        position: Position,
    ) -> Result<Box<dyn Reader>, OpenError> {
        if !self.shared.is_connected() {
            self.reached("open", stream)?;
        }
        let found = self.shared.stream(stream).ok_or_else(|| OpenError::NoStream(stream.to_owned()))?;
        Ok(Box::new(MemoryReader::open(self.shared.clone(), found.clone(), filter, position)?))
    }

    async fn get(&self, stream: &str, sequence: u64) -> Result<Option<Stored>, Unavailable> {
        Ok(self.reached("get from", stream)?.kept().get(sequence))
    }

    async fn last_on_subject(&self, stream: &str, subject: &str) -> Result<Option<Stored>, Unavailable> {
        let kept = self.reached("last of", stream)?.kept();
        Ok(kept.get(kept.last_on(subject)))
    }

    async fn bounds(&self, stream: &str) -> Result<StreamBounds, Unavailable> {
        Ok(self.reached("bounds of", stream)?.bounds((self.shared.clock)()))
    }

    async fn missing_after(&self, stream: &str, sequence: u64) -> Result<u64, Unavailable> {
        Ok(self.reached("holes of", stream)?.kept().missing_after(sequence))
    }

    async fn count_between(
        &self,
        stream: &str,
        filter: &str,
        after: u64,
        through: u64,
    ) -> Result<u64, Unavailable> {
        Ok(self.reached("count in", stream)?.kept().count_between(filter, after, through))
    }

    async fn purge_below(&self, stream: &str, sequence: u64) -> Result<(), Unavailable> {
        self.purgeable(stream)?.kept().remove_below(sequence);
        Ok(())
    }

    async fn purge_filtered(&self, stream: &str, filter: &str, sequence: u64) -> Result<(), Unavailable> {
        self.purgeable(stream)?.kept().remove_filtered(filter, sequence);
        Ok(())
    }

    async fn subscribe(&self, subject: &str) -> Result<Box<dyn Subscription>, Unavailable> {
        Ok(Box::new(self.shared.core.listen(subject)))
    }

    async fn request(&self, message: Outgoing, patience: Duration) -> Result<Request, Unavailable> {
        let error = |cause: &str| Unavailable {
            what: format!("request {}", message.subject),
            cause: cause.to_owned(),
        };
        if !self.shared.is_connected() {
            return Err(error("no connection"));
        }
        let inbox = self.shared.core.new_inbox();
        let mut answers = self.shared.core.listen(&inbox);
        if self.shared.core.deliver(&message, Some(&inbox)) == 0 {
            return Err(error("no responders"));
        }
        match tokio::time::timeout(patience, answers.next()).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) | Err(_) => Err(error("no answer in time")),
        }
    }

    fn connected(&self) -> bool {
        self.shared.is_connected()
    }

    fn losses(&self) -> u64 {
        self.shared.losses.load(Ordering::Relaxed)
    }
}
