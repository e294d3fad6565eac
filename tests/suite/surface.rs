//! HTTP and core NATS, as a client sees them.

use std::time::Duration;

use bus::ports::Outgoing;
use bytes::Bytes;
use domain::envelope::Headers;

use crate::http;
use crate::product::{Serve, free_port, set_up};
use crate::until::until;
use crate::world::{World, card_order};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn an_order_can_be_read_with_etag_timeline_and_query() {
    let world = World::set_up().await;
    let serve = Serve::started(&world.url, &[]).await;
    world.submit("surface-1", &card_order("surface-1"), &[]).await;
    let answer = until(SOON, "the order", || async {
        http::get(serve.port, "/api/v1/orders/surface-1", &[]).await.filter(|answer| answer.status == 200)
    })
    .await;
    let view = answer.json();
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("etag"), format!("\"{}\"", view["version"]));
    assert_eq!(view["order_id"], "surface-1");
    assert_eq!(view["phase"], "reserving", "nobody answers for the card: {view}");

    let same = [("If-None-Match", answer.header("etag"))];
    assert_eq!(http::get(serve.port, "/api/v1/orders/surface-1", &same).await.unwrap().status, 304);

    let timeline = serve.get("/api/v1/orders/surface-1/timeline").await.json();
    let entries = timeline["entries"].as_array().unwrap();
    let versions: Vec<_> = entries.iter().map(|entry| entry["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, (1..=view["version"].as_u64().unwrap()).collect::<Vec<_>>());
    assert_eq!(entries[0]["cause"]["type"], "order.submit", "{timeline}");
    assert_eq!(entries[0]["events"][0]["type"], "order.received", "{timeline}");

    let subject = "retail.v1.query.main.order.status.surface-1".to_owned();
    let question = Outgoing { subject, headers: Headers::new(), body: Bytes::new() };
    let answer = world.bus.request(question, Duration::from_secs(5)).await.unwrap();
    let status: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(status["phase"], "reserving", "{status}");
    assert_eq!(status["version"], view["version"], "{status}");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_with_its_reason() {
    let world = World::set_up().await;
    let serve = Serve::started(&world.url, &[]).await;
    for (path, status) in [
        ("/api/v1/orders/never-submitted", 404),
        ("/api/v1/orders/never-submitted/timeline", 404),
        ("/api/v1/orders/a.b", 400),
        ("/nowhere", 404),
    ] {
        let answer = serve.get(path).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, "application/problem+json"),
            "{path}"
        );
        assert_eq!(answer.json()["status"], status, "{path}");
    }
    assert_eq!(serve.get("/livez").await.status, 200);
    let metrics = serve.get("/metrics").await;
    assert!(
        metrics.status == 200 && metrics.body.contains("\ndoorbuster_decisions_total "),
        "{}",
        metrics.body
    );
    assert!(serve.get("/readyz").await.json()["durability"].is_string());
}

#[tokio::test]
async fn serve_waits_for_nats_and_for_the_streams_and_says_so() {
    let mut serve = Serve::new(&format!("nats://127.0.0.1:{}", free_port()), &[]);
    serve.start();
    until(SOON, "the missing server on /readyz", || async {
        why_not_ready(serve.port).await.filter(|reason| reason.contains("nats://127.0.0.1"))
    })
    .await;
    assert_eq!(serve.end("INT").await, Some(0), "nothing to drain");

    let world = World::bare().await;
    let mut serve = Serve::new(&world.url, &[]);
    serve.start();
    until(SOON, "the remedy on /readyz", || async {
        why_not_ready(serve.port).await.filter(|reason| reason.contains("setup"))
    })
    .await;
    assert!(serve.is_running());
    set_up(&world.url, 8).await;
    serve.until_ready().await;
}

async fn why_not_ready(port: u16) -> Option<String> {
    let answer = http::get(port, "/readyz", &[]).await.filter(|answer| answer.status == 503)?;
    Some(answer.json()["detail"].as_str()?.to_owned())
}
