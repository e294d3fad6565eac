//! The rules of Doorbuster: what an order may do, what it costs, and what it asks of the world.
//!
//! Promise of this crate: no clock, no randomness, no I/O, no async, integers only. The same inputs give the
//! same decisions, on every machine and in every replay.
//!
//! Reading order: [`decider`] (the shape of an entity), [`gates`] (what may go out), [`further`]
//! (what is told only where it is asked for), [`bounds`] (what is kept by number), [`envelope`] (what arrives), [`letter`] (what entities say
//! and show to each other), [`reason`] (why not), [`messages`] (what is said, in and out), [`mod@reference`] (what its owners say of
//! nodes, items and limits), [`ids`] and [`time`] (the small values), [`sharing`] and [`shared_map`] (why copies of them are
//! cheap); then the kinds: [`order`], [`stock`] and [`counter`], the last two on [`claims`], and [`sourcing`] (which node ships).

pub mod bounds;
pub mod by_participant;
pub mod claims;
pub mod counter;
pub mod decider;
pub mod envelope;
pub mod further;
pub mod gates;
pub mod ids;
pub mod kinds;
pub mod letter;
pub mod messages;
pub mod money;
pub mod order;
pub mod reason;
pub mod reference;
pub mod reservation;
#[cfg(feature = "schemas")]
pub mod schema;
pub mod shared_map;
pub mod sharing;
pub mod sourcing;
pub mod stock;
pub mod time;

mod headers;
