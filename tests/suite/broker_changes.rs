//! Streams that are not what they were when `serve` left them: what is lost is named, what is not goes on.

use std::time::Duration;

use bus::layout::StreamId;
use bus::ports::{Expect, Outgoing};
use domain::envelope::Headers;
use domain::ids::Key;

use crate::http;
use crate::product::{Serve, set_up};
use crate::until::until;
use crate::world::{World, card_order};

const WITHIN: Duration = Duration::from_mins(1);

/// The reason in `/readyz`, once it tells of `what`.
async fn reason(serve: &Serve, what: &str) -> String {
    until(WITHIN, what, || async {
        let answer = http::get(serve.port, "/readyz", &[]).await?;
        (answer.status == 503 && answer.body.contains(what)).then_some(answer.body)
    })
    .await
}

/// `serve` has taken an order, and is stopped with its positions recorded.
async fn stopped_after_an_order(world: &World, arguments: &[&str]) -> Serve {
    let mut serve = Serve::started(&world.url, arguments).await;
    world.submit("o-1", &card_order("o-1"), &[]).await;
    until(WITHIN, "the order is there", || async {
        http::get(serve.port, "/api/v1/orders/o-1", &[]).await.filter(|answer| answer.status == 200)
    })
    .await;
    assert_eq!(serve.end("TERM").await, Some(0));
    serve
}

/// Another order of the partition of `o-1`, or of another one.
fn order_in(same: bool) -> String {
    let partition = |key: &str| Key::new(key).unwrap().partition(8);
    let keys = (2..1_000).map(|number| format!("o-{number}"));
    keys.into_iter().find(|key| (partition(key) == partition("o-1")) == same).unwrap()
}

#[actix::test]
async fn unread_orders_that_somebody_purged_are_missed_until_the_loss_is_accepted() {
    let world = World::set_up().await;
    let mut serve = stopped_after_an_order(&world, &[]).await;
    let (unread, later) = (order_in(true), "o-later");
    world.submit(&unread, &card_order(&unread), &[]).await;
    let last = world.bus.bounds("RETAIL_INTAKE").await.unwrap().last;
    world.bus.purge_below("RETAIL_INTAKE", last + 1).await.unwrap();
    serve.start();
    let told = reason(&serve, "RETAIL_INTAKE").await;
    assert!(told.contains("are gone, unread") && told.contains("accept_lost_inputs"), "{told}");
    serve.kill_9().await;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("accept.toml");
    std::fs::write(&file, "[node]\naccept_lost_inputs = true\n").unwrap();
    let serve = Serve::started(&world.url, &["-c", file.to_str().unwrap()]).await;
    world.submit(later, &card_order(later), &[]).await;
    until(WITHIN, "later orders are taken", || async {
        http::get(serve.port, "/api/v1/orders/o-later", &[]).await.filter(|answer| answer.status == 200)
    })
    .await;
    assert!(serve.get("/metrics").await.body.contains("missing_inputs"));
}

#[actix::test]
async fn an_intake_that_was_made_anew_is_noticed() {
    let world = World::set_up().await;
    let mut serve = stopped_after_an_order(&world, &[]).await;
    async_nats::jetstream::new(world.client.clone()).delete_stream("RETAIL_INTAKE").await.unwrap();
    set_up(&world.url, 8).await;
    serve.start();
    let told = reason(&serve, "made anew").await;
    assert!(told.contains("RETAIL_INTAKE") && told.contains("accept_lost_inputs"), "{told}");
}

#[actix::test]
async fn a_stream_with_another_number_of_partitions_is_refused() {
    let world = World::set_up().await;
    let mut serve = stopped_after_an_order(&world, &[]).await;
    let context = async_nats::jetstream::new(world.client.clone());
    let mut config = context.get_stream("RETAIL_WORK").await.unwrap().cached_info().config.clone();
    let transform = config.subject_transform.as_mut().unwrap();
    transform.destination = transform.destination.replace("artition(8,", "artition(4,");
    context.update_stream(&config).await.unwrap();
    serve.start();
    let told = reason(&serve, "RETAIL_WORK").await;
    assert!(told.contains("subject_transform") && told.contains("setup"), "{told}");
}

#[actix::test]
async fn a_foreign_journal_record_and_a_journal_without_its_end_break_their_partition_alone() {
    let world = World::set_up().await;
    let mut serve = stopped_after_an_order(&world, &[]).await;
    let broken = Key::new("o-1").unwrap().partition(8);
    let other = Key::new(&order_in(false)).unwrap().partition(8);
    // The journal of the order's partition is made anew: its pages tell of what was there.
    let context = async_nats::jetstream::new(world.client.clone());
    let name = world.layout.name(StreamId::Journal(broken));
    context.delete_stream(&name).await.unwrap();
    set_up(&world.url, 8).await;
    // And somebody else has written into that of another one.
    let subject = world.layout.journal(other);
    let foreign = Outgoing { subject, headers: Headers::new(), body: "not ours".into() };
    world.bus.store(foreign, Expect::Anything).await;
    serve.start();
    let told = reason(&serve, &name).await;
    assert!(told.contains("are gone, restore the stream"), "{told}");
    let told = reason(&serve, &format!("RETAIL_JOURNAL_{other}")).await;
    assert!(told.contains(&format!("partition {other}: broken")), "{told}");
    let fine = (2..1_000).map(|number| format!("o-{number}")).find(|key| {
        let partition = Key::new(key).unwrap().partition(8);
        partition != broken && partition != other
    });
    let fine = fine.unwrap();
    world.submit(&fine, &card_order(&fine), &[]).await;
    until(WITHIN, "the others go on", || async {
        let path = format!("/api/v1/orders/{fine}");
        http::get(serve.port, &path, &[]).await.filter(|answer| answer.status == 200)
    })
    .await;
}
