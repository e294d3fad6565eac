//! One live entity: its state, what it remembers of its inputs and records, and the actor around it.

mod actor;
mod answering;
pub(crate) mod command_path;
mod facts;
mod memory;
pub(crate) mod outgoing;
mod packing;
mod seen;
mod trail;

pub(crate) use actor::{Capture, Deliver, EntityActor, Peek, Release, Wake};
pub(crate) use command_path::{TOO_LATE, expiry};
pub(crate) use facts::{Facts, NO_PHASE};
pub(crate) use memory::Entity;
pub(crate) use packing::Packer;
pub(crate) use seen::HashKey;
pub(crate) use trail::Trail;
