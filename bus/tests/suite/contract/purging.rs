//! Guarantee 10: purges take what they say and nothing else.

use bus::layout::StreamId;
use bus::ports::{Expect, Position, SharedBus, StoreOutcome};
use domain::envelope::Plane;
use domain::ids::Key;

use super::{MOST_INTAKE, all, bodies, layout, message, read, stored, work};

/// A key of this partition of four.
fn key_in(partition: u16) -> String {
    let keys = (0..1_000).map(|number| format!("o-{number}"));
    keys.into_iter().find(|key| Key::new(key).unwrap().partition(4) == partition).unwrap()
}

pub(crate) async fn a_purge_by_filter_leaves_everything_else_where_it_is(bus: SharedBus) {
    let (layout, stream) = (layout(), layout().name(StreamId::Work));
    for (partition, body) in [(0, "a"), (1, "b"), (0, "c"), (2, "d"), (0, "e"), (1, "f")] {
        stored(&*bus, work(&key_in(partition), body)).await;
    }
    let before = all(&bus, &stream).await;
    bus.purge_filtered(&stream, &layout.inbound_filter(0), 7).await.unwrap();
    let after = all(&bus, &stream).await;
    assert_eq!(bodies(&after), ["b", "d", "f"]);
    assert!(after.iter().all(|stored| before.contains(stored)), "sequence and time are as they were");
    let bounds = bus.bounds(&stream).await.unwrap();
    assert_eq!((bounds.first, bounds.last, bounds.messages), (2, 6, 3));
    assert_eq!(stored(&*bus, work(&key_in(0), "g")).await, 7);
    let filter = layout.inbound_filter(1);
    let mut reader = bus.open(&stream, Some(&filter), Position::default()).await.unwrap();
    assert_eq!(bodies(&read(&mut *reader, 2).await), ["b", "f"]);
}

pub(crate) async fn a_purge_by_filter_takes_nothing_at_or_behind_its_sequence(bus: SharedBus) {
    let (layout, stream) = (layout(), layout().name(StreamId::Work));
    for (partition, body) in [(0, "a"), (1, "b"), (0, "c"), (0, "d")] {
        stored(&*bus, work(&key_in(partition), body)).await;
    }
    for nothing in [0, 1] {
        bus.purge_filtered(&stream, &layout.inbound_filter(0), nothing).await.unwrap();
        bus.purge_below(&stream, nothing).await.unwrap();
    }
    assert_eq!(bus.bounds(&stream).await.unwrap().messages, 4);
    bus.purge_filtered(&stream, &layout.inbound_filter(3), 5).await.unwrap();
    bus.purge_filtered(&stream, &layout.inbound_filter(0), 3).await.unwrap();
    assert_eq!(bodies(&all(&bus, &stream).await), ["b", "c", "d"]);
    bus.purge_filtered(&stream, &layout.inbound_filter(0), 100).await.unwrap();
    assert_eq!(bodies(&all(&bus, &stream).await), ["b"]);
    assert_eq!(stored(&*bus, work(&key_in(0), "e")).await, 5, "the stream goes on counting where it was");
}

pub(crate) async fn a_purge_by_filter_makes_room(bus: SharedBus) {
    let (layout, stream) = (layout(), layout().name(StreamId::Intake));
    let submit =
        |partition| message(layout.inbound(Plane::Intake, "main", "order", "submit", key_in(partition)), "x");
    stored(&*bus, submit(3)).await;
    for _ in 1..MOST_INTAKE {
        stored(&*bus, submit(0)).await;
    }
    assert_eq!(bus.store(submit(0), Expect::Anything).await, StoreOutcome::Full);
    bus.purge_filtered(&stream, &layout.inbound_filter(0), MOST_INTAKE + 1).await.unwrap();
    assert_eq!(bus.bounds(&stream).await.unwrap().messages, 1, "the oldest is there as before");
    assert_eq!(stored(&*bus, submit(0)).await, MOST_INTAKE + 1);
}

pub(crate) async fn the_audit_cannot_be_purged(bus: SharedBus) {
    let (layout, stream) = (layout(), layout().name(StreamId::Audit));
    stored(&*bus, message(layout.audit("main", "order", "release", 1), "by whom")).await;
    assert!(bus.purge_below(&stream, 2).await.is_err());
    assert!(bus.purge_filtered(&stream, "retail.v1.audit.>", 2).await.is_err());
    assert_eq!(bodies(&all(&bus, &stream).await), ["by whom"]);
}

pub(crate) async fn what_is_gone_is_counted_however_it_went(bus: SharedBus) {
    let (layout, stream) = (layout(), layout().name(StreamId::Work));
    let (zero, one) = (layout.inbound_filter(0), layout.inbound_filter(1));
    for partition in [0, 1, 0, 1, 0, 1, 0, 0] {
        stored(&*bus, work(&key_in(partition), "x")).await;
    }
    assert_eq!(bus.missing_after(&stream, 0).await.unwrap(), 0);
    assert_eq!(bus.count_between(&stream, &zero, 1, 7).await.unwrap(), 3, "3, 5 and 7");
    bus.purge_filtered(&stream, &one, 5).await.unwrap();
    let missing = async |after| bus.missing_after(&stream, after).await.unwrap();
    assert_eq!((missing(0).await, missing(1).await, missing(2).await, missing(4).await), (2, 2, 1, 0));
    assert_eq!(bus.count_between(&stream, &one, 0, 8).await.unwrap(), 1);
    assert_eq!(bus.count_between(&stream, &one, 6, 6).await.unwrap(), 0);
    bus.purge_below(&stream, 6).await.unwrap();
    assert_eq!((missing(0).await, missing(3).await, missing(5).await), (5, 2, 0));
    bus.purge_below(&stream, 9).await.unwrap();
    assert_eq!((missing(0).await, missing(7).await, missing(8).await, missing(20).await), (8, 1, 0, 0));
    assert_eq!(bus.count_between(&stream, &zero, 0, 8).await.unwrap(), 0);
}
