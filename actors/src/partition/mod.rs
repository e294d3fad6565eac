//! One partition: everything that lives on it, on one thread, behind one journal.
//!
//! Reading order: `core` (what a partition is), `lanes`, `pump` and `admission` (in), `herald` and `queued`
//! (what waits outside), `commit_queue`, `company` and `committer` (the record),
//! `handing_on`, `guests` and `letters` (between partitions), `publisher` and `recent_notices` (out), `timers`, `wait_lists`, `receipts`,
//! `positions`, `losses`, `transit` (the small parts), `slots` and `entities` (who is known), `checkpoint` with `batch`, `index`, `pages`, `keeping` and
//! `cleaning` (what survives a crash besides the journal), `loading` and `rebuild` (the way back), `life` and `actor`.

mod actor;
mod admission;
pub(crate) mod batch;
pub(crate) mod checkpoint;
mod cleaning;
mod commit_queue;
mod committer;
mod company;
mod core;
mod entities;
mod guests;
mod handing_on;
mod herald;
pub(crate) mod index;
pub(crate) mod keeping;
mod lanes;
mod letters;
mod life;
pub(crate) mod loading;
mod losses;
mod pages;
mod positions;
mod publisher;
mod pump;
mod queued;
mod rebuild;
pub(crate) mod receipts;
mod recent_notices;
mod retention;
pub(crate) mod slots;
mod timers;
mod tracker;
mod transit;
mod wait_lists;

pub(crate) use actor::{Door, Drain, PartitionActor, Read, Timeline};
pub(crate) use commit_queue::{Consumed, Queued, TenantRows};
pub(crate) use committer::{JournalEnd, append, ordered};
pub(crate) use core::{Environment, Halt, Partition};
pub(crate) use keeping::Captured;
pub(crate) use publisher::{OutputJob, publish};
pub(crate) use receipts::{Addressee, Awaited};
pub(crate) use recent_notices::{KEPT_FOR, MOST_KEPT};
pub(crate) use slots::{Entities, Presence};
pub(crate) use timers::Due;
