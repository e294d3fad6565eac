//! What a run left in the stream of the dead letters.

use std::collections::BTreeMap;

use bus::layout::{Layout, StreamId};
use bus::ports::SharedBus;
use serde_json::Value;

use crate::world::everything;

/// How many dead letters each message has, by its `ce-id`.
pub(super) async fn letters(broker: &SharedBus, layout: &Layout) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for stored in everything(broker, &layout.name(StreamId::Dlq)).await {
        let letter: Value = serde_json::from_slice(&stored.body).expect("a dead letter is JSON");
        let id = letter["ce_id"].as_str().expect("a dead letter names its message");
        *counts.entry(id.to_owned()).or_default() += 1;
    }
    counts
}
