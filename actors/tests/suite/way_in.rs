//! What arrives: batches, wrong messages, messages for others.

use domain::envelope::Plane;
use serde_json::{Value, json};

use crate::world::{World, identity, key_in, run, until};

/// Name, kind, body, a header more, and the reason and pointer of the dead letter.
type Case<'a> = (&'a str, &'a str, &'a str, Option<(&'a str, &'a str)>, &'a str, &'a str);

#[test]
fn given_wrong_messages_when_they_are_taken_then_each_is_a_dead_letter_and_the_lane_goes_on() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        let (here, there) = (key_in(0, "t"), key_in(1, "t"));
        world.open(&node, &here).await;
        let good = json!({"tally_id": here, "amount": 1}).to_string();
        let elsewhere = json!({"tally_id": there}).to_string();
        let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
        let long = json!({"tally_id": here, "note": "x".repeat(300 * 1024)}).to_string();
        let cases: [Case<'_>; 9] = [
            ("not JSON", "tally.add", "{", None, "schema", ""),
            ("too deep", "tally.add", &deep, None, "schema", ""),
            ("too long", "tally.add", &long, None, "oversize", ""),
            ("other key", "tally.add", &elsewhere, None, "schema", "/tally_id"),
            ("unknown type", "tally.explode", &good, None, "unknown_type", ""),
            (
                "other type",
                "tally.add",
                &good,
                Some(("ce-type", "retail.tally.open.v1")),
                "schema",
                "/headers/ce-type",
            ),
            (
                "major",
                "tally.add",
                &good,
                Some(("ce-type", "retail.tally.add.v9")),
                "version",
                "/headers/ce-type",
            ),
            (
                "content",
                "tally.add",
                &good,
                Some(("content-type", "text/plain")),
                "schema",
                "/headers/content-type",
            ),
            ("bad id", "tally.add", r#"{"tally_id": "o$1"}"#, None, "schema", "/tally_id"),
        ];
        for (name, kind, body, header, ..) in &cases {
            let mut headers = identity(name).to_vec();
            headers.extend(header);
            world.say_raw(Plane::Fact, kind, &here, body, &headers).await;
        }
        world.add(&here, 5, "good").await;
        world.until_version(&node, &here, 2).await;
        until("all dead letters are out", || async { world.letters().await.len() == cases.len() }).await;
        let letters = world.letters().await;
        for (name, _, body, _, reason, pointer) in cases {
            let (_, _, letter) = letters.iter().find(|(_, ce_id, _)| ce_id == name).expect(name);
            assert_eq!(letter["reason"], reason, "{name}");
            assert_eq!(letter["violations"][0]["pointer"], pointer, "{name}");
            assert_eq!(payload(letter), body, "{name}");
        }
    });
}

pub(crate) fn payload(letter: &Value) -> String {
    use base64::Engine;
    let text = letter["payload_base64"].as_str().unwrap();
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap()
}

fn item(key: &str, name: &str, body: &Value, headers: &Value) -> Value {
    json!({"domain": "tally", "name": name, "key": key, "headers": headers, "body": body})
}

#[test]
fn given_a_batch_for_two_partitions_when_it_is_taken_twice_then_each_item_is_taken_once_where_it_belongs() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        let (here, there) = (key_in(0, "t"), key_in(1, "t"));
        let add = |key: &str, amount: i64| json!({"tally_id": key, "amount": amount});
        world.open(&node, &here).await;
        world.open(&node, &there).await;
        let items = json!([
            item(&here, "add", &add(&here, 1), &json!({})),
            item(&there, "add", &add(&there, 2), &json!({})),
            item(&here, "add", &json!({}), &json!({"ce-id": "wrong one"})),
            {"domain": "other", "name": "add", "key": here, "headers": {}, "body": {}},
            {"name": "add"},
            item(&there, "add", &add(&there, 4), &json!({"ce-id": "own", "ce-source": "/own"})),
            item(&there, "add", &add(&there, 8), &json!({"x": "a\r\nb"})),
        ]);
        for _ in 0..2 {
            world.say(Plane::Fact, "tally.batch", &here, items.clone(), &identity("b")).await;
        }
        world.until_version(&node, &here, 2).await;
        world.until_version(&node, &there, 3).await;
        until("the wrong items are dead letters", || async { world.letters().await.len() == 8 }).await;
        let mut ids: Vec<_> = world.letters().await.into_iter().map(|(_, ce_id, _)| ce_id).collect();
        ids.sort();
        assert_eq!(ids, ["b#3", "b#3", "b#4", "b#4", "b#6", "b#6", "wrong one", "wrong one"]);
        until("the second batch is recognised", || async { node.metrics().repeated.get() == 3 }).await;
        assert_eq!(world.view(&node, &here).await.unwrap()["sum"], 1);
        assert_eq!(world.view(&node, &there).await.unwrap()["sum"], 6);
    });
}

#[test]
fn given_batches_that_are_none_when_they_are_taken_then_they_are_dead_letters_as_a_whole() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        let key = key_in(0, "t");
        let many: Vec<Value> =
            (0..65).map(|_| item(&key, "add", &json!({"tally_id": key}), &json!({}))).collect();
        world.say(Plane::Fact, "tally.batch", &key, json!({"items": []}), &identity("object")).await;
        world.say(Plane::Fact, "tally.batch", &key, json!(many), &identity("many")).await;
        world.say(Plane::Fact, "tally.batch", &key, json!([]), &identity("empty")).await;
        world.open(&node, &key).await;
        until("two dead letters", || async { world.letters().await.len() == 2 }).await;
        let mut letters: Vec<_> =
            world.letters().await.into_iter().map(|(reason, id, _)| (id, reason)).collect();
        letters.sort();
        let expected =
            [("many", "oversize"), ("object", "schema")].map(|(id, why)| (id.to_owned(), why.to_owned()));
        assert_eq!(letters, expected);
    });
}

#[test]
fn given_a_fact_in_message_pack_when_it_is_taken_then_it_means_the_same() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        world.open(&node, "t-1").await;
        let body = rmp_serde::to_vec_named(&json!({"tally_id": "t-1", "amount": 7})).unwrap();
        let headers = domain::envelope::Headers::new().with("content-type", "application/msgpack");
        let subject = world.layout.inbound(Plane::Fact, "main", "tally", "add", "t-1");
        let message = bus::ports::Outgoing { subject, headers, body: body.into() };
        world.bus.store(message, bus::ports::Expect::Anything).await;
        world.until_version(&node, "t-1", 2).await;
        assert_eq!(world.view(&node, "t-1").await.unwrap()["sum"], 7);
    });
}
