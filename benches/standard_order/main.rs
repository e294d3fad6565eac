//! What the steps of the standard order cost, without a network: `cargo bench`.
//!
//! The inputs are not made up: orders run once in memory with simulated participants, and what the journal then holds is
//! what is measured.

mod codec;
mod order;
mod recorded;
mod way;

use criterion::Criterion;

use crate::recorded::Recorded;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let recorded = Recorded::of_standard_orders();
    let mut criterion = Criterion::default().configure_from_args();
    order::bench(&mut criterion, &recorded);
    codec::bench(&mut criterion, &recorded);
    way::bench(&mut criterion);
    criterion.final_summary();
}
