//! One run: a broker in memory that outlives the node, several lives of the node, shops and participants beside it.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use actix::System;
use actors::clock::RuntimeClock;
use actors::config::{Batches, Formats, NodeConfig};
use actors::node::{self, Placement};
use bus::faulty::{FaultPlan, Faults, FaultyBus};
use bus::layout::{Layout, StreamId};
use bus::memory::MemoryBus;
use bus::ports::{Expect, Outgoing, Position, SharedBus};
use bytes::Bytes;
use domain::envelope::Headers;
use domain::messages::body::Format;
use domain::order::{Order, Policies};
use domain::time::Timestamp;
use loadtest::contract::Naming;
use loadtest::demo::{Report, RunOptions};
use loadtest::simulators::{Profile, Profiles};
use tokio::time::Instant;

/// 2026-11-27T08:00:00Z, the hour of the promotion.
const BEGIN: Timestamp = Timestamp(1_795_766_400_000);

/// How many partitions there are.
const PARTITIONS: u16 = 2;

/// No run may take longer, simulated.
const BOUND: Duration = Duration::from_hours(1);

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

/// What differs from seed to seed: who takes and sends batches, who speaks MessagePack, which snapshots are gone after a life.
#[derive(Debug, Clone, Copy)]
struct Variety {
    seed: u64,
}

impl Variety {
    /// Yes or no, by the seed; each question has a number of its own.
    const fn says(self, question: u32) -> bool {
        // SplitMix64: neighbours among seeds differ in every bit.
        let mut mixed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> (question % 64)) & 1 == 1
    }

    const fn format(self, question: u32) -> Format {
        if self.says(question) { Format::MessagePack } else { Format::Json }
    }

    const fn batches(self) -> Batches {
        Batches {
            loyalty: self.says(0),
            payment: self.says(1),
            allocation: self.says(2),
            fulfillment: self.says(3),
            erp: self.says(4),
        }
    }

    const fn formats(self) -> Formats {
        Formats {
            loyalty: self.format(5),
            payment: self.format(6),
            allocation: self.format(7),
            fulfillment: self.format(8),
            erp: self.format(9),
        }
    }

    /// A batch that is made for fewer partitions than there are holds items of others.
    const fn batch_partitions(self, question: u32) -> Option<u16> {
        match (self.says(question), self.says(question + 1)) {
            (false, _) => None,
            (true, false) => Some(PARTITIONS),
            (true, true) => Some(1),
        }
    }

    const fn profile(self, question: u32) -> Profile {
        Profile {
            batches: self.batch_partitions(question),
            format: self.format(question + 2),
            ..Profile::NOISY
        }
    }

    const fn profiles(self) -> Profiles {
        Profiles {
            loyalty: self.profile(10),
            payment: self.profile(13),
            allocation: self.profile(16),
            fulfillment: self.profile(19),
            erp: self.profile(22),
        }
    }

    /// Between two lives somebody deletes snapshots: all, those of one partition, or what one half of the subjects hold.
    async fn delete_snapshots(self, life: u32, broker: &SharedBus, layout: &Layout) {
        let stream = layout.name(StreamId::Snapshots);
        let Ok(bounds) = broker.bounds(&stream).await else { return };
        let filter = match (self.says(40 + 2 * life), self.says(41 + 2 * life)) {
            (false, false) => return,
            (false, true) => format!("{}.v1.snap.>", layout.root),
            (true, false) => layout.snapshot(0, ">"),
            (true, true) => layout.snapshot(1, "index.>"),
        };
        let purged = broker.purge_filtered(&stream, &filter, bounds.last + 1).await;
        purged.expect("the memory bus is always there");
    }
}

/// What a run was.
pub(super) struct Played {
    pub(super) report: Report,
    /// Over every record of every partition: equal if and only if everything happened in the same way.
    pub(super) journal_hash: u64,
    pub(super) crashes: usize,
    /// Those of the last life.
    pub(super) faults: Faults,
    pub(super) simulated: Duration,
}

/// Runs `orders` orders through `lives`; the last one must live to the end. Lives that come after the end of all orders are
/// not lived.
pub(super) fn play(seed: u64, orders: u64, lives: Vec<Life>) -> Played {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().expect("a runtime without I/O needs nothing")
    };
    System::with_tokio_rt(runtime).block_on(async move {
        let played = tokio::time::timeout(BOUND, run(seed, orders, lives)).await;
        let bound = BOUND.as_secs();
        played.unwrap_or_else(|_| panic!("DOORBUSTER_SEED={seed}: not ended after {bound} simulated seconds"))
    })
}

async fn run(seed: u64, orders: u64, lives: Vec<Life>) -> Played {
    let begin = Instant::now();
    let layout = Layout::new("retail", PARTITIONS, 1);
    let variety = Variety { seed };
    let clock = Arc::new(RuntimeClock::starting_at(BEGIN));
    let broker_clock =
        move || BEGIN.0 * 1_000_000 + i64::try_from(begin.elapsed().as_nanos()).expect("an hour fits");
    let broker: SharedBus = Arc::new(MemoryBus::new(&layout, Arc::new(broker_clock)));

    let shops = broker.clone();
    let options = RunOptions {
        profiles: variety.profiles(),
        in_flight: 50,
        batch_partitions: variety.batch_partitions(30),
        format: variety.format(32),
        ..RunOptions::new(orders, seed, "sim")
    };
    let mut load = actix::spawn(loadtest::demo::run(options, shops, Naming::default(), |_| ()));
    send_nonsense(&broker).await;

    let mut crashes = 0;
    for (life, number) in lives.into_iter().zip(0_u32..) {
        if number > 0 {
            variety.delete_snapshots(number, &broker, &layout).await;
        }
        let faulty = FaultyBus::new(broker.clone(), life.plan);
        // Orders leave memory and come back all the time, so that every crash finds some on their way.
        let config = NodeConfig {
            instance: format!("life-{number}"),
            pack_after_ms: 20,
            idle_after_ms: 50,
            snapshot_interval_ms: 20,
            checkpoint_age_ms: 500,
            snapshot_slack: 20,
            closed_retention_ms: 60_000,
            purge_interval_ms: 50,
            command_batches: variety.batches(),
            command_formats: variety.formats(),
            ..NodeConfig::default()
        };
        let bus: SharedBus = Arc::new(faulty.clone());
        let policies = Policies::default();
        let node =
            node::start::<Order>(config, policies, bus, layout.clone(), clock.clone(), Placement::Here);
        let longest = match life.ends {
            Ends::Never => BOUND,
            Ends::AtCrash => Duration::from_mins(10),
            Ends::After(longest) => longest,
        };
        tokio::select! {
            biased;
            () = faulty.crashed() => crashes += 1,
            report = &mut load => {
                node.drain().await;
                return Played {
                    report: report.expect("the load does not panic").expect("the memory bus is always there"),
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
    }
    panic!("DOORBUSTER_SEED={seed}: the last life ended before the orders did");
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
            Headers::new().with("ce-id", format!("nonsense-{number}")).with("ce-source", "/nowhere");
        broker.store(Outgoing { subject, headers, body: Bytes::from_static(b"{") }, Expect::Anything).await;
    }
    // Twice, as somebody would who heard no answer.
    for _ in 0..2 {
        let subject = "retail.v1.fact.main.shipment.batch.nonsense".to_owned();
        let headers = Headers::new().with("ce-id", "nonsense-batch").with("ce-source", "/nowhere");
        broker.store(Outgoing { subject, headers, body: Bytes::from_static(BATCH) }, Expect::Anything).await;
    }
}

async fn journal_hash(broker: &SharedBus, layout: &Layout) -> u64 {
    let mut hasher = DefaultHasher::new();
    for partition in 0..layout.partitions {
        let stream = layout.name(StreamId::Journal(partition));
        let last = broker.bounds(&stream).await.expect("the memory bus answers").last;
        let mut reader = broker.open(&stream, None, Position::default()).await.expect("the journal is there");
        let mut sequence = 0;
        while sequence < last {
            for record in reader.next(1_000, Duration::from_secs(1)).await.expect("the memory bus answers") {
                hasher.write(&record.body);
                sequence = record.sequence;
            }
        }
    }
    hasher.finish()
}
