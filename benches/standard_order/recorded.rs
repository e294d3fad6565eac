//! Standard orders as the journal holds them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actors::record::{Cause, Decided, Entry, Record, decode};
use actors::{Node, NodeConfig, NodeState, Placement, SystemClock};
use bus::layout::{Layout, StreamId};
use bus::ports::{Bus, SharedBus};
use bytes::Bytes;
use domain::decider::Decider;
use domain::envelope::Envelope;
use domain::ids::EntityId;
use domain::order::{Event, Order, Policies, State};
use domain::time::Timestamp;
use doorbuster::composition;
use loadtest::contract::Naming;
use loadtest::demo::RunOptions;
use loadtest::workload::Mix;

const ORDERS: u64 = 256;
const PARTITIONS: u16 = 8;

/// Steps that are kept of each type of message.
const KEPT: usize = 64;

/// One decision: what was known, what came, and what happened.
pub(crate) struct Step {
    pub(crate) entity: EntityId,
    pub(crate) before: State,
    pub(crate) envelope: Envelope,
    pub(crate) version: u64,
    pub(crate) now: Timestamp,
    pub(crate) events: Vec<Event>,
}

/// What a run has left.
pub(crate) struct Recorded {
    /// By type of message.
    pub(crate) steps: BTreeMap<String, Vec<Step>>,
    /// The largest record.
    pub(crate) record: Bytes,
}

impl Recorded {
    pub(crate) fn of_standard_orders() -> Self {
        let (bus, layout) = memory();
        composition::block_on(async {
            let node = node(&bus, &layout).await;
            play(&bus, &layout, ORDERS).await;
            node.drain().await;
            read(&*bus, &layout).await
        })
    }
}

/// A broker in memory.
pub(crate) fn memory() -> (SharedBus, Layout) {
    let layout = Layout::new("retail", PARTITIONS, 1).in_memory();
    (composition::memory(&layout), layout)
}

/// A node on this thread that takes orders.
pub(crate) async fn node(bus: &SharedBus, layout: &Layout) -> Node {
    let config = NodeConfig { instance: "bench".to_owned(), ..NodeConfig::default() };
    let (bus, layout, clock) = (Arc::clone(bus), layout.clone(), Arc::new(SystemClock));
    let node = actors::start::<Order>(config, Policies::default(), bus, layout, clock, Placement::Here);
    while node.status().state != NodeState::Ready {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    node
}

/// Lets standard orders run to their end.
pub(crate) async fn play(bus: &SharedBus, layout: &Layout, orders: u64) {
    let mix = Mix::named("standard").expect("a mix of this name");
    let options = RunOptions { mix, ..RunOptions::new(orders, 1, "bench") };
    let naming = Naming::new(&layout.root, "main");
    let report = loadtest::demo::run(options, Arc::clone(bus), naming, |_| {}).await;
    assert!(report.expect("a broker in memory is always there").verdict.clean, "every order adds up");
}

async fn read(bus: &dyn Bus, layout: &Layout) -> Recorded {
    let mut recorded = Recorded { steps: BTreeMap::new(), record: Bytes::new() };
    for partition in 0..layout.partitions {
        let stream = layout.name(StreamId::Journal(partition));
        let last = bus.bounds(&stream).await.expect("a broker in memory is always there").last;
        let mut states = HashMap::<EntityId, State>::new();
        for sequence in 1..=last {
            let Ok(Some(stored)) = bus.get(&stream, sequence).await else { continue };
            let (record, _) = decode::<Record<Entry<Event>>>(&stored.body).expect("a record of this version");
            for entry in record.entries {
                if let Entry::Decision(decided) = entry {
                    recorded.add(decided, &mut states);
                }
            }
            if stored.body.len() > recorded.record.len() {
                recorded.record = stored.body;
            }
        }
    }
    recorded
}

impl Recorded {
    fn add(&mut self, decided: Decided<Event>, states: &mut HashMap<EntityId, State>) {
        let Decided { entity, version, now, cause, events, .. } = decided;
        let state = states.entry(entity.clone()).or_default();
        let before = state.clone();
        for event in &events {
            Order::evolve(state, event);
        }
        let Cause::Message(envelope) = cause else { return };
        let steps = self.steps.entry(envelope.kind()).or_default();
        if steps.len() < KEPT {
            steps.push(Step { entity, before, envelope, version, now, events });
        }
    }
}
