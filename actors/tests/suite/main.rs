//! The actors on the memory bus, on one thread, on paused time. What is promised stands in the names of the tests.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod pair;
mod tally;
mod wire;
mod world;

mod archive;
mod batches;
mod commit;
mod flow;
mod giving_way;
mod handing;
mod herald;
mod journal_format;
mod late;
mod letters;
mod memory;
mod packing;
mod pages;
mod participants;
mod purging;
mod receipts;
mod recovery;
mod snapshots;
mod snapshots_in_trouble;
mod trouble;
mod watermarks;
mod way_in;
mod way_out;
