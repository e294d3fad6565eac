//! The whole way on the broker in memory: orders from submit to completed, and a start from their journal.

use std::time::{Duration, Instant};

use bus::layout::StreamId;
use criterion::{Criterion, SamplingMode, Throughput};
use doorbuster::composition;

use crate::recorded::{memory, node, play};

const ORDERS: u64 = 500;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("way");
    group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(ORDERS));
    group.bench_function("submit to completed", |bencher| {
        bencher.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                let (bus, layout) = memory();
                composition::block_on(async {
                    let node = node(&bus, &layout).await;
                    let started = Instant::now();
                    play(&bus, &layout, ORDERS).await;
                    spent += started.elapsed();
                    node.drain().await;
                });
            }
            spent
        });
    });
    group.bench_function("recovery from the journal alone", |bencher| {
        let (bus, layout) = memory();
        composition::block_on(async {
            let node = node(&bus, &layout).await;
            play(&bus, &layout, ORDERS).await;
            node.drain().await;
        });
        bencher.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                composition::block_on(async {
                    let snapshots = layout.name(StreamId::Snapshots);
                    let last = bus.bounds(&snapshots).await.expect("a broker in memory is always there").last;
                    let purged = bus.purge_below(&snapshots, last + 1).await;
                    purged.expect("a broker in memory is always there");
                    let started = Instant::now();
                    let node = node(&bus, &layout).await;
                    spent += started.elapsed();
                    node.drain().await;
                });
            }
            spent
        });
    });
    group.finish();
}
