//! Streams that are purged by us, and by others.

use std::sync::Arc;

use actors::{Node, NodeConfig, NodeState, PartitionStatus};
use bus::faulty::{FaultPlan, FaultyBus};
use bus::layout::{Bounds, Layout, StreamId};
use bus::ports::{Bus, Expect, Outgoing, StoreOutcome};
use domain::envelope::{Headers, Plane};
use serde_json::json;

use crate::world::{World, id, identity, key_in, pass, run, until};

/// How much the stream of facts holds.
const MOST_WORK: u64 = 40;

fn small_world() -> World {
    World::with_layout(Layout::new("retail", 2, 1).with_bounds(StreamId::Work, Bounds::messages(MOST_WORK)))
}

/// Versions also grow with every command that is sent again; the sum is what was added.
async fn until_sum(node: &Node, key: &str, sum: u64) {
    until(&format!("{key} has {sum}"), || async {
        node.read(&id(key)).await.ok().flatten().is_some_and(|view| {
            let view: serde_json::Value = serde_json::from_str(&view.json).unwrap();
            view["sum"] == sum
        })
    })
    .await;
}

/// Somebody else writes into the journal of partition 0, and the partition learns it with its next record.
async fn fence_partition_0(world: &World, node: &Node, key: &str) {
    let subject = world.layout.journal(0);
    let foreign = Outgoing { subject, headers: Headers::new(), body: "foreign".into() };
    assert!(matches!(world.memory.store(foreign, Expect::Anything).await, StoreOutcome::Stored(_)));
    world.add(key, 1, "after the foreign record").await;
    until("partition 0 is fenced", || async {
        node.status().partitions.get(&0) == Some(&PartitionStatus::Fenced)
    })
    .await;
}

/// Partition 0 is fenced with three unread facts, while partition 1 consumes far more than the stream holds.
async fn purged_around(world: &mut World) -> (String, String) {
    let (still, moving) = (key_in(0, "still"), key_in(1, "moving"));
    let node = world.node().await;
    for key in [&still, &moving] {
        world.open(&node, key).await;
    }
    world.add(&still, 5, "read").await;
    until_sum(&node, &still, 5).await;
    pass(3_000).await;
    fence_partition_0(world, &node, &still).await;
    for unread in ["second", "third"] {
        world.add(&still, 1, unread).await;
    }
    for number in 0..3 * MOST_WORK {
        world.add(&moving, 1, &format!("moving {number}")).await;
        until_sum(&node, &moving, 1 + number).await;
        pass(300).await;
    }
    let bounds = world.memory.bounds("RETAIL_WORK").await.unwrap();
    assert!(bounds.messages < MOST_WORK, "{bounds:?}");
    let filter = world.layout.inbound_filter(0);
    let own = world.memory.count_between("RETAIL_WORK", &filter, 1, bounds.last).await.unwrap();
    assert_eq!(own, 3, "what the fenced partition has not read is there, untouched");
    node.drain().await;
    assert_eq!(world.memory.lose_tail("RETAIL_JOURNAL_0", 1), 1);
    (still, moving)
}

#[test]
fn given_a_fenced_partition_when_the_stream_fills_then_it_keeps_its_own_messages_and_nobody_elses() {
    run(async {
        let mut world = small_world();
        let (still, moving) = purged_around(&mut world).await;
        let node = world.node().await;
        until_sum(&node, &still, 8).await;
        until_sum(&node, &moving, 3 * MOST_WORK).await;
        assert_eq!(node.metrics().missing.iter().map(actors::metrics::Counter::get).sum::<u64>(), 0);
    });
}

#[test]
fn given_messages_purged_around_a_partition_when_a_stranger_takes_its_own_then_it_is_broken() {
    run(async {
        let mut world = small_world();
        let (_, moving) = purged_around(&mut world).await;
        let filter = world.layout.inbound_filter(0);
        world.memory.purge_filtered("RETAIL_WORK", &filter, u64::MAX).await.unwrap();
        let config = world.config();
        let node = world.begin(config, Arc::clone(&world.bus));
        let reason = broken(&node, 0).await;
        assert!(reason.contains("RETAIL_WORK: 3 of the messages"), "{reason}");
        world.add(&moving, 1, "the others go on").await;
        until_sum(&node, &moving, 1 + 3 * MOST_WORK).await;
    });
}

async fn broken(node: &Node, number: u16) -> String {
    until("the partition is broken", || async {
        matches!(node.status().partitions.get(&number), Some(PartitionStatus::Broken { .. }))
    })
    .await;
    match node.status().partitions.get(&number) {
        Some(PartitionStatus::Broken { reason }) => reason.clone(),
        other => panic!("{other:?}"),
    }
}

/// A node has worked, is stopped, and two facts and two answers for partition 0 wait.
async fn stopped_with_unread(world: &mut World) -> String {
    let (here, there) = (key_in(0, "here"), key_in(1, "there"));
    let node = world.node().await;
    for key in [&here, &there] {
        world.open(&node, key).await;
        world.add(key, 1, &format!("read {key}")).await;
        world.until_version(&node, key, 2).await;
    }
    pass(3_000).await;
    node.drain().await;
    for id in ["unread 1", "unread 2"] {
        world.add(&here, 10, id).await;
    }
    here
}

#[test]
fn given_unread_messages_when_a_stranger_purges_them_while_stopped_then_the_partition_says_what_is_gone() {
    run(async {
        for how in ["everything", "a prefix", "one subject"] {
            let mut world = World::new();
            let here = stopped_with_unread(&mut world).await;
            let last = world.memory.bounds("RETAIL_WORK").await.unwrap().last;
            match how {
                "everything" => world.memory.purge_below("RETAIL_WORK", last + 1).await.unwrap(),
                "a prefix" => world.memory.purge_below("RETAIL_WORK", last).await.unwrap(),
                _ => {
                    let subject = "retail.v1.p.0.fact.main.tally.add";
                    world.memory.purge_filtered("RETAIL_WORK", subject, u64::MAX).await.unwrap();
                }
            }
            let config = world.config();
            let node = world.begin(config, Arc::clone(&world.bus));
            let reason = broken(&node, 0).await;
            let from = format!("of the messages {} to {last} are gone", last - 1);
            assert!(reason.contains("RETAIL_WORK") && reason.contains(&from), "{how}: {reason}");
            assert!(reason.contains("accept_lost_inputs"), "{how}: {reason}");
            assert!(node.metrics().missing.iter().any(|lane| lane.get() > 0), "{how}");

            let accepting = NodeConfig { accept_lost_inputs: true, ..world.config() };
            let node = world.node_with(accepting, Arc::clone(&world.bus)).await;
            world.add(&here, 100, "later").await;
            until(how, || async {
                world.view(&node, &here).await.is_some_and(|view| view["sum"].as_u64() > Some(100))
            })
            .await;
            assert_eq!(node.status().state, NodeState::Ready, "{how}");
            pass(3_000).await;
            node.drain().await;
            let node = world.node().await;
            world.add(&here, 1, "the positions are behind the hole now").await;
            until(how, || async {
                world.view(&node, &here).await.is_some_and(|view| view["sum"].as_u64() > Some(101))
            })
            .await;
        }
    });
}

#[test]
fn given_nothing_unread_when_a_stranger_purges_everything_then_nothing_is_missing() {
    run(async {
        let mut world = World::new();
        let key = key_in(0, "t");
        let node = world.node().await;
        world.open(&node, &key).await;
        world.add(&key, 1, "1").await;
        until_sum(&node, &key, 1).await;
        pass(3_000).await;
        for stream in ["RETAIL_WORK", "RETAIL_INTAKE", "RETAIL_REPLIES", "RETAIL_BULK"] {
            let last = world.memory.bounds(stream).await.unwrap().last;
            world.memory.purge_below(stream, last + 1).await.unwrap();
        }
        world.memory.disconnect();
        pass(1_000).await;
        world.memory.reconnect();
        world.add(&key, 1, "2").await;
        until_sum(&node, &key, 2).await;
        node.drain().await;
        let node = world.node().await;
        world.add(&key, 1, "3").await;
        until_sum(&node, &key, 3).await;
        assert!(node.metrics().missing.iter().all(|lane| lane.get() == 0));
    });
}

#[test]
fn given_a_lane_that_consumed_nothing_when_a_stranger_purges_everything_then_its_partition_makes_no_claim() {
    run(async {
        let mut world = World::new();
        let (quiet, key) = (key_in(0, "quiet"), key_in(1, "t"));
        let node = world.node().await;
        world.open(&node, &key).await;
        // Gone before the positions of idle lanes go along.
        let last = world.memory.bounds("RETAIL_INTAKE").await.unwrap().last;
        world.memory.purge_below("RETAIL_INTAKE", last + 1).await.unwrap();
        pass(3_000).await;
        world.memory.disconnect();
        pass(1_000).await;
        world.memory.reconnect();
        pass(3_000).await;
        assert_eq!(node.status().state, NodeState::Ready);
        node.drain().await;
        let node = world.node().await;
        world.open(&node, &quiet).await;
    });
}

#[test]
fn given_unread_messages_when_a_stranger_purges_them_while_the_node_is_cut_off_then_the_partition_says_so() {
    run(async {
        let mut world = World::new();
        let key = key_in(0, "t");
        // The idle position would go along long before the reader looks up.
        let config = NodeConfig { lane_patience_ms: 20_000, position_interval_ms: 100, ..world.config() };
        let bus = Arc::clone(&world.bus);
        let node = world.node_with(config, bus).await;
        world.open(&node, &key).await;
        world.add(&key, 1, "read").await;
        until_sum(&node, &key, 1).await;
        pass(3_000).await;
        // Between the two nobody else comes to his turn: it comes and goes before anybody is connected again.
        world.memory.disconnect();
        world.memory.reconnect();
        world.add(&key, 1, "unread").await;
        let last = world.memory.bounds("RETAIL_WORK").await.unwrap().last;
        world.memory.purge_below("RETAIL_WORK", last + 1).await.unwrap();
        let reason = broken(&node, 0).await;
        assert!(reason.contains("RETAIL_WORK: 1 of the messages"), "{reason}");
    });
}

#[test]
fn given_answers_that_a_stranger_purged_when_a_node_starts_then_they_are_asked_for_again() {
    run(async {
        let mut world = World::new();
        let key = key_in(0, "t");
        let node = world.node().await;
        world.open(&node, &key).await;
        world.add(&key, 7, "1").await;
        world.until_version(&node, &key, 2).await;
        until("the command is out", || async { !world.commands().await.is_empty() }).await;
        world.posted(&key, 0, "unknown effect, to have a position").await;
        pass(3_000).await;
        node.drain().await;
        world.posted(&key, 1, "answer").await;
        let last = world.memory.bounds("RETAIL_REPLIES").await.unwrap().last;
        world.memory.purge_below("RETAIL_REPLIES", last + 1).await.unwrap();
        let before = world.commands().await.len();
        let node = world.node().await;
        until("the command is sent again", || async { world.commands().await.len() > before }).await;
        assert_eq!(node.status().state, NodeState::Ready);
        assert!(node.metrics().missing.iter().any(|lane| lane.get() > 0));
    });
}

#[test]
fn given_a_stream_that_lost_its_end_when_sequences_are_given_again_then_no_purge_takes_the_new_messages() {
    run(async {
        let mut world = World::new();
        let key = key_in(0, "t");
        let config = NodeConfig { purge_interval_ms: 1_000, ..world.config() };
        let node = world.node_with(config, Arc::clone(&world.bus)).await;
        world.open(&node, &key).await;
        for number in 0..10 {
            world.add(&key, 1, &number.to_string()).await;
        }
        until_sum(&node, &key, 10).await;
        pass(3_000).await;
        assert_eq!(world.memory.lose_tail("RETAIL_WORK", 1), 1);
        for number in 0..30 {
            world.add(&key, 1, &format!("again {number}")).await;
            pass(100).await;
        }
        until_sum(&node, &key, 40).await;
    });
}

#[test]
fn given_pages_that_retention_took_while_idle_when_a_node_dies_then_none_is_stored_again() {
    run(async {
        let mut world = World::new();
        let config = world.config();
        let faulty = FaultyBus::new(Arc::clone(&world.bus), FaultPlan::none(1));
        let node = world.node_with(config, Arc::new(faulty.clone())).await;
        let opened = json!({"tally_id": "t-1"});
        world.say(Plane::Intake, "tally.open", "t-1", opened, &identity("1")).await;
        until("its page is out", || async { world.events().await.len() == 1 }).await;
        pass(4_000).await;
        faulty.crash_now();
        drop(node);
        let last = world.memory.bounds("RETAIL_EVENTS").await.unwrap().last;
        world.memory.purge_below("RETAIL_EVENTS", last + 1).await.unwrap();
        let node = world.node().await;
        world.add("t-1", 1, "2").await;
        world.until_version(&node, "t-1", 2).await;
        until("the next page is out", || async { !world.events().await.is_empty() }).await;
        let events = world.events().await;
        assert_eq!(events.iter().map(|(_, sequence, _)| *sequence).collect::<Vec<_>>(), [2]);
    });
}
