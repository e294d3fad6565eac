//! An intake that is full refuses its publishers, and nothing that was taken is lost.

use std::time::Duration;

use bus::layout::{Bounds, StreamId};
use bus::nats::{NatsBus, NatsOptions, Setup};
use bus::ports::{Expect, StoreOutcome};
use loadtest::contract::Naming;
use loadtest::demo::RunOptions;

use crate::product::Serve;
use crate::world::{World, card_order, submit};

const SMALL: u64 = 40;

#[actix::test]
async fn a_full_intake_refuses_with_10077_and_loses_nothing() {
    // invariant: bounded-everything
    let world = World::bare().await;
    let layout = world.layout.clone().with_bounds(StreamId::Intake, Bounds::messages(SMALL));
    let bus = NatsBus::connect(&NatsOptions::new(world.url.clone())).await.unwrap();
    Setup::new(&bus).apply(&layout).await.unwrap();

    let mut taken = 0;
    let refused = loop {
        let key = format!("early-{taken}");
        match world.bus.store(submit("retail", &key, &card_order(&key), &[]), Expect::Anything).await {
            StoreOutcome::Stored(_) => taken += 1,
            other => break other,
        }
    };
    assert_eq!((taken, refused), (SMALL, StoreOutcome::Full), "the bound holds while nobody reads");

    // Far more orders at once than the intake holds: their publisher is refused again and again, and tries again.
    let _serve = Serve::started(&world.url, &[]).await;
    let options = RunOptions::new(1_500, 3, "pressure");
    let run = loadtest::demo::run(options, world.bus.clone(), Naming::default(), |_| ());
    let report = tokio::time::timeout(Duration::from_mins(5), run).await.expect("all orders end");
    let report = report.expect("the broker is there");
    assert!(report.verdict.clean, "{:#?}", report.verdict.violations);
    assert_eq!((report.orders.submitted, report.orders.open), (1_500, 0));
}
