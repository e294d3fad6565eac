//! When rules break, acks stay away, and nodes die at any step.

use std::sync::Arc;
use std::time::Duration;

use actors::Node;
use async_trait::async_trait;
use bus::around::Around;
use bus::faulty::{CrashAt, FaultPlan, FaultyBus, Step};
use bus::memory::MemoryBus;
use bus::ports::{Bus, Expect, Outgoing, SharedBus, StoreOutcome};
use domain::envelope::Plane;
use serde_json::json;
use tokio::sync::watch;

use crate::tally::{BREAK_EVOLVE, BREAKS_DECIDE, BREAKS_EVOLVE};
use crate::world::{World, id, identity, pass, run, until};

/// Holds every journal append back until it is let go.
#[derive(Debug)]
pub(crate) struct Withholding {
    pub(crate) inner: MemoryBus,
    pub(crate) open: watch::Receiver<bool>,
}

#[async_trait]
impl Around for Withholding {
    fn inner(&self) -> &dyn Bus {
        &self.inner
    }

    async fn store(&self, message: Outgoing, expect: Expect) -> StoreOutcome {
        if message.subject.starts_with("retail.v1.j.") {
            let mut open = self.open.clone();
            open.wait_for(|open| *open).await.expect("the test lives");
        }
        self.inner.store(message, expect).await
    }
}

#[test]
fn given_an_append_without_ack_when_time_passes_then_nothing_leaves_and_no_reader_sees_it() {
    // invariant: reply-after-journal
    run(async {
        let mut world = World::new();
        let (gate, open) = watch::channel(true);
        let bus: SharedBus = Arc::new(Withholding { inner: world.memory.clone(), open });
        let config = world.config();
        let node = world.node_with(config, bus).await;
        world.open(&node, "t-1").await;
        until("the page is out", || async { world.events().await.len() == 1 }).await;
        let mut inbox = world.memory.subscribe("_INBOX.>").await.unwrap();
        gate.send_replace(false);
        world.add("t-1", 5, "2").await;
        pass(100).await;
        let close = json!({"tally_id": "t-1"});
        world.say(Plane::Ask, "tally.close", "t-1", close, &[("Reply-To", "_INBOX.x")]).await;
        for amount in 0..20 {
            world.add("t-1", amount + 20, &format!("more {amount}")).await;
        }
        pass(5_000).await;
        assert_eq!(world.commands().await.len(), 0);
        assert_eq!(world.events().await.len(), 1);
        assert!(tokio::time::timeout(Duration::from_secs(1), inbox.next()).await.is_err());
        let reading = tokio::time::timeout(Duration::from_secs(1), node.read(&id("t-1"))).await;
        assert!(reading.is_err(), "a reader waits for the ack: {reading:?}");
        let records = node.metrics().records.get();
        gate.send_replace(true);
        until("all is decided", || async { world.version(&node, "t-1").await >= 23 }).await;
        until("all is out", || async {
            world.commands().await.len() >= 21 && world.events().await.len() == 23
        })
        .await;
        assert!(inbox.next().await.is_some());
        assert!(node.metrics().records.get() - records <= 3, "what gathered goes into few records");
    });
}

#[test]
fn given_a_rule_that_breaks_when_its_input_comes_then_only_that_entity_is_set_aside_also_after_a_restart() {
    run(async {
        let mut world = World::new();
        let mut node = world.node().await;
        world.open(&node, "t-1").await;
        world.open(&node, "t-2").await;
        world.add("t-1", BREAKS_DECIDE, "poison").await;
        until("it is set aside", || async { node.metrics().panics.get() == 1 }).await;
        for start in 0..2 {
            world.add("t-1", 1, &format!("later {start}")).await;
            world.add("t-2", 1, &format!("fine {start}")).await;
            world.until_version(&node, "t-2", 2 + start).await;
            until("its inputs are dead letters", || async {
                world.letters().await.len() as u64 == 2 + start
            })
            .await;
            assert!(world.letters().await.iter().all(|(reason, ..)| reason == "quarantined"));
            assert_eq!(world.view(&node, "t-1").await.unwrap()["sum"], 0, "its state is as before");
            node.drain().await;
            node = world.node().await;
        }
    });
}

#[test]
fn given_a_record_that_breaks_replay_when_a_node_starts_then_only_that_entity_is_set_aside() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        for key in ["t-1", "t-2"] {
            world.open(&node, key).await;
            world.add(key, if key == "t-1" { BREAKS_EVOLVE } else { 1 }, key).await;
            world.until_version(&node, key, 2).await;
        }
        node.drain().await;
        BREAK_EVOLVE.set(true);
        let node = world.node().await;
        BREAK_EVOLVE.set(false);
        assert!(node.read(&id("t-1")).await.is_err(), "a state that may be half-changed is not shown");
        world.add("t-1", 1, "later").await;
        until("its inputs are dead letters", || async { world.letters().await.len() == 1 }).await;
        assert_eq!(world.view(&node, "t-2").await.unwrap()["sum"], 1);
    });
}

const KEYS: [&str; 4] = ["t-1", "t-2", "t-3", "t-4"];

/// Does a known piece of work, whatever node is there, and says what must be true in the end.
async fn work(world: &World) {
    for key in KEYS {
        world
            .say(Plane::Intake, "tally.open", key, json!({"tally_id": key}), &identity(&format!("o {key}")))
            .await;
    }
    pass(2_000).await;
    for key in KEYS {
        for amount in 1..=5 {
            world.add(key, amount, &format!("{key} {amount}")).await;
        }
        world.say_raw(Plane::Fact, "tally.add", key, "wrong", &identity(&format!("wrong {key}"))).await;
    }
}

async fn is_right(world: &World, node: &Node) {
    for key in KEYS {
        until(&format!("{key} is complete"), || async {
            let view = node.read(&id(key)).await.ok().flatten();
            view.is_some_and(|view| view.json.contains(r#""sum":15"#))
        })
        .await;
    }
    until("everything is out", || async {
        world.events().await.len() >= 24 && world.letters().await.len() >= 4
    })
    .await;
    pass(3_000).await;
    let mut events = world.events().await;
    assert_eq!(events.len(), 24, "each event is once in the pages");
    events.sort();
    for (at, key) in KEYS.iter().enumerate() {
        let of_key: Vec<_> =
            events[at * 6..(at + 1) * 6].iter().map(|(k, sequence, _)| (k.as_str(), *sequence)).collect();
        assert_eq!(of_key, (1..=6).map(|sequence| (*key, sequence)).collect::<Vec<_>>());
    }
    assert_eq!(world.letters().await.len(), 4, "each dead letter is there once");
    let keys: std::collections::BTreeSet<_> = world
        .commands()
        .await
        .iter()
        .map(|command| command.headers.get("Idempotency-Key").unwrap_or_default().to_owned())
        .collect();
    assert_eq!(keys.len(), 20, "each command was sent, with its one key");
}

#[test]
fn given_a_node_that_dies_at_any_step_when_another_starts_then_nothing_is_lost_and_nothing_is_twice() {
    let steps = Step::COMMIT.iter().copied().filter(|step| *step != Step::BeforeReceipt);
    for step in steps {
        for nth in [1, 3] {
            run(async {
                let mut world = World::new();
                let config = world.config();
                let faulty = FaultyBus::new(
                    Arc::clone(&world.bus),
                    FaultPlan::none(1).with_crash(CrashAt { step, nth }),
                );
                let _dying = world.begin(config, Arc::new(faulty.clone()));
                pass(100).await;
                work(&world).await;
                pass(5_000).await;
                let node = world.node().await;
                is_right(&world, &node).await;
                let expected = nth == 1 || faulty.is_crashed();
                assert!(
                    faulty.is_crashed() || !expected || step == Step::ReadJournal,
                    "{step:?} {nth}: never reached"
                );
            });
        }
    }
}

#[test]
fn given_a_broker_with_bad_days_when_a_node_works_on_it_then_all_comes_out_right() {
    for seed in 1..=10 {
        run(async {
            let mut world = World::new();
            let config = world.config();
            let faulty = FaultyBus::new(Arc::clone(&world.bus), FaultPlan::rough(seed));
            let node = world.node_with(config, Arc::new(faulty.clone())).await;
            work(&world).await;
            is_right(&world, &node).await;
            assert_eq!(node.metrics().fenced.get(), 0, "seed {seed}: nobody else was there");
        });
    }
}
