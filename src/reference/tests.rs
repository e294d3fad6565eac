use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bus::layout::Layout;
use bus::memory::MemoryBus;
use bus::ports::{Bus, Expect, Outgoing, StoreOutcome};
use bytes::Bytes;
use domain::envelope::Headers;

use super::Watcher;

const NODE: &str = r#"{"kind":"store","region":"DE-BE","capacity_per_day":40,"sla_hours":24,"cost_minor":390,"pickup":true,"active":true}"#;

async fn write(bus: &MemoryBus, layout: &Layout, key: &str, value: Option<&str>) {
    let headers = value.map_or_else(|| Headers::new().with("KV-Operation", "DEL"), |_| Headers::new());
    let body = Bytes::from(value.unwrap_or_default().to_owned());
    let message = Outgoing { subject: layout.reference(key), headers, body };
    assert!(matches!(bus.store(message, Expect::Anything).await, StoreOutcome::Stored(_)));
}

fn watcher(bus: &MemoryBus, layout: &Layout) -> (Watcher, Arc<AtomicU64>) {
    let seen = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&seen);
    let take = move |snapshot: &domain::reference::Reference| {
        told.store(snapshot.revision(), Ordering::Relaxed);
    };
    (Watcher::new(Arc::new(bus.clone()), layout.clone(), take), seen)
}

async fn read(watcher: &mut Watcher) {
    watcher.read_all(|why| panic!("{why}")).await;
}

#[tokio::test(start_paused = true)]
async fn given_values_that_come_and_go_then_the_snapshot_follows() {
    let layout = Layout::default();
    let bus = MemoryBus::real_time(&layout);
    let (mut watcher, seen) = watcher(&bus, &layout);
    read(&mut watcher).await;
    assert_eq!((watcher.report().show().revision, seen.load(Ordering::Relaxed)), (0, 0));
    write(&bus, &layout, "node.berlin", Some(NODE)).await;
    write(&bus, &layout, "item.SKU-A", Some("{}")).await;
    read(&mut watcher).await;
    let shown = watcher.report().show();
    assert_eq!((shown.revision, shown.nodes, shown.items, seen.load(Ordering::Relaxed)), (2, 1, 1, 2));
    write(&bus, &layout, "node.berlin", None).await;
    read(&mut watcher).await;
    let shown = watcher.report().show();
    assert_eq!((shown.revision, shown.nodes, shown.items), (3, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn given_a_bad_value_then_the_last_good_one_stays_and_the_bad_one_is_shown_until_a_good_one_comes() {
    let layout = Layout::default();
    let bus = MemoryBus::real_time(&layout);
    let (mut watcher, _) = watcher(&bus, &layout);
    write(&bus, &layout, "node.berlin", Some(NODE)).await;
    read(&mut watcher).await;
    write(&bus, &layout, "node.berlin", Some(&NODE.replace("40", "-1"))).await;
    read(&mut watcher).await;
    let report = watcher.report();
    let shown = report.show();
    assert_eq!((shown.nodes, shown.refused.len(), report.refused.get()), (1, 1, 1));
    let refused = &shown.refused[0];
    assert_eq!((refused.key.as_str(), refused.revision, refused.in_force), ("node.berlin", 2, Some(1)));
    assert!(
        shown.refused[0].errors.iter().any(|mistake| mistake.pointer == "/capacity_per_day"),
        "{shown:?}"
    );
    write(&bus, &layout, "node.berlin", Some(NODE)).await;
    read(&mut watcher).await;
    assert_eq!((report.show().refused.len(), report.taken.get()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn given_a_start_behind_bad_values_then_the_last_good_one_is_in_force_as_far_as_the_bucket_goes_back() {
    let layout = Layout::default();
    let bus = MemoryBus::real_time(&layout);
    write(&bus, &layout, "node.berlin", Some(&NODE.replace("40", "30"))).await;
    write(&bus, &layout, "node.berlin", Some(NODE)).await;
    for bad in 1..=8 {
        write(&bus, &layout, "node.berlin", Some("{}")).await;
        let (mut watcher, _) = watcher(&bus, &layout);
        read(&mut watcher).await;
        let report = watcher.report();
        let shown = report.show();
        assert_eq!(
            (shown.refused.len(), report.refused.get()),
            (1, 1),
            "only the newest one is anybody's concern"
        );
        let expected = (bad < 8).then_some(2);
        assert_eq!((shown.refused[0].revision, shown.refused[0].in_force), (2 + bad, expected));
        let snapshot = report.snapshot();
        let capacity = snapshot.node("berlin").map(|node| node.capacity_per_day);
        assert_eq!(capacity, expected.map(|_| 40), "after {bad} bad ones");
    }
}

#[tokio::test(start_paused = true)]
async fn given_a_bad_value_that_was_mended_or_taken_away_when_a_node_starts_then_nothing_is_said_of_it() {
    let layout = Layout::default();
    let bus = MemoryBus::real_time(&layout);
    for (key, last) in [("node.berlin", Some(NODE)), ("node.hamburg", None)] {
        write(&bus, &layout, key, Some(NODE)).await;
        write(&bus, &layout, key, Some("{}")).await;
        write(&bus, &layout, key, last).await;
    }
    let (mut watcher, _) = watcher(&bus, &layout);
    read(&mut watcher).await;
    let report = watcher.report();
    let shown = report.show();
    assert_eq!((shown.nodes, shown.refused.len(), report.refused.get()), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn given_a_deletion_and_then_a_bad_value_then_what_was_deleted_does_not_come_back() {
    let layout = Layout::default();
    let bus = MemoryBus::real_time(&layout);
    for value in [Some(NODE), None, Some("{}")] {
        write(&bus, &layout, "node.berlin", value).await;
    }
    let (mut watcher, _) = watcher(&bus, &layout);
    read(&mut watcher).await;
    let shown = watcher.report().show();
    assert_eq!((shown.nodes, shown.refused[0].in_force), (0, None));
}

#[tokio::test(start_paused = true)]
async fn given_very_many_bad_values_then_the_first_are_shown_and_all_are_counted() {
    let layout = Layout::default();
    let bus = MemoryBus::real_time(&layout);
    let (mut watcher, _) = watcher(&bus, &layout);
    for number in 0..150 {
        write(&bus, &layout, &format!("item.SKU-{number:03}"), Some("[]")).await;
    }
    read(&mut watcher).await;
    let report = watcher.report();
    assert_eq!((report.show().refused.len(), report.refused.get()), (100, 150));
}

#[tokio::test(start_paused = true)]
async fn given_a_broker_that_is_away_then_it_is_said_and_tried_again() {
    let layout = Layout::default();
    let bus = MemoryBus::real_time(&layout);
    write(&bus, &layout, "item.SKU-A", Some("{}")).await;
    bus.disconnect();
    let (mut watcher, _) = watcher(&bus, &layout);
    let (said, back) = (AtomicU64::new(0), bus.clone());
    let waiting = |_| {
        if said.fetch_add(1, Ordering::Relaxed) == 2 {
            back.reconnect();
        }
    };
    watcher.read_all(waiting).await;
    assert_eq!((watcher.report().show().items, said.load(Ordering::Relaxed)), (1, 3));
}
