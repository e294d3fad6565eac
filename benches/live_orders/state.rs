//! The state of one order apart from everything around it: how many bytes it has, and what a copy of it costs.

use std::hint::black_box;

use actors::record::{Snapshot, SnapshotPage, decode, decode_item};
use bus::layout::{Layout, StreamId};
use bus::memory::MemoryBus;
use bus::ports::{Bus, Position};
use bytes::Bytes;
use domain::order::State;

use super::{resident, say};

/// So many copies stand in memory at once, so that pages do not blur the picture.
const COPIES: usize = 100_000;
/// So many copies are made for the time of one.
const TIMED: usize = 400_000;

/// Measures the states that the snapshots of `bus` hold.
pub(super) async fn measure(bus: &MemoryBus, layout: &Layout) {
    let mut reader = bus
        .open(&layout.name(StreamId::Snapshots), None, Position::default())
        .await
        .expect("the stream is there");
    let stored = reader.next(2_000, std::time::Duration::ZERO).await.expect("nothing is purged");
    let pages = stored.iter().filter_map(|message| decode::<SnapshotPage>(&message.body).ok());
    let bodies: Vec<Bytes> = pages.flat_map(|(page, _)| page.items).collect();
    let read = |body: &Bytes| decode_item::<Snapshot<State>>(body).expect("it is a snapshot").state;
    let states: Vec<State> = bodies.iter().map(read).collect();
    assert!(!states.is_empty(), "no order has left memory");
    let before = resident();
    let copies: Vec<State> = (0..COPIES).map(|copy| read(&bodies[copy % bodies.len()])).collect();
    let bytes = (resident() - before) / COPIES as u64;
    black_box(&copies);
    drop(copies);
    let began = processor_us();
    for copy in 0..TIMED {
        black_box(states[copy % states.len()].clone());
    }
    let nanoseconds = (processor_us() - began) * 1_000 / TIMED as u64;
    packing(&states);
    say(&format!(
        "State: {bytes} B, {} of them inline; written {} B; a copy takes {nanoseconds} ns",
        size_of::<State>(),
        bodies.iter().map(Bytes::len).sum::<usize>() / bodies.len(),
    ));
}

/// What it takes to put a state into few bytes and to take it out again, as an actor at rest does.
fn packing(states: &[State]) {
    let write = |state: &State| rmp_serde::to_vec_named(state).expect("a state is plain data");
    let sample = write(&states[0]);
    let pack = |state: &State| lz4_flex::block::compress_prepend_size_with_dict(&write(state), &sample);
    let packed: Vec<Vec<u8>> = states.iter().map(pack).collect();
    let timed = |what: &dyn Fn(usize)| {
        let began = processor_us();
        (0..TIMED / 10).for_each(|turn| what(turn % states.len()));
        (processor_us() - began) * 10_000 / TIMED as u64
    };
    let packing = timed(&|at| {
        black_box(pack(&states[at]));
    });
    let opening = timed(&|at| {
        let written = lz4_flex::block::decompress_size_prepended_with_dict(&packed[at], &sample);
        let written = written.expect("it was packed here");
        black_box(rmp_serde::from_slice::<State>(&written).expect("it was written here"));
    });
    let bytes = packed.iter().map(Vec::len).sum::<usize>() / packed.len();
    say(&format!("packed {bytes} B; packing takes {packing} ns, opening {opening} ns"));
}

/// Microseconds of processor time that this process has used.
fn processor_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").expect("there is /proc");
    let nanoseconds = stat.split_whitespace().next().and_then(|number| number.parse::<u64>().ok());
    nanoseconds.expect("a number of nanoseconds") / 1_000
}
