//! `doorbuster audit`.

use std::time::Duration;

use serde_json::Value;

use super::arguments::AuditCommand;
use super::client::Client;
use super::ended::Ended;
use super::table::{line, text};
use crate::exit::Exit;

/// Between two looks for new entries.
const LOOK: Duration = Duration::from_secs(1);

pub(super) fn run(client: &Client, command: &AuditCommand, as_json: bool) -> Result<Exit, Ended> {
    match command {
        AuditCommand::Tail { limit, after, follow } => tail(client, *limit, *after, *follow, as_json),
        AuditCommand::Verify => verify(client, as_json),
    }
}

fn tail(client: &Client, limit: u64, after: Option<u64>, follow: bool, as_json: bool) -> Result<Exit, Ended> {
    let mut from = after;
    loop {
        let place = from.map(|after| format!("&after={after}")).unwrap_or_default();
        let part = client.get(&format!("/api/v1/audit?limit={limit}{place}"))?;
        for row in part["data"].as_array().map_or(&[][..], Vec::as_slice) {
            line(if as_json { row.to_string() } else { words(row) });
        }
        if !follow {
            return Ok(Exit::Clean);
        }
        from = part["next_after"].as_u64();
        if part["has_more"] != true {
            wait(LOOK);
        }
    }
}

/// Waits without a runtime.
fn wait(time: Duration) {
    let (_nobody, heard) = std::sync::mpsc::channel::<()>();
    // Nobody sends, so it ends when the time is over.
    let _ = heard.recv_timeout(time);
}

fn words(row: &Value) -> String {
    let entry = &row["entry"];
    if entry.is_null() {
        return format!("{:>6}  (no entry of ours)", text(&row["sequence"]));
    }
    let given = entry["parameters"].as_object().filter(|given| !given.is_empty());
    let given = given.map(|_| format!(" {}", entry["parameters"])).unwrap_or_default();
    let rest = if entry["kind"] == "intent" {
        let until = entry["until"].as_str().map(|until| format!(" until {until}")).unwrap_or_default();
        format!("{until}  by {}: {}", text(&entry["caller"]["operator"]), text(&entry["reason"]))
    } else {
        format!("  {}", text(&entry["result"]))
    };
    format!(
        "{:>6}  {}  {:<8}  {}.{} {}{given}{rest}",
        text(&row["sequence"]),
        text(&entry["time"]),
        text(&entry["kind"]),
        text(&entry["domain"]),
        text(&entry["action"]),
        text(&entry["target"]),
    )
}

fn verify(client: &Client, as_json: bool) -> Result<Exit, Ended> {
    let verdict = client.get("/api/v1/audit/verify")?;
    let is_intact = verdict["intact"] == true;
    let exit = if is_intact { Exit::Clean } else { Exit::CheckFailed };
    if as_json {
        line(&verdict);
        return Ok(exit);
    }
    let word = if is_intact { "intact" } else { "BROKEN" };
    line(format!("{word}: {} entries, the last is {}", text(&verdict["entries"]), text(&verdict["last"])));
    line(format!("hash of the last entry: {}", text(&verdict["last_hash"])));
    for at in verdict["breaks"].as_array().map_or(&[][..], Vec::as_slice) {
        line(format!("  {}: {}", text(&at["sequence"]), text(&at["what"])));
    }
    for open in verdict["open"].as_array().map_or(&[][..], Vec::as_slice) {
        line(format!("  {}: an intent of which nobody wrote how it ended", text(&open["sequence"])));
    }
    Ok(exit)
}
