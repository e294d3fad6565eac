//! The real broker as a [`Bus`].

use std::time::Duration;

use async_nats::jetstream::context::{
    ContextBuilder, GetStreamByNameErrorKind, GetStreamError, GetStreamErrorKind,
};
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{Context, ErrorCode};
use async_nats::{Client, HeaderMap, HeaderValue, RequestErrorKind};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;

use super::batch;
use super::connect::{ConnectError, Connection, NatsOptions, Version};
use super::counting;
use super::reader::NatsReader;
use super::sender::Sender;
use super::translate;
use crate::ports::{
    Bus, Expect, OpenError, Outgoing, Position, Reader, Request, StoreOutcome, Stored, StreamBounds,
    Subscription, Unavailable,
};

/// What the server counts besides body and header texts.
const HEADER_OVERHEAD: usize = 12;

/// A connection to a real nats-server; in fact two, so that a backlog of reads never delays the ack of a commit.
#[derive(Debug)]
pub struct NatsBus {
    committing: Connection,
    reading: Connection,
    sender: Sender,
    version: Version,
    request_patience: Duration,
}

impl NatsBus {
    /// Connects, and refuses servers that are too old. Tries once; afterwards the connection heals by itself.
    pub async fn connect(options: &NatsOptions) -> Result<Self, ConnectError> {
        let committing = Connection::open(options, "commits").await?;
        let version = committing.checked_version(&options.url)?;
        let reading = Connection::open(options, "reads").await?;
        let sender = Sender::start(committing.clone());
        Ok(Self { committing, reading, sender, version, request_patience: options.request_patience })
    }

    /// The version of the server at the time of the connection.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// How many fire-and-forget messages were dropped: no connection, or too many waiting.
    pub fn dropped(&self) -> u64 {
        self.sender.dropped()
    }

    /// The client of the committing connection, for what no port covers (buckets, set-up).
    pub fn client(&self) -> Client {
        self.committing.client.clone()
    }

    fn context(&self) -> Context {
        context(&self.committing.client, self.request_patience)
    }

    async fn stream(&self, name: &str) -> Result<Stream<()>, Unavailable> {
        if !self.committing.is_up() {
            return Err(unavailable("stream", name, &"no connection"));
        }
        handle(&self.context(), name).await
    }

    /// No stream takes the subject, or its leader is away: only the server's own list tells which.
    async fn no_responders(&self, subject: String) -> StoreOutcome {
        match self.context().stream_by_subject(subject.clone()).await {
            Err(error) if error.kind() == GetStreamByNameErrorKind::NotFound => {
                StoreOutcome::Refused(format!("no stream takes {subject}"))
            }
            Ok(_) | Err(_) => StoreOutcome::Unknown(format!("nobody answers for {subject}")),
        }
    }
}

/// Says what is expected of the stream.
pub(super) fn expecting(headers: &mut HeaderMap, expect: Expect) {
    match expect {
        Expect::Anything => {}
        Expect::LastSequence(last) => {
            headers.insert(async_nats::header::NATS_EXPECTED_LAST_SEQUENCE, HeaderValue::from(last));
        }
        Expect::LastOnSubject(last) => {
            headers.insert(async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, HeaderValue::from(last));
        }
    }
}

/// The refusal of a message that the server would not take for its size.
pub(super) fn too_large(client: &Client, message: &Outgoing) -> Option<StoreOutcome> {
    let texts: usize = message.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let most = client.max_payload();
    let too_large = most > 0 && texts + HEADER_OVERHEAD + message.body.len() > most;
    too_large.then(|| StoreOutcome::Refused(format!("larger than {most} bytes")))
}

pub(super) fn context(client: &Client, patience: Duration) -> Context {
    ContextBuilder::new().timeout(patience).build(client.clone())
}

/// A handle without asking the server.
pub(super) async fn handle(context: &Context, name: &str) -> Result<Stream<()>, Unavailable> {
    context.get_stream_no_info(name).await.map_err(|error| unavailable("stream", name, &error))
}

pub(super) fn is_not_found(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(refusal) if refusal.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

pub(super) fn unavailable(what: &str, name: &str, cause: &dyn std::fmt::Display) -> Unavailable {
    Unavailable { what: format!("{what} {name}"), cause: cause.to_string() }
}

#[async_trait]
impl Bus for NatsBus {
    async fn store(&self, message: Outgoing, expect: Expect) -> StoreOutcome {
        let Some(mut headers) = translate::header_map(&message.headers) else {
            return StoreOutcome::Refused("a header holds what no header can carry".to_owned());
        };
        expecting(&mut headers, expect);
        if let Some(refused) = too_large(&self.committing.client, &message) {
            return refused;
        }
        let mut losses = self.committing.watch();
        // Without a connection the library would queue the message and send it at some later time.
        if !self.committing.is_up() {
            return StoreOutcome::Unknown("no connection".to_owned());
        }
        let mut request = async_nats::Request::new().payload(message.body);
        if !headers.is_empty() {
            request = request.headers(headers);
        }
        let subject = message.subject.clone();
        let answer = tokio::select! {
            biased;
            answer = self.committing.client.send_request(message.subject, request) => answer,
            () = losses.lost() => return StoreOutcome::Unknown("the connection was lost".to_owned()),
        };
        match answer {
            Ok(answer) => translate::outcome(&answer.payload),
            Err(error) => match error.kind() {
                RequestErrorKind::NoResponders => self.no_responders(subject).await,
                RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
                    StoreOutcome::Refused(error.to_string())
                }
                RequestErrorKind::TimedOut | RequestErrorKind::Other => {
                    StoreOutcome::Unknown(error.to_string())
                }
            },
        }
    }

    async fn store_batch(&self, messages: Vec<Outgoing>, expect: Expect) -> StoreOutcome {
        batch::store(&self.committing, messages, expect).await
    }

    fn send(&self, message: Outgoing) -> bool {
        self.sender.send(message)
    }

    async fn open(
        &self,
        stream: &str,
        filter: Option<&str>,
        position: Position,
    ) -> Result<Box<dyn Reader>, OpenError> {
        let context = context(&self.reading.client, self.request_patience);
        Ok(Box::new(NatsReader::open(self.reading.clone(), context, stream, filter, position).await?))
    }

    async fn get(&self, stream: &str, sequence: u64) -> Result<Option<Stored>, Unavailable> {
        match self.stream(stream).await?.get_raw_message(sequence).await {
            Ok(message) => Ok(Some(translate::raw(message))),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(unavailable("get from", stream, &error)),
        }
    }

    async fn last_on_subject(&self, stream: &str, subject: &str) -> Result<Option<Stored>, Unavailable> {
        match self.stream(stream).await?.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(Some(translate::raw(message))),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(unavailable("last of", stream, &error)),
        }
    }

    async fn bounds(&self, stream: &str) -> Result<StreamBounds, Unavailable> {
        let info = self.stream(stream).await?.get_info().await;
        let info = info.map_err(|error| unavailable("bounds of", stream, &error))?;
        let bound = |limit: i64| u64::try_from(limit).ok().filter(|limit| *limit > 0);
        let state = &info.state;
        Ok(StreamBounds {
            first: if state.messages == 0 { state.last_sequence + 1 } else { state.first_sequence },
            last: state.last_sequence,
            messages: state.messages,
            bytes: state.bytes,
            created_ns: translate::nanoseconds(info.created.unix_timestamp_nanos()),
            most_messages: bound(info.config.max_messages),
            most_bytes: bound(info.config.max_bytes),
        })
    }

    async fn missing_after(&self, stream: &str, sequence: u64) -> Result<u64, Unavailable> {
        let error = |error: &dyn std::fmt::Display| unavailable("holes of", stream, error);
        let handle = self.stream(stream).await?;
        let state = handle.get_info().await.map_err(|cause| error(&cause))?.state;
        if state.deleted_count.unwrap_or_default() == 0 {
            return Ok(counting::missing(&state, sequence));
        }
        let listed = handle.info_builder().with_deleted(true).fetch().await.map_err(|cause| error(&cause))?;
        Ok(counting::missing(&listed.info.state, sequence))
    }

    async fn count_between(
        &self,
        stream: &str,
        filter: &str,
        after: u64,
        through: u64,
    ) -> Result<u64, Unavailable> {
        counting::between(&self.stream(stream).await?, stream, filter, after, through).await
    }

    async fn purge_below(&self, stream: &str, sequence: u64) -> Result<(), Unavailable> {
        // For the server 0 means no bound at all, and below the first sequence there is nothing.
        if sequence <= 1 {
            return Ok(());
        }
        let purged = self.stream(stream).await?.purge().sequence(sequence).await;
        purged.map(drop).map_err(|error| unavailable("purge", stream, &error))
    }

    async fn purge_filtered(&self, stream: &str, filter: &str, sequence: u64) -> Result<(), Unavailable> {
        // For the server 0 means no bound at all, and below the first sequence there is nothing.
        if sequence <= 1 {
            return Ok(());
        }
        let purged = self.stream(stream).await?.purge().filter(filter).sequence(sequence).await;
        purged.map(drop).map_err(|error| unavailable("purge", stream, &error))
    }

    async fn subscribe(&self, subject: &str) -> Result<Box<dyn Subscription>, Unavailable> {
        let client = &self.reading.client;
        let subscriber = client.subscribe(subject.to_owned()).await;
        let subscriber = subscriber.map_err(|error| unavailable("subscribe", subject, &error))?;
        // The server reads a connection in order: once it has answered this, it has the subscription too, and what is sent
        // from now on (over the other connection) is not missed. A flush would only reach the socket.
        match client.request(client.new_inbox(), Bytes::new()).await {
            Err(error) if error.kind() != RequestErrorKind::NoResponders => {
                Err(unavailable("subscribe", subject, &error))
            }
            Ok(_) | Err(_) => Ok(Box::new(NatsSubscription(subscriber))),
        }
    }

    async fn request(&self, message: Outgoing, patience: Duration) -> Result<Request, Unavailable> {
        let error = |cause: &dyn std::fmt::Display| unavailable("request", &message.subject, cause);
        let headers =
            translate::header_map(&message.headers).ok_or_else(|| error(&"a header cannot be carried"))?;
        let mut request = async_nats::Request::new().payload(message.body.clone()).timeout(Some(patience));
        if !headers.is_empty() {
            request = request.headers(headers);
        }
        let answer = self.committing.client.send_request(message.subject.clone(), request).await;
        answer.map(translate::request).map_err(|cause| error(&cause))
    }

    fn connected(&self) -> bool {
        self.committing.is_up() && self.reading.is_up()
    }

    fn losses(&self) -> u64 {
        self.committing.times_lost()
    }
}

struct NatsSubscription(async_nats::Subscriber);

#[async_trait]
impl Subscription for NatsSubscription {
    async fn next(&mut self) -> Option<Request> {
        self.0.next().await.map(translate::request)
    }
}
