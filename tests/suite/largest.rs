//! The largest order that the contract allows, through batches, pages and the timeline.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::layout::StreamId;
use bus::ports::{Expect, Outgoing, StoreOutcome};
use domain::envelope::Headers;
use domain::messages::body::Format;
use loadtest::auditor::{Auditor, Settings};
use loadtest::contract::Naming;
use loadtest::ledger::Witness;
use loadtest::simulators::{Profile, Profiles, Simulators};
use serde_json::{Value, json};

use crate::http;
use crate::product::Serve;
use crate::until::until;
use crate::world::World;

const WITHIN: Duration = Duration::from_mins(1);

/// The most lines of an order (CONTRACT: bodies).
const MOST_LINES: u32 = 500;

const CONFIG: &str = "[node.command_batches]\nloyalty = true\npayment = true\nallocation = true\nfulfillment = true\nerp = true\n\
                      [node.command_formats]\nallocation = \"msgpack\"\nerp = \"msgpack\"\n";

fn item(order: &str, lines: u32) -> Value {
    let rows: Vec<Value> = (1..=lines)
        .map(|line| {
            let sku = format!("SKU-{line}");
            json!({"line": line, "sku": sku, "quantity": 2, "net_minor": 100 + line, "tax_minor": 19})
        })
        .collect();
    let total: u32 = (1..=lines).map(|line| 100 + line + 19).sum();
    let tender = json!({"tender": "t1", "type": "card", "gateway": "psp-a", "token": "tok_9f3"});
    let body = json!({"order_id": order, "channel": "web", "currency": "EUR", "lines": rows,
        "total_minor": total, "tenders": [tender]});
    json!({"domain": "order", "name": "submit", "key": order, "headers": {}, "body": body})
}

#[actix::test]
async fn an_order_of_as_many_lines_as_may_be_goes_through_batches_pages_and_timeline() {
    let world = World::set_up().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("batches.toml");
    std::fs::write(&file, CONFIG).unwrap();
    let serve = Serve::started(&world.url, &["-c", file.to_str().unwrap()]).await;
    let settings = Settings { prefix: "large-".to_owned(), quiet_orders: 100, patient: true };
    let witness: Arc<dyn Witness> = Arc::new(Mutex::new(Auditor::new(settings)));
    let profile = Profile { batches: Some(8), format: Format::MessagePack, ..Profile::CALM };
    let (naming, profiles) = (Naming::default(), Profiles::all(profile));
    let simulators = Simulators::start(&world.bus, &witness, &naming, &profiles, 1, "large").await.unwrap();

    let orders = ["large-1", "large-2", "large-3"];
    let mut items: Vec<Value> = orders.iter().map(|order| item(order, MOST_LINES)).collect();
    items.insert(1, item("large-too", MOST_LINES + 1));
    let subject = "retail.v1.intake.main.order.batch.large-1".to_owned();
    let headers = Headers::new().with("ce-id", "large").with("ce-source", "/shop");
    let batch = Outgoing { subject, headers, body: Value::Array(items).to_string().into() };
    let stored = world.bus.store(batch, Expect::Anything).await;
    assert!(matches!(stored, StoreOutcome::Stored(_)), "{stored:?}");

    for order in orders {
        let path = format!("/api/v1/orders/{order}");
        let view = until(WITHIN, &format!("{order} is completed"), || async {
            let view = http::get(serve.port, &path, &[]).await.filter(|answer| answer.status == 200)?.json();
            (view["phase"] == "completed" && view["effects"] == json!([])).then_some(view)
        })
        .await;
        let lines = view["lines"].as_array().unwrap();
        assert_eq!(lines.len(), MOST_LINES as usize);
        assert!(lines.iter().all(|line| line["shipped"] == 2), "{order}");
        assert_eq!(view["tenders"][0]["captured_minor"], view["total_minor"], "{order}");

        let timeline = serve.get(&format!("{path}/timeline")).await.json();
        let entries = timeline["entries"].as_array().unwrap();
        let versions: Vec<u64> = entries.iter().map(|entry| entry["version"].as_u64().unwrap()).collect();
        assert_eq!(versions, (1..=view["version"].as_u64().unwrap()).collect::<Vec<_>>(), "{order}");
    }
    let mut told: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for page in world.stream(StreamId::Events).await {
        let page: Value = serde_json::from_slice(&page.body).unwrap();
        for row in page["events"].as_array().unwrap() {
            let key = row["key"].as_str().unwrap().to_owned();
            told.entry(key).or_default().push(row["sequence"].as_u64().unwrap());
        }
    }
    assert_eq!(told.keys().collect::<Vec<_>>(), orders);
    for (order, sequences) in told {
        assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>(), "{order}");
    }
    let letters = world.stream(StreamId::Dlq).await;
    assert_eq!(letters.len(), 1);
    let letter: Value = serde_json::from_slice(&letters[0].body).unwrap();
    assert_eq!((&letter["ce_id"], &letter["reason"]), (&json!("large#1"), &json!("schema")), "{letter}");
    simulators.stop().await.unwrap();
}
