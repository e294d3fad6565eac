//! What the broker costs without any rules: the messages of the standard order as a ring, to measure a server against.
//!
//! A *relay* takes the place of the server: it reads what shops and participants send and answers with messages whose number,
//! size and cause were recorded before, deciding nothing. The [`participant`]s and the [`load`] are the same for the relay and
//! for a real server, and so lean that they do not hide the difference. Reading order: [`roll`], [`load`], [`participant`],
//! [`trace`], [`recorder`], [`template`], [`relay`], [`accounting`], [`report`].

pub mod accounting;
mod delivery;
pub mod load;
pub mod participant;
pub mod recorder;
pub mod relay;
pub mod report;
pub mod roll;
pub mod template;
pub mod trace;

pub use delivery::deliver;
