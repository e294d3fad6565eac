//! How far the server is, as the outside sees it: the surface behind HTTP and queries.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use actors::node::Node;
use async_trait::async_trait;
use bus::ports::SharedBus;
use domain::ids::EntityId;

use crate::api::{NotNow, Readiness, Surface, View};
use crate::composition;
use crate::telemetry::Exposition;

/// How far the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// Something that is needed is not there yet.
    Waiting(String),
    /// The node runs; whether it is ready, it says itself.
    Running,
    /// It was asked to end.
    Draining,
}

/// What runs once everything that is needed is there.
#[derive(Debug)]
struct Running {
    node: Node,
    bus: SharedBus,
    exposition: Exposition,
    durability: String,
}

/// The state of the process; shared by HTTP, queries and the one who starts and ends it.
#[derive(Debug)]
pub(super) struct Lifecycle {
    stage: Mutex<Stage>,
    running: OnceLock<Running>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self { stage: Mutex::new(Stage::Waiting("starting".to_owned())), running: OnceLock::new() }
    }
}

impl Lifecycle {
    /// Says what is waited for. Logged when it changes, not each time it is looked at.
    pub(super) fn waiting_for(&self, reason: String) {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = Stage::Waiting(reason);
        if *stage != waiting {
            if let Stage::Waiting(reason) = &waiting {
                tracing::warn!(%reason, "waiting");
            }
            *stage = waiting;
        }
    }

    /// The node runs.
    pub(super) fn running(&self, node: Node, bus: SharedBus, durability: String) {
        let exposition = composition::exposition(&node);
        let first = self.running.set(Running { node, bus, exposition, durability }).is_ok();
        assert!(first, "a process starts its node once");
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Stage::Running;
    }

    /// It was asked to end.
    pub(super) fn draining(&self) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Stage::Draining;
    }

    fn stage(&self) -> Stage {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The node, if questions about orders can be asked.
    fn node(&self) -> Result<&Node, NotNow> {
        match (self.running.get(), self.stage()) {
            (Some(running), _) => Ok(&running.node),
            (None, Stage::Waiting(reason)) => Err(NotNow(reason)),
            (None, Stage::Running | Stage::Draining) => Err(NotNow("ending before it had begun".to_owned())),
        }
    }
}
