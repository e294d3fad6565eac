//! A node that stops at any moment comes back as it was.

use std::sync::Arc;

use actors::{Node, NodeState, PartitionStatus};
use bus::layout::StreamId;
use bus::ports::{Bus, Expect, Outgoing, StoreOutcome};
use domain::envelope::Headers;
use serde_json::Value;

use crate::world::{World, key_in, pass, run, until};

async fn busy(world: &mut World) -> (Node, Vec<String>) {
    let node = world.node().await;
    let keys: Vec<String> = (0..20).map(|n| format!("t-{n}")).collect();
    for key in &keys {
        world.open(&node, key).await;
    }
    for round in 0..5 {
        for key in &keys {
            world.add(key, round, &format!("{key} {round}")).await;
        }
    }
    for key in &keys {
        world.until_version(&node, key, 6).await;
    }
    for key in &keys {
        world.posted(key, 1, &format!("{key} posted")).await;
    }
    for key in &keys {
        world.until_version(&node, key, 7).await;
    }
    (node, keys)
}

async fn views(world: &World, node: &Node, keys: &[String]) -> Vec<Value> {
    let mut views = Vec::new();
    for key in keys {
        views.push(world.view(node, key).await.expect("it was made"));
    }
    views
}

#[test]
fn given_a_drained_node_when_another_starts_then_all_is_as_before_and_goes_on() {
    // invariant: replay-equals-live
    run(async {
        let mut world = World::new();
        let (node, keys) = busy(&mut world).await;
        let before = views(&world, &node, &keys).await;
        let timeline = node.timeline(&crate::world::id("t-3")).await.unwrap();
        node.drain().await;
        assert_eq!(node.status().state, NodeState::Draining);
        assert!(node.status().partitions.values().all(|status| *status == PartitionStatus::Drained));
        let events = world.events().await;
        let node = world.node().await;
        assert_eq!(views(&world, &node, &keys).await, before);
        assert_eq!(node.timeline(&crate::world::id("t-3")).await.unwrap(), timeline);
        assert_eq!(world.events().await, events, "nothing is published again");
        world.add("t-3", 100, "after").await;
        world.until_version(&node, "t-3", 8).await;
        world.add("t-3", 4, "t-3 4").await;
        world.add("t-3", 1, "later").await;
        world.until_version(&node, "t-3", 9).await;
        assert_eq!(
            world.view(&node, "t-3").await.unwrap()["sum"],
            111,
            "what was seen before the restart is known"
        );
    });
}

#[test]
fn given_a_node_that_works_when_another_takes_over_then_the_first_gives_up_and_nothing_is_twice() {
    // invariant: one-writer-per-entity
    run(async {
        let mut world = World::new();
        let (first, keys) = busy(&mut world).await;
        let before = views(&world, &first, &keys).await;
        let second = world.node().await;
        world.add("t-1", 50, "after").await;
        world.until_version(&second, "t-1", 8).await;
        let key = key_in(1, "other");
        world.open(&second, &key).await;
        world.add(&key_in(0, "other"), 1, "nobody").await;
        until("the first has given up", || async { first.status().state == NodeState::Broken }).await;
        until("both partitions are fenced", || async {
            first.status().partitions.values().filter(|status| **status == PartitionStatus::Fenced).count()
                >= 1
        })
        .await;
        assert!(first.read(&crate::world::id("t-1")).await.is_err());
        assert_eq!(views(&world, &second, &keys[2..]).await, before[2..]);
        let mut events = world.events().await;
        let count = events.len();
        events.sort();
        events.dedup();
        assert_eq!(events.len(), count, "each event is once in the pages");
    });
}

#[test]
fn given_open_commands_when_a_node_starts_again_then_they_are_sent_again_with_the_same_keys() {
    // invariant: effect-key-never-changes-while-unknown
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        world.open(&node, "t-1").await;
        world.add("t-1", 5, "2").await;
        until("the command is out", || async { world.commands().await.len() == 1 }).await;
        node.drain().await;
        let node = world.node().await;
        until("it is out again", || async { world.commands().await.len() == 2 }).await;
        pass(2_500).await;
        until("its deadline sends it again", || async { world.commands().await.len() == 3 }).await;
        let keys: Vec<_> = world
            .commands()
            .await
            .iter()
            .map(|command| command.headers.get("Idempotency-Key").unwrap_or_default().to_owned())
            .collect();
        assert_eq!(keys, ["main:tally:t-1:post:1:1"; 3]);
        assert_eq!(world.version(&node, "t-1").await, 3, "the deadline that passed is a decision");
    });
}

#[test]
fn given_a_damaged_journal_when_a_node_starts_then_that_partition_is_broken_and_the_other_works() {
    run(async {
        let mut world = World::new();
        let (node, _) = busy(&mut world).await;
        node.drain().await;
        let stranger = Outgoing {
            subject: world.layout.journal(0),
            headers: Headers::new(),
            body: "no record at all, but long enough".into(),
        };
        assert!(matches!(world.memory.store(stranger, Expect::Anything).await, StoreOutcome::Stored(_)));
        let config = world.config();
        let node = world.begin(config, Arc::clone(&world.bus));
        until("one works, one is broken", || async {
            let partitions = node.status().partitions;
            partitions[&1] == PartitionStatus::Ready
                && matches!(partitions[&0], PartitionStatus::Broken { .. })
        })
        .await;
        world.open(&node, &key_in(1, "fine")).await;
        assert!(node.status().reasons()[0].contains("checksum"), "{:?}", node.status().reasons());
        assert!(node.read(&crate::world::id(&key_in(0, "any"))).await.is_err());
    });
}

#[test]
fn given_the_same_inputs_when_a_run_is_repeated_then_the_journals_are_equal_to_the_byte() {
    let journal = || {
        run(async {
            let mut world = World::new();
            let (node, _) = busy(&mut world).await;
            node.drain().await;
            let mut bytes = Vec::new();
            for partition in 0..2 {
                for record in world.stream(StreamId::Journal(partition)).await {
                    bytes.push(record.body);
                }
            }
            bytes
        })
    };
    let first = journal();
    assert!(first.len() > 10, "{} records", first.len());
    assert!(first == journal(), "the same inputs at the same times give the same journal");
}
