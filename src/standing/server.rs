//! The server that is measured, from outside: its process, its metrics, its orders.

use std::path::{Path, PathBuf};
use std::time::Duration;

use loadtest::raw::accounting::cpu_microseconds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::{LOOK, PATIENCE};
use crate::exit::Failure;
use crate::raw::child::Child;
use crate::raw::stage::{free_port, trouble};

/// The server program: beside this one.
pub(super) fn program() -> std::io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("doorbuster"))
}

/// A running server.
pub(super) struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// Starts it without waiting; `changes` are keys of `[node]` in upper case.
    pub(super) fn spawn(program: &Path, nats: &str, changes: &[(&str, String)]) -> Result<Self, Failure> {
        let port = free_port().map_err(trouble)?;
        let http = format!("127.0.0.1:{port}");
        let arguments = ["serve", "--nats", nats, "--http", &http].map(str::to_owned);
        let mut environment = vec![("DOORBUSTER_LOG_FILTER".to_owned(), "error".to_owned())];
        let node = changes.iter().map(|(key, value)| (format!("DOORBUSTER_NODE_{key}"), value.clone()));
        environment.extend(node);
        for participant in ["LOYALTY", "PAYMENT", "ALLOCATION", "FULFILLMENT", "ERP"] {
            environment.push((format!("DOORBUSTER_NODE_COMMAND_BATCHES_{participant}"), "true".to_owned()));
        }
        let process = Child::start(program, &arguments, &environment)?;
        Ok(Self { process, port })
    }

    /// Starts it and waits until it is ready.
    pub(super) async fn start(
        program: &Path,
        nats: &str,
        changes: &[(&str, String)],
    ) -> Result<Self, Failure> {
        let server = Self::spawn(program, nats, changes)?;
        server.until_ready().await?;
        Ok(server)
    }

    pub(super) async fn until_ready(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(answer) = self.get("/readyz").await
                && answer.starts_with("HTTP/1.1 200")
            {
                return Ok(());
            }
            sleep(LOOK).await;
        }
        Err(trouble("the server does not become ready"))
    }

    /// Reads an order, however often that has to be tried.
    pub(super) async fn order(&self, order: &str) -> Result<(), Failure> {
        self.read(&format!("/api/v1/orders/{order}"), order).await
    }

    /// Reads a stock cell, however often that has to be tried.
    pub(super) async fn cell(&self, sku: &str, node: &str) -> Result<(), Failure> {
        self.read(&format!("/api/v1/stock/{sku}?nodes={node}"), "\"available\"").await
    }

    /// Reads until the answer has what it must have.
    async fn read(&self, path: &str, what: &str) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            match self.get(path).await {
                Ok(answer) if answer.starts_with("HTTP/1.1 200") && answer.contains(what) => return Ok(()),
                Ok(answer) if answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.1 404") => {
                    return Err(trouble(format!("{path} is lost")));
                }
                _ => sleep(LOOK).await,
            }
        }
        Err(trouble(format!("{path} cannot be read")))
    }

    /// Waits until a metric is at least so much.
    pub(super) async fn until(&self, metric: &str, least: u64) -> Result<(), Failure> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self.metric(metric).await? >= least {
                return Ok(());
            }
            sleep(LOOK).await;
        }
        Err(trouble(format!("{metric} does not become {least}")))
    }

    /// One metric, as it stands in the exposition behind `doorbuster_`.
    pub(super) async fn metric(&self, name: &str) -> Result<u64, Failure> {
        let answer = self.get("/metrics").await.map_err(trouble)?;
        let line = answer.lines().find_map(|line| {
            line.strip_prefix("doorbuster_")?.strip_prefix(name)?.strip_prefix(' ')?.split('.').next()
        });
        let value = line.and_then(|value| value.parse::<i64>().ok());
        let value = value.ok_or_else(|| trouble(format!("there is no metric {name}")))?;
        Ok(u64::try_from(value).unwrap_or(0))
    }

    /// Resident memory in bytes.
    pub(super) fn resident(&self) -> Result<u64, Failure> {
        let id = self.process.id().ok_or_else(|| trouble("the server has ended"))?;
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).map_err(trouble)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.map(|kib| kib << 10).ok_or_else(|| trouble("the memory of a process cannot be read"))
    }

    pub(super) fn cpu_microseconds(&self) -> Result<u64, Failure> {
        self.process.id().and_then(cpu_microseconds).ok_or_else(|| trouble("the server has ended"))
    }

    /// Its process while it runs.
    pub(super) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// kill -9.
    pub(super) async fn kill(mut self) {
        self.process.kill().await;
    }

    async fn get(&self, path: &str) -> std::io::Result<String> {
        let asked = async {
            let mut connection = TcpStream::connect(("127.0.0.1", self.port)).await?;
            let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
            connection.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            connection.read_to_string(&mut answer).await?;
            Ok(answer)
        };
        tokio::time::timeout(Duration::from_secs(5), asked).await?
    }
}
