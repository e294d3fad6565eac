//! Reference data: what fits is read, what does not is refused with everything that is wrong with it, and the last good one stays.

use domain::reason::Refusal;
use domain::reference::{Item, Limits, Node, NodeKind, Reference, Subject};
use domain::time::Timestamp;
use serde_json::{Value, json};

use crate::golden::golden;

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn pointers(refusal: &Refusal) -> Vec<&str> {
    refusal.violations.iter().map(|violation| violation.pointer.as_str()).collect()
}

fn node_with(field: &str, value: Value) -> Result<Node, Refusal> {
    let mut node = golden("reference/node");
    node[field] = value;
    Node::read(&bytes(&node))
}

#[test]
fn given_a_golden_value_when_it_is_read_and_written_then_nothing_is_lost() {
    let node = Node::read(&bytes(&golden("reference/node"))).unwrap();
    assert_eq!(serde_json::to_value(&node).unwrap(), golden("reference/node"));
    assert_eq!((node.kind, node.priority), (NodeKind::Warehouse, Some(10)));
    let item = Item::read(&bytes(&golden("reference/item"))).unwrap();
    assert_eq!(serde_json::to_value(&item).unwrap(), golden("reference/item"));
    for limited in ["reference/promotion", "reference/coupon"] {
        let limits = Limits::read(&bytes(&golden(limited))).unwrap();
        assert_eq!(serde_json::to_value(&limits).unwrap(), golden(limited), "{limited}");
    }
    let coupon = Limits::read(&bytes(&golden("reference/coupon"))).unwrap();
    assert_eq!(coupon.begins_at(), Timestamp::read("2026-11-26T23:00:00Z"));
    assert_eq!(coupon.ends_at(), None);
}

#[test]
fn given_a_value_with_faults_when_it_is_read_then_each_is_named_with_its_field() {
    for (field, value) in [
        ("kind", json!("drone")),
        ("kind", json!(7)),
        ("active", json!("yes")),
        ("capacity_per_day", json!(-1)),
        ("sla_hours", json!(1.5)),
        ("cost_minor", json!(-1)),
        ("region", json!("")),
        ("channels", json!("web")),
        ("priority", json!("high")),
    ] {
        let refusal = node_with(field, value.clone()).expect_err(field);
        assert_eq!(pointers(&refusal), [format!("/{field}")], "{field} = {value}: {refusal:?}");
        let message = &refusal.violations[0].message;
        assert!(message.contains("found") && message.contains("expected"), "{message}");
    }
    let refusal = Node::read(br#"{"kind":"store","active":1}"#).unwrap_err();
    assert_eq!(
        pointers(&refusal),
        ["/region", "/capacity_per_day", "/sla_hours", "/cost_minor", "/pickup", "/active"]
    );
    assert_eq!(pointers(&Node::read(b"").unwrap_err()), [""], "an empty value is no node");
}

#[test]
fn given_a_span_that_ends_before_it_begins_or_names_no_day_when_it_is_read_then_it_is_refused() {
    for (pointer, body) in [
        ("/until", json!({"from": "2026-11-28T00:00:00Z", "until": "2026-11-27T00:00:00Z"})),
        ("/until", json!({"from": "2026-11-27T00:00:00Z", "until": "2026-11-27T01:00:00+01:00"})),
        ("/from", json!({"from": "2026-02-29T00:00:00Z"})),
    ] {
        assert_eq!(pointers(&Limits::read(&bytes(&body)).unwrap_err()), [pointer], "{body}");
    }
    let both = json!({"uses": -1, "until": "2026-02-30T00:00:00Z"});
    assert_eq!(pointers(&Limits::read(&bytes(&both)).unwrap_err()), ["/uses", "/until"]);
}

#[test]
fn given_keys_when_they_are_split_then_only_those_of_the_contract_are_taken() {
    assert_eq!(Subject::of_key("node.n-1").unwrap(), (Subject::Node, "n-1"));
    assert_eq!(Subject::of_key("coupon.BF26").unwrap(), (Subject::Coupon, "BF26"));
    assert_eq!(Subject::of_key("identity.m-1").unwrap(), (Subject::Unused, "m-1"));
    for bad in
        ["node", "node.", "node.a~b", "warehouse.n-1", "", "item.a.b", &format!("node.{}", "n".repeat(49))]
    {
        let refusal = Subject::of_key(bad).expect_err(bad);
        assert!(refusal.violations[0].message.contains("expected"), "{refusal:?}");
    }
}

#[test]
fn given_a_value_that_does_not_fit_when_it_is_put_in_then_the_last_good_one_stays() {
    let mut reference = Reference::default();
    reference.put(7, "node.n-1", Some(&bytes(&golden("reference/node")))).unwrap();
    let before = reference.clone();
    reference.put(8, "node.n-1", Some(b"{}")).unwrap_err();
    assert_eq!(reference.node("n-1"), before.node("n-1"));
    assert_eq!((before.revision(), reference.revision()), (7, 8));
}

#[test]
fn given_a_snapshot_that_is_shared_when_the_next_is_made_then_the_shared_one_does_not_change() {
    let mut reference = Reference::default();
    for (revision, id) in [(1, "b"), (2, "a"), (3, "c")] {
        let node = bytes(&golden("reference/node"));
        reference.put(revision, &format!("node.{id}"), Some(&node)).unwrap();
    }
    reference.put(4, "promotion.bf26", Some(&bytes(&golden("reference/promotion")))).unwrap();
    let shared = reference.clone();
    reference.put(5, "node.a", None).unwrap();
    reference.put(6, "promotion.bf26", None).unwrap();
    reference.put(7, "item.never", None).unwrap();
    let ids =
        |reference: &Reference| -> Vec<String> { reference.nodes().map(|(id, _)| id.to_string()).collect() };
    assert_eq!(ids(&shared), ["a", "b", "c"]);
    assert_eq!(ids(&reference), ["b", "c"]);
    assert_eq!(shared.promotion("bf26").and_then(|limits| limits.per_customer), Some(2));
    assert!(reference.promotion("bf26").is_none() && reference.coupon("bf26").is_none());
    assert!(reference.item("never").is_none());
}

#[test]
fn given_names_when_nothing_is_named_then_all_are_meant_and_a_region_covers_its_parts() {
    let node = node_with("serves", json!(["DE", "AT-9"])).unwrap();
    for (region, ships) in [("DE", true), ("DE-BE", true), ("AT-9", true), ("AT", false), ("DEX", false)] {
        assert_eq!(node.ships_to(Some(region)), ships, "{region}");
    }
    assert!(node.ships_to(None) && node.works_for(Some("app")) && !node.works_for(Some("pos")));
    let anywhere = node_with("serves", Value::Null).unwrap();
    assert!(anywhere.ships_to(Some("FR")));
    let limits = Limits::read(br#"{"per_customer":1,"channels":["web"]}"#).unwrap();
    assert!(limits.is_counted() && limits.works_for(None) && !limits.works_for(Some("pos")));
    assert!(!Limits::read(b"{}").unwrap().is_counted());
}
