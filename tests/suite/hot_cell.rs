//! `loadtest stock` in small: what it measures with a hundred thousand holds, it measures with a few hundred.

use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

const ENDS_WITHIN: Duration = Duration::from_mins(3);

#[tokio::test]
async fn everybody_who_wants_one_cell_is_answered_once_and_exactly_what_there_is_is_sold() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command
        .args(["stock", "--holds", "600", "--connections", "2", "--in-flight", "200", "--questions", "20"])
        .args(["--rounds", "1", "--round-holds", "200", "--json"])
        .kill_on_drop(true);
    let output = tokio::time::timeout(ENDS_WITHIN, command.output()).await.expect("it ends in time").unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {talk}"));
    assert_eq!(output.status.code(), Some(0), "{report} {talk}");
    assert_eq!(report["wrong"], serde_json::json!([]));
    let over = &report["over_nats"];
    assert_eq!((&over["held"]["asked"], &over["held"]["held"]), (&600.into(), &600.into()), "{over}");
    assert_eq!(over["sold_out"]["held"], over["units"], "{over}");
    for way in ["availability_http", "availability_nats"] {
        assert!(over[way]["asked"].as_u64().unwrap() > 0, "{over}");
        assert_eq!(over[way]["failed"], 0, "{over}");
    }
    let rounds = report["in_process"].as_array().unwrap();
    assert_eq!(rounds.len(), 1);
    assert!(rounds[0]["cell_decisions_per_core_second"].as_f64().unwrap() > 0.0, "{report}");
}
