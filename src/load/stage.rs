//! Whom the orders are sent to: a server that is started for the run, one that runs already, or one in this process.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use bus::layout::Layout;
use bus::nats::{DurabilityProfile, NatsProcess, ProcessError, ProcessOptions, Setup, Sync};
use bus::ports::SharedBus;
use loadtest::contract::Naming;
use loadtest::run::summary::{Environment, Resource};
use loadtest::run::{Connect, Ending, Place};
use loadtest::scenario::{FaultKind, Scenario, Writing};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::MOMENT;
use super::api;
use super::cli::TargetOptions;
use super::server::{Keeper, configuration, environment, used};
use super::trouble::Trouble;
use crate::composition;
use crate::embedded::Embedded;
use crate::setup::reach;

/// The most partitions that a layout has.
const MOST_PARTITIONS: u16 = 64;

/// A broker with somebody who serves orders.
pub(super) struct Stage {
    pub(super) run: String,
    pub(super) bus: SharedBus,
    pub(super) naming: Naming,
    pub(super) partitions: u16,
    place: Option<Place>,
    durability: String,
    target: String,
    parts: Parts,
}

/// What was started, and ends with the run.
enum Parts {
    Embedded(Embedded),
    Own { nats: NatsProcess, keeper: Keeper },
    Target,
}

impl Stage {
    /// Gets everything ready.
    pub(super) async fn open(scenario: &Scenario, target: &TargetOptions) -> Result<Self, Trouble> {
        let restarts = scenario.faults.iter().any(|fault| fault.kind == FaultKind::Restart);
        if restarts && (target.embedded || target.target.is_some()) {
            let what = format!("{} kills the server, which is not ours to kill here", scenario.name);
            let remedy = "leave out --target and --embedded, so that a server is started for the run";
            return Err(Trouble::new(Ending::Usage, what, remedy));
        }
        match &target.target {
            Some(url) => Self::on_target(url, target).await,
            None if target.embedded => Self::embedded(scenario).await,
            None => Self::on_own_server(scenario, target).await,
        }
    }

    async fn embedded(scenario: &Scenario) -> Result<Self, Trouble> {
        let config = configuration(scenario)?;
        let layout = crate::raw::stage::layout().in_memory();
        let bus = composition::memory(&layout);
        let embedded = Embedded::start(&config, &bus, &layout).await;
        timeout(MOMENT, embedded.until_ready()).await.map_err(|_| {
            Trouble::new(Ending::Internal, "the server in this process does not become ready", "try again")
        })?;
        let profile = DurabilityProfile { replicas: 1, sync: Sync::Unknown, server: None };
        let own = bus.clone();
        Ok(Self {
            run: run_name(),
            bus,
            naming: Naming::new(&layout.root, "main"),
            partitions: layout.partitions,
            place: Some(Place::OwnThread(Box::new(move || Box::pin(async move { Ok(own) })))),
            durability: profile.to_string(),
            target: "embedded: server, participants and broker in one process".to_owned(),
            parts: Parts::Embedded(embedded),
        })
    }

    async fn on_target(url: &str, target: &TargetOptions) -> Result<Self, Trouble> {
        if let Some(api) = &target.api {
            api::ready(api).await?;
        }
        let nats = reach(url).await?;
        let profile = DurabilityProfile { replicas: 1, sync: Sync::Unknown, server: Some(nats.version()) };
        let bus = composition::shared(nats);
        let layout = Layout::new(target.root.as_str(), MOST_PARTITIONS, 1);
        let partitions = partitions(&bus, &layout).await.ok_or_else(|| {
            let what = format!("{url} has no streams of {}", target.root.as_str());
            Trouble::new(
                Ending::Unreachable,
                what,
                "run `doorbuster setup --apply`, start `doorbuster serve`, or give its --root",
            )
        })?;
        Ok(Self {
            run: run_name(),
            bus,
            naming: Naming::new(target.root.as_str(), "main"),
            partitions,
            place: Some(Place::OwnThread(connecting(url))),
            // Replicas and fsync of somebody else's server cannot be asked for.
            durability: format!("{profile}; replicas are not known from here"),
            target: format!("a running server on {url}"),
            parts: Parts::Target,
        })
    }

    async fn on_own_server(scenario: &Scenario, target: &TargetOptions) -> Result<Self, Trouble> {
        configuration(scenario)?;
        let (lines, sync) = match scenario.writing {
            Writing::Always => ("sync_interval: always", Sync::Always),
            Writing::Default => ("", Sync::Interval),
        };
        let options = ProcessOptions { jetstream: lines.to_owned(), ..ProcessOptions::default() };
        let process = NatsProcess::start(options).await.map_err(|error| {
            let remedy = match error {
                ProcessError::NotFound => {
                    "install nats-server 2.14.5 or newer, name one with --target, or run with --embedded"
                }
                ProcessError::Io(_) | ProcessError::NotListening { .. } => {
                    "start one by hand and name it with --target, or run with --embedded"
                }
            };
            Trouble::new(Ending::Unreachable, error.to_string(), remedy)
        })?;
        let url = process.url();
        let nats = reach(&url).await?;
        let layout = crate::raw::stage::layout();
        let applied = Setup::new(&nats).apply(&layout).await;
        applied.map_err(|error| {
            Trouble::new(Ending::Unreachable, error.to_string(), "look at the free space of the disk")
        })?;
        let profile = DurabilityProfile { replicas: 1, sync, server: Some(nats.version()) };
        let keeper = Keeper::start(program(target)?, &url, environment(scenario)).await?;
        Ok(Self {
            run: run_name(),
            bus: composition::shared(nats),
            naming: Naming::new(&layout.root, "main"),
            partitions: layout.partitions,
            place: Some(Place::OwnThread(connecting(&url))),
            durability: profile.to_string(),
            target: "nats-server and doorbuster serve, started for the run".to_owned(),
            parts: Parts::Own { nats: process, keeper },
        })
    }

    /// Where the shop works; it works once.
    pub(super) fn place(&mut self) -> Place {
        self.place.take().unwrap_or(Place::Here)
    }

    pub(super) fn restarts(&self) -> Option<mpsc::Sender<()>> {
        match &self.parts {
            Parts::Own { keeper, .. } => Some(keeper.restarts()),
            Parts::Embedded(_) | Parts::Target => None,
        }
    }

    pub(super) fn environment(&self, target: &TargetOptions) -> Environment {
        let build = if cfg!(debug_assertions) { "debug build: numbers mean little" } else { "release build" };
        let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get() as u64);
        Environment {
            command: std::env::args().collect::<Vec<_>>().join(" "),
            started_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            version: format!("doorbuster {} ({build})", env!("CARGO_PKG_VERSION")),
            target: self.target.clone(),
            durability: self.durability.clone(),
            participants: if target.external_participants { "external" } else { "simulated" }.to_owned(),
            cores,
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }

    /// Ends what was started, and tells what it has used and how long restarts took.
    pub(super) async fn close(self) -> Result<(Vec<Resource>, Vec<f64>), Trouble> {
        let mut restarts = Vec::new();
        let mut resources: Vec<Resource> = used("loadtest", std::process::id()).into_iter().collect();
        match self.parts {
            Parts::Embedded(embedded) => {
                // All orders have ended, so a node that does not drain is not waited for.
                if !embedded.drain(MOMENT).await {
                    tracing::warn!("the node did not drain in time");
                }
            }
            Parts::Own { mut nats, keeper } => {
                let (resource, after_kills) = keeper.end().await?;
                restarts = after_kills;
                resources.push(resource);
                resources.extend(nats.id().and_then(|id| used("nats-server", id)));
                nats.kill_9().map_err(crate::raw::stage::trouble)?;
            }
            Parts::Target => {}
        }
        Ok((resources, restarts))
    }
}

fn connecting(url: &str) -> Connect {
    let url = url.to_owned();
    Box::new(move || {
        Box::pin(async move {
            let nats = composition::nats(&url, MOMENT).await.map_err(|error| error.to_string())?;
            Ok(composition::shared(nats))
        })
    })
}

/// The server program: the one that was named, or the one beside this.
fn program(target: &TargetOptions) -> Result<PathBuf, Trouble> {
    let beside = || std::env::current_exe().map(|path| path.with_file_name("doorbuster"));
    let path = target.doorbuster.clone().map_or_else(beside, Ok).map_err(crate::raw::stage::trouble)?;
    if path.is_file() {
        return Ok(path);
    }
    let what = format!("there is no {}", path.display());
    Err(Trouble::new(
        Ending::Unreachable,
        what,
        "build it (`cargo build --release`), or name it with --doorbuster",
    ))
}

/// How many journal streams there are; none = no streams at all.
async fn partitions(bus: &SharedBus, layout: &Layout) -> Option<u16> {
    bus.bounds(&layout.name(bus::layout::StreamId::Events)).await.ok()?;
    for partition in 0..MOST_PARTITIONS {
        if bus.bounds(&layout.name(bus::layout::StreamId::Journal(partition))).await.is_err() {
            return Some(partition).filter(|partitions| *partitions > 0);
        }
    }
    Some(MOST_PARTITIONS)
}

/// Different for each run, so that runs against the same streams keep apart.
fn run_name() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("lt{:x}", since.as_millis())
}
