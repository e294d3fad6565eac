//! The server: command line, configuration, composition, HTTP, telemetry.
//!
//! Promise of this crate: it decides nothing about orders. It reads what an operator wants, picks the adapters in one place
//! ([`composition`]) and the kinds of entity in another ([`product`]), and shows what the actors say.
//!
//! Reading order: [`cli`] (what can be asked), [`config`] (every key), [`composition`] (what is built), then one module for
//! each command ([`serve`], [`setup`], [`demo`], [`operate`]; [`embedded`] is what runs in one process), then what is watched, shown
//! and controlled ([`mod@reference`], [`availability`], [`worklist`], [`api`], [`control`], [`telemetry`]).

pub mod api;
pub mod availability;
pub mod cli;
pub mod composition;
pub mod config;
pub mod control;
pub mod demo;
pub mod embedded;
pub mod exit;
pub mod hot_cell;
pub mod load;
pub mod operate;
pub mod product;
pub mod query;
pub mod raw;
pub mod reference;
pub mod serve;
pub mod setup;
mod standing;
mod table;
pub mod telemetry;
pub mod worklist;

use cli::{Arguments, Command};
use exit::{Exit, Failure};

/// Does what the command line asks, and tells problems on stderr.
pub fn run(arguments: Arguments) -> Exit {
    let result = match arguments.command {
        Command::Demo(options) => demo::run(&options),
        Command::Setup(options) => setup::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Flow(options) => Ok(operate::flow(&options)),
        Command::Breaker(options) => Ok(operate::breaker(&options)),
        Command::Audit(options) => Ok(operate::audit(&options)),
    };
    result.unwrap_or_else(|failure: Failure| {
        failure.tell();
        failure.exit
    })
}

/// The Rust program of the README must compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
