//! Who gives way to whom: late sales and classes of channels never take the places of a shop.

use actors::Node;
use actors::flow::FlowConfig;
use actors::node::flow::{Scope, Throttle};
use domain::envelope::Plane;
use serde_json::json;

use crate::flow::{node_with, submit, uncommitted};
use crate::receipts::inbox;
use crate::world::{World, identity, key_in, pass, run, until};

/// A late sale that stays uncommitted until somebody accepts it.
pub(crate) async fn sell_late(world: &World, key: &str) {
    let (id, body) = (format!("late {key}"), json!({"tally_id": key, "waits": true}));
    world.say(Plane::Bulk, "tally.open", key, body, &identity(&id)).await;
}

async fn accept(world: &World, key: &str, round: usize) {
    let id = format!("accept {key} {round}");
    world.say(Plane::Fact, "tally.accept", key, json!({"tally_id": key}), &identity(&id)).await;
}

/// How long it takes until this order is begun, in milliseconds.
async fn begun_after(world: &World, node: &Node, key: &str) -> i64 {
    let asked_at = world.clock.now();
    until("the order is begun", || async {
        world.view(node, key).await.is_some_and(|view| view["phase"] != "queued")
    })
    .await;
    world.clock.now().ms_since(asked_at)
}

#[test]
fn given_a_flood_of_late_sales_when_a_shop_submits_then_it_is_begun_at_once_and_they_follow() {
    run(async {
        let mut world = World::new();
        let flow = FlowConfig { live_orders: 10, live_orders_least: 1, ..FlowConfig::default() };
        let node = node_with(&mut world, flow).await;
        for number in 0..40 {
            sell_late(&world, &format!("late-{number}")).await;
        }
        until("they have their share", || async { uncommitted(&node) >= 5 }).await;
        pass(3_000).await;
        assert_eq!(uncommitted(&node), 5, "half of the places are for new orders");
        let held = node.flow().backpressure().partitions;
        assert!(held.iter().any(|it| it.bulk_is_held && it.throttle.is_none()), "{held:?}");
        for number in 0..5 {
            let key = format!("shop-{number}");
            submit(&world, &key, "web", &[]).await;
            let took = begun_after(&world, &node, &key).await;
            assert!(took <= 20, "{key} was begun after {took} ms");
        }
        assert_eq!((uncommitted(&node), node.metrics().inputs[3].get()), (10, 5));
        for round in 0..12 {
            for number in 0..40 {
                accept(&world, &format!("late-{number}"), round).await;
                accept(&world, &format!("shop-{}", number % 5), round * 40 + number).await;
            }
            pass(500).await;
        }
        until("the late sales follow", || async { node.metrics().inputs[3].get() == 40 }).await;
        until("none is left", || async { uncommitted(&node) == 0 }).await;
        assert!(node.flow().backpressure().partitions.is_empty());
    });
}

#[test]
fn given_a_rate_when_late_sales_wait_in_every_partition_then_shops_have_all_of_it() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, FlowConfig { rate: 10, burst: 1, ..FlowConfig::default() }).await;
        for number in 0..100 {
            sell_late(&world, &key_in(number % 2, &format!("late-{number}"))).await;
        }
        pass(1_000).await;
        let before = node.metrics().inputs[3].get();
        assert!(before > 5, "late sales go while nothing else is there");
        let keys: Vec<String> = (0..20).map(|number| key_in(1, &format!("shop-{number}"))).collect();
        for key in &keys {
            submit(&world, key, "web", &[]).await;
        }
        let took = begun_after(&world, &node, &keys[19]).await;
        assert!(took < 2_600, "20 orders at 10 a second took {took} ms");
        assert!(node.metrics().inputs[3].get() <= before + 2, "what was allowed before the shop came");
    });
}

#[test]
fn given_a_paused_partition_where_work_waits_when_late_sales_come_elsewhere_then_they_are_begun() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, FlowConfig::default()).await;
        node.flow().pause(Scope::Partition(0), None).unwrap();
        submit(&world, &key_in(0, "shop"), "web", &[]).await;
        until("it waits", || async {
            let throttles = node.flow().state().throttles;
            throttles.iter().any(|it| it.partition == 0 && it.reason == Throttle::Paused)
        })
        .await;
        sell_late(&world, &key_in(1, "late")).await;
        sell_late(&world, &key_in(0, "late")).await;
        until("the one of the other partition is begun", || async { uncommitted(&node) == 1 }).await;
        pass(1_000).await;
        assert_eq!(uncommitted(&node), 1, "nothing is begun where it is paused");
    });
}

#[test]
fn given_a_flood_of_class_low_when_a_shop_submits_then_it_is_begun_at_once() {
    run(async {
        let mut world = World::new();
        let channels = vec!["market 0 0 low".parse().unwrap()];
        let flow = FlowConfig { live_orders: 10, live_orders_least: 1, channels, ..FlowConfig::default() };
        let node = node_with(&mut world, flow).await;
        let heard = inbox(&world).await;
        let asks = [("Reply-To", "_INBOX.test"), ("Receipt-Deadline-Ms", "600000")];
        for number in 0..30 {
            submit(&world, &format!("market-{number}"), "market", &asks).await;
        }
        until("the rest is told to come again", || async { heard.borrow().len() == 22 }).await;
        let told = heard.borrow()[0].clone();
        assert_eq!((&told["reason"]["code"], &told["retry_after_ms"]), (&json!("overloaded"), &json!(1_000)));
        assert_eq!((uncommitted(&node), node.flow().state().refused.overload), (8, 22));
        for key in ["web-1", "web-2"] {
            submit(&world, key, "web", &asks).await;
            let took = begun_after(&world, &node, key).await;
            assert!(took <= 20, "{key} was begun after {took} ms");
        }
        for number in 0..30 {
            accept(&world, &format!("market-{number}"), 0).await;
        }
        until("there is room again", || async { uncommitted(&node) == 2 }).await;
        submit(&world, "market-again", "market", &asks).await;
        until("it is begun", || async { uncommitted(&node) == 3 }).await;
    });
}
