//! The actors of Doorbuster: one for each live entity, partition, participant, and node.
//!
//! Promise of this crate: one writer for each entity; nothing leaves before its journal record is acked; everything is
//! bounded. It knows the ports of `bus`, never an adapter, and no rule of any entity.
//!
//! Reading order: [`record`] (what the journal holds), `partition` (the path of a message), `entity` (the decision),
//! `inbound` and `outbound` (the contract at the edges), `mail` (what entities write to each other), `recovery`, `posted` (what
//! entities show to each other), `in_force` (policies that change while the node runs), [`node`] (the face),
//! [`flow`] (how much is begun), [`config`] (the bounds).

pub mod clock;
pub mod config;
mod entity;
pub mod flow;
mod in_force;
mod inbound;
mod mail;
pub mod metrics;
pub mod node;
mod outbound;
pub mod participant;
mod partition;
mod posted;
pub mod record;
mod recovery;
mod timeline;

pub use clock::{Clock, RuntimeClock, SharedClock, SystemClock};
pub use config::NodeConfig;
pub use in_force::InForce;
pub use metrics::Metrics;
pub use node::{
    EntityView, Node, NodeState, NodeStatus, PartitionStatus, Placement, ReadError, start, start_with_board,
};
pub use participant::control::ParticipantControl;
pub use posted::PostedBoard;
