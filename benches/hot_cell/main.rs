//! What decisions of one stock cell cost, with few and with very many live claims: `cargo bench --bench hot_cell`.
//!
//! A step is a reservation from its take to its departure: take, harden, consume, each decided, told and answered as the runtime asks for
//! it, from the bytes of the letter to the bytes of the answer. It must cost the same with ten live claims as with ten thousand.
//!
//! `in the engine` is a decision of a cell with everything around it: a node on streams in memory, where the cell has a thread of its own
//! and reservations have another. It is the processor time of the cell's thread for each of its decisions, takes and releases in
//! turn: letters in and out, records, pages and notices.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, SamplingMode, Throughput};
use domain::decider::{Context, Decider, EmptyBoard, Further, Gates, Input};
use domain::envelope::{Envelope, Headers, Plane};
use domain::ids::{EntityId, Key, Token};
use domain::stock::{Policies, State, Stock};
use domain::time::Timestamp;
use doorbuster::hot_cell::in_process::World;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const CELL: &str = "SKU-HOT~n-1";
/// Live claims while it is measured; the greatest number is what fits into a cell beside the one that is measured.
const LIVE: [usize; 3] = [10, 1_000, 9_999];

struct Cell {
    entity: EntityId,
    policies: Policies,
    state: State,
}

impl Cell {
    fn with(live: usize) -> Self {
        let token = |text| Token::new(text).expect("a lower-case word");
        let key = Key::new(CELL).expect("a key");
        let mut cell = Self {
            entity: EntityId { tenant: token("main"), kind: token("stock"), key },
            policies: Policies::default(),
            state: State::default(),
        };
        let count = r#"{"sku":"SKU-HOT","node":"n-1","on_hand":1000000000,"movement_id":"c-1","as_of":"2026-11-27T08:00:00Z"}"#;
        cell.hear(Plane::Fact, "baseline", count.to_owned());
        for n in 0..live {
            cell.hear(Plane::Internal, "take", take(n));
        }
        assert_eq!(cell.state.claims.len(), live);
        cell
    }

    /// One decision; what it says is thrown away.
    fn hear(&mut self, plane: Plane, name: &str, body: String) {
        let envelope = Envelope {
            tenant: self.entity.tenant.clone(),
            plane,
            domain: self.entity.kind.clone(),
            name: Token::new(name).expect("a lower-case word"),
            headers: Headers::new().with("ce-subject", CELL),
            body: Bytes::from(body),
            stream: "main:reservation:r".into(),
            sequence: 1,
            item: None,
            stored_at: Timestamp(0),
        };
        let addressed = Stock::decode(&envelope).expect("it is well formed");
        let context = Context {
            entity: &self.entity,
            now: Timestamp(1_795_766_400_000),
            version: 1,
            policies: &self.policies,
            gates: Gates::OPEN,
            board: &EmptyBoard,
            further: Further::NONE,
        };
        let input = Input::Message(&envelope, &addressed.message);
        let decision = Stock::decide(&self.state, input, &context).expect("a cell refuses nothing");
        assert!(!decision.events.is_empty(), "{name} changes something");
        black_box((&decision.published, &decision.letters));
        self.state = decision.state;
    }
}

fn id(n: usize) -> String {
    // Neighbours in time are no neighbours in the map.
    format!("o-{:08}", n.wrapping_mul(2_654_435_761) % 100_000_000)
}

fn take(n: usize) -> String {
    let id = id(n);
    format!(r#"{{"claim_id":"{id}:1:1","reservation_id":"{id}","quantity":1,"hard":false}}"#)
}

fn in_the_engine(criterion: &mut Criterion) {
    let system = actix::System::new();
    let mut world = system.block_on(World::open()).expect("a node in memory needs nothing else");
    let mut group = criterion.benchmark_group("hot_cell");
    group.throughput(Throughput::Elements(1)).sampling_mode(SamplingMode::Flat).sample_size(10);
    group.bench_function("one decision in the engine", |bencher| {
        bencher.iter_custom(|decisions| {
            let holds = decisions.div_ceil(2);
            let spent = system.block_on(world.hold(holds)).expect("there is enough for everybody");
            let each = spent.cell.as_secs_f64() / Duration::from_secs(spent.decisions).as_secs_f64();
            Duration::from_secs_f64(each * Duration::from_secs(decisions).as_secs_f64())
        });
    });
    group.finish();
    system.block_on(world.close());
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("hot_cell");
    for live in LIVE {
        let mut cell = Cell::with(live);
        let mut n = live;
        group.throughput(Throughput::Elements(3));
        group.bench_function(format!("take, harden, consume with {live} live"), |bencher| {
            bencher.iter(|| {
                n += 1;
                let claim = format!("{}:1:1", id(n));
                cell.hear(Plane::Internal, "take", take(n));
                cell.hear(Plane::Internal, "harden", format!(r#"{{"claim_id":"{claim}"}}"#));
                let consume = format!(r#"{{"claim_id":"{claim}","quantity":1,"movement_id":"p-{n}"}}"#);
                cell.hear(Plane::Internal, "consume", consume);
            });
        });
        assert_eq!(cell.state.claims.len(), live);
    }
    group.finish();
    in_the_engine(&mut criterion);
    criterion.final_summary();
}
