//! Letters between orders and reservations as they were when they were first written: the journal holds them as causes, and a
//! node may read what an older one wrote.

use std::fs;
use std::path::PathBuf;

use domain::decider::{Letter, Trace};
use domain::ids::{EntityId, Key, Token};
use domain::messages::inbound::reservation::Letter as Answer;
use domain::messages::outbound::commands::SkuQuantity;
use domain::messages::outbound::letters::{
    AllocationSeen, Attach, Commit, Consume, CounterUse, Hold, HoldLine, Release, UnitsAt, to_bytes,
};
use domain::messages::{Message, decode};
use domain::reason::DeadReason;
use domain::time::Timestamp;
use serde_json::{Value, json};

use crate::golden::updating;

const ORDER: &str = "o-1001";

fn golden(path: &str, written: &Value) -> Value {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/letters/v1/{path}.json"));
    if updating() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, serde_json::to_string_pretty(written).unwrap() + "\n").unwrap();
    }
    let text = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn given_a_letter_of_an_order_when_written_then_it_is_as_it_was() {
    let lines = || vec![SkuQuantity { line: 1, sku: "SKU-A", quantity: 3 }];
    let at_nodes = || {
        vec![
            UnitsAt { line: 1, node: Some("n-1"), quantity: 2, sku: Some("SKU-A") },
            UnitsAt { line: 1, node: None, quantity: 1, sku: None },
        ]
    };
    let hold = Hold {
        reservation_id: ORDER,
        order_id: ORDER,
        lines: vec![HoldLine { line: 1, sku: "SKU-A", quantity: 3, promotion: None }],
        counters: vec![CounterUse {
            counter: "promotion",
            id: "bf26",
            uses: 3,
            amount_minor: 6000,
            customer_id: Some("c-9"),
        }],
        hard: false,
        channel: "web",
        region: Some("DE-BE"),
        pickup_node: Some("store-7"),
        split_limit: Some(2),
        backorder: true,
    };
    let release = Release {
        reservation_id: ORDER,
        order_id: ORDER,
        release_id: "main:o-1001:reservation.release:1",
        all: false,
        lines: at_nodes(),
        reason: "not_needed",
    };
    let movement_id = "main:o-1001:reservation.consume:1";
    for (path, body) in [
        ("order/hold", to_bytes(&hold)),
        ("order/attach", to_bytes(&Attach { reservation_id: "r-7", order_id: ORDER, lines: lines() })),
        ("order/commit", to_bytes(&Commit { reservation_id: "r-7", order_id: ORDER })),
        (
            "order/consume",
            to_bytes(&Consume { reservation_id: "r-7", order_id: ORDER, movement_id, lines: at_nodes() }),
        ),
        ("order/release", to_bytes(&release)),
        (
            "order/allocation_seen",
            to_bytes(&AllocationSeen { reservation_id: "r-7", allocation_id: "r-7:found:1" }),
        ),
    ] {
        let written: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(written, golden(path, &written), "{path}");
    }
}

fn envelope(name: &'static str, body: &Value) -> domain::envelope::Envelope {
    let entity = |kind: &str, key: &str| EntityId {
        tenant: Token::new("main").unwrap(),
        kind: Token::new(kind).unwrap(),
        key: Key::new(key).unwrap(),
    };
    let letter = Letter { to: entity("order", ORDER), name, body: body.to_string().into() };
    letter.envelope(&entity("reservation", "r-7"), 3, Trace::default(), Timestamp(0))
}

#[test]
fn given_a_letter_to_an_order_when_read_then_it_says_what_it_said() {
    let rows = json!([{"line": 1, "sku": "SKU-A", "node": "n-1", "quantity": 2}]);
    let held = json!({"reservation_id": "r-7", "lines": rows.clone(),
        "backordered": [{"line": 1, "sku": "SKU-A", "quantity": 1, "promised_at": 1_795_766_400_000_i64}],
        "expires_at": 1_795_766_400_000_i64});
    let bodies = [
        held.clone(),
        held,
        json!({"reservation_id": "r-7", "code": "out_of_stock", "message": "not enough",
            "lines": [{"line": 1, "sku": "SKU-A", "available": 2}]}),
        json!({"reservation_id": "r-7", "movement_id": "main:o-1001:reservation.consume:1"}),
        json!({"reservation_id": "r-7", "release_id": "main:o-1001:reservation.release:1"}),
        json!({"reservation_id": "r-7", "allocation_id": "r-7:found:1", "lines": rows}),
        json!({"reservation_id": "r-7", "allocation_id": "r-7:given_up:1",
            "lines": [{"line": 1, "sku": "SKU-A", "quantity": 2}]}),
    ];
    for (name, body) in Answer::NAMES.into_iter().zip(&bodies) {
        let body = golden(&format!("reservation/{name}"), body);
        let addressed =
            decode(&envelope(name, &body)).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        assert_eq!(addressed.entity.to_string(), "main:order:o-1001", "{name}");
        let Message::Reservation(letter) = addressed.message else { panic!("{name}") };
        let (read, fields) = match letter {
            Answer::Held(held) | Answer::Committed(held) => {
                let waits = held.backordered[0].promised_at;
                assert_eq!(waits, Some(Timestamp(1_795_766_400_000)));
                (held.reservation_id, held.lines.len() + held.backordered.len())
            }
            Answer::Refused(refused) => {
                assert_eq!((refused.code.as_str(), refused.lines[0].available), ("out_of_stock", 2));
                (refused.reservation_id, 2)
            }
            Answer::Consumed(consumed) => {
                (consumed.reservation_id, consumed.movement_id.as_str().split(':').count() / 2)
            }
            Answer::Released(released) => {
                (released.reservation_id, released.release_id.as_str().split(':').count() / 2)
            }
            Answer::GivenUp(told) => (told.reservation_id, told.lines[0].quantity.get() as usize),
            Answer::Allocated(told) => {
                assert_eq!((told.lines[0].node.as_str(), told.lines[0].quantity.get()), ("n-1", 2));
                (told.reservation_id, 2)
            }
        };
        assert_eq!((read.as_str(), fields), ("r-7", 2), "{name}");
    }
}

#[test]
fn given_a_letter_that_cannot_be_read_or_is_none_when_it_comes_then_it_is_refused_with_what_is_wrong() {
    let refusal = decode(&envelope("reservation_held", &json!({"lines": []}))).unwrap_err();
    assert_eq!(refusal.reason, DeadReason::Schema);
    assert!(refusal.violations[0].message.contains("reservation_id"), "{refusal:?}");
    let refusal = decode(&envelope("reservation_praised", &json!({}))).unwrap_err();
    assert_eq!(refusal.reason, DeadReason::UnknownType);
}
