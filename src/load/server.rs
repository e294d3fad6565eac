//! A server that is started for a run: killed without warning and started again when the scenario says so.

use std::path::PathBuf;

use domain::decider::Participant;
use domain::further::KINDS;
use loadtest::raw::accounting::cpu_microseconds;
use loadtest::run::Ending;
use loadtest::run::summary::Resource;
use loadtest::scenario::{Scenario, Writing, nearest};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::trouble::Trouble;
use crate::cli::ServeOptions;
use crate::config::{Config, DEFAULTS, environment_name, flatten};
use crate::exit::Failure;
use crate::raw::child::Child;
use crate::raw::stage::free_port;

/// The variables that make a server as the scenario wants it.
pub(super) fn environment(scenario: &Scenario) -> Vec<(String, String)> {
    let sync = match scenario.writing {
        Writing::Always => "always",
        Writing::Default => "default",
    };
    let mut variables = vec![
        (environment_name("nats.sync"), sync.to_owned()),
        (environment_name("log.filter"), "error".to_owned()),
    ];
    for participant in Participant::ALL.iter().filter(|_| scenario.batches) {
        let key = format!("node.command_batches.{}", participant.as_str());
        variables.push((environment_name(&key), "true".to_owned()));
    }
    if scenario.stock.is_some() {
        // The auditor adds up every move of every cell.
        variables.push((environment_name("node.further"), KINDS.join(",")));
    }
    variables.extend(scenario.server.iter().map(|(key, value)| (environment_name(key), value.clone())));
    variables
}

/// The configuration that comes of it.
pub(super) fn configuration(scenario: &Scenario) -> Result<Config, Trouble> {
    let known =
        flatten(&toml::from_str(DEFAULTS).expect("the defaults are compiled in, and a test reads them"));
    let unknown = scenario.server.keys().filter(|key| !known.contains_key(*key)).map(|key| {
        let meant = nearest(key, known.keys().map(String::as_str));
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        format!("server.{key}: unknown key{meant}")
    });
    let unknown: Vec<String> = unknown.collect();
    if !unknown.is_empty() {
        let what = format!("{} is no valid scenario:\n  {}", scenario.name, unknown.join("\n  "));
        let remedy = "config/default.toml has every key with its unit, default and reason";
        return Err(Trouble::new(Ending::ScenarioInvalid, what, remedy));
    }
    Config::from_layers(&ServeOptions::default(), environment(scenario).into_iter()).map_err(|failure| {
        let Failure { what, remedy, .. } = failure;
        Trouble::new(Ending::ScenarioInvalid, format!("[server] of {}: {what}", scenario.name), remedy)
    })
}

/// `doorbuster serve` as a process.
#[derive(Debug)]
struct Server {
    program: PathBuf,
    nats: String,
    environment: Vec<(String, String)>,
    child: Child,
    /// Of those that were killed.
    cpu_microseconds: u64,
    /// Seconds from each kill to ready.
    restarts: Vec<f64>,
}

impl Server {
    async fn start(
        program: PathBuf,
        nats: &str,
        environment: Vec<(String, String)>,
    ) -> Result<Self, Failure> {
        let child = spawn(&program, nats, &environment).await?;
        Ok(Self {
            program,
            nats: nats.to_owned(),
            environment,
            child,
            cpu_microseconds: 0,
            restarts: Vec::new(),
        })
    }

    fn cpu_microseconds(&self) -> u64 {
        self.cpu_microseconds + self.child.id().and_then(cpu_microseconds).unwrap_or_default()
    }

    /// kill -9, and on again with what is in the streams.
    async fn restart(&mut self) -> Result<(), Failure> {
        self.cpu_microseconds = self.cpu_microseconds();
        self.child.kill().await;
        let killed = Instant::now();
        self.child = spawn(&self.program, &self.nats, &self.environment).await?;
        self.restarts.push(killed.elapsed().as_secs_f64());
        Ok(())
    }
}

async fn spawn(
    program: &std::path::Path,
    nats: &str,
    environment: &[(String, String)],
) -> Result<Child, Failure> {
    let port = free_port().map_err(crate::raw::stage::trouble)?;
    let http = format!("127.0.0.1:{port}");
    let arguments = ["serve", "--nats", nats, "--http", &http].map(str::to_owned);
    let mut child = Child::start(program, &arguments, environment)?;
    child.ready_over_http(port).await?;
    Ok(child)
}

/// Somebody who restarts the server whenever he is told to.
#[derive(Debug)]
pub(super) struct Keeper {
    told: mpsc::Sender<()>,
    work: JoinHandle<(Server, Option<Failure>)>,
}

impl Keeper {
    /// Starts the server and waits until it is ready.
    pub(super) async fn start(
        program: PathBuf,
        nats: &str,
        environment: Vec<(String, String)>,
    ) -> Result<Self, Failure> {
        let mut server = Server::start(program, nats, environment).await?;
        // More than one restart at a time means nothing.
        let (told, mut listen) = mpsc::channel(1);
        let work = tokio::spawn(async move {
            while listen.recv().await == Some(()) {
                if let Err(failure) = server.restart().await {
                    return (server, Some(failure));
                }
            }
            (server, None)
        });
        Ok(Self { told, work })
    }

    pub(super) fn restarts(&self) -> mpsc::Sender<()> {
        self.told.clone()
    }

    /// Ends the server and tells what it has used. Everybody else who holds a sender has let it go before.
    pub(super) async fn end(self) -> Result<(Resource, Vec<f64>), Failure> {
        drop(self.told);
        let ended = self.work.await;
        let (mut server, failure) = ended.map_err(crate::raw::stage::trouble)?;
        let cpu = std::time::Duration::from_micros(server.cpu_microseconds()).as_secs_f64();
        let resident_mib = server.child.id().and_then(resident_mib).unwrap_or_default();
        server.child.kill().await;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let process = "doorbuster serve".to_owned();
        Ok((Resource { process, cpu_seconds: cpu, resident_mib }, server.restarts))
    }
}

/// What a process has used. Linux only: none elsewhere.
pub(super) fn used(process: &str, id: u32) -> Option<Resource> {
    let cpu_seconds = std::time::Duration::from_micros(cpu_microseconds(id)?).as_secs_f64();
    Some(Resource { process: process.to_owned(), cpu_seconds, resident_mib: resident_mib(id)? })
}

fn resident_mib(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u32 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(f64::from(kib) / 1_024.0)
}
