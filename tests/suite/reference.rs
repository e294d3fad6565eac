//! Reference data on a real nats-server: written by its owners into the bucket, watched by the product.

use std::time::Duration;

use bus::layout::StreamId;
use bus::nats::{NatsBus, NatsOptions, Setup};
use serde_json::Value;

use crate::http;
use crate::product::Serve;
use crate::until::until;
use crate::world::World;

const SOON: Duration = Duration::from_secs(20);

const NODE: &str = r#"{"kind":"store","region":"DE-BE","capacity_per_day":40,"sla_hours":24,"cost_minor":390,"pickup":true,"active":true}"#;

/// Waits until what is shown of reference data is as it should be.
async fn shown(serve: &Serve, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    until(SOON, what, || async {
        let answer = http::get(serve.port, "/api/v1/reference", &[]).await?;
        (answer.status == 200).then(|| answer.json()).filter(&is_it)
    })
    .await
}

#[tokio::test]
async fn values_in_the_bucket_are_read_before_the_start_and_watched_after_it_and_a_bad_one_changes_nothing() {
    let world = World::set_up().await;
    let bucket = async_nats::jetstream::new(world.client.clone())
        .get_key_value(world.layout.bucket(StreamId::Reference))
        .await
        .unwrap();
    bucket.put("node.berlin", NODE.into()).await.unwrap();
    bucket.put("node.berlin", NODE.into()).await.unwrap();
    bucket.put("item.SKU-A", r#"{"backorder":false}"#.into()).await.unwrap();
    let mut serve = Serve::started(&world.url, &[]).await;
    let first = serve.get("/api/v1/reference").await.json();
    assert_eq!((&first["revision"], &first["nodes"], &first["items"]), (&3.into(), &1.into(), &1.into()));

    bucket.put("node.hamburg", NODE.into()).await.unwrap();
    shown(&serve, "the second node", |shown| shown["nodes"] == 2).await;
    bucket.put("node.hamburg", r#"{"kind":"tent"}"#.into()).await.unwrap();
    let bad = shown(&serve, "the refused value", |shown| shown["refused"][0]["revision"] == 5).await;
    assert_eq!((&bad["nodes"], &bad["refused"][0]["key"]), (&2.into(), &"node.hamburg".into()));
    assert!(bad["refused"][0]["errors"][0]["message"].is_string(), "{bad}");
    let metrics = serve.get("/metrics").await.body;
    assert!(metrics.contains("doorbuster_reference_values_total{outcome=\"refused\"} 1\n"), "{metrics}");

    bucket.delete("node.berlin").await.unwrap();
    shown(&serve, "the deletion", |shown| shown["nodes"] == 1).await;
    bucket.put("node.hamburg", NODE.into()).await.unwrap();
    shown(&serve, "the good value", |shown| shown["refused"] == serde_json::json!([])).await;

    serve.kill_9().await;
    bucket.purge("node.hamburg").await.unwrap();
    serve.start();
    serve.until_ready().await;
    let last = serve.get("/api/v1/reference").await.json();
    assert_eq!((&last["nodes"], &last["items"]), (&0.into(), &1.into()), "{last}");
}

#[tokio::test]
async fn the_last_good_value_survives_restarts_and_the_api_says_which_revision_is_in_force_and_which_is_not()
{
    let world = World::set_up().await;
    let context = async_nats::jetstream::new(world.client.clone());
    // As an installation that kept one revision of each value made it.
    let name = world.layout.name(StreamId::Reference);
    let mut config = context.get_stream(&name).await.unwrap().cached_info().config.clone();
    (config.max_messages_per_subject, config.max_bytes) = (1, 64 << 20);
    context.update_stream(&config).await.unwrap();
    let bucket = context.get_key_value(world.layout.bucket(StreamId::Reference)).await.unwrap();
    bucket.put("node.berlin", NODE.into()).await.unwrap();
    let bus = NatsBus::connect(&NatsOptions::new(world.url.clone())).await.unwrap();
    let changed = Setup::new(&bus).apply(&world.layout).await.unwrap();
    let settings: Vec<_> = changed.iter().map(|difference| difference.setting).collect();
    assert_eq!(settings, ["max_bytes", "max_msgs_per_subject"], "{changed:?}");

    for bad in [r#"{"kind":"tent"}"#, "[]"] {
        bucket.put("node.berlin", bad.into()).await.unwrap();
    }
    let mut serve = Serve::started(&world.url, &[]).await;
    for _ in 0..2 {
        let shown = serve.get("/api/v1/reference").await.json();
        let refused = &shown["refused"][0];
        assert_eq!((&shown["nodes"], &shown["revision"]), (&1.into(), &3.into()), "{shown}");
        assert_eq!((&refused["revision"], &refused["in_force"]), (&3.into(), &1.into()), "{shown}");
        serve.kill_9().await;
        serve.start();
        serve.until_ready().await;
    }

    bucket.put("node.berlin", NODE.into()).await.unwrap();
    shown(&serve, "the good value", |shown| shown["refused"] == serde_json::json!([])).await;
    for _ in 0..8 {
        bucket.put("node.berlin", "[]".into()).await.unwrap();
    }
    let running = shown(&serve, "the eighth bad value", |shown| shown["refused"][0]["revision"] == 12).await;
    assert_eq!((&running["nodes"], &running["refused"][0]["in_force"]), (&1.into(), &4.into()));
    serve.kill_9().await;
    serve.start();
    serve.until_ready().await;
    let started = serve.get("/api/v1/reference").await.json();
    assert_eq!(
        (&started["nodes"], &started["refused"][0]["in_force"]),
        (&0.into(), &Value::Null),
        "{started}"
    );
}
