//! The memory adapter: the contract, and the hooks that no real server has.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bus::layout::StreamId;
use bus::memory::MemoryBus;
use bus::ports::{Bus, Expect, Position, SharedBus, StoreOutcome};

use crate::contract::{all, bodies, layout, read, reply, stored, work};

fn memory() -> Ready<(SharedBus, ())> {
    ready((Arc::new(MemoryBus::real_time(&layout())), ()))
}

crate::contract::whole_contract!(memory);

#[tokio::test(start_paused = true)]
async fn given_an_open_reader_when_the_stream_loses_its_end_then_the_sequences_come_again_with_what_is_new() {
    let bus = MemoryBus::real_time(&layout());
    let stream = layout().name(StreamId::Replies);
    for body in ["a", "b", "c", "d"] {
        stored(&bus, reply("o-1", body)).await;
    }
    let filter = layout().inbound_filter(domain::ids::Key::new("o-1").unwrap().partition(4));
    let mut reader = bus.open(&stream, Some(&filter), Position::default()).await.unwrap();
    assert_eq!(bodies(&read(&mut *reader, 4).await), ["a", "b", "c", "d"]);
    assert_eq!(bus.lose_tail(&stream, 2), 2);
    assert_eq!(stored(&bus, reply("o-1", "e")).await, 3);
    let messages = read(&mut *reader, 1).await;
    assert_eq!((messages[0].sequence, bodies(&messages)), (3, vec!["e".to_owned()]));
    assert_eq!(reader.healed().lost, 2);
}

#[tokio::test(start_paused = true)]
async fn given_no_connection_when_storing_and_sending_then_nothing_is_there_and_readers_go_on_afterwards() {
    let bus = MemoryBus::real_time(&layout());
    let shared: SharedBus = Arc::new(bus.clone());
    let stream = layout().name(StreamId::Work);
    let mut reader = bus.open(&stream, None, Position::default()).await.unwrap();
    bus.disconnect();
    assert!(matches!(bus.store(work("o-1", "x"), Expect::Anything).await, StoreOutcome::Unknown(_)));
    assert!(!bus.send(work("o-1", "y")) && !bus.connected());
    assert_eq!(bus.dropped(), 1);
    assert!(bus.bounds(&stream).await.is_err());
    assert_eq!(reader.next(1, Duration::from_secs(1)).await.unwrap(), []);
    bus.reconnect();
    assert_eq!(bodies(&all(&shared, &stream).await), Vec::<String>::new());
    stored(&bus, work("o-1", "z")).await;
    assert_eq!(bodies(&read(&mut *reader, 1).await), ["z"]);
}

#[tokio::test(start_paused = true)]
async fn given_a_clock_that_stands_still_when_storing_then_timestamps_grow_and_old_messages_go_with_its_age()
{
    let now = Arc::new(AtomicI64::new(1_000));
    let clock = now.clone();
    let bus = MemoryBus::new(&layout(), Arc::new(move || clock.load(Ordering::Relaxed)));
    let shared: SharedBus = Arc::new(bus.clone());
    let stream = layout().name(StreamId::Dlq);
    let letter = |body: &'static str| {
        crate::contract::message(layout().dead_letter("main", "order", "schema", 1), body)
    };
    for body in ["a", "b", "c"] {
        stored(&bus, letter(body)).await;
    }
    let stamps: Vec<_> = all(&shared, &stream).await.iter().map(|stored| stored.timestamp_ns).collect();
    assert_eq!(stamps, [1_000, 1_001, 1_002]);
    now.store(i64::try_from(Duration::from_hours(30 * 24).as_nanos()).unwrap() + 1_001, Ordering::Relaxed);
    stored(&bus, letter("d")).await;
    assert_eq!(bodies(&all(&shared, &stream).await), ["c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn given_readers_come_and_go_when_messages_pass_then_each_sees_its_partition_only() {
    let bus = MemoryBus::real_time(&layout());
    let stream = layout().name(StreamId::Work);
    let partition = |key: &str| layout().inbound_filter(domain::ids::Key::new(key).unwrap().partition(4));
    for round in 0..50_u32 {
        let key = format!("o-{round}");
        stored(&bus, work(&key, &key)).await;
        let mut reader = bus.open(&stream, Some(&partition(&key)), Position::default()).await.unwrap();
        let seen = reader.next(1_000, Duration::from_millis(1)).await.unwrap();
        assert_eq!(seen.last().map(|stored| &stored.body[..]), Some(key.as_bytes()));
        bus.purge_below(&stream, u64::from(round / 2)).await.unwrap();
    }
}
