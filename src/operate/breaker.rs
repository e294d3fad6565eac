//! `doorbuster breaker`.

use super::act::{Act, part};
use super::arguments::{BreakerCommand, BreakerSetOptions};
use super::client::Client;
use super::ended::Ended;
use super::flow::columns;
use super::table::{line, table, text};
use crate::exit::Exit;

pub(super) fn run(client: &Client, command: &BreakerCommand, as_json: bool) -> Result<Exit, Ended> {
    let path = |system: &str, action: &str| format!("/api/v1/breakers/{}/actions/{action}", part(system));
    let act = match command {
        BreakerCommand::List => return list(client, as_json),
        BreakerCommand::ForceOpen { system, ttl, act } => Act::post(path(system, "force_open"), act)
            .for_a_time(*ttl)
            .warned(format!("No command will go to {system}; orders that need it wait")),
        BreakerCommand::ForceClose { system, ttl, act } => Act::post(path(system, "force_close"), act)
            .for_a_time(*ttl)
            .warned(format!("Commands will go to {system} even if it fails all of them")),
        BreakerCommand::HalfOpen { system, act } => Act::post(path(system, "half_open"), act),
        BreakerCommand::Set(options) => return set(client, options, as_json),
        BreakerCommand::Reset { system, act } => Act::post(path(system, "reset"), act),
    };
    act.run(client, as_json)
}

fn list(client: &Client, as_json: bool) -> Result<Exit, Ended> {
    let list = client.get("/api/v1/breakers")?;
    if as_json {
        line(&list);
    } else {
        let rows = list["data"].as_array().map_or(&[][..], Vec::as_slice);
        let fields = [
            "system",
            "state",
            "forced",
            "since",
            "outcomes",
            "error_percent",
            "slow_percent",
            "in_flight",
            "waiting",
        ];
        line(columns(rows, &fields));
    }
    Ok(Exit::Clean)
}

fn set(client: &Client, options: &BreakerSetOptions, as_json: bool) -> Result<Exit, Ended> {
    let path = format!("/api/v1/breakers/{}", part(&options.system));
    let fields = ("numbers", options.given());
    match Act::setting(&path, fields, options.reset, options.ttl, &options.act)? {
        Some(act) => act.run(client, as_json),
        None => show(client, &path, as_json),
    }
}

fn show(client: &Client, path: &str, as_json: bool) -> Result<Exit, Ended> {
    let breaker = client.get(path)?;
    if as_json {
        line(&breaker);
        return Ok(Exit::Clean);
    }
    let settings = breaker["settings"].as_object().into_iter().flatten();
    let rows: Vec<_> = settings.map(|(name, value)| vec![name.replace('_', " "), text(value)]).collect();
    line(table(&rows));
    Ok(Exit::Clean)
}
