//! Inbound batches as they were when version 1 was published: every later version takes them apart in the same way.

use domain::envelope::Plane;
use serde_json::{Value, json};

use crate::batches::{self, named, pack, publish, sum};
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

/// The first two items, of which the bodies are the bytes of messages alone.
fn with_bytes() -> Vec<u8> {
    let (here, there) = (key_in(0, "t"), key_in(1, "t"));
    let first = json!({"tally_id": here, "amount": 1}).to_string();
    let second = pack(&json!({"tally_id": there, "amount": 2}));
    let mut bytes = vec![0x92];
    bytes.extend(batches::with_bytes(&here, first.as_bytes(), &json!({})));
    let own = json!({"ce-id": "own", "ce-source": "/elsewhere", "content-type": "application/msgpack"});
    bytes.extend(batches::with_bytes(&there, &second, &own));
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
            golden("inbound_batch.v1.msgpack", || pack(&items())),
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
            for _twice in 0..2 {
                let headers = named("golden").with("content-type", content_type);
                publish(&world, Plane::Fact, &here, headers, bytes.clone()).await;
            }
            let expected = if is_whole { (5, 2) } else { (1, 2) };
            until(name, || async {
                (sum(&world, &node, &here).await, sum(&world, &node, &there).await) == expected
            })
            .await;
            let letters = if is_whole { 2 } else { 0 };
            until(name, || async { world.letters().await.len() == letters }).await;
            for (reason, id, letter) in world.letters().await {
                assert_eq!((reason.as_str(), id.as_str()), ("schema", "golden#2"), "{name}: {letter}");
            }
        });
    }
}
