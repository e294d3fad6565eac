//! While new work queues, nobody is left without a word, and a wish about it holds.

use std::sync::Arc;

use actors::flow::FlowConfig;
use actors::node::flow::{Change, LimitName, Scope};
use actors::{Node, NodeConfig, NodeState, Placement, start};
use bus::layout::StreamId;
use domain::decider::Participant;
use domain::envelope::Plane;
use domain::ids::{EntityId, Key, Token};
use domain::order::{Order, Policies};
use serde_json::{Value, json};

use crate::flow::{node_with, submit};
use crate::receipts::inbox;
use crate::world::{World, identity, pass, run, until};

const ASKS: [(&str, &str); 1] = [("Reply-To", "_INBOX.test")];

fn one_at_a_time() -> FlowConfig {
    FlowConfig { live_orders: 1, live_orders_least: 1, ..FlowConfig::default() }
}

#[test]
fn given_a_queue_when_deadlines_pass_then_everybody_hears_his_place_in_time() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, one_at_a_time()).await;
        let heard = inbox(&world).await;
        submit(&world, "t-0", "web", &[]).await;
        until("one is live", || async { node.flow().state().uncommitted_orders == 1 }).await;
        for number in 1..=40 {
            submit(&world, &format!("t-{number}"), "web", &ASKS).await;
        }
        pass(1_900).await;
        assert!(heard.borrow().is_empty(), "nobody's deadline has passed");
        pass(200).await;
        assert_eq!(heard.borrow().len(), 40, "the deadline is two seconds");
        assert_eq!(node.flow().state().queued_orders, 40);
        let mut positions: Vec<u64> = Vec::new();
        for receipt in heard.borrow_mut().drain(..) {
            assert_eq!((&receipt["outcome"], &receipt["order_version"]), (&json!("pending"), &json!(0)));
            assert_eq!(receipt["queue"]["estimated_wait_ms"], 600_000, "nothing was taken yet");
            positions.push(receipt["queue"]["position"].as_u64().unwrap());
        }
        positions.sort_unstable();
        // Two partitions, each with its queue; what stands in memory counts as well.
        assert_eq!(positions.iter().filter(|position| **position == 0).count(), 2, "{positions:?}");
        let view = world.view(&node, "t-40").await.unwrap();
        assert_eq!(view["phase"], "queued", "{view}");

        let more = Change { cap: Some(100), ..Change::default() };
        assert!(node.flow().set_limit(&LimitName::Orders, more, None).is_ok());
        until("all are begun", || async { node.flow().state().uncommitted_orders == 41 }).await;
        until("the herald goes", || async { node.flow().state().queued_orders == 0 }).await;
        assert_ne!(world.view(&node, "t-40").await.unwrap()["phase"], "queued");
        heard.borrow_mut().clear();
        let body = json!({"tally_id": "t-7"});
        world.say(Plane::Fact, "tally.accept", "t-7", body, &identity("accept")).await;
        pass(5_000).await;
        assert!(heard.borrow().is_empty(), "his deadline had passed: {heard:?}");
    });
}

#[test]
fn given_a_queue_when_work_expires_in_it_then_its_sender_hears_so() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, FlowConfig::default()).await;
        let heard = inbox(&world).await;
        node.flow().pause(Scope::All, None).unwrap();
        // Its turn does not come, for another stands before it.
        submit(&world, "t-1", "web", &[]).await;
        let headers = [ASKS[0], ("Receipt-Deadline-Ms", "20000"), ("ce-expirytime", "2026-11-27T08:00:10Z")];
        for number in 0..8 {
            submit(&world, &format!("late-{number}"), "web", &headers).await;
        }
        pass(21_000).await;
        assert!(heard.borrow().len() >= 8, "{heard:?}");
        for receipt in heard.borrow().iter() {
            assert_eq!(
                (&receipt["outcome"], &receipt["reason"]["code"]),
                (&json!("rejected"), &json!("expired"))
            );
        }
    });
}

#[test]
fn given_a_node_that_drains_when_some_wait_for_a_word_then_they_hear_it_before_it_ends() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, FlowConfig::default()).await;
        let heard = inbox(&world).await;
        node.flow().pause(Scope::All, None).unwrap();
        submit(&world, "t-1", "web", &[ASKS[0], ("Receipt-Deadline-Ms", "600000")]).await;
        pass(3_000).await;
        assert_eq!(node.flow().state().queued_orders, 1);
        node.drain().await;
        until("he hears", || async { heard.borrow().len() == 1 }).await;
        assert_eq!(heard.borrow()[0]["outcome"], "pending");
    });
}

// ---- Orders.

fn order_node(world: &mut World, flow: FlowConfig) -> Node {
    let config = NodeConfig { flow, ..world.config() };
    let policies = Policies { parking_ms: 10_000, commit_deadline_ms: 3_000_000, ..Policies::default() };
    let (bus, layout) = (Arc::clone(&world.bus), world.layout.clone());
    start::<Order>(config, policies, bus, layout, Arc::clone(&world.clock), Placement::Here)
}

async fn ready(node: &Node) {
    until("the node is ready", || async { node.status().state == NodeState::Ready }).await;
}

async fn order(world: &World, key: &str) {
    let body = json!({
        "order_id": key, "channel": "web", "currency": "EUR",
        "lines": [{ "line": 1, "sku": "SKU-A", "quantity": 3, "net_minor": 5000, "tax_minor": 1000 }],
        "total_minor": 6000,
        "tenders": [{ "tender": "t1", "type": "card", "gateway": "psp-a", "token": "tok_9f3" }],
    });
    world.say(Plane::Intake, "order.submit", key, body, &identity(&format!("submit {key}"))).await;
}

async fn shown(node: &Node, key: &str) -> Option<Value> {
    let token = |text| Token::new(text).unwrap();
    let id = EntityId { tenant: token("main"), kind: token("order"), key: Key::new(key).unwrap() };
    let view = node.read(&id).await.unwrap()?;
    Some(serde_json::from_str(&view.json).unwrap())
}

#[test]
fn given_an_order_that_queues_when_it_is_cancelled_then_that_holds_across_a_crash_and_a_long_wait() {
    run(async {
        let mut world = World::new();
        let node = order_node(&mut world, one_at_a_time());
        ready(&node).await;
        order(&world, "o-1").await;
        until("it is live", || async { node.flow().state().uncommitted_orders == 1 }).await;
        order(&world, "o-2").await;
        until("the other queues", || async {
            shown(&node, "o-2").await.is_some_and(|view| view["phase"] == "queued")
        })
        .await;
        let cancel = json!({"order_id": "o-2", "reason": "changed my mind"});
        world.say(Plane::Ask, "order.cancel", "o-2", cancel, &identity("cancel o-2")).await;
        // Far longer than an early wish waits for an order that does not queue.
        pass(60_000).await;
        let view = shown(&node, "o-2").await.unwrap();
        assert_eq!(
            (&view["phase"], &view["version"], &view["status"]["payment"]),
            (&json!("queued"), &json!(0), &json!("none"))
        );

        // Another owner takes over without a word from this one, as after a crash.
        let next = order_node(&mut world, one_at_a_time());
        ready(&next).await;
        pass(30_000).await;
        assert!(world.letters().await.is_empty(), "the wish still waits");
        let more = Change { cap: Some(10), ..Change::default() };
        next.flow().set_limit(&LimitName::Orders, more, None).unwrap();
        until("it has its turn", || async {
            shown(&next, "o-2").await.is_some_and(|view| view["phase"] == "rejected")
        })
        .await;
        for command in world.stream(StreamId::Commands(Participant::Payment)).await {
            assert_eq!(command.headers.get("Key"), Some("o-1"), "nothing was asked for the cancelled one");
        }
    });
}

#[test]
fn given_a_wish_for_an_order_that_never_comes_when_nothing_queues_then_it_is_given_up() {
    run(async {
        let mut world = World::new();
        let node = order_node(&mut world, FlowConfig::default());
        ready(&node).await;
        let cancel = json!({"order_id": "o-9", "reason": "?"});
        world.say(Plane::Ask, "order.cancel", "o-9", cancel, &identity("cancel o-9")).await;
        pass(9_000).await;
        assert!(world.letters().await.is_empty());
        until("it is given up", || async { world.letters().await.len() == 1 }).await;
        assert_eq!(world.letters().await[0].0, "unknown_entity");
    });
}
