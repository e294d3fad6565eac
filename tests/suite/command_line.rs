//! What a command says and how it ends.

use std::time::Instant;

use crate::product::{code, free_port, run};
use crate::world::World;

#[tokio::test]
async fn a_wrong_flag_is_bad_usage_and_the_version_is_not() {
    assert_eq!(code(&["setup", "--no-such-flag"]).await, 2);
    assert_eq!(code(&["nonsense"]).await, 2);
    assert_eq!(code(&["demo", "--orders", "none"]).await, 2);
    let version = run(&["--version"]).await;
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(
        String::from_utf8_lossy(&version.stdout).trim(),
        format!("doorbuster {}", env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test]
async fn set_up_without_a_server_gives_up_with_a_remedy() {
    let nowhere = format!("nats://127.0.0.1:{}", free_port());
    let begin = Instant::now();
    let output = run(&["setup", "--nats", &nowhere, "--apply"]).await;
    assert_eq!(output.status.code(), Some(3));
    assert!(begin.elapsed().as_secs() < 15, "took {:?}, promised are 10 s", begin.elapsed());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains(&nowhere) && told.contains("remedy:"), "{told}");
}

#[tokio::test]
async fn set_up_shows_the_difference_makes_it_go_and_finds_nothing_then() {
    let world = World::bare().await;
    let set_up = |flag: &'static str| {
        let url = world.url.clone();
        async move { run(&["setup", "--nats", &url, flag]).await }
    };
    let first = set_up("--diff").await;
    assert_eq!(first.status.code(), Some(1), "an empty server differs");
    assert!(
        String::from_utf8_lossy(&first.stdout).contains("RETAIL_INTAKE"),
        "the difference names the streams"
    );
    assert_eq!(set_up("--apply").await.status.code(), Some(0));
    for flag in ["--apply", "--diff"] {
        let again = set_up(flag).await;
        assert_eq!(again.status.code(), Some(0), "{flag} a second time");
    }
    let other = run(&["setup", "--nats", &world.url, "--partitions", "4", "--apply"]).await;
    assert_ne!(other.status.code(), Some(0), "the number of partitions is fixed");
    let told = String::from_utf8_lossy(&other.stderr);
    assert!(told.contains("partitions"), "{told}");
}

#[tokio::test]
async fn serve_refuses_to_listen_to_the_world() {
    let output = run(&["serve", "--http", "0.0.0.0:8470"]).await;
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("loopback") && told.contains("proxy"), "{told}");
}

#[tokio::test]
async fn a_bad_configuration_file_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("doorbuster.toml");
    std::fs::write(&file, "[nats]\nurll = \"nats://x\"\n").unwrap();
    let output = run(&["serve", "-c", file.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("doorbuster.toml:2: unknown key `nats.urll`"), "{told}");
}

/// The one object on stdout, with the fields of the contract.
fn check_demo(output: &std::process::Output, orders: u64) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}\n{}", String::from_utf8_lossy(&output.stdout));
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("stdout is one JSON object");
    assert_eq!(report["seed"], 7, "{report}");
    assert_eq!(report["orders"]["submitted"], orders, "{report}");
    assert_eq!(report["orders"]["open"], 0, "{report}");
    let ended: u64 =
        ["completed", "cancelled", "rejected"].iter().filter_map(|end| report["orders"][end].as_u64()).sum();
    assert_eq!(ended, orders, "{report}");
    assert!(report["orders"]["completed"].as_u64() > Some(orders / 2), "{report}");
    assert_eq!(report["audit"]["clean"], true, "{report}");
    assert!(report["audit"]["checks"].as_u64() > Some(orders), "{report}");
    assert_eq!(report["audit"]["violations"], serde_json::json!([]), "{report}");
    assert!(
        report["seconds"].as_f64() > Some(0.0) && report["orders_per_second"].as_f64() > Some(0.0),
        "{report}"
    );
    for share in ["p50", "p99", "p999", "max"] {
        assert!(report["latency_ms"]["submit_to_committed"][share].is_number(), "{share}: {report}");
    }
    assert!(report["durability"].is_string(), "{report}");
}

#[tokio::test]
async fn the_demo_in_memory_ends_clean() {
    check_demo(&run(&["demo", "--json", "--orders", "500", "--seed", "7"]).await, 500);
}

#[tokio::test]
async fn the_demo_on_a_real_server_ends_clean_and_leaves_nothing_behind() {
    let world = World::bare().await;
    check_demo(&run(&["demo", "--json", "--orders", "500", "--seed", "7", "--nats", &world.url]).await, 500);
    assert_eq!(world.stream_names().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_demo_with_participants_in_batches_ends_clean() {
    let world = World::bare().await;
    let batched = ["demo", "--json", "--batch", "--mix", "standard", "--orders", "500", "--seed", "7"];
    check_demo(&run(&batched).await, 500);
    check_demo(&run(&[&batched[..], &["--nats", &world.url]].concat()).await, 500);
}

#[tokio::test]
async fn the_demo_in_message_pack_ends_clean() {
    let world = World::bare().await;
    let packed = ["demo", "--json", "--format", "msgpack", "--orders", "300", "--seed", "7"];
    check_demo(&run(&packed).await, 300);
    check_demo(&run(&[&packed[..], &["--batch", "--nats", &world.url]].concat()).await, 300);
}

#[tokio::test]
async fn the_demo_without_a_nats_server_in_reach_says_what_to_do() {
    let nowhere = format!("nats://127.0.0.1:{}", free_port());
    let output = run(&["demo", "--orders", "10", "--nats", &nowhere]).await;
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("remedy:"));
}
