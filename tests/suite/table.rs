//! `loadtest table` in small: every row is there and measured, whatever its value.

use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

const ENDS_WITHIN: Duration = Duration::from_mins(4);

async fn table(arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(["table", "--rounds", "1", "--json"]).args(arguments).kill_on_drop(true);
    let output = tokio::time::timeout(ENDS_WITHIN, command.output()).await.expect("it ends in time").unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{talk}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_measured(table: &Value, rows: usize) {
    let all = table["rows"].as_array().unwrap();
    assert_eq!(all.len(), rows, "{table}");
    for row in all {
        assert!(row["value"].as_f64().unwrap() > 0.0, "{row}");
        let (value, at_least) = (row["value"].as_f64().unwrap(), row["at_least"].as_f64().unwrap());
        let is_met = if row["better"] == "more" { value >= at_least } else { value <= at_least };
        assert_eq!(row["met"], is_met, "{row}");
    }
}

#[tokio::test]
async fn rows_against_the_bare_broker_and_without_a_broker_are_measured() {
    let table = table(&["--orders", "64", "--only", "ring,engine"]).await;
    assert_measured(&table, 8);
    assert_eq!(table["invalid"].as_array().unwrap().len(), 0, "{table}");
}
