//! What a reservation promises: all or nothing, each unit once, over once.

mod desk;
mod lives;
mod model;
mod recorded;
mod refusals;
mod samples;
mod toy;
mod wishes;
