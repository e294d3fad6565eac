//! One run: a broker in memory that outlives the node, several lives of the node, shops and participants beside it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use actix::System;
use actors::clock::RuntimeClock;
use actors::node::{self, Placement};
use bus::faulty::{FaultPlan, Faults, FaultyBus};
use bus::layout::{Layout, StreamId};
use bus::memory::MemoryBus;
use bus::ports::{Expect, Outgoing, SharedBus};
use bytes::Bytes;
use domain::envelope::Headers;
use domain::time::Timestamp;
use doorbuster::config::Config;
use doorbuster::product::Kinds;
use doorbuster::{composition, product};
use loadtest::contract::Naming;
use loadtest::demo::{Report, RunOptions};
use tokio::time::Instant;

use super::letters::letters;
use super::ways::{PARTITIONS, Ways};
use crate::together::{Sent, TogetherBus};
use crate::world::everything;

/// 2026-11-27T08:00:00Z, the hour of the promotion.
const BEGIN: Timestamp = Timestamp(1_795_766_400_000);

/// No run may take longer, simulated.
const BOUND: Duration = Duration::from_hours(1);

/// Starts the `ce-id` of what nobody can read.
pub(super) const NONSENSE: &str = "nonsense-";

/// One life of the node.
pub(super) struct Life {
    plan: FaultPlan,
    ends: Ends,
}

enum Ends {
    /// It lives until all orders have ended.
    Never,
    /// It dies at the crash of its plan.
    AtCrash,
    /// It dies at the crash of its plan, at the latest after this time.
    After(Duration),
}

impl Life {
    pub(super) const fn to_the_end(plan: FaultPlan) -> Self {
        Self { plan, ends: Ends::Never }
    }

    pub(super) const fn until_crash(plan: FaultPlan) -> Self {
        Self { plan, ends: Ends::AtCrash }
    }

    pub(super) const fn killed_after(plan: FaultPlan, longest: Duration) -> Self {
        Self { plan, ends: Ends::After(longest) }
    }
}

/// What a run was.
pub(super) struct Played {
    pub(super) report: Report,
    /// Over every record of every partition: equal if and only if everything happened in the same way.
    pub(super) journal_hash: u64,
    pub(super) crashes: usize,
    /// What the last life said of itself at its end.
    pub(super) status: String,
    /// What shops and participants sent in batches.
    pub(super) sent: Sent,
    /// How many dead letters each message has.
    pub(super) letters: BTreeMap<String, u64>,
    /// What was told of the entities that the first violations name; empty if there are none.
    pub(super) told: Vec<String>,
    /// Those of the last life.
    pub(super) faults: Faults,
    pub(super) simulated: Duration,
}

/// Runs `orders` orders through `lives`; the last one must live to the end. Lives that come after the end of all orders are
/// not lived.
pub(super) fn play(seed: u64, orders: u64, lives: Vec<Life>) -> Played {
    play_for(seed, |options| RunOptions { in_flight: 50, ..options }, orders, lives)
}

/// The same with options of the run.
pub(super) fn play_for(
    seed: u64,
    options: impl FnOnce(RunOptions) -> RunOptions,
    orders: u64,
    lives: Vec<Life>,
) -> Played {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().expect("a runtime without I/O needs nothing")
    };
    System::with_tokio_rt(runtime).block_on(async move {
        let played = tokio::time::timeout(BOUND, run(seed, options, orders, lives)).await;
        let bound = BOUND.as_secs();
        played.unwrap_or_else(|_| panic!("DOORBUSTER_SEED={seed}: not ended after {bound} simulated seconds"))
    })
}

async fn run(
    seed: u64,
    options: impl FnOnce(RunOptions) -> RunOptions,
    orders: u64,
    lives: Vec<Life>,
) -> Played {
    let begin = Instant::now();
    let layout = Layout::new("retail", PARTITIONS, 1);
    let clock = Arc::new(RuntimeClock::starting_at(BEGIN));
    let broker_clock =
        move || BEGIN.0 * 1_000_000 + i64::try_from(begin.elapsed().as_nanos()).expect("an hour fits");
    let broker: SharedBus = Arc::new(MemoryBus::new(&layout, Arc::new(broker_clock)));

    let mut ways = Ways::of(seed);
    let together = TogetherBus::new(broker.clone(), seed);
    let shops: SharedBus = Arc::new(together.clone());
    let options = options(RunOptions {
        profiles: ways.profiles(),
        format: ways.shop_format,
        batch_partitions: ways.shop_batches,
        ..RunOptions::new(orders, seed, "sim")
    });
    let mut load = actix::spawn(loadtest::demo::run(options, shops, Naming::default(), |_| ()));
    send_nonsense(&broker).await;

    let mut crashes = 0;
    for (number, life) in lives.into_iter().enumerate() {
        let faulty = FaultyBus::new(broker.clone(), life.plan);
        let config = ways.config(format!("life-{number}"));
        let bus: SharedBus = Arc::new(faulty.clone());
        let policies = product::policies(&Config::default());
        // Whoever dies forgets what it has watched, and reads it again.
        let mut watcher = composition::watcher(&policies, broker.clone(), layout.clone());
        watcher.read_all(|reason| panic!("{reason}")).await;
        let watching = actix::spawn(watcher.watch());
        let node =
            node::start::<Kinds>(config, policies, bus, layout.clone(), clock.clone(), Placement::Here);
        let longest = match life.ends {
            Ends::Never => BOUND,
            Ends::AtCrash => Duration::from_mins(10),
            Ends::After(longest) => longest,
        };
        tokio::select! {
            biased;
            () = faulty.crashed() => crashes += 1,
            report = &mut load => {
                let status = format!("{:?}", node.status());
                node.drain().await;
                watching.abort();
                let report = report.expect("the load does not panic").expect("the memory bus is always there");
                return Played {
                    status,
                    told: told_of(&broker, &layout, &report).await,
                    sent: together.sent(),
                    letters: letters(&broker, &layout).await,
                    report,
                    journal_hash: journal_hash(&broker, &layout).await,
                    crashes,
                    faults: faulty.faults(),
                    simulated: begin.elapsed(),
                };
            }
            () = tokio::time::sleep(longest) => {
                faulty.crash_now();
                crashes += 1;
            }
        }
        watching.abort();
        ways.lose_snapshots(&broker, &layout).await;
    }
    panic!("DOORBUSTER_SEED={seed}: the last life ended before the orders did");
}

/// Every event about the entities that the first violations name, oldest first in each partition.
async fn told_of(broker: &SharedBus, layout: &Layout, report: &Report) -> Vec<String> {
    let violations = report.verdict.violations.iter().take(2);
    let words = violations.filter_map(|told| told.split([' ', ':']).find(|word| word.starts_with("sim-")));
    let names: Vec<String> =
        words.map(|word| word.split('~').next().unwrap_or_default().to_owned()).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let mut told = Vec::new();
    for stored in everything(broker, &layout.name(StreamId::Events)).await {
        let page: serde_json::Value = serde_json::from_slice(&stored.body).expect("a page is JSON");
        let events = page["events"].as_array().expect("a page has events").iter();
        let lines = events
            .map(|event| format!("{} {} {} {}", event["time"], event["key"], event["type"], event["data"]));
        let is_named = |line: &String| {
            names.iter().any(|name| {
                let ends = ['"', '~', ':'].map(|end| format!("{name}{end}"));
                ends.iter().any(|end| line.contains(end))
            })
        };
        told.extend(lines.filter(is_named));
    }
    told
}

/// A batch of which each item is wrong in its own way.
const BATCH: &[u8] = br#"[{"domain":"shipment","name":"departed","key":"nonsense-1","headers":{},"body":{}},
    {"domain":"payment","name":"captured","key":"nonsense-2","headers":{},"body":{}}, 7,
    {"domain":"shipment","name":"batch","key":"nonsense-3","headers":{},"body":[]}]"#;

/// Messages that nobody can read, so that there are dead letters to crash at.
async fn send_nonsense(broker: &SharedBus) {
    for number in 0..30 {
        let subject = format!("retail.v1.fact.main.shipment.departed.nonsense-{number}");
        let headers =
            Headers::new().with("ce-id", format!("{NONSENSE}{number}")).with("ce-source", "/nowhere");
        broker.store(Outgoing { subject, headers, body: Bytes::from_static(b"{") }, Expect::Anything).await;
    }
    for _ in 0..2 {
        let subject = "retail.v1.fact.main.shipment.batch.nonsense".to_owned();
        let headers = Headers::new().with("ce-id", "nonsense-batch").with("ce-source", "/nowhere");
        broker.store(Outgoing { subject, headers, body: Bytes::from_static(BATCH) }, Expect::Anything).await;
    }
}

async fn journal_hash(broker: &SharedBus, layout: &Layout) -> u64 {
    let mut hasher = DefaultHasher::new();
    for partition in 0..layout.partitions {
        for record in everything(broker, &layout.name(StreamId::Journal(partition))).await {
            hasher.write(&record.body);
        }
    }
    hasher.finish()
}
