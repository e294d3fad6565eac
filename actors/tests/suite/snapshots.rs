//! Entities leave memory and come back, and a start from snapshots is a start from the journal, only shorter.

use std::sync::Arc;

use actors::{Node, NodeConfig, NodeState, PartitionStatus, ReadError};
use bus::faulty::{CrashAt, FaultPlan, FaultyBus, Step};
use bus::layout::StreamId;
use bus::ports::{Bus, Expect, Outgoing};
use domain::envelope::Headers;
use serde_json::Value;

use crate::tally::BREAKS_DECIDE;
use crate::world::{World, id, pass, run, until};

/// Everything happens soon.
pub(crate) fn hasty(world: &mut World) -> NodeConfig {
    NodeConfig {
        pack_after_ms: 100,
        idle_after_ms: 300,
        checkpoint_age_ms: 500,
        snapshot_interval_ms: 50,
        snapshot_batch: 7,
        snapshot_slack: 5,
        loads_at_once: 3,
        ..world.config()
    }
}

pub(crate) async fn hasty_node(world: &mut World) -> Node {
    let config = hasty(world);
    let bus = Arc::clone(&world.bus);
    world.node_with(config, bus).await
}

pub(crate) const COUNT: usize = 20;

pub(crate) fn keys() -> Vec<String> {
    (0..COUNT).map(|n| format!("t-{n}")).collect()
}

/// Opens tallies and adds to each of them, answered at once, so that they are left in peace.
pub(crate) async fn busy(world: &World, node: &Node) {
    for key in &keys() {
        world.open(node, key).await;
        world.add(key, 5, &format!("{key} first")).await;
    }
    for key in &keys() {
        world.until_version(node, key, 2).await;
        world.posted(key, 1, &format!("{key} posted")).await;
    }
    for key in &keys() {
        world.until_version(node, key, 3).await;
    }
}

pub(crate) async fn views(world: &World, node: &Node) -> Vec<(Value, String)> {
    let mut views = Vec::new();
    for key in &keys() {
        let timeline = node.timeline(&id(key)).await.unwrap().expect("it was made");
        views.push((world.view(node, key).await.expect("it was made"), timeline));
    }
    views
}

async fn all_away(node: &Node) {
    until("all are away", || async {
        let metrics = node.metrics();
        metrics.passivated.get() >= COUNT as u64 + metrics.loaded.get()
    })
    .await;
}

async fn covered(world: &World) {
    pass(2_000).await;
    assert!(!world.stream(StreamId::Snapshots).await.is_empty());
}

/// A node of which all entities are written and away.
async fn written(world: &mut World) -> Node {
    let node = hasty_node(world).await;
    busy(world, &node).await;
    all_away(&node).await;
    covered(world).await;
    node
}

pub(crate) async fn empty_snapshots(world: &World) {
    let stream = world.layout.name(StreamId::Snapshots);
    world.memory.purge_below(&stream, u64::MAX).await.unwrap();
    assert!(world.stream(StreamId::Snapshots).await.is_empty());
}

#[test]
fn given_idle_entities_when_they_leave_memory_then_they_are_shown_as_before_and_go_on_where_they_were() {
    run(async {
        let mut world = World::new();
        let node = hasty_node(&mut world).await;
        busy(&world, &node).await;
        let before = views(&world, &node).await;
        all_away(&node).await;
        assert_eq!(views(&world, &node).await, before);
        assert_eq!(node.metrics().loaded.get(), 0, "who is only looked at stays away");
        for key in &keys() {
            world.add(key, 5, &format!("{key} first")).await;
            world.add(key, 7, &format!("{key} second")).await;
            world.add(key, 8, &format!("{key} third")).await;
        }
        for key in &keys() {
            until("both are added, and a repetition is known", || async {
                world.view(&node, key).await.unwrap()["sum"] == 20
            })
            .await;
        }
        assert_eq!(node.metrics().loaded.get(), COUNT as u64);
        assert_eq!(node.metrics().repeated.get(), COUNT as u64);
    });
}

#[test]
fn given_an_entity_that_is_away_when_its_deadline_passes_then_it_comes_back_and_sends_again() {
    // invariant: no-stuck-order
    run(async {
        let mut world = World::new();
        let node = hasty_node(&mut world).await;
        world.open(&node, "t-1").await;
        world.add("t-1", 5, "add").await;
        world.until_version(&node, "t-1", 2).await;
        pass(1_500).await;
        assert_eq!((node.metrics().passivated.get(), node.metrics().loaded.get()), (1, 0));
        until("the command is sent again", || async { world.commands().await.len() == 2 }).await;
        assert_eq!(node.metrics().loaded.get(), 1);
        node.drain().await;
        let node = hasty_node(&mut world).await;
        until("a start sends it too", || async { world.commands().await.len() >= 3 }).await;
        pass(5_000).await;
        assert!(node.metrics().loaded.get() >= 1, "and its deadline still wakes it");
    });
}

#[test]
fn given_effects_that_wait_when_their_entities_are_away_then_they_go_as_the_participant_has_room() {
    run(async {
        let mut world = World::new();
        let mut config = hasty(&mut world);
        config.in_flight_commands.erp = 1;
        let bus = Arc::clone(&world.bus);
        let node = world.node_with(config.clone(), bus).await;
        for key in ["t-1", "t-2", "t-3"] {
            world.open(&node, key).await;
            world.add(key, 5, key).await;
            world.until_version(&node, key, 2).await;
        }
        pass(1_000).await;
        node.drain().await;
        config.instance = "another start".to_owned();
        let node = world.node_with(config, Arc::clone(&world.bus)).await;
        for round in 0..3 {
            until("one more is sent", || async {
                let commands = world.commands().await;
                let sent: std::collections::BTreeSet<_> =
                    commands.iter().map(|command| command.headers.get("Key").unwrap().to_owned()).collect();
                sent.len() == round + 1
            })
            .await;
            let commands = world.commands().await;
            let key = commands.last().unwrap().headers.get("Key").unwrap().to_owned();
            pass(1_000).await;
            world.posted(&key, 1, &format!("posted {key}")).await;
        }
        assert!(node.metrics().loaded.get() >= 2, "they were away: {}", node.metrics().loaded.get());
    });
}

#[test]
fn given_snapshots_when_a_node_starts_then_it_replays_only_what_they_do_not_cover() {
    // invariant: snapshot-is-only-a-shortcut
    run(async {
        let mut world = World::new();
        let node = written(&mut world).await;
        world.add("t-3", 7, "late").await;
        world.until_version(&node, "t-3", 4).await;
        world.posted("t-3", 2, "late posted").await;
        world.until_version(&node, "t-3", 5).await;
        let before = views(&world, &node).await;
        let events = world.events().await;
        drop(node);
        let node = hasty_node(&mut world).await;
        let replayed = node.metrics().replayed.get();
        assert!(replayed <= 2, "{replayed} decisions were replayed");
        assert_eq!(views(&world, &node).await, before);
        assert_eq!(world.events().await, events, "nothing is published again");
        world.add("t-3", 7, "late").await;
        world.add("t-3", 1, "later").await;
        world.until_version(&node, "t-3", 6).await;
        assert_eq!(world.view(&node, "t-3").await.unwrap()["sum"], 13);
    });
}

#[test]
fn given_a_whole_journal_when_all_snapshots_are_deleted_then_no_answer_changes() {
    // invariant: snapshot-is-only-a-shortcut
    run(async {
        let mut world = World::new();
        let node = written(&mut world).await;
        let before = views(&world, &node).await;
        node.drain().await;
        empty_snapshots(&world).await;
        let node = hasty_node(&mut world).await;
        assert_eq!(node.metrics().replayed.get(), 3 * COUNT as u64);
        assert_eq!(views(&world, &node).await, before);
        all_away(&node).await;
        covered(&world).await;
        node.drain().await;
        let node = hasty_node(&mut world).await;
        assert_eq!(node.metrics().replayed.get(), 0, "new snapshots were written");
        assert_eq!(views(&world, &node).await, before);
    });
}

#[test]
fn given_entities_that_are_away_when_all_snapshots_are_deleted_then_the_journal_has_them_and_they_are_written_again()
 {
    run(async {
        let mut world = World::new();
        let node = hasty_node(&mut world).await;
        busy(&world, &node).await;
        all_away(&node).await;
        let before = views(&world, &node).await;
        empty_snapshots(&world).await;
        assert_eq!(views(&world, &node).await, before);
        for key in &keys() {
            world.add(key, 5, &format!("{key} first")).await;
            world.add(key, 7, &format!("{key} second")).await;
        }
        for key in &keys() {
            world.until_version(&node, key, 4).await;
            world.posted(key, 2, &format!("{key} posted again")).await;
        }
        all_away(&node).await;
        covered(&world).await;
        let before = views(&world, &node).await;
        assert_eq!(before[0].0["sum"], 12, "a repetition is known");
        assert_eq!(node.status().state, NodeState::Ready);
        node.drain().await;
        let node = hasty_node(&mut world).await;
        assert_eq!(views(&world, &node).await, before);
    });
}

#[test]
fn given_many_whose_snapshots_are_gone_when_they_are_brought_back_at_once_then_they_share_a_reading_of_the_journal()
 {
    run(async {
        let mut world = World::new();
        let node = written(&mut world).await;
        node.drain().await;
        let (stream, open) = (world.layout.name(StreamId::Snapshots), world.layout.snapshot(0, "open"));
        world.memory.purge_filtered(&stream, &open, u64::MAX).await.unwrap();
        // Each reading reads the journal at least once, and so does the start.
        let most = CrashAt { step: Step::ReadJournal, nth: 16 };
        let faulty = FaultyBus::new(Arc::clone(&world.bus), FaultPlan::none(1).with_crash(most));
        for key in &keys() {
            world.add(key, 7, &format!("{key} second")).await;
        }
        let config = NodeConfig { loads_at_once: COUNT, ..hasty(&mut world) };
        let node = world.node_with(config, Arc::new(faulty.clone())).await;
        until("all of partition 0 have come back, or the journal was read too often", || async {
            faulty.is_crashed() || node.metrics().loaded.get() == COUNT as u64
        })
        .await;
        assert!(!faulty.is_crashed(), "the journal is read for each of them");
        let node = hasty_node(&mut world).await;
        for key in &keys() {
            world.until_version(&node, key, 4).await;
        }
    });
}

/// Puts a stranger's message among the index pages of partition 0.
async fn spoil_index(world: &World) {
    let index = world.layout.snapshot(0, "index.");
    let snapshots = world.stream(StreamId::Snapshots).await;
    let one = snapshots.iter().find(|stored| stored.subject.starts_with(&index)).expect("there is an index");
    let stranger = Outgoing { subject: one.subject.clone(), headers: Headers::new(), body: "no page".into() };
    world.memory.store(stranger, Expect::Anything).await;
}

#[test]
fn given_a_whole_journal_when_the_index_of_the_snapshots_is_not_what_it_was_then_no_answer_changes() {
    run(async {
        let mut world = World::new();
        let node = written(&mut world).await;
        let before = views(&world, &node).await;
        node.drain().await;
        spoil_index(&world).await;
        let node = hasty_node(&mut world).await;
        assert!(node.metrics().replayed.get() > 0, "partition 0 is replayed whole");
        assert_eq!(views(&world, &node).await, before);
        covered(&world).await;
        node.drain().await;
        let node = hasty_node(&mut world).await;
        assert_eq!(node.metrics().replayed.get(), 0, "what is left over does not count");
        assert_eq!(views(&world, &node).await, before);
    });
}

#[test]
fn given_a_whole_journal_when_pages_of_snapshots_are_deleted_then_their_entities_are_read_from_the_journal() {
    run(async {
        let mut world = World::new();
        let node = written(&mut world).await;
        let before = views(&world, &node).await;
        node.drain().await;
        let (stream, open) = (world.layout.name(StreamId::Snapshots), world.layout.snapshot(0, "open"));
        world.memory.purge_filtered(&stream, &open, u64::MAX).await.unwrap();
        let node = hasty_node(&mut world).await;
        assert_eq!(node.metrics().replayed.get(), 0, "the index is whole");
        assert_eq!(views(&world, &node).await, before);
        for key in &keys() {
            world.add(key, 7, &format!("{key} second")).await;
        }
        for key in &keys() {
            world.until_version(&node, key, 4).await;
        }
        assert_eq!(node.status().state, NodeState::Ready);
    });
}

#[test]
fn given_a_journal_without_its_beginning_when_a_node_starts_then_snapshots_are_enough_and_necessary() {
    run(async {
        let mut world = World::new();
        let limits = NodeConfig { journal_keep_bytes: 1, purge_interval_ms: 100, ..hasty(&mut world) };
        let bus = Arc::clone(&world.bus);
        let node = world.node_with(limits, bus).await;
        busy(&world, &node).await;
        all_away(&node).await;
        covered(&world).await;
        pass(2_000).await;
        assert!(node.metrics().purged_records.get() > 10, "{}", node.metrics().purged_records.get());
        let purged = node.timeline(&id("t-3")).await;
        assert!(matches!(purged, Err(ReadError::Purged { .. })), "{purged:?}");
        node.drain().await;
        let node = hasty_node(&mut world).await;
        for key in &keys() {
            assert_eq!(world.view(&node, key).await.unwrap()["sum"], 5);
        }
        world.add("t-3", 7, "late").await;
        world.until_version(&node, "t-3", 4).await;
        node.drain().await;
        empty_snapshots(&world).await;
        let config = hasty(&mut world);
        let node = world.begin(config, Arc::clone(&world.bus));
        until("both are refused", || async {
            let partitions = node.status().partitions;
            partitions.values().all(|status| matches!(status, PartitionStatus::Broken { .. }))
        })
        .await;
        assert_eq!(node.status().state, NodeState::Broken);
    });
}

#[test]
fn given_an_entity_that_was_set_aside_when_it_comes_back_from_its_snapshot_then_it_still_is() {
    run(async {
        let mut world = World::new();
        let node = hasty_node(&mut world).await;
        world.open(&node, "t-1").await;
        pass(2_000).await;
        world.add("t-1", BREAKS_DECIDE, "poison").await;
        until("it is set aside", || async { node.metrics().panics.get() == 1 }).await;
        pass(3_000).await;
        drop(node);
        let node = hasty_node(&mut world).await;
        world.add("t-1", 1, "later").await;
        until("its inputs are dead letters", || async { world.letters().await.len() == 2 }).await;
        assert_eq!(world.view(&node, "t-1").await.unwrap()["sum"], 0);
    });
}

#[test]
fn given_an_owner_that_was_deposed_when_it_writes_snapshots_then_none_of_them_is_stored() {
    // invariant: one-writer-per-entity
    run(async {
        let mut world = World::new();
        let first = hasty_node(&mut world).await;
        busy(&world, &first).await;
        let second = hasty_node(&mut world).await;
        pass(5_000).await;
        world.add("t-3", 7, "late").await;
        world.until_version(&second, "t-3", 4).await;
        world.posted("t-3", 2, "late posted").await;
        world.until_version(&second, "t-3", 5).await;
        until("the first has given up", || async { first.status().state == NodeState::Broken }).await;
        all_away(&second).await;
        let before = views(&world, &second).await;
        second.drain().await;
        let third = hasty_node(&mut world).await;
        assert_eq!(third.metrics().replayed.get(), 0);
        assert_eq!(views(&world, &third).await, before);
    });
}
