//! What a cell reads, and what is wrong with what it does not read.

use domain::decider::Decider;
use domain::envelope::{Envelope, Headers, Plane};
use domain::reason::{DeadReason, Refusal};
use domain::stock::Stock;
use domain::stock::message::KNOWN;
use serde_json::{Value, json};

use super::fact;
use crate::golden::{envelope, golden, updating};

fn refusal(envelope: &Envelope) -> Refusal {
    Stock::decode(envelope).expect_err("it must be refused")
}

fn pointers(refusal: &Refusal) -> Vec<&str> {
    refusal.violations.iter().map(|violation| violation.pointer.as_str()).collect()
}

#[test]
fn given_every_golden_fact_when_read_then_it_names_its_cell_in_both_formats() {
    for (plane, domain, name) in KNOWN {
        let path = format!("{}/{domain}.{name}", plane.as_str());
        let body = golden(&path);
        let read = Stock::decode(&envelope(*plane, domain, name, body.to_string())).unwrap();
        assert_eq!(
            (read.entity.to_string().as_str(), read.pointer),
            ("main:stock:SKU-A~n-1", "/sku"),
            "{path}"
        );
        let file = crate::golden::file(&path, "msgpack");
        if updating() {
            std::fs::write(&file, rmp_serde::to_vec_named(&body).unwrap()).unwrap();
        }
        let mut packed = envelope(*plane, domain, name, std::fs::read(file).unwrap());
        packed.headers.push("content-type", "application/msgpack");
        assert_eq!(Stock::decode(&packed).unwrap().message, read.message, "{path}");
    }
}

#[test]
fn given_a_fact_out_of_shape_when_read_then_exactly_what_is_wrong_is_named() {
    let good = json!({"on_hand": 1, "movement_id": "m", "as_of": "2026-11-27T08:00:00Z"});
    let cases: [(&str, &str, Value); 8] = [
        ("/sku", "sku", json!("a.b")),
        ("/sku", "sku", json!("a".repeat(96))),
        ("/node", "node", json!("n~1")),
        ("/on_hand", "on_hand", json!("1")),
        ("/on_hand", "on_hand", json!(1_000_000_000_001_i64)),
        ("/as_of", "as_of", json!("2026-02-30T08:00:00Z")),
        ("/as_of", "as_of", json!("yesterday")),
        ("/safety", "safety", json!(-1)),
    ];
    for (pointer, field, value) in cases {
        let mut body = fact(&good);
        body[field] = value;
        let refused = refusal(&envelope(Plane::Fact, "stock", "baseline", body.to_string()));
        assert_eq!((refused.reason, pointers(&refused)), (DeadReason::Schema, vec![pointer]), "{body}");
    }
}

#[test]
fn given_a_key_that_is_not_the_cell_when_read_then_it_is_refused() {
    let body = fact(&json!({"quantity": 1, "movement_id": "m"}));
    let mut named = envelope(Plane::Fact, "stock", "received", body.to_string());
    named.headers.push("Key", "SKU-A~n-1");
    assert!(Stock::decode(&named).is_ok());
    named.headers = Headers::new().with("Key", "SKU-A~n-2");
    assert_eq!(pointers(&refusal(&named)), ["/headers/Key"]);
}

#[test]
fn given_a_question_from_outside_when_read_then_there_is_no_such_message() {
    let body = crate::stock_desk::take("r-1:1:1", 1).to_string();
    for plane in [Plane::Fact, Plane::Ask, Plane::Intake, Plane::Reply] {
        let refused = refusal(&envelope(plane, "stock", "take", body.clone()));
        assert_eq!(refused.reason, DeadReason::UnknownType);
        assert!(refused.violations[0].message.contains("stock.baseline"), "{refused:?}");
    }
    let mut letter = envelope(Plane::Internal, "stock", "take", body);
    assert_eq!(refusal(&letter).reason, DeadReason::UnknownType, "nobody is named");
    letter.headers.push("ce-subject", "SKU-A~n-1");
    assert!(Stock::decode(&letter).is_ok());
    // A name that a cell knows may be another domain's.
    let received = fact(&json!({"quantity": 1, "movement_id": "m"})).to_string();
    assert_eq!(
        refusal(&envelope(Plane::Fact, "return", "received", received)).reason,
        DeadReason::UnknownType
    );
    let mut fact = envelope(Plane::Internal, "stock", "baseline", "{}");
    fact.headers.push("ce-subject", "SKU-A~n-1");
    assert_eq!(refusal(&fact).reason, DeadReason::UnknownType);
}

#[test]
fn given_a_claim_of_another_reservation_when_it_is_asked_for_then_it_is_refused() {
    let mut body = crate::stock_desk::take("r-1:1:1", 1);
    body["reservation_id"] = json!("r-2");
    let mut letter = envelope(Plane::Internal, "stock", "take", body.to_string());
    letter.headers.push("ce-subject", "SKU-A~n-1");
    assert_eq!(pointers(&refusal(&letter)), ["/claim_id"]);
}
