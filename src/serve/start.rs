//! Getting from nothing to a running node: each thing that is missing is waited for and said on `/readyz`.

use std::time::Duration;

use actors::node::Node;
use bus::layout::Layout;
use bus::ports::SharedBus;

use super::lifecycle::Lifecycle;
use crate::composition;
use crate::config::Config;

/// Between two looks at something that is missing.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What was started.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) node: Node,
    pub(super) bus: SharedBus,
    pub(super) root: String,
}
