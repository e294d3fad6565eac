//! The same cell in one process, on streams in memory. It has a partition and a thread of its own, all reservations are on another
//! one: so the processor time of its thread is what its decisions cost, with letters, records and what follows from them.

use std::time::Duration;

use actors::{Node, NodeState};
use bus::layout::Layout;
use bus::ports::{Expect, Outgoing, SharedBus, StoreOutcome};
use domain::ids::{Key, Token};
use loadtest::raw::accounting::each_thread_nanoseconds;
use loadtest::shoppers::{Holds, Pace, Shoppers, Then};
use tokio::time::{Instant, sleep};

use super::report::Round;
use super::shelf;
use crate::availability::{Cell, Question, Shelves};
use crate::config::Config;
use crate::exit::Failure;
use crate::raw::stage::trouble;
use crate::{composition, product};

/// One for the cell, one for reservations.
const PARTITIONS: u16 = 2;
/// The partition of the cell, and so the place of its thread.
const OF_THE_CELL: u16 = 1;
/// The threads of the node are called so; this program's own is not.
const NODE_THREADS: &str = "actix-rt|";
const UNITS: u32 = 1_000_000;
const IN_FLIGHT: u64 = 4_000;
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(2);

/// A node with one cell, and shoppers.
pub struct World {
    node: Node,
    shelves: Shelves,
    shoppers: Shoppers,
    sku: String,
}

/// What some holds took, with their releases.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// Decisions of the cell.
    pub decisions: u64,
    /// Processor time of the thread of the cell.
    pub cell: Duration,
    /// Processor time of all threads of the node.
    pub node: Duration,
    /// How long it took.
    pub elapsed: Duration,
}

impl std::fmt::Debug for World {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("World").field("sku", &self.sku).finish_non_exhaustive()
    }
}

/// So many rounds of so many holds.
pub(crate) async fn rounds(holds: u64, rounds: u32) -> Result<Vec<Round>, Failure> {
    let mut world = World::open().await?;
    world.hold(holds.div_ceil(5)).await?;
    let mut measured = Vec::new();
    for _ in 0..rounds {
        let Spent { decisions, cell, node, elapsed } = world.hold(holds).await?;
        let count = |count: u64| Duration::from_secs(count).as_secs_f64();
        measured.push(Round {
            cell_decisions_per_core_second: count(decisions) / cell.as_secs_f64(),
            node_microseconds: node.as_secs_f64() * 1e6 / count(holds),
            holds_per_second: count(holds) / elapsed.as_secs_f64(),
        });
    }
    world.close().await;
    Ok(measured)
}

impl World {
    /// Starts the node and fills the shelf.
    ///
    /// # Errors
    /// The node does not come up.
    pub async fn open() -> Result<Self, Failure> {
        let layout = Layout::new("retail", PARTITIONS, 1).in_memory();
        let bus = composition::memory(&layout);
        store(&bus, shelf::node(&layout)).await?;
        let mut config = Config::default();
        config.runtime.threads = usize::from(PARTITIONS);
        let policies = product::policies(&config);
        let mut watcher = composition::watcher(&policies, bus.clone(), layout.clone());
        watcher.read_all(|why| tracing::warn!(why, "reference data")).await;
        let (node, board) = composition::node(&config, bus.clone(), layout.clone(), policies);
        let shelves = composition::shelves(board, watcher.report());
        while node.status().state != NodeState::Ready {
            sleep(LOOK).await;
        }
        let sku = hot_sku()?;
        store(&bus, shelf::count(&layout, &sku, UNITS)).await?;
        let pace = Pace { single: false, in_flight: IN_FLIGHT, patience: PATIENCE };
        let shoppers = Shoppers::new(bus, &layout, "p", Some(OF_THE_CELL), pace).await.map_err(trouble)?;
        let world = Self { node, shelves, shoppers, sku };
        world.quiet().await?;
        Ok(world)
    }

    /// Holds so many times one unit, and lets go of it.
    ///
    /// # Errors
    /// A hold has no answer, or not everything is there again in the end.
    pub async fn hold(&mut self, holds: u64) -> Result<Spent, Failure> {
        let (before, cell, begun) = (threads()?, self.quiet().await?, Instant::now());
        let report = Holds::together([self.shoppers.hold(&self.sku, holds, Then::LetGo).await]);
        let elapsed = begun.elapsed();
        if !report.is_whole() || report.held != holds {
            return Err(trouble(format!("not every hold was granted: {report:?}")));
        }
        let (quiet, after) = (self.quiet().await?, threads()?);
        let spent = |at: usize| Duration::from_nanos(after[at].saturating_sub(before[at]));
        Ok(Spent {
            decisions: quiet.version - cell.version,
            cell: spent(usize::from(OF_THE_CELL)),
            node: (0..after.len()).map(spent).sum(),
            elapsed,
        })
    }

    /// Ends the node.
    pub async fn close(self) {
        self.node.drain().await;
    }

    /// The cell when nobody holds anything.
    async fn quiet(&self) -> Result<Cell, Failure> {
        let question = Question { skus: vec![self.sku.clone()], ..Question::default() };
        let tenant = Token::new("main").map_err(trouble)?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let cell = self.shelves.look(&tenant, &question).map_err(trouble)?.cells.pop();
            if let Some(cell) = cell.filter(|cell| cell.soft == 0 && cell.available == UNITS) {
                return Ok(cell);
            }
            sleep(LOOK).await;
        }
        Err(trouble("not everything is on the shelf again"))
    }
}

/// An item whose cell has the partition of its own.
fn hot_sku() -> Result<String, Failure> {
    let skus = (0..).map(|number: u32| format!("SKU-{number}"));
    let is_there =
        |sku: &String| Key::new(&shelf::cell(sku)).is_ok_and(|key| key.partition(PARTITIONS) == OF_THE_CELL);
    skus.take(1_000).find(is_there).ok_or_else(|| trouble("no key falls to the partition of the cell"))
}

/// Processor time of the threads of the newest node, in the order of its partitions.
fn threads() -> Result<Vec<u64>, Failure> {
    let all = each_thread_nanoseconds(std::process::id(), |name| name.starts_with(NODE_THREADS));
    let all = all.filter(|all| all.len() >= usize::from(PARTITIONS));
    let mut all = all.ok_or_else(|| trouble("the processor time of threads cannot be read"))?;
    Ok(all.split_off(all.len() - usize::from(PARTITIONS)))
}

async fn store(bus: &SharedBus, message: Outgoing) -> Result<(), Failure> {
    match bus.store(message, Expect::Anything).await {
        StoreOutcome::Stored(_) => Ok(()),
        other => Err(trouble(format!("a message was not stored: {other:?}"))),
    }
}
