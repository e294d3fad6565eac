//! The server from outside, on a real nats-server; the whole system simulated on one thread; the rules of the repository.

mod command_line;
mod crashes;
mod http;
mod pressure;
mod product;
mod simulation;
mod surface;
mod tidy;
mod until;
mod world;
