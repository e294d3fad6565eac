//! Far more than the node can carry: its bounds hold, everybody hears a word, and what was accepted goes on.

use std::cell::Cell;
use std::time::Duration;

use bus::ports::{Expect, Outgoing, StoreOutcome};
use bytes::Bytes;
use domain::envelope::Headers;
use futures_util::StreamExt;
use loadtest::contract::Naming;
use loadtest::demo::RunOptions;
use serde_json::Value;

use crate::product::{Serve, run};
use crate::until::until;
use crate::world::{World, card_order, submit};

const LIVE_ORDERS: u64 = 100;
/// One batch may pass the bound.
const BATCH: u64 = 64;
const ORDERS: u64 = 2_000;
const SOON: Duration = Duration::from_mins(2);
const MIB: u64 = 1024 * 1024;

/// A metric as it is now.
async fn metric(serve: &Serve, name: &str) -> u64 {
    let text = serve.get("/metrics").await.body;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("doorbuster_{name} ")));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no metric {name} in {text}"))
}

#[tokio::test]
async fn far_more_orders_than_may_be_live_wait_outside_and_all_come_to_their_end() {
    // invariant: bounded-everything
    let world = World::set_up().await;
    let mut serve = Serve::new(&world.url, &[])
        .with("DOORBUSTER_NODE_FLOW_LIVE_ORDERS", LIVE_ORDERS)
        .with("DOORBUSTER_NODE_FLOW_LIVE_ORDERS_LEAST", LIVE_ORDERS);
    serve.start();
    serve.until_ready().await;
    let mut receipts = world.bus.subscribe("retail.v1.receipt.main.>").await.unwrap();
    let (most_live, most_queued, told) = (Cell::new(0), Cell::new(0), Cell::new(0_u64));
    let options = RunOptions { in_flight: 2_000, ..RunOptions::new(ORDERS, 11, "overload") };
    let run = loadtest::demo::run(options, world.bus.clone(), Naming::default(), |_| ());
    let watch = async {
        loop {
            most_live.set(most_live.get().max(metric(&serve, "live_orders{bound=\"there\"}").await));
            most_queued.set(most_queued.get().max(metric(&serve, "queued_orders{bound=\"there\"}").await));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let listen = async {
        while let Some(receipt) = receipts.next().await {
            let receipt: Value = serde_json::from_slice(&receipt.body).unwrap();
            if receipt["queue"]["position"].is_u64() {
                assert_eq!(receipt["outcome"], "pending", "{receipt}");
                assert!(receipt["queue"]["estimated_wait_ms"].is_u64(), "{receipt}");
                told.set(told.get() + 1);
            }
        }
    };
    let report = tokio::select! {
        report = tokio::time::timeout(Duration::from_mins(5), run) => report.expect("all orders end"),
        () = watch => unreachable!("it watches for ever"),
        () = listen => panic!("the subscription ended"),
    };
    let report = report.expect("the broker is there");
    println!(
        "live {} of {LIVE_ORDERS}, queued {}, told {}, {:.0} orders/s",
        most_live.get(),
        most_queued.get(),
        told.get(),
        report.orders_per_second
    );
    assert!(report.verdict.clean, "{:#?}", report.verdict.violations);
    assert_eq!((report.orders.submitted, report.orders.open), (ORDERS, 0));
    assert!(most_live.get() <= LIVE_ORDERS + BATCH, "{} were live", most_live.get());
    assert!(most_queued.get() > 0 && told.get() > 0, "nobody was told that he waits");
    until(SOON, "nothing is live and the herald has gone", || async {
        let left = metric(&serve, "live_orders{bound=\"there\"}").await
            + metric(&serve, "queued_orders{bound=\"there\"}").await;
        (left == 0).then_some(())
    })
    .await;
}

fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1_024
}

#[tokio::test]
async fn memory_stays_below_its_budget_while_orders_pour_in_and_wishes_are_still_taken() {
    // invariant: facts-are-never-refused
    let world = World::set_up().await;
    let probe = Serve::started(&world.url, &[]).await;
    let budget = (resident(probe.pid()) + 80 * MIB).max(128 * MIB);
    drop(probe);
    // Nobody answers for the cards, so every order stays live, and none leaves memory.
    let mut serve = Serve::new(&world.url, &[])
        .with("DOORBUSTER_NODE_FLOW_MEMORY_BYTES", budget)
        .with("DOORBUSTER_NODE_FLOW_LIVE_ORDERS", 1_000_000)
        .with("DOORBUSTER_NODE_IDLE_AFTER_MS", 3_600_000)
        .with("DOORBUSTER_NODE_PACK_AFTER_MS", 3_600_000);
    serve.start();
    serve.until_ready().await;
    let (submitted, is_full, most) = (Cell::new(0_u64), Cell::new(false), Cell::new(0));
    let pour = async {
        // As many at once as the intake takes, until no more are begun.
        while !is_full.get() {
            let some = (0..256).map(|offset| {
                let key = format!("pour-{}", submitted.get() + offset);
                let order = submit("retail", &key, &card_order(&key), &[]);
                world.bus.store(order, Expect::Anything)
            });
            let stored: Vec<StoreOutcome> = futures_util::stream::iter(some).buffered(256).collect().await;
            let taken = stored.iter().filter(|outcome| matches!(outcome, StoreOutcome::Stored(_))).count();
            submitted.set(submitted.get() + taken as u64);
            tokio::task::yield_now().await;
        }
    };
    let watch = async {
        let mut standing = 0;
        let mut live = 0;
        while standing < 50 {
            most.set(most.get().max(resident(serve.pid())));
            let now = metric(&serve, "live_orders{bound=\"there\"}").await;
            let waits = submitted.get() > now + 1_000;
            standing = if now == live && waits { standing + 1 } else { 0 };
            live = now;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        is_full.set(true);
    };
    let both = async { tokio::join!(pour, watch) };
    tokio::time::timeout(SOON, both).await.expect("the intake stops before the test does");
    let live = metric(&serve, "live_orders{bound=\"there\"}").await;
    println!(
        "budget {} MiB, most {} MiB, {live} orders live of {}",
        budget / MIB,
        most.get() / MIB,
        submitted.get()
    );
    assert!(most.get() <= budget, "{} of {budget} bytes", most.get());
    assert!(live > 0 && live < submitted.get());

    // An operator is heard all the same, and takes back what he did.
    for words in [["flow", "pause"], ["flow", "resume"]] {
        let api = format!("http://127.0.0.1:{}", serve.port);
        let why = ["--scope", "channel:web", "--reason", "too much comes", "--yes", "--api", &api];
        let done =
            tokio::time::timeout(SOON, run(&[&words[..], &why].concat())).await.expect("it is answered");
        assert_eq!(done.status.code(), Some(0), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    // A wish about one of them is taken all the same.
    let mut heard = world.bus.subscribe("_INBOX.overload").await.unwrap();
    let headers =
        Headers::new().with("ce-id", "cancel").with("ce-source", "/shop").with("Reply-To", "_INBOX.overload");
    let body = Bytes::from_static(br#"{"order_id":"pour-0","reason":"enough"}"#);
    let subject = "retail.v1.ask.main.order.cancel.pour-0".to_owned();
    let cancel = Outgoing { subject, headers, body };
    assert!(matches!(world.bus.store(cancel, Expect::Anything).await, StoreOutcome::Stored(_)));
    let receipt = tokio::time::timeout(SOON, heard.next()).await.unwrap().unwrap();
    let receipt: Value = serde_json::from_slice(&receipt.body).unwrap();
    assert_eq!(receipt["outcome"], "accepted", "{receipt}");
}
