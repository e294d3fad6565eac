//! Answers wait for the node itself: nobody is asked again who has answered.

use std::collections::BTreeMap;
use std::sync::Arc;

use actors::{Node, NodeConfig};
use bus::ports::SharedBus;
use serde_json::Value;
use tokio::sync::watch;

use crate::trouble::Withholding;
use crate::world::{World, key_in, pass, run, until};

/// A node whose journal takes nothing while the switch is off.
async fn node_with(world: &mut World, change: impl FnOnce(&mut NodeConfig)) -> (Node, watch::Sender<bool>) {
    let (switch, open) = watch::channel(true);
    let bus: SharedBus = Arc::new(Withholding { inner: world.memory.clone(), open });
    let mut config = world.config();
    change(&mut config);
    (world.node_with(config, bus).await, switch)
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
