//! Recorded events of orders that our own stock serves.

use std::sync::Arc;

use domain::ids::Key;
use domain::messages::inbound::FulfillmentPolicy;
use domain::order::Event;
use domain::order::content::Content;
use domain::order::effect::{HoldAsked, Kind, LETTERS, Units, UnitsAt};
use domain::order::event::DemandChange;
use domain::order::stock::Backordered;
use domain::order::supply::{CounterKind, CounterUse, Supply};

use crate::recorded::{AT, DEADLINE, text};

const EFFECT: &str = "main:o-1001:reservation.hold:1";

fn supply() -> Supply {
    let counter =
        |counter, id: &str, uses, amount_minor| CounterUse { counter, id: text(id), uses, amount_minor };
    Supply {
        policy: FulfillmentPolicy::UseReservation,
        reservation_id: Some(Key::new("r-7").unwrap()),
        counters: vec![
            counter(CounterKind::Promotion, "bf26", 3, 6000),
            counter(CounterKind::Coupon, "BF26", 1, 6599),
        ],
        backorder: true,
        split_limit: Some(2),
        fresh_hold: true,
        region: Some(text("DE-BE")),
        pickup_node: Some(text("store-7")),
        promotions: Vec::new(),
    }
}

fn rows() -> Vec<UnitsAt> {
    vec![UnitsAt { line: 0, node: Some(text("n-1")), quantity: 2 }]
}

fn waits() -> Vec<Backordered> {
    vec![
        Backordered { line: 0, quantity: 1, promised_at: Some(DEADLINE) },
        Backordered { line: 0, quantity: 1, promised_at: None },
    ]
}

fn letters() -> Vec<Event> {
    let lines = || vec![Units { line: 0, quantity: 3 }];
    let reservation_id = Key::new("o-1001").unwrap();
    let hold = |lines, counters, hard| {
        Kind::HoldStock(Box::new(HoldAsked { reservation_id: reservation_id.clone(), lines, counters, hard }))
    };
    let kinds = [
        Kind::AttachReservation { lines: lines() },
        hold(lines(), true, false),
        hold(lines(), false, true),
        Kind::CommitReservation { reservation: 0 },
        Kind::ConsumeStock { reservation: 0, departure: 0 },
        Kind::ReleaseStock {
            reservation: 0,
            all: false,
            last: false,
            lines: vec![UnitsAt { line: 0, node: None, quantity: 1 }],
        },
        Kind::ReleaseStock { reservation: 0, all: false, last: true, lines: rows() },
        Kind::ReleaseStock { reservation: 1, all: true, last: false, lines: vec![] },
    ];
    let mut places: Vec<usize> = kinds.iter().map(Kind::index).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), LETTERS, "one of each kind");
    kinds.into_iter().map(|kind| Event::EffectIntended { kind, at: AT, deadline: Some(DEADLINE) }).collect()
}

/// One of each, in an order in which they make sense.
pub(crate) fn events(content: Content) -> Vec<Event> {
    let effect = || text(EFFECT);
    let submitted = Content { supply: Some(Arc::new(supply())), ..content };
    let mut events = vec![Event::Submitted(Box::new(submitted))];
    events.extend(letters());
    let (reservation, allocation_id) = (0, text("found-1"));
    events.extend([
        Event::StockHeld { effect: effect(), reservation, lines: rows(), backordered: waits() },
        Event::StockCommitted { effect: effect(), reservation, lines: rows(), backordered: waits() },
        Event::StockRefused {
            effect: effect(),
            reservation: 1,
            lines: vec![Units { line: 0, quantity: 2 }],
            code: text("out_of_stock"),
        },
        Event::StockFound { reservation, allocation_id, lines: rows() },
        Event::StockGivenUp {
            reservation,
            allocation_id: text("given-up-1"),
            lines: vec![Units { line: 0, quantity: 1 }],
        },
        Event::StockConsumed { effect: text("main:o-1001:reservation.consume:1") },
        Event::StockReleased {
            effect: text("main:o-1001:reservation.release:1"),
            reservation,
            lines: rows(),
        },
        Event::DemandSignalled {
            lines: vec![DemandChange { line: 0, units: 3 }, DemandChange { line: 0, units: -1 }],
        },
    ]);
    events
}
