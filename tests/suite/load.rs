//! `loadtest run` and its relatives as processes, on a real nats-server.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::product::Serve;
use crate::world::World;

/// Several starts of every process, on a machine that builds something else at the same time.
const ENDS_WITHIN: Duration = Duration::from_mins(5);

/// A short run on a busy machine: the generator may be late, and nothing is judged by how fast it was.
const SHORT: &str = "schema = \"doorbuster-loadtest/1\"\n\
    [run]\nwarmup = \"500ms\"\nmax_lateness = \"1m\"\npatience = \"90s\"\n\
    [mix]\nstandard = 6\nmixed = 2\ncancelled = 1\nrefused = 1\nduplicates = \"5%\"\npoison = \"10%\"\n\
    [data]\nskew = \"zipf(1.1)\"\nhot_sku = { id = \"HOT\", share = \"30%\", stock = 10 }\n\
    [[phases]]\nlabel = \"first\"\nrate = \"10..30/s\"\nover = \"2s\"\n\
    [[phases]]\nlabel = \"second\"\nrate = \"30/s\"\nover = \"3s\"\n\
    [[slo]]\nmetric = \"open\"\nvalue = \"0\"\n";

async fn loadtest(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadtest"));
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(ENDS_WITHIN, command.output()).await;
    ended.unwrap_or_else(|_| panic!("{arguments:?} did not end within {} s", ENDS_WITHIN.as_secs())).unwrap()
}

fn scenario(folder: &TempDir, more: &str) -> PathBuf {
    let path = folder.path().join("short.toml");
    std::fs::write(&path, format!("{SHORT}{more}")).unwrap();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs it; it must end with this code. Gives the summary.
async fn run(scenario: &Path, code: i32, more: &[&str]) -> Value {
    let output = loadtest(&[&["run", text(scenario), "--json"], more].concat()).await;
    let talk = String::from_utf8_lossy(&output.stderr);
    let data = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{talk}\n{data}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|cause| panic!("{cause}: {data}"))
}

/// Every order has ended as it should, and what was measured is about all of them.
fn assert_whole(summary: &Value) {
    let orders = &summary["orders"];
    let submitted = orders["submitted"].as_u64().unwrap();
    assert!(submitted > 60 && orders["open"] == 0, "{orders}");
    assert_eq!(summary["verdict"]["clean"], true, "{}", summary["verdict"]);
    assert_eq!(summary["measured"]["poison"], summary["measured"]["dead_letters"]);
    let count = |leg: usize| summary["legs"][leg]["corrected"]["count"].as_u64().unwrap();
    assert_eq!(count(0), summary["measured"]["counted"].as_u64().unwrap(), "every ack is measured");
    assert_eq!(count(3), summary["measured"]["completed"].as_u64().unwrap());
    assert!(count(0) >= count(2) && count(3) > 0);
}

#[tokio::test]
async fn a_server_that_is_killed_in_the_middle_loses_nothing_and_the_report_shows_it() {
    let folder = TempDir::new().unwrap();
    let faults = "[[faults]]\nkind = \"restart\"\nat = \"2s\"\n\
                  [[faults]]\nkind = \"down\"\nparticipant = \"erp\"\nat = \"1s\"\nfor = \"2s\"\n";
    let out = folder.path().join("out");
    let summary = run(&scenario(&folder, faults), 0, &["--out", text(&out)]).await;
    assert_whole(&summary);
    assert_eq!(summary["restarts"].as_array().unwrap().len(), 1, "{}", summary["restarts"]);
    assert_eq!(summary["resources"].as_array().unwrap().len(), 3);
    assert!(summary["environment"]["durability"].as_str().unwrap().contains("survives killed processes"));

    let written: Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("summary.json")).unwrap()).unwrap();
    assert!(written == summary, "the file and stdout say the same");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(
        page.contains("erp down") && page.contains("kill -9 and restart") && page.contains("after kill -9")
    );

    let file = text(&out).to_owned() + "/summary.json";
    let same = loadtest(&["compare", &file, &file]).await;
    assert_eq!(same.status.code(), Some(0), "{}", String::from_utf8_lossy(&same.stdout));
    let report = loadtest(&["report", &file]).await;
    assert!(String::from_utf8_lossy(&report.stdout).contains("PASSED (exit code 0)"));
}

#[tokio::test]
async fn a_running_server_is_loaded_and_a_missed_objective_has_its_exit_code() {
    let world = World::set_up().await;
    let mut server = Serve::started(&world.url, &[]).await;
    let folder = TempDir::new().unwrap();
    let api = format!("http://127.0.0.1:{}", server.port);
    let target = ["--target", &world.url, "--api", &api];
    let missed = "[[slo]]\nname = \"impossible\"\nmetric = \"complete.p50\"\nop = \"<\"\nvalue = \"1us\"\n";
    let summary = run(&scenario(&folder, missed), 10, &target).await;
    assert_whole(&summary);
    assert!(
        summary["ending"]["reasons"][0].as_str().unwrap().contains("impossible"),
        "{}",
        summary["ending"]
    );
    // Again on the same streams, now for two tenants: runs keep apart.
    let tenants = folder.path().join("tenants.toml");
    std::fs::write(&tenants, SHORT.replace("[data]\n", "[data]\ntenants = [\"eu\", \"us\"]\n")).unwrap();
    assert_whole(&run(&tenants, 0, &target).await);

    let kills = scenario(&folder, "[[faults]]\nkind = \"restart\"\nat = \"2s\"\n");
    let refused = loadtest(&[&["run", text(&kills)], &target[..]].concat()).await;
    assert_eq!(refused.status.code(), Some(2), "it is not ours to kill");
    server.kill_9().await;
    let unready = loadtest(&[&["run", "steady"], &target[..]].concat()).await;
    assert_eq!(unready.status.code(), Some(4), "{}", String::from_utf8_lossy(&unready.stderr));
}

#[tokio::test]
async fn everything_in_one_process_needs_no_broker() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("report.html");
    let [junit, csv, hdr] = ["tests.xml", "series.csv", "times.hlog"].map(|name| folder.path().join(name));
    let exports = ["--junit", text(&junit), "--csv", text(&csv), "--hdr", text(&hdr)];
    let more = [&["--embedded", "--html", text(&out)][..], &exports].concat();
    let summary = run(&scenario(&folder, ""), 0, &more).await;
    assert_whole(&summary);
    assert!(summary["environment"]["durability"].as_str().unwrap().starts_with("embedded"));
    assert!(out.is_file() && summary.get("hdr_log").is_none());
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    assert!(
        read(&junit).contains(" failures=\"0\"") && read(&junit).contains("name=\"no_lost\""),
        "{}",
        read(&junit)
    );
    assert_eq!(read(&csv).lines().count(), summary["points"].as_array().unwrap().len() + 1);
    assert_eq!(read(&hdr).lines().filter(|line| line.starts_with("Tag=")).count(), 8, "{}", read(&hdr));

    let late = SHORT.replace("\"1m\"", "\"0us\"");
    let path = folder.path().join("late.toml");
    std::fs::write(&path, late).unwrap();
    let invalid = run(&path, 12, &["--embedded", "--quiet"]).await;
    assert!(invalid["ending"]["reasons"][0].as_str().unwrap().contains("could not keep up"));
}

#[tokio::test]
async fn a_search_finds_a_rate_that_holds_twice() {
    let folder = TempDir::new().unwrap();
    let path = scenario(&folder, "");
    let bounds = ["--min", "10/s", "--max", "20/s", "--duration", "2s", "--slo", "open<=0"];
    let output = loadtest(&[&["search", text(&path), "--embedded", "--json"], &bounds[..]].concat()).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["rate"], 20.0);
    assert_eq!(found["steps"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn what_is_wrong_has_exit_codes_of_its_own_and_is_told() {
    let folder = TempDir::new().unwrap();
    let broken = scenario(&folder, "[rnu]\n[[faults]]\nkind = \"down\"\nat = \"1s\"\n");
    let unknown_key = folder.path().join("key.toml");
    std::fs::write(&unknown_key, format!("{SHORT}[server]\n\"node.lane_bacth\" = 5\n")).unwrap();
    let nowhere = "nats://127.0.0.1:1";
    for (arguments, code, told) in [
        (&["--help"][..], 0, ""),
        (&["list"], 0, ""),
        (&["init", "flash-sale"], 0, ""),
        (&["init", "nothing"], 2, "there is no scenario nothing"),
        (&["run", "no-such-file.toml"], 3, "restart_mid_run"),
        (&["validate", text(&broken)], 3, "faults[1].participant: is missing; down needs it"),
        (
            &["validate", text(&unknown_key)],
            3,
            "server.node.lane_bacth: unknown key; did you mean node.lane_batch?",
        ),
        (&["run", "steady", "--target", nowhere], 4, "127.0.0.1:1"),
        (&["run", "steady", "--doorbuster", "/nowhere/doorbuster"], 4, "/nowhere/doorbuster"),
        (&["compare", text(&broken), text(&broken)], 2, "cannot read the summary"),
    ] {
        let output = loadtest(arguments).await;
        let talk = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {talk}");
        assert!(talk.contains(told), "{arguments:?}: {talk}");
    }
}
