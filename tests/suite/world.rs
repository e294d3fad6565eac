//! A nats-server of the test's own, and a client on it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bus::layout::{Layout, StreamId};
use bus::nats::{NatsBus, NatsOptions, NatsProcess, ProcessOptions};
use bus::ports::{Expect, Outgoing, Position, SharedBus, StoreOutcome, Stored};
use bytes::Bytes;
use domain::envelope::Headers;

use crate::product::set_up;
use crate::until::until;

/// Longer than any restart of nats-server.
const STORED_WITHIN: Duration = Duration::from_mins(1);

/// A server under test, seen from outside.
pub(crate) struct World {
    pub(crate) nats: NatsProcess,
    pub(crate) url: String,
    /// The client: simulators, shops and the auditor speak through it.
    pub(crate) bus: SharedBus,
    pub(crate) client: async_nats::Client,
    pub(crate) layout: Layout,
}

impl World {
    /// A nats-server without streams.
    pub(crate) async fn bare() -> Self {
        Self::bare_in(None).await
    }

    /// The same with its streams in a folder of the test's.
    pub(crate) async fn bare_in(store: Option<PathBuf>) -> Self {
        let options = ProcessOptions { store, ..ProcessOptions::default() };
        let nats = NatsProcess::start(options).await.unwrap_or_else(|problem| panic!("{problem}"));
        let url = nats.url();
        let bus = NatsBus::connect(&NatsOptions::new(url.clone())).await.expect("the server listens");
        let client = bus.client();
        Self { nats, url, bus: Arc::new(bus), client, layout: Layout::default() }
    }

    /// A nats-server with the streams of the default layout.
    pub(crate) async fn set_up() -> Self {
        let world = Self::bare().await;
        set_up(&world.url, world.layout.partitions).await;
        world
    }

    /// Everything that is in a stream.
    pub(crate) async fn stream(&self, id: StreamId) -> Vec<Stored> {
        everything(&self.bus, &self.layout.name(id)).await
    }

    /// The names of all streams.
    pub(crate) async fn stream_names(&self) -> Vec<String> {
        use futures_util::TryStreamExt;
        let mut names: Vec<String> = async_nats::jetstream::new(self.client.clone())
            .stream_names()
            .try_collect()
            .await
            .expect("the server lists its streams");
        names.sort();
        names
    }

    /// Publishes an `order.submit` until it is stored.
    pub(crate) async fn submit(&self, key: &str, body: &str, headers: &[(&str, &str)]) {
        let submit = submit(&self.layout.root, key, body, headers);
        until(STORED_WITHIN, "the submit is stored", || async {
            match self.bus.store(submit.clone(), Expect::Anything).await {
                StoreOutcome::Stored(_) => Some(()),
                StoreOutcome::Full | StoreOutcome::Unknown(_) => None,
                other => panic!("{other:?}"),
            }
        })
        .await;
    }
}

/// Everything that is in a stream.
pub(crate) async fn everything(bus: &SharedBus, stream: &str) -> Vec<Stored> {
    let last = bus.bounds(stream).await.expect("the broker answers").last;
    let mut reader = bus.open(stream, None, Position::default()).await.expect("the stream is there, whole");
    let mut all: Vec<Stored> = Vec::new();
    while all.last().map_or(0, |stored| stored.sequence) < last {
        all.extend(reader.next(1_000, Duration::from_secs(1)).await.expect("the broker answers"));
    }
    all
}

/// An `order.submit` as a shop publishes it.
pub(crate) fn submit(root: &str, key: &str, body: &str, headers: &[(&str, &str)]) -> Outgoing {
    let mut all = Headers::new().with("ce-id", format!("submit-{key}")).with("ce-source", "/shop");
    for (name, value) in headers {
        all.push(name, value);
    }
    let subject = format!("{root}.v1.intake.main.order.submit.{key}");
    Outgoing { subject, headers: all, body: Bytes::from(body.to_owned()) }
}

/// One line, one card, no points.
pub(crate) fn card_order(order_id: &str) -> String {
    serde_json::json!({
        "order_id": order_id, "channel": "web", "currency": "EUR",
        "lines": [{ "line": 1, "sku": "SKU-A", "quantity": 3, "net_minor": 5000, "tax_minor": 1000 }],
        "total_minor": 6000,
        "tenders": [{ "tender": "t1", "type": "card", "gateway": "psp-a", "token": "tok_9f3" }],
    })
    .to_string()
}
