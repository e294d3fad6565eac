//! Intake under flow control: how much is begun, who is asked to come back, and that facts pass whatever happens.

use std::sync::Arc;
use std::time::Duration;

use actors::flow::FlowConfig;
use actors::node::flow::{Change, LimitName, Mode, Scope, Throttle};
use actors::{Node, NodeConfig, NodeState};
use domain::envelope::Plane;
use domain::ids::Token;
use serde_json::{Value, json};

use crate::receipts::inbox;
use crate::world::{World, identity, pass, run, until};

/// A node with this flow.
pub(crate) async fn node_with(world: &mut World, flow: FlowConfig) -> Node {
    let config = NodeConfig { flow, ..world.config() };
    world.node_with(config, Arc::clone(&world.bus)).await
}

/// New work that stays uncommitted until somebody accepts it.
pub(crate) async fn submit(world: &World, key: &str, channel: &str, headers: &[(&str, &str)]) {
    let body = json!({"tally_id": key, "waits": true, "channel": channel});
    let (id, mut all) = (format!("open {key}"), headers.to_vec());
    all.extend([("ce-id", id.as_str()), ("ce-source", "/test")]);
    world.say(Plane::Intake, "tally.open", key, body, &all).await;
}

async fn accept(world: &World, key: &str) {
    let id = format!("accept {key}");
    world.say(Plane::Fact, "tally.accept", key, json!({"tally_id": key}), &identity(&id)).await;
}

pub(crate) fn uncommitted(node: &Node) -> u64 {
    node.flow().state().uncommitted_orders
}

fn capped(live_orders: u64) -> FlowConfig {
    FlowConfig { live_orders, live_orders_least: 1, ..FlowConfig::default() }
}

#[test]
fn given_a_bound_on_live_orders_when_it_is_reached_then_intake_pauses_until_some_are_committed() {
    // invariant: bounded-everything
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, capped(10)).await;
        for number in 0..30 {
            submit(&world, &format!("t-{number}"), "web", &[]).await;
        }
        until("the bound is reached", || async { uncommitted(&node) == 10 }).await;
        pass(5_000).await;
        let state = node.flow().state();
        assert_eq!((state.uncommitted_orders, state.mode), (10, Mode::Limited));
        assert!(state.throttles.iter().all(|it| it.reason == Throttle::Orders), "{state:?}");
        assert!(state.queue_delay_ms >= 5_000, "{state:?}");
        // Facts for those that are begun, and for one that still waits, are taken all the same.
        for number in 0..30 {
            world.add(&format!("t-{number}"), 1, &format!("add {number}")).await;
        }
        until("facts pass", || async { node.metrics().inputs[1].get() == 30 }).await;
        assert_eq!(uncommitted(&node), 10);
        for number in 0..30 {
            accept(&world, &format!("t-{number}")).await;
            until("never more than may be", || async { uncommitted(&node) <= 10 }).await;
        }
        let all = || async {
            for number in 0..30 {
                if world.view(&node, &format!("t-{number}")).await.is_none() {
                    return false;
                }
            }
            true
        };
        for round in 0..3 {
            // Those that were begun later are accepted now: their first acceptance had nobody to accept.
            for number in 0..30 {
                let (key, id) = (format!("t-{number}"), format!("accept {round} {number}"));
                world.say(Plane::Fact, "tally.accept", &key, json!({"tally_id": key}), &identity(&id)).await;
            }
            pass(1_000).await;
        }
        until("all are begun", all).await;
        until("none is left", || async { uncommitted(&node) == 0 }).await;
        assert_eq!(node.flow().state().mode, Mode::Open);
    });
}

#[test]
fn given_live_orders_when_the_node_starts_again_then_they_still_count() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, capped(10)).await;
        for number in 0..12 {
            submit(&world, &format!("t-{number}"), "web", &[]).await;
        }
        until("the bound is reached", || async { uncommitted(&node) == 10 }).await;
        node.drain().await;
        assert_eq!(uncommitted(&node), 0, "a node that has stopped holds nobody back");
        let node = node_with(&mut world, capped(10)).await;
        until("they count again", || async { uncommitted(&node) == 10 }).await;
        pass(3_000).await;
        assert_eq!(uncommitted(&node), 10);
    });
}

#[test]
fn given_a_pause_when_it_ends_or_its_time_is_over_then_intake_goes_on() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, FlowConfig::default()).await;
        let flow = node.flow();
        flow.pause(Scope::All, None).unwrap();
        submit(&world, "t-1", "web", &[]).await;
        pass(3_000).await;
        assert_eq!((flow.state().mode, uncommitted(&node)), (Mode::Paused, 0));
        assert!(!flow.resume(&Scope::Partition(0)) && flow.resume(&Scope::All));
        until("it is begun", || async { uncommitted(&node) == 1 }).await;

        flow.pause(Scope::Partition(0), Some(Duration::from_secs(10))).unwrap();
        flow.pause(Scope::Partition(1), Some(Duration::from_secs(10))).unwrap();
        submit(&world, "t-2", "web", &[]).await;
        pass(9_000).await;
        let state = flow.state();
        assert_eq!((state.mode, state.uncommitted_orders), (Mode::Limited, 1));
        assert!(state.pauses.iter().all(|pause| pause.reverts_in_ms.is_some_and(|left| left <= 1_000)));
        until("the pauses are over", || async { uncommitted(&node) == 2 }).await;
        assert!(flow.pause(Scope::Partition(2), None).is_err(), "there are two partitions");
        assert!(flow.pause(Scope::All, Some(Duration::ZERO)).is_err());
    });
}

#[test]
fn given_a_drain_when_orders_are_live_then_they_end_and_nothing_is_begun_until_it_ends() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, FlowConfig::default()).await;
        submit(&world, "t-1", "web", &[]).await;
        until("one is live", || async { uncommitted(&node) == 1 }).await;
        node.flow().drain(None).unwrap();
        assert_eq!((node.status().state, node.flow().state().mode), (NodeState::Draining, Mode::Draining));
        assert!(node.status().reasons()[0].contains("operator"), "{:?}", node.status().reasons());
        submit(&world, "t-2", "web", &[]).await;
        accept(&world, "t-1").await;
        until("it is drained", || async { node.flow().state().mode == Mode::Drained }).await;
        pass(2_000).await;
        assert_eq!(world.view(&node, "t-2").await.unwrap()["phase"], "queued");
        assert!(node.flow().undrain() && !node.flow().undrain());
        assert_eq!(node.status().state, NodeState::Ready);
        until("it goes on", || async { uncommitted(&node) == 1 }).await;
    });
}

#[test]
fn given_a_rate_when_more_comes_then_the_rest_waits_its_turn() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, FlowConfig { rate: 10, burst: 5, ..FlowConfig::default() }).await;
        let started = world.clock.now();
        for number in 0..25 {
            submit(&world, &format!("t-{number}"), "web", &[]).await;
        }
        until("the burst", || async { uncommitted(&node) >= 5 }).await;
        until("the rest", || async { uncommitted(&node) == 25 }).await;
        let took = world.clock.now().ms_since(started);
        assert!((2_000..3_000).contains(&took), "20 orders at 10 a second took {took} ms");
        assert_eq!(node.flow().state().refused.quota, 0, "a rate refuses nobody");
    });
}

#[test]
fn given_a_rate_when_others_are_over_their_quota_then_they_use_up_nothing_of_it() {
    run(async {
        let mut world = World::new();
        let channels = vec!["web 1000 1000".parse().unwrap(), "* 1 1".parse().unwrap()];
        let flow = FlowConfig { rate: 10, burst: 5, channels, ..FlowConfig::default() };
        let node = node_with(&mut world, flow).await;
        let started = world.clock.now();
        for number in 0..200 {
            submit(&world, &format!("other-{number}"), "market", &[]).await;
        }
        for number in 0..5 {
            submit(&world, &format!("web-{number}"), "web", &[]).await;
        }
        until("the shop is begun", || async { world.view(&node, "web-4").await.is_some() }).await;
        let took = world.clock.now().ms_since(started);
        assert!(took < 3_000, "behind 199 that are refused it took {took} ms");
    });
}

#[test]
fn given_quotas_when_they_are_used_up_then_the_sender_is_told_when_to_come_and_may_come_again() {
    run(async {
        let mut world = World::new();
        let channels = vec!["web 1000 1000".parse().unwrap(), "* 1 2".parse().unwrap()];
        let flow = FlowConfig { channels, ..FlowConfig::default() };
        let node = node_with(&mut world, flow).await;
        let heard = inbox(&world).await;
        let asks = [("Reply-To", "_INBOX.test"), ("Receipt-Deadline-Ms", "60000")];
        for number in 0..4 {
            submit(&world, &format!("other-{number}"), "market", &asks).await;
            submit(&world, &format!("web-{number}"), "web", &asks).await;
        }
        until("two are refused", || async { heard.borrow().len() == 2 }).await;
        until("the others are begun", || async { uncommitted(&node) == 6 }).await;
        let refused: Value = heard.borrow()[0].clone();
        assert_eq!((&refused["outcome"], &refused["order_version"]), (&json!("rejected"), &json!(0)));
        assert_eq!(refused["reason"]["code"], "throttled");
        assert_eq!(refused["reason"]["class"], "transient");
        assert!(refused["retry_after_ms"].as_u64().unwrap() >= 1_000, "{refused}");
        let key = refused["order_id"].as_str().unwrap().to_owned();
        assert_eq!(world.view(&node, &key).await, None, "nothing is remembered");
        pass(5_000).await;
        submit(&world, &key, "market", &asks).await;
        until("it is begun now", || async { world.view(&node, &key).await.is_some() }).await;
        // Who is known is answered, quota or not.
        for _ in 0..5 {
            submit(&world, &key, "market", &asks).await;
        }
        pass(1_000).await;
        assert_eq!(node.flow().state().refused.quota, 2);
        // Without a Reply-To there is nobody to tell: the dead letters keep it.
        for number in 0..4 {
            submit(&world, &format!("mute-{number}"), "market", &[]).await;
        }
        until("a dead letter", || async { !world.letters().await.is_empty() }).await;
        assert_eq!(world.letters().await[0].0, "overloaded");
    });
}

#[test]
fn given_a_paused_tenant_or_channel_when_it_submits_then_it_is_refused_and_others_go_on() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, FlowConfig::default()).await;
        let heard = inbox(&world).await;
        let asks = [("Reply-To", "_INBOX.test")];
        let minute = Duration::from_mins(1);
        node.flow().pause(Scope::Channel("market".to_owned()), Some(minute)).unwrap();
        submit(&world, "t-1", "market", &asks).await;
        submit(&world, "t-2", "web", &[]).await;
        until("refused", || async { heard.borrow().len() == 1 }).await;
        let refused = heard.borrow_mut().remove(0);
        assert_eq!(refused["reason"]["code"], "overloaded");
        assert!(refused["retry_after_ms"].as_u64().unwrap() > 50_000, "{refused}");
        until("the other is begun", || async { uncommitted(&node) == 1 }).await;
        node.flow().pause(Scope::Tenant(Token::new("main").unwrap()), None).unwrap();
        submit(&world, "t-3", "web", &asks).await;
        until("refused", || async { heard.borrow().len() == 1 }).await;
        assert_eq!(node.flow().state().refused.paused, 2);
    });
}

#[test]
fn given_classes_when_work_has_queued_for_long_then_the_low_give_way() {
    run(async {
        let mut world = World::new();
        let channels = vec!["market 0 0 low".parse().unwrap(), "till 0 0 high".parse().unwrap()];
        let flow = FlowConfig {
            channels,
            patience_normal_ms: 20_000,
            patience_low_ms: 5_000,
            ..FlowConfig::default()
        };
        let node = node_with(&mut world, flow).await;
        let heard = inbox(&world).await;
        node.flow().pause(Scope::All, None).unwrap();
        for channel in ["market", "web", "till"] {
            submit(&world, &format!("{channel}-1"), channel, &[("Reply-To", "_INBOX.test")]).await;
        }
        pass(10_000).await;
        heard.borrow_mut().clear();
        node.flow().resume(&Scope::All);
        until("the patient are begun", || async { uncommitted(&node) == 2 }).await;
        until("the low is told", || async { !heard.borrow().is_empty() }).await;
        let low = heard.borrow().iter().find(|it| it["order_id"] == "market-1").cloned().unwrap();
        assert_eq!((&low["outcome"], &low["reason"]["code"]), (&json!("rejected"), &json!("overloaded")));
        assert_eq!(node.flow().state().refused.overload, 1);
    });
}

#[test]
fn given_bulk_when_shops_wait_then_it_waits_behind_them() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, capped(10)).await;
        for number in 0..20 {
            submit(&world, &format!("t-{number}"), "web", &[]).await;
        }
        until("the bound is reached", || async { uncommitted(&node) == 10 }).await;
        for number in 0..20 {
            let (key, id) = (format!("late-{number}"), format!("late {number}"));
            world.say(Plane::Bulk, "tally.open", &key, json!({"tally_id": key}), &identity(&id)).await;
        }
        pass(3_000).await;
        assert_eq!(node.metrics().inputs[3].get(), 0, "no late sale while shops wait");
        for round in 0..4 {
            for number in 0..20 {
                let (key, id) = (format!("t-{number}"), format!("accept {round} {number}"));
                world.say(Plane::Fact, "tally.accept", &key, json!({"tally_id": key}), &identity(&id)).await;
            }
            pass(1_000).await;
        }
        until("the late sales follow", || async { node.metrics().inputs[3].get() == 20 }).await;
    });
}

#[test]
fn given_a_full_intake_when_work_at_its_head_expires_then_it_is_refused_without_room() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, capped(1)).await;
        let heard = inbox(&world).await;
        submit(&world, "t-1", "web", &[]).await;
        until("full", || async { uncommitted(&node) == 1 }).await;
        let soon = [("ce-expirytime", "2026-11-27T08:00:30Z"), ("Reply-To", "_INBOX.test")];
        submit(&world, "t-2", "web", &soon).await;
        pass(40_000).await;
        until("refused", || async { heard.borrow().iter().any(|it| it["reason"]["code"] == "expired") })
            .await;
        assert_eq!((uncommitted(&node), world.view(&node, "t-2").await), (1, None));
    });
}

#[test]
fn given_a_limit_that_somebody_changes_when_its_time_is_over_then_it_is_as_before() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, capped(100)).await;
        let flow = node.flow();
        let three = Change { cap: Some(3), ..Change::default() };
        let set = flow.set_limit(&LimitName::Orders, three, Some(Duration::from_secs(20))).unwrap();
        assert_eq!((set.configured.cap, set.effective.cap, set.is_set), (100, 3, true));
        for number in 0..10 {
            submit(&world, &format!("t-{number}"), "web", &[]).await;
        }
        pass(10_000).await;
        assert_eq!(uncommitted(&node), 3);
        until("all are begun", || async { uncommitted(&node) == 10 }).await;
        assert!(!flow.limit(&LimitName::Orders).unwrap().is_set);
        for (name, change) in [
            (LimitName::Orders, Change { cap: Some(0), ..Change::default() }),
            (LimitName::Orders, Change { rate: Some(5), ..Change::default() }),
            (LimitName::Rate, Change { rate: Some(5), burst: Some(0), ..Change::default() }),
            (LimitName::Channel("nobody".to_owned()), Change { rate: Some(5), ..Change::default() }),
        ] {
            assert!(flow.set_limit(&name, change, None).is_err(), "{name}");
        }
        let others = LimitName::Channel("*".to_owned());
        flow.set_limit(&others, Change { rate: Some(1), burst: Some(1), cap: None }, None).unwrap();
        submit(&world, "t-20", "web", &[]).await;
        until("its burst is spent from the start", || async { flow.state().refused.quota == 1 }).await;
        assert_eq!(flow.clear_limit(&others).unwrap().effective.rate, 0);
    });
}

#[test]
fn given_answers_that_waited_for_us_when_they_are_taken_then_fewer_orders_may_be_live_for_a_while() {
    run(async {
        let mut world = World::new();
        let node = node_with(&mut world, FlowConfig::default()).await;
        for number in 0..10 {
            let key = format!("t-{number}");
            world.open(&node, &key).await;
            world.add(&key, 1, &format!("add {number}")).await;
            world.until_version(&node, &key, 2).await;
        }
        node.drain().await;
        for number in 0..10 {
            world.posted(&format!("t-{number}"), 1, &format!("posted {number}")).await;
        }
        pass(1_000).await;
        let flow = FlowConfig { live_orders: 640, live_orders_least: 10, ..FlowConfig::default() };
        let node = node_with(&mut world, flow).await;
        let most = || node.flow().state().uncommitted_most;
        let mut facts = 0;
        while most() == 640 {
            facts += 1;
            assert!(facts < 20, "the bound never moved");
            world.add("t-0", 1, &format!("fact {facts}")).await;
            pass(101).await;
        }
        assert!(most() < 100 && node.flow().state().answer_delay_ms >= 1_000, "{:?}", node.flow().state());
        while most() < 640 {
            facts += 1;
            assert!(facts < 100, "the bound never grew back");
            world.add("t-0", 1, &format!("fact {facts}")).await;
            pass(101).await;
        }
    });
}
