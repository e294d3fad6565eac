//! What the recorded events of the tests are about.

use std::sync::Arc;

use domain::ids::{Key, Token};
use domain::order::content::Origin;
use domain::reservation::content::{Asked, Content, CounterUse, Line};
use domain::reservation::message::CounterKind;
use domain::sourcing::{Candidate, Decided, Record, Rule, Unfit, Verdict};
use domain::time::Timestamp;

pub(super) const AT: Timestamp = Timestamp(1_795_766_400_000);
pub(super) const DEADLINE: Timestamp = Timestamp(1_795_766_402_250);

pub(super) fn text(text: &str) -> Arc<str> {
    text.into()
}

pub(super) fn content() -> Content {
    let line = |line, sku, node: Option<&str>| {
        let (sku, node) = (text(sku), node.map(text));
        Line { line, sku, quantity: 3, node, promotion: None }
    };
    Content {
        tenant: Token::new("main").unwrap(),
        reservation_id: Key::new("r-1001").unwrap(),
        asked: Asked {
            order_id: Some(Key::new("o-1001").unwrap()),
            by_order: true,
            lines: vec![line(1, "SKU-A", None), line(2, "SKU-B", Some("n-1"))],
            counters: vec![CounterUse {
                counter: CounterKind::Promotion,
                id: text("bf26"),
                uses: 1,
                amount_minor: 5000,
                customer_id: Some(text("c-9")),
            }],
            hard: false,
            backorder: true,
            region: Some(text("DE-BE")),
            channel: Some(text("web")),
            pickup_node: Some(text("n-1")),
            split_limit: Some(2),
            ttl_ms: Some(600_000),
        },
        origin: Origin {
            correlation_id: text("m-1"),
            traceparent: Some(text("00-4b-00-01")),
            tracestate: None,
        },
        at: AT,
        expires_at: Some(DEADLINE),
    }
}

pub(super) fn record() -> Arc<Record> {
    let candidate = |node, verdict, scores| Candidate { node: text(node), verdict, units: 3, scores };
    Arc::new(Record {
        reference: 7,
        rules: vec![Rule::MinSplits, Rule::LandedCost],
        candidates: vec![
            candidate("n-1", Verdict::Chosen, vec![1_000_001, 490]),
            candidate("n-2", Verdict::Lost(Decided::Rule(Rule::LandedCost)), vec![1_000_001, 900]),
            candidate("n-3", Verdict::Unfit(Unfit::Region), vec![]),
        ],
        unnamed: 2,
        searched: 3,
        complete: true,
    })
}
