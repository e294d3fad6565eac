//! Bytes in and out: bodies, batches, records.

use std::hint::black_box;

use actors::record::{Entry, Record, RecordHead, decode, encode, encode_entry};
use bus::packing::{Packable, pack};
use bus::ports::Outgoing;
use criterion::{Criterion, Throughput};
use domain::decider::Decider;
use domain::envelope::Envelope;
use domain::messages::body::Format;
use domain::order::{Event, Order};

use crate::recorded::Recorded;

/// The most items that a batch may have.
const BATCH: usize = 64;

pub(crate) fn bench(criterion: &mut Criterion, recorded: &Recorded) {
    record(criterion, recorded);
    inbound(criterion, recorded);
    batch(criterion, recorded);
}

fn record(criterion: &mut Criterion, recorded: &Recorded) {
    let (record, _) = decode::<Record<Entry<Event>>>(&recorded.record).expect("a record of this version");
    let head = RecordHead {
        previous: record.previous,
        epoch: record.epoch,
        batch: record.batch,
        positions: record.positions,
        ahead: record.ahead.clone(),
        outputs_through: record.outputs_through,
    };
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements(record.entries.len() as u64));
    group.bench_function("encode, seal", |bencher| {
        bencher.iter(|| {
            let mut entries = Vec::new();
            for entry in &record.entries {
                encode_entry(&mut entries, entry);
            }
            encode(&head, black_box(&entries), record.entries.len())
        });
    });
    group.bench_function("open, decode", |bencher| {
        bencher.iter(|| decode::<Record<Entry<Event>>>(black_box(&recorded.record)));
    });
    group.finish();
}

fn inbound(criterion: &mut Criterion, recorded: &Recorded) {
    let mut group = criterion.benchmark_group("decode");
    for (kind, steps) in &recorded.steps {
        let json = &steps[0].envelope;
        group.bench_function(format!("{kind}, JSON"), |bencher| {
            bencher.iter(|| Order::decode(black_box(json)).expect("it was read before"));
        });
        let packed = as_message_pack(json);
        group.bench_function(format!("{kind}, MessagePack"), |bencher| {
            bencher.iter(|| Order::decode(black_box(&packed)).expect("it says the same"));
        });
    }
    group.finish();
}

fn as_message_pack(json: &Envelope) -> Envelope {
    let value: serde_json::Value = serde_json::from_slice(&json.body).expect("it was read before");
    let body = rmp_serde::to_vec_named(&value).expect("a value is plain data").into();
    let others = json.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    let others = others.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let kind = ("content-type".to_owned(), "application/msgpack".to_owned());
    Envelope { headers: others.chain([kind]).collect(), body, ..json.clone() }
}

fn batch(criterion: &mut Criterion, recorded: &Recorded) {
    let Some(steps) = recorded.steps.get("payment.captured") else { return };
    let items: Vec<Packable> = steps
        .iter()
        .cycle()
        .take(BATCH)
        .map(|step| Packable {
            message: Outgoing {
                subject: format!("retail.v1.reply.main.payment.captured.{}", step.entity.key),
                headers: step.envelope.headers.clone(),
                body: step.envelope.body.clone(),
            },
            key: step.entity.key.as_str().to_owned(),
            partition: 0,
        })
        .collect();
    let mut group = criterion.benchmark_group("batch");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("pack 64", |bencher| {
        let json = |items| pack(items, Format::Json);
        bencher.iter_batched(|| items.clone(), json, criterion::BatchSize::SmallInput);
    });
    group.finish();
}
