//! Events, states and letters of cells and counters as they were when they were first written.

use std::fs;
use std::path::PathBuf;

use domain::claims::letters::{
    Backordered, ClaimId, Consumed, GivenBack, Hardened, NotTaken, Question, Reopened, Taken, Why,
};
use domain::claims::{Amount, Book};
use domain::counter::{self, Counter, Most};
use domain::decider::Decider;
use domain::ids::Key;
use domain::messages::leaf::Quantity;
use domain::messages::text::Text;
use domain::stock::event::{Fact, PassedOver, Victim};
use domain::stock::feed::Stale;
use domain::stock::policies::StalePolicy;
use domain::stock::{self, Event, Stock};
use domain::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::golden::updating;

const AT: Timestamp = Timestamp(1_795_766_400_000);
const LATER: Timestamp = Timestamp(1_795_852_800_000);

fn folder(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(path)
}

fn read(path: &str, written: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    let path = folder(path);
    if updating() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, written()).unwrap();
    }
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fact(movement: &str) -> Fact {
    Fact { movement: movement.into(), at: AT, fresh_until: Some(LATER), said: None }
}

/// One of each event; the record names them as they are named here.
fn stock_events() -> Vec<Event> {
    let id = || "r-1:1:1".into();
    let promotion = || Some("bf26".into());
    vec![
        Event::SetAside {
            fact: fact("a-1").into(),
            promotion: "bf26".into(),
            quantity: 5,
            until: Some(LATER),
        },
        Event::Taken { claim: id(), quantity: 3, hard: true, promotion: promotion() },
        Event::Queued {
            claim: "r-2:1:1".into(),
            quantity: 2,
            hard: false,
            since: AT,
            promotion: promotion(),
            promised_at: Some(LATER),
        },
        Event::Hardened { claim: "r-2:1:1".into() },
        Event::Consumed { claim: id(), quantity: 1, beyond: 1, movement: "p-1".into(), at: AT },
        Event::ConsumedUnclaimed {
            reservation: "r-9".into(),
            claim: Some("r-9:1:1".into()),
            quantity: 1,
            movement: "p-2".into(),
            at: AT,
        },
        Event::GivenBack { claim: id(), quantity: 1, release: "x-1".into() },
        Event::Counted {
            fact: fact("c-1").into(),
            on_hand: 40,
            as_of: AT,
            changed: -2,
            difference: -1,
            is_first: true,
            safety: 2,
            oversell_cap: 1,
        },
        Event::Received { fact: fact("m-1").into(), quantity: 4, reference: Some("i-0".into()) },
        Event::Adjusted { fact: fact("m-2").into(), delta: -1, reason: "damaged".into() },
        Event::Announced { fact: fact("i-1").into(), quantity: 9, expected_at: LATER },
        Event::PassedOver { fact: fact("m-3").into(), why: PassedOver::IncludedInCount, quantity: 7 },
        Event::FeedStale(Stale { policy: StalePolicy::StopSelling, buffer: 3 }),
        Event::FeedFresh,
        Event::ThresholdCrossed { threshold: Some(5) },
        Event::Oversold { quantity: 2, victims: vec![Victim { claim: id(), quantity: 1, hard: true }] },
        Event::SetAsideEnded { promotion: "other".into() },
    ]
}

/// Facts since it is noted what they said.
fn said_events() -> Vec<Event> {
    let fact = |movement| {
        let said = Some(serde_json::from_value(json!(2_882_343_476_u32)).unwrap());
        Box::new(Fact { said, ..fact(movement) })
    };
    vec![
        Event::Received { fact: fact("m-4"), quantity: 4, reference: None },
        Event::PassedOver { fact: fact("m-4"), why: PassedOver::MovementConflict, quantity: 5 },
    ]
}

fn counter_events() -> Vec<counter::Event> {
    let claim = || "r-1:coupon~BF26".into();
    let amount = |units, minor| Amount { units, minor };
    vec![
        counter::Event::Taken {
            claim: claim(),
            amount: amount(3, 1_000),
            hard: false,
            customer: Some("c-9".into()),
            most: Box::new(Most { uses: Some(100), budget_minor: Some(50_000), per_customer: Some(5) }),
        },
        counter::Event::Hardened { claim: claim(), amount: amount(3, 1_000) },
        counter::Event::Consumed { claim: claim(), amount: amount(1, 333), movement: "p-1".into() },
        counter::Event::GivenBack { claim: claim(), amount: amount(1, 333), release: "x-1".into() },
        counter::Event::Finalized { claim: claim(), amount: amount(1, 334) },
        counter::Event::Reopened { claim: claim(), amount: amount(1, 334), customer: Some("c-9".into()) },
    ]
}

/// The name of an event in the record.
fn name(event: &impl Serialize) -> String {
    match serde_json::to_value(event).unwrap() {
        Value::String(word) => word,
        Value::Object(fields) => fields.into_iter().next().unwrap().0,
        other => panic!("{other}"),
    }
}

fn compare<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(folder_name: &str, events: &[T]) {
    for event in events {
        let name = name(event);
        let json = read(&format!("{folder_name}/{name}.json"), || {
            (serde_json::to_string_pretty(event).unwrap() + "\n").into_bytes()
        });
        assert_eq!(serde_json::from_slice::<T>(&json).unwrap(), *event, "{name}");
        assert_eq!(serde_json::to_value(event).unwrap(), serde_json::from_slice::<Value>(&json).unwrap());
        let packed =
            read(&format!("{folder_name}/{name}.msgpack"), || rmp_serde::to_vec_named(event).unwrap());
        assert_eq!(rmp_serde::from_slice::<T>(&packed).unwrap(), *event, "{name}");
        assert_eq!(rmp_serde::to_vec_named(event).unwrap(), packed, "{name}");
    }
    for file in fs::read_dir(folder(folder_name)).unwrap() {
        let path = file.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(events.iter().any(|event| name(event) == stem), "{stem} is no event any more");
    }
}

#[test]
fn given_golden_events_when_read_and_written_then_they_are_the_same() {
    compare("stock/events/v1", &stock_events());
    compare("stock/events/v1-said", &said_events());
    compare("counter/events/v1", &counter_events());
    // A new variant without a golden event is found here.
    assert_eq!(stock_events().len(), 17);
    assert_eq!(counter_events().len(), 6);
}

fn state<D: Decider>(events: &[D::Event]) -> D::State {
    let mut state = D::State::default();
    for event in events {
        D::evolve(&mut state, event);
    }
    state
}

#[test]
fn given_states_that_an_older_version_wrote_when_read_then_they_are_the_same_states() {
    let cell: stock::State = state::<Stock>(&stock_events());
    let golden = read("stock/state.v1.msgpack", || rmp_serde::to_vec_named(&cell).unwrap());
    assert_eq!(rmp_serde::from_slice::<stock::State>(&golden).unwrap(), cell);
    let said: Vec<Event> = stock_events().into_iter().chain(said_events()).collect();
    let said: stock::State = state::<Stock>(&said);
    let golden = read("stock/state-said.v1.msgpack", || rmp_serde::to_vec_named(&said).unwrap());
    assert_eq!(rmp_serde::from_slice::<stock::State>(&golden).unwrap(), said);
    assert_eq!(rmp_serde::to_vec_named(&said).unwrap(), golden);
    // Written when final uses still had claims.
    let counter: counter::State = state::<Counter>(&counter_events()[..4]);
    let golden = read("counter/state.v1.msgpack", || rmp_serde::to_vec_named(&counter).unwrap());
    assert_eq!(rmp_serde::from_slice::<counter::State>(&golden).unwrap(), counter);
    assert_eq!(counter.claims.get("r-1:coupon~BF26").unwrap().live(), Amount { units: 1, minor: 334 });
}

#[test]
fn given_an_empty_snapshot_when_read_then_absent_fields_mean_that_nothing_was_known() {
    assert_eq!(rmp_serde::from_slice::<stock::State>(&[0x80]).unwrap(), stock::State::default());
    assert_eq!(rmp_serde::from_slice::<counter::State>(&[0x80]).unwrap(), counter::State::default());
    let written = rmp_serde::to_vec_named(&stock::State::default()).unwrap();
    assert!(written.len() < 16, "{} bytes for a cell that says nothing", written.len());
    assert_eq!(
        rmp_serde::from_slice::<Book>(&rmp_serde::to_vec_named(&Book::default()).unwrap()).unwrap(),
        Book::default()
    );
}

fn questions() -> Vec<(&'static str, Value)> {
    let claim_id = "r-1:1:1";
    vec![
        (
            "take",
            json!({"claim_id": claim_id, "reservation_id": "r-1", "quantity": 2, "hard": false,
                        "backorder_since": AT.0, "amount_minor": 500, "customer_id": "c-9", "channel": "web", "promotion": "bf26"}),
        ),
        ("harden", json!({"claim_id": claim_id})),
        ("reopen", json!({"claim_id": claim_id, "quantity": 2, "amount_minor": 500, "customer_id": "c-9"})),
        ("consume", json!({"claim_id": claim_id, "quantity": 1, "movement_id": "p-1"})),
        ("consume_unclaimed", json!({"reservation_id": "r-1", "quantity": 1, "movement_id": "p-1"})),
        ("give_back", json!({"claim_id": claim_id, "release_id": "x-1", "quantity": 1})),
    ]
}

fn answers() -> Vec<(&'static str, Value)> {
    let claim_id = ClaimId::new("r-1:1:1").unwrap();
    let cell = Key::new("SKU-A~n-1").unwrap();
    let text = |text| Text::new(text).unwrap();
    let (id, at) = (|| claim_id.clone(), || cell.clone());
    let value = |body: Result<Value, serde_json::Error>| body.unwrap();
    let code = Why::OutOfStock;
    let not_taken = NotTaken { claim_id: id(), cell: at(), available: 1, code, promised_at: Some(LATER.0) };
    let taken = Taken { claim_id: id(), cell: at(), quantity: Quantity::new(2).unwrap() };
    let backordered = Backordered { claim_id: id(), cell: at(), promised_at: Some(LATER.0) };
    let consumed = Consumed { claim_id: Some(id()), cell: at(), movement_id: text("p-1") };
    let given_back = GivenBack { claim_id: id(), cell: at(), release_id: text("x-1") };
    vec![
        ("taken", value(serde_json::to_value(taken))),
        ("not_taken", value(serde_json::to_value(not_taken))),
        ("backordered", value(serde_json::to_value(backordered))),
        ("hardened", value(serde_json::to_value(Hardened { claim_id: id(), cell: at() }))),
        ("reopened", value(serde_json::to_value(Reopened { claim_id: id(), cell: at() }))),
        ("consumed", value(serde_json::to_value(consumed))),
        ("given_back", value(serde_json::to_value(given_back))),
    ]
}

#[test]
fn given_golden_letters_when_read_and_written_then_they_are_the_same() {
    for (name, body) in questions().into_iter().chain(answers()) {
        let text = read(&format!("letters/v1/{name}.json"), || {
            (serde_json::to_string_pretty(&body).unwrap() + "\n").into_bytes()
        });
        assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), body, "{name}");
        if let Some((_, body)) = questions().iter().find(|(asked, _)| *asked == name) {
            let question = Question::read(name, &text).unwrap().unwrap();
            let written = match question {
                Question::Take(take) => serde_json::to_value(take),
                Question::Harden(harden) => serde_json::to_value(harden),
                Question::Reopen(reopen) => serde_json::to_value(reopen),
                Question::Consume(consume) => serde_json::to_value(consume),
                Question::ConsumeUnclaimed(consume) => serde_json::to_value(consume),
                Question::GiveBack(back) => serde_json::to_value(back),
            };
            assert_eq!(written.unwrap(), *body, "{name}");
        }
    }
    assert!(Question::read("taken", b"{}").unwrap().is_none());
}

#[test]
fn given_the_id_of_a_claim_when_it_names_no_reservation_then_it_is_none() {
    for bad in ["", "r-1", "r-1:", ":1:1", "a.b:1:1", &format!("r:{}", "x".repeat(200))] {
        assert!(ClaimId::new(bad).is_err(), "{bad}");
    }
}
