//! `doorbuster flow backpressure`: who holds whom back, and the watermarks by which that is done.

use clap::Args;
use serde_json::{Map, Value};

use super::act::Act;
use super::arguments::{ActOptions, TimeToLive};
use super::client::Client;
use super::ended::Ended;
use super::flow::{columns, rows};
use super::table::{line, table, text};
use crate::exit::Exit;

/// `doorbuster flow backpressure`.
#[derive(Debug, Clone, Args)]
pub struct BackpressureOptions {
    /// Answers and facts that wait longer for us mean that only the least is begun.
    #[arg(long, value_name = "MS")]
    pub answer_delay_ms: Option<u64>,
    /// So many orders may be begun and not committed whatever waits.
    #[arg(long, value_name = "N")]
    pub live_orders_least: Option<u64>,
    /// How long work of class normal may queue before it is refused for now; 0 = until it expires.
    #[arg(long, value_name = "MS")]
    pub patience_normal_ms: Option<u64>,
    /// How long work of class low may.
    #[arg(long, value_name = "MS")]
    pub patience_low_ms: Option<u64>,
    /// What a refused sender is told at least to wait.
    #[arg(long, value_name = "MS")]
    pub retry_after_ms: Option<u64>,
    /// Once new work waits longer, those who wait are told.
    #[arg(long, value_name = "MS")]
    pub herald_after_ms: Option<u64>,
    /// Messages of a lane that are read and not taken; beyond it a partition reads on no more.
    #[arg(long, value_name = "N")]
    pub lane_batch: Option<u64>,
    /// Bytes of their bodies, likewise.
    #[arg(long, value_name = "BYTES")]
    pub lane_bytes: Option<u64>,
    /// Once so many per cent of the orders that may be are begun and not committed, work of class low is refused for now.
    #[arg(long, value_name = "PERCENT")]
    pub low_percent: Option<u64>,
    /// Once so many are, late sales (the bulk lane) wait.
    #[arg(long, value_name = "PERCENT")]
    pub bulk_percent: Option<u64>,
    /// The class of a channel: `marketplace=low`, `web=high`; several with several of these, `*` for all that have none of their own.
    #[arg(long = "class", value_name = "CHANNEL=CLASS", value_parser = class)]
    pub classes: Vec<(String, String)>,
    /// Put the configured watermarks in force again.
    #[arg(long, conflicts_with = "ttl")]
    pub reset: bool,
    /// For how long.
    #[command(flatten)]
    pub ttl: TimeToLive,
    /// Why, and how.
    #[command(flatten)]
    pub act: ActOptions,
}

impl BackpressureOptions {
    /// What was given, by the name of the field.
    fn given(&self) -> Map<String, Value> {
        let numbers = [
            ("answer_delay_ms", self.answer_delay_ms),
            ("live_orders_least", self.live_orders_least),
            ("patience_normal_ms", self.patience_normal_ms),
            ("patience_low_ms", self.patience_low_ms),
            ("retry_after_ms", self.retry_after_ms),
            ("herald_after_ms", self.herald_after_ms),
            ("lane_batch", self.lane_batch),
            ("lane_bytes", self.lane_bytes),
            ("low_percent", self.low_percent),
            ("bulk_percent", self.bulk_percent),
        ];
        let numbers =
            numbers.into_iter().filter_map(|(field, number)| Some((field.to_owned(), Value::from(number?))));
        let classes: Map<String, Value> =
            self.classes.iter().map(|(channel, class)| (channel.clone(), class.as_str().into())).collect();
        numbers.chain((!classes.is_empty()).then(|| ("classes".to_owned(), classes.into()))).collect()
    }
}

pub(super) fn run(client: &Client, options: &BackpressureOptions, as_json: bool) -> Result<Exit, Ended> {
    let path = "/api/v1/flow/backpressure";
    let fields = ("watermarks", options.given());
    match Act::setting(path, fields, options.reset, options.ttl, &options.act)? {
        Some(act) => act.run(client, as_json),
        None => show(client, path, as_json),
    }
}

fn show(client: &Client, path: &str, as_json: bool) -> Result<Exit, Ended> {
    let pressure = client.get(path)?;
    if as_json {
        line(&pressure);
        return Ok(Exit::Clean);
    }
    let held = rows(&pressure["held"]);
    if held.is_empty() {
        line("nothing is held back");
    } else {
        line(columns(held, &["what", "by", "reason", "waits_ms", "detail"]));
    }
    let lanes = ["lane", "messages", "bytes", "messages_most", "bytes_most", "full", "stream_waiting"];
    line(format!("\n{}", columns(rows(&pressure["lanes"]), &lanes)));
    let lists = ["system", "waiting", "waiting_urgent", "in_flight", "max_in_flight", "held_by"];
    line(format!("\n{}", columns(rows(&pressure["lists"]), &lists)));
    let one = |of: &str, fields: &[&str]| columns(std::slice::from_ref(&pressure[of]), fields);
    line(format!("\norders\n{}", one("orders", &["uncommitted", "most", "limit", "lowered_by"])));
    line(format!("\nmemory\n{}", one("memory", &["resident", "slows_at", "stops_at", "state"])));
    line(format!("\n{}", columns(rows(&pressure["gives_way"]), &["class", "patience_ms", "channels"])));
    line(format!("\n{}", watermarks(&pressure["watermarks"])));
    Ok(Exit::Clean)
}

fn watermarks(both: &Value) -> String {
    let mut rows = vec![["watermark", "effective", "configured"].map(str::to_owned).to_vec()];
    for (name, effective) in both["effective"].as_object().into_iter().flatten() {
        let configured = &both["configured"][name];
        let configured = if configured == effective { "the same".to_owned() } else { text(configured) };
        rows.push(vec![name.replace('_', " "), text(effective), configured]);
    }
    table(&rows)
}

/// A channel and its class; the server says which classes there are.
fn class(text: &str) -> Result<(String, String), String> {
    let expected = || format!("{text:?}: expected a channel and its class, for example web=high");
    let (channel, class) = text.rsplit_once('=').ok_or_else(expected)?;
    Ok((channel.to_owned(), class.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::class;

    #[test]
    fn a_class_stands_behind_the_last_equals_sign() {
        let both = |channel: &str, class: &str| Ok((channel.to_owned(), class.to_owned()));
        assert_eq!((class("web=high"), class("a=b=low")), (both("web", "high"), both("a=b", "low")));
        assert!(class("web").unwrap_err().contains("for example web=high"));
    }
}
