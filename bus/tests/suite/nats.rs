//! The contract on a real nats-server, and what only a real one can be asked: kills, restarts, set-up.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bus::append::{Appended, append_until_definite};
use bus::layout::{Bounds, Layout, StreamId};
use bus::nats::{
    NatsBus, NatsOptions, NatsProcess, OLDEST_SERVER, ProcessOptions, Remedy, Setup, SetupError,
};
use bus::ports::{Bus, Expect, Position, SharedBus, StoreOutcome};
use tokio::time::{Instant, sleep};

use crate::contract::{PATIENCE, all, bodies, layout, message, read, reply, stored, work};

async fn server(jetstream: &str) -> NatsProcess {
    let options = ProcessOptions { jetstream: jetstream.to_owned(), ..ProcessOptions::default() };
    NatsProcess::start(options).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn connected(server: &NatsProcess) -> NatsBus {
    let options = NatsOptions { request_patience: Duration::from_secs(3), ..NatsOptions::new(server.url()) };
    NatsBus::connect(&options).await.unwrap()
}

async fn set_up(server: &NatsProcess) -> NatsBus {
    let bus = connected(server).await;
    Setup::new(&bus).apply(&layout()).await.unwrap();
    bus
}

async fn real() -> (SharedBus, NatsProcess) {
    let server = server("").await;
    let bus = set_up(&server).await;
    (Arc::new(bus), server)
}

crate::contract::whole_contract!(real);

/// Waits until `condition` holds; fails after the suite's patience.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_an_empty_server_when_set_up_twice_then_the_second_time_nothing_differs() {
    let server = server("").await;
    let bus = connected(&server).await;
    assert!(bus.version() >= OLDEST_SERVER);
    let setup = Setup::new(&bus);
    let layout = Layout::default();
    assert_eq!(setup.discover("retail").await.unwrap(), None);
    let missing = setup.plan(&layout).await.unwrap();
    assert_eq!(missing.len(), layout.streams().len());
    assert!(missing.iter().all(|difference| difference.remedy == Remedy::Create));
    assert_eq!(setup.apply(&layout).await.unwrap(), missing);
    assert_eq!(setup.plan(&layout).await.unwrap(), []);
    assert_eq!(setup.apply(&layout).await.unwrap(), []);
    assert_eq!(setup.discover("retail").await.unwrap(), Some(layout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_set_up_server_when_the_layout_changes_then_bounds_follow_and_partitions_are_refused() {
    let (server, layout) = (server("").await, Layout::new("retail", 2, 1));
    let bus = connected(&server).await;
    let setup = Setup::new(&bus);
    setup.apply(&layout).await.unwrap();
    let smaller = layout.clone().with_bounds(StreamId::Intake, Bounds::messages(10));
    let changed = setup.apply(&smaller).await.unwrap();
    assert!(!changed.is_empty() && changed.iter().all(|difference| difference.remedy == Remedy::Change));
    assert_eq!(setup.plan(&smaller).await.unwrap(), []);
    let Err(SetupError::Unchangeable(refused)) = setup.apply(&Layout::new("retail", 4, 1)).await else {
        panic!("expected the number of partitions to be refused");
    };
    assert_eq!(refused.len(), 4, "one for each inbound stream");
    assert!(refused[0].to_string().contains("partitions"), "{}", refused[0]);
    assert_eq!(setup.plan(&smaller).await.unwrap(), [], "nothing was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_set_up_server_when_its_buckets_are_used_then_they_are_buckets() {
    let server = server("").await;
    let context = async_nats::jetstream::new(set_up(&server).await.client());
    for bucket in [StreamId::Owners, StreamId::Reference] {
        let store = context.get_key_value(layout().bucket(bucket)).await.unwrap();
        store.create("node.n1", "first".into()).await.unwrap();
        store.put("node.n1", "second".into()).await.unwrap();
        assert_eq!(store.get("node.n1").await.unwrap().as_deref(), Some(b"second".as_slice()));
        store.purge("node.n1").await.unwrap();
        assert_eq!(store.get("node.n1").await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_every_plane_when_the_server_is_asked_by_subject_then_each_has_a_stream() {
    let (bus, server) = real().await;
    let client = connected(&server).await.client();
    for plane in ["intake", "ask", "fact", "reply", "bulk", "cmd", "evt", "dlq", "audit"] {
        let question = format!(r#"{{"subject":"retail.v1.{plane}.>"}}"#);
        let answer = client.request("$JS.API.STREAM.NAMES", question.into()).await.unwrap();
        let answer = String::from_utf8_lossy(&answer.payload).into_owned();
        assert!(answer.contains("RETAIL_"), "{plane}: {answer}");
    }
    assert!(bus.connected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_server_killed_again_and_again_when_storing_and_reading_then_each_record_comes_once_in_order()
{
    let mut server = server("").await;
    let bus: SharedBus = Arc::new(set_up(&server).await);
    let (stream, subject) = (layout().name(StreamId::Journal(0)), layout().journal(0));
    let (done, appended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let written = Arc::new(AtomicBool::new(false));

    let writing = tokio::spawn({
        let (bus, stream, done, appended) = (bus.clone(), stream.clone(), done.clone(), appended.clone());
        async move {
            let mut last = 0;
            while !done.load(Ordering::Relaxed) {
                let record = message(subject.clone(), format!("r{last}"));
                assert_eq!(
                    append_until_definite(&*bus, &stream, record, last).await,
                    Appended::Stored(last + 1)
                );
                last += 1;
                appended.store(last, Ordering::Relaxed);
            }
            last
        }
    });
    let reading = tokio::spawn({
        let (bus, stream) = (bus.clone(), stream.clone());
        let (written, appended) = (written.clone(), appended.clone());
        async move {
            let mut reader = bus.open(&stream, None, Position::default()).await.unwrap();
            let mut seen = 0;
            while !written.load(Ordering::Acquire) || seen < appended.load(Ordering::Relaxed) {
                for stored in reader.next(100, Duration::from_millis(200)).await.unwrap() {
                    assert_eq!(
                        (stored.sequence, &stored.body[..]),
                        (seen + 1, format!("r{seen}").as_bytes())
                    );
                    seen += 1;
                }
            }
            (seen, reader.healed().lost)
        }
    });
    for _ in 0..3 {
        let before = appended.load(Ordering::Relaxed);
        until("a hundred records more are stored", || appended.load(Ordering::Relaxed) > before + 100).await;
        server.kill_9().unwrap();
        server.restart().await.unwrap();
    }
    let before = appended.load(Ordering::Relaxed);
    until("records are stored again", || appended.load(Ordering::Relaxed) > before + 10).await;
    done.store(true, Ordering::Relaxed);
    let last = writing.await.unwrap();
    written.store(true, Ordering::Release);
    assert_eq!(tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap(), (last, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_server_that_is_away_when_sending_and_storing_then_nothing_waits_and_it_heals_by_itself() {
    let mut server = server("").await;
    let bus = set_up(&server).await;
    let mut reader = bus.open(&layout().name(StreamId::Work), None, Position::default()).await.unwrap();
    server.kill_9().unwrap();
    // To no stream, because what goes out before the loss is noticed may arrive after the restart.
    until("sends are dropped", || !bus.send(message("probe".to_owned(), "?"))).await;
    assert!(bus.dropped() > 0 && !bus.connected());
    assert!(matches!(bus.store(work("o-1", "x"), Expect::Anything).await, StoreOutcome::Unknown(_)));
    assert_eq!(reader.next(1, Duration::from_millis(50)).await.unwrap(), []);
    server.restart().await.unwrap();
    until("the connection is back", || bus.connected()).await;
    stored(&bus, work("o-1", "back")).await;
    assert_eq!(bodies(&read(&mut *reader, 1).await), ["back"]);
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_stream_that_lost_its_end_when_new_messages_take_the_sequences_then_an_open_reader_gets_all_of_them()
 {
    let folder = tempfile::tempdir().unwrap();
    let (store, copy) = (folder.path().join("store"), folder.path().join("copy"));
    let options = ProcessOptions { store: Some(store.clone()), ..ProcessOptions::default() };
    let mut server = NatsProcess::start(options).await.unwrap();
    let bus: SharedBus = Arc::new(set_up(&server).await);
    let stream = layout().name(StreamId::Replies);
    let mut reader = bus.open(&stream, None, Position::default()).await.unwrap();
    let store_many = async |what: &str, count: u32| {
        for number in 0..count {
            stored(&*bus, reply("o-1", format!("{what} {number}"))).await;
        }
    };

    store_many("kept", 30).await;
    server.stop().await.unwrap();
    copy_folder(&store, &copy);
    server.restart().await.unwrap();
    until("the connection is back", || bus.connected()).await;
    store_many("lost", 20).await;
    assert_eq!(read(&mut *reader, 50).await.len(), 50);
    // What a killed server does to a stream that writes after its ack, made certain: its files go back in time.
    server.kill_9().unwrap();
    fs::remove_dir_all(&store).unwrap();
    fs::rename(&copy, &store).unwrap();
    server.restart().await.unwrap();
    until("the connection is back", || bus.connected()).await;
    assert_eq!(bus.bounds(&stream).await.unwrap().last, 30);
    store_many("new", 40).await;

    let new = read(&mut *reader, 40).await;
    assert_eq!(bodies(&new), (0..40).map(|number| format!("new {number}")).collect::<Vec<_>>());
    assert_eq!((new[0].sequence, reader.healed().lost), (31, 20));
    assert_eq!(reader.next(1, Duration::from_millis(50)).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_fsync_on_every_write_when_many_store_at_once_then_all_are_there() {
    let server = server("sync_interval: always").await;
    let bus: SharedBus = Arc::new(set_up(&server).await);
    let stores = (0..500).map(|number| {
        let bus = bus.clone();
        async move { stored(&*bus, work("o-1", number.to_string())).await }
    });
    let mut sequences = futures_util::future::join_all(stores).await;
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=500).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn given_a_server_that_is_asked_to_stop_when_it_has_then_it_is_gone_and_can_come_back() {
    let (bus, mut server) = real().await;
    stored(&*bus, work("o-1", "kept")).await;
    server.stop().await.unwrap();
    assert!(!server.is_running());
    server.restart().await.unwrap();
    until("the connection is back", || bus.connected()).await;
    assert_eq!(bodies(&all(&bus, &layout().name(StreamId::Work)).await), ["kept"]);
}
