//! What is said on the wire, version 1: one type for each message of the contract.
//!
//! Reading order: [`shape`] (how a body is checked so that every fault is named), [`leaf`], [`text`] and [`json`] (the
//! small values), [`inbound`] (what others send), [`mod@decode`] (from an envelope to a message), [`outbound`] (what we send).

pub mod body;
pub mod decode;
pub mod depth;
pub mod inbound;
pub mod json;
pub mod leaf;
pub mod outbound;
pub mod shape;
pub mod text;

pub(crate) mod record;

pub use decode::{Message, decode};
