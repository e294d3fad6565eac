//! The engine without a broker: a node on streams in memory, shop and participants in this process, everything in batches. What
//! counts is the processor time of the node's threads, which is what a core of it can do.

use std::sync::Arc;
use std::time::Duration;

use actors::clock::SystemClock;
use actors::config::Batches;
use actors::{Node, NodeConfig, NodeState, Placement, start};
use bus::layout::Layout;
use bus::ports::{OpenError, SharedBus};
use domain::decider::Participant;
use domain::order::{Order, Policies};
use loadtest::contract::Naming;
use loadtest::raw::accounting::thread_nanoseconds;
use loadtest::raw::load::{Load, Pace};
use loadtest::raw::participant::answer_all;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local};

use crate::composition;
use crate::exit::Failure;
use crate::raw::stage::trouble;

/// Inputs of a standard order: the submit, eleven answers, the departure.
const INPUTS: u64 = 13;
const PARTITIONS: u16 = 8;
/// The threads of the node are called so; this program's own is not.
const NODE_THREADS: &str = "actix-rt|";
const SUBMITS_TOGETHER: u64 = 32;
const UNDER_WAY: u64 = 2_000;
const LOOK: Duration = Duration::from_millis(2);

/// Order messages that a core of the node decides in a second, once for each round.
pub(super) async fn messages_per_core_second(orders: u64, rounds: u32) -> Result<Vec<f64>, Failure> {
    let mut measured = Vec::new();
    for _ in 0..rounds {
        measured.push(round(orders).await?);
    }
    Ok(measured)
}

async fn round(orders: u64) -> Result<f64, Failure> {
    let mut ring = Ring::open().await?;
    ring.run(orders / 5).await?;
    let before = spent()?;
    let completed = ring.run(orders).await?;
    let nanoseconds = spent()?.saturating_sub(before);
    ring.close().await?;
    let messages = Duration::from_secs(completed * INPUTS).as_secs_f64();
    Ok(messages / Duration::from_nanos(nanoseconds.max(1)).as_secs_f64())
}

/// The streams of a node that so many orders have run through.
pub(super) async fn after(orders: u64) -> Result<(SharedBus, Layout), Failure> {
    let mut ring = Ring::open().await?;
    ring.run(orders).await?;
    ring.close().await
}

/// Node, shop and participants on streams in memory.
struct Ring {
    bus: SharedBus,
    layout: Layout,
    node: Node,
    load: Load,
    stop: watch::Sender<bool>,
    participants: Vec<JoinHandle<Result<(), OpenError>>>,
}

impl Ring {
    async fn open() -> Result<Self, Failure> {
        let layout = Layout::new("retail", PARTITIONS, 1).in_memory();
        let bus = composition::memory(&layout);
        let node = node(&bus, &layout).await;
        let (stop, stopped) = watch::channel(false);
        let naming = Naming::new(&layout.root, "main");
        let answering = |participant| answer_all(bus.clone(), naming.clone(), participant, stopped.clone());
        let participants = Participant::ALL.map(|participant| spawn_local(answering(participant))).into();
        let pace = Pace {
            group: SUBMITS_TOGETHER,
            in_flight: UNDER_WAY,
            per_second: None,
            patience: Duration::from_secs(30),
        };
        let load = Load::new(bus.clone(), &layout, pace).await.map_err(trouble)?;
        Ok(Self { bus, layout, node, load, stop, participants })
    }

    /// Lets orders run to their end, in whole groups; gives how many.
    async fn run(&mut self, orders: u64) -> Result<u64, Failure> {
        let report = self.load.phase(orders.next_multiple_of(SUBMITS_TOGETHER)).await;
        if report.is_whole() {
            Ok(report.completed)
        } else {
            Err(trouble(format!("orders without a broker did not end: {report:?}")))
        }
    }

    async fn close(self) -> Result<(SharedBus, Layout), Failure> {
        self.stop.send_replace(true);
        for participant in self.participants {
            participant.await.map_err(trouble)?.map_err(trouble)?;
        }
        self.node.drain().await;
        Ok((self.bus, self.layout))
    }
}

async fn node(bus: &SharedBus, layout: &Layout) -> Node {
    let config = NodeConfig {
        instance: "engine".to_owned(),
        command_batches: Batches::all(true),
        ..NodeConfig::default()
    };
    let (bus, clock) = (Arc::clone(bus), Arc::new(SystemClock));
    let placement = Placement::Arbiters(1);
    let node = start::<Order>(config, Policies::default(), bus, layout.clone(), clock, placement);
    while node.status().state != NodeState::Ready {
        tokio::time::sleep(LOOK).await;
    }
    node
}

fn spent() -> Result<u64, Failure> {
    thread_nanoseconds(std::process::id(), |name| name.starts_with(NODE_THREADS))
        .ok_or_else(|| trouble("the processor time of threads cannot be read"))
}
