//! What cells and counters tell, against golden files: a subscriber of version 1 must find every field where it was.

use domain::decider::Published;
use domain::messages::outbound::stock_events::*;
use serde_json::Value;

use crate::golden::{file, golden, updating};

const CELL: (&str, &str) = ("SKU-A", "n-1");
const CLAIM: (&str, &str) = ("r-1", "r-1:1:1");

fn level() -> Level {
    Level { on_hand: 120, soft: 3, hard: 40, backordered: 0, available: 74 }
}

fn moves() -> Vec<EventData<'static>> {
    let ((sku, node), (reservation_id, claim_id)) = (CELL, CLAIM);
    vec![
        EventData::Reserved(StockReserved {
            sku,
            node,
            reservation_id,
            claim_id,
            quantity: 3,
            hard: false,
            promotion: Some("bf26"),
            level: level(),
        }),
        EventData::Backordered(StockBackordered {
            sku,
            node,
            reservation_id,
            claim_id,
            quantity: 3,
            since: "2026-11-27T08:00:00Z".into(),
            promised_at: Some("2026-11-29T05:00:00Z".into()),
            level: level(),
        }),
        EventData::Moved(StockMoved {
            sku,
            node,
            r#move: "consumed",
            quantity: 2,
            claim_id: Some(claim_id),
            reservation_id: Some(reservation_id),
            movement_id: Some("o-1001-s1:p-1"),
            reason: Some("damaged in the aisle"),
            level: level(),
        }),
        EventData::CounterMoved(CounterMoved {
            counter: "coupon~BF26",
            r#move: "reserved",
            reservation_id,
            claim_id: "r-1:coupon~BF26",
            uses: 1,
            amount_minor: 500,
            uses_taken: 17,
            budget_taken_minor: 8_500,
        }),
    ]
}

fn signals() -> Vec<EventData<'static>> {
    let ((sku, node), (reservation_id, claim_id)) = (CELL, CLAIM);
    vec![
        EventData::Discrepancy(StockDiscrepancy {
            sku,
            node,
            kind: "drift",
            quantity: -2,
            counted: Some(38),
            expected: Some(40),
            movement_id: "count-77",
            as_of: Some("2026-11-27T06:00:00Z".into()),
            level: level(),
        }),
        EventData::Oversold(StockOversold {
            sku,
            node,
            quantity: 2,
            victims: vec![Victim { reservation_id, claim_id, quantity: 2, hard: true }],
            level: level(),
        }),
        EventData::Threshold(StockThreshold { sku, node, threshold: Some(10), level: level() }),
        EventData::Feed(StockFeed {
            sku,
            node,
            stale: true,
            policy: Some("stop_selling"),
            heard_at: "2026-11-27T06:00:00Z".into(),
            level: level(),
        }),
        EventData::SetAside(StockSetAside {
            sku,
            node,
            promotion: "bf26",
            quantity: 50,
            until: Some("2026-11-28T00:00:00Z".into()),
            level: level(),
        }),
    ]
}

#[test]
fn given_one_of_everything_when_written_then_it_is_as_it_was_and_none_is_missing() {
    let mut told = Published::default();
    moves().into_iter().chain(signals()).for_each(|event| event.publish(&mut told));
    for event in told.iter() {
        let path = format!("evt/{}", event.kind);
        let written: Value = serde_json::from_slice(event.data).unwrap();
        if updating() {
            std::fs::write(file(&path, "json"), serde_json::to_string_pretty(&written).unwrap() + "\n")
                .unwrap();
        }
        assert_eq!(written, golden(&path), "{path}");
    }
    let kinds: Vec<&str> = told.iter().map(|event| event.kind).collect();
    for kind in KINDS {
        assert!(kinds.contains(kind), "{kind}");
    }
}
