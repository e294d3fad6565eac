//! What is begun waits for the node itself: nothing that can wait is added, and nobody is asked again who has answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use actors::flow::FlowConfig;
use actors::flow::watermarks::Watermark;
use actors::node::flow::Throttle;
use actors::participant::control::Act;
use actors::{Node, NodeConfig};
use bus::ports::SharedBus;
use domain::decider::Participant::Erp;
use domain::envelope::Plane;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::flow::submit;
use crate::giving_way::sell_late;
use crate::trouble::Withholding;
use crate::watermarks::with;
use crate::world::{World, identity, key_in, pass, run, until};

/// A node whose journal takes nothing while the switch is off.
async fn node_with(world: &mut World, change: impl FnOnce(&mut NodeConfig)) -> (Node, watch::Sender<bool>) {
    let (switch, open) = watch::channel(true);
    let bus: SharedBus = Arc::new(Withholding { inner: world.memory.clone(), open });
    let mut config = world.config();
    change(&mut config);
    (world.node_with(config, bus).await, switch)
}

fn flow(config: &mut NodeConfig) {
    config.flow =
        FlowConfig { live_orders: 100, live_orders_least: 3, answer_delay_ms: 200, ..FlowConfig::default() };
}

/// Facts that wait behind a record which the journal does not take, in both partitions.
async fn facts_wait(world: &World, switch: &watch::Sender<bool>) {
    switch.send_replace(false);
    for partition in [0, 1] {
        for round in 0..2 {
            world.add(&key_in(partition, "busy"), 1, &format!("busy {partition} {round}")).await;
            pass(50).await;
        }
    }
    pass(400).await;
}

#[test]
fn given_facts_that_wait_for_us_when_late_sales_come_then_a_shop_finds_a_place_of_the_least() {
    run(async {
        let mut world = World::new();
        let (node, switch) = node_with(&mut world, |config| {
            flow(config);
            config.flow.live_orders_least = 6;
        })
        .await;
        for partition in [0, 1] {
            world.open(&node, &key_in(partition, "busy")).await;
        }
        facts_wait(&world, &switch).await;
        for number in 0..20 {
            sell_late(&world, &key_in(number % 2, &format!("late-{number}"))).await;
        }
        pass(3_000).await;
        let late_sales = node.flow().state().uncommitted_orders;
        assert!(
            (3..=4).contains(&late_sales),
            "half of the least, and each partition one more: {late_sales}"
        );
        submit(&world, "shop", "web", &[]).await;
        until("it is begun", || async { node.flow().state().uncommitted_orders == late_sales + 1 }).await;
        switch.send_replace(true);
    });
}

#[test]
fn given_facts_that_wait_for_us_when_work_comes_then_only_the_least_is_begun_until_they_are_decided() {
    run(async {
        let mut world = World::new();
        let (node, switch) = node_with(&mut world, flow).await;
        for partition in [0, 1] {
            world.open(&node, &key_in(partition, "busy")).await;
        }
        facts_wait(&world, &switch).await;
        for number in 0..30 {
            submit(&world, &format!("t-{number}"), "web", &[]).await;
        }
        pass(3_000).await;
        let state = node.flow().state();
        assert!((3..=4).contains(&state.uncommitted_orders), "each partition may begin one more: {state:?}");
        assert!(state.throttles.iter().all(|it| it.reason == Throttle::Answers), "{state:?}");
        assert!(!state.throttles.is_empty() && state.answer_delay_ms >= 200, "{state:?}");
        switch.send_replace(true);
        until("all are begun", || async { node.flow().state().uncommitted_orders == 30 }).await;
    });
}

#[test]
fn given_other_watermarks_when_facts_wait_for_us_then_as_many_are_begun_as_they_say() {
    run(async {
        let mut world = World::new();
        let (node, switch) = node_with(&mut world, flow).await;
        for partition in [0, 1] {
            world.open(&node, &key_in(partition, "busy")).await;
        }
        let least = with(&[(Watermark::LiveOrdersLeast, 10)]);
        node.flow().set_watermarks(least, None).unwrap();
        facts_wait(&world, &switch).await;
        for number in 0..30 {
            submit(&world, &format!("t-{number}"), "web", &[]).await;
        }
        pass(3_000).await;
        let begun = || node.flow().state().uncommitted_orders;
        assert!((10..=11).contains(&begun()), "{:?}", node.flow().state());
        node.flow().set_watermarks(with(&[(Watermark::AnswerDelay, 60_000)]), None).unwrap();
        until("nobody is late any more", || async { begun() == 30 }).await;
        switch.send_replace(true);
    });
}

#[test]
fn given_facts_that_wait_for_us_when_a_list_may_drain_then_only_what_gives_back_goes() {
    run(async {
        let mut world = World::new();
        let (node, switch) = node_with(&mut world, flow).await;
        for partition in [0, 1] {
            world.open(&node, &key_in(partition, "busy")).await;
        }
        let participants = node.participants();
        participants.steer(Erp, Act::ForceOpen { ttl_ms: None }).await.unwrap();
        for number in 0..20 {
            let (key, id) = (format!("t-{number}"), format!("add {number}"));
            let body = json!({"tally_id": key, "amount": 1, "urgent": number % 4 == 0});
            world.say(Plane::Fact, "tally.add", &key, body, &identity(&id)).await;
        }
        let waiting = || async { participants.status().await.unwrap()[Erp.index()].waiting };
        until("they wait", || async { waiting().await == 20 }).await;
        facts_wait(&world, &switch).await;
        participants.steer(Erp, Act::ForceClose { ttl_ms: None }).await.unwrap();
        pass(2_000).await;
        let kept = waiting().await;
        assert_eq!(kept, 19, "the urgent five are let go; four of the busy ones wait, too");
        switch.send_replace(true);
        until("all are sent", || async { waiting().await == 0 }).await;
    });
}

#[test]
fn given_an_answer_that_waits_for_us_when_its_deadline_passes_then_nobody_is_asked_again() {
    run(async {
        let mut world = World::new();
        let (node, switch) = node_with(&mut world, |config| config.in_flight_inputs = 4).await;
        let (key, other) = (key_in(0, "a"), key_in(0, "b"));
        for key in [&key, &other] {
            world.open(&node, key).await;
        }
        for number in 0..20 {
            world.add(&other, 1, &format!("other {number}")).await;
        }
        world.add(&key, 1, "one").await;
        until("all are asked", || async { world.commands().await.len() == 21 }).await;
        switch.send_replace(false);
        for number in 0..6 {
            world.add(&other, 1, &format!("takes the room {number}")).await;
        }
        pass(100).await;
        for number in 1..=20 {
            world.posted(&other, number, &format!("posted {number}")).await;
        }
        world.posted(&key, 1, "posted one").await;
        pass(10_000).await;
        switch.send_replace(true);
        until("all are asked", || async { world.commands().await.len() >= 27 }).await;
        pass(1_000).await;
        let mut asked = BTreeMap::<String, usize>::new();
        for command in world.commands().await {
            let body: Value = serde_json::from_slice(&command.body).unwrap();
            *asked.entry(body["effect"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        let answered = |(effect, _): &(&String, &usize)| {
            let number = effect.rsplit(':').next().and_then(|number| number.parse::<usize>().ok());
            number.is_some_and(|number| number <= 20)
        };
        let times: Vec<usize> = asked.iter().filter(answered).map(|(_, times)| *times).collect();
        assert_eq!(times, [1; 21], "{asked:?}");
        // Who does not answer is asked again, although others answer all the time.
        let before = world.commands().await.len();
        until("they are asked again", || async { world.commands().await.len() > before }).await;
    });
}
