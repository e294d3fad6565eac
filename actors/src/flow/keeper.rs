//! What was set for a time only reverts by itself.

use std::sync::Arc;

use tokio::time::Instant;

use super::shared::Flow;

/// Reverts until it is dropped.
pub(crate) async fn run(flow: Arc<Flow>) {
    let mut changes = flow.changes();
    loop {
        let end = flow.next_end();
        tokio::select! {
            biased;
            heard = changes.changed() => {
                if heard.is_err() {
                    return; // the flow is gone
                }
            }
            () = tokio::time::sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => {
                flow.revert(Instant::now());
            }
        }
    }
}
