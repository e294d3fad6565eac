//! Stock of our own: very many hold few units at once, on a real nats-server with a crash between, and in one process.

use std::collections::BTreeMap;
use std::time::Duration;

use actors::Node;
use bus::layout::{Layout, StreamId};
use bus::ports::{Expect, Outgoing, SharedBus, StoreOutcome};
use bytes::Bytes;
use domain::envelope::{Headers, Plane};
use domain::ids::{EntityId, Key, Token};
use doorbuster::availability::{Cell, Question, Shelves};
use doorbuster::composition;
use doorbuster::config::Config;
use doorbuster::embedded::Embedded;
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::http;
use crate::product::Serve;
use crate::until::until;
use crate::world::World;

/// Longer than a start and two thousand reservations on a machine that builds something else at the same time.
const SETTLED_WITHIN: Duration = Duration::from_mins(3);

const UNITS: u32 = 500;
const WISHES: usize = 2_000;

/// Long enough that nothing expires while it is counted.
const LONG_MS: u32 = 3_000_000;

fn node() -> String {
    let node = json!({"kind": "warehouse", "region": "DE-BE", "capacity_per_day": 1_000_000, "sla_hours": 24,
                      "cost_minor": 390, "pickup": false, "active": true});
    node.to_string()
}

/// Publishes until it is stored.
async fn say(
    bus: &SharedBus,
    layout: &Layout,
    (plane, domain, name): (Plane, &str, &str),
    key: &str,
    body: Value,
) {
    let message = Outgoing {
        subject: layout.inbound(plane, "main", domain, name, key),
        headers: Headers::new().with("ce-id", format!("{name}-{key}")).with("ce-source", "/shop"),
        body: Bytes::from(body.to_string()),
    };
    until(SETTLED_WITHIN, "it is stored", || async {
        matches!(bus.store(message.clone(), Expect::Anything).await, StoreOutcome::Stored(_)).then_some(())
    })
    .await;
}

async fn count(bus: &SharedBus, layout: &Layout, sku: &str, on_hand: u32) {
    let body = json!({"sku": sku, "node": "berlin", "on_hand": on_hand, "movement_id": "count-1",
                      "as_of": "2026-11-27T06:00:00Z"});
    say(bus, layout, (Plane::Fact, "stock", "baseline"), &format!("{sku}~berlin"), body).await;
}

async fn hold(bus: &SharedBus, layout: &Layout, id: &str, (sku, quantity): (&str, u32), ttl_ms: u32) {
    let lines = json!([{"line": 1, "sku": sku, "quantity": quantity}]);
    let body = json!({"reservation_id": id, "lines": lines, "ttl_ms": ttl_ms});
    say(bus, layout, (Plane::Intake, "reservation", "hold"), id, body).await;
}

async fn hold_all(bus: &SharedBus, layout: &Layout, ids: &[String]) {
    futures_util::stream::iter(ids)
        .for_each_concurrent(200, |id| hold(bus, layout, id, ("SKU-A", 1), LONG_MS))
        .await;
}

fn ids() -> Vec<String> {
    (0..WISHES).map(|number| format!("r-{number:04}")).collect()
}

/// How many reservations are in which phase.
fn tally(phases: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut tally = BTreeMap::new();
    for phase in phases {
        *tally.entry(phase).or_default() += 1;
    }
    tally
}

fn exactly_the_units_are_held() -> BTreeMap<String, usize> {
    let held = usize::try_from(UNITS).expect("a small number");
    BTreeMap::from([("refused".to_owned(), WISHES - held), ("soft".to_owned(), held)])
}

async fn phase_over_http(serve: &Serve, id: &str) -> Option<String> {
    let answer = http::get(serve.port, &format!("/api/v1/reservations/{id}"), &[]).await?;
    (answer.status == 200).then(|| answer.json()["phase"].as_str().expect("a view has a phase").to_owned())
}

/// What the cell of `sku` in berlin shows.
async fn shown(serve: &Serve, sku: &str) -> Option<Value> {
    let answer = http::get(serve.port, &format!("/api/v1/stock/{sku}"), &[]).await?;
    (answer.status == 200).then(|| answer.json()["cells"][0].clone())
}

#[tokio::test]
async fn given_a_crash_while_very_many_hold_few_units_then_exactly_those_are_held_and_expiry_gives_back() {
    let world = World::set_up().await;
    let (bus, layout) = (&world.bus, &world.layout);
    let bucket = async_nats::jetstream::new(world.client.clone())
        .get_key_value(layout.bucket(StreamId::Reference))
        .await
        .unwrap();
    bucket.put("node.berlin", node().into()).await.unwrap();
    let mut serve = Serve::started(&world.url, &[]).await;
    count(bus, layout, "SKU-A", UNITS).await;
    count(bus, layout, "SKU-B", 5).await;
    for (sku, units) in [("SKU-A", UNITS), ("SKU-B", 5)] {
        until(SETTLED_WITHIN, "the count", || async {
            shown(&serve, sku).await.filter(|cell| cell["available"] == units)
        })
        .await;
    }

    let ids = ids();
    let (first, rest) = ids.split_at(WISHES / 8);
    hold_all(bus, layout, first).await;
    until(SETTLED_WITHIN, "some are held", || async {
        shown(&serve, "SKU-A").await.filter(|cell| cell["soft"].as_i64() > Some(20))
    })
    .await;
    let crash = async {
        serve.kill_9().await;
        serve.start();
        serve.until_ready().await;
    };
    tokio::join!(hold_all(bus, layout, rest), crash);

    until(SETTLED_WITHIN, "all are settled", || async {
        let phases = futures_util::stream::iter(&ids).map(|id| phase_over_http(&serve, id)).buffered(16);
        let phases: Vec<_> = phases.collect().await;
        let found = tally(phases.into_iter().map(Option::unwrap_or_default));
        println!("{found:?}");
        (found == exactly_the_units_are_held()).then_some(())
    })
    .await;
    let cell = shown(&serve, "SKU-A").await.unwrap();
    let of = |field: &str| cell[field].as_i64().unwrap();
    assert_eq!(
        (of("on_hand"), of("soft"), of("hard"), of("available")),
        (i64::from(UNITS), i64::from(UNITS), 0, 0)
    );

    hold(bus, layout, "short", ("SKU-B", 5), 1_000).await;
    until(SETTLED_WITHIN, "the expiry", || async {
        phase_over_http(&serve, "short").await.filter(|phase| phase == "expired")
    })
    .await;
    until(SETTLED_WITHIN, "what expired is given back", || async {
        shown(&serve, "SKU-B").await.filter(|cell| cell["available"] == 5 && cell["soft"] == 0)
    })
    .await;
    hold(bus, layout, "again", ("SKU-B", 5), LONG_MS).await;
    until(SETTLED_WITHIN, "the same units again", || async {
        phase_over_http(&serve, "again").await.filter(|phase| phase == "soft")
    })
    .await;

    let subject = "retail.v1.query.main.stock.availability.SKU-B".to_owned();
    let question = Outgoing { subject, headers: Headers::new(), body: Bytes::new() };
    let answer = bus.request(question, Duration::from_secs(5)).await.unwrap();
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&told["cells"][0]["soft"], &told["cells"][0]["available"]), (&5.into(), &0.into()), "{told}");
}

fn reservation(id: &str) -> EntityId {
    let token = |text| Token::new(text).unwrap();
    EntityId { tenant: token("main"), kind: token("reservation"), key: Key::new(id).unwrap() }
}

async fn phase_in_process(node: &Node, id: &str) -> Option<String> {
    let view: Value = serde_json::from_str(&node.read(&reservation(id)).await.ok()??.json).unwrap();
    Some(view["phase"].as_str().unwrap().to_owned())
}

fn look(shelves: &Shelves, sku: &str) -> Option<Cell> {
    let question = Question { skus: vec![sku.to_owned()], ..Question::default() };
    shelves.look(&Token::new("main").unwrap(), &question).unwrap().cells.pop()
}

#[actix::test]
async fn given_one_process_when_very_many_hold_few_units_then_exactly_those_are_held() {
    let layout = Layout::default().in_memory();
    let bus = composition::memory(&layout);
    let value = Outgoing {
        subject: layout.reference("node.berlin"),
        headers: Headers::new(),
        body: Bytes::from(node()),
    };
    let config = Config::default();
    let embedded = Embedded::start(&config, &bus, &layout).await;
    let (node, shelves) = (embedded.node(), embedded.shelves());
    count(&bus, &layout, "SKU-A", UNITS).await;
    assert_eq!(look(shelves, "SKU-A"), None, "nobody has heard of the node");
    assert!(matches!(bus.store(value, Expect::Anything).await, StoreOutcome::Stored(_)));
    until(SETTLED_WITHIN, "the count", || async { look(shelves, "SKU-A") }).await;
    let ids = ids();
    hold_all(&bus, &layout, &ids).await;
    until(SETTLED_WITHIN, "all are settled", || async {
        let phases = futures_util::stream::iter(&ids).map(|id| phase_in_process(node, id)).buffered(16);
        let phases: Vec<_> = phases.collect().await;
        let found = tally(phases.into_iter().map(Option::unwrap_or_default));
        println!("{found:?}");
        (found == exactly_the_units_are_held()).then_some(())
    })
    .await;
    let cell = look(shelves, "SKU-A").unwrap();
    let units = i64::from(UNITS);
    assert_eq!((cell.on_hand, cell.soft, cell.hard, cell.available), (units, units, 0, 0));
    let subject = "retail.v1.query.main.stock.availability.SKU-A".to_owned();
    let question = Outgoing { subject, headers: Headers::new(), body: Bytes::new() };
    let answer = bus.request(question, Duration::from_secs(5)).await.unwrap();
    let told: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&told["cells"][0]["soft"], &told["cells"][0]["available"]), (&UNITS.into(), &0.into()));
    assert!(embedded.drain(SETTLED_WITHIN).await);
}
