//! The product in this process, on a bus that somebody else keeps: a node of all kinds, the reference data that it watches, and its
//! answers to questions. It is what `serve` runs, without HTTP and without control.

use std::sync::Arc;
use std::time::Duration;

use actors::node::{Node, NodeState};
use async_trait::async_trait;
use bus::layout::Layout;
use bus::ports::SharedBus;
use domain::ids::{EntityId, Token};
use tokio::task::JoinHandle;

use crate::api::{Readiness, Surface, Unreadable, View};
use crate::availability::{Availability, Mistaken, Question, Shelves};
use crate::config::Config;
use crate::reference::report::{ReferenceReport, Report};
use crate::{composition, product, query};

/// Between two looks at whether it is ready.
const LOOK: Duration = Duration::from_millis(5);

/// A node and all that it needs; what watches and answers ends with this value.
#[derive(Debug)]
pub struct Embedded {
    surface: Arc<Inside>,
    beside: [JoinHandle<()>; 2],
}

impl Embedded {
    /// Starts it once it has read the reference data that is there. Needs a runtime of actix.
    pub async fn start(config: &Config, bus: &SharedBus, layout: &Layout) -> Self {
        let policies = product::policies(config);
        let mut watcher = composition::watcher(&policies, bus.clone(), layout.clone());
        watcher.read_all(|reason| tracing::warn!(%reason, "waiting")).await;
        let reference = watcher.report();
        let (node, board) = composition::node(config, bus.clone(), layout.clone(), policies);
        let shelves = composition::shelves(board, Arc::clone(&reference));
        let surface = Arc::new(Inside { node, reference, shelves });
        let questions = query::answer_questions(bus.clone(), layout.clone(), surface.clone());
        let beside = [actix::spawn(watcher.watch()), actix::spawn(questions)];
        Self { surface, beside }
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.surface.node
    }

    /// How much can be sold where.
    pub fn shelves(&self) -> &Shelves {
        &self.surface.shelves
    }

    /// Waits until every partition takes work.
    pub async fn until_ready(&self) {
        while self.node().status().state != NodeState::Ready {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Finishes what is begun, for at most so long. True if all of it is finished.
    pub async fn drain(&self, within: Duration) -> bool {
        tokio::time::timeout(within, self.node().drain()).await.is_ok()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.beside.iter().for_each(JoinHandle::abort);
    }
}

/// What is behind its answers.
#[derive(Debug)]
struct Inside {
    node: Node,
    reference: Arc<Report>,
    shelves: Shelves,
}

#[async_trait]
impl Surface for Inside {
    fn readiness(&self) -> Readiness {
        let status = self.node.status();
        if status.state == NodeState::Ready {
            return Readiness::Ready("embedded".to_owned());
        }
        Readiness::NotReady(status.reasons().join("; "))
    }

    fn metrics(&self) -> String {
        composition::exposition(&self.node).with_reference(Arc::clone(&self.reference)).render()
    }

    async fn entity(&self, id: &EntityId) -> Result<Option<View>, Unreadable> {
        let view = self.node.read(id).await?;
        Ok(view.map(|view| View { version: view.version, json: view.json }))
    }

    async fn timeline(&self, id: &EntityId) -> Result<Option<String>, Unreadable> {
        Ok(self.node.timeline(id).await?)
    }

    fn reference(&self) -> Result<ReferenceReport, Unreadable> {
        Ok(self.reference.show())
    }

    fn availability(
        &self,
        tenant: &Token,
        question: &Question,
    ) -> Result<Result<Availability, Mistaken>, Unreadable> {
        Ok(self.shelves.look(tenant, question))
    }
}
