//! Entities come and go while nodes die at every step of writing, reading and purging snapshots, and the broker has bad days.

use std::sync::Arc;

use actors::{Node, NodeConfig, NodeState};
use bus::faulty::{CrashAt, FaultPlan, FaultyBus, Step};
use domain::envelope::Plane;
use serde_json::json;

use crate::snapshots::{empty_snapshots, hasty, hasty_node};
use crate::world::{World, id, identity, key_in, pass, run, until};

/// Adds to a few tallies now and then, so that they come and go; each amount is one of its own.
async fn come_and_go(world: &World, round: i64) {
    for n in 0..4 {
        let key = key_in(n % 2, &format!("k{n}"));
        if round == 0 {
            let open = json!({"tally_id": key});
            world.say(Plane::Intake, "tally.open", &key, open, &identity(&format!("o {key}"))).await;
        }
        world.add(&key, 1 << round, &format!("{key} {round}")).await;
        world.posted(&key, u32::try_from(round).unwrap(), &format!("{key} p {round}")).await;
    }
    pass(350).await;
}

async fn is_right(world: &World, node: &Node, rounds: u32, what: &str) {
    for n in 0..4 {
        let key = key_in(n % 2, &format!("k{n}"));
        let sum = format!(r#""sum":{}"#, (1 << rounds) - 1);
        until(&format!("{what}: {key} has {sum}"), || async {
            let view = node.read(&id(&key)).await.ok().flatten();
            view.is_some_and(|view| view.json.contains(&format!("{sum},")))
        })
        .await;
    }
    pass(3_000).await;
    let mut seen = std::collections::BTreeSet::new();
    for (key, sequence, _) in world.events().await {
        assert!(seen.insert((key, sequence)), "{what}: each event is once in the pages");
    }
    assert_eq!(seen.len(), 4 * (rounds as usize + 1), "{what}");
}

#[test]
fn given_entities_that_come_and_go_when_the_node_dies_at_any_step_then_nothing_is_lost_and_nothing_is_twice()
{
    // invariant: applied-once
    for step in Step::ALL {
        for nth in [1, 2, 5, 9] {
            run(async {
                let mut world = World::new();
                let config = hasty(&mut world);
                let plan = FaultPlan::none(1).with_crash(CrashAt { step, nth });
                let faulty = FaultyBus::new(Arc::clone(&world.bus), plan);
                let dying = world.begin(config, Arc::new(faulty.clone()));
                pass(100).await;
                for round in 0..6 {
                    come_and_go(&world, round).await;
                }
                let node = hasty_node(&mut world).await;
                for round in 6..9 {
                    come_and_go(&world, round).await;
                }
                is_right(&world, &node, 9, &format!("{step:?} {nth}")).await;
                assert_eq!(node.status().state, NodeState::Ready, "{step:?} {nth}");
                let written = matches!(step, Step::BeforeSnapshots | Step::AfterSnapshots);
                assert!(faulty.is_crashed() || !written, "{step:?} {nth} was never reached");
                drop(dying);
            });
        }
    }
}

#[test]
fn given_entities_that_come_and_go_when_the_broker_has_bad_days_and_nodes_die_then_all_comes_out_right() {
    for seed in 1..=8_u64 {
        run(async {
            let mut world = World::new();
            let mut round = 0;
            for life in 0..4_u64 {
                let config = hasty(&mut world);
                let step = Step::SNAPSHOTS[usize::try_from((seed + life) % 5).unwrap()];
                let nth = 2 + u32::try_from(life + seed % 4).unwrap();
                let plan = FaultPlan::rough(seed * 10 + life).with_crash(CrashAt { step, nth });
                let faulty = FaultyBus::new(Arc::clone(&world.bus), plan);
                let _dying = world.begin(config, Arc::new(faulty.clone()));
                for _ in 0..4 {
                    come_and_go(&world, round).await;
                    round += 1;
                }
                faulty.crash_now();
                if seed % 3 == 0 && life == 2 {
                    empty_snapshots(&world).await;
                }
            }
            let node = hasty_node(&mut world).await;
            is_right(&world, &node, u32::try_from(round).unwrap(), &format!("seed {seed}")).await;
            assert_eq!(node.status().state, NodeState::Ready, "seed {seed}");
        });
    }
}

#[test]
fn given_entities_that_never_rest_when_they_are_written_and_the_node_dies_then_every_decision_is_there() {
    // invariant: snapshot-is-only-a-shortcut
    for seed in 1..=12_u64 {
        run(async {
            let mut world = World::new();
            let (keys, mut added, mut written) = ([key_in(0, "hot"), key_in(1, "hot")], 0, 0);
            for life in 0..3_u64 {
                let config =
                    NodeConfig { checkpoint_age_ms: 40, snapshot_interval_ms: 10, ..hasty(&mut world) };
                let faulty = FaultyBus::new(Arc::clone(&world.bus), FaultPlan::rough(seed * 10 + life));
                let dying = world.node_with(config, Arc::new(faulty.clone())).await;
                if life == 0 {
                    for key in &keys {
                        world.open(&dying, key).await;
                    }
                }
                for _ in 0..150 {
                    for key in &keys {
                        world.add(key, 1, &format!("{key} {added}")).await;
                    }
                    added += 1;
                    pass(4 + seed).await;
                }
                written += dying.metrics().snapshots.get();
                faulty.crash_now();
            }
            assert!(written > 10, "seed {seed}: only {written} snapshots");
            let node = hasty_node(&mut world).await;
            for key in &keys {
                until(&format!("seed {seed}: {key} has {added}"), || async {
                    world.view(&node, key).await.unwrap()["sum"] == added
                })
                .await;
            }
        });
    }
}

#[test]
fn given_a_node_that_dies_right_after_it_took_the_snapshots_over_when_another_starts_then_it_knows_what_is_out()
 {
    // invariant: snapshot-is-only-a-shortcut
    run(async {
        let mut world = World::new();
        let (stays, ends) = (key_in(0, "stays"), key_in(0, "ends"));
        // At first each of the two partitions writes a marker, and so it does at every start.
        let third = CrashAt { step: Step::AfterSnapshots, nth: 3 };
        let dies_at = |world: &mut World, crash| {
            let faulty = FaultyBus::new(Arc::clone(&world.bus), FaultPlan::none(1).with_crash(crash));
            let config = NodeConfig { snapshot_interval_ms: 50, ..world.config() };
            (world.begin(config, Arc::new(faulty.clone())), faulty)
        };
        let (node, first) = dies_at(&mut world, third);
        until("it is ready", || async { node.status().state == NodeState::Ready }).await;
        // One is in no snapshot; the other, whose last record comes later, is written at its end. No record tells yet that the
        // page of the last one is out.
        world.open(&node, &stays).await;
        world.open(&node, &ends).await;
        let close = json!({"tally_id": ends});
        world.say(Plane::Ask, "tally.close", &ends, close, &identity("close")).await;
        until("the one at its end is written", || async { first.is_crashed() }).await;

        let (_node, second) = dies_at(&mut world, CrashAt { step: Step::AfterSnapshots, nth: 2 });
        until("both markers are replaced", || async { second.is_crashed() }).await;

        let node = hasty_node(&mut world).await;
        assert_eq!(node.status().state, NodeState::Ready);
        assert_eq!((world.version(&node, &stays).await, world.version(&node, &ends).await), (1, 2));
        assert_eq!(world.events().await.len(), 3, "each event is once in the pages");
    });
}
