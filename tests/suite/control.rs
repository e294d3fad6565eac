//! An operator at work on a running server: what is changed takes effect, and the audit has all of it.

use std::process::Output;
use std::time::Duration;

use bus::layout::StreamId;
use domain::decider::Participant;
use serde_json::Value;

use crate::http;
use crate::product::{Serve, free_port, run};
use crate::until::until;
use crate::world::{World, card_order};

const SOON: Duration = Duration::from_secs(30);

/// Runs a command against the server; `more` are its words.
async fn operate(port: u16, words: &[&str]) -> Output {
    let api = format!("http://127.0.0.1:{port}");
    run(&[words, &["--api", &api, "--json"]].concat()).await
}

/// Does an act that must succeed, and gives what the server said.
async fn act(port: u16, words: &[&str]) -> Value {
    let output = operate(port, &[words, &["--reason", "a test of it", "--yes"]].concat()).await;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{words:?}: {told} {}",
        String::from_utf8_lossy(&output.stdout)
    );
    serde_json::from_slice(&output.stdout).expect("stdout is one JSON object")
}

async fn phase(port: u16, order: &str) -> Option<String> {
    let answer = http::get(port, &format!("/api/v1/orders/{order}"), &[]).await?;
    Some(answer.json()["phase"].as_str()?.to_owned())
}

async fn until_reserving(port: u16, order: &str) {
    until(SOON, &format!("{order} reserves"), || async {
        phase(port, order).await.filter(|phase| phase == "reserving")
    })
    .await;
}

/// How many authorizations were sent.
async fn authorizations(world: &World) -> usize {
    world.stream(StreamId::Commands(Participant::Payment)).await.len()
}

async fn audit(port: u16) -> Vec<Value> {
    let output = operate(port, &["audit", "tail", "--limit", "500"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["entry"].clone()).collect()
}

async fn verify(port: u16) -> Value {
    let output = operate(port, &["audit", "verify"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn an_operator_stops_and_holds_work_and_the_audit_has_it_all() {
    let world = World::set_up().await;
    let serve = Serve::started(&world.url, &[]).await;
    let port = serve.port;

    let paused = act(port, &["flow", "pause"]).await;
    assert_eq!((&paused["applied"], &paused["after"]["paused"]), (&true.into(), &serde_json::json!(["all"])));
    world.submit("while-paused", &card_order("while-paused"), &[]).await;
    until(SOON, "the order waits", || async {
        let flow = serve.get("/api/v1/flow").await.json();
        (flow["queue_delay_ms"].as_u64() > Some(0)).then_some(())
    })
    .await;
    assert_ne!(phase(port, "while-paused").await.as_deref(), Some("reserving"));
    assert_eq!(authorizations(&world).await, 0, "nothing was begun");
    act(port, &["flow", "resume"]).await;
    until_reserving(port, "while-paused").await;
    until(SOON, "its authorization", || async { (authorizations(&world).await == 1).then_some(()) }).await;

    let opened = act(port, &["breaker", "force-open", "payment", "--ttl", "1h"]).await;
    assert_eq!((&opened["after"]["state"], &opened["after"]["forced"]), (&"open".into(), &"open".into()));
    assert!(opened["until"].is_string(), "{opened}");
    world.submit("while-open", &card_order("while-open"), &[]).await;
    until_reserving(port, "while-open").await;
    until(SOON, "its authorization waits", || async {
        let breaker = serve.get("/api/v1/breakers/payment").await.json();
        (breaker["waiting"] == 1).then_some(())
    })
    .await;
    assert_eq!(authorizations(&world).await, 1, "held back");
    act(port, &["breaker", "reset", "payment"]).await;
    until(SOON, "its authorization", || async { (authorizations(&world).await >= 2).then_some(()) }).await;

    act(port, &["flow", "bulkhead", "erp", "--max", "7"]).await;
    act(port, &["flow", "limit", "participant:erp", "--rate", "50", "--burst", "50"]).await;
    act(port, &["flow", "limit", "orders", "--cap", "1000"]).await;
    let flow = serve.get("/api/v1/flow").await.json();
    assert_eq!(flow["set"].as_array().unwrap().len(), 3, "{flow}");
    let erp = serve.get("/api/v1/flow/bulkheads/erp").await.json();
    assert_eq!((&erp["effective"], &erp["configured"]), (&7.into(), &10_000.into()), "{erp}");
    act(port, &["flow", "bulkhead", "erp", "--reset"]).await;
    let limit = serve.get("/api/v1/flow/limits/participant:erp").await.json();
    assert_eq!(limit["effective"]["rate"], 50, "the other limit stays: {limit}");

    act(port, &["flow", "drain"]).await;
    assert_eq!(serve.get("/readyz").await.status, 503, "a drained server takes no work");
    act(port, &["flow", "undrain"]).await;
    assert_eq!(serve.get("/readyz").await.status, 200);

    let metrics = serve.get("/metrics").await.body;
    for line in [
        "doorbuster_control_acts_total{outcome=\"applied\"} 10",
        "doorbuster_control_overrides{bound=\"there\"} 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }

    let entries = audit(port).await;
    assert_eq!(entries.len(), 20, "{entries:#?}");
    for pair in entries.chunks(2) {
        assert_eq!((&pair[0]["kind"], &pair[1]["kind"]), (&"intent".into(), &"outcome".into()), "{pair:#?}");
        assert_eq!(
            (&pair[1]["intent"], &pair[1]["result"]),
            (&pair[0]["id"], &"applied".into()),
            "{pair:#?}"
        );
        assert_eq!(pair[0]["reason"], "a test of it");
    }
    let verdict = verify(port).await;
    assert_eq!((&verdict["entries"], &verdict["open"]), (&20.into(), &serde_json::json!([])), "{verdict}");
}

#[tokio::test]
async fn an_operator_sees_who_holds_whom_back_and_sets_a_breaker_for_a_time() {
    let world = World::set_up().await;
    let serve = Serve::started(&world.url, &[]).await;
    let port = serve.port;
    let pressure = || async { serve.get("/api/v1/flow/backpressure").await.json() };
    let idle = pressure().await;
    assert_eq!(idle["held"], serde_json::json!([]), "{idle}");
    assert_eq!(idle["lanes"].as_array().map(Vec::len), Some(4), "{idle}");
    act(port, &["breaker", "force-open", "payment"]).await;
    world.submit("held", &card_order("held"), &[]).await;
    let held = until(SOON, "its authorization is held back", || async {
        let held = pressure().await["held"].as_array()?.clone();
        held.into_iter().find(|held| held["reason"] == "breaker")
    })
    .await;
    assert_eq!((&held["what"], &held["by"]), (&"commands to payment".into(), &"breaker payment".into()));
    act(port, &["breaker", "reset", "payment"]).await;
    act(port, &["flow", "pause"]).await;
    world.submit("paused", &card_order("paused"), &[]).await;
    until(SOON, "the order is held back", || async {
        let held = pressure().await["held"].as_array()?.clone();
        held.into_iter().find(|held| held["reason"] == "paused" && held["by"] == "an operator")
    })
    .await;
    let output = run(&["flow", "backpressure", "--api", &format!("http://127.0.0.1:{port}")]).await;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains("an operator") && told.contains("stream waiting"), "{told}");

    let set =
        act(port, &["breaker", "set", "erp", "--error-percent", "40", "--max-in-flight", "9", "--ttl", "1s"]);
    let set = set.await;
    assert_eq!(
        (&set["after"]["error_percent"], &set["after"]["max_in_flight"]),
        (&40.into(), &9.into()),
        "{set}"
    );
    until(SOON, "the configured settings", || async {
        let erp = serve.get("/api/v1/breakers/erp").await.json();
        (erp["settings"]["error_percent"] == 60 && erp["settings_changed"] == false).then_some(())
    })
    .await;
    act(port, &["flow", "bulkhead", "erp", "--max", "7"]).await;
    let words = ["breaker", "set", "erp", "--max-in-flight", "9", "--reason", "a test of it"];
    let refused = operate(port, &words).await;
    assert_eq!(refused.status.code(), Some(6), "the bulkhead would go before it");
    let words =
        ["breaker", "set", "erp", "--rate-per-second", "5000", "--burst", "1", "--reason", "a test of it"];
    assert_eq!(operate(port, &words).await.status.code(), Some(2), "such a burst cannot reach that rate");
    assert_eq!(verify(port).await["intact"], true);
}

#[tokio::test]
async fn an_operator_sets_watermarks_for_a_time_and_sees_how_full_each_bound_is() {
    let world = World::set_up().await;
    let serve = Serve::started(&world.url, &[]).await;
    let port = serve.port;
    let pressure = || async { serve.get("/api/v1/flow/backpressure").await.json() };
    act(port, &["flow", "pause"]).await;
    world.submit("paused", &card_order("paused"), &[]).await;
    until(SOON, "the order is held back", || async {
        (pressure().await["lanes"][2]["messages"] == 1).then_some(())
    })
    .await;
    let words =
        ["flow", "backpressure", "--patience-normal-ms", "30000", "--class", "market=low", "--ttl", "1s"];
    let set = act(port, &words).await;
    let (before, after) = (&set["before"]["effective"], &set["after"]["effective"]);
    assert_eq!(
        (&before["patience_normal_ms"], &after["patience_normal_ms"]),
        (&0.into(), &30_000.into()),
        "{set}"
    );
    assert_eq!(
        (&before["classes"]["market"], &after["classes"]["market"]),
        (&Value::Null, &"low".into()),
        "{set}"
    );
    until(SOON, "the configured watermarks", || async {
        let marks = pressure().await["watermarks"].clone();
        (marks["effective"] == marks["configured"]).then_some(())
    })
    .await;
    act(port, &["flow", "backpressure", "--lane-batch", "7"]).await;
    let metrics = serve.get("/metrics").await.body;
    for line in [
        "doorbuster_backpressure{watermark=\"lane_batch\"} 7",
        "doorbuster_lane_messages{stream=\"intake\",bound=\"most\"} 7",
        "doorbuster_lane_messages{stream=\"intake\",bound=\"there\"} 1",
        "doorbuster_lane_bytes{stream=\"replies\",bound=\"most\"} 2097152",
        "doorbuster_inputs_under_way{bound=\"most\"} 2000",
        "doorbuster_receipts_waiting{bound=\"there\"} 0",
        "doorbuster_outputs_waiting{bound=\"most\"} 64",
        "doorbuster_queue_known{bound=\"most\"} 200000",
        "doorbuster_idempotency_keys{bound=\"most\"} 10000",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }
    act(port, &["flow", "backpressure", "--reset"]).await;
    assert_eq!(pressure().await["watermarks"]["effective"]["lane_batch"], 500);
    assert_eq!(verify(port).await["intact"], true);
}

#[tokio::test]
async fn what_is_set_for_a_time_ends_by_itself_and_what_is_set_ends_with_the_process() {
    let world = World::set_up().await;
    let mut serve = Serve::started(&world.url, &[]).await;
    let port = serve.port;
    act(port, &["flow", "pause", "--ttl", "1s"]).await;
    let entries = until(SOON, "the end of the pause", || async {
        Some(audit(port).await).filter(|entries| entries.len() == 3)
    })
    .await;
    assert_eq!(
        (&entries[2]["kind"], &entries[2]["result"]),
        (&"reverted".into(), &"applied".into()),
        "{entries:#?}"
    );
    assert_eq!(serve.get("/api/v1/flow").await.json()["mode"], "open");

    act(port, &["flow", "pause"]).await;
    serve.kill_9().await;
    serve.start();
    serve.until_ready().await;
    let flow = serve.get("/api/v1/flow").await.json();
    assert_eq!((&flow["mode"], &flow["set"]), (&"open".into(), &serde_json::json!([])), "{flow}");
    act(port, &["flow", "drain"]).await;
    let verdict = verify(port).await;
    assert_eq!((&verdict["entries"], &verdict["intact"]), (&7.into(), &true.into()), "{verdict}");
}

#[tokio::test]
async fn the_same_key_does_it_once() {
    let world = World::set_up().await;
    let serve = Serve::started(&world.url, &[]).await;
    let pause = ["flow", "pause", "--scope", "channel:web", "--idempotency-key", "shift-7"];
    let first = act(serve.port, &pause).await;
    assert_eq!(act(serve.port, &pause).await, first);
    let other = ["flow", "pause", "--scope", "channel:app", "--idempotency-key", "shift-7"];
    let output = operate(serve.port, &[&other[..], &["--reason", "a test of it", "--yes"]].concat()).await;
    assert_eq!(output.status.code(), Some(2));
    let problem: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(problem["code"], "idempotency_key_reused", "{problem}");
    assert_eq!(verify(serve.port).await["entries"], 2);
}

#[tokio::test]
async fn a_mistake_is_told_with_field_value_and_remedy_and_its_exit_code() {
    let world = World::set_up().await;
    let serve = Serve::started(&world.url, &[]).await;
    let api = format!("http://127.0.0.1:{}", serve.port);
    let reason = ["--reason", "a test of it", "--yes"];
    for (words, code, told) in [
        (
            &["flow", "pause", "--scope", "shop"][..],
            2,
            "--> /scope = \"shop\": \"shop\" is no scope: expected `all`",
        ),
        (&["flow", "pause", "--ttl", "8d"], 2, "--> /ttl_ms = 691200000: must be from 1000 to 604800000 ms"),
        (&["flow", "pause", "--scope", "partition:99"], 7, "known are: 0 to 7"),
        (&["flow", "resume"], 6, "all is not paused; paused is nothing"),
        (&["flow", "undrain"], 6, "is not drained"),
        (&["flow", "limit", "none", "--rate", "5"], 7, "known are: orders, memory, rate"),
        (&["flow", "limit", "orders", "--rate", "5"], 2, "--> /rate = 5: orders has only a cap"),
        (&["flow", "limit", "orders", "--cap", "0"], 2, "--> /cap = 0: must be from 1 to"),
        (&["flow", "limit", "participant:erp", "--rate", "5000", "--burst", "1"], 2, "cannot be reached"),
        (
            &["flow", "backpressure", "--live-orders-least", "60000"],
            2,
            "must be at most 50000, the limit orders",
        ),
        (&["flow", "backpressure", "--reset", "--lane-batch", "5"], 2, "--reset takes no watermarks"),
        (&["flow", "backpressure", "--ttl", "2h"], 2, "a reason or a time, but no watermarks"),
        (&["flow", "limit", "orders"], 2, "a reason or a time, but no numbers"),
        (&["flow", "bulkhead", "erp"], 2, "a reason or a time, but no number"),
        (&["breaker", "set", "erp"], 2, "a reason or a time, but no numbers"),
        (&["flow", "backpressure", "--class", "web=urgent"], 2, "--> /classes/web = \"urgent\""),
        (&["flow", "bulkhead", "erp", "--max", "0"], 2, "--> /max_in_flight = 0: must be from 1"),
        (&["breaker", "reset", "sap"], 7, "known are: loyalty, payment"),
    ] {
        let output = run(&[words, &reason, &["--api", &api]].concat()).await;
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
        assert!(stderr.starts_with("error[") && stderr.contains(told), "{words:?}: {stderr}");
    }
    let output = run(&["flow", "pause", "--api", &api]).await;
    assert_eq!(output.status.code(), Some(2), "nobody is there to be asked for a reason");
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let output = run(&["flow", "show", "--api", &nowhere]).await;
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains(&nowhere) && stderr.contains("doorbuster serve"), "{stderr}");
    let entries = audit(serve.port).await;
    assert!(entries.iter().all(|entry| entry["kind"] == "refused"), "nothing was begun: {entries:#?}");
    assert_eq!(verify(serve.port).await["entries"], 8, "one for each act that can be, but not now");
}
