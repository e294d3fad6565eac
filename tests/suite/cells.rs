//! Stock in one process: what is set aside for a promotion, what the outside is told of a cell, and what somebody has to look at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actors::Node;
use bus::layout::{Layout, StreamId};
use bus::ports::{Expect, Outgoing, SharedBus, StoreOutcome};
use bytes::Bytes;
use domain::envelope::{Headers, Plane};
use domain::further::Further;
use domain::ids::{EntityId, Key, Token};
use doorbuster::config::Config;
use doorbuster::worklist::{Question, Show, Worklist};
use doorbuster::{composition, product};
use serde_json::{Value, json};

use crate::until::until;

/// Longer than anything here takes on a machine that builds something else at the same time.
const SOON: Duration = Duration::from_mins(1);

struct Shop {
    bus: SharedBus,
    layout: Layout,
    node: Node,
    worklist: Worklist,
}

impl Shop {
    async fn open(further: Further) -> Self {
        let layout = Layout::default().in_memory();
        let bus = composition::memory(&layout);
        let berlin = json!({"kind": "warehouse", "region": "DE-BE", "capacity_per_day": 1_000, "sla_hours": 24,
                            "cost_minor": 390, "pickup": false, "active": true});
        let value = Outgoing {
            subject: layout.reference("node.berlin"),
            headers: Headers::new(),
            body: Bytes::from(berlin.to_string()),
        };
        assert!(matches!(bus.store(value, Expect::Anything).await, StoreOutcome::Stored(_)));
        let mut config = Config::default();
        config.node.further = further;
        let policies = product::policies(&config);
        let mut watcher = composition::watcher(&policies, bus.clone(), layout.clone());
        watcher.read_all(|why| panic!("{why}")).await;
        let (node, board) = composition::node(&config, bus.clone(), layout.clone(), policies);
        Self { worklist: composition::worklist(Arc::clone(&board)), bus, layout, node }
    }

    async fn say(&self, (plane, domain, name): (Plane, &str, &str), key: &str, id: &str, body: Value) {
        let message = Outgoing {
            subject: self.layout.inbound(plane, "main", domain, name, key),
            headers: Headers::new().with("ce-id", id).with("ce-source", "/shop"),
            body: Bytes::from(body.to_string()),
        };
        assert!(matches!(self.bus.store(message, Expect::Anything).await, StoreOutcome::Stored(_)));
    }

    /// A fact about the cell of `SKU-A` in berlin.
    async fn fact(&self, name: &str, movement: &str, mut body: Value) {
        (body["sku"], body["node"], body["movement_id"]) = (json!("SKU-A"), json!("berlin"), json!(movement));
        self.say((Plane::Fact, "stock", name), "SKU-A~berlin", movement, body).await;
    }

    async fn view(&self, kind: &str, key: &str) -> Option<Value> {
        let view = self.node.read(&id(kind, key)).await.ok()??;
        Some(serde_json::from_str(&view.json).unwrap())
    }

    async fn hold(&self, id: &str, promotion: Option<&str>) -> String {
        let mut line = json!({"line": 1, "sku": "SKU-A", "quantity": 3});
        if let Some(promotion) = promotion {
            line["promotion"] = json!(promotion);
        }
        let body = json!({"reservation_id": id, "lines": [line], "ttl_ms": 3_000_000});
        self.say((Plane::Intake, "reservation", "hold"), id, id, body).await;
        until(SOON, "it is settled", || async {
            let phase = self.view("reservation", id).await?["phase"].as_str()?.to_owned();
            (phase != "requested").then_some(phase)
        })
        .await
    }

    /// Every row of every page about the cell, by the entity's sequence.
    async fn told(&self) -> BTreeMap<u64, String> {
        let stream = self.layout.name(StreamId::Events);
        let bounds = self.bus.bounds(&stream).await.unwrap();
        let mut told = BTreeMap::new();
        for sequence in 1..=bounds.last {
            let Some(stored) = self.bus.get(&stream, sequence).await.unwrap() else { continue };
            let page: Value = serde_json::from_slice(&stored.body).unwrap();
            for row in page["events"].as_array().unwrap().iter().filter(|row| row["key"] == "SKU-A~berlin") {
                told.insert(row["sequence"].as_u64().unwrap(), row["type"].as_str().unwrap().to_owned());
            }
        }
        told
    }
}

fn id(kind: &str, key: &str) -> EntityId {
    let token = |text| Token::new(text).unwrap();
    EntityId { tenant: token("main"), kind: token(kind), key: Key::new(key).unwrap() }
}

#[actix::test]
async fn given_units_set_aside_when_carts_hold_them_then_only_those_of_the_promotion_get_them() {
    let shop = Shop::open(Further::NONE).await;
    let count = json!({"on_hand": 4, "as_of": "2026-11-27T06:00:00Z"});
    shop.fact("baseline", "count-1", count).await;
    shop.fact("set_aside", "aside-1", json!({"promotion": "bf26", "quantity": 3})).await;
    until(SOON, "they are set aside", || async {
        shop.view("stock", "SKU-A~berlin").await.filter(|cell| cell["level"]["available"] == 1)
    })
    .await;
    assert_eq!(shop.hold("cart-1", None).await, "refused");
    assert_eq!(shop.hold("cart-2", Some("other")).await, "refused");
    assert_eq!(shop.hold("cart-3", Some("bf26")).await, "soft");
    assert_eq!(shop.hold("cart-4", Some("bf26")).await, "refused", "they are used");
    shop.node.drain().await;
}

#[actix::test]
async fn given_events_that_nobody_asked_for_when_a_cell_moves_then_only_the_timeline_shows_them() {
    for further in [Further::NONE, Further::named(["stock.moved"]).unwrap()] {
        let shop = Shop::open(further).await;
        shop.fact("baseline", "count-1", json!({"on_hand": 4, "as_of": "2026-11-27T06:00:00Z"})).await;
        shop.fact("baseline", "count-2", json!({"on_hand": 5, "as_of": "2026-11-27T07:00:00Z"})).await;
        let is_told = until(SOON, "the drift is told", || async {
            let told = shop.told().await;
            told.values().any(|kind| kind == "stock.discrepancy").then_some(told)
        })
        .await;
        let (numbers, kinds): (Vec<u64>, Vec<String>) = is_told.into_iter().unzip();
        let expected: &[&str] = if further.is_none() {
            &["stock.discrepancy"]
        } else {
            &["stock.moved", "stock.moved", "stock.discrepancy"]
        };
        assert_eq!(kinds, expected);
        assert_eq!(numbers, (1..=kinds.len() as u64).collect::<Vec<_>>(), "no gap");

        let timeline = shop.node.timeline(&id("stock", "SKU-A~berlin")).await.unwrap().unwrap();
        let timeline: Value = serde_json::from_str(&timeline).unwrap();
        let events = timeline["entries"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|entry| entry["events"].as_array().unwrap());
        let shown: Vec<(&str, Option<u64>)> =
            events.map(|event| (event["type"].as_str().unwrap(), event["sequence"].as_u64())).collect();
        let (first, second, drift) = if further.is_none() { (None, None, 1) } else { (Some(1), Some(2), 3) };
        assert_eq!(
            shown,
            [("stock.moved", first), ("stock.moved", second), ("stock.discrepancy", Some(drift))]
        );
        shop.node.drain().await;
    }
}

#[actix::test]
async fn given_a_lie_about_a_movement_when_it_comes_then_it_is_told_and_the_cell_stays_as_it_is() {
    let shop = Shop::open(Further::NONE).await;
    shop.fact("baseline", "count-1", json!({"on_hand": 4, "as_of": "2026-11-27T06:00:00Z"})).await;
    shop.fact("received", "m-1", json!({"quantity": 2})).await;
    let again = |id: &'static str, quantity: u32| {
        let body = json!({"sku": "SKU-A", "node": "berlin", "movement_id": "m-1", "quantity": quantity});
        shop.say((Plane::Fact, "stock", "received"), "SKU-A~berlin", id, body)
    };
    again("repeat", 2).await;
    again("lie", 200).await;
    shop.fact("received", "m-2", json!({"quantity": 1})).await;
    let cell = until(SOON, "all of it was heard", || async {
        shop.view("stock", "SKU-A~berlin").await.filter(|cell| cell["level"]["on_hand"] == 7)
    })
    .await;
    assert_eq!(cell["level"]["available"], 7);
    let told = until(SOON, "the lie is told", || async {
        let told = shop.told().await;
        (!told.is_empty()).then_some(told)
    })
    .await;
    assert_eq!(
        told.into_values().collect::<Vec<_>>(),
        ["stock.discrepancy"],
        "once, and nothing of the repeat"
    );
    assert_eq!(shop.bus.bounds(&shop.layout.name(StreamId::Dlq)).await.unwrap().last, 0);
    shop.node.drain().await;
}

#[actix::test]
async fn given_a_count_that_differs_from_the_books_when_asked_then_the_cell_is_on_the_list_until_the_next_count()
 {
    let shop = Shop::open(Further::NONE).await;
    let main = Token::new("main").unwrap();
    let drifts = |show| {
        let question = Question { show, ..Question::default() };
        let listed = shop.worklist.look(&main, &question).unwrap().cells;
        listed.into_iter().map(|cell| cell.drift).collect::<Vec<_>>()
    };
    shop.fact("baseline", "count-1", json!({"on_hand": 4, "as_of": "2026-11-27T06:00:00Z"})).await;
    until(SOON, "it is counted", || async { (drifts(Show::All) == [0]).then_some(()) }).await;
    assert_eq!(drifts(Show::Drifted), Vec::<i64>::new());
    shop.fact("baseline", "count-2", json!({"on_hand": 1, "as_of": "2026-11-27T07:00:00Z"})).await;
    until(SOON, "it drifts", || async { (drifts(Show::Drifted) == [-3]).then_some(()) }).await;
    shop.fact("baseline", "count-3", json!({"on_hand": 1, "as_of": "2026-11-27T08:00:00Z"})).await;
    until(SOON, "it is right again", || async { drifts(Show::Drifted).is_empty().then_some(()) }).await;
    shop.node.drain().await;
}

#[actix::test]
async fn given_a_hold_that_is_not_settled_or_cannot_be_read_when_answered_then_the_receipt_names_the_reservation()
 {
    let shop = Shop::open(Further::NONE).await;
    shop.fact("baseline", "count-1", json!({"on_hand": 4, "as_of": "2026-11-27T06:00:00Z"})).await;
    until(SOON, "it is counted", || async { shop.view("stock", "SKU-A~berlin").await }).await;
    let mut inbox = shop.bus.subscribe("_INBOX.>").await.unwrap();
    let line = json!({"line": 1, "sku": "SKU-A", "quantity": 1});
    let hold = json!({"reservation_id": "cart-1", "lines": [line]});
    let unreadable = json!({"reservation_id": "cart-2", "lines": []});
    for (id, body, outcome) in [("cart-1", hold, "pending"), ("cart-2", unreadable, "rejected")] {
        let headers = Headers::new().with("ce-id", id).with("ce-source", "/shop");
        let message = Outgoing {
            subject: shop.layout.inbound(Plane::Intake, "main", "reservation", "hold", id),
            headers: headers.with("Reply-To", "_INBOX.shop").with("Receipt-Deadline-Ms", "0"),
            body: Bytes::from(body.to_string()),
        };
        assert!(matches!(shop.bus.store(message, Expect::Anything).await, StoreOutcome::Stored(_)));
        let receipt = tokio::time::timeout(SOON, inbox.next()).await.unwrap().unwrap();
        let receipt: Value = serde_json::from_slice(&receipt.body).unwrap();
        assert_eq!((&receipt["reservation_id"], &receipt["outcome"]), (&json!(id), &json!(outcome)));
        assert_eq!((&receipt["lines"], receipt.get("order_id")), (&json!([]), None), "{receipt}");
    }
    shop.node.drain().await;
}

#[actix::test]
async fn given_wishes_about_a_reservation_when_they_are_answered_then_receipts_say_what_is_held_and_until_when()
 {
    let shop = Shop::open(Further::NONE).await;
    shop.fact("baseline", "count-1", json!({"on_hand": 9, "as_of": "2026-11-27T06:00:00Z"})).await;
    until(SOON, "it is counted", || async { shop.view("stock", "SKU-A~berlin").await }).await;
    assert_eq!(shop.hold("cart-1", None).await, "soft");
    assert_eq!(shop.hold("cart-2", None).await, "soft");
    let mut inbox = shop.bus.subscribe("_INBOX.>").await.unwrap();
    let mut ask = async |name: &str, id: &str, reservation: &str, deadline: &str, mut body: Value| -> Value {
        body["reservation_id"] = json!(reservation);
        let headers = Headers::new().with("ce-id", id).with("ce-source", "/shop");
        let message = Outgoing {
            subject: shop.layout.inbound(Plane::Ask, "main", "reservation", name, reservation),
            headers: headers.with("Reply-To", "_INBOX.shop").with("Receipt-Deadline-Ms", deadline),
            body: Bytes::from(body.to_string()),
        };
        assert!(matches!(shop.bus.store(message, Expect::Anything).await, StoreOutcome::Stored(_)));
        let receipt = tokio::time::timeout(SOON, inbox.next()).await.unwrap().unwrap();
        let receipt: Value = serde_json::from_slice(&receipt.body).unwrap();
        // Those of its own, and those of every receipt.
        let own = ["reservation_id", "outcome", "version", "lines", "expires_at", "reason"];
        let fields = [&own[..], &["order_id", "order_version"]].concat();
        let mut expected = fields.clone();
        expected.sort_unstable();
        assert_eq!(receipt.as_object().unwrap().keys().collect::<Vec<_>>(), expected, "{receipt}");
        assert_eq!(
            (&receipt["reservation_id"], &receipt["order_id"]),
            (&json!(reservation), &json!(reservation))
        );
        assert_eq!(receipt["version"], receipt["order_version"]);
        receipt
    };
    let held = json!([{"line": 1, "sku": "SKU-A", "node": "berlin", "quantity": 3}]);
    let before = shop.view("reservation", "cart-1").await.unwrap();
    let longer = ask("extend", "e-1", "cart-1", "60000", json!({"ttl_ms": 6_000_000})).await;
    assert_eq!((&longer["outcome"], &longer["lines"]), (&json!("accepted"), &held));
    assert!(longer["expires_at"].as_str() > before["expires_at"].as_str(), "{longer}");
    assert!(longer["version"].as_u64() > before["version"].as_u64(), "{longer}");
    let again = ask("extend", "e-1", "cart-1", "60000", json!({"ttl_ms": 6_000_000})).await;
    assert_eq!(again, longer, "the same wish again has the same receipt");

    let sold = ask("commit", "c-1", "cart-1", "60000", json!({"order_id": "o-1"})).await;
    assert_eq!((&sold["outcome"], &sold["expires_at"]), (&json!("accepted"), &Value::Null), "{sold}");
    let taken = ask("commit", "c-2", "cart-1", "60000", json!({"order_id": "o-2"})).await;
    assert_eq!((&taken["outcome"], &taken["lines"]), (&json!("rejected"), &held), "it is held as before");
    let gone = ask("release", "r-1", "cart-2", "60000", json!({"reason": "changed his mind"})).await;
    assert_eq!((&gone["outcome"], &gone["lines"]), (&json!("accepted"), &json!([])), "{gone}");
    let late = ask("extend", "e-2", "cart-2", "60000", json!({"ttl_ms": 1_000})).await;
    assert_eq!((&late["outcome"], &late["lines"]), (&json!("rejected"), &json!([])), "{late}");
    assert!(late["reason"]["code"].is_string(), "{late}");
    let unknown = ask("extend", "e-3", "cart-3", "60000", json!({"ttl_ms": 1_000})).await;
    assert_eq!(unknown["reason"]["code"], "unknown_entity", "{unknown}");
    shop.node.drain().await;
}
