//! One cell on a real nats-server: everybody holds it, lets go of it, and asks how much is left.

use std::path::Path;
use std::time::Duration;

use bus::layout::Layout;
use bus::nats::{NatsBus, NatsOptions, NatsProcess, ProcessOptions, Setup};
use bus::ports::{Expect, Outgoing, SharedBus, StoreOutcome};
use bytes::Bytes;
use domain::envelope::Headers;
use loadtest::raw::accounting::{StreamCounts, cpu_microseconds};
use loadtest::shoppers::{Holds, Pace, Shoppers, Then};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::asking::Asking;
use super::options::StockOptions;
use super::report::{OverNats, Phase};
use super::shelf;
use crate::composition;
use crate::exit::Failure;
use crate::raw::child::Child;
use crate::raw::stage::{free_port, layout, trouble};

/// More than are ever held at once.
const PLENTY: u32 = 1_000_000;
/// What a flash sale has.
const FEW: u32 = 500;
const HOT: &str = "SKU-HOT";
const SCARCE: &str = "SKU-SCARCE";
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(20);

/// A nats-server, and a server on it.
struct Stage {
    nats: NatsProcess,
    server: Child,
    port: u16,
    bus: SharedBus,
    layout: Layout,
}

/// The numbers of a cell, as it answers.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
struct Cell {
    available: i64,
    on_hand: i64,
    soft: i64,
    version: u64,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    cells: Vec<Cell>,
}

/// Runs all phases; beside what was measured, what was wrong.
pub(super) async fn measure(
    options: &StockOptions,
    doorbuster: &Path,
) -> Result<(OverNats, Vec<String>), Failure> {
    let mut stage = Stage::open(doorbuster).await?;
    let holds = u64::from(options.holds);
    let mut crowd = stage.crowd(options).await?;
    for (sku, units) in [(HOT, PLENTY), (SCARCE, FEW)] {
        stage.count(sku, units).await?;
    }
    together(&mut crowd, HOT, holds.div_ceil(5), Then::LetGo).await;
    let asking = Asking::begin(HOT, options.questions, stage.port, &stage.nats.url(), &stage.layout);
    let held = stage.phase(&mut crowd, HOT, holds, Then::LetGo).await?;
    let (availability_http, availability_nats) = asking.end()?;
    let sold_out = stage.phase(&mut crowd, SCARCE, holds, Then::Keep).await?;
    let wrong = stage.judge(&held, &sold_out).await?;
    stage.server.kill().await;
    stage.nats.kill_9().map_err(trouble)?;
    let over_nats = OverNats {
        connections: options.connections,
        in_flight: options.in_flight,
        single: options.single,
        held,
        sold_out,
        units: u64::from(FEW),
        availability_http,
        availability_nats,
    };
    Ok((over_nats, wrong))
}

/// All shoppers at once, each connection its part.
async fn together(
    crowd: &mut [Shoppers],
    sku: &str,
    holds: u64,
    then: Then,
) -> loadtest::shoppers::HoldReport {
    let each = holds.div_ceil(crowd.len().try_into().unwrap_or(u64::MAX));
    let phases = crowd.iter_mut().map(|shoppers| shoppers.hold(sku, each, then));
    Holds::together(futures_util::future::join_all(phases).await)
}

impl Stage {
    async fn open(doorbuster: &Path) -> Result<Self, Failure> {
        let nats = NatsProcess::start(ProcessOptions::default()).await.map_err(trouble)?;
        let url = nats.url();
        let connected = NatsBus::connect(&NatsOptions::new(url.clone())).await.map_err(trouble)?;
        let layout = layout();
        Setup::new(&connected).apply(&layout).await.map_err(trouble)?;
        let bus = composition::shared(connected);
        store(&bus, shelf::node(&layout)).await?;
        let port = free_port().map_err(trouble)?;
        let http = format!("127.0.0.1:{port}");
        let arguments = ["serve", "--nats", &url, "--http", &http].map(str::to_owned);
        let environment = [("DOORBUSTER_LOG_FILTER".to_owned(), "error".to_owned())];
        let mut server = Child::start(doorbuster, &arguments, &environment)?;
        server.ready_over_http(port).await?;
        Ok(Self { nats, server, port, bus, layout })
    }

    async fn crowd(&self, options: &StockOptions) -> Result<Vec<Shoppers>, Failure> {
        let in_flight = u64::from(options.in_flight / options.connections).max(1);
        let pace = Pace { single: options.single, in_flight, patience: PATIENCE };
        let mut crowd = Vec::new();
        for number in 0..options.connections {
            let nats = composition::nats(&self.nats.url(), PATIENCE).await.map_err(trouble)?;
            let (bus, name) = (composition::shared(nats), format!("c{number}"));
            crowd.push(Shoppers::new(bus, &self.layout, &name, None, pace).await.map_err(trouble)?);
        }
        Ok(crowd)
    }

    /// A count, and waits until everybody sees it.
    async fn count(&self, sku: &str, units: u32) -> Result<(), Failure> {
        store(&self.bus, shelf::count(&self.layout, sku, units)).await?;
        self.until(sku, |cell| cell.on_hand == i64::from(units)).await.map(drop)
    }

    async fn phase(
        &self,
        crowd: &mut [Shoppers],
        sku: &str,
        holds: u64,
        then: Then,
    ) -> Result<Phase, Failure> {
        let before = (self.cell(sku).await?, self.cpu()?, self.streams().await?);
        let report = together(crowd, sku, holds, then).await;
        let after = (self.cell(sku).await?, self.cpu()?, self.streams().await?);
        let version = |cell: Option<Cell>| cell.map_or(0, |cell| cell.version);
        let changes = version(after.0).saturating_sub(version(before.0));
        let flow = after.2.flow_since(&before.2, report.asked);
        let each = |microseconds: u64| real(microseconds) / real(report.asked.max(1));
        let answered = report.held + report.refused.values().sum::<u64>();
        Ok(Phase {
            holds_per_second: real(answered) / report.seconds.max(f64::EPSILON),
            cell_changes_per_second: real(changes) / report.seconds.max(f64::EPSILON),
            server_microseconds: each(after.1.0 - before.1.0),
            nats_microseconds: each(after.1.1 - before.1.1),
            messages: flow.into_iter().map(|(stream, flow)| (stream, flow.messages)).collect(),
            holds: report,
        })
    }

    async fn streams(&self) -> Result<StreamCounts, Failure> {
        StreamCounts::read(&self.bus, &self.layout).await.map_err(trouble)
    }

    /// Server and nats-server.
    fn cpu(&self) -> Result<(u64, u64), Failure> {
        let read = |process: Option<u32>| process.and_then(cpu_microseconds);
        let both = read(self.server.id()).zip(read(self.nats.id()));
        both.ok_or_else(|| trouble("the processor time of a process cannot be read"))
    }

    /// What the cell answers; none = nobody knows of it.
    async fn cell(&self, sku: &str) -> Result<Option<Cell>, Failure> {
        let subject = format!("{}.v1.query.main.stock.availability.{sku}", self.layout.root);
        let question = Outgoing { subject, headers: Headers::new(), body: Bytes::new() };
        let answer = self.bus.request(question, PATIENCE).await.map_err(trouble)?;
        let answer: Answer = serde_json::from_slice(&answer.body).map_err(trouble)?;
        Ok(answer.cells.first().copied())
    }

    /// The cell once it is as it shall be, or as it is when that takes too long.
    async fn until(&self, sku: &str, wanted: impl Fn(&Cell) -> bool) -> Result<Option<Cell>, Failure> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let cell = self.cell(sku).await?;
            if cell.as_ref().is_some_and(&wanted) || Instant::now() >= deadline {
                return Ok(cell);
            }
            sleep(LOOK).await;
        }
    }

    /// Every hold has one answer, everything that was let go of is there again, and exactly what there was is sold.
    async fn judge(&self, held: &Phase, sold_out: &Phase) -> Result<Vec<String>, Failure> {
        let mut wrong = Vec::new();
        for (name, phase) in [("held", held), ("sold out", sold_out)] {
            if !phase.holds.is_whole() {
                wrong.push(format!("{name}: not every hold has one answer: {:?}", phase.holds));
            }
        }
        let (plenty, few) = (i64::from(PLENTY), i64::from(FEW));
        let quiet = |cell: &Cell| cell.soft == 0 && cell.available == plenty && cell.on_hand == plenty;
        let cell = self.until(HOT, quiet).await?;
        if !cell.as_ref().is_some_and(quiet) {
            wrong.push(format!("{HOT}: not everything is there again: {cell:?}"));
        }
        let sold = |cell: &Cell| cell.soft == few && cell.available == 0 && cell.on_hand == few;
        let cell = self.until(SCARCE, sold).await?;
        if !cell.as_ref().is_some_and(sold) || sold_out.holds.held != u64::from(FEW) {
            let held = sold_out.holds.held;
            wrong.push(format!("{SCARCE}: {held} of {FEW} units are held: {cell:?}"));
        }
        Ok(wrong)
    }
}

async fn store(bus: &SharedBus, message: Outgoing) -> Result<(), Failure> {
    match bus.store(message, Expect::Anything).await {
        StoreOutcome::Stored(_) => Ok(()),
        other => Err(trouble(format!("a message was not stored: {other:?}"))),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and microseconds of a run are far below 2^52")]
const fn real(count: u64) -> f64 {
    count as f64
}
