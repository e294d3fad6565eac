//! Entities of two kinds that write to each other, through memory, over everything that can go wrong on the way.

use std::sync::Arc;

use actors::{Node, NodeConfig, NodeState, Placement, start};
use bus::faulty::{CrashAt, FaultPlan, FaultyBus, Step};
use bus::layout::StreamId;
use bus::ports::SharedBus;
use domain::envelope::Plane;
use domain::ids::{EntityId, Key, Token};
use serde_json::{Value, json};

use crate::pair::{BREAKS, Pair, UNREADABLE};
use crate::world::{World, identity, key_in, pass, run, until};

const ASKERS: usize = 5;

/// Who asks, on both partitions.
fn askers() -> Vec<String> {
    (0..ASKERS).map(|at| key_in(u16::from(at % 2 == 0), &format!("a{at}"))).collect()
}

/// Who answers all of them.
fn answerer() -> String {
    key_in(0, "n")
}

fn begin(world: &World, config: NodeConfig, bus: SharedBus) -> Node {
    start::<Pair>(config, ((), ()), bus, world.layout.clone(), Arc::clone(&world.clock), Placement::Here)
}

async fn node_with(world: &World, config: NodeConfig, bus: SharedBus) -> Node {
    let node = begin(world, config, bus);
    until("the node is ready", || async { node.status().state == NodeState::Ready }).await;
    node
}

async fn node(world: &mut World) -> Node {
    let config = world.config();
    node_with(world, config, Arc::clone(&world.bus)).await
}

async fn ask(world: &World, asker: &str, amount: i64, id: &str) {
    let body = json!({"asker_id": asker, "to": answerer(), "amount": amount});
    world.say(Plane::Fact, "asker.ask", asker, body, &identity(id)).await;
}

async fn view(node: &Node, kind: &str, key: &str) -> Value {
    let (tenant, kind) = (Token::new("main").unwrap(), Token::new(kind).unwrap());
    let id = EntityId { tenant, kind, key: Key::new(key).unwrap() };
    let view = node.read(&id).await.ok().flatten();
    view.map_or(Value::Null, |view| serde_json::from_str(&view.json).unwrap())
}

/// Each asker asks for 1, 2, .. up to `times`.
async fn work(world: &World, times: i64) {
    for asker in askers() {
        for amount in 1..=times {
            ask(world, &asker, amount, &format!("{asker} {amount}")).await;
        }
    }
}

/// Everything is counted once, and everybody has all answers.
async fn is_right(node: &Node, times: i64) {
    for asker in askers() {
        until(&format!("{asker} has all answers"), || async {
            let view = view(node, "asker", &asker).await;
            view["answers"] == times && view["open"] == 0
        })
        .await;
    }
    let expected = i64::try_from(ASKERS).unwrap() * times * (times + 1) / 2;
    let counted = view(node, "answerer", &answerer()).await;
    assert_eq!(
        (counted["sum"].as_i64(), counted["counted"].as_i64()),
        (Some(expected), Some(i64::try_from(ASKERS).unwrap() * times))
    );
}

#[test]
fn given_entities_of_two_kinds_when_they_write_then_that_costs_no_message_of_the_broker() {
    run(async {
        let mut world = World::new();
        let node = node(&mut world).await;
        work(&world, 20).await;
        is_right(&node, 20).await;
        let metrics = node.metrics();
        assert_eq!((metrics.letters.get(), metrics.letters_dropped.get()), (200, 0));
        assert_eq!(metrics.letters_waiting.get(), 0);
        assert_eq!(metrics.decisions.get(), 300, "a question, what is counted, and an answer");
        assert!(metrics.records.get() < 60, "letters share records: {}", metrics.records.get());
        let inbound = [StreamId::Replies, StreamId::Intake, StreamId::Bulk];
        for stream in inbound {
            assert_eq!(world.stream(stream).await.len(), 0, "{stream:?}");
        }
        assert_eq!(world.stream(StreamId::Work).await.len(), 100, "the questions from outside");
        assert_eq!(world.commands().await.len(), 0);
        node.drain().await;
        let again = self::node(&mut world).await;
        is_right(&again, 20).await;
    });
}

#[test]
fn given_boxes_that_are_full_when_letters_are_lost_then_they_are_asked_again_and_count_once() {
    // invariant: an effect is applied once
    run(async {
        let mut world = World::new();
        let config = NodeConfig { letters_waiting: 2, letters_at_once: 1, ..world.config() };
        let node = node_with(&world, config, Arc::clone(&world.bus)).await;
        work(&world, 8).await;
        is_right(&node, 8).await;
        assert!(node.metrics().letters_dropped.get() > 0, "nothing was lost, so nothing is shown");
        assert_eq!(node.metrics().letters_waiting.get(), 0);
    });
}

#[test]
fn given_a_node_that_dies_at_any_step_when_another_starts_then_each_question_counts_once() {
    for step in Step::COMMIT.iter().copied().chain([Step::BeforeSnapshots, Step::AfterSnapshots]) {
        for nth in [1, 4, 9] {
            run(async {
                let mut world = World::new();
                let plan = FaultPlan::none(1).with_crash(CrashAt { step, nth });
                let faulty = FaultyBus::new(Arc::clone(&world.bus), plan);
                let config = NodeConfig { idle_after_ms: 300, ..world.config() };
                let _dying = begin(&world, config, Arc::new(faulty));
                pass(100).await;
                work(&world, 4).await;
                pass(3_000).await;
                let node = self::node(&mut world).await;
                is_right(&node, 4).await;
            });
        }
    }
}

#[test]
fn given_a_broker_with_bad_days_when_entities_write_then_each_question_counts_once() {
    for seed in 1..=5 {
        run(async {
            let mut world = World::new();
            let config = NodeConfig { letters_waiting: 4, idle_after_ms: 500, ..world.config() };
            let faulty = FaultyBus::new(Arc::clone(&world.bus), FaultPlan::rough(seed));
            let node = node_with(&world, config, Arc::new(faulty)).await;
            work(&world, 6).await;
            is_right(&node, 6).await;
        });
    }
}

#[test]
fn given_entities_that_are_away_when_letters_come_then_they_come_back_and_the_board_knows_them_all_the_time()
{
    run(async {
        let mut world = World::new();
        let config = NodeConfig { idle_after_ms: 1_000, ..world.config() };
        let node = node_with(&world, config, Arc::clone(&world.bus)).await;
        work(&world, 3).await;
        is_right(&node, 3).await;
        until("all are away", || async { node.metrics().in_memory.get() == 0 }).await;
        let asker = &askers()[0];
        ask(&world, asker, 4, "later").await;
        until("it is answered", || async { view(&node, "asker", asker).await["answers"] == 4 }).await;
        assert_eq!(view(&node, "asker", asker).await["seen"], 30, "the board, while the answerer was away");
        until("all are away", || async { node.metrics().in_memory.get() == 0 }).await;
        node.drain().await;
        let config = NodeConfig { idle_after_ms: 1_000, ..world.config() };
        let node = node_with(&world, config, Arc::clone(&world.bus)).await;
        assert_eq!(node.metrics().posted.get(), 1);
        ask(&world, asker, 1, "after the restart").await;
        until("it is answered", || async { view(&node, "asker", asker).await["answers"] == 5 }).await;
        assert_eq!(view(&node, "asker", asker).await["seen"], 34, "the board, filled from snapshots");
    });
}

#[test]
fn given_letters_on_their_way_when_the_node_drains_then_it_ends_and_the_next_one_goes_on() {
    for passed in [0, 1, 5, 20] {
        run(async {
            let mut world = World::new();
            let config = NodeConfig { letters_at_once: 3, ..world.config() };
            let node = node_with(&world, config, Arc::clone(&world.bus)).await;
            work(&world, 30).await;
            pass(passed).await;
            tokio::time::timeout(std::time::Duration::from_secs(5), node.drain()).await.expect("it drains");
            assert_eq!(node.metrics().letters_waiting.get(), 0, "what nobody takes any more is dropped");
            let node = self::node(&mut world).await;
            is_right(&node, 30).await;
        });
    }
}

#[test]
fn given_a_letter_that_cannot_be_read_when_it_comes_then_it_is_a_dead_letter() {
    run(async {
        let mut world = World::new();
        let node = node(&mut world).await;
        ask(&world, &askers()[0], UNREADABLE, "unreadable").await;
        until("it is a dead letter", || async { !world.letters().await.is_empty() }).await;
        let (reason, id, body) = world.letters().await.remove(0);
        assert_eq!((reason.as_str(), id.starts_with("main:asker:")), ("schema", true), "{body}");
        assert_eq!(view(&node, "answerer", &answerer()).await, Value::Null);
    });
}

#[test]
fn given_a_recipient_that_is_set_aside_when_letters_come_then_they_are_dropped() {
    run(async {
        let mut world = World::new();
        let node = node(&mut world).await;
        ask(&world, &askers()[0], BREAKS, "breaks").await;
        until("it is set aside", || async { node.metrics().panics.get() == 1 }).await;
        ask(&world, &askers()[1], 1, "fine").await;
        until("it was asked several times", || async { node.metrics().letters_dropped.get() > 3 }).await;
        assert_eq!(world.letters().await.len(), 1, "the letter that broke the rules");
    });
}
