//! One run: a nats-server of its own with fresh streams, and the processes on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::layout::Layout;
use bus::nats::{NatsBus, NatsOptions, NatsProcess, ProcessOptions, Setup};
use bus::ports::{Request, SharedBus};
use domain::decider::Participant;
use loadtest::contract::Naming;
use loadtest::raw::accounting::{Flow, StreamCounts, cpu_microseconds};
use loadtest::raw::load::{LoadReport, receipt_subject};
use loadtest::raw::report::Cpu;
use loadtest::raw::trace::Totals;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::child::Child;
use super::cli::{Role, Size};
use super::roles::RelayReport;
use crate::composition;
use crate::exit::Failure;

/// Partitions of the streams that are made for a run. What is measured here has two cores: with more partitions than this the same
/// load comes in smaller pieces, and with fewer a partition waits for its one append too often.
const PARTITIONS: u16 = 4;

/// The streams that are made for a run; processes that take part in it must know them, too.
pub(crate) fn layout() -> Layout {
    Layout::new("retail", PARTITIONS, 1)
}

/// No phase takes longer; a shop gives up long before, because it sees no progress.
const PHASE_WITHIN: Duration = Duration::from_hours(1);
/// How long a relay may take for what is left when all orders are completed.
const REST_WITHIN: Duration = Duration::from_secs(20);
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);

/// What stays the same for the runs of a setting.
#[derive(Debug, Clone)]
pub(crate) struct Conditions {
    /// This program.
    pub(crate) loadtest: PathBuf,
    /// The server.
    pub(crate) doorbuster: PathBuf,
    /// Do participants take batches?
    pub(crate) batched: bool,
    /// Does nats-server write before each ack?
    pub(crate) always: bool,
    /// How many submits share a message.
    pub(crate) group: u32,
    /// How many orders are under way.
    pub(crate) in_flight: u32,
    /// Orders a second.
    pub(crate) rate: Option<u32>,
    /// Seconds without progress.
    pub(crate) patience: u32,
}

/// Who answers the orders.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Server<'a> {
    /// The real one.
    Doorbuster,
    /// A relay with this recipe.
    Relay(&'a Path),
}

/// What a run has shown.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) warm_up: LoadReport,
    pub(crate) load: LoadReport,
    pub(crate) cpu: Cpu,
    pub(crate) streams: std::collections::BTreeMap<String, Flow>,
}

/// Everything that runs in a run.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) bus: SharedBus,
    pub(crate) layout: Layout,
    nats: NatsProcess,
    server: Child,
    participants: Child,
    load: Child,
}

impl Stage {
    /// Starts everything.
    pub(crate) async fn open(conditions: &Conditions, server: Server<'_>) -> Result<Self, Failure> {
        let sync = if conditions.always { "sync_interval: always" } else { "" };
        let options = ProcessOptions { jetstream: sync.to_owned(), ..ProcessOptions::default() };
        let nats = NatsProcess::start(options).await.map_err(trouble)?;
        let url = nats.url();
        let connected = NatsBus::connect(&NatsOptions::new(url.clone())).await.map_err(trouble)?;
        let layout = layout();
        Setup::new(&connected).apply(&layout).await.map_err(trouble)?;
        let bus = composition::shared(connected);
        let role = |role: Role, more: Vec<String>| {
            let fixed = ["role", role.as_str(), "--nats", &url].map(str::to_owned);
            Child::start(&conditions.loadtest, &[fixed.to_vec(), more].concat(), &[])
        };
        let mut participants = role(Role::Participants, Vec::new())?;
        let mut load = role(Role::Load, shop_arguments(conditions))?;
        let server = match server {
            Server::Relay(recipe) => {
                let recipe = recipe.display().to_string();
                let mut relay = role(Role::Relay, vec!["--recipe".to_owned(), recipe])?;
                relay.ready().await?;
                relay
            }
            Server::Doorbuster => {
                let port = free_port().map_err(trouble)?;
                let http = format!("127.0.0.1:{port}");
                let arguments = ["serve", "--nats", &url, "--http", &http].map(str::to_owned);
                let mut server = Child::start(&conditions.doorbuster, &arguments, &environment(conditions))?;
                server.ready_over_http(port).await?;
                server
            }
        };
        participants.ready().await?;
        load.ready().await?;
        Ok(Self { bus, layout, nats, server, participants, load })
    }

    /// Warms up, and then counts.
    pub(crate) async fn run(&mut self, size: Size) -> Result<Measured, Failure> {
        let warm_up: LoadReport = self.load.ask(&size.warm_up.to_string(), PHASE_WITHIN).await?;
        let before = StreamCounts::read(&self.bus, &self.layout).await.map_err(trouble)?;
        let begin = self.cpu()?;
        let load: LoadReport = self.load.ask(&size.orders.to_string(), PHASE_WITHIN).await?;
        let end = self.cpu()?;
        let after = StreamCounts::read(&self.bus, &self.layout).await.map_err(trouble)?;
        let orders = load.completed.max(1);
        let each = |at: usize| per_order(end[at].saturating_sub(begin[at]), orders);
        let cpu = Cpu { server: each(0), nats: each(1), participants: each(2), load: each(3) };
        Ok(Measured { warm_up, load, cpu, streams: after.flow_since(&before, orders) })
    }

    /// Server, nats-server, participants, shop.
    fn cpu(&self) -> Result<[u64; 4], Failure> {
        let read = |process: Option<u32>| {
            process.and_then(cpu_microseconds).ok_or_else(|| {
                Failure::unavailable(
                    "the processor time of a process cannot be read",
                    "run on Linux, and look whether a process has ended",
                )
            })
        };
        Ok([
            read(self.server.id())?,
            read(self.nats.id())?,
            read(self.participants.id())?,
            read(self.load.id())?,
        ])
    }

    /// Waits until a relay has published `expected`, or has had time enough for it.
    pub(super) async fn rest(&mut self, expected: Option<Totals>) -> Result<RelayReport, Failure> {
        let deadline = Instant::now() + REST_WITHIN;
        loop {
            let report: RelayReport = self.server.ask("how far", ANSWER_WITHIN).await?;
            let is_out = report.left == 0 && expected.is_none_or(|expected| expected == report.totals);
            if is_out || Instant::now() >= deadline {
                return Ok(report);
            }
            sleep(LOOK).await;
        }
    }

    /// Hears receipts from now on.
    pub(crate) async fn hear_receipts(&self, most: usize) -> Result<JoinHandle<Vec<Request>>, Failure> {
        let naming = Naming::new(&self.layout.root, "main");
        let mut subscription = self.bus.subscribe(&receipt_subject(&naming)).await.map_err(trouble)?;
        Ok(tokio::spawn(async move {
            let mut heard = Vec::new();
            while heard.len() < most
                && let Some(receipt) = subscription.next().await
            {
                heard.push(receipt);
            }
            heard
        }))
    }

    /// Ends the server, so that the streams stay as they are.
    pub(crate) async fn end_server(&mut self) {
        self.server.kill().await;
    }

    /// Ends everything.
    pub(crate) async fn close(mut self) -> Result<(), Failure> {
        self.server.kill().await;
        self.load.end().await;
        self.participants.end().await;
        self.nats.kill_9().map_err(trouble)
    }
}

fn shop_arguments(conditions: &Conditions) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut add = |name: &str, value: u32| arguments.extend([name.to_owned(), value.to_string()]);
    add("--group", conditions.group);
    add("--in-flight", conditions.in_flight);
    add("--patience", conditions.patience);
    if let Some(rate) = conditions.rate {
        add("--rate", rate);
    }
    arguments
}

/// What differs from the server's defaults. The purge is put off because a recording needs whole streams, and a run that is
/// compared with it shall do the same work.
fn environment(conditions: &Conditions) -> Vec<(String, String)> {
    let sync = if conditions.always { "always" } else { "default" };
    let mut variables = vec![
        ("DOORBUSTER_NATS_SYNC".to_owned(), sync.to_owned()),
        ("DOORBUSTER_LOG_FILTER".to_owned(), "error".to_owned()),
        ("DOORBUSTER_NODE_PURGE_INTERVAL_MS".to_owned(), "3600000".to_owned()),
    ];
    for participant in Participant::ALL.iter().filter(|_| conditions.batched) {
        let name = format!("DOORBUSTER_NODE_COMMAND_BATCHES_{}", participant.as_str().to_ascii_uppercase());
        variables.push((name, "true".to_owned()));
    }
    variables
}

fn per_order(microseconds: u64, orders: u64) -> f64 {
    Duration::from_micros(microseconds).as_secs_f64() * 1e6 / Duration::from_secs(orders).as_secs_f64()
}

pub(crate) fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

pub(crate) fn trouble(cause: impl std::fmt::Display) -> Failure {
    Failure::unavailable(cause.to_string(), "look at what was said above it")
}
