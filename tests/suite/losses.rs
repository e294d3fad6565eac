//! What somebody takes out of the streams, on a real nats-server: who needs it refuses and says so, all others go on, and who does
//! not need it shows no difference.

use std::time::Duration;

use bus::layout::{Bounds, StreamId};
use bus::nats::{NatsBus, NatsOptions, NatsProcess, ProcessOptions, Setup};
use bus::ports::{Bus, Expect, Outgoing, StoreOutcome};
use domain::envelope::Headers;
use domain::ids::Key;

use crate::http;
use crate::product::{Serve, set_up};
use crate::until::until;
use crate::world::{World, card_order, submit};

const WITHIN: Duration = Duration::from_mins(1);

/// How much the stream of facts holds where it is to become full.
const MOST_WORK: u64 = 40;

fn partition(key: &str) -> u16 {
    Key::new(key).unwrap().partition(8)
}

/// The `nth` order of a partition.
fn order_in(wanted: u16, nth: usize) -> String {
    (0..10_000).map(|number| format!("o-{number}")).filter(|key| partition(key) == wanted).nth(nth).unwrap()
}

async fn submitted(world: &World, serve: &Serve, order: &str) -> String {
    world.submit(order, &card_order(order), &[]).await;
    shown(serve, order).await
}

/// The order as it is shown, once it is.
async fn shown(serve: &Serve, order: &str) -> String {
    let path = format!("/api/v1/orders/{order}");
    let what = format!("{order} is shown");
    let answer = until(WITHIN, &what, || async {
        http::get(serve.port, &path, &[]).await.filter(|answer| answer.status == 200)
    });
    answer.await.body
}

/// The reason in `/readyz`, once it tells of `what`.
async fn reason(serve: &Serve, what: &str) -> String {
    until(WITHIN, what, || async {
        let answer = http::get(serve.port, "/readyz", &[]).await?;
        (answer.status == 503 && answer.body.contains(what)).then_some(answer.body)
    })
    .await
}

/// A metric without labels, or with them in its name.
async fn metric(serve: &Serve, name: &str) -> u64 {
    let body = serve.get("/metrics").await.body;
    let line = body.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

#[actix::test]
async fn a_record_missing_in_the_middle_of_a_journal_breaks_its_partition_alone() {
    let world = World::set_up().await;
    let mut serve = Serve::started(&world.url, &[]).await;
    let broken = 3;
    for nth in 0..3 {
        submitted(&world, &serve, &order_in(broken, nth)).await;
        submitted(&world, &serve, &order_in(broken + 1, nth)).await;
    }
    serve.kill_9().await;
    let name = world.layout.name(StreamId::Journal(broken));
    without_record(&world, broken, 2).await;
    // Snapshots behind the gap would do without it.
    let snapshots = world.layout.name(StreamId::Snapshots);
    let behind = world.bus.bounds(&snapshots).await.unwrap().last + 1;
    world.bus.purge_below(&snapshots, behind).await.unwrap();

    serve.start();
    let told = reason(&serve, &name).await;
    assert!(told.contains("partition 3: broken") && told.contains("missing"), "{told}");
    let refused = serve.get(&format!("/api/v1/orders/{}", order_in(broken, 0))).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    for nth in 0..3 {
        shown(&serve, &order_in(broken + 1, nth)).await;
    }
    submitted(&world, &serve, &order_in(broken + 2, 0)).await;
}

#[actix::test]
async fn snapshots_that_are_all_gone_change_no_answer() {
    // invariant: snapshot-is-only-a-shortcut
    let world = World::set_up().await;
    let mut serve = Serve::started(&world.url, &[]).await;
    let orders: Vec<String> = (0..16).map(|number| format!("kept-{number}")).collect();
    for order in &orders {
        submitted(&world, &serve, order).await;
    }
    // Nobody answers, so each of them only waits, and leaves memory.
    until(WITHIN, "all have left memory", || async {
        (metric(&serve, "doorbuster_passivated_total").await >= 16).then_some(())
    })
    .await;
    let timeline = |order: &str| format!("/api/v1/orders/{order}/timeline");
    let first_entry = |body: &str| {
        let timeline: serde_json::Value = serde_json::from_str(body).unwrap();
        timeline["entries"][0].clone()
    };
    let mut before = Vec::new();
    for order in &orders {
        before.push(first_entry(&serve.get(&timeline(order)).await.body));
    }
    let stream = world.layout.name(StreamId::Snapshots);
    let behind = world.bus.bounds(&stream).await.unwrap().last + 1;
    world.bus.purge_below(&stream, behind).await.unwrap();
    for restarted in [false, true] {
        if restarted {
            serve.kill_9().await;
            let behind = world.bus.bounds(&stream).await.unwrap().last + 1;
            world.bus.purge_below(&stream, behind).await.unwrap();
            serve.start();
            serve.until_ready().await;
        }
        for (order, before) in orders.iter().zip(&before) {
            let view: serde_json::Value = serde_json::from_str(&shown(&serve, order).await).unwrap();
            assert_eq!((&view["order_id"], &view["phase"]), (&order.as_str().into(), &"reserving".into()));
            assert_eq!(first_entry(&serve.get(&timeline(order)).await.body), *before, "{order}");
        }
    }
}

#[actix::test]
async fn a_journal_that_is_kept_shortly_is_purged_from_its_beginning_and_still_starts() {
    let world = World::set_up().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("short.toml");
    std::fs::write(&file, "[node]\njournal_keep_ms = 1000\npurge_interval_ms = 1000\n").unwrap();
    let mut serve = Serve::started(&world.url, &["-c", file.to_str().unwrap()]).await;
    let orders: Vec<String> = (0..16).map(|number| format!("short-{number}")).collect();
    for order in &orders {
        submitted(&world, &serve, order).await;
    }
    until(WITHIN, "records are purged", || async {
        (metric(&serve, "doorbuster_purged_records_total").await > 0).then_some(())
    })
    .await;
    for _ in 0..2 {
        serve.kill_9().await;
        serve.start();
        serve.until_ready().await;
        for order in &orders {
            shown(&serve, order).await;
        }
    }
}

#[actix::test]
async fn unread_orders_purged_while_serve_was_cut_off_are_missed() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::bare_in(Some(folder.path().to_owned())).await;
    set_up(&world.url, 8).await;
    let serve = Serve::started(&world.url, &[]).await;
    submitted(&world, &serve, &order_in(3, 0)).await;
    submitted(&world, &serve, &order_in(4, 0)).await;
    world.nats.kill_9().unwrap();
    {
        // The same streams, where `serve` does not look.
        let options = ProcessOptions { store: Some(folder.path().to_owned()), ..ProcessOptions::default() };
        let mut elsewhere = NatsProcess::start(options).await.unwrap_or_else(|problem| panic!("{problem}"));
        let bus = NatsBus::connect(&NatsOptions::new(elsewhere.url())).await.unwrap();
        let order = order_in(3, 1);
        let submit = submit("retail", &order, &card_order(&order), &[]);
        let StoreOutcome::Stored(sequence) = bus.store(submit, Expect::Anything).await else {
            panic!("not stored")
        };
        bus.purge_below("RETAIL_INTAKE", sequence + 1).await.unwrap();
        elsewhere.stop().await.unwrap();
    }
    world.nats.restart().await.unwrap();
    let told = reason(&serve, "RETAIL_INTAKE").await;
    assert!(told.contains("are gone, unread") && told.contains("accept_lost_inputs"), "{told}");
}

#[actix::test]
async fn what_a_fenced_partition_has_not_read_stays_while_the_others_go_on() {
    let world = World::bare().await;
    let layout = world.layout.clone().with_bounds(StreamId::Work, Bounds::messages(MOST_WORK));
    let bus = NatsBus::connect(&NatsOptions::new(world.url.clone())).await.unwrap();
    Setup::new(&bus).apply(&layout).await.unwrap();
    let serve = Serve::started(&world.url, &[]).await;
    let (still, moving) = (3, 4);
    submitted(&world, &serve, &order_in(still, 0)).await;
    // Somebody else writes into its journal; it learns it with its next record.
    let foreign =
        Outgoing { subject: layout.journal(still), headers: Headers::new(), body: "not ours".into() };
    world.bus.store(foreign, Expect::Anything).await;
    world.submit(&order_in(still, 1), &card_order(&order_in(still, 1)), &[]).await;
    reason(&serve, &format!("partition {still}")).await;
    for number in 0..3 {
        tell(&world, &order_in(still, 0), number).await;
    }
    for number in 0..3 * MOST_WORK {
        tell(&world, &order_in(moving, 0), number).await;
    }
    let stream = layout.name(StreamId::Work);
    let bounds = until(WITHIN, "the others' are purged", || async {
        let bounds = world.bus.bounds(&stream).await.unwrap();
        (bounds.messages < MOST_WORK).then_some(bounds)
    })
    .await;
    let unread =
        world.bus.count_between(&stream, &layout.inbound_filter(still), 0, bounds.last).await.unwrap();
    assert_eq!(unread, 3, "{bounds:?}");
    submitted(&world, &serve, &order_in(moving, 1)).await;
}

/// The same journal without one record. The server lets nobody delete one, so this is what a disk may do.
async fn without_record(world: &World, partition: u16, sequence: u64) {
    let id = StreamId::Journal(partition);
    let records = world.stream(id).await;
    let context = async_nats::jetstream::new(world.client.clone());
    let name = world.layout.name(id);
    let mut config = context.get_stream(&name).await.unwrap().cached_info().config.clone();
    context.delete_stream(&name).await.unwrap();
    config.deny_delete = false;
    let journal = context.create_stream(config).await.unwrap();
    for record in records {
        let again = Outgoing { subject: record.subject, headers: record.headers, body: record.body };
        let stored = world.bus.store(again, Expect::Anything).await;
        assert_eq!(stored, StoreOutcome::Stored(record.sequence));
    }
    journal.delete_message(sequence).await.unwrap();
}

/// A fact that is no departure, stored as soon as there is room.
async fn tell(world: &World, order: &str, number: u64) {
    let headers = Headers::new().with("ce-id", format!("{order}-{number}")).with("ce-source", "/carrier");
    let subject = format!("retail.v1.fact.main.shipment.departed.{order}");
    let fact = Outgoing { subject, headers, body: "{}".into() };
    until(WITHIN, "the fact is stored", || async {
        let outcome = world.bus.store(fact.clone(), Expect::Anything).await;
        matches!(outcome, StoreOutcome::Stored(_)).then_some(())
    })
    .await;
}
