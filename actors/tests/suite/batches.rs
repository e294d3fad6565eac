//! Several messages in one, in both formats: one wrong item concerns no other, and each has its own outcome.

use actors::Node;
use base64::Engine;
use bus::layout::{Lane, StreamId};
use bus::ports::{Bus, Expect, Outgoing, StoreOutcome};
use domain::envelope::{Headers, Plane};
use serde_json::{Value, json};

use crate::receipts::inbox;
use crate::way_in::payload;
use crate::world::{World, identity, key_in, pass, run, until};

fn item(name: &str, key: &str, body: &Value, headers: &Value) -> Value {
    json!({"domain": "tally", "name": name, "key": key, "headers": headers, "body": body})
}

fn add(key: &str, amount: i64) -> Value {
    item("add", key, &json!({"tally_id": key, "amount": amount}), &json!({}))
}

pub(crate) fn pack(value: &Value) -> Vec<u8> {
    rmp_serde::to_vec_named(value).unwrap()
}

pub(crate) async fn publish(world: &World, plane: Plane, key: &str, headers: Headers, body: Vec<u8>) {
    let subject = world.layout.inbound(plane, "main", "tally", "batch", key);
    let message = Outgoing { subject, headers, body: body.into() };
    let stored = world.memory.store(message, Expect::Anything).await;
    assert!(matches!(stored, StoreOutcome::Stored(_)), "{stored:?}");
}

pub(crate) fn named(id: &str) -> Headers {
    Headers::new().with("ce-id", id).with("ce-source", "/test")
}

pub(crate) fn packed(id: &str) -> Headers {
    named(id).with("content-type", "application/msgpack")
}

pub(crate) async fn sum(world: &World, node: &Node, key: &str) -> i64 {
    world.view(node, key).await.map_or(0, |view| view["sum"].as_i64().unwrap())
}

/// What each wrong item is, and the reason and pointer of its dead letter.
fn poisons(here: &str) -> Vec<(Value, &'static str, &'static str)> {
    let body = json!({"tally_id": here, "amount": 1});
    let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
    let with = |name: &str, value: Value| {
        let mut item = add(here, 1);
        item[name] = value;
        item
    };
    let without = |name: &str| {
        let mut item = add(here, 1);
        item.as_object_mut().unwrap().remove(name);
        item
    };
    vec![
        (json!(null), "schema", ""),
        (json!(7), "schema", ""),
        (json!("text"), "schema", ""),
        (json!(["tally", "add", here, {}, body]), "schema", ""),
        (without("key"), "schema", "/key"),
        (without("name"), "schema", "/name"),
        (without("domain"), "schema", "/domain"),
        (without("body"), "schema", "/body"),
        (with("key", json!("a b")), "schema", "/key"),
        (with("key", json!(7)), "schema", "/key"),
        (with("name", json!("Add")), "schema", "/name"),
        (with("name", json!("batch")), "schema", "/name"),
        (with("domain", json!("other")), "schema", "/domain"),
        (with("headers", json!({"x": 1})), "schema", "/headers"),
        (with("headers", json!(["x"])), "schema", "/headers"),
        (with("headers", json!({"ce-type": "retail.tally.open.v1"})), "schema", "/headers/ce-type"),
        (with("headers", json!({"ce-type": "retail.tally.add.v9"})), "version", "/headers/ce-type"),
        (with("body", json!("text")), "schema", ""),
        (with("body", json!({"amount": 1})), "schema", ""),
        (with("body", deep), "schema", ""),
        (with("body", json!({"tally_id": here, "note": "x".repeat(257 * 1024)})), "oversize", ""),
        (with("name", json!("explode")), "unknown_type", ""),
    ]
}

#[test]
fn given_one_wrong_item_of_each_kind_when_the_batch_is_taken_then_it_alone_is_a_dead_letter() {
    for format in ["json", "msgpack"] {
        run(async {
            let mut world = World::new();
            let node = world.node().await;
            let (here, there) = (key_in(0, "t"), key_in(1, "t"));
            world.open(&node, &here).await;
            world.open(&node, &there).await;
            let poisons = poisons(&here);
            for (place, (poison, ..)) in poisons.iter().enumerate() {
                let mut items: Vec<Value> =
                    (0..63).map(|n| add(if n % 2 == 0 { &here } else { &there }, 1)).collect();
                items.insert(place * 2, poison.clone());
                let items = Value::Array(items);
                let id = format!("b{place}");
                match format {
                    "json" => publish(&world, Plane::Fact, &here, named(&id), items.to_string().into()).await,
                    _ => publish(&world, Plane::Fact, &here, packed(&id), pack(&items)).await,
                }
            }
            let (count, all) = (poisons.len(), i64::try_from(poisons.len()).unwrap());
            until("every other item is counted", || async {
                (sum(&world, &node, &here).await, sum(&world, &node, &there).await) == (32 * all, 31 * all)
            })
            .await;
            until("each wrong item is a dead letter", || async { world.letters().await.len() == count })
                .await;
            let letters = world.letters().await;
            for (place, (poison, reason, pointer)) in poisons.into_iter().enumerate() {
                let id = format!("b{place}#{}", place * 2);
                let (_, _, letter) = letters.iter().find(|(_, ce_id, _)| *ce_id == id).expect(&id);
                assert_eq!(letter["reason"], reason, "{format} {poison}");
                assert_eq!(letter["violations"][0]["pointer"], pointer, "{format} {poison}");
                let kept = poison.get("body").unwrap_or(&poison);
                let bytes = base64::engine::general_purpose::STANDARD
                    .decode(letter["payload_base64"].as_str().unwrap())
                    .unwrap();
                let expected = if format == "json" { kept.to_string().into_bytes() } else { pack(kept) };
                assert!(bytes == expected, "{format} {poison}: the bytes that came are kept");
            }
            until("all batches are consumed", || async {
                let end = world.memory.bounds(&world.layout.name(StreamId::Work)).await.unwrap();
                end.messages <= 1 || node.metrics().inputs[Lane::Work.index()].get() == count as u64
            })
            .await;
        });
    }
}

#[test]
fn given_large_items_when_they_share_a_message_then_each_may_have_what_a_message_may_have() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        let key = key_in(0, "t");
        world.open(&node, &key).await;
        let large = |amount: i64| {
            item(
                "add",
                &key,
                &json!({"tally_id": key, "amount": amount, "note": "x".repeat(64 * 1024 - 80)}),
                &json!({}),
            )
        };
        // As many as fit into the largest message.
        let items = Value::Array((0..15).map(|_| large(1)).collect());
        world.say(Plane::Fact, "tally.batch", &key, items, &identity("large")).await;
        until("all are counted", || async { sum(&world, &node, &key).await == 15 }).await;
    });
}

#[test]
fn given_a_batch_again_with_other_content_when_it_is_taken_then_each_changed_item_is_a_conflict() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        let (here, there) = (key_in(0, "t"), key_in(1, "t"));
        world.open(&node, &here).await;
        world.open(&node, &there).await;
        for amount in [1, 2] {
            let items = json!([add(&here, 10), add(&here, amount), add(&there, amount), add(&there, 10)]);
            world.say(Plane::Fact, "tally.batch", &there, items, &identity("same")).await;
        }
        until("two conflicts", || async { world.letters().await.len() == 2 }).await;
        let mut letters: Vec<_> =
            world.letters().await.into_iter().map(|(reason, id, letter)| (id, reason, letter)).collect();
        letters.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!((letters[0].0.as_str(), letters[0].1.as_str()), ("same#1", "conflict"));
        assert_eq!((letters[1].0.as_str(), letters[1].1.as_str()), ("same#2", "conflict"));
        assert_eq!(payload(&letters[1].2), json!({"tally_id": there, "amount": 2}).to_string());
        assert_eq!((sum(&world, &node, &here).await, sum(&world, &node, &there).await), (11, 11));
        // Without ids of its own a batch is another one each time, and an item that is there twice is so once.
        let twice = json!([
            item("add", &here, &json!({"tally_id": here, "amount": 100}), &json!({"ce-id": "twin"})),
            item("add", &here, &json!({"tally_id": here, "amount": 100}), &json!({"ce-id": "twin"})),
            add(&here, 1000)
        ]);
        for _ in 0..2 {
            world.say(Plane::Fact, "tally.batch", &here, twice.clone(), &[("ce-source", "/test")]).await;
        }
        until("both are taken", || async { sum(&world, &node, &here).await == 2111 }).await;
        assert_eq!(world.letters().await.len(), 2);
    });
}

#[test]
fn given_items_that_ask_for_receipts_when_they_are_settled_then_each_has_its_own() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        let heard = inbox(&world).await;
        let (here, there) = (key_in(0, "r"), key_in(1, "r"));
        let own = json!({"Reply-To": "_INBOX.own", "ce-id": "own"});
        let hostile = json!({"Reply-To": "shop.x", "ce-id": "hostile"});
        let waits = json!({"tally_id": here, "waits": true});
        let items = json!([
            item("open", &here, &waits, &json!({"Receipt-Deadline-Ms": "200"})),
            item("open", &there, &json!({"tally_id": there}), &own),
            item("open", &there, &json!({"tally_id": there}), &hostile),
            item("open", &there, &json!([]), &json!({})),
            item(
                "open",
                "late",
                &json!({"tally_id": "late"}),
                &json!({"ce-expirytime": "2020-01-01T00:00:00Z"})
            ),
        ]);
        let headers = [("ce-id", "b"), ("ce-source", "/test"), ("Reply-To", "_INBOX.batch")];
        world.say(Plane::Intake, "tally.batch", &here, items, &headers).await;
        pass(3_000).await;
        let mut told: Vec<(String, String)> = heard
            .borrow()
            .iter()
            .map(|receipt| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let code = text(&receipt["reason"]["code"]);
                (text(&receipt["order_id"]), format!("{} {code}", text(&receipt["outcome"])))
            })
            .collect();
        told.sort();
        let expected = [
            (here.as_str(), "pending "),
            (there.as_str(), "accepted "),
            (there.as_str(), "rejected schema_invalid"),
            ("late", "rejected expired"),
        ];
        let mut expected = expected.map(|(key, outcome)| (key.to_owned(), outcome.to_owned()));
        expected.sort();
        assert_eq!(told, expected);
        assert_eq!(world.version(&node, &there).await, 1);
        let many = Value::Array((0..65).map(|_| add(&here, 1)).collect());
        world.say(Plane::Ask, "tally.batch", &here, many, &headers).await;
        until("the whole batch is refused", || async { heard.borrow().len() == 5 }).await;
        assert_eq!(heard.borrow()[4]["reason"]["code"], "oversize");
    });
}

#[test]
fn given_message_pack_batches_on_every_plane_when_they_are_taken_then_bodies_may_be_values_or_bytes() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        let (here, there) = (key_in(0, "t"), key_in(1, "t"));
        let open = |key: &str| item("open", key, &json!({"tally_id": key}), &json!({}));
        let opens = pack(&json!([open(&here), open(&there)]));
        publish(&world, Plane::Intake, &here, packed("intake"), opens).await;
        world.until_version(&node, &here, 1).await;
        world.until_version(&node, &there, 1).await;
        let mut expected = 0;
        for plane in [Plane::Fact, Plane::Reply, Plane::Bulk, Plane::Ask] {
            let body = |key: &str, amount: i64| json!({"tally_id": key, "amount": amount});
            let mut bytes = vec![0x94];
            bytes.extend(pack(&add(&here, 1)));
            bytes.extend(pack(&add(&there, 1)));
            bytes.extend(with_bytes(&here, &body(&here, 10).to_string().into_bytes(), &json!({})));
            let in_pack = json!({"content-type": "application/msgpack"});
            bytes.extend(with_bytes(&there, &pack(&body(&there, 10)), &in_pack));
            publish(&world, plane, &there, packed(plane.as_str()), bytes).await;
            expected += 11;
            until(&format!("those on {} are counted", plane.as_str()), || async {
                (sum(&world, &node, &here).await, sum(&world, &node, &there).await) == (expected, expected)
            })
            .await;
        }
        assert!(world.letters().await.is_empty());
    });
}

/// An item whose body is `bin`.
pub(crate) fn with_bytes(key: &str, body: &[u8], headers: &Value) -> Vec<u8> {
    let mut bytes = vec![0x85];
    for (name, value) in
        [("domain", &json!("tally")), ("name", &json!("add")), ("key", &json!(key)), ("headers", headers)]
    {
        bytes.extend(pack(&json!(name)));
        bytes.extend(pack(value));
    }
    bytes.extend(pack(&json!("body")));
    bytes.extend([0xc4, u8::try_from(body.len()).unwrap()]);
    bytes.extend(body);
    bytes
}

#[test]
fn given_hostile_message_pack_when_it_is_taken_then_it_is_a_dead_letter_and_the_lane_goes_on() {
    run(async {
        let mut world = World::new();
        let node = world.node().await;
        let key = key_in(0, "t");
        world.open(&node, &key).await;
        let field = |name: &str, value: &[u8]| {
            let mut bytes = vec![0x82];
            for part in [&pack(&json!("tally_id"))[..], &pack(&json!(key)), &pack(&json!(name)), value] {
                bytes.extend(part);
            }
            bytes
        };
        let mut nested = vec![0x91; 200_000];
        nested.push(0xc0);
        let mut trailing = pack(&json!({"tally_id": key, "amount": 1}));
        trailing.push(0xc0);
        let cases: Vec<(&str, Vec<u8>)> = vec![
            ("nested field", field("note", &nested)),
            ("huge array", vec![0xdd, 0xff, 0xff, 0xff, 0xff]),
            ("huge map", vec![0xdf, 0xff, 0xff, 0xff, 0xff]),
            ("huge text", vec![0xdb, 0xff, 0xff, 0xff, 0xff]),
            ("huge bin", field("note", &[0xc6, 0xff, 0xff, 0xff, 0xff])),
            ("extension", field("amount", &[0xd4, 1, 0])),
            ("reserved", field("amount", &[0xc1])),
            ("not a number", field("amount", &[0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0])),
            ("fraction", field("amount", &[0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0])),
            ("too great", field("amount", &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
            ("twice", field("tally_id", &pack(&json!(key)))),
            ("trailing", trailing),
            ("empty", Vec::new()),
        ];
        let bomb = nested[1..].to_vec();
        publish(&world, Plane::Fact, &key, packed("bomb"), nested).await;
        until("its row is a dead letter", || async { world.letters().await.len() == 1 }).await;
        let (_, id, letter) = world.letters().await.remove(0);
        let expected = base64::engine::general_purpose::STANDARD.encode(&bomb);
        assert_eq!((id.as_str(), &letter["payload_base64"]), ("bomb#0", &json!(expected)));
        for (name, body) in &cases {
            let subject = world.layout.inbound(Plane::Fact, "main", "tally", "add", &key);
            let message = Outgoing { subject, headers: packed(name), body: body.clone().into() };
            world.memory.store(message, Expect::Anything).await;
            publish(&world, Plane::Fact, &key, packed(&format!("batch {name}")), body.clone()).await;
        }
        world.add(&key, 5, "good").await;
        world.until_version(&node, &key, 2).await;
        until("all are dead letters", || async { world.letters().await.len() == 1 + 2 * cases.len() }).await;
        for (name, body) in cases {
            for id in [name.to_owned(), format!("batch {name}")] {
                let letters = world.letters().await;
                let (reason, _, letter) = letters.iter().find(|(_, ce_id, _)| *ce_id == id).expect(&id);
                // An array that says of itself that it is too long is not looked into.
                let expected = if id == "batch huge array" { "oversize" } else { "schema" };
                assert_eq!(reason, expected, "{id}");
                let text = base64::engine::general_purpose::STANDARD.encode(&body);
                assert_eq!(letter["payload_base64"], text, "{id}");
            }
        }
    });
}
