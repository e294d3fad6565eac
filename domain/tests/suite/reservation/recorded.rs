//! Recorded events, states, letters and messages of reservations as they were when they were first written. Every later version
//! must read them, mean the same, and write them the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use domain::decider::{Asked, Decider, Published};
use domain::envelope::Plane;
use domain::ids::{Key, Token};
use domain::messages::outbound::commands::SkuQuantity;
use domain::messages::outbound::reservations::*;
use domain::reason::{Code, Reason};
use domain::reservation::effect::{Kind, Units, UnitsAtNode as Row};
use domain::reservation::event::End;
use domain::reservation::message::{KNOWN, Message, decode};
use domain::reservation::{Event, Reservation, State};
use domain::sourcing::{self, Shortage};
use serde_json::{Value, json};

use super::desk::{Desk, at, entity, hold};
use super::samples::{AT, DEADLINE, content, record, text};
use crate::golden::{envelope, file, golden, updating};

fn rows() -> Vec<Row> {
    vec![Row { line: 0, node: text("n-1"), quantity: 1 }]
}

fn units() -> Vec<Units> {
    vec![Units { line: 0, quantity: 1 }]
}

fn reason() -> Reason {
    Reason::new(Code::OutOfStock, "line 1 (SKU-A): 3 units asked for, 1 to be had")
}

fn letters() -> Vec<Event> {
    let kinds = [
        Kind::Take { claim: 1 },
        Kind::Harden { claim: 1 },
        Kind::GiveBack { claim: 1, quantity: 1 },
        Kind::Consume { claim: 1, quantity: 1 },
        Kind::ConsumeUnclaimed { line: Some(0), sku: text("SKU-A"), node: text("n-2"), quantity: 1 },
        Kind::TellAllocated { rows: rows() },
        Kind::TellGivenUp { rows: units() },
        Kind::Reopen { claim: 1 },
    ];
    kinds.into_iter().map(|kind| Event::LetterWritten { kind, at: AT, deadline: DEADLINE }).collect()
}

/// One of every event, in an order in which they make sense.
fn events() -> Vec<Event> {
    let order_id = || Key::new("o-1001").unwrap();
    let plan = |again| Event::Sourced {
        again,
        rows: vec![sourcing::Row { line: 0, node: text("n-1"), quantity: 2 }],
        short: vec![Shortage { line: 1, quantity: 1, node: None }],
        record: record(),
    };
    let mut events = vec![
        Event::Requested(Box::new(content())),
        plan(false),
        Event::Taken { claim: 0, quantity: 1 },
        Event::Held { version: 3, overdue_at: Some(DEADLINE) },
        Event::Attached { order_id: order_id(), overdue_at: DEADLINE },
        Event::Extended { expires_at: DEADLINE },
        Event::CommitAsked { order_id: order_id(), by_order: true, at: AT },
    ];
    events.extend(letters());
    events.extend([
        Event::LetterSent { letter: 1, deadline: DEADLINE },
        Event::LetterAnswered { letter: 2 },
        Event::Backordered { claim: 1, promised_at: Some(AT), deadline: DEADLINE },
        Event::ClaimCut { claim: 1, quantity: 1 },
        Event::Hardened { claim: 1 },
        Event::NotTaken { claim: 1, available: 1, code: text("out_of_stock") },
        plan(true),
        Event::Parked { again: false, look_again_at: AT, give_up_at: DEADLINE },
        Event::LookedAgain { lines: units() },
        Event::Allocated { rows: rows() },
        Event::Committed { overdue_at: Some(DEADLINE) },
        Event::Departed { movement_id: text("m-1"), rows: rows() },
        Event::Unaccounted { movement_id: text("m-2"), line: 9, node: text("n-1"), quantity: 1 },
        Event::Released { release_id: text("r-1"), lines: units() },
        Event::MissingCut { line: 1, quantity: 1 },
        Event::GivenUp { lines: units() },
        Event::Overdue,
        Event::Ended { end: End::Consumed, reason: Some(Box::new(reason())), version: 9 },
        Event::Refused { reason: Box::new(reason()), lines: units(), version: 3 },
        Event::Barred {
            tenant: Token::new("main").unwrap(),
            reservation_id: Key::new("r-1001").unwrap(),
            reason: Box::new(reason()),
            version: 1,
        },
    ]);
    events
}

macro_rules! names {
    ($($variant:ident = $name:literal,)+) => {
        /// The name of an event as it is recorded; a new event does not compile without one.
        fn name(event: &Event) -> &'static str {
            match event { $(Event::$variant { .. } => $name,)+ }
        }

        const NAMES: &[&str] = &[$($name),+];
    };
}

names! {
    Requested = "requested",
    Barred = "barred",
    Sourced = "sourced",
    LookedAgain = "looked_again",
    Held = "held",
    Refused = "refused",
    Attached = "attached",
    Extended = "extended",
    CommitAsked = "commit_asked",
    Committed = "committed",
    LetterWritten = "letter_written",
    LetterSent = "letter_sent",
    LetterAnswered = "letter_answered",
    Taken = "taken",
    NotTaken = "not_taken",
    Backordered = "backordered",
    Hardened = "hardened",
    Departed = "departed",
    Unaccounted = "unaccounted",
    Released = "released",
    ClaimCut = "claim_cut",
    MissingCut = "missing_cut",
    Parked = "parked",
    Allocated = "allocated",
    GivenUp = "given_up",
    Overdue = "overdue",
    Ended = "ended",
}

/// Reads a golden file, or writes it first.
fn read(path: &str, written: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(path);
    if updating() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, written()).unwrap();
    }
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn pretty(value: &Value) -> Vec<u8> {
    (serde_json::to_string_pretty(value).unwrap() + "\n").into_bytes()
}

#[test]
fn given_golden_events_when_read_and_written_then_they_are_the_same_events_and_bytes() {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for event in events() {
        let name = name(&event);
        let count = seen.entry(name).or_default();
        *count += 1;
        let file = format!("reservation/events/v1/{name}-{count}");
        let json = read(&format!("{file}.json"), || pretty(&serde_json::to_value(&event).unwrap()));
        assert_eq!(serde_json::from_slice::<Event>(&json).unwrap(), event, "{file}");
        assert_eq!(
            serde_json::from_slice::<Value>(&json).unwrap(),
            serde_json::to_value(&event).unwrap(),
            "{file}"
        );
        let word = match serde_json::to_value(&event).unwrap() {
            Value::Object(fields) => fields.into_iter().next().unwrap().0,
            word => word.as_str().unwrap().to_owned(),
        };
        assert_eq!(word, name, "the name stands in the record");
        let packed = read(&format!("{file}.msgpack"), || rmp_serde::to_vec_named(&event).unwrap());
        assert_eq!(rmp_serde::from_slice::<Event>(&packed).unwrap(), event, "{file}");
        assert_eq!(rmp_serde::to_vec_named(&event).unwrap(), packed, "{file}");
    }
    for name in NAMES {
        assert!(seen.contains_key(name), "no {name}");
    }
}

#[test]
fn given_states_when_written_and_read_then_they_are_the_same_also_those_of_an_older_version() {
    let (mut state, mut states) = (State::default(), Vec::new());
    let is_new = |event: &Event| matches!(event, Event::LetterWritten { kind: Kind::Reopen { .. }, .. });
    for event in events().iter().filter(|event| {
        !is_new(event) && !matches!(event, Event::Ended { .. } | Event::Refused { .. } | Event::Barred { .. })
    }) {
        Reservation::evolve(&mut state, event);
        let packed = rmp_serde::to_vec_named(&state).unwrap();
        let back: State = rmp_serde::from_slice(&packed).unwrap();
        assert_eq!(format!("{back:?}"), format!("{state:?}"), "{}", name(event));
        states.push(state.clone());
    }
    let last = states.pop().unwrap();
    let golden = read("reservation/state.v1.msgpack", || rmp_serde::to_vec_named(&last).unwrap());
    let old: State = rmp_serde::from_slice(&golden).unwrap();
    assert_eq!(format!("{old:?}"), format!("{last:?}"));
    let empty: State = rmp_serde::from_slice(&[0x80]).unwrap();
    assert_eq!(format!("{empty:?}"), format!("{:?}", State::default()));
}

/// Every letter of a life in which everything happens once, by who gets it and its name.
fn written() -> BTreeMap<String, Value> {
    let mut desk = Desk::new(&[("A~n1", 2), ("A~n2", 1), ("B~n1", 1), ("B~n2", 0), ("promotion~p", 5)]);
    let mut body = hold("o-1", &[(1, "A", 5), (2, "B", 1)]);
    (body["backorder"], body["channel"]) = (json!(true), json!("web"));
    body["counters"] =
        json!([{"counter": "promotion", "id": "p", "uses": 1, "amount_minor": 500, "customer_id": "c-9"}]);
    let mut letters = BTreeMap::new();
    let run = |desk: &mut Desk, letters: &mut BTreeMap<String, Value>| {
        while let Some(mail) = desk.mail.pop_front() {
            let (kind, name, body) = mail.parts();
            letters.entry(format!("{kind}.{name}")).or_insert(body);
            desk.deliver(&mail);
        }
    };
    let order = |more: Value| {
        let mut body = json!({"reservation_id": "o-1", "order_id": "o-1"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    desk.letter("hold", &body);
    run(&mut desk, &mut letters);
    desk.letter("commit", &order(json!({})));
    run(&mut desk, &mut letters);
    // The one unit of the queue at n1, and the stock that comes for the others there.
    desk.receive("A~n1", 2);
    run(&mut desk, &mut letters);
    desk.letter("consume", &order(json!({"movement_id": "m-1", "lines": at(&[(1, "n1", 1), (2, "n2", 1)])})));
    desk.letter("release", &order(json!({"release_id": "r-1", "lines": at(&[(2, "n1", 1)])})));
    run(&mut desk, &mut letters);
    let mut refused = hold("o-2", &[(1, "B", 9)]);
    refused["backorder"] = json!(false);
    desk.letter("hold", &refused);
    run(&mut desk, &mut letters);
    // Nothing of another has left, so that its uses come back.
    body["reservation_id"] = json!("o-3");
    (body["order_id"], body["lines"]) = (json!("o-3"), json!([]));
    desk.letter("hold", &body);
    run(&mut desk, &mut letters);
    desk.letter("commit", &json!({"reservation_id": "o-3", "order_id": "o-3"}));
    run(&mut desk, &mut letters);
    let back = json!({"reservation_id": "o-3", "order_id": "o-3", "release_id": "r-3", "all": true});
    desk.letter("release", &back);
    run(&mut desk, &mut letters);
    letters
}

#[test]
fn given_the_letters_of_a_life_when_written_then_cells_and_orders_find_every_field_where_it_was() {
    let mut letters = written();
    letters.retain(|name, _| !name.starts_with("reservation."));
    let known = [
        "counter.give_back",
        "counter.harden",
        "counter.reopen",
        "counter.take",
        "order.reservation_allocated",
        "order.reservation_committed",
        "order.reservation_consumed",
        "order.reservation_held",
        "order.reservation_refused",
        "order.reservation_released",
        "stock.consume",
        "stock.consume_unclaimed",
        "stock.give_back",
        "stock.harden",
        "stock.take",
    ];
    assert_eq!(letters.keys().map(String::as_str).collect::<Vec<_>>(), known);
    for (name, body) in letters {
        let golden = read(&format!("reservation/letters/v1/{name}.json"), || pretty(&body));
        assert_eq!(serde_json::from_slice::<Value>(&golden).unwrap(), body, "{name}");
    }
}

fn told() -> Vec<EventData<'static>> {
    const ID: &str = "r-1001";
    const ORDER: Option<&str> = Some("o-1001");
    let reason: &'static Reason = Box::leak(Box::new(reason()));
    let lines = || vec![UnitsAtNode { line: 1, sku: "SKU-A", node: "n-1", quantity: 2 }];
    let short = || vec![SkuQuantity { line: 1, sku: "SKU-A", quantity: 1 }];
    let held = |expires_at| ReservationHeld {
        reservation_id: ID,
        order_id: ORDER,
        lines: lines(),
        backordered: short(),
        expires_at,
    };
    let ended = || ReservationEnded { reservation_id: ID, order_id: ORDER, reason: Some(reason) };
    let units = || ReservationShort { reservation_id: ID, order_id: ORDER, lines: short() };
    vec![
        EventData::Held(held(Some(AT.to_string()))),
        EventData::Refused(ended()),
        EventData::Committed(held(Some(AT.to_string()))),
        EventData::Released(ended()),
        EventData::Expired(ended()),
        EventData::Consumed(ended()),
        EventData::Allocated(ReservationAllocated { reservation_id: ID, order_id: ORDER, lines: lines() }),
        EventData::Parked(units()),
        EventData::GivenUp(units()),
    ]
}

#[test]
fn given_business_events_when_told_then_subscribers_find_every_field_where_it_was() {
    let all = told();
    assert_eq!(all.iter().map(EventData::kind).collect::<Vec<_>>(), KINDS);
    for event in all {
        let mut told = Published::default();
        event.publish(&mut told);
        let data: Value = serde_json::from_slice(told.iter().next().unwrap().data).unwrap();
        let path = format!("evt/{}", event.kind());
        read(&format!("messages/v1/{path}.json"), || pretty(&data));
        assert_eq!(data, golden(&path), "{path}");
    }
}

#[test]
fn given_a_hold_of_a_shop_when_it_is_settled_then_its_receipt_names_nodes_and_time_or_the_reason() {
    let body = |id: &str, quantity| {
        let lines = json!([{"line": 1, "sku": "A", "quantity": quantity}]);
        json!({"reservation_id": id, "lines": lines, "ttl_ms": 60_000})
    };
    let mut desk = Desk::new(&[("A~n1", 2)]);
    for (id, quantity) in [("r-1", 2), ("r-2", 9)] {
        desk.say(Plane::Intake, "hold", &body(id, quantity)).unwrap();
        desk.run();
    }
    let receipt = |id: &str, asked| -> Value {
        let state = desk.state(id);
        let outcome = Reservation::outcome(state).unwrap();
        let receipt = Reservation::receipt(&entity("reservation", id), state, &outcome, asked);
        serde_json::from_slice(&receipt.unwrap()).unwrap()
    };
    let held = receipt("r-1", Asked::NewWork);
    read("messages/v1/receipt/reservation.json", || pretty(&held));
    assert_eq!(held, golden("receipt/reservation"));
    let early = domain::messages::outbound::answers::Receipt {
        order_id: Some("r-1"),
        outcome: domain::messages::outbound::answers::ReceiptOutcome::Pending,
        order_version: 1,
        reason: None,
        queue: None,
        retry_after_ms: None,
    };
    let early = |asked| -> Value {
        serde_json::from_slice(&Reservation::early_receipt("reservation", asked, &early).unwrap()).unwrap()
    };
    let form = |receipt: &Value| receipt.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(form(&early(Asked::NewWork)), form(&held), "one form, whatever there is to say");
    let mut wished = receipt("r-1", Asked::Wish);
    assert_eq!(form(&early(Asked::Wish)), form(&wished));
    let shared = ["order_id", "order_version"].map(|field| wished.as_object_mut().unwrap().remove(field));
    assert_eq!(shared, [Some(json!("r-1")), Some(held["version"].clone())]);
    assert_eq!(wished, held, "a wish is told the same, and what every receipt has");
    let refused = receipt("r-2", Asked::NewWork);
    assert_eq!((&refused["outcome"], &refused["lines"]), (&json!("rejected"), &json!([])));
    assert_eq!((&refused["expires_at"], &refused["reason"]["code"]), (&Value::Null, &json!("out_of_stock")));
}

fn rewritten(message: &Message) -> Value {
    match message {
        Message::Hold(body) => serde_json::to_value(body),
        Message::Extend(body) => serde_json::to_value(body),
        Message::CommitWish(body) => serde_json::to_value(body),
        Message::GiveUp(body) => serde_json::to_value(body),
        other => panic!("{other:?} is a letter"),
    }
    .unwrap()
}

#[test]
fn given_golden_messages_when_read_in_both_formats_then_nothing_is_lost_and_required_fields_are_named() {
    for (plane, domain, name) in KNOWN.iter().copied() {
        let path = format!("{}/{domain}.{name}", plane.as_str());
        let body = golden(&path);
        let addressed = decode(&envelope(plane, domain, name, body.to_string())).unwrap();
        assert_eq!(addressed.entity, entity("reservation", "r-1001"), "{path}");
        assert_eq!(rewritten(&addressed.message), body, "{path}");
        if updating() {
            fs::write(file(&path, "msgpack"), rmp_serde::to_vec_named(&body).unwrap()).unwrap();
        }
        let mut packed = envelope(plane, domain, name, fs::read(file(&path, "msgpack")).unwrap());
        packed.headers.push("Content-Type", "application/msgpack");
        assert_eq!(rewritten(&decode(&packed).unwrap().message), body, "{path}");
        let refusal = decode(&envelope(plane, domain, name, "{}")).unwrap_err();
        assert!(
            refusal.violations.iter().any(|fault| fault.pointer == "/reservation_id"),
            "{path}: {refusal:?}"
        );
    }
}

#[test]
fn given_messages_that_are_none_when_read_then_they_are_refused_with_what_is_known() {
    let twice = json!({"reservation_id": "r-1", "lines": [{"line": 1, "sku": "A", "quantity": 1}, {"line": 1, "sku": "B", "quantity": 1}]});
    let refusal = decode(&envelope(Plane::Intake, "reservation", "hold", twice.to_string())).unwrap_err();
    assert_eq!(refusal.violations[0].pointer, "/lines/1/line");
    for (plane, domain, name) in [
        (Plane::Fact, "reservation", "hold"),
        (Plane::Intake, "reservation", "take"),
        (Plane::Ask, "order", "extend"),
        // Nobody outside writes letters.
        (Plane::Ask, "reservation", "attach"),
    ] {
        let refusal = decode(&envelope(plane, domain, name, "{}")).unwrap_err();
        assert!(refusal.violations[0].message.contains("intake/reservation.hold"), "{refusal:?}");
    }
    assert!(
        decode(&envelope(Plane::Internal, "reservation", "attach", "{}")).is_err(),
        "a letter names who gets it"
    );
}
