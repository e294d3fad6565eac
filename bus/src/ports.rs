//! The ports: what the actors, the simulators and the server ask of a broker, and what it promises.
//!
//! Guarantees that every adapter gives, and that the contract suite checks by number:
//!
//! 1. A stream gives each stored message the next sequence, and its own timestamp, never going backwards.
//! 2. A subject transform rewrites the stored subject; the partition is FNV-1a 32 of the key modulo P.
//! 3. A stream with a bound refuses the publish that would pass it ([`StoreOutcome::Full`]) and loses nothing.
//! 4. A conditional store succeeds only if the expectation holds, and then exactly once.
//! 5. A reader gives every message of its filter after its position, in order, each once, across reconnects.
//! 6. A reader checks its position at every connect, and goes back if the stream lost its end.
//! 7. `Unknown` means: it may have happened, or may still happen. Nothing else does.
//! 8. A fire-and-forget send is bounded, never waits, and is dropped (and counted) while there is no connection.
//! 9. A batch is stored whole or not at all, and only if the expectation on its first message holds.
//! 10. A purge removes what lies below its sequence and what its filter takes, and nothing else.
//! 11. What is gone behind a sequence is counted, whoever removed it and however.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::envelope::Headers;

/// A message on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where it goes.
    pub subject: String,
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub body: Bytes,
}

/// A stored message, read from a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The stored subject, after any transform.
    pub subject: String,
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub body: Bytes,
    /// Its sequence in the stream, from 1.
    pub sequence: u64,
    /// When the broker stored it: nanoseconds since the Unix epoch.
    pub timestamp_ns: i64,
}

/// A place in a stream: after the message with this sequence and this timestamp. The default is the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// The sequence of the last message that was consumed, 0 for none.
    pub sequence: u64,
    /// Its timestamp: nanoseconds since the Unix epoch, 0 for none.
    pub timestamp_ns: i64,
}

/// The broker cannot be asked right now. Whether the request had an effect is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: the broker did not answer ({cause})")]
pub struct Unavailable {
    /// What was tried.
    pub what: String,
    /// What the client library said.
    pub cause: String,
}

/// Why a reader could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Try again later.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// Messages after the position were purged before they were consumed: going on would lose them.
    #[error(
        "{stream}: messages {from}..{to} after the recorded position are gone; restore the stream or reset the position on purpose"
    )]
    Gap {
        /// The stream.
        stream: String,
        /// The first missing sequence.
        from: u64,
        /// The first sequence that is there.
        to: u64,
    },
    /// There is no such stream.
    #[error("stream {0} does not exist; run `doorbuster setup --apply`")]
    NoStream(String),
}

/// What is expected of a stream at the moment of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    Anything,
    /// The last sequence of the whole stream.
    LastSequence(u64),
    /// The sequence of the last message on the same subject, 0 for none.
    LastOnSubject(u64),
}

/// The most messages that [`Bus::store_batch`] takes.
pub const MOST_IN_BATCH: usize = 1_000;

/// What became of one attempt to store a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreOutcome {
    /// It is stored under this sequence.
    Stored(u64),
    /// The expectation did not hold (or an earlier attempt of the same message is in process: look before you judge).
    Conflict,
    /// The stream is at its bound (10077): nothing was stored.
    Full,
    /// No stream takes this subject, or the message is larger than the server takes: nothing was stored.
    Refused(String),
    /// No definite answer: it may be stored, or may still be.
    Unknown(String),
}

/// Where a reader starts, checked against what the stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Healed {
    /// How many messages the stream is known to have lost at its end.
    pub lost: u64,
}

/// Reads a stream from a position on, in order; reconnects and re-checks its position by itself.
#[async_trait]
pub trait Reader: Send {
    /// The next messages: at least one, at most `most`. Waits up to `patience`; empty = nothing came in that time.
    async fn next(&mut self, most: usize, patience: Duration) -> Result<Vec<Stored>, OpenError>;

    /// What the position checks have found since the reader was opened.
    fn healed(&self) -> Healed;

    /// Had the broker more when it handed out the last message? Then what comes next may have been there for long. False again
    /// once nothing came for as long as somebody had patience.
    fn is_behind(&self) -> bool;
}

/// Messages of a core subscription.
#[async_trait]
pub trait Subscription: Send {
    /// The next message; none once the subscription has ended.
    async fn next(&mut self) -> Option<Request>;
}

/// A message of a core subscription, with the subject where an answer is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Where it was sent.
    pub subject: String,
    /// Where the answer goes, if one is expected.
    pub reply_to: Option<String>,
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub body: Bytes,
}

/// A broker: streams, readers, core messages.
#[async_trait]
pub trait Bus: Send + Sync + std::fmt::Debug {
    /// Stores a message in the stream that takes its subject; one attempt, one outcome.
    async fn store(&self, message: Outgoing, expect: Expect) -> StoreOutcome;

    /// Stores messages of one stream all together or not at all, in order and without a gap; one attempt, one outcome. What is
    /// expected holds for the first of them. [`StoreOutcome::Stored`] gives the sequence of the first; at most
    /// [`MOST_IN_BATCH`] messages, and only a stream that takes atomic batches takes one.
    async fn store_batch(&self, messages: Vec<Outgoing>, expect: Expect) -> StoreOutcome;

    /// Sends without waiting and without an answer. False: dropped (no connection, or the bound is reached).
    fn send(&self, message: Outgoing) -> bool;

    /// Opens a reader of `stream` after `position`; `filter` is a subject filter on stored subjects (`*` and `>`). Without a
    /// filter it refuses if anything between the position and the first message there is gone. With one it cannot know
    /// whose that was: who opens it asks [`Bus::missing_after`].
    async fn open(
        &self,
        stream: &str,
        filter: Option<&str>,
        position: Position,
    ) -> Result<Box<dyn Reader>, OpenError>;

    /// The message with this sequence, from the leader; none = it is not there (purged, or not yet stored).
    async fn get(&self, stream: &str, sequence: u64) -> Result<Option<Stored>, Unavailable>;

    /// The last message on this subject (wildcards allowed), from the leader.
    async fn last_on_subject(&self, stream: &str, subject: &str) -> Result<Option<Stored>, Unavailable>;

    /// First and last sequence of a stream and its size; an empty stream has first = last + 1.
    async fn bounds(&self, stream: &str) -> Result<StreamBounds, Unavailable>;

    /// How many of the messages that the stream gave a sequence behind `sequence` are not there any more, as of one moment.
    async fn missing_after(&self, stream: &str, sequence: u64) -> Result<u64, Unavailable>;

    /// How many messages that `filter` takes are there behind `after`, up to and including `through`.
    async fn count_between(
        &self,
        stream: &str,
        filter: &str,
        after: u64,
        through: u64,
    ) -> Result<u64, Unavailable>;

    /// Removes all messages below `sequence`. It must not lie behind the end: the broker would go on counting from there.
    async fn purge_below(&self, stream: &str, sequence: u64) -> Result<(), Unavailable>;

    /// Removes the messages below `sequence` of which `filter` (a filter on stored subjects) takes the subject; all others
    /// stay where they are, and so does the count of the stream.
    async fn purge_filtered(&self, stream: &str, filter: &str, sequence: u64) -> Result<(), Unavailable>;

    /// Listens to a core subject (wildcards allowed).
    async fn subscribe(&self, subject: &str) -> Result<Box<dyn Subscription>, Unavailable>;

    /// Asks and waits for one answer.
    async fn request(&self, message: Outgoing, patience: Duration) -> Result<Request, Unavailable>;

    /// True while there is a connection.
    fn connected(&self) -> bool;

    /// How often the connection was lost so far. What was only sent shortly before a loss may not be there.
    fn losses(&self) -> u64 {
        0
    }
}

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamBounds {
    /// The first sequence that is there, or last + 1.
    pub first: u64,
    /// The last sequence that was given out.
    pub last: u64,
    /// How many messages are there.
    pub messages: u64,
    /// How many bytes they take.
    pub bytes: u64,
    /// When the stream was made: nanoseconds since the Unix epoch, 0 if nobody can tell.
    pub created_ns: i64,
    /// The bound on messages, if there is one.
    pub most_messages: Option<u64>,
    /// The bound on bytes, if there is one.
    pub most_bytes: Option<u64>,
}

/// A bus, shared.
pub type SharedBus = Arc<dyn Bus>;
