//! The node: all partitions of one process, and the one face that the server sees.

mod actor;
pub mod backpressure;
mod board;
mod facade;
pub mod flow;
mod purge;
mod purge_note;

pub(crate) use board::Board;
pub use board::{NodeState, NodeStatus, PartitionStatus};
pub use facade::{EntityView, Node, Placement, ReadError, start, start_with_board};
pub use flow::{FlowControl, FlowState};
pub(crate) use purge_note::PurgeNote;
