//! Getting from nothing to a running node: each thing that is missing is waited for and said on `/readyz`.

use std::sync::Arc;
use std::time::Duration;

use actors::node::Node;
use bus::layout::Layout;
use bus::nats::{DurabilityProfile, NatsBus, Remedy, Setup};
use bus::ports::SharedBus;
use tokio::time::sleep;

use super::knobs::NodeKnobs;
use super::lifecycle::Lifecycle;
use crate::composition;
use crate::config::Config;
use crate::control::Control;
use crate::product;
use crate::reference::Watcher;
use crate::setup::remedy;

/// Between two looks at something that is missing.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How long one attempt to connect may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// What was started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) node: Node,
    pub(super) bus: SharedBus,
    pub(super) layout: Layout,
    pub(super) control: Arc<Control>,
    pub(super) reference: Watcher,
}

/// Starts the node as soon as the server and the streams are there. Never gives up.
pub(super) async fn when_possible(config: &Config, lifecycle: &Lifecycle) -> Started {
    let nats = connection(&config.nats.url, lifecycle).await;
    let layout = streams(&nats, &config.nats.root, lifecycle).await;
    let profile = DurabilityProfile {
        replicas: layout.replicas,
        sync: composition::sync(config.nats.sync),
        server: Some(nats.version()),
    };
    let durability = profile.to_string();
    tracing::info!(%durability, partitions = layout.partitions, "starting");
    lifecycle.opening();
    let bus = composition::shared(nats);
    let policies = product::policies(config);
    let mut reference = composition::watcher(&policies, bus.clone(), layout.clone());
    reference.read_all(|why| lifecycle.waiting_for(why)).await;
    let (node, board) = composition::node(config, bus.clone(), layout.clone(), policies);
    let worklist = composition::worklist(Arc::clone(&board));
    let shelves = composition::shelves(board, reference.report());
    let knobs =
        NodeKnobs::new(node.flow().clone(), node.participants(), config.node.clone(), layout.partitions);
    let control = Arc::new(composition::control(config, Arc::new(knobs), bus.clone(), layout.clone()));
    let started = Started { node, bus, layout, control, reference };
    lifecycle.running(&started, (shelves, worklist), durability);
    started
}

async fn connection(url: &str, lifecycle: &Lifecycle) -> NatsBus {
    loop {
        match composition::nats(url, ATTEMPT).await {
            Ok(nats) => return nats,
            Err(error) => lifecycle.waiting_for(format!("{error}; {}", remedy(&error))),
        }
        sleep(LOOK_AGAIN).await;
    }
}

async fn streams(nats: &NatsBus, root: &str, lifecycle: &Lifecycle) -> Layout {
    let setup = Setup::new(nats);
    loop {
        match complete_layout(&setup, root).await {
            Ok(layout) => return layout,
            Err(reason) => lifecycle.waiting_for(reason),
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// The layout, if every stream of it is there. Other differences are the operator's to make.
async fn complete_layout(setup: &Setup, root: &str) -> Result<Layout, String> {
    let missing = |names: &str| format!("{names}: not there; run `doorbuster setup --apply` on this server");
    let found = setup.discover(root).await.map_err(|error| error.to_string())?;
    let layout = found.ok_or_else(|| missing(&format!("the streams of {root}")))?;
    let differences = setup.plan(&layout).await.map_err(|error| error.to_string())?;
    let names: Vec<_> = differences
        .iter()
        .filter(|difference| difference.remedy == Remedy::Create)
        .map(|difference| difference.stream.as_str())
        .collect();
    // Messages would go to other partitions than the journals know, or to no stream at all.
    let wrong: Vec<_> = differences
        .iter()
        .filter(|difference| matches!(difference.setting, "subjects" | "subject_transform"))
        .map(ToString::to_string)
        .collect();
    if !wrong.is_empty() {
        return Err(format!("{}; run `doorbuster setup --diff`", wrong.join("; ")));
    }
    if names.is_empty() {
        for difference in &differences {
            tracing::info!(%difference, "a stream differs from the default layout");
        }
        return Ok(layout);
    }
    Err(missing(&names.join(", ")))
}
