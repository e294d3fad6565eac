//! `loadtest standing` in small: what it measures at a million orders, it measures at a few hundred.

use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

const ENDS_WITHIN: Duration = Duration::from_mins(2);

#[tokio::test]
async fn orders_that_wait_are_all_there_after_a_kill_and_when_they_have_left_memory() {
    // invariant: bounded-everything
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command
        .args([
            "standing",
            "--orders",
            "300",
            "--erp-orders",
            "100",
            "--cells",
            "300",
            "--settle",
            "100",
            "--json",
        ])
        .kill_on_drop(true);
    let output = tokio::time::timeout(ENDS_WITHIN, command.output()).await.expect("it ends in time").unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{talk}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for measured in ["few_orders_message_microseconds", "all_orders_message_microseconds"] {
        let costs = report[measured].as_array().unwrap();
        assert_eq!(costs.len(), 5, "{report}");
        assert!(costs.iter().all(|cost| cost.as_f64().unwrap() > 0.0), "{report}");
    }
    // Half of them were asked to cancel, and one after the kill, so their points and money wait to be given back.
    assert!(report["passivated_orders"].as_u64().unwrap() >= 149, "{report}");
    assert!(report["after_kill_first_input_seconds"].as_f64().unwrap() > 0.0, "{report}");
    let cells = &report["cells"];
    assert_eq!(cells["passivated_cells"], 300, "{cells}");
    assert_eq!(cells["together_in_memory"], 600, "{cells}");
    assert!(cells["together_after_kill_first_input_seconds"].as_f64().unwrap() > 0.0, "{cells}");
    // What was sent before the ERP came back is sent again at its deadlines, so how often is a matter of time.
    assert_eq!(report["erp_away"]["orders"], 100);
    assert!(report["erp_away"]["drained_per_second"].as_u64().unwrap() > 0, "{report}");
}
