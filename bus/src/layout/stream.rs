//! What a stream is: its name in the code, what it holds, and what it may lose.

use std::time::Duration;

use domain::decider::Participant;

/// A domain that gets commands although no order waits for its limit: it has no gate, but a stream like the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Checks orders for fraud.
    Fraud,
    /// Knows who a customer is.
    Identity,
    /// Tells customers what happened.
    Notification,
}

impl Service {
    /// All of them, in a fixed order.
    pub const ALL: [Self; 3] = [Self::Fraud, Self::Identity, Self::Notification];

    /// The domain token of its commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fraud => "fraud",
            Self::Identity => "identity",
            Self::Notification => "notification",
        }
    }
}

/// A stream of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamId {
    /// New work that may be refused; full means "not now" to the publisher.
    Intake,
    /// Wishes and facts about existing work; never refused on the way.
    Work,
    /// Answers of participants.
    Replies,
    /// Completed sales, late and in batches.
    Bulk,
    /// Commands to one participant.
    Commands(Participant),
    /// Commands to a domain without a gate.
    ServiceCommands(Service),
    /// Event pages: complete, in order, each once.
    Events,
    /// Chosen events alone, at least once.
    Notices,
    /// Dead letters.
    Dlq,
    /// Every operator act; cannot be deleted or purged.
    Audit,
    /// The journal of one partition: the truth.
    Journal(u16),
    /// Snapshots, one message for each entity: a shortcut.
    Snapshots,
    /// The bucket of leases: who owns which partition (liveness only).
    Owners,
    /// The bucket of reference data that every node watches.
    Reference,
}

/// One of the four ways in, each read by each partition from its own position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Answers of participants.
    Replies,
    /// Wishes and facts.
    Work,
    /// New work.
    Intake,
    /// Completed sales, read with spare capacity only.
    Bulk,
}

impl Lane {
    /// All of them, in the order in which they are served.
    pub const ALL: [Self; 4] = [Self::Replies, Self::Work, Self::Intake, Self::Bulk];

    /// The stream that the lane reads.
    pub const fn stream(self) -> StreamId {
        match self {
            Self::Replies => StreamId::Replies,
            Self::Work => StreamId::Work,
            Self::Intake => StreamId::Intake,
            Self::Bulk => StreamId::Bulk,
        }
    }

    /// Its place in [`Lane::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// When the broker has a message on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// Before its ack, as far as the server's `sync_interval` goes.
    BeforeAck,
    /// Some time after its ack: even a killed server may lose the last acked messages and give their sequences out again.
    AfterAck,
}

/// What happens at the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// The new message is refused.
    New,
    /// The oldest messages go.
    Old,
}

/// How much a stream holds at most; none = no bound of its own (the server's storage is one for all).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Messages.
    pub messages: Option<u64>,
    /// Bytes, headers and subjects included. The server sets them aside when the stream is made.
    pub bytes: Option<u64>,
    /// How old a message may get.
    pub age: Option<Duration>,
}

impl Bounds {
    /// At most this many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self { messages: None, bytes: Some(bytes), age: None }
    }

    /// At most this many messages.
    pub const fn messages(messages: u64) -> Self {
        Self { messages: Some(messages), bytes: None, age: None }
    }

    /// The same bounds, and messages older than `age` go.
    #[must_use]
    pub const fn with_age(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// The same bounds, and at most this many messages.
    #[must_use]
    pub const fn with_messages(mut self, messages: u64) -> Self {
        self.messages = Some(messages);
        self
    }
}

/// Rewrites the subject of a message before it is stored, in the notation of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transform {
    /// Which subjects it rewrites; its wildcards are numbered from 1.
    pub source: String,
    /// What becomes of them: literal tokens, `{{wildcard(n)}}` and `{{partition(P,n)}}`.
    pub destination: String,
}

/// Everything that `setup` says to the broker about one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of the server, each with its own name there"
)]
pub struct StreamSpec {
    /// Which stream it is.
    pub id: StreamId,
    /// Its name in the broker.
    pub name: String,
    /// What it takes.
    pub subjects: Vec<String>,
    /// How stored subjects come about; none = as published.
    pub transform: Option<Transform>,
    /// When it is on disk.
    pub persistence: Persistence,
    /// How much it holds.
    pub bounds: Bounds,
    /// How many messages it keeps on one subject; none = all.
    pub per_subject: Option<u64>,
    /// What happens at the bound.
    pub discard: Discard,
    /// How long the broker remembers `Nats-Msg-Id`s.
    pub duplicate_window: Duration,
    /// Refuses the removal of single messages.
    pub deny_delete: bool,
    /// Refuses to be purged.
    pub deny_purge: bool,
    /// Any replica may answer a direct read.
    pub allow_direct: bool,
    /// Takes atomic batches.
    pub allow_atomic: bool,
    /// Messages may carry their own time to live.
    pub allow_message_ttl: bool,
    /// A message may replace all older ones of its subject (buckets need it).
    pub allow_rollup: bool,
    /// How many servers hold it.
    pub replicas: u8,
}
