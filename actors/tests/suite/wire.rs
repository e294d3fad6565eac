//! Inbound batches as they were when version 1 was published: every later version takes them apart in the same way.

use bus::ports::{Bus, Expect, Outgoing, StoreOutcome};
use domain::envelope::{Headers, Plane};
use serde_json::{Value, json};

use crate::world::{World, key_in, run, until};

fn golden(name: &str, made: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, made()).unwrap();
    }
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// One item for each of two partitions, with and without what an item may leave out, and one that cannot be read.
fn items() -> Value {
    let (here, there) = (key_in(0, "t"), key_in(1, "t"));
    let own = json!({"ce-id": "own", "ce-source": "/elsewhere"});
    json!([
        {"domain": "tally", "name": "add", "key": here, "headers": {}, "body": {"tally_id": here, "amount": 1}},
        {"domain": "tally", "name": "add", "key": there, "headers": own, "body": {"tally_id": there, "amount": 2}},
        {"domain": "tally", "name": "add", "key": here, "headers": {}, "body": {"amount": 3}},
        {"domain": "tally", "name": "add", "key": here, "body": {"amount": 4, "unknown": [null], "tally_id": here}},
    ])
}

/// The first two items of which the bodies are the bytes of messages alone.
fn with_bytes() -> Vec<u8> {
    let pack = |value: &Value| rmp_serde::to_vec_named(value).unwrap();
    let mut bytes = vec![0x92];
    for (place, item) in items().as_array().unwrap().iter().take(2).enumerate() {
        let mut headers = item["headers"].clone();
        let body = if place == 0 {
            item["body"].to_string().into_bytes()
        } else {
            headers["content-type"] = "application/msgpack".into();
            pack(&item["body"])
        };
        bytes.push(0x85);
        for (name, value) in [
            ("domain", &item["domain"]),
            ("name", &item["name"]),
            ("key", &item["key"]),
            ("headers", &headers),
        ] {
            bytes.extend(pack(&json!(name)));
            bytes.extend(pack(value));
        }
        bytes.extend(pack(&json!("body")));
        bytes.extend([0xc4, u8::try_from(body.len()).unwrap()]);
        bytes.extend(body);
    }
    bytes
}

#[test]
fn given_golden_batches_when_they_are_taken_then_they_mean_what_they_meant() {
    let cases = [
        (
            "inbound_batch.v1.json",
            "application/json",
            golden("inbound_batch.v1.json", || items().to_string().into()),
        ),
        (
            "inbound_batch.v1.msgpack",
            "application/msgpack",
            golden("inbound_batch.v1.msgpack", || rmp_serde::to_vec_named(&items()).unwrap()),
        ),
        (
            "inbound_batch.v1.bytes.msgpack",
            "application/msgpack",
            golden("inbound_batch.v1.bytes.msgpack", with_bytes),
        ),
    ];
    for (name, content_type, bytes) in cases {
        run(async {
            let mut world = World::new();
            let node = world.node().await;
            let (here, there) = (key_in(0, "t"), key_in(1, "t"));
            world.open(&node, &here).await;
            world.open(&node, &there).await;
            let is_whole = !name.contains("bytes");
            let subject = world.layout.inbound(Plane::Fact, "main", "tally", "batch", &here);
            let headers = Headers::new()
                .with("ce-id", "golden")
                .with("ce-source", "/test")
                .with("content-type", content_type);
            for _twice in 0..2 {
                let batch = Outgoing {
                    subject: subject.clone(),
                    headers: headers.clone(),
                    body: bytes.clone().into(),
                };
                let stored = world.memory.store(batch, Expect::Anything).await;
                assert!(matches!(stored, StoreOutcome::Stored(_)), "{stored:?}");
            }
            let sum = async |key: &str| world.view(&node, key).await.unwrap()["sum"].as_i64().unwrap();
            let expected = if is_whole { (5, 2) } else { (1, 2) };
            until(name, || async { (sum(&here).await, sum(&there).await) == expected }).await;
            let letters = if is_whole { 2 } else { 0 };
            until(name, || async { world.letters().await.len() == letters }).await;
            for (reason, id, letter) in world.letters().await {
                assert_eq!((reason.as_str(), id.as_str()), ("schema", "golden#2"), "{name}: {letter}");
            }
        });
    }
}
