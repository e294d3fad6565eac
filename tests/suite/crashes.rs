//! Processes end in the middle of work, on a real nats-server, and every order still ends exactly right.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bus::layout::StreamId;
use bus::ports::SharedBus;
use domain::decider::Participant;
use domain::messages::body::Format;
use loadtest::chance::Dice;
use loadtest::contract::Naming;
use loadtest::demo::{Progress, Report, RunError, RunOptions};
use loadtest::simulators::{Profile, Profiles};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::product::Serve;
use crate::together::TogetherBus;
use crate::until::until;
use crate::world::World;

/// Orders under way at most: so few that slow restarts on a busy machine leave orders for the kills that come after them.
const UNDER_WAY: usize = 120;

/// Until the next wave of events on a machine that is busy otherwise.
const PROGRESS_WITHIN: Duration = Duration::from_mins(2);

/// Longer than a client needs to come back to a server that was started again.
const CONNECTED_WITHIN: Duration = Duration::from_secs(30);

/// The whole run, recoveries included.
const ENDED_WITHIN: Duration = Duration::from_secs(400);

/// Shops, participants and the auditor, at work beside the server.
pub(crate) struct Load {
    seed: u64,
    ended: Arc<AtomicU64>,
    report: JoinHandle<Result<Report, RunError>>,
}

impl Load {
    fn start(world: &World, seed: u64, orders: u64, rate: u32) -> Self {
        let options = RunOptions {
            rate: Some(rate),
            in_flight: UNDER_WAY,
            profiles: profiles(seed, world.layout.partitions),
            ..RunOptions::new(orders, seed, "crash")
        };
        Self::start_with(world, options)
    }

    /// The same with options of its own.
    pub(crate) fn start_with(world: &World, options: RunOptions) -> Self {
        let seed = options.seed;
        let ended = Arc::new(AtomicU64::new(0));
        let counter = ended.clone();
        let bus: SharedBus = Arc::new(TogetherBus::new(world.bus.clone(), seed));
        let report = tokio::task::spawn_local(async move {
            loadtest::demo::run(options, bus, Naming::default(), move |progress: Progress| {
                counter.store(progress.orders.submitted - progress.orders.open, Ordering::Relaxed);
            })
            .await
        });
        Self { seed, ended, report }
    }

    /// Waits until `more` further orders have ended.
    pub(crate) async fn until_more_ended(&mut self, more: u64) {
        let wanted = self.ended.load(Ordering::Relaxed) + more;
        until(PROGRESS_WITHIN, "more orders end", || async {
            (self.report.is_finished() || self.ended.load(Ordering::Relaxed) >= wanted).then_some(())
        })
        .await;
        if self.report.is_finished() {
            let report = (&mut self.report).await;
            panic!("the orders ended before the test did: make it larger, or see what is wrong: {report:#?}");
        }
    }

    /// Waits for the end. What is not clean is shown as `serve` sees it, with its whole timeline.
    pub(crate) async fn end_clean(self, serve: &Serve) -> Report {
        let report = tokio::time::timeout(ENDED_WITHIN, self.report).await;
        let report = report.unwrap_or_else(|_| panic!("not all orders ended"));
        let report = report.expect("the load does not panic").expect("the load reads on through any trouble");
        let verdict = &report.verdict;
        for order in verdict.violations.iter().filter_map(|told| told.split(": ").nth(1)).take(3) {
            println!("{}", serve.get(&format!("/api/v1/orders/{order}")).await.body);
            println!("{}", serve.get(&format!("/api/v1/orders/{order}/timeline")).await.body);
        }
        assert!(verdict.clean, "DOORBUSTER_SEED={}: {:#?}", self.seed, verdict.violations);
        assert_eq!(report.orders.open, 0, "DOORBUSTER_SEED={}", self.seed);
        report
    }
}

pub(crate) fn seed() -> u64 {
    let seed = match std::env::var("DOORBUSTER_SEED") {
        Ok(text) => text.parse().expect("DOORBUSTER_SEED is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs()),
    };
    println!("DOORBUSTER_SEED={seed}");
    seed
}

/// Some answer in batches, some in `MessagePack`, by seed.
fn profiles(seed: u64, partitions: u16) -> Profiles {
    let mut dice = Dice::new(seed, &["answers"]);
    let mut profile = || Profile {
        batches: *dice.pick(&[None, Some(1), Some(partitions)]),
        format: *dice.pick(&[Format::Json, Format::MessagePack]),
        ..Profile::NOISY
    };
    Profiles {
        loyalty: profile(),
        payment: profile(),
        allocation: profile(),
        fulfillment: profile(),
        erp: profile(),
    }
}

/// A configuration in which all that happens rarely happens often: some participants take batches, some `MessagePack`, by seed,
/// and orders leave memory while work is under way. The folder must live as long as `serve`.
fn hasty(seed: u64) -> (TempDir, String) {
    let mut dice = Dice::new(seed, &["commands"]);
    let mut text = String::from(
        "[node]\npack_after_ms = 50\nsnapshot_slack = 100\npurge_interval_ms = 1000\nposition_interval_ms = 200\n",
    );
    for (section, values) in
        [("command_batches", ["true", "false"]), ("command_formats", ["\"json\"", "\"msgpack\""])]
    {
        text.extend(["[node.", section, "]\n"]);
        for participant in Participant::ALL {
            text.extend([participant.as_str(), " = ", *dice.pick(&values), "\n"]);
        }
    }
    let folder = tempfile::tempdir().expect("a folder for a file");
    let file = folder.path().join("hasty.toml");
    std::fs::write(&file, text).expect("a small file can be written");
    let path = file.to_str().expect("the path is text").to_owned();
    (folder, path)
}

/// Takes snapshots away, as somebody may at any time: all, the older ones, one partition's, or only an index.
async fn lose_snapshots(world: &World, number: &mut impl FnMut(u64) -> u64) {
    // invariant: snapshot-is-only-a-shortcut
    let stream = world.layout.name(StreamId::Snapshots);
    // Our own client may still be on its way back to the server.
    let bounds = until(CONNECTED_WITHIN, "the end of the snapshots", || async {
        world.bus.bounds(&stream).await.ok()
    })
    .await;
    let partition = u16::try_from(number(u64::from(world.layout.partitions))).expect("a partition");
    let behind = bounds.last + 1;
    let (filter, below) = match number(6) {
        0 => (format!("{}.v1.snap.>", world.layout.root), behind),
        1 => (format!("{}.v1.snap.>", world.layout.root), bounds.first + number(behind - bounds.first + 1)),
        2 => (world.layout.snapshot(partition, ">"), behind),
        3 => (world.layout.snapshot(partition, "index.>"), behind),
        _ => return,
    };
    until(CONNECTED_WITHIN, "snapshots are purged", || async {
        world.bus.purge_filtered(&stream, &filter, below).await.ok()
    })
    .await;
}

/// Numbers that look random and come from the seed.
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

#[actix::test]
async fn serve_killed_twenty_times_under_load_loses_and_repeats_nothing() {
    // invariant: applied-once
    // invariant: command-has-a-cause
    // invariant: ledger-bounds
    let world = World::set_up().await;
    let seed = seed();
    let (_folder, file) = hasty(seed);
    let mut serve = Serve::started(&world.url, &["-c", &file]).await;
    let mut load = Load::start(&world, seed, 3_000, 75);
    let mut number = numbers(load.seed);
    for kill in 0..20 {
        load.until_more_ended(1 + number(40)).await;
        serve.kill_9().await;
        lose_snapshots(&world, &mut number).await;
        serve.start();
        if kill % 5 == 4 {
            // Once more while it may still be starting or recovering.
            serve.kill_9().await;
            serve.start();
        }
        serve.until_ready().await;
    }
    load.end_clean(&serve).await;
    assert_eq!(serve.end("TERM").await, Some(0));
}

#[actix::test]
async fn nats_server_killed_ten_times_under_load_loses_and_repeats_nothing() {
    // Replies, commands and notices are written after their ack here, so each kill takes the last of them.
    let mut world = World::set_up().await;
    let seed = seed();
    let (_folder, file) = hasty(seed);
    let mut serve = Serve::started(&world.url, &["-c", &file]).await;
    let mut load = Load::start(&world, seed, 1_500, 100);
    let mut number = numbers(load.seed);
    for _ in 0..10 {
        load.until_more_ended(10 + number(50)).await;
        world.nats.kill_9().expect("our own child can be killed");
        let port = serve.port;
        until(Duration::from_secs(30), "503 without NATS", || async {
            crate::http::get(port, "/readyz", &[]).await.filter(|answer| answer.status == 503)
        })
        .await;
        assert!(serve.is_running(), "serve waits for NATS");
        world.nats.restart().await.expect("it starts again on its own store");
        serve.until_ready().await;
        // Under the hands of who has written them.
        lose_snapshots(&world, &mut number).await;
    }
    load.end_clean(&serve).await;
    let metrics = serve.get("/metrics").await.body;
    let losses =
        |name: &str| metrics.lines().filter(|line| line.contains(name)).collect::<Vec<_>>().join("\n");
    assert!(!losses("lost_inputs").is_empty(), "losses are counted");
    println!("{}\n{}", losses("lost_inputs"), losses("missing_inputs"));
}

#[actix::test]
async fn sigterm_drains_and_the_next_start_goes_on() {
    let world = World::set_up().await;
    let seed = seed();
    let (_folder, file) = hasty(seed);
    let mut serve = Serve::started(&world.url, &["-c", &file]).await;
    let mut load = Load::start(&world, seed, 600, 150);
    for signal in ["TERM", "INT"] {
        load.until_more_ended(100).await;
        assert_eq!(serve.end(signal).await, Some(0), "SIG{signal}");
        serve.start();
        serve.until_ready().await;
    }
    load.end_clean(&serve).await;
}
