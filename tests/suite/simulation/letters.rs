//! What a run left in the stream of the dead letters.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::layout::{Layout, StreamId};
use bus::ports::{Position, SharedBus};
use serde_json::Value;

/// How many dead letters each message has, by its `ce-id`.
pub(super) async fn letters(broker: &SharedBus, layout: &Layout) -> BTreeMap<String, u64> {
    let stream = layout.name(StreamId::Dlq);
    let last = broker.bounds(&stream).await.expect("the memory bus answers").last;
    let mut reader = broker.open(&stream, None, Position::default()).await.expect("the stream is there");
    let (mut sequence, mut counts) = (0, BTreeMap::new());
    while sequence < last {
        for stored in reader.next(1_000, Duration::from_secs(1)).await.expect("the memory bus answers") {
            let letter: Value = serde_json::from_slice(&stored.body).expect("a dead letter is JSON");
            let id = letter["ce_id"].as_str().expect("a dead letter names its message");
            *counts.entry(id.to_owned()).or_default() += 1;
            sequence = stored.sequence;
        }
    }
    counts
}
