//! Guarantees 1 to 4 and 9: sequences, transforms, bounds, expectations, batches.

use bus::append::{Appended, append_until_definite};
use bus::layout::StreamId;
use bus::marked::{Marked, store_marked};
use bus::ports::{Expect, Outgoing, SharedBus, StoreOutcome};
use domain::decider::Participant;
use domain::envelope::{Headers, Plane};
use domain::ids::Key;
use futures_util::future::join_all;

use super::{MOST_INTAKE, MOST_NOTICES, all, bodies, layout, message, stored, work};

pub(crate) async fn sequences_and_timestamps_grow(bus: SharedBus) {
    for number in 1..=20 {
        assert_eq!(stored(&*bus, work("o-1", "x")).await, number);
    }
    let messages = all(&bus, &layout().name(StreamId::Work)).await;
    assert_eq!(messages.len(), 20);
    for pair in messages.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
        assert!(pair[1].timestamp_ns > pair[0].timestamp_ns);
    }
}

pub(crate) async fn the_partition_is_fnv_1a_of_the_key(bus: SharedBus) {
    let layout = layout();
    for number in 0..50 {
        let key = Key::new(&format!("o-{number}~Ab")).unwrap();
        let sequence = stored(&*bus, work(key.as_str(), "x")).await;
        let found = bus.get(&layout.name(StreamId::Work), sequence).await.unwrap().unwrap();
        let subject = layout.parse_inbound(&found.subject).unwrap();
        assert_eq!((subject.partition, subject.plane), (key.partition(4), Plane::Fact), "{}", found.subject);
        assert_eq!((subject.tenant, subject.domain, subject.name), ("main", "shipment", "departed"));
    }
}

pub(crate) async fn a_full_stream_refuses_and_loses_nothing(bus: SharedBus) {
    let (layout, stream) = (layout(), layout().name(StreamId::Intake));
    let submit = |number: u64| {
        let key = format!("o-{number}");
        message(layout.inbound(Plane::Intake, "main", "order", "submit", &key), &key)
    };
    for number in 1..=MOST_INTAKE {
        stored(&*bus, submit(number)).await;
    }
    assert_eq!(bus.store(submit(6), Expect::Anything).await, StoreOutcome::Full);
    let bounds = bus.bounds(&stream).await.unwrap();
    assert_eq!((bounds.messages, bounds.most_messages), (MOST_INTAKE, Some(MOST_INTAKE)));
    assert_eq!(bodies(&all(&bus, &stream).await), ["o-1", "o-2", "o-3", "o-4", "o-5"]);

    bus.purge_below(&stream, 3).await.unwrap();
    assert_eq!(stored(&*bus, submit(7)).await, 6);
    assert_eq!(bodies(&all(&bus, &stream).await), ["o-3", "o-4", "o-5", "o-7"]);
}

pub(crate) async fn a_stream_that_discards_old_keeps_the_newest(bus: SharedBus) {
    let (layout, stream) = (layout(), layout().name(StreamId::Notices));
    for number in 1..=7 {
        stored(&*bus, message(layout.notice("main", "order", "committed", number % 4), number.to_string()))
            .await;
    }
    assert_eq!(bus.bounds(&stream).await.unwrap().messages, MOST_NOTICES);
    assert_eq!(bodies(&all(&bus, &stream).await), ["5", "6", "7"]);
}

pub(crate) async fn an_expectation_on_the_stream_holds_once(bus: SharedBus) {
    let (stream, subject) = (layout().name(StreamId::Journal(2)), layout().journal(2));
    let store =
        |body: &'static str, last| bus.store(message(subject.clone(), body), Expect::LastSequence(last));
    assert_eq!(store("one", 0).await, StoreOutcome::Stored(1));
    assert_eq!(store("one", 0).await, StoreOutcome::Conflict);
    assert_eq!(store("three", 2).await, StoreOutcome::Conflict);
    assert_eq!(store("two", 1).await, StoreOutcome::Stored(2));
    bus.purge_below(&stream, 3).await.unwrap();
    let bounds = bus.bounds(&stream).await.unwrap();
    assert_eq!((bounds.first, bounds.last, bounds.messages), (3, 2, 0));
    assert_eq!(store("three", 0).await, StoreOutcome::Conflict);
    assert_eq!(store("three", 2).await, StoreOutcome::Stored(3));
}

pub(crate) async fn an_expectation_on_the_subject_is_zero_once_it_is_emptied(bus: SharedBus) {
    let (layout, stream) = (layout(), layout().name(StreamId::Events));
    let store = |tenant: &'static str, last| {
        bus.store(message(layout.page(tenant, 1), tenant), Expect::LastOnSubject(last))
    };
    assert_eq!(store("main", 0).await, StoreOutcome::Stored(1));
    assert_eq!(store("other", 0).await, StoreOutcome::Stored(2));
    assert_eq!(store("main", 0).await, StoreOutcome::Conflict);
    assert_eq!(store("main", 1).await, StoreOutcome::Stored(3));
    let last = bus.last_on_subject(&stream, &layout.page("main", 1)).await.unwrap().unwrap();
    assert_eq!((last.sequence, &last.body[..]), (3, b"main".as_slice()));
    assert_eq!(bus.last_on_subject(&stream, &layout.page("main", 3)).await.unwrap(), None);
    bus.purge_below(&stream, 4).await.unwrap();
    assert_eq!(store("main", 3).await, StoreOutcome::Conflict);
    assert_eq!(store("main", 0).await, StoreOutcome::Stored(4));
}

pub(crate) async fn of_many_with_the_same_expectation_one_is_stored(bus: SharedBus) {
    let subject = layout().journal(0);
    let stores = (0..20)
        .map(|number| bus.store(message(subject.clone(), number.to_string()), Expect::LastSequence(0)));
    let outcomes = join_all(stores).await;
    assert_eq!(
        outcomes.iter().filter(|outcome| **outcome == StoreOutcome::Stored(1)).count(),
        1,
        "{outcomes:?}"
    );
    assert_eq!(
        outcomes.iter().filter(|outcome| **outcome == StoreOutcome::Conflict).count(),
        19,
        "{outcomes:?}"
    );
}

pub(crate) async fn what_no_stream_takes_is_refused(bus: SharedBus) {
    let too_short =
        bus.store(message("retail.v1.intake.main.order.submit".to_owned(), "x"), Expect::Anything).await;
    assert!(matches!(too_short, StoreOutcome::Refused(_)), "{too_short:?}");
    let too_large = bus.store(work("o-1", vec![b'x'; 1024 * 1024]), Expect::Anything).await;
    assert!(matches!(too_large, StoreOutcome::Refused(_)), "{too_large:?}");
    assert_eq!(bus.bounds(&layout().name(StreamId::Work)).await.unwrap().messages, 0);
}

pub(crate) async fn headers_and_bytes_come_back_as_they_went(bus: SharedBus) {
    let mut command = message(layout().command("main", "payment", "authorize", 3), [0_u8, 255, b'\n', 7]);
    command.headers = Headers::new().with("Effect-Id", "main:o-1:authorize:1").with("ce-id", "ä-1");
    let sequence = stored(&*bus, command.clone()).await;
    let stream = layout().name(StreamId::Commands(Participant::Payment));
    let found = bus.get(&stream, sequence).await.unwrap().unwrap();
    assert_eq!((found.subject, found.headers, found.body), (command.subject, command.headers, command.body));
    assert_eq!(bus.get(&stream, sequence + 1).await.unwrap(), None);
}

pub(crate) async fn an_entry_of_a_bucket_replaces_the_one_before(bus: SharedBus) {
    let (layout, stream) = (layout(), layout().name(StreamId::Owners));
    let subject = |key: &str| format!("$KV.{}.{key}", layout.bucket(StreamId::Owners));
    for (key, body) in [("o-1", "a"), ("o-2", "b"), ("o-1", "c")] {
        stored(&*bus, message(subject(key), body)).await;
    }
    assert_eq!(bodies(&all(&bus, &stream).await), ["b", "c"]);
    let last = bus.last_on_subject(&stream, &subject("o-1")).await.unwrap().unwrap();
    assert_eq!((last.sequence, &last.body[..]), (3, b"c".as_slice()));
}

pub(crate) async fn the_bucket_of_reference_data_keeps_the_newest_eight_of_each_value(bus: SharedBus) {
    let (layout, stream) = (layout(), layout().name(StreamId::Reference));
    stored(&*bus, message(layout.reference("item.A"), "a")).await;
    for revision in 1..=10 {
        stored(&*bus, message(layout.reference("node.berlin"), revision.to_string())).await;
    }
    assert_eq!(bodies(&all(&bus, &stream).await), ["a", "3", "4", "5", "6", "7", "8", "9", "10"]);
    let last = bus.last_on_subject(&stream, &layout.reference("node.berlin")).await.unwrap().unwrap();
    assert_eq!((last.sequence, &last.body[..]), (11, b"10".as_slice()));
}

fn snapshots(keys: std::ops::Range<usize>, body: &str) -> Vec<Outgoing> {
    let subject = |key: usize| layout().snapshot(1, format!("7.main.order.o-{key}"));
    keys.map(|key| message(subject(key), body)).collect()
}

pub(crate) async fn a_batch_is_stored_whole_or_not_at_all(bus: SharedBus) {
    let stream = layout().name(StreamId::Snapshots);
    let first = bus.store_batch(snapshots(0..3, "a"), Expect::LastOnSubject(0)).await;
    assert_eq!(first, StoreOutcome::Stored(1), "the sequence of the first of three");
    let late = bus.store_batch(snapshots(0..3, "b"), Expect::LastOnSubject(0)).await;
    assert_eq!(late, StoreOutcome::Conflict);
    assert_eq!(bodies(&all(&bus, &stream).await), ["a", "a", "a"]);
    assert_eq!(
        bus.store_batch(snapshots(0..2, "c"), Expect::LastOnSubject(1)).await,
        StoreOutcome::Stored(4)
    );
    assert_eq!(bodies(&all(&bus, &stream).await), ["a", "a", "a", "c", "c"]);
    assert_eq!(bus.store_batch(snapshots(5..6, "d"), Expect::Anything).await, StoreOutcome::Stored(6));
    let journal = vec![message(layout().journal(1), "x"), message(layout().journal(1), "y")];
    let refused = bus.store_batch(journal, Expect::Anything).await;
    assert!(matches!(refused, StoreOutcome::Refused(_)), "the journal takes no batches: {refused:?}");
}

pub(crate) async fn a_batch_of_the_largest_size_is_taken_and_a_larger_one_is_not(bus: SharedBus) {
    let stream = layout().name(StreamId::Snapshots);
    let most = bus::ports::MOST_IN_BATCH;
    let larger = bus.store_batch(snapshots(0..most + 1, "a"), Expect::Anything).await;
    assert!(matches!(larger, StoreOutcome::Refused(_)), "{larger:?}");
    assert_eq!(bus.bounds(&stream).await.unwrap().messages, 0);
    assert_eq!(bus.store_batch(snapshots(0..most, "b"), Expect::Anything).await, StoreOutcome::Stored(1));
    assert_eq!(bus.bounds(&stream).await.unwrap().messages, most as u64);
}

pub(crate) async fn a_marked_batch_is_stored_or_deposed(bus: SharedBus) {
    let stream = layout().name(StreamId::Snapshots);
    let marked = |marker: &'static str, known| {
        let (bus, stream) = (bus.clone(), stream.clone());
        async move {
            let mut batch = vec![message(layout().snapshot(1, "marker"), marker)];
            batch.extend(snapshots(0..2, marker));
            store_marked(&*bus, &stream, batch, known).await
        }
    };
    assert_eq!(marked("one", 0).await, Marked::Stored(1));
    assert_eq!(marked("two", 1).await, Marked::Stored(4));
    // The same batch again, as after a lost answer, and that of somebody who was deposed.
    assert_eq!(marked("two", 1).await, Marked::Stored(4));
    assert_eq!(marked("zwei", 1).await, Marked::Deposed);
    assert_eq!(bodies(&all(&bus, &stream).await), ["one", "one", "one", "two", "two", "two"]);
}

pub(crate) async fn a_purge_by_filter_takes_only_what_fits_and_stands_before(bus: SharedBus) {
    let stream = layout().name(StreamId::Dlq);
    let on = |domain: &str, reason: &str| layout().dead_letter("main", domain, reason, 1);
    for (domain, reason) in [("a", "x"), ("b", "x"), ("a", "y"), ("a", "x"), ("b", "x")] {
        let message = Outgoing { subject: on(domain, reason), headers: Headers::new(), body: "m".into() };
        assert!(matches!(bus.store(message, Expect::Anything).await, StoreOutcome::Stored(_)));
    }
    bus.purge_filtered(&stream, &on("a", "*"), 4).await.unwrap();
    let mut left = Vec::new();
    for sequence in 1..=5 {
        left.push(bus.get(&stream, sequence).await.unwrap().map(|stored| stored.subject));
    }
    assert_eq!(left, [None, Some(on("b", "x")), None, Some(on("a", "x")), Some(on("b", "x"))]);
    bus.purge_filtered(&stream, &on("b", "x"), u64::MAX).await.unwrap();
    assert!(bus.last_on_subject(&stream, &on("b", "x")).await.unwrap().is_none());
    let bounds = bus.bounds(&stream).await.unwrap();
    assert_eq!((bounds.first, bounds.last, bounds.messages), (4, 5, 1));
}

pub(crate) async fn an_append_is_stored_or_fenced(bus: SharedBus) {
    let (stream, subject) = (layout().name(StreamId::Journal(1)), layout().journal(1));
    let append = |body: &'static str, last| {
        append_until_definite(&*bus, &stream, message(subject.clone(), body), last)
    };
    assert_eq!(append("one", 0).await, Appended::Stored(1));
    assert_eq!(append("two", 1).await, Appended::Stored(2));
    // The same record again, as after a lost answer, and another owner's.
    assert_eq!(append("two", 1).await, Appended::Stored(2));
    assert_eq!(append("zwei", 1).await, Appended::Fenced);
    assert_eq!(bodies(&all(&bus, &stream).await), ["one", "two"]);
}
