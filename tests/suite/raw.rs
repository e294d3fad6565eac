//! `loadtest raw` as a process, on a nats-server that it starts itself.

use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

/// Several starts of every process, on a machine that builds something else at the same time.
const ENDS_WITHIN: Duration = Duration::from_mins(5);

async fn loadtest(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(ENDS_WITHIN, command.output()).await;
    ended.unwrap_or_else(|_| panic!("{arguments:?} did not end within {} s", ENDS_WITHIN.as_secs())).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn messages(run: &Value, part: &str) -> f64 {
    let streams = run["streams"].as_object().unwrap();
    streams.iter().filter(|(name, _)| name.contains(part)).map(|(_, flow)| number(&flow["messages"])).sum()
}

/// Messages for an order, where each order has equally many.
fn exactly(run: &Value, part: &str, expected: &Value) {
    let found = messages(run, part);
    assert!((found - number(expected)).abs() < 1e-6, "{part}: {found} instead of {expected}: {run}");
}

#[tokio::test]
async fn relays_send_what_the_server_sends_and_every_order_completes() {
    let sizes = ["--orders", "200", "--warm-up", "40", "--rounds", "1", "--in-flight", "40"];
    let output =
        loadtest(&[&["raw", "--sync", "default", "--submit-batch", "4", "--json"], &sizes[..]].concat())
            .await;
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{talk}");
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let ring = &result["ring"];
    assert_eq!((&ring["inputs"], &ring["commands"]), (&Value::from(13), &Value::from(11)), "{ring}");
    assert!(number(&ring["events"]) >= 20.0, "{ring}");
    let runs = result["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 6, "three contenders in two modes");
    for run in runs {
        assert_eq!(run["load"]["completed"], 200, "{run}");
        match run["contender"].as_str().unwrap() {
            "naive" => {
                exactly(run, "_INTAKE", &Value::from(1));
                exactly(run, "_REPLIES", &Value::from(11));
                exactly(run, "_WORK", &Value::from(1));
                exactly(run, "_COMMANDS_", &ring["commands"]);
                exactly(run, "_JOURNAL", &ring["inputs"]);
                exactly(run, "_NOTICES", &ring["events"]);
            }
            "packed" => {
                let same =
                    |recorded: &&Value| recorded["mode"] == run["mode"] && recorded["sync"] == run["sync"];
                let recorded = result["recordings"].as_array().unwrap().iter().find(same).unwrap();
                for what in ["messages", "bytes"] {
                    assert_eq!(run["published"][what], recorded[what], "{run}");
                }
            }
            _ => {
                exactly(run, "_INTAKE", &Value::from(0.25));
                assert!(messages(run, "_JOURNAL") <= number(&ring["inputs"]), "{run}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_missing_and_what_is_wrong_have_exit_codes_of_their_own() {
    for (arguments, code) in [
        (&["--help"][..], 0),
        (&["raw", "--orders", "none"], 2),
        (&["raw", "--doorbuster", "/nowhere/doorbuster"], 3),
    ] {
        let output = loadtest(arguments).await;
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
