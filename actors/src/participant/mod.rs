//! What stands in front of a participant: how much may be open at it, and the queue to it.

mod actor;
mod gate;

pub(crate) use actor::Senders;
pub(crate) use gate::Gates;
