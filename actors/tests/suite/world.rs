//! A broker in memory, nodes on it, and what a test says and sees.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actors::{Node, NodeConfig, NodeState, Placement, RuntimeClock, SharedClock, start};
use bus::layout::{Layout, StreamId};
use bus::memory::MemoryBus;
use bus::ports::{Bus, Expect, Outgoing, Position, SharedBus, StoreOutcome, Stored};
use domain::envelope::{Headers, Plane};
use domain::ids::{EntityId, Key, Token};
use domain::time::Timestamp;
use serde_json::{Value, json};

use crate::tally::Tally;

/// The moment at which every test begins.
pub(crate) const START: Timestamp = Timestamp(1_795_766_400_000);

/// Runs a test as the simulation runs: one thread, paused time.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let system = actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime")
    });
    system.block_on(test)
}

/// One broker with its layout and clock.
pub(crate) struct World {
    pub(crate) layout: Layout,
    pub(crate) memory: MemoryBus,
    pub(crate) bus: SharedBus,
    pub(crate) clock: SharedClock,
    starts: u32,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_layout(Layout::new("retail", 2, 1))
    }

    pub(crate) fn with_layout(layout: Layout) -> Self {
        let clock: SharedClock = Arc::new(RuntimeClock::starting_at(START));
        let stamps = Arc::clone(&clock);
        let memory = MemoryBus::new(&layout, Arc::new(move || stamps.now().0 * 1_000_000));
        Self { layout, bus: Arc::new(memory.clone()), memory, clock, starts: 0 }
    }

    /// A config whose instance no other start of this world has.
    pub(crate) fn config(&mut self) -> NodeConfig {
        self.starts += 1;
        NodeConfig { instance: format!("start {}", self.starts), ..NodeConfig::default() }
    }

    /// Starts a node and waits until it is ready.
    pub(crate) async fn node(&mut self) -> Node {
        let config = self.config();
        self.node_with(config, Arc::clone(&self.bus)).await
    }

    pub(crate) async fn node_with(&mut self, config: NodeConfig, bus: SharedBus) -> Node {
        let node = self.begin(config, bus);
        until("the node is ready", || async { node.status().state == NodeState::Ready }).await;
        node
    }

    /// Starts a node without waiting.
    pub(crate) fn begin(&self, config: NodeConfig, bus: SharedBus) -> Node {
        start::<Tally>(config, (), bus, self.layout.clone(), Arc::clone(&self.clock), Placement::Here)
    }

    /// Publishes a message as others do.
    pub(crate) async fn say(
        &self,
        plane: Plane,
        kind: &str,
        key: &str,
        body: Value,
        headers: &[(&str, &str)],
    ) -> u64 {
        self.say_raw(plane, kind, key, &body.to_string(), headers).await
    }

    pub(crate) async fn say_raw(
        &self,
        plane: Plane,
        kind: &str,
        key: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> u64 {
        let (domain, name) = kind.split_once('.').expect("a kind has a domain and a name");
        let mut all = Headers::new();
        for (name, value) in headers {
            all.push(name, value);
        }
        let subject = self.layout.inbound(plane, "main", domain, name, key);
        let message = Outgoing { subject, headers: all, body: body.to_owned().into() };
        match self.memory.store(message, Expect::Anything).await {
            StoreOutcome::Stored(sequence) => sequence,
            other => panic!("{kind} was not stored: {other:?}"),
        }
    }

    /// Opens a tally and waits for it: new work is served after facts.
    pub(crate) async fn open(&self, node: &Node, key: &str) {
        let body = json!({"tally_id": key});
        self.say(Plane::Intake, "tally.open", key, body, &identity(&format!("open {key}"))).await;
        self.until_version(node, key, 1).await;
    }

    pub(crate) async fn add(&self, key: &str, amount: i64, id: &str) {
        let body = json!({"tally_id": key, "amount": amount});
        self.say(Plane::Fact, "tally.add", key, body, &identity(id)).await;
    }

    pub(crate) async fn posted(&self, key: &str, effect: u32, id: &str) {
        let body = json!({"tally_id": key, "effect": format!("main:tally:{key}:post:{effect}")});
        self.say(Plane::Reply, "erp.posted", key, body, &identity(id)).await;
    }

    /// All messages of a stream.
    pub(crate) async fn stream(&self, id: StreamId) -> Vec<Stored> {
        let mut reader = self.memory.open(&self.layout.name(id), None, Position::default()).await.unwrap();
        let mut all = Vec::new();
        loop {
            let some = reader.next(1_000, Duration::ZERO).await.unwrap();
            if some.is_empty() {
                return all;
            }
            all.extend(some);
        }
    }

    pub(crate) async fn commands(&self) -> Vec<Stored> {
        self.stream(StreamId::Commands(domain::decider::Participant::Erp)).await
    }

    /// The events of all pages, as (key, sequence, type).
    pub(crate) async fn events(&self) -> Vec<(String, u64, String)> {
        let mut events = Vec::new();
        for page in self.stream(StreamId::Events).await {
            let page: Value = serde_json::from_slice(&page.body).unwrap();
            for row in page["events"].as_array().unwrap() {
                let text = |name: &str| row[name].as_str().unwrap().to_owned();
                events.push((text("key"), row["sequence"].as_u64().unwrap(), text("type")));
            }
        }
        events
    }

    /// Dead letters as (reason, `ce_id`, body).
    pub(crate) async fn letters(&self) -> Vec<(String, String, Value)> {
        let letters = self.stream(StreamId::Dlq).await;
        let bodies = letters.iter().map(|letter| serde_json::from_slice::<Value>(&letter.body).unwrap());
        bodies
            .map(|body| {
                let text = |name: &str| body[name].as_str().unwrap().to_owned();
                (text("reason"), text("ce_id"), body.clone())
            })
            .collect()
    }

    /// What the node shows of a tally; none = nobody made it.
    pub(crate) async fn view(&self, node: &Node, key: &str) -> Option<Value> {
        let view = node.read(&id(key)).await.unwrap()?;
        Some(serde_json::from_str(&view.json).unwrap())
    }

    pub(crate) async fn version(&self, node: &Node, key: &str) -> u64 {
        node.read(&id(key)).await.ok().flatten().map_or(0, |view| view.version)
    }

    pub(crate) async fn until_version(&self, node: &Node, key: &str, version: u64) {
        until(&format!("{key} has version {version}"), || async { self.version(node, key).await == version })
            .await;
    }
}

/// A header pair that makes a message one of its own.
pub(crate) fn identity(id: &str) -> [(&str, &str); 2] {
    [("ce-id", id), ("ce-source", "/test")]
}

pub(crate) fn id(key: &str) -> EntityId {
    let token = |text| Token::new(text).unwrap();
    EntityId { tenant: token("main"), kind: token("tally"), key: Key::new(key).unwrap() }
}

/// A key that lives in `partition` of two.
pub(crate) fn key_in(partition: u16, name: &str) -> String {
    let keys = (0..1_000).map(|n| format!("{name}-{n}"));
    keys.into_iter().find(|key| Key::new(key).unwrap().partition(2) == partition).unwrap()
}

/// Waits for a condition, for a minute of paused time at the most.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    for _ in 0..6_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a minute passed, and it is not so: {what}");
}

/// Lets time pass, with everything that is due in it.
pub(crate) async fn pass(milliseconds: u64) {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}
