//! What is closed goes into the archive, stays there for as long as it is to, and old pages make room.

use std::sync::Arc;

use actors::{Node, NodeConfig};
use bus::layout::StreamId;
use bus::ports::Bus;
use domain::envelope::Plane;
use serde_json::{Value, json};

use crate::world::{World, id, identity, key_in, pass, run, until};

/// How long something stays in the archive; its id is known for twice as long.
const ARCHIVED_MS: i64 = 60_000;

fn hasty(world: &mut World) -> NodeConfig {
    NodeConfig {
        idle_after_ms: 300,
        checkpoint_age_ms: 500,
        snapshot_interval_ms: 50,
        snapshot_slack: 50,
        closed_retention_ms: ARCHIVED_MS,
        known_retention_ms: 2 * ARCHIVED_MS,
        ..world.config()
    }
}

async fn hasty_node(world: &mut World) -> Node {
    let config = hasty(world);
    let bus = Arc::clone(&world.bus);
    world.node_with(config, bus).await
}

async fn close(world: &World, node: &Node, key: &str) {
    world.open(node, key).await;
    world.say(Plane::Ask, "tally.close", key, json!({"tally_id": key}), &identity(&format!("c {key}"))).await;
    world.until_version(node, key, 2).await;
}

async fn pages(world: &World, of: &str) -> usize {
    let suffix = format!(".{of}");
    let all = world.stream(StreamId::Snapshots).await;
    all.iter().filter(|stored| stored.subject.ends_with(&suffix)).count()
}

#[test]
fn given_closed_entities_when_they_leave_memory_then_many_share_a_page_of_the_archive() {
    run(async {
        let mut world = World::new();
        let node = hasty_node(&mut world).await;
        let keys: Vec<String> = (0..30).map(|n| format!("t-{n}")).collect();
        for key in &keys {
            close(&world, &node, key).await;
        }
        until("all are away", || async { node.metrics().passivated.get() == 30 }).await;
        let archived = pages(&world, "closed").await;
        assert!((2..=8).contains(&archived), "{archived} pages for 30 entities in two partitions");
        assert_eq!(pages(&world, "open").await, 0, "nobody was written who was not at the end");
        node.drain().await;
        let node = hasty_node(&mut world).await;
        for key in &keys {
            world.until_version(&node, key, 2).await;
            assert!(node.timeline(&id(key)).await.unwrap().is_some());
        }
        assert_eq!(node.metrics().replayed.get(), 0);
    });
}

#[test]
fn given_a_closed_entity_when_something_comes_late_then_it_takes_it_and_goes_back_to_the_archive() {
    run(async {
        let mut world = World::new();
        let node = hasty_node(&mut world).await;
        close(&world, &node, "t-1").await;
        pass(5_000).await;
        world.add("t-1", 5, "late").await;
        world.until_version(&node, "t-1", 3).await;
        assert_eq!(world.view(&node, "t-1").await.unwrap()["sum"], 5);
        assert_eq!(node.metrics().loaded.get(), 1);
        world.posted("t-1", 1, "late posted").await;
        world.until_version(&node, "t-1", 4).await;
        pass(5_000).await;
        node.drain().await;
        let node = hasty_node(&mut world).await;
        assert_eq!((node.metrics().replayed.get(), world.version(&node, "t-1").await), (0, 4));
    });
}

#[test]
fn given_a_closed_entity_when_its_time_in_the_archive_is_over_then_its_id_is_known_for_a_while_and_then_free()
{
    run(async {
        let mut world = World::new();
        let mut node = hasty_node(&mut world).await;
        let keys = [key_in(0, "old"), key_in(1, "old")];
        for key in &keys {
            close(&world, &node, key).await;
        }
        pass(5_000).await;
        for restart in [false, true] {
            if restart {
                node.drain().await;
                node = hasty_node(&mut world).await;
            }
            for key in &keys {
                assert_eq!(world.version(&node, key).await, 2, "restarted: {restart}");
            }
        }
        pass(ARCHIVED_MS.unsigned_abs()).await;
        until("both are gone", || async {
            world.view(&node, &keys[0]).await.is_none() && world.view(&node, &keys[1]).await.is_none()
        })
        .await;
        until("their pages too", || async { pages(&world, "closed").await == 0 }).await;
        for restart in [false, true] {
            if restart {
                node.drain().await;
                node = hasty_node(&mut world).await;
            }
            let before = world.letters().await.len();
            let again = identity("again");
            world.say(Plane::Intake, "tally.open", &keys[0], json!({"tally_id": keys[0]}), &again).await;
            world.add(&keys[1], 5, "too late").await;
            until("both are dead letters", || async { world.letters().await.len() == before + 2 }).await;
            let reasons: Vec<String> =
                world.letters().await.into_iter().skip(before).map(|(reason, ..)| reason).collect();
            assert!(reasons.contains(&"conflict".to_owned()), "{reasons:?}");
            assert!(reasons.contains(&"unknown_entity".to_owned()), "{reasons:?}");
        }
        pass(ARCHIVED_MS.unsigned_abs() + 5_000).await;
        assert_eq!(node.metrics().forgotten.get(), 2);
        world.open(&node, &keys[0]).await;
    });
}

#[test]
fn given_entities_that_change_for_long_when_old_snapshots_count_no_more_then_the_stream_stays_small() {
    // invariant: bounded-everything
    run(async {
        let mut world = World::new();
        let mut node = hasty_node(&mut world).await;
        let keys: Vec<String> = (0..20).map(|n| format!("t-{n}")).collect();
        for key in &keys {
            world.open(&node, key).await;
        }
        let sum = |view: &Value| view["sum"].as_i64().unwrap();
        let mut rewritten = 0;
        for round in 1..=40_i64 {
            for key in &keys[..10] {
                world.add(key, 1, &format!("{key} {round}")).await;
            }
            for key in &keys[..10] {
                until("it is added", || async { sum(&world.view(&node, key).await.unwrap()) == round }).await;
                world.posted(key, u32::try_from(round).unwrap(), &format!("{key} p {round}")).await;
            }
            pass(1_000).await;
            if round % 13 == 0 {
                rewritten += node.metrics().rewritten.get();
                node.drain().await;
                node = hasty_node(&mut world).await;
                assert!(node.metrics().replayed.get() <= 20, "{}", node.metrics().replayed.get());
            }
        }
        assert!(rewritten > 0, "the ten that never change stand in the oldest pages");
        pass(2_000).await;
        let (open, index) = {
            let all = world.stream(StreamId::Snapshots).await;
            let count = |part: &str| all.iter().filter(|stored| stored.subject.contains(part)).count();
            (count(".open"), count(".index."))
        };
        assert!(open <= 130 && index <= 130, "{open} pages, {index} of the index after 400 snapshots");
        for (key, expected) in keys.iter().zip([[40; 10], [0; 10]].concat()) {
            assert_eq!(sum(&world.view(&node, key).await.unwrap()), expected, "{key}");
        }
        let stream = world.layout.name(StreamId::Snapshots);
        assert!(world.memory.bounds(&stream).await.unwrap().messages < 2_500);
    });
}
