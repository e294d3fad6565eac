//! The processes of a run that are this program again. Each says that it is ready, does what it is told line by line, and ends
//! when its input does: no process outlives the one that started it.

use std::io::Write;
use std::time::Duration;

use bus::layout::Layout;
use bus::nats::{NatsBus, NatsOptions};
use bus::ports::SharedBus;
use domain::decider::Participant;
use loadtest::contract::Naming;
use loadtest::raw::load::{Load, Pace};
use loadtest::raw::participant::answer_all;
use loadtest::raw::relay::{Recipe, Relay};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::child::READY;
use super::cli::{Role, RoleOptions};
use crate::composition;
use crate::exit::{Exit, Failure};

/// What a relay has done.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct RelayReport {
    /// Recorded steps that are still waiting.
    pub(super) left: usize,
    /// What it published.
    pub(super) totals: loadtest::raw::trace::Totals,
}

/// Plays one role until the input ends.
pub(super) async fn play(options: &RoleOptions) -> Result<Exit, Failure> {
    let nats =
        NatsOptions { name: options.role.as_str().to_owned(), ..NatsOptions::new(options.nats.clone()) };
    let bus = NatsBus::connect(&nats).await.map_err(trouble)?;
    let layout = crate::raw::stage::layout();
    let bus = composition::shared(bus);
    match options.role {
        Role::Load => shop(options, bus, &layout).await,
        Role::Participants => participants(bus, &layout).await,
        Role::Relay => relay(options, bus, layout).await,
    }
}

fn trouble(cause: impl std::fmt::Display) -> Failure {
    Failure::unavailable(cause.to_string(), "the program that started this process says more")
}

fn input() -> Lines<BufReader<Stdin>> {
    BufReader::new(tokio::io::stdin()).lines()
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(trouble)
}

fn tell(answer: &impl Serialize) -> Result<(), Failure> {
    say(&serde_json::to_string(answer).map_err(trouble)?)
}

/// Each line is a number of orders to submit; the answer is how that went.
async fn shop(options: &RoleOptions, bus: SharedBus, layout: &Layout) -> Result<Exit, Failure> {
    let pace = Pace {
        group: u64::from(options.group),
        in_flight: u64::from(options.in_flight),
        per_second: options.rate,
        patience: Duration::from_secs(u64::from(options.patience)),
    };
    let mut load = Load::new(bus, layout, pace).await.map_err(trouble)?;
    let mut lines = input();
    say(READY)?;
    while let Some(line) = lines.next_line().await.map_err(trouble)? {
        let orders = line.trim().parse().map_err(trouble)?;
        // An end of the input does not wait for the orders.
        let report = tokio::select! {
            report = load.phase(orders) => report,
            _ = lines.next_line() => return Ok(Exit::CheckFailed),
        };
        tell(&report)?;
    }
    Ok(Exit::Clean)
}

async fn participants(bus: SharedBus, layout: &Layout) -> Result<Exit, Failure> {
    let naming = Naming::new(&layout.root, "main");
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    for participant in Participant::ALL {
        tasks.spawn(answer_all(bus.clone(), naming.clone(), participant, stopped.clone()));
    }
    let mut lines = input();
    say(READY)?;
    tokio::select! {
        _ = lines.next_line() => {}
        Some(ended) = tasks.join_next() => match ended {
            Ok(Ok(())) => {}
            Ok(Err(cause)) => return Err(trouble(cause)),
            Err(cause) => return Err(trouble(cause)),
        },
    }
    stop.send_replace(true);
    Ok(Exit::Clean)
}

/// Each line asks how far it is.
async fn relay(options: &RoleOptions, bus: SharedBus, layout: Layout) -> Result<Exit, Failure> {
    let path =
        options.recipe.as_ref().ok_or_else(|| Failure::usage("no --recipe", "give the relay its recipe"))?;
    let recipe = Recipe::read(path).map_err(trouble)?;
    let mut relay = Relay::start(bus, layout, recipe).await.map_err(trouble)?;
    let mut lines = input();
    say(READY)?;
    loop {
        tokio::select! {
            line = lines.next_line() => match line.map_err(trouble)? {
                Some(_) => tell(&RelayReport { left: relay.left().unwrap_or_default(), totals: relay.totals() })?,
                None => return Ok(Exit::Clean),
            },
            cause = relay.trouble() => return Err(trouble(cause)),
        }
    }
}
