//! What one live order costs in memory, with its actor, while it waits: `cargo bench --bench live_orders -- released 1000000` (or
//! `committed`); with `state`, of its state alone.
//!
//! A node on the memory bus takes standard orders (a member, 3 lines, points redeemed, one card, one parcel) and leaves them
//! standing. The streams of the bus are emptied after every round, so what grows is what the node keeps. The first round is
//! not counted: buffers and threads take their room once.

mod state;

use std::fs;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use actors::config::{Batches, InFlight};
use actors::{Node, NodeConfig, NodeState, Placement, SystemClock, start};
use bus::layout::{Bounds, Layout, StreamId};
use bus::memory::MemoryBus;
use bus::ports::{Bus, SharedBus};
use domain::decider::Participant;
use domain::order::policies::Resend;
use domain::order::{Order, Policies};
use loadtest::contract::Naming;
use loadtest::standing::{Crowd, Until};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const PARTITIONS: u16 = 8;
const THREADS: usize = 2;
/// Orders between two looks at the memory.
const ROUND: u64 = 50_000;
/// Orders whose state is measured alone.
const STATES: u64 = 500;
/// Nothing that these orders wait for comes before this time.
const FOR_EVER_MS: i64 = 24 * 3_600_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let until = if words.iter().any(|word| word == "committed") { Until::Committed } else { Until::Released };
    let orders = words.iter().find_map(|word| word.parse().ok()).unwrap_or(2 * ROUND);
    let parts = words.iter().any(|word| word == "state");
    actix::System::new().block_on(async {
        if parts {
            measure_state(until).await;
        } else {
            measure(until, orders).await;
        }
    });
}

/// One order's state alone, from the snapshots of orders that have left memory.
async fn measure_state(until: Until) {
    let config = NodeConfig { idle_after_ms: 100, ..config() };
    let (memory, layout, node) = begin(config).await;
    let mut crowd = crowd(&memory, until).await;
    crowd.bring(STATES).await.expect("nothing is purged before it is read");
    wait_for(|| node.metrics().passivated.get() >= STATES).await;
    state::measure(&memory, &layout).await;
}

async fn measure(until: Until, orders: u64) {
    let (memory, layout, node) = begin(config()).await;
    let mut crowd = crowd(&memory, until).await;
    let (mut standing, mut first) = (0, None);
    while standing < orders {
        let round = ROUND.min(orders - standing);
        crowd.bring(round).await.expect("nothing is purged before it is read");
        standing += round;
        wait_for(|| node.metrics().decisions.get() >= standing * until.inputs()).await;
        // Entities that rest pack themselves after a while.
        tokio::time::sleep(SETTLING).await;
        empty(&memory, &layout).await;
        let resident = resident();
        let (first_orders, first_bytes) = *first.get_or_insert((standing, resident));
        let text = if standing == first_orders {
            "not counted".to_owned()
        } else {
            format!("{} B an order", resident.saturating_sub(first_bytes) / (standing - first_orders))
        };
        say(&format!("{until:?} {standing:>9} orders, {:>6} MB resident, {text}", resident / 1_000_000));
    }
}

async fn begin(config: NodeConfig) -> (MemoryBus, Layout, Node) {
    let layout = layout();
    let memory = MemoryBus::real_time(&layout);
    let bus: SharedBus = Arc::new(memory.clone());
    let placement = Placement::Arbiters(THREADS);
    let node = start::<Order>(config, policies(), bus, layout.clone(), Arc::new(SystemClock), placement);
    wait_for(|| node.status().state == NodeState::Ready).await;
    (memory, layout, node)
}

async fn crowd(memory: &MemoryBus, until: Until) -> Crowd {
    let bus: SharedBus = Arc::new(memory.clone());
    Crowd::new(bus, Naming::default(), PARTITIONS, until, "o").await.expect("the streams are there")
}

fn config() -> NodeConfig {
    NodeConfig {
        instance: "bench".to_owned(),
        idle_after_ms: FOR_EVER_MS,
        pack_after_ms: PACK_AFTER_MS,
        checkpoint_age_ms: FOR_EVER_MS,
        command_batches: Batches::all(true),
        in_flight_commands: unlimited(),
        ..NodeConfig::default()
    }
}

const PACK_AFTER_MS: u64 = 500;
/// Longer than entities wait before they pack their state.
const SETTLING: Duration = Duration::from_millis(3 * PACK_AFTER_MS);

/// Small bounds, so that what the bus keeps is soon as large as it will ever be.
fn layout() -> Layout {
    let mut layout = Layout::new("retail", PARTITIONS, 1).in_memory();
    for id in
        [StreamId::Events, StreamId::Notices].into_iter().chain(Participant::ALL.map(StreamId::Commands))
    {
        layout = layout.with_bounds(id, Bounds::bytes(8 << 20));
    }
    layout
}

/// Nothing is sent twice, however long somebody is silent.
fn policies() -> Policies {
    let never = Resend { first_ms: FOR_EVER_MS / 4, most_ms: FOR_EVER_MS / 4, ..Resend::default() };
    Policies {
        commit_deadline_ms: FOR_EVER_MS,
        commit_deadline_most_ms: FOR_EVER_MS,
        loyalty: never,
        payment: never,
        allocation: never,
        fulfillment: never,
        erp: never,
        ..Policies::default()
    }
}

fn unlimited() -> InFlight {
    InFlight::all(u32::MAX / 2)
}

/// Empties the streams, but for the ends that the node compares with.
async fn empty(bus: &MemoryBus, layout: &Layout) {
    for id in layout.ids() {
        let kept = match id {
            StreamId::Events => 64 * u64::from(PARTITIONS),
            StreamId::Owners | StreamId::Reference | StreamId::Audit => continue,
            _ => 1,
        };
        let name = layout.name(id);
        let last = bus.bounds(&name).await.expect("the stream is there").last;
        bus.purge_below(&name, (last + 1).saturating_sub(kept)).await.expect("the bus is there");
    }
}

async fn wait_for(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("there is /proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("every process has it");
    let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    kilobytes.expect("a number of kB") * 1024
}

fn say(line: &str) {
    writeln!(io::stdout(), "{line}").expect("somebody reads this");
}
