//! The command path: judged, recorded, and only then told.

use actors::{NodeConfig, Placement, SystemClock, start};
use bus::layout::{Layout, StreamId};
use bus::memory::MemoryBus;
use bus::ports::{Bus, Expect, Outgoing};
use domain::envelope::Headers;
use std::sync::Arc;

use domain::envelope::Plane;
use serde_json::json;

use crate::tally::Tally;
use crate::world::{World, identity, pass, run, until};

#[test]
fn given_an_open_tally_when_a_number_is_added_then_record_page_command_and_view_agree() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        world.open(&node, "t-1").await;
        world.add("t-1", 5, "2").await;
        world.until_version(&node, "t-1", 2).await;
        assert_eq!(
            world.view(&node, "t-1").await,
            Some(json!({"tally_id": "t-1", "version": 2, "sum": 5, "open": 1}))
        );
        until("the command is out", || async { world.commands().await.len() == 1 }).await;
        let command = &world.commands().await[0];
        let header = |name| command.headers.get(name).unwrap_or_default().to_owned();
        assert_eq!(
            command.subject,
            format!("retail.v1.cmd.main.erp.post.{}", crate::world::id("t-1").key.partition(2))
        );
        assert_eq!(header("ce-id"), "main:tally:t-1:post:1:1");
        assert_eq!(header("ce-type"), "retail.erp.post.v1");
        assert_eq!(header("Idempotency-Key"), "main:tally:t-1:post:1:1");
        assert_eq!((header("Effect-Epoch"), header("Key")), ("1".to_owned(), "t-1".to_owned()));
        let events = world.events().await;
        let expected = [
            ("t-1".to_owned(), 1, "order.received".to_owned()),
            ("t-1".to_owned(), 2, "payment.captured".to_owned()),
        ];
        assert_eq!(events, expected);
        let notices = world.stream(StreamId::Notices).await;
        assert_eq!(notices.len(), 1, "only order.received is also published alone");
        assert_eq!(notices[0].headers.get("ce-id"), Some("main:tally:t-1:1"));
        assert!(world.letters().await.is_empty());
    });
}

#[test]
fn given_notices_that_were_sent_when_the_connection_is_lost_and_comes_back_then_they_are_sent_again() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        world.open(&node, "t-1").await;
        until("the notice is out", || async { world.stream(StreamId::Notices).await.len() == 1 }).await;
        world.memory.disconnect();
        world.memory.reconnect();
        until("it is out again", || async { world.stream(StreamId::Notices).await.len() == 2 }).await;
        let ids: Vec<_> = world.stream(StreamId::Notices).await;
        assert!(ids.iter().all(|notice| notice.headers.get("ce-id") == Some("main:tally:t-1:1")));
        assert_eq!(world.events().await.len(), 1, "the page is not repeated");
    });
}

#[test]
fn given_the_same_fact_three_times_when_it_is_taken_then_it_is_applied_once() {
    // invariant: applied-once
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        world.open(&node, "t-1").await;
        for _ in 0..3 {
            world.add("t-1", 5, "2").await;
        }
        world.add("t-1", 1, "3").await;
        world.until_version(&node, "t-1", 3).await;
        assert_eq!(world.view(&node, "t-1").await.unwrap()["sum"], 6);
        assert_eq!(node.metrics().repeated.get(), 2);
        let changed = json!({"tally_id": "t-1", "amount": 7});
        world.say(Plane::Fact, "tally.add", "t-1", changed, &identity("2")).await;
        until("it is a dead letter", || async { world.letters().await.len() == 1 }).await;
        let (reason, ce_id, _) = world.letters().await.remove(0);
        assert_eq!((reason.as_str(), ce_id.as_str()), ("conflict", "2"));
        assert_eq!(world.view(&node, "t-1").await.unwrap()["sum"], 6);
    });
}

#[test]
fn given_partitions_on_threads_of_their_own_when_work_comes_to_both_then_both_do_it_and_drain() {
    actix::System::new().block_on(async {
        let layout = Layout::new("retail", 4, 1);
        let bus = MemoryBus::real_time(&layout);
        let shared = Arc::new(bus.clone());
        let config = actors::NodeConfig::default();
        let node =
            start::<Tally>(config, (), shared, layout.clone(), Arc::new(SystemClock), Placement::Arbiters(2));
        let keys: Vec<String> = (0..40).map(|number| format!("t-{number}")).collect();
        for key in &keys {
            let subject = layout.inbound(Plane::Intake, "main", "tally", "open", key);
            let body = json!({"tally_id": key}).to_string().into();
            bus.store(Outgoing { subject, headers: Headers::new(), body }, Expect::Anything).await;
        }
        for key in &keys {
            until("it is open", || async {
                node.read(&crate::world::id(key)).await.is_ok_and(|view| view.is_some())
            })
            .await;
        }
        let item = |key: &String| {
            let body = json!({"tally_id": key, "amount": 1});
            json!({"domain": "tally", "name": "add", "key": key, "headers": {"ce-id": key}, "body": body})
        };
        let batch: Vec<_> = keys.iter().map(item).collect();
        let subject = layout.inbound(Plane::Fact, "main", "tally", "batch", &keys[0]);
        let body = json!(batch).to_string().into();
        bus.store(Outgoing { subject, headers: Headers::new(), body }, Expect::Anything).await;
        for key in &keys {
            until("its item came from the partition of the batch", || async {
                let view = node.read(&crate::world::id(key)).await;
                view.is_ok_and(|view| view.is_some_and(|view| view.version == 2))
            })
            .await;
        }
        node.drain().await;
        let work = bus.bounds(&layout.name(StreamId::Work)).await.unwrap();
        assert_eq!(work.last, 1, "items went from thread to thread through memory");
        let drained = actors::PartitionStatus::Drained;
        assert!(node.status().partitions.values().all(|status| *status == drained), "{:?}", node.status());
    });
}

/// A number a millisecond, all to one tally; gives the records that those of the last half second took, and the milliseconds that one
/// more took after a second of quiet.
async fn records_of_a_steady_stream(record_interval_ms: u64) -> (usize, i64) {
    let mut world = World::new();
    let config = NodeConfig { record_interval_ms, ..world.config() };
    let node = world.node_with(config, Arc::clone(&world.bus)).await;
    world.open(&node, "t-1").await;
    let journal = StreamId::Journal(crate::world::id("t-1").key.partition(2));
    let mut before = 0;
    for number in 0..700 {
        if number == 200 {
            before = world.stream(journal).await.len(); // by now the pace is known
        }
        world.add("t-1", 1, &format!("add {number}")).await;
        pass(1).await; // the pace of who sends
    }
    world.until_version(&node, "t-1", 701).await;
    let records = world.stream(journal).await.len() - before;
    pass(1_000).await;
    let said = world.clock.now();
    world.add("t-1", 1, "alone").await;
    world.until_version(&node, "t-1", 702).await;
    assert_eq!(world.view(&node, "t-1").await.unwrap()["sum"], 701);
    (records, world.clock.now().ms_since(said))
}

#[test]
fn given_a_stream_of_decisions_when_records_keep_an_interval_then_they_share_records_and_one_alone_does_not_wait()
 {
    run(async {
        let (alone, _) = records_of_a_steady_stream(0).await;
        let (together, waited) = records_of_a_steady_stream(50).await;
        assert!(alone >= 300, "{alone} records of 500 decisions");
        assert!((10..=30).contains(&together), "{together} records of 500 decisions");
        assert!(waited < 50, "one alone waited {waited} ms");
    });
}
