//! Event pages of records that do not fit into one, and notices, over a crash.

use std::sync::Arc;

use bus::faulty::{CrashAt, FaultPlan, FaultyBus, Step};
use bus::layout::StreamId;
use domain::envelope::Plane;
use serde_json::{Value, json};

use crate::world::{World, identity, key_in, pass, run, until};

/// Alone in a page each, since two of them do not fit.
const LARGE: usize = 300 * 1024;

#[test]
fn given_a_record_of_several_pages_when_the_node_dies_between_them_then_each_is_out_once_and_in_order() {
    for step in [Step::BeforePage, Step::AfterPage] {
        // The first page is that of the opening.
        for nth in 2..=5 {
            run(async {
                let mut world = World::new();
                let config = world.config();
                let plan = FaultPlan::none(1).with_crash(CrashAt { step, nth });
                let faulty = FaultyBus::new(Arc::clone(&world.bus), plan);
                let dying = world.begin(config, Arc::new(faulty.clone()));
                world
                    .say(Plane::Intake, "tally.open", "t-1", json!({"tally_id": "t-1"}), &identity("open"))
                    .await;
                until("it is open", || async { world.version(&dying, "t-1").await == 1 }).await;
                until("its page is out", || async { world.events().await.len() == 1 }).await;
                let tell = json!({"tally_id": "t-1", "events": 4, "bytes": LARGE});
                world.say(Plane::Fact, "tally.tell", "t-1", tell, &identity("tell")).await;
                until("the node is dead", || async { faulty.is_crashed() }).await;
                let node = world.node().await;
                world.add("t-1", 1, "after").await;
                world.until_version(&node, "t-1", 3).await;
                until("all events are out", || async { world.events().await.len() == 6 }).await;
                pass(2_000).await;
                let sequences: Vec<u64> =
                    world.events().await.iter().map(|(_, sequence, _)| *sequence).collect();
                assert_eq!(sequences, [1, 2, 3, 4, 5, 6], "{step:?} {nth}");
                let pages = world.stream(StreamId::Events).await;
                assert!(pages.iter().all(|page| page.body.len() < 1024 * 1024));
                let pages: Vec<Value> =
                    pages.iter().map(|page| serde_json::from_slice(&page.body).unwrap()).collect();
                let of = |page: &Value| (page["page"].as_u64(), page["pages"].as_u64());
                let expected = [
                    (None, None),
                    (Some(1), Some(4)),
                    (Some(2), Some(4)),
                    (Some(3), Some(4)),
                    (Some(4), Some(4)),
                    (None, None),
                ];
                assert_eq!(pages.iter().map(of).collect::<Vec<_>>(), expected, "{step:?} {nth}");
                assert!((2..5).all(|at| pages[at]["journal_sequence"] == pages[1]["journal_sequence"]));
            });
        }
    }
}

#[test]
fn given_an_event_that_no_page_can_hold_when_it_is_decided_then_its_entity_is_set_aside_and_the_others_go_on()
{
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        world.open(&node, "t-1").await;
        world.open(&node, "t-2").await;
        let tell = json!({"tally_id": "t-1", "events": 1, "bytes": 1024 * 1024});
        world.say(Plane::Fact, "tally.tell", "t-1", tell, &identity("tell")).await;
        until("it is a dead letter", || async { world.letters().await.len() == 1 }).await;
        assert_eq!(world.letters().await[0].0, "quarantined");
        world.add("t-2", 1, "other").await;
        until("the page of the other is out", || async { world.events().await.len() == 3 }).await;
    });
}

/// How often the notice with this id is there.
async fn told(world: &World, id: &str) -> usize {
    let notices = world.stream(StreamId::Notices).await;
    notices.iter().filter(|notice| notice.headers.get("ce-id") == Some(id)).count()
}

#[test]
fn given_notices_whose_pages_are_recorded_as_out_when_a_node_starts_then_the_last_ones_go_out_again() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        // All in one partition, so that each record says that the pages of those before it are out.
        let [first, second, third, fourth] = ["a", "b", "c", "d"].map(|name| key_in(0, name));
        let received = format!("main:tally:{first}:1");
        world.open(&node, &first).await;
        world.open(&node, &second).await;
        world.open(&node, &third).await;
        node.drain().await;
        assert_eq!(told(&world, &received).await, 1);
        let node = world.node().await;
        assert_eq!(told(&world, &received).await, 2, "a broker without power may have lost it");
        pass(11_000).await;
        world.open(&node, &fourth).await;
        node.drain().await;
        let node = world.node().await;
        assert_eq!(told(&world, &received).await, 2, "what is old is on disk");
        assert_eq!(world.events().await.len(), 4, "pages are out once");
        node.drain().await;
    });
}
