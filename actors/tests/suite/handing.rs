//! Items of a batch that belong to another partition get there, whatever is full, busy, or gone.

use std::sync::Arc;

use actors::{Node, NodeConfig, NodeState};
use bus::faulty::{CrashAt, FaultPlan, FaultyBus, Step};
use bus::layout::{Bounds, Lane, Layout, StreamId};
use bus::ports::{Bus, Expect, Outgoing, StoreOutcome};
use domain::envelope::{Headers, Plane};
use serde_json::{Value, json};

use crate::world::{World, id, identity, key_in, pass, run, until};

const ITEMS: i64 = 64;

fn item(name: &str, key: &str, amount: i64, id: &str) -> Value {
    let body = json!({"tally_id": key, "amount": amount});
    json!({"domain": "tally", "name": name, "key": key, "body": body, "headers": {"ce-id": id}})
}

async fn is_ready(node: &Node) {
    until("the node is ready", || async { node.status().state == NodeState::Ready }).await;
}

async fn sum(node: &Node, key: &str) -> i64 {
    let Ok(Some(view)) = node.read(&id(key)).await else { return 0 };
    serde_json::from_str::<Value>(&view.json).unwrap()["sum"].as_i64().unwrap()
}

async fn last(world: &World, stream: StreamId) -> u64 {
    world.memory.bounds(&world.layout.name(stream)).await.unwrap().last
}

#[test]
fn given_an_intake_stream_full_of_batches_for_two_partitions_when_a_node_starts_then_it_is_drained() {
    run(async {
        let layout = Layout::new("retail", 2, 1).with_bounds(StreamId::Intake, Bounds::messages(4));
        let mut world = World::with_layout(layout);
        let mut keys = Vec::new();
        for batch in 0..4 {
            let (here, there) = (key_in(0, &format!("a{batch}")), key_in(1, &format!("b{batch}")));
            let items = json!([item("open", &here, 0, &here), item("open", &there, 0, &there)]);
            let first = if batch % 2 == 0 { &here } else { &there };
            world.say(Plane::Intake, "tally.batch", first, items, &identity(&format!("{batch}"))).await;
            keys.extend([here, there]);
        }
        let node = world.node().await;
        for key in &keys {
            world.until_version(&node, key, 1).await;
        }
        assert_eq!(last(&world, StreamId::Intake).await, 4, "nothing was stored in the full stream");
        until("there is room for new work again", || async {
            world.memory.bounds(&world.layout.name(StreamId::Intake)).await.unwrap().messages <= 1
        })
        .await;
        world.open(&node, &key_in(0, "new")).await;
    });
}

/// Batches in both partitions whose items are all for the other one, 1 in each.
async fn crossed(world: &World, keys: [&str; 2], batches: i64) {
    for batch in 0..batches {
        for (from, to) in [(keys[0], keys[1]), (keys[1], keys[0])] {
            let items = (0..ITEMS).map(|place| item("add", to, 1, &format!("{to} {batch} {place}")));
            let id = format!("{from} {batch}");
            let items = items.collect();
            world.say(Plane::Fact, "tally.batch", from, Value::Array(items), &identity(&id)).await;
        }
    }
}

#[test]
fn given_two_partitions_that_hand_on_to_each_other_when_neither_has_a_credit_left_then_both_finish() {
    run(async {
        let mut world = World::new();
        // One batch takes all credits of its partition.
        let config = NodeConfig { in_flight_inputs: 64, lane_batch: 4, ..world.config() };
        let node = world.node_with(config, Arc::clone(&world.bus)).await;
        let (here, there) = (key_in(0, "t"), key_in(1, "t"));
        world.open(&node, &here).await;
        world.open(&node, &there).await;
        crossed(&world, [&here, &there], 4).await;
        for key in [&here, &there] {
            until("all items are counted", || async { sum(&node, key).await == 4 * ITEMS }).await;
        }
        until("all batches are consumed", || async { node.metrics().handed_on.get() == 8 * 64 }).await;
        assert_eq!(last(&world, StreamId::Work).await, 8, "memory was enough");
        assert_eq!(node.metrics().repeated.get(), 0);
        tokio::time::timeout(std::time::Duration::from_secs(10), node.drain()).await.unwrap();
        assert_eq!(node.status().state, NodeState::Draining);
    });
}

#[test]
fn given_a_node_that_dies_between_the_two_records_when_another_starts_then_each_item_counts_once() {
    let mut recognised = 0;
    for step in [Step::BeforeAppend, Step::AfterAppend] {
        // The first two are the fences.
        for nth in 3..=8 {
            run(async {
                let mut world = World::new();
                let config = world.config();
                let plan = FaultPlan::none(1).with_crash(CrashAt { step, nth });
                let faulty = FaultyBus::new(Arc::clone(&world.bus), plan);
                let dying = world.begin(config, Arc::new(faulty.clone()));
                is_ready(&dying).await;
                let (here, there) = (key_in(0, "t"), key_in(1, "t"));
                for key in [&here, &there] {
                    let body = json!({"tally_id": key});
                    world.say(Plane::Intake, "tally.open", key, body, &identity(key)).await;
                }
                for batch in 0..3 {
                    pass(100).await;
                    let items = [(&here, 1), (&there, 10), (&there, 100)];
                    let items = items
                        .map(|(key, amount)| item("add", key, amount, &format!("{key} {batch} {amount}")));
                    let id = format!("batch {batch}");
                    world.say(Plane::Fact, "tally.batch", &here, json!(items), &identity(&id)).await;
                }
                until("the node is dead", || async { faulty.is_crashed() }).await;
                let node = world.node().await;
                until("all is counted", || async {
                    (sum(&node, &here).await, sum(&node, &there).await) == (3, 330)
                })
                .await;
                pass(3_000).await;
                assert_eq!((sum(&node, &here).await, sum(&node, &there).await), (3, 330), "{step:?} {nth}");
                assert_eq!(world.events().await.len(), 2 + 9, "{step:?} {nth}: each event is there once");
                recognised += node.metrics().repeated.get();
            });
        }
    }
    assert!(recognised > 0, "some crash came between the record of the item and that of its batch");
}

#[test]
fn given_a_partition_that_another_owner_takes_when_it_has_an_item_of_a_batch_then_the_item_is_stored_for_it()
{
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        let (here, there) = (key_in(0, "t"), key_in(1, "t"));
        world.open(&node, &here).await;
        world.open(&node, &there).await;
        let fence = Outgoing {
            subject: world.layout.journal(1),
            headers: Headers::new(),
            body: "of another owner".into(),
        };
        let fenced = world.memory.store(fence, Expect::Anything).await;
        assert!(matches!(fenced, StoreOutcome::Stored(_)));
        let items = json!([item("add", &here, 1, "mine"), item("add", &there, 1, "theirs")]);
        world.say(Plane::Fact, "tally.batch", &here, items, &identity("b")).await;
        until("the batch is consumed", || async { node.metrics().handed_on.get() == 1 }).await;
        assert_eq!(node.metrics().fenced.get(), 1);
        let read = node.metrics().inputs[Lane::Work.index()].get();
        assert_eq!(read, 1, "only the batch was read: it had the item through memory when it was fenced");
        let stored = world.stream(StreamId::Work).await;
        assert_eq!(stored.len(), 2, "the batch, and the item for the next owner");
        assert_eq!(stored[1].headers.get("ce-id"), Some("theirs"));
        world.until_version(&node, &here, 2).await;
    });
}
