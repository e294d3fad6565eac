//! The only place that names adapters: which bus, which clock, which decider, on how many threads.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use crate::availability::Shelves;
use crate::config::{self, Config};
use crate::control::knobs::Knobs;
use crate::control::{self, Control};
use crate::product::{self, Kinds, Policies, Posted};
use crate::reference::Watcher;
use crate::reference::report::Report;
use crate::telemetry::{Exposition, PartitionState};
use crate::worklist::{Page, Worklist};
use actix::System;
use actors::clock::SystemClock;
use actors::node::{self, Node, PartitionStatus, Placement};
use actors::{InForce, PostedBoard};
use bus::layout::Layout;
use bus::memory::MemoryBus;
use bus::nats::{ConnectError, NatsBus, NatsOptions, Sync};
use bus::ports::SharedBus;
use domain::ids::Token;

/// Runs `work` on a runtime of its own on this thread.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    System::new().block_on(work)
}

/// A broker in the memory of this process, with the streams of `layout`.
pub fn memory(layout: &Layout) -> SharedBus {
    Arc::new(MemoryBus::real_time(layout))
}

/// A connection to a NATS server; one attempt.
///
/// # Errors
/// Nobody answers within `patience`, or the server is too old.
pub async fn nats(url: &str, patience: Duration) -> Result<NatsBus, ConnectError> {
    NatsBus::connect(&NatsOptions { connect_patience: patience, ..NatsOptions::new(url) }).await
}

/// The connection as the port that the actors know.
pub fn shared(nats: NatsBus) -> SharedBus {
    Arc::new(nats)
}

/// The configured word as the adapter understands it.
pub const fn sync(configured: config::Sync) -> Sync {
    match configured {
        config::Sync::Always => Sync::Always,
        config::Sync::Default => Sync::Interval,
    }
}

/// How much can be sold, as `board` shows it.
pub fn shelves(board: Arc<PostedBoard<Posted>>, reference: Arc<Report>) -> Shelves {
    let look = move |tenant: &Token, key: &str| board.look(tenant.as_str(), "stock", key);
    Shelves::new(Box::new(look), reference, Arc::new(SystemClock))
}

/// What is wrong with cells, as `board` shows it.
pub fn worklist(board: Arc<PostedBoard<Posted>>) -> Worklist {
    let page: Page = Box::new(move |tenant, after, most, wanted| {
        board.page((tenant.as_str(), "stock"), after, most, |posted| wanted(posted))
    });
    Worklist::new(page, Arc::new(SystemClock))
}

/// A watcher of the reference data that `policies` get.
pub fn watcher(policies: &InForce<Policies>, bus: SharedBus, layout: Layout) -> Watcher {
    let policies = policies.clone();
    Watcher::new(bus, layout, move |reference| product::take_reference(&policies, reference))
}

/// A node for all kinds, with its partitions spread over the configured threads.
pub fn node(
    config: &Config,
    bus: SharedBus,
    layout: Layout,
    policies: InForce<Policies>,
) -> (Node, Arc<PostedBoard<Posted>>) {
    let bounds = actors::config::NodeConfig { instance: instance(), ..config.node.clone() };
    let placement = Placement::Arbiters(config.runtime.threads);
    node::start_with_board::<Kinds>(bounds, policies, bus, layout, Arc::new(SystemClock), placement)
}

/// The control of a node, which writes to the audit on the same bus.
pub fn control(config: &Config, knobs: Arc<dyn Knobs>, bus: SharedBus, layout: Layout) -> Control {
    let bounds = control::Bounds {
        keys: config.control.idempotency_keys,
        key_expiry_ms: i64::try_from(config.control.idempotency_ms).unwrap_or(i64::MAX),
    };
    Control::new(knobs, (bus, layout), Arc::new(SystemClock), instance(), bounds)
}

/// What `/metrics` shows of a node.
pub fn exposition(node: &Node) -> Exposition {
    let asked = node.clone();
    let states = move || {
        let partitions = asked.status().partitions;
        partitions
            .iter()
            .map(|(number, status)| PartitionState { partition: *number, state: word(status) })
            .collect()
    };
    Exposition::new(node.metrics(), Arc::new(states)).with_flow(node.flow().clone())
}

const fn word(status: &PartitionStatus) -> &'static str {
    match status {
        PartitionStatus::Starting { .. } => "starting",
        PartitionStatus::Recovering { .. } => "recovering",
        PartitionStatus::Ready => "ready",
        PartitionStatus::Draining => "draining",
        PartitionStatus::Drained => "drained",
        PartitionStatus::Fenced => "fenced",
        PartitionStatus::Broken { .. } => "broken",
    }
}

/// A name that no other start has: the journal tells two owners apart by it.
fn instance() -> String {
    // Each state is seeded by the system's randomness: the keyed hashes of inputs must not be guessable.
    let chance = || RandomState::new().hash_one(std::process::id());
    format!("{}-{:016x}{:016x}", std::process::id(), chance(), chance())
}
