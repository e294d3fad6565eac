//! Participants on a bus in memory: each key once, the same answer again, parcels that add up, the same run twice.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::layout::Layout;
use bus::memory::MemoryBus;
use bus::ports::{Expect, Outgoing, Position, SharedBus, StoreOutcome, Stored};
use domain::envelope::Headers;
use loadtest::contract::{Command, Naming};
use loadtest::ledger::{Change, Entry, Witness};
use loadtest::simulators::{Profile, Profiles, Simulators};
use serde_json::{Value, json};

/// Writes down what it is shown.
#[derive(Debug, Default)]
struct Diary(Mutex<Vec<Change>>);

impl Witness for Diary {
    fn command(&self, _command: &Command<'_>) {}
    fn applied(&self, entry: Entry<'_>) {
        self.0.lock().unwrap().push(entry.change.clone());
    }
    fn unreadable(&self, what: &str) {
        panic!("{what}");
    }
}

fn memory() -> SharedBus {
    let ticks = AtomicI64::new(0);
    let clock = Arc::new(move || ticks.fetch_add(1, Ordering::Relaxed));
    Arc::new(MemoryBus::new(&Layout::new("retail", 8, 1).in_memory(), clock))
}

async fn command(bus: &SharedBus, kind: &str, key: &str, body: &Value) {
    let headers = Headers::new()
        .with("Key", "o-1")
        .with("Effect-Id", format!("e-{key}"))
        .with("Effect-Epoch", "1")
        .with("Idempotency-Key", key);
    let message =
        Outgoing { subject: format!("retail.v1.cmd.main.{kind}.0"), headers, body: body.to_string().into() };
    assert!(matches!(bus.store(message, Expect::Anything).await, StoreOutcome::Stored(_)));
}

/// Reads until there are `count` messages; the paused clock makes the bound cost nothing.
async fn stored(bus: &SharedBus, stream: &str, count: usize) -> Vec<Stored> {
    let mut reader = bus.open(stream, None, Position::default()).await.unwrap();
    let mut all = Vec::new();
    for _ in 0..100 {
        all.extend(reader.next(100, Duration::from_secs(1)).await.unwrap());
        if all.len() >= count {
            return all;
        }
    }
    panic!("{} of {count} messages in {stream}: {all:?}", all.len());
}

async fn start(bus: &SharedBus, witness: &Arc<dyn Witness>, profile: Profile) -> Simulators {
    Simulators::start(bus, witness, &Naming::default(), &Profiles::all(profile), 7, "r1").await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn given_a_command_sent_again_when_answered_then_it_is_applied_once_and_told_alike() {
    let (bus, diary) = (memory(), Arc::new(Diary::default()));
    let witness: Arc<dyn Witness> = diary.clone();
    let simulators = start(&bus, &witness, Profile::CALM).await;
    let body =
        json!({"order_id": "o-1", "tender": "t1", "amount_minor": 500, "currency": "EUR", "token": "tok_1"});
    command(&bus, "payment.authorize", "k1", &body).await;
    command(&bus, "payment.authorize", "k1", &body).await;
    let answers = stored(&bus, "RETAIL_REPLIES", 2).await;
    simulators.stop().await.unwrap();
    assert_eq!(answers[0].body, answers[1].body);
    assert_ne!(answers[0].headers.get("ce-id"), answers[1].headers.get("ce-id"));
    assert_eq!(answers[0].headers.get("Effect-Id"), Some("e-k1"));
    let answer: Value = serde_json::from_slice(&answers[0].body).unwrap();
    assert_eq!((&answer["amount_minor"], &answer["authorization_ref"]), (&json!(500), &json!("auth-o-1-t1")));
    let expected = Change::Authorized { tender: "t1".to_owned(), amount_minor: 500 };
    assert_eq!(*diary.0.lock().unwrap(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn given_an_address_with_three_parcels_when_released_then_the_parcels_add_up_to_the_units() {
    let (bus, diary) = (memory(), Arc::new(Diary::default()));
    let witness: Arc<dyn Witness> = diary.clone();
    let simulators = start(&bus, &witness, Profile::CALM).await;
    let body = json!({"order_id": "o-1", "shipment_id": "sh-1", "node": "n-1", "ship_to": {"address_ref": "adr-s1-p3-1"},
                      "lines": [{"line": 1, "sku": "S", "quantity": 7}, {"line": 2, "sku": "S", "quantity": 3}]});
    command(&bus, "fulfillment.release", "k1", &body).await;
    let facts = stored(&bus, "RETAIL_WORK", 3).await;
    simulators.stop().await.unwrap();
    let sent: u64 = facts
        .iter()
        .map(|fact| serde_json::from_slice::<Value>(&fact.body).unwrap())
        .flat_map(|fact| fact["lines"].as_array().unwrap().clone())
        .map(|row| row["quantity"].as_u64().unwrap())
        .sum();
    assert_eq!(sent, 10);
    assert_eq!(
        diary.0.lock().unwrap().iter().filter(|change| matches!(change, Change::Departed { .. })).count(),
        3
    );
}

async fn noisy_run() -> Vec<(String, Vec<u8>)> {
    let bus = memory();
    let witness: Arc<dyn Witness> = Arc::new(Diary::default());
    let simulators = start(&bus, &witness, Profile::NOISY).await;
    for number in 0..200 {
        let body = json!({"order_id": "o-1", "points": number, "member_id": "m-1"});
        command(&bus, "loyalty.reserve", &format!("k{number}"), &body).await;
    }
    let answers = stored(&bus, "RETAIL_REPLIES", 195).await;
    simulators.stop().await.unwrap();
    let identity = |stored: &Stored| (stored.headers.get("ce-id").unwrap().to_owned(), stored.body.to_vec());
    answers.iter().map(identity).collect()
}

#[tokio::test(start_paused = true)]
async fn given_the_same_seed_when_run_twice_then_the_same_answers_come_in_the_same_order() {
    assert_eq!(noisy_run().await, noisy_run().await);
}
