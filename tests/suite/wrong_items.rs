//! One wrong item in a batch, on a real nats-server: the others fare as if they had come alone.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::layout::StreamId;
use bus::ports::{Expect, Outgoing, StoreOutcome};
use domain::envelope::Headers;
use domain::ids::Key;
use serde_json::{Value, json};

use crate::http;
use crate::product::Serve;
use crate::until::until;
use crate::world::{World, card_order};

const WITHIN: Duration = Duration::from_mins(1);

fn item(order: &str) -> Value {
    let body: Value = serde_json::from_str(&card_order(order)).unwrap();
    json!({"domain": "order", "name": "submit", "key": order, "headers": {}, "body": body})
}

/// Each wrong item with the reason of its dead letter; one that belongs to another partition is none.
fn wrong() -> Vec<(&'static str, Value, Option<&'static str>)> {
    let with = |name: &str, value: Value| {
        let mut item = item("wrong");
        item[name] = value;
        item
    };
    let mut large = item("wrong");
    large["body"]["note"] = "x".repeat(257 * 1024).into();
    let mut nameless = item("wrong");
    nameless.as_object_mut().unwrap().remove("key");
    vec![
        ("elsewhere", item("o-elsewhere"), None),
        ("domain", with("domain", json!("payment")), Some("schema")),
        ("name", with("name", json!("nonsense")), Some("unknown_type")),
        ("batch", with("name", json!("batch")), Some("schema")),
        ("key", with("key", json!("a b")), Some("schema")),
        ("no-key", nameless, Some("schema")),
        ("foreign-key", with("key", json!("somebody-else")), Some("schema")),
        ("poison", json!(null), Some("schema")),
        ("body", with("body", json!({"order_id": "wrong"})), Some("schema")),
        ("version", with("headers", json!({"ce-type": "retail.order.submit.v9"})), Some("version")),
        ("large", large, Some("oversize")),
    ]
}

async fn publish(world: &World, id: &str, key: &str, items: &Value, is_packed: bool) {
    let headers = Headers::new().with("ce-id", id).with("ce-source", "/shop");
    let (headers, body) = if is_packed {
        (headers.with("content-type", "application/msgpack"), rmp_serde::to_vec_named(items).unwrap())
    } else {
        (headers, items.to_string().into_bytes())
    };
    let subject = format!("retail.v1.intake.main.order.batch.{key}");
    let stored = world.bus.store(Outgoing { subject, headers, body: body.into() }, Expect::Anything).await;
    assert!(matches!(stored, StoreOutcome::Stored(_)), "{id}: {stored:?}");
}

#[actix::test]
async fn each_wrong_item_alone_among_good_ones_is_a_dead_letter_and_the_batch_may_come_twice() {
    let world = World::set_up().await;
    let serve = Serve::started(&world.url, &[]).await;
    let (mut orders, mut expected) = (vec!["o-elsewhere".to_owned()], BTreeMap::new());
    for (what, wrong, reason) in wrong() {
        for is_packed in [false, true] {
            let id = format!("{what}-{}", if is_packed { "packed" } else { "json" });
            let (first, second) = (format!("{id}-a"), format!("{id}-b"));
            // The batch comes by the key of its first item; the second one may be of another partition.
            let items = json!([item(&first), wrong, item(&second)]);
            publish(&world, &id, &first, &items, is_packed).await;
            publish(&world, &id, &first, &items, is_packed).await;
            orders.extend([first, second]);
            if let Some(reason) = reason {
                expected.insert(format!("{id}#1"), (reason.to_owned(), 2));
            }
        }
    }
    assert!(orders.iter().any(|order| Key::new(order).unwrap().partition(8) == 0), "of many partitions");
    for order in &orders {
        let path = format!("/api/v1/orders/{order}");
        until(WITHIN, &format!("{order} is there"), || async {
            http::get(serve.port, &path, &[]).await.filter(|answer| answer.status == 200)
        })
        .await;
        let timeline = serve.get(&format!("{path}/timeline")).await.json();
        let submits = timeline["entries"].as_array().unwrap().iter();
        let submits = submits.filter(|entry| entry["cause"]["type"] == "order.submit").count();
        assert_eq!(submits, 1, "{timeline}");
    }
    let count = expected.len() * 2;
    let letters = until(WITHIN, "every wrong item is a dead letter", || async {
        let letters = world.stream(StreamId::Dlq).await;
        (letters.len() >= count).then_some(letters)
    })
    .await;
    let mut found: BTreeMap<String, (String, usize)> = BTreeMap::new();
    for letter in letters {
        let letter: Value = serde_json::from_slice(&letter.body).unwrap();
        let text = |name: &str| letter[name].as_str().unwrap().to_owned();
        let counted = found.entry(text("ce_id")).or_insert_with(|| (text("reason"), 0));
        counted.1 += 1;
    }
    // Twice, for the batch came twice; and nothing good is among them.
    assert_eq!(found, expected);
}
