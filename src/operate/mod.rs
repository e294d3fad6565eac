//! `doorbuster flow`, `doorbuster breaker` and `doorbuster audit`: what an operator sees and changes of a running server. All of it
//! goes through the HTTP API, so that the audit is one.

mod act;
pub mod arguments;
mod audit;
mod backpressure;
mod breaker;
mod client;
mod consent;
mod ended;
mod flow;
mod table;

use arguments::{ApiOptions, AuditOptions, BreakerOptions, FlowOptions};
use client::Client;
use ended::Ended;

use crate::exit::Exit;

/// `doorbuster flow`.
pub fn flow(options: &FlowOptions) -> Exit {
    asked(&options.api, |client| flow::run(client, &options.command, options.api.json))
}

/// `doorbuster breaker`.
pub fn breaker(options: &BreakerOptions) -> Exit {
    asked(&options.api, |client| breaker::run(client, &options.command, options.api.json))
}

/// `doorbuster audit`.
pub fn audit(options: &AuditOptions) -> Exit {
    asked(&options.api, |client| audit::run(client, &options.command, options.api.json))
}

fn asked(options: &ApiOptions, work: impl FnOnce(&Client) -> Result<Exit, Ended>) -> Exit {
    let outcome = Client::new(&options.api).and_then(|client| work(&client));
    outcome.unwrap_or_else(|ended| {
        ended.tell(options.json);
        ended.exit
    })
}
