//! The built binary as a process: one-shot commands, and `serve` that can be ended in every way.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::http::{self, Answer};
use crate::until::until;

/// Long enough for recovery on a machine that builds something else at the same time.
const READY_WITHIN: Duration = Duration::from_mins(1);

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbuster"));
    // What the developer has set for their own server must not reach the one under test.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DOORBUSTER_")) {
        if name != "DOORBUSTER_NATS_SERVER" {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs one command to its end.
pub(crate) async fn run(arguments: &[&str]) -> Output {
    let limit = Duration::from_mins(3);
    let output = tokio::time::timeout(limit, binary().args(arguments).output()).await;
    output.unwrap_or_else(|_| panic!("{arguments:?} did not end within {} s", limit.as_secs())).unwrap()
}

/// Runs one command and gives its exit code.
pub(crate) async fn code(arguments: &[&str]) -> i32 {
    let output = run(arguments).await;
    output.status.code().unwrap_or_else(|| panic!("{arguments:?}: ended by a signal"))
}

/// Makes the streams; the command must succeed.
pub(crate) async fn set_up(nats: &str, partitions: u16) {
    let output = run(&["setup", "--nats", nats, "--partitions", &partitions.to_string(), "--apply"]).await;
    assert_eq!(output.status.code(), Some(0), "setup: {}", String::from_utf8_lossy(&output.stderr));
}

/// `doorbuster serve`.
#[derive(Debug)]
pub(crate) struct Serve {
    nats: String,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    pub(crate) port: u16,
    child: Option<Child>,
}

impl Serve {
    /// A server that is not started yet, on a port of its own.
    pub(crate) fn new(nats: &str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { nats: nats.to_owned(), arguments, environment: Vec::new(), port: free_port(), child: None }
    }

    /// The same with a variable of its environment, which wins over what all servers under test have.
    pub(crate) fn with(mut self, name: &'static str, value: impl std::fmt::Display + Copy) -> Self {
        self.environment.push((name, value.to_string()));
        self
    }

    /// Starts it and waits until it takes work.
    pub(crate) async fn started(nats: &str, arguments: &[&str]) -> Self {
        let mut serve = Self::new(nats, arguments);
        serve.start();
        serve.until_ready().await;
        serve
    }

    /// Starts the process.
    pub(crate) fn start(&mut self) {
        let address = format!("127.0.0.1:{}", self.port);
        let mut command = binary();
        command.args(["serve", "--nats", &self.nats, "--http", &address]).args(&self.arguments);
        // An order that waits while the server is down shall not be given up for that.
        command.env("DOORBUSTER_ORDER_COMMIT_DEADLINE_MS", "600000");
        // Orders leave memory and come back while the processes are killed.
        command.env("DOORBUSTER_NODE_IDLE_AFTER_MS", "200");
        command.env("DOORBUSTER_NODE_SNAPSHOT_INTERVAL_MS", "100");
        command.env("DOORBUSTER_NODE_CHECKPOINT_AGE_MS", "1000");
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        // Log lines go to the test's own stderr, where they stand beside what failed.
        self.child =
            Some(command.stdout(Stdio::null()).spawn().expect("the binary that cargo built can be run"));
    }

    /// Waits for 200 on `/readyz`; a process that ends before that fails the test.
    pub(crate) async fn until_ready(&mut self) {
        let port = self.port;
        let child = self.child.as_mut().expect("started before");
        until(READY_WITHIN, "/readyz 200", || {
            let ended = child.try_wait().expect("the state of a child can be asked");
            assert!(ended.is_none(), "serve ended before it was ready: {ended:?}");
            async move { http::get(port, "/readyz", &[]).await.filter(|answer| answer.status == 200) }
        })
        .await;
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("running")
    }

    /// Ends it at once, as `kill -9` does, and waits for its end.
    pub(crate) async fn kill_9(&mut self) {
        let mut child = self.child.take().expect("running");
        child.kill().await.expect("our own child can be killed");
    }

    /// Asks it to end with `signal` (`TERM`, `INT`) and gives its exit code.
    pub(crate) async fn end(&mut self, signal: &str) -> Option<i32> {
        let pid = self.pid().to_string();
        let sent =
            Command::new("kill").args(["-s", signal, &pid]).status().await.expect("kill is on every system");
        assert!(sent.success());
        let mut child = self.child.take().expect("running");
        let limit = Duration::from_secs(40);
        let ended = tokio::time::timeout(limit, child.wait()).await;
        ended
            .unwrap_or_else(|_| panic!("still running {} s after SIG{signal}", limit.as_secs()))
            .unwrap()
            .code()
    }

    /// GET from it.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        http::get(self.port, path, &[]).await.unwrap_or_else(|| panic!("no answer to GET {path}"))
    }

    /// True while the process has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().expect("a child can be asked").is_none())
    }
}

/// A port that nobody listened on a moment ago.
pub(crate) fn free_port() -> u16 {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    probe.local_addr().expect("it is bound").port()
}
