//! What leaves: commands within their limits, deadlines, positions.

use bus::layout::{Bounds, Layout, StreamId};
use bus::ports::{Bus, Expect, Outgoing};
use std::sync::Arc;

use actors::NodeConfig;
use actors::config::{Batches, Formats, InFlight};
use domain::decider::Participant;
use domain::envelope::{Headers, Plane};
use domain::messages::body::Format;

use crate::world::{World, pass, run, until};

#[test]
fn given_a_participant_at_its_limit_when_answers_come_then_the_waiting_commands_go_oldest_first() {
    run(async {
        let mut world = World::new();
        // One of four places is for what is urgent.
        let limit = InFlight { erp: 4, ..world.config().in_flight_commands };
        let config = NodeConfig { in_flight_commands: limit, ..world.config() };
        let mut node = world.node_with(config, Arc::clone(&world.bus)).await;
        let erp = Participant::Erp.index();
        world.open(&node, "t-1").await;
        for amount in 1..=10 {
            world.add("t-1", amount, &amount.to_string()).await;
        }
        world.until_version(&node, "t-1", 11).await;
        let sent = |commands: Vec<bus::ports::Stored>| {
            let ids = commands
                .iter()
                .map(|command| command.headers.get("Effect-Id").unwrap_or_default().to_owned());
            ids.collect::<Vec<_>>()
        };
        let effect = |number: u32| format!("main:tally:t-1:post:{number}");
        until("three are out", || async { world.commands().await.len() == 3 }).await;
        assert_eq!((node.metrics().in_flight[erp].get(), node.metrics().waiting[erp].get()), (3, 7));
        world.posted("t-1", 1, "p 1").await;
        until("the fourth is out", || async { world.commands().await.len() == 4 }).await;
        assert_eq!(sent(world.commands().await)[3], effect(4));
        node.drain().await;
        let config = NodeConfig { in_flight_commands: limit, ..world.config() };
        node = world.node_with(config, Arc::clone(&world.bus)).await;
        assert_eq!((node.metrics().in_flight[erp].get(), node.metrics().waiting[erp].get()), (3, 6));
        for number in 2..=10 {
            until("its command is out", || async { sent(world.commands().await).contains(&effect(number)) })
                .await;
            world.posted("t-1", number, &format!("p {number}")).await;
        }
        until("nothing is open", || async { world.view(&node, "t-1").await.unwrap()["open"] == 0 }).await;
        assert_eq!((node.metrics().in_flight[erp].get(), node.metrics().waiting[erp].get()), (0, 0));
    });
}

#[test]
fn given_a_deadline_when_the_node_is_away_at_that_time_then_it_is_delivered_after_the_start() {
    // invariant: no-stuck-order
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        world.open(&node, "t-1").await;
        world.add("t-1", 5, "2").await;
        world.until_version(&node, "t-1", 2).await;
        node.drain().await;
        pass(60_000).await;
        let node = world.node().await;
        world.until_version(&node, "t-1", 3).await;
        pass(2_100).await;
        world.until_version(&node, "t-1", 4).await;
        world.posted("t-1", 1, "p").await;
        world.until_version(&node, "t-1", 5).await;
        pass(60_000).await;
        assert_eq!(world.version(&node, "t-1").await, 5, "an answered command has no deadline");
    });
}

#[test]
fn given_one_busy_and_one_quiet_partition_when_time_passes_then_the_streams_are_purged_all_the_same() {
    run(async {
        let layout = Layout::new("retail", 2, 1).with_bounds(StreamId::Work, Bounds::messages(100));
        let mut world = World::with_layout(layout);
        let node = world.node().await;
        let key = crate::world::key_in(0, "busy");
        world.open(&node, &key).await;
        for amount in 0..500 {
            world.add(&key, 20 + amount, &amount.to_string()).await;
            if amount % 50 == 49 {
                pass(5_000).await;
            }
        }
        let sum = |view: Option<serde_json::Value>| view.map_or(0, |view| view["sum"].as_i64().unwrap_or(0));
        until("all are added", || async { sum(world.view(&node, &key).await) == (20..520).sum::<i64>() })
            .await;
        pass(5_000).await;
        let bounds = world.memory.bounds(&world.layout.name(StreamId::Work)).await.unwrap();
        assert!(bounds.first > 400, "{bounds:?}");
        node.drain().await;
        let node = world.node().await;
        world.add(&key, 1, "after").await;
        until("it goes on", || async { sum(world.view(&node, &key).await) == (20..520).sum::<i64>() + 1 })
            .await;
    });
}

#[test]
fn given_a_tally_when_its_history_is_asked_for_then_versions_causes_and_events_are_told() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        world.open(&node, "t-1").await;
        world.add("t-1", 5, "two").await;
        world.until_version(&node, "t-1", 2).await;
        pass(2_100).await;
        world.until_version(&node, "t-1", 3).await;
        let timeline = node.timeline(&crate::world::id("t-1")).await.unwrap().unwrap();
        let timeline: serde_json::Value = serde_json::from_str(&timeline).unwrap();
        assert_eq!(timeline["tally_id"], "t-1");
        let told: Vec<_> = timeline["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                let kinds = entry["events"].as_array().unwrap().iter().map(|event| event["type"].clone());
                (
                    entry["version"].as_u64().unwrap(),
                    entry["cause"]["type"].clone(),
                    kinds.collect::<Vec<_>>(),
                )
            })
            .collect();
        assert_eq!(told[0], (1, "tally.open".into(), vec!["order.received".into()]));
        assert_eq!(told[1], (2, "tally.add".into(), vec!["payment.captured".into()]));
        assert_eq!(told[2], (3, "timer".into(), vec![]));
        assert_eq!(timeline["entries"][1]["cause"]["id"], "two");
        assert_eq!(node.timeline(&crate::world::id("t-9")).await.unwrap(), None);
    });
}

#[test]
fn given_a_participant_that_reads_message_pack_when_it_is_commanded_then_it_may_answer_so_too() {
    for batches in [Batches::default(), Batches::all(true)] {
        run(async {
            let mut world = World::new();
            let config = NodeConfig {
                command_batches: batches,
                command_formats: Formats { erp: Format::MessagePack, ..Formats::default() },
                ..world.config()
            };
            let node = world.node_with(config, Arc::clone(&world.bus)).await;
            world.open(&node, "t-1").await;
            world.add("t-1", 1, "1").await;
            world.add("t-1", 2, "2").await;
            until("both are commanded", || async { effects(&world.commands().await).len() == 2 }).await;
            for (number, (effect, key)) in effects(&world.commands().await).into_iter().enumerate() {
                assert_eq!(
                    (effect.clone(), key.as_str()),
                    (format!("main:tally:t-1:post:{}", number + 1), "t-1")
                );
                let body = serde_json::json!({"tally_id": "t-1", "effect": effect});
                let subject = world.layout.inbound(Plane::Reply, "main", "erp", "posted", "t-1");
                let headers = Headers::new().with("content-type", "application/msgpack");
                let body = rmp_serde::to_vec_named(&body).unwrap().into();
                world.memory.store(Outgoing { subject, headers, body }, Expect::Anything).await;
            }
            until("nothing is open", || async { world.view(&node, "t-1").await.unwrap()["open"] == 0 }).await;
        });
    }
}

/// Effect and key of each command, alone or in a batch, all of them in MessagePack.
fn effects(commands: &[bus::ports::Stored]) -> Vec<(String, String)> {
    let mut effects = Vec::new();
    for command in commands {
        assert_eq!(command.headers.get("content-type"), Some("application/msgpack"));
        let body: serde_json::Value = rmp_serde::from_slice(&command.body).unwrap();
        match body.as_array() {
            None => effects.push((
                command.headers.get("Effect-Id").unwrap().to_owned(),
                command.headers.get("Key").unwrap().to_owned(),
            )),
            Some(items) => effects.extend(items.iter().map(|item| {
                assert_eq!(item["body"]["effect"], item["headers"]["Effect-Id"]);
                let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                (text(&item["headers"]["Effect-Id"]), text(&item["key"]))
            })),
        }
    }
    effects
}
