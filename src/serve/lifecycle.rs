//! How far the server is, as the outside sees it: the surface behind HTTP and queries.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use actors::node::{Node, NodeState};
use async_trait::async_trait;
use bus::ports::SharedBus;
use domain::ids::{EntityId, Token};

use super::start::Started;
use crate::api::control::Steering;
use crate::api::{Readiness, Surface, Unreadable, View};
use crate::availability::{Availability, Mistaken, Question, Shelves};
use crate::composition;
use crate::control::Control;
use crate::reference::report::{ReferenceReport, Report};
use crate::telemetry::Exposition;
use crate::worklist::{Drift, Question as WorklistQuestion, Worklist};

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
    control: Arc<Control>,
    reference: Arc<Report>,
    shelves: Shelves,
    worklist: Worklist,
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

    /// Everything is there; the partitions are opening.
    pub(super) fn opening(&self) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Stage::Waiting("opening".to_owned());
    }

    /// The node runs.
    pub(super) fn running(
        &self,
        started: &Started,
        (shelves, worklist): (Shelves, Worklist),
        durability: String,
    ) {
        let Started { node, bus, control, reference, .. } = started;
        let exposition = composition::exposition(node)
            .with_control(Arc::clone(control))
            .with_reference(reference.report());
        let running = Running {
            node: node.clone(),
            bus: Arc::clone(bus),
            exposition,
            durability,
            control: Arc::clone(control),
            reference: reference.report(),
            shelves,
            worklist,
        };
        let first = self.running.set(running).is_ok();
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

    /// What runs, if anything does.
    fn running_now(&self) -> Result<&Running, Unreadable> {
        let not_yet = || match self.stage() {
            Stage::Waiting(reason) => reason,
            Stage::Running | Stage::Draining => "ending before it had begun".to_owned(),
        };
        self.running.get().ok_or_else(|| Unreadable::NotNow(not_yet()))
    }
}

#[async_trait]
impl Surface for Lifecycle {
    fn readiness(&self) -> Readiness {
        let running = match (self.stage(), self.running.get()) {
            (Stage::Waiting(reason), _) => return Readiness::NotReady(reason),
            (Stage::Draining, _) => return Readiness::NotReady("draining: it was asked to end".to_owned()),
            (Stage::Running, None) => unreachable!("the stage follows what runs"),
            (Stage::Running, Some(running)) => running,
        };
        if !running.bus.connected() {
            return Readiness::NotReady("the connection to NATS is lost; trying again".to_owned());
        }
        let status = running.node.status();
        if status.state == NodeState::Ready {
            return Readiness::Ready(running.durability.clone());
        }
        Readiness::NotReady(status.reasons().join("; "))
    }

    fn metrics(&self) -> String {
        // Before the node runs there is nothing to count; an empty exposition is a valid one.
        self.running.get().map_or_else(|| "# EOF\n".to_owned(), |running| running.exposition.render())
    }

    async fn entity(&self, id: &EntityId) -> Result<Option<View>, Unreadable> {
        let view = self.running_now()?.node.read(id).await?;
        Ok(view.map(|view| View { version: view.version, json: view.json }))
    }

    async fn timeline(&self, id: &EntityId) -> Result<Option<String>, Unreadable> {
        Ok(self.running_now()?.node.timeline(id).await?)
    }

    fn reference(&self) -> Result<ReferenceReport, Unreadable> {
        Ok(self.running_now()?.reference.show())
    }

    fn availability(
        &self,
        tenant: &Token,
        question: &Question,
    ) -> Result<Result<Availability, Mistaken>, Unreadable> {
        Ok(self.running_now()?.shelves.look(tenant, question))
    }

    fn drift(
        &self,
        tenant: &Token,
        question: &WorklistQuestion,
    ) -> Result<Result<Drift, Mistaken>, Unreadable> {
        Ok(self.running_now()?.worklist.look(tenant, question))
    }
}

impl Steering for Lifecycle {
    fn control(&self) -> Result<Arc<Control>, Unreadable> {
        Ok(Arc::clone(&self.running_now()?.control))
    }
}
