//! Processes that this program starts: they are told what to do line by line, and are killed when their value goes.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child as Process, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::exit::Failure;

/// What a child says once it can work.
pub(crate) const READY: &str = "ready";
const READY_WITHIN: Duration = Duration::from_mins(1);
const END_WITHIN: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

/// A process that talks in lines.
#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    process: Process,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts it. Variables of this program's own server must not reach the one that is measured.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        environment: &[(String, String)],
    ) -> Result<Self, Failure> {
        let name = format!("{} {}", program.display(), arguments.first().map_or("", String::as_str));
        let mut command = Command::new(program);
        for (variable, _) in std::env::vars().filter(|(variable, _)| variable.starts_with("DOORBUSTER_")) {
            command.env_remove(variable);
        }
        let environment = environment.iter().map(|(name, value)| (name, value));
        command
            .args(arguments)
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().map_err(|cause| unavailable(&name, &cause.to_string()))?;
        let stdout = process.stdout.take().ok_or_else(|| unavailable(&name, "it has no output"))?;
        let stdin = process.stdin.take();
        Ok(Self { name, process, stdin, stdout: BufReader::new(stdout).lines() })
    }

    /// Its process id while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Waits until it says that it can work.
    pub(crate) async fn ready(&mut self) -> Result<(), Failure> {
        match self.line(READY_WITHIN).await? {
            line if line == READY => Ok(()),
            line => Err(unavailable(&self.name, &line)),
        }
    }

    /// Tells it something and reads its answer.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &mut self,
        what: &str,
        within: Duration,
    ) -> Result<T, Failure> {
        let told = match &mut self.stdin {
            Some(stdin) => stdin.write_all(format!("{what}\n").as_bytes()).await,
            None => Err(std::io::Error::other("it was told to end")),
        };
        told.map_err(|cause| unavailable(&self.name, &cause.to_string()))?;
        self.hear(within).await
    }

    /// Reads what it says next.
    pub(crate) async fn hear<T: DeserializeOwned>(&mut self, within: Duration) -> Result<T, Failure> {
        let line = self.line(within).await?;
        serde_json::from_str(&line).map_err(|cause| unavailable(&self.name, &format!("{cause}: {line}")))
    }

    async fn line(&mut self, within: Duration) -> Result<String, Failure> {
        match timeout(within, self.stdout.next_line()).await {
            Ok(Ok(Some(line))) => Ok(line),
            Ok(Ok(None)) => Err(unavailable(&self.name, "it has ended")),
            Ok(Err(cause)) => Err(unavailable(&self.name, &cause.to_string())),
            Err(_) => Err(unavailable(&self.name, &format!("no word from it within {} s", within.as_secs()))),
        }
    }

    /// Waits until its `/readyz` says 200.
    pub(crate) async fn ready_over_http(&mut self, port: u16) -> Result<(), Failure> {
        let deadline = Instant::now() + READY_WITHIN;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(unavailable(&self.name, &format!("it has ended: {status}")));
            }
            if is_ready(port).await {
                return Ok(());
            }
            sleep(LOOK).await;
        }
        Err(unavailable(&self.name, "it does not become ready"))
    }

    /// Ends it: first by closing its input, then by force.
    pub(crate) async fn end(mut self) {
        drop(self.stdin.take());
        if timeout(END_WITHIN, self.process.wait()).await.is_err() {
            self.kill().await;
        }
    }

    /// Ends it at once; what it has written is not wanted any more.
    pub(crate) async fn kill(&mut self) {
        if let Err(cause) = self.process.kill().await {
            tracing::warn!(%cause, name = self.name, "a process may still run");
        }
    }
}

fn unavailable(name: &str, what: &str) -> Failure {
    Failure::unavailable(format!("{name}: {what}"), "look at what it said on stderr")
}

async fn is_ready(port: u16) -> bool {
    let asked = async {
        let mut connection = TcpStream::connect(("127.0.0.1", port)).await?;
        connection.write_all(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    matches!(timeout(READY_WITHIN, asked).await, Ok(Ok(answer)) if answer.starts_with("HTTP/1.1 200"))
}
