//! A nats-server of one's own, as a child process: for the demo and for tests that kill it.

use std::env;
use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

const START_PATIENCE: Duration = Duration::from_secs(20);
const STOP_PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// How to start it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProcessOptions {
    /// The binary; none = as [`find_nats_server`] finds it.
    pub binary: Option<PathBuf>,
    /// Where it keeps its streams; none = a folder that goes with the process value.
    pub store: Option<PathBuf>,
    /// Its port; none = a free one.
    pub port: Option<u16>,
    /// Lines inside the `jetstream` block: `sync_interval: always`, for example.
    pub jetstream: String,
    /// Lines at the top level of its configuration.
    pub extra: String,
}

/// Why a server of one's own does not run.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// There is no binary.
    #[error("no nats-server found: set DOORBUSTER_NATS_SERVER to the binary, or put nats-server on the PATH")]
    NotFound,
    /// The operating system refused something.
    #[error("nats-server: {0}")]
    Io(#[from] io::Error),
    /// It ended, or listens not in time.
    #[error("nats-server does not listen on port {port}; its log ends with:\n{log}")]
    NotListening {
        /// Where it should.
        port: u16,
        /// The last lines of its log.
        log: String,
    },
}

/// The nats-server binary: `DOORBUSTER_NATS_SERVER` if set, else the first one on the `PATH`.
pub fn find_nats_server() -> Option<PathBuf> {
    if let Some(given) = env::var_os("DOORBUSTER_NATS_SERVER") {
        return Some(PathBuf::from(given)).filter(|path| path.is_file());
    }
    let name = format!("nats-server{}", env::consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&name)).find(|path| path.is_file())
}

/// A running (or stopped) nats-server. It is killed when this value goes.
#[derive(Debug)]
pub struct NatsProcess {
    binary: PathBuf,
    /// Configuration and log; with the streams in it unless a store was given.
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl NatsProcess {
    /// Starts it and waits until it listens.
    pub async fn start(options: ProcessOptions) -> Result<Self, ProcessError> {
        let binary = options.binary.or_else(find_nats_server).ok_or(ProcessError::NotFound)?;
        let folder = tempfile::Builder::new().prefix("doorbuster-nats-").tempdir()?;
        let port = match options.port {
            Some(port) => port,
            None => TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port(),
        };
        let store = options.store.unwrap_or_else(|| folder.path().join("store"));
        let settings = format!(
            "server_name: doorbuster\nlisten: \"127.0.0.1:{port}\"\njetstream {{\n  store_dir: \"{}\"\n  {}\n}}\n{}\n",
            store.display(),
            options.jetstream,
            options.extra
        );
        fs::write(folder.path().join("nats.conf"), settings)?;
        let mut process = Self { binary, folder, port, child: None };
        process.restart().await?;
        Ok(process)
    }

    /// Where it listens: `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its process id while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Starts it again on the same port and store, after a kill or a stop.
    pub async fn restart(&mut self) -> Result<(), ProcessError> {
        self.kill_9()?;
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let child = Command::new(&self.binary)
            .arg("-c")
            .arg(self.folder.path().join("nats.conf"))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        let deadline = Instant::now() + START_PATIENCE;
        while Instant::now() < deadline && self.is_running() {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            sleep(POLL).await;
        }
        Err(ProcessError::NotListening { port: self.port, log: self.log_tail() })
    }

    /// Kills it without warning (SIGKILL) and waits until it is gone.
    pub fn kill_9(&mut self) -> io::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits until it has; after 20 s it is killed.
    pub async fn stop(&mut self) -> io::Result<()> {
        if let Some(id) = self.id() {
            Command::new(&self.binary)
                .arg("--signal")
                .arg(format!("term={id}"))
                .stderr(Stdio::null())
                .status()?;
        }
        let deadline = Instant::now() + STOP_PATIENCE;
        while self.is_running() && Instant::now() < deadline {
            sleep(POLL).await;
        }
        self.kill_9()
    }

    /// Does it run?
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("nats.log")
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        tail(&self.log_path(), 12)
    }
}

fn tail(path: &Path, lines: usize) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

impl Drop for NatsProcess {
    fn drop(&mut self) {
        if let Err(error) = self.kill_9() {
            tracing::warn!(%error, "nats-server may still run");
        }
    }
}
