//! What an actor costs that does nothing: a message through its mailbox, its start and its end, beside a thousand others and beside
//! a million, and the least there could be for the same: a loop behind one channel, and an array.
//! `cargo bench --bench mailbox`; a million actors take about a gigabyte.
//!
//! What the rules add is in `standard_order` (decide, evolve), and actors against a loop with all rules in `loadtest table`.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, Context, Handler, Message};
use criterion::{BenchmarkId, Criterion, Throughput};
use tokio::sync::mpsc;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How many entities there are.
const POPULATIONS: [usize; 2] = [1_000, 1_000_000];
/// Messages, starts or ends that are timed together.
const TOGETHER: usize = 1_000;

/// An entity that counts. As large as the part of an order's state that every message touches.
#[derive(Debug, Clone, Default)]
struct Counter {
    fields: [u64; 32],
}

impl Counter {
    fn take(&mut self, number: u64) {
        let at = usize::try_from(number % 32).expect("a small number");
        self.fields[at] = self.fields[at].wrapping_add(number);
        black_box(&self.fields);
    }
}

/// A counter behind a mailbox; says how many messages all of them have handled.
#[derive(Debug)]
struct Counting {
    counter: Counter,
    handled: Rc<Cell<usize>>,
}

#[derive(Debug, Message)]
#[rtype(result = "()")]
struct Take(u64);

#[derive(Debug, Message)]
#[rtype(result = "()")]
struct End;

impl Actor for Counting {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.handled.set(self.handled.get() + 1);
    }
}

impl Handler<Take> for Counting {
    type Result = ();

    fn handle(&mut self, Take(number): Take, _: &mut Context<Self>) {
        self.counter.take(number);
        self.handled.set(self.handled.get() + 1);
    }
}

impl Handler<End> for Counting {
    type Result = ();

    fn handle(&mut self, End: End, context: &mut Context<Self>) {
        actix::ActorContext::stop(context);
    }
}

/// Who is next: all over memory, and the same in every run.
#[derive(Debug, Default)]
struct Walk(u64);

impl Walk {
    fn next(&mut self, population: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % population
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for population in POPULATIONS {
        bench(&mut criterion, population);
    }
    criterion.final_summary();
}

fn bench(criterion: &mut Criterion, population: usize) {
    let system = actix::System::new();
    let handled = Rc::new(Cell::new(0));
    let mut group = criterion.benchmark_group("mailbox");
    group.sample_size(20).throughput(Throughput::Elements(TOGETHER as u64));

    let actors: Vec<Addr<Counting>> = system.block_on(async {
        let actors = (0..population).map(|_| started(&handled)).collect();
        tokio::task::yield_now().await;
        actors
    });
    let mut walk = Walk::default();
    group.bench_function(BenchmarkId::new("a message to an actor", population), |bencher| {
        bencher.iter_custom(|times| {
            system.block_on(timed(times, async || {
                let until = handled.get() + TOGETHER;
                for number in 0..TOGETHER {
                    let sent = actors[walk.next(population)].try_send(Take(number as u64));
                    sent.expect("a mailbox has room for a few");
                    // Not more at once than one mailbox could take.
                    if number % 8 == 7 {
                        tokio::task::yield_now().await;
                    }
                }
                reach(&handled, until).await;
            }))
        });
    });
    group.bench_function(BenchmarkId::new("start and end of an actor", population), |bencher| {
        bencher.iter_custom(|times| {
            system.block_on(timed(times, async || {
                let until = handled.get() + TOGETHER;
                for _ in 0..TOGETHER {
                    started(&handled).try_send(End).expect("a new mailbox has room");
                }
                reach(&handled, until).await;
            }))
        });
    });
    drop(actors);

    let counters = Rc::new(RefCell::new(vec![Counter::default(); population]));
    let (sender, mut receiver) = mpsc::channel::<(usize, u64)>(TOGETHER);
    let (counted, all) = (Rc::clone(&handled), Rc::clone(&counters));
    system.block_on(async {
        actix::spawn(async move {
            while let Some((at, number)) = receiver.recv().await {
                all.borrow_mut()[at].take(number);
                counted.set(counted.get() + 1);
            }
        });
    });
    group.bench_function(BenchmarkId::new("a message to a loop behind a channel", population), |bencher| {
        bencher.iter_custom(|times| {
            system.block_on(timed(times, async || {
                let until = handled.get() + TOGETHER;
                for number in 0..TOGETHER {
                    let sent = sender.send((walk.next(population), number as u64)).await;
                    sent.expect("the loop goes on");
                }
                reach(&handled, until).await;
            }))
        });
    });
    group.bench_function(BenchmarkId::new("a call to a place in an array", population), |bencher| {
        bencher.iter(|| {
            let mut counters = counters.borrow_mut();
            for number in 0..TOGETHER {
                counters[walk.next(population)].take(number as u64);
            }
        });
    });
    group.finish();
}

fn started(handled: &Rc<Cell<usize>>) -> Addr<Counting> {
    Counting { counter: Counter::default(), handled: Rc::clone(handled) }.start()
}

async fn timed(times: u64, mut once: impl AsyncFnMut()) -> Duration {
    let began = Instant::now();
    for _ in 0..times {
        once().await;
    }
    began.elapsed()
}

async fn reach(handled: &Cell<usize>, until: usize) {
    while handled.get() < until {
        tokio::task::yield_now().await;
    }
}
