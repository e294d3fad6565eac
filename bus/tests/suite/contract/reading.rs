//! Guarantees 5 and 6: readers from a position, and what they do if the stream is not what it was.

use std::time::Duration;

use bus::layout::StreamId;
use bus::ports::{OpenError, Position, SharedBus};
use domain::ids::Key;

use super::{after, all, bodies, layout, read, reply, stored, work};

fn work_stream() -> String {
    layout().name(StreamId::Work)
}

pub(crate) async fn a_reader_gives_its_partition_in_order_and_once(bus: SharedBus) {
    let mut expected = vec![Vec::new(); 4];
    for number in 0..2_000 {
        let key = Key::new(&format!("o-{}", number % 97)).unwrap();
        expected[usize::from(key.partition(4))].push(number.to_string());
        assert!(bus.send(work(key.as_str(), number.to_string())) || !bus.connected());
    }
    for (partition, expected) in (0_u16..).zip(expected) {
        let filter = layout().inbound_filter(partition);
        let mut reader = bus.open(&work_stream(), Some(&filter), Position::default()).await.unwrap();
        assert_eq!(bodies(&read(&mut *reader, expected.len()).await), expected, "partition {partition}");
        assert_eq!(reader.next(10, Duration::from_millis(50)).await.unwrap(), []);
    }
    let mut everything = bus.open(&work_stream(), None, Position::default()).await.unwrap();
    let numbers: Vec<_> = (0..2_000).map(|number| number.to_string()).collect();
    assert_eq!(bodies(&read(&mut *everything, 2_000).await), numbers);
}

pub(crate) async fn a_reader_starts_after_its_position(bus: SharedBus) {
    for body in ["a", "b", "c", "d"] {
        stored(&*bus, work("o-1", body)).await;
    }
    let mut first = bus.open(&work_stream(), None, Position::default()).await.unwrap();
    let two = read(&mut *first, 2).await;
    assert_eq!(bodies(&two), ["a", "b"]);
    let mut second = bus.open(&work_stream(), None, after(&two[1])).await.unwrap();
    assert_eq!(bodies(&read(&mut *second, 2).await), ["c", "d"]);
    assert_eq!(second.healed().lost, 0);
    // A position without a time, as one that was never read but only reached.
    let reached = Position { sequence: 3, timestamp_ns: 0 };
    let mut third = bus.open(&work_stream(), None, reached).await.unwrap();
    assert_eq!(bodies(&read(&mut *third, 1).await), ["d"]);
}

pub(crate) async fn a_reader_waits_for_what_comes_later(bus: SharedBus) {
    let filter = layout().inbound_filter(Key::new("o-1").unwrap().partition(4));
    let mut reader = bus.open(&work_stream(), Some(&filter), Position::default()).await.unwrap();
    let waiting = tokio::spawn(async move { bodies(&read(&mut *reader, 1).await) });
    tokio::task::yield_now().await;
    stored(&*bus, work("o-1", "at last")).await;
    assert_eq!(waiting.await.unwrap(), ["at last"]);
}

pub(crate) async fn a_reader_of_nothing_comes_back_empty(bus: SharedBus) {
    let mut reader = bus.open(&work_stream(), None, Position::default()).await.unwrap();
    assert_eq!(reader.next(10, Duration::from_millis(20)).await.unwrap(), []);
    stored(&*bus, work("o-1", "x")).await;
    assert_eq!(bodies(&read(&mut *reader, 1).await), ["x"]);
}

pub(crate) async fn a_gap_before_the_first_message_is_an_error(bus: SharedBus) {
    for body in ["a", "b", "c", "d"] {
        stored(&*bus, work("o-1", body)).await;
    }
    let first = bus.get(&work_stream(), 1).await.unwrap().unwrap();
    bus.purge_below(&work_stream(), 2).await.unwrap();
    let mut healthy = bus.open(&work_stream(), None, after(&first)).await.unwrap();
    assert_eq!(bodies(&read(&mut *healthy, 3).await), ["b", "c", "d"]);
    bus.purge_below(&work_stream(), 3).await.unwrap();
    let Err(error) = bus.open(&work_stream(), None, after(&first)).await else { panic!("expected a gap") };
    assert_eq!(error, OpenError::Gap { stream: work_stream(), from: 2, to: 3 });
    let mut from_anywhere = bus.open(&work_stream(), None, Position::default()).await.unwrap();
    assert_eq!(bodies(&read(&mut *from_anywhere, 2).await), ["c", "d"]);
}

pub(crate) async fn a_purge_of_everything_is_a_gap_unless_the_position_is_at_the_end(bus: SharedBus) {
    for body in ["a", "b", "c"] {
        stored(&*bus, work("o-1", body)).await;
    }
    let first = bus.get(&work_stream(), 1).await.unwrap().unwrap();
    let last = bus.get(&work_stream(), 3).await.unwrap().unwrap();
    bus.purge_below(&work_stream(), 4).await.unwrap();
    let Err(error) = bus.open(&work_stream(), None, after(&first)).await else { panic!("expected a gap") };
    assert_eq!(error, OpenError::Gap { stream: work_stream(), from: 2, to: 4 });
    let mut reader = bus.open(&work_stream(), None, after(&last)).await.unwrap();
    stored(&*bus, work("o-1", "d")).await;
    assert_eq!(bodies(&read(&mut *reader, 1).await), ["d"]);
    assert_eq!(reader.healed().lost, 0);
}

pub(crate) async fn a_reader_with_a_filter_goes_on_behind_what_others_had_purged(bus: SharedBus) {
    let (own, other) = ("o-1", "o-2");
    let partition = |key| Key::new(key).unwrap().partition(4);
    assert_ne!(partition(own), partition(other));
    let first = stored(&*bus, work(own, "a")).await;
    for body in ["b", "c"] {
        stored(&*bus, work(other, body)).await;
    }
    stored(&*bus, work(own, "d")).await;
    let first = bus.get(&work_stream(), first).await.unwrap().unwrap();
    bus.purge_filtered(&work_stream(), &layout().inbound_filter(partition(other)), 4).await.unwrap();
    bus.purge_below(&work_stream(), 2).await.unwrap();
    assert_eq!(bus.bounds(&work_stream()).await.unwrap().first, 4);
    let filter = layout().inbound_filter(partition(own));
    let mut reader = bus.open(&work_stream(), Some(&filter), after(&first)).await.unwrap();
    assert_eq!(bodies(&read(&mut *reader, 1).await), ["d"]);
    assert_eq!(reader.healed().lost, 0);
}

pub(crate) async fn a_position_beyond_the_end_goes_back(bus: SharedBus) {
    let stream = layout().name(StreamId::Replies);
    for body in ["a", "b"] {
        stored(&*bus, reply("o-1", body)).await;
    }
    // Somebody consumed up to 5, and then the stream lost 3 to 5.
    let messages = all(&bus, &stream).await;
    let position = Position { sequence: 5, timestamp_ns: messages[1].timestamp_ns + 1 };
    let mut reader = bus.open(&stream, None, position).await.unwrap();
    assert_eq!(reader.healed().lost, 3);
    stored(&*bus, reply("o-1", "c")).await;
    assert_eq!(bodies(&read(&mut *reader, 1).await), ["c"]);
}

pub(crate) async fn another_timestamp_at_the_position_goes_back(bus: SharedBus) {
    let stream = layout().name(StreamId::Replies);
    for body in ["a", "b", "c", "d"] {
        stored(&*bus, reply("o-1", body)).await;
    }
    // The consumed message 3 was stored right after message 1; then the end was lost, and 2 to 4 are new.
    let messages = all(&bus, &stream).await;
    let position = Position { sequence: 3, timestamp_ns: messages[0].timestamp_ns + 1 };
    let mut reader = bus.open(&stream, None, position).await.unwrap();
    assert_eq!(bodies(&read(&mut *reader, 3).await), ["b", "c", "d"]);
    assert_eq!(reader.healed().lost, 2);
}

pub(crate) async fn an_unknown_stream_is_named(bus: SharedBus) {
    let Err(error) = bus.open("RETAIL_NOWHERE", None, Position::default()).await else {
        panic!("expected an error")
    };
    assert_eq!(error, OpenError::NoStream("RETAIL_NOWHERE".to_owned()));
}
