//! The rules: decide (which absorbs what it decides, and tells it), and evolve alone, for each type of message.

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use domain::decider::{Context, Decider, EmptyBoard, Further, Gates, Input};
use domain::order::{Order, Policies};

use crate::recorded::Recorded;

pub(crate) fn bench(criterion: &mut Criterion, recorded: &Recorded) {
    let policies = Policies::default();
    let mut group = criterion.benchmark_group("decide");
    for (kind, steps) in &recorded.steps {
        let messages: Vec<_> = steps
            .iter()
            .map(|step| Order::decode(&step.envelope).expect("it was decided before").message)
            .collect();
        group.throughput(Throughput::Elements(steps.len() as u64));
        group.bench_function(kind, |bencher| {
            bencher.iter(|| {
                for (step, message) in steps.iter().zip(&messages) {
                    let context = Context {
                        entity: &step.entity,
                        now: step.now,
                        version: step.version,
                        policies: &policies,
                        gates: Gates::OPEN,
                        board: &EmptyBoard,
                        further: Further::NONE,
                    };
                    let input = Input::Message(&step.envelope, message);
                    let decision = Order::decide(&step.before, input, &context);
                    assert!(black_box(decision).is_ok(), "it was decided before");
                }
            });
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("evolve");
    for (kind, steps) in &recorded.steps {
        group.throughput(Throughput::Elements(steps.len() as u64));
        group.bench_function(kind, |bencher| {
            bencher.iter(|| {
                for step in steps {
                    let mut state = step.before.clone();
                    for event in &step.events {
                        Order::evolve(&mut state, event);
                    }
                    black_box(state);
                }
            });
        });
    }
    group.finish();
}
