//! Reads a stream through consumers that live only as long as nothing goes wrong.
//!
//! A consumer here has no acks and no memory of its own: after every trouble (a lost connection, a missing heartbeat, a
//! hole in the deliveries) it is thrown away, and the next one starts behind the last message that was handed out. The
//! library's own ordered consumer forgets its start when it must begin again before the first message, so this is our own.

use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull};
use async_nats::jetstream::stream::{LastRawMessageErrorKind, State};
use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt};
use tokio::time::Instant;

use super::bus::{handle, is_not_found, unavailable};
use super::connect::{Connection, LossWatch};
use super::translate::{self, Delivered};
use crate::ports::{Healed, OpenError, Position, Reader, Stored};

/// How much one pull asks for. A server that has to hold 64 MB for a connection cuts it off.
const PULL_MESSAGES: usize = 1_000;
const PULL_BYTES: usize = 2 * 1024 * 1024;
const PULL_EXPIRES: Duration = Duration::from_secs(30);
/// A pull is given up after two of these without a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The server removes a consumer that nobody has asked for so long.
const CONSUMER_LIFE: Duration = Duration::from_mins(1);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// One consumer, and what it has delivered.
struct Feed {
    messages: pull::Stream,
    delivered: u64,
}

pub(super) struct NatsReader {
    connection: Connection,
    context: Context,
    stream: String,
    filter: Option<String>,
    at: Position,
    feed: Option<Feed>,
    losses: LossWatch,
    pause: Duration,
    healed: Healed,
    is_behind: bool,
}

impl NatsReader {
    pub(super) async fn open(
        connection: Connection,
        context: Context,
        stream: &str,
        filter: Option<&str>,
        position: Position,
    ) -> Result<Self, OpenError> {
        let losses = connection.watch();
        let mut reader = Self {
            connection,
            context,
            stream: stream.to_owned(),
            filter: filter.map(str::to_owned),
            at: position,
            feed: None,
            losses,
            pause: FIRST_PAUSE,
            healed: Healed::default(),
            is_behind: false,
        };
        let state = reader.state().await?;
        // Only here, and only without a filter: what is gone while a reader is open was there for others to consume first.
        let first = if state.messages == 0 { state.last_sequence + 1 } else { state.first_sequence };
        let gone = position.sequence + 1 < first && position.sequence < state.last_sequence;
        if filter.is_none() && position.sequence > 0 && gone {
            let (from, to) = (position.sequence + 1, first);
            return Err(OpenError::Gap { stream: stream.to_owned(), from, to });
        }
        reader.feed = Some(reader.start(&state).await?);
        Ok(reader)
    }

    async fn state(&self) -> Result<State, OpenError> {
        match self.context.get_stream(&self.stream).await {
            Ok(stream) => Ok(stream.cached_info().state.clone()),
            Err(error) if is_not_found(&error) => Err(OpenError::NoStream(self.stream.clone())),
            Err(error) => Err(unavailable("state of", &self.stream, &error).into()),
        }
    }

    /// Checks the position against what is there, and starts a consumer behind it.
    async fn start(&mut self, state: &State) -> Result<Feed, OpenError> {
        let still_there = self.confirms(state).await?;
        let deliver_policy = if still_there {
            DeliverPolicy::ByStartSequence { start_sequence: self.at.sequence + 1 }
        } else if self.at.timestamp_ns == 0 {
            DeliverPolicy::ByStartSequence { start_sequence: state.last_sequence + 1 }
        } else {
            let after = i128::from(self.at.timestamp_ns) + 1;
            let start_time = async_nats::datetime::from_nanos(after)
                .map_err(|error| unavailable("start time of", &self.stream, &error))?;
            DeliverPolicy::ByStartTime { start_time }
        };
        let config = pull::Config {
            deliver_policy,
            ack_policy: AckPolicy::None,
            replay_policy: ReplayPolicy::Instant,
            filter_subject: self.filter.clone().unwrap_or_default(),
            inactive_threshold: CONSUMER_LIFE,
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = self.context.create_consumer_on_stream(config, &self.stream).await;
        let consumer = consumer.map_err(|error| unavailable("consumer of", &self.stream, &error))?;
        if !still_there {
            self.heal(consumer.cached_info().delivered.stream_sequence);
        }
        let messages = consumer
            .stream()
            .max_messages_per_batch(PULL_MESSAGES)
            .max_bytes_per_batch(PULL_BYTES)
            .expires(PULL_EXPIRES)
            .heartbeat(HEARTBEAT)
            .messages()
            .await
            .map_err(|error| unavailable("pull from", &self.stream, &error))?;
        Ok(Feed { messages, delivered: 0 })
    }

    /// Is the message of our position still what it was? A purged one cannot tell, and counts as confirmed.
    async fn confirms(&self, state: &State) -> Result<bool, OpenError> {
        let Position { sequence, timestamp_ns } = self.at;
        if sequence == 0 || (sequence <= state.last_sequence && timestamp_ns == 0) {
            return Ok(true);
        }
        if sequence > state.last_sequence {
            return Ok(false);
        }
        match handle(&self.context, &self.stream).await?.get_raw_message(sequence).await {
            Ok(message) => Ok(translate::raw(message).timestamp_ns == timestamp_ns),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(true),
            Err(error) => Err(unavailable("position in", &self.stream, &error).into()),
        }
    }

    /// Goes back to the newest message that is known to be ours.
    fn heal(&mut self, newest: u64) {
        let lost = self.at.sequence.saturating_sub(newest);
        tracing::error!(stream = self.stream, lost, "the stream lost its end; reading again from there");
        self.healed.lost += lost;
        self.at.sequence = newest;
    }

    /// A new consumer after trouble; none if that is not possible before `deadline`. An attempt that has begun is not cut
    /// short by the deadline: with little patience on a slow server none would ever succeed.
    async fn restart(&mut self, deadline: Instant) -> Option<Feed> {
        let connection = self.connection.clone();
        loop {
            // While there is no connection a request would only wait in the library, beside those of the attempts before.
            if connection.is_up() {
                let mut losses = connection.watch();
                let attempt = tokio::select! {
                    biased;
                    attempt = self.attempt() => attempt,
                    () = losses.lost() => Err(unavailable("read", &self.stream, &"the connection was lost").into()),
                };
                match attempt {
                    Ok(feed) => return Some(feed),
                    Err(error) => tracing::warn!(stream = self.stream, %error, "cannot read yet"),
                }
            }
            if !self.pause_until(deadline).await {
                return None;
            }
        }
    }

    /// Waits longer from trouble to trouble, until messages come again; false = the deadline came first.
    async fn pause_until(&mut self, deadline: Instant) -> bool {
        let wake = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        tokio::time::sleep_until(wake.min(deadline)).await;
        wake < deadline
    }

    async fn attempt(&mut self) -> Result<Feed, OpenError> {
        let state = self.state().await?;
        self.start(&state).await
    }

    /// Takes a delivery if it is the next one; false = something is missing before it, or it is an error.
    fn take(
        &mut self,
        item: Option<Result<async_nats::jetstream::Message, pull::MessagesError>>,
        into: &mut Vec<Stored>,
    ) -> bool {
        let message = match item {
            Some(Ok(message)) => message,
            Some(Err(error)) => {
                tracing::warn!(stream = self.stream, %error, "reading is interrupted");
                return false;
            }
            None => return false,
        };
        let Some(feed) = &mut self.feed else { return false };
        let Some(delivered) = translate::delivered(message) else { return false };
        let Delivered { stored, consumer_sequence, pending } = delivered;
        if consumer_sequence != feed.delivered + 1 {
            tracing::warn!(
                stream = self.stream,
                consumer_sequence,
                expected = feed.delivered + 1,
                "a delivery is missing"
            );
            return false;
        }
        feed.delivered = consumer_sequence;
        self.is_behind = pending > 0;
        self.pause = FIRST_PAUSE;
        if stored.sequence > self.at.sequence {
            self.at = Position { sequence: stored.sequence, timestamp_ns: stored.timestamp_ns };
            into.push(stored);
        }
        true
    }
}

#[async_trait]
impl Reader for NatsReader {
    async fn next(&mut self, most: usize, patience: Duration) -> Result<Vec<Stored>, OpenError> {
        let deadline = Instant::now() + patience;
        let mut messages = Vec::new();
        loop {
            if self.losses.was_lost() {
                self.feed = None;
            }
            if self.feed.is_none() {
                self.losses = self.connection.watch();
                self.feed = self.restart(deadline).await;
            }
            let Some(feed) = &mut self.feed else { return Ok(messages) };
            let item = tokio::select! {
                biased;
                item = feed.messages.next() => item,
                () = self.losses.lost() => {
                    self.feed = None;
                    continue;
                }
                () = tokio::time::sleep_until(deadline) => {
                    self.is_behind = false;
                    return Ok(messages);
                }
            };
            let mut whole = self.take(item, &mut messages);
            while whole && messages.len() < most {
                let Some(feed) = &mut self.feed else { break };
                let Some(item) = feed.messages.next().now_or_never() else { break };
                whole = self.take(item, &mut messages);
            }
            if !whole {
                self.feed = None;
            }
            if !messages.is_empty() || (!whole && !self.pause_until(deadline).await) {
                return Ok(messages);
            }
        }
    }

    fn healed(&self) -> Healed {
        self.healed
    }

    fn is_behind(&self) -> bool {
        self.is_behind
    }
}
