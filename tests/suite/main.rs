//! The server from outside, on a real nats-server; the whole system simulated on one thread; the rules of the repository.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise, and the line says which")]
#![expect(clippy::print_stdout, reason = "seeds and states are shown beside what failed")]

mod broker_changes;
mod cells;
mod command_line;
mod control;
mod crashes;
mod hot_cell;
mod http;
mod largest;
mod load;
mod losses;
mod outages;
mod overload;
mod pressure;
mod product;
mod raw;
mod reference;
mod sale;
mod simulation;
mod standing;
mod stock;
mod surface;
mod table;
mod tidy;
mod together;
mod until;
mod world;
mod wrong_items;
