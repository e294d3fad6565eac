//! What is wrong with a body is said completely; what is right is read the same from JSON and MessagePack.

use domain::decider::Participant;
use domain::envelope::Plane;
use domain::messages::inbound::{FailureClass, Submit};
use domain::messages::{Message, decode};
use domain::reason::{DeadReason, Refusal};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::golden::{envelope, golden, incoming};

fn submit_with(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = json!({
        "order_id": "o-1", "channel": "web", "currency": "EUR", "customer": { "customer_id": "c-9" },
        "lines": [
            { "line": 1, "sku": "SKU-A", "quantity": 2, "net_minor": 2000, "tax_minor": 380 },
            { "line": 2, "sku": "SKU-B", "quantity": 1, "net_minor": 100, "tax_minor": 19 },
        ],
        "fees": [], "total_minor": 2499,
        "tenders": [{ "tender": "t1", "type": "card", "gateway": "psp-a", "token": "tok_9f3" }],
        "ship_to": { "region": "DE-BE", "postcode": "10115" },
        "reservation_id": null, "submitted_at": "2026-11-27T08:00:00Z",
    });
    change(&mut body);
    body
}

fn remove(body: &mut Value, pointer: &str, field: &str) {
    body.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(field).unwrap();
}

fn refusal_of(body: impl Into<bytes::Bytes>) -> Refusal {
    decode(&envelope(Plane::Intake, "order", "submit", body)).expect_err("it must be refused")
}

fn pointers(refusal: &Refusal) -> Vec<&str> {
    refusal.violations.iter().map(|violation| violation.pointer.as_str()).collect()
}

fn read_submit(body: &Value) -> Submit {
    match decode(&envelope(Plane::Intake, "order", "submit", body.to_string())).unwrap().message {
        Message::Submit(submit) => *submit,
        other => panic!("{other:?}"),
    }
}

#[test]
fn given_a_field_out_of_shape_when_read_then_exactly_it_is_named() {
    type Change = fn(&mut Value);
    let cases: [(&str, Change); 21] = [
        ("/total_minor", |body| remove(body, "", "total_minor")),
        ("/lines/1/quantity", |body| remove(body, "/lines/1", "quantity")),
        ("/tenders", |body| remove(body, "", "tenders")),
        ("/tenders", |body| body["tenders"] = json!([])),
        ("/lines/0/net_minor", |body| body["lines"][0]["net_minor"] = json!("2000")),
        ("/lines/0/net_minor", |body| body["lines"][0]["net_minor"] = json!(2000.5)),
        ("/lines/0/net_minor", |body| body["lines"][0]["net_minor"] = json!(-2000)),
        ("/lines/0/quantity", |body| body["lines"][0]["quantity"] = json!(-1)),
        ("/lines/0/quantity", |body| body["lines"][0]["quantity"] = json!(0)),
        ("/lines/0", |body| body["lines"][0] = json!([1, "SKU-A", 2, 2000, 380])),
        ("/lines", |body| body["lines"] = json!([])),
        ("/lines", |body| body["lines"] = Value::Array(vec![body["lines"][0].clone(); 501])),
        ("/order_id", |body| body["order_id"] = json!("käse")),
        ("/order_id", |body| body["order_id"] = json!("a".repeat(97))),
        ("/currency", |body| body["currency"] = json!("eur")),
        ("/channel", |body| body["channel"] = json!("")),
        ("/ship_to", |body| body["ship_to"] = json!("Berlin")),
        ("/accrual/per_minor", |body| body["accrual"] = json!({ "points": 1, "per_minor": 0 })),
        ("/fulfillment/policy", |body| body["fulfillment"] = json!({ "policy": "by_owl" })),
        ("/submitted_at", |body| body["submitted_at"] = json!("27.11.2026")),
        ("/tenders/0/amount_minor", |body| {
            let tender = body["tenders"][0].clone();
            body["tenders"].as_array_mut().unwrap().push(tender);
        }),
    ];
    for (pointer, change) in cases {
        let refusal = refusal_of(submit_with(change).to_string());
        assert_eq!(refusal.reason, DeadReason::Schema, "{pointer}");
        assert_eq!(pointers(&refusal), [pointer], "{refusal:?}");
        assert!(refusal.violations[0].message.contains("expected "), "{refusal:?}");
    }
}

#[test]
fn given_several_faults_when_read_then_all_are_named() {
    let body = submit_with(|body| {
        remove(body, "", "order_id");
        remove(body, "", "tenders");
        body["lines"][1]["quantity"] = json!(0);
        body["lines"][1]["tax_minor"] = json!(null);
        body["total_minor"] = json!("2499");
    });
    assert_eq!(
        pointers(&refusal_of(body.to_string())),
        ["/order_id", "/lines/1/quantity", "/lines/1/tax_minor", "/total_minor", "/tenders"]
    );
}

#[test]
fn given_what_is_no_object_when_read_then_the_whole_body_is_named() {
    for body in
        ["{\"order_id\": ", "[1, 2]", "", "null", "7", "{} {}", "{\"order_id\":\"o-1\",\"order_id\":\"o-2\"}"]
    {
        let refusal = refusal_of(body);
        assert_eq!(refusal.reason, DeadReason::Schema, "{body}");
        assert!(!refusal.violations.is_empty() && !refusal.violations[0].message.is_empty(), "{body}");
    }
    let whole = submit_with(|_| {}).to_string();
    let twice = whole.replacen("\"channel\":\"web\"", "\"channel\":\"web\",\"channel\":\"shop\"", 1);
    assert_eq!(pointers(&refusal_of(twice)), [""]);
}

#[test]
fn given_a_body_with_shape_but_no_sense_when_read_then_it_is_taken() {
    let changes: [fn(&mut Value); 4] = [
        |body| body["total_minor"] = json!(2500),
        |body| body["currency"] = json!("QQQ"),
        |body| body["redemption"] = json!({ "points": 9000, "value_minor": 9000 }),
        |body| body["lines"][1]["line"] = json!(1),
    ];
    for change in changes {
        read_submit(&submit_with(change));
    }
}

#[test]
fn given_points_that_cover_all_when_no_tender_is_there_then_it_is_taken() {
    let body = submit_with(|body| {
        remove(body, "", "tenders");
        body["redemption"] = json!({ "points": 4998, "value_minor": 2499 });
    });
    assert!(read_submit(&body).tenders.is_empty());
}

#[test]
fn given_nesting_of_32_when_read_then_it_is_taken_and_one_more_is_not() {
    let nested = |depth: usize| (0..depth).fold(json!({}), |inner, _| json!({ "x": inner }));
    for (note, taken) in [(30, true), (31, false), (40, false), (2000, false)] {
        let body = format!("{{\"note\":{},{}", deep_text(note), &submit_with(|_| {}).to_string()[1..]);
        let read = decode(&envelope(Plane::Intake, "order", "submit", body));
        assert_eq!(read.is_ok(), taken, "{note}");
        if note <= 40 {
            let packed = rmp_serde::to_vec_named(&submit_with(|body| body["note"] = nested(note))).unwrap();
            let mut envelope = envelope(Plane::Intake, "order", "submit", packed);
            envelope.headers.push("content-type", "application/msgpack");
            assert_eq!(decode(&envelope).is_ok(), taken, "{note}");
        }
    }
    let brackets_in_text = submit_with(|body| body["note"] = json!("[\"".repeat(100)));
    read_submit(&brackets_in_text);
}

fn deep_text(depth: usize) -> String {
    format!("{}{{}}{}", "{\"x\":".repeat(depth), "}".repeat(depth))
}

#[test]
fn given_a_body_over_256_kib_when_read_then_it_is_oversize() {
    let refusal = refusal_of(submit_with(|body| body["note"] = json!("x".repeat(300 * 1024))).to_string());
    assert_eq!(refusal.reason, DeadReason::Oversize);
}

#[test]
fn given_a_ce_type_when_it_contradicts_the_subject_then_the_header_is_named() {
    let cases = [
        ("retail.order.submit.v1", None),
        ("retail.order.cancel.v1", Some(DeadReason::Schema)),
        ("retail.order.submit", Some(DeadReason::Schema)),
        ("order.submit.v1", Some(DeadReason::Schema)),
        ("retail.order.submit.v9", Some(DeadReason::Version)),
        ("", None),
    ];
    for (given, expected) in cases {
        let mut envelope = envelope(Plane::Intake, "order", "submit", submit_with(|_| {}).to_string());
        envelope.headers.push("CE-Type", given);
        match (decode(&envelope), expected) {
            (Ok(_), None) => {}
            (Err(refusal), Some(reason)) => {
                assert_eq!(
                    (refusal.reason, pointers(&refusal)),
                    (reason, vec!["/headers/ce-type"]),
                    "{given}"
                );
            }
            (other, _) => panic!("{given}: {other:?}"),
        }
    }
}

#[test]
fn given_a_content_type_when_it_is_not_known_then_the_header_is_named() {
    let mut known = envelope(Plane::Intake, "order", "submit", submit_with(|_| {}).to_string());
    known.headers.push("content-type", "application/json; charset=utf-8");
    assert!(decode(&known).is_ok());
    let mut unknown = envelope(Plane::Intake, "order", "submit", submit_with(|_| {}).to_string());
    unknown.headers.push("content-type", "text/xml");
    assert_eq!(pointers(&decode(&unknown).unwrap_err()), ["/headers/content-type"]);
}

#[test]
fn given_a_name_that_is_not_handled_when_read_then_the_known_ones_are_told() {
    let cases = [
        (Plane::Intake, "order", "frobnicate", "order.submit"),
        (Plane::Ask, "order", "decide", "order.cancel"),
        (Plane::Reply, "payment", "exploded", "payment.captured"),
        (Plane::Reply, "shipment", "departed", "shipment.accepted"),
        (Plane::Fact, "stock", "received", "shipment.departed"),
        (Plane::Bulk, "pos", "sale", "nothing yet"),
        (Plane::Reply, "nobody", "failed", "erp.failed"),
    ];
    for (plane, domain, name, told) in cases {
        let refusal = decode(&envelope(plane, domain, name, "{}")).unwrap_err();
        assert_eq!(refusal.reason, DeadReason::UnknownType, "{domain}.{name}");
        assert!(refusal.violations[0].message.contains(told), "{refusal:?}");
        assert!(refusal.violations[0].message.contains(&format!(".{domain}.{name}.")), "{refusal:?}");
    }
}

#[test]
fn given_a_failure_when_read_then_its_participant_is_known_whatever_its_class_is_called() {
    let cases = [
        ("loyalty", Participant::Loyalty),
        ("payment", Participant::Payment),
        ("allocation", Participant::Allocation),
        ("shipment", Participant::Fulfillment),
        ("fulfillment", Participant::Fulfillment),
        ("erp", Participant::Erp),
    ];
    for (domain, participant) in cases {
        let body = json!({ "order_id": "o-1", "code": "x", "class": "tired", "message": "m".repeat(9000) });
        match decode(&envelope(Plane::Reply, domain, "failed", body.to_string())).unwrap().message {
            Message::Failed(by, failed) => {
                assert_eq!((by, failed.class), (participant, FailureClass::Unknown));
                assert_eq!(failed.message.unwrap().as_str().len(), 500);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn given_a_golden_submit_when_no_business_field_changes_then_the_content_is_the_same() {
    let body = golden("intake/order.submit");
    let hash = read_submit(&body).content_hash();
    let mut resubmitted = body.clone();
    resubmitted["submitted_at"] = json!("2026-11-27T09:30:00Z");
    resubmitted["note"] = json!("please ring twice");
    resubmitted["lines"][0]["colour"] = json!("red");
    resubmitted["customer"]["note"] = json!(null);
    assert_eq!(read_submit(&resubmitted).content_hash(), hash);
    let empty_or_absent = |change: fn(&mut Value)| read_submit(&submit_with(change)).content_hash();
    assert_eq!(empty_or_absent(|_| {}), empty_or_absent(|body| remove(body, "", "fees")));
    assert_eq!(empty_or_absent(|_| {}), empty_or_absent(|body| body["coupons"] = json!(null)));
}

#[test]
fn given_a_golden_submit_when_any_business_value_changes_then_the_content_is_another() {
    let body = golden("intake/order.submit");
    let hash = read_submit(&body).content_hash();
    let mut places = Vec::new();
    collect_leaves(&body, &mut String::new(), &mut places);
    assert!(places.len() > 40, "{places:?}");
    for place in places.into_iter().filter(|place| place != "/submitted_at") {
        let mut changed = body.clone();
        let value = changed.pointer_mut(&place).unwrap();
        *value = match (&place[..], &*value) {
            ("/currency", _) => json!("SEK"),
            ("/fulfillment/policy", _) => json!("hold_at_submit"),
            (_, Value::Number(number)) => json!(number.as_i64().unwrap() + 1),
            (_, Value::String(text)) => json!(format!("{text}x")),
            (_, other) => panic!("{place}: {other}"),
        };
        assert_ne!(read_submit(&changed).content_hash(), hash, "{place}");
    }
}

fn collect_leaves(value: &Value, pointer: &mut String, places: &mut Vec<String>) {
    let length = pointer.len();
    let children: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(name, child)| (name.clone(), child)).collect(),
        Value::Array(rows) => rows.iter().enumerate().map(|(index, row)| (index.to_string(), row)).collect(),
        _ => return places.push(pointer.clone()),
    };
    for (token, child) in children {
        pointer.push('/');
        pointer.push_str(&token);
        collect_leaves(child, pointer, places);
        pointer.truncate(length);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Quarters, because reading a float from JSON text may be off by its last bit.
        any::<i32>().prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
        "[ -~äö\\u{0}]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map("[a-z_]{1,8}", inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_at_any_place_of_a_golden_message_is_taken_or_named_in_both_formats(
        which in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), value in any_json(),
    ) {
        let messages: Vec<_> = incoming().collect();
        let (plane, domain, name, _, mut body) = messages[which.index(messages.len())].clone();
        let mut places = Vec::new();
        collect_leaves(&body, &mut String::new(), &mut places);
        *body.pointer_mut(&places[place.index(places.len())]).unwrap() = value;
        let from_json = decode(&envelope(plane, domain, name, body.to_string()));
        let mut packed = envelope(plane, domain, name, rmp_serde::to_vec_named(&body).unwrap());
        packed.headers.push("content-type", "application/msgpack");
        match (from_json, decode(&packed)) {
            (Ok(json), Ok(pack)) => prop_assert_eq!(json.message, pack.message),
            (Err(json), Err(pack)) => {
                prop_assert!(!json.violations.is_empty() && json.violations[0].pointer.starts_with('/'), "{:?}", json);
                prop_assert_eq!(json, pack);
            }
            (json, pack) => prop_assert!(false, "JSON {:?}, MessagePack {:?}", json, pack),
        }
    }

    #[test]
    fn any_json_is_refused_or_read_without_a_panic(body in any_json()) {
        let body = body.to_string();
        for (plane, domain, name, ..) in incoming() {
            let refused = decode(&envelope(plane, domain, name, body.clone())).err();
            prop_assert!(refused.is_none_or(|refusal| !refusal.violations.is_empty()));
        }
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200), pack in any::<bool>()) {
        let mut envelope = envelope(Plane::Intake, "order", "submit", body);
        if pack {
            envelope.headers.push("content-type", "application/msgpack");
        }
        prop_assert!(!decode(&envelope).unwrap_err().violations.is_empty());
    }
}
