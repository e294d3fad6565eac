//! `doorbuster flow`.

use serde_json::{Map, Value};

use super::act::{Act, part};
use super::arguments::{BulkheadOptions, FlowCommand, LimitOptions};
use super::backpressure;
use super::client::Client;
use super::ended::Ended;
use super::table::{line, table, text};
use crate::exit::Exit;

pub(super) fn run(client: &Client, command: &FlowCommand, as_json: bool) -> Result<Exit, Ended> {
    let act = match command {
        FlowCommand::Show => return show(client, as_json),
        FlowCommand::Backpressure(options) => return backpressure::run(client, options, as_json),
        FlowCommand::Pause { scope, ttl, act } => Act::post("/api/v1/flow/actions/pause", act)
            .with("scope", scope.as_str())
            .for_a_time(*ttl)
            .warned(format!("No new work of {scope} will be taken{}", now(client, act.yes)?)),
        FlowCommand::Resume { scope, act } => {
            Act::post("/api/v1/flow/actions/resume", act).with("scope", scope.as_str())
        }
        FlowCommand::Drain { ttl, act } => Act::post("/api/v1/flow/actions/drain", act)
            .for_a_time(*ttl)
            .warned(format!("No new work will be taken, and /readyz will say so{}", now(client, act.yes)?)),
        FlowCommand::Undrain { act } => Act::post("/api/v1/flow/actions/undrain", act),
        FlowCommand::Limit(options) => return limit(client, options, as_json),
        FlowCommand::Bulkhead(options) => return bulkhead(client, options, as_json),
    };
    act.run(client, as_json)
}

/// What the node is in the middle of, for whoever is about to stop it.
fn now(client: &Client, is_agreed: bool) -> Result<String, Ended> {
    if is_agreed {
        return Ok(String::new());
    }
    let flow = client.get("/api/v1/flow")?;
    let number = |field: &str| text(&flow[field]);
    Ok(format!(
        " ({} orders are not yet committed, {} wait in the broker)",
        number("uncommitted_orders"),
        number("intake_waiting")
    ))
}

fn show(client: &Client, as_json: bool) -> Result<Exit, Ended> {
    let flow = client.get("/api/v1/flow")?;
    if as_json {
        line(&flow);
        return Ok(Exit::Clean);
    }
    let rows = [
        ("mode", "mode"),
        ("paused", "paused"),
        ("throttled by", "throttled_by"),
        ("uncommitted orders", "uncommitted_orders"),
        ("of at most", "uncommitted_most"),
        ("memory bytes", "memory_bytes"),
        ("intake waiting", "intake_waiting"),
        ("queued orders", "queued_orders"),
        ("queue delay ms", "queue_delay_ms"),
        ("answer delay ms", "answer_delay_ms"),
        ("refused", "refused"),
    ];
    line(table(&rows.map(|(name, field)| vec![name.to_owned(), text(&flow[field])])));
    line(format!("\n{}", limits(&flow["limits"])));
    line(format!("\n{}", bulkheads(&flow["bulkheads"])));
    if let Some(set) = flow["set"].as_array().filter(|set| !set.is_empty()) {
        line(format!("\n{}", columns(set, &["action", "target", "since", "until", "operator", "reason"])));
    }
    Ok(Exit::Clean)
}

/// One row for each item, with these fields.
pub(super) fn columns(items: &[Value], fields: &[&str]) -> String {
    let mut rows = vec![fields.iter().map(|field| field.replace('_', " ")).collect::<Vec<_>>()];
    rows.extend(items.iter().map(|item| fields.iter().map(|field| text(&item[*field])).collect()));
    table(&rows)
}

pub(super) fn rows(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn limits(list: &Value) -> String {
    let mut table_rows =
        vec![["limit", "rate", "burst", "cap", "used", "unit", "configured"].map(str::to_owned).to_vec()];
    for limit in rows(list) {
        let numbers = |of: &str, name: &str| text(&limit[of][name]);
        let configured = if limit["configured"] == limit["effective"] {
            "the same".to_owned()
        } else {
            limit["configured"].to_string()
        };
        table_rows.push(vec![
            text(&limit["name"]),
            numbers("effective", "rate"),
            numbers("effective", "burst"),
            numbers("effective", "cap"),
            text(&limit["used"]),
            text(&limit["unit"]),
            configured,
        ]);
    }
    table(&table_rows)
}

fn bulkheads(list: &Value) -> String {
    columns(rows(list), &["system", "in_flight", "effective", "configured", "waiting"])
}

fn limit(client: &Client, options: &LimitOptions, as_json: bool) -> Result<Exit, Ended> {
    let Some(name) = &options.name else {
        let list = client.get("/api/v1/flow/limits")?;
        line(if as_json { list.to_string() } else { limits(&list["data"]) });
        return Ok(Exit::Clean);
    };
    let path = format!("/api/v1/flow/limits/{}", part(name));
    let numbers = [("rate", options.rate), ("burst", options.burst), ("cap", options.cap)];
    let fields: Map<String, Value> =
        numbers.into_iter().filter_map(|(field, number)| Some((field.to_owned(), number?.into()))).collect();
    let asked = Act::setting(&path, ("numbers", fields), options.reset, options.ttl, &options.act)?;
    let Some(act) = asked else {
        let one = client.get(&path)?;
        line(if as_json { one.to_string() } else { limits(&Value::Array(vec![one])) });
        return Ok(Exit::Clean);
    };
    act.run(client, as_json)
}

fn bulkhead(client: &Client, options: &BulkheadOptions, as_json: bool) -> Result<Exit, Ended> {
    let Some(system) = &options.system else {
        let list = client.get("/api/v1/flow/bulkheads")?;
        line(if as_json { list.to_string() } else { bulkheads(&list["data"]) });
        return Ok(Exit::Clean);
    };
    let path = format!("/api/v1/flow/bulkheads/{}", part(system));
    let fields = options.max.map(|most| ("max_in_flight".to_owned(), most.into())).into_iter().collect();
    let asked = Act::setting(&path, ("number", fields), options.reset, options.ttl, &options.act)?;
    let Some(act) = asked else {
        let one = client.get(&path)?;
        line(if as_json { one.to_string() } else { bulkheads(&Value::Array(vec![one])) });
        return Ok(Exit::Clean);
    };
    act.run(client, as_json)
}
