//! Entities at rest are packed, and nobody sees a difference.

use std::sync::Arc;

use actors::NodeConfig;

use crate::snapshots::{COUNT, busy, keys, views};
use crate::world::{World, run, until};

#[test]
fn given_entities_at_rest_when_they_are_packed_then_they_are_shown_as_before_and_go_on_where_they_were() {
    run(async {
        let mut world = World::new();
        let config = NodeConfig { pack_after_ms: 100, ..world.config() };
        let bus = Arc::clone(&world.bus);
        let node = world.node_with(config, bus).await;
        busy(&world, &node).await;
        let before = views(&world, &node).await;
        until("all are packed", || async { node.metrics().packed.get() == COUNT as u64 }).await;
        assert_eq!(views(&world, &node).await, before);
        assert_eq!(node.metrics().unpacked.get(), 0, "who is only looked at stays packed");
        for key in &keys() {
            world.add(key, 5, &format!("{key} first")).await;
            world.add(key, 15, &format!("{key} second")).await;
            until("one is added, and a repetition is known", || async {
                world.view(&node, key).await.unwrap()["sum"] == 20
            })
            .await;
        }
        let metrics = node.metrics();
        assert_eq!((metrics.unpacked.get(), metrics.repeated.get()), (COUNT as u64, COUNT as u64));
        assert_eq!(metrics.loaded.get(), 0, "none of them had left memory");
    });
}
