//! Whole runs, without anybody who serves the orders.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bus::layout::{Bounds, Layout, StreamId};
use bus::memory::MemoryBus;
use bus::ports::{Outgoing, SharedBus};
use domain::envelope::Headers;
use loadtest::contract::Naming;
use loadtest::demo::{RunOptions, run};
use loadtest::simulators::{OutboxSettings, outbox};

fn memory(layout: &Layout) -> SharedBus {
    Arc::new(MemoryBus::new(layout, Arc::new(|| 1)))
}

#[tokio::test(start_paused = true)]
async fn given_nobody_who_serves_when_run_then_patience_ends_and_every_order_is_missed() {
    let bus = memory(&Layout::new("retail", 8, 1).in_memory());
    let told = AtomicUsize::new(0);
    let options = RunOptions { patience: Duration::from_secs(5), ..RunOptions::new(50, 7, "r1") };
    let report = run(options, bus, Naming::default(), |progress| {
        told.fetch_add(1, Ordering::Relaxed);
        assert_eq!(progress.orders.completed, 0);
    })
    .await
    .unwrap();
    assert_eq!((report.orders.submitted, report.orders.open), (50, 50));
    assert!(!report.verdict.clean && report.verdict.violations_total >= 50);
    assert!(report.verdict.violations.iter().all(|text| text.starts_with("order-ends: r1-")));
    assert!(report.messages["RETAIL_INTAKE"] >= 50 && told.load(Ordering::Relaxed) > 0);
}

#[tokio::test(start_paused = true)]
async fn given_room_for_ten_orders_when_nobody_ends_them_then_no_eleventh_is_submitted() {
    let bus = memory(&Layout::new("retail", 8, 1).in_memory());
    let options =
        RunOptions { patience: Duration::from_secs(5), in_flight: 10, ..RunOptions::new(50, 7, "r1") };
    let report = run(options, bus, Naming::default(), |_| {}).await.unwrap();
    assert_eq!((report.orders.submitted, report.orders.open), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn given_a_full_stream_when_published_then_everything_waits_and_nothing_is_lost() {
    let layout = Layout::new("retail", 8, 1).in_memory().with_bounds(StreamId::Intake, Bounds::messages(3));
    let bus = memory(&layout);
    let (handle, work) = outbox(Arc::clone(&bus), OutboxSettings::default(), |message, cause| {
        panic!("{}: {cause}", message.subject);
    });
    let work = tokio::spawn(work);
    for number in 0..10 {
        let subject = format!("retail.v1.intake.main.order.submit.o-{number}");
        assert!(handle.put(Outgoing { subject, headers: Headers::new(), body: "{}".into() }).await);
    }
    drop(handle);
    let mut last = 0;
    for _ in 0..100 {
        let bounds = bus.bounds("RETAIL_INTAKE").await.unwrap();
        assert!(bounds.messages <= 3);
        last = bounds.last;
        if last == 10 {
            break;
        }
        bus.purge_below("RETAIL_INTAKE", last + 1).await.unwrap();
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    assert_eq!(last, 10);
    work.await.unwrap();
}
