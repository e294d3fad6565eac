//! Recorded events of orders as they were when they were first written. Every later version must read them, mean
//! the same, and write them the same.

use std::sync::Arc;

use std::fs;
use std::path::PathBuf;

use domain::decider::EffectState;
use domain::envelope::{Envelope, Headers, Plane};
use domain::ids::{Key, Token};
use domain::order::Event;
use domain::order::content::{AccrualRule, Content, Fee, Line, Origin, Redemption, Tender};
use domain::order::effect::{Giveback, Kind, Units};
use domain::order::event::{
    AllocatedUnits, CancelCause, CancelledFrom, DeliveredParcel, DepartedUnits, Departure, DocumentDue,
    DocumentKind, Exception, ExceptionKind, HoldType,
};
use domain::order::status;
use domain::reason::{Code, Reason};
use domain::time::Timestamp;
use serde_json::{Value, json};

use crate::golden::updating;
use crate::recorded_stock;

const EFFECT: &str = "main:o-1001:payment.capture:2";
pub(crate) const AT: Timestamp = Timestamp(1_795_766_400_000);
pub(crate) const DEADLINE: Timestamp = Timestamp(1_795_766_402_250);

macro_rules! names {
    ($($variant:ident = $name:literal,)+) => {
        /// The name of an event as it is recorded.
        fn name(event: &Event) -> &'static str {
            match event { $(Event::$variant { .. } => $name,)+ }
        }

        const NAMES: &[&str] = &[$($name),+];
    };
}

names! {
    Parked = "parked",
    ParkedExpired = "parked_expired",
    Submitted = "submitted",
    Rejected = "rejected",
    EffectIntended = "effect_intended",
    EffectSent = "effect_sent",
    EffectRetrying = "effect_retrying",
    EffectWaits = "effect_waits",
    EffectSuperseded = "effect_superseded",
    EffectExhausted = "effect_exhausted",
    EffectRefused = "effect_refused",
    PointsReserved = "points_reserved",
    PointsRefused = "points_refused",
    PointsFinalized = "points_finalized",
    PointsReleased = "points_released",
    Accrued = "accrued",
    AccrualDeferred = "accrual_deferred",
    Authorized = "authorized",
    Declined = "declined",
    Captured = "captured",
    CaptureDeclined = "capture_declined",
    Voided = "voided",
    Committed = "committed",
    CancelNoted = "cancel_noted",
    CancelWished = "cancel_wished",
    Allocated = "allocated",
    AllocationRefused = "allocation_refused",
    AllocationReleased = "allocation_released",
    ShipmentPlanned = "shipment_planned",
    ShipmentAccepted = "shipment_accepted",
    ShipmentCancelled = "shipment_cancelled",
    ShipmentCancelRejected = "shipment_cancel_rejected",
    Departed = "departed",
    Delivered = "delivered",
    DeliveryNoted = "delivery_noted",
    UnitsCancelled = "units_cancelled",
    StockHeld = "stock_held",
    StockCommitted = "stock_committed",
    StockRefused = "stock_refused",
    StockFound = "stock_found",
    StockGivenUp = "stock_given_up",
    StockConsumed = "stock_consumed",
    StockReleased = "stock_released",
    DemandSignalled = "demand_signalled",
    DocumentDue = "document_due",
    DocumentPosted = "document_posted",
    DocumentRejected = "document_rejected",
    Fulfilling = "fulfilling",
    Cancelling = "cancelling",
    Cancelled = "cancelled",
    Completed = "completed",
    HoldPlaced = "hold_placed",
    HoldResolved = "hold_resolved",
    ExceptionOpened = "exception_opened",
    StatusChanged = "status_changed",
}

pub(crate) fn text(text: &str) -> Arc<str> {
    text.into()
}

fn units() -> Vec<Units> {
    vec![Units { line: 0, quantity: 2 }, Units { line: 1, quantity: 1 }]
}

fn givebacks() -> Vec<Giveback> {
    vec![Giveback { allocation_ref: text("al-1"), line: 0, quantity: 1 }]
}

fn allocations() -> Vec<AllocatedUnits> {
    vec![AllocatedUnits { allocation_ref: text("al-1"), line: 0, quantity: 3, node: text("n-1") }]
}

fn reason() -> Reason {
    Reason::new(Code::PaymentDeclined, "the gateway declined the payment: funds").from_participant("funds")
}

fn parked() -> Event {
    let token = |text| Token::new(text).unwrap();
    let envelope = Envelope {
        tenant: token("main"),
        plane: Plane::Ask,
        domain: token("order"),
        name: token("cancel"),
        headers: Headers::new().with("ce-id", "m-1").with("ce-source", "/shop"),
        body: r#"{"order_id":"o-1001","reason":"r"}"#.into(),
        stream: "RETAIL_WORK".into(),
        sequence: 4711,
        item: Some(3),
        stored_at: AT,
    };
    Event::Parked { envelope: Box::new(envelope), until: DEADLINE }
}

fn content() -> Content {
    let ship_to = json!({"region": "DE-BE", "postcode": "10115", "locker": {"number": 7}});
    let tender = |tender: &str, amount_minor| Tender {
        tender: text(tender),
        gateway: text("psp-a"),
        token: text("tok_9f3"),
        amount_minor,
    };
    Content {
        tenant: Token::new("main").unwrap(),
        order_id: Key::new("o-1001").unwrap(),
        channel: text("web"),
        currency: text("EUR"),
        customer_id: Some(text("c-9")),
        member_id: Some(text("m-77")),
        lines: vec![Line { line: 1, sku: text("SKU-A"), quantity: 3, net_minor: 5000, tax_minor: 1000 }],
        fees: vec![Fee { fee: text("shipping"), net_minor: 499, tax_minor: 100 }],
        total_minor: 6599,
        redemption: Redemption { points: 2000, value_minor: 1000 },
        tenders: vec![tender("t1", 2000), tender("t2", 3599)],
        ship_to: Some(serde_json::from_value(ship_to).unwrap()),
        supply: None,
        accrual: AccrualRule { points: 1, per_minor: 100, rule: Some(text("base")) },
        origin: Origin {
            correlation_id: text("m-1"),
            traceparent: Some(text("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")),
            tracestate: Some(text("vendor=1")),
        },
        content_hash: [0, 1, 2, 3, 4, 5, 6, 7, 248, 249, 250, 251, 252, 253, 254, 255],
        received_at: AT,
        commit_deadline: DEADLINE,
    }
}

fn intended() -> Vec<Event> {
    let kinds = [
        Kind::ReservePoints,
        Kind::FinalizePoints { points: 1023, value_minor: 511, departure: 0 },
        Kind::ReleasePoints { points: 445, value_minor: 223 },
        Kind::Accrue { points_delta: -15, target_points: 32, basis_minor: 3200 },
        Kind::Authorize { tender: 1 },
        Kind::Capture { tender: 1, amount_minor: 4086, departure: 0 },
        Kind::Void { tender: 1, amount_minor: 1779 },
        Kind::Allocate { lines: units() },
        Kind::ReleaseAllocation { releases: givebacks() },
        Kind::ReleaseShipment { shipment: 0 },
        Kind::CancelShipment { shipment: 0, lines: units() },
        Kind::Post { document: 2 },
    ];
    assert!(kinds.iter().enumerate().all(|(index, kind)| kind.index() == index), "one of each kind");
    assert_eq!(kinds.len(), domain::order::effect::KINDS);
    kinds.into_iter().map(|kind| Event::EffectIntended { kind, at: AT, deadline: Some(DEADLINE) }).collect()
}

fn effects() -> Vec<Event> {
    let effect = || text(EFFECT);
    vec![
        Event::EffectIntended { kind: Kind::ReservePoints, at: AT, deadline: None },
        Event::EffectSent { effect: effect(), at: AT, deadline: DEADLINE },
        Event::EffectRetrying { effect: effect(), deadline: DEADLINE },
        Event::EffectWaits { effect: effect() },
        Event::EffectSuperseded { effect: effect() },
        Event::EffectExhausted { effect: effect() },
        Event::EffectRefused { effect: effect(), code: text("e-42") },
    ]
}

fn answers() -> Vec<Event> {
    let effect = || text(EFFECT);
    let (tender, amount_minor) = (1, 4086);
    vec![
        Event::PointsReserved { effect: effect(), points: 2000, reservation_ref: text("res-1") },
        Event::PointsRefused { effect: effect() },
        Event::PointsFinalized { effect: effect(), points: 1023 },
        Event::PointsReleased { effect: effect(), points: 445 },
        Event::Accrued { effect: effect(), points_delta: -15, target_points: 32 },
        Event::AccrualDeferred { points_delta: -15, target_points: 32 },
        Event::Authorized { effect: effect(), tender, amount_minor, authorization_ref: text("auth-1") },
        Event::Declined { effect: effect(), tender, amount_minor },
        Event::Captured { effect: effect(), tender, amount_minor, settlement_ref: text(EFFECT) },
        Event::CaptureDeclined { effect: effect(), tender, amount_minor, code: text("lost_card") },
        Event::Voided { effect: effect(), tender, amount_minor },
        Event::Allocated { effect: effect(), allocations: allocations() },
        Event::AllocationRefused { effect: effect(), lines: units(), code: text("none") },
        Event::AllocationReleased { effect: effect(), releases: givebacks() },
        Event::ShipmentAccepted { effect: effect(), shipment: 0 },
        Event::ShipmentCancelled { effect: effect(), shipment: 0, lines: units() },
        Event::ShipmentCancelRejected { effect: effect(), shipment: 0 },
        Event::DocumentPosted { effect: effect(), document: 2, document_no: text("4500017") },
        Event::DocumentRejected { effect: effect(), document: 2, code: text("no_customer") },
    ]
}

fn departure() -> Departure {
    Departure {
        shipment_id: text("o-1001-s1"),
        shipment: Some(0),
        mark: text("p-1"),
        parcel_id: Some(text("p-1")),
        node: text("n-1"),
        carrier: Some(text("dhl")),
        tracking: Some(text("T-1")),
        units: vec![DepartedUnits { line: 0, released: 2, pending: 1 }],
    }
}

fn goods() -> Vec<Event> {
    let (shipment_id, parcel_id) = (text("o-1001-s1"), Some(text("p-1")));
    let parcels = vec![DeliveredParcel { departure: 0, units: units() }];
    let cancelled = |from, cause| Event::UnitsCancelled { from, cause, lines: units() };
    vec![
        Event::CancelNoted { lines: units() },
        Event::CancelWished { reason: text("changed my mind") },
        Event::ShipmentPlanned { node: text("n-1"), units: allocations() },
        Event::Departed(Arc::new(departure())),
        Event::Delivered { shipment_id: shipment_id.clone(), parcel_id: parcel_id.clone(), parcels },
        Event::DeliveryNoted { shipment_id, parcel_id, lines: units() },
        cancelled(CancelledFrom::Pending, CancelCause::Customer),
        cancelled(CancelledFrom::Shipment(0), CancelCause::OutOfStock),
    ]
}

fn document_due() -> Event {
    Event::DocumentDue(Arc::new(DocumentDue {
        kind: DocumentKind::Receipt,
        spans: vec![Content::line_span(0, 1, 3)],
        depends_on: vec![1],
        tenders: vec![(1, 4086, Some(text(EFFECT))), (0, 5, None)],
        points_value_minor: 511,
        shipment_id: Some(text("o-1001-s1")),
    }))
}

fn order() -> Vec<Event> {
    let exception = Exception {
        id: 1,
        kind: ExceptionKind::AmountDiffers,
        cause: text("payment.capture: asked for 4086, answered 4000"),
        exposure_minor: 86,
        exposure_points: 0,
        effect_id: Some(text(EFFECT)),
    };
    let status = status::Status {
        payment: status::Payment::PartiallyCaptured,
        fulfillment: status::Fulfillment::InProgress,
        loyalty: status::Loyalty::PartlyFinalized,
        erp: status::Erp::PartlyPosted,
        returns: status::Return::None,
        stock: status::Stock::PartlyAllocated,
        display: status::Display::PartlyShipped,
    };
    vec![
        parked(),
        Event::ParkedExpired { messages: 2 },
        Event::Submitted(Box::new(content())),
        Event::Rejected { reason: reason(), version: 2 },
        Event::Committed { version: 3 },
        Event::Fulfilling,
        Event::Cancelling,
        Event::Cancelled { reason: reason() },
        Event::Completed,
        Event::HoldPlaced { hold: HoldType::UnknownOutcome },
        Event::HoldResolved { hold: HoldType::UnknownOutcome },
        Event::ExceptionOpened(Box::new(exception)),
        Event::StatusChanged(status),
        document_due(),
    ]
}

/// One of every event, by the name of its golden file; where there are several, they are numbered from 1.
pub(crate) fn everything() -> Vec<(String, Event)> {
    named(before_stock().into_iter().chain(recorded_stock::events(content())))
}

/// The events of orders that have no stock of ours.
pub(crate) fn without_stock() -> Vec<(String, Event)> {
    named(before_stock().into_iter())
}

fn before_stock() -> Vec<Event> {
    let events = order().into_iter().chain(intended()).chain(effects()).chain(answers()).chain(goods());
    events.collect()
}

fn named(events: impl Iterator<Item = Event>) -> Vec<(String, Event)> {
    let mut named: Vec<(String, Event)> = Vec::new();
    for event in events {
        let name = name(&event);
        let before = named.iter().filter(|(_, known)| self::name(known) == name).count();
        let file = if before == 0 { name.to_owned() } else { format!("{name}-{}", before + 1) };
        named.push((file, event));
    }
    named
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/events/v1")
}

fn read(file: &str, ending: &str, written: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    let path = folder().join(format!("{file}.{ending}"));
    if updating() {
        fs::create_dir_all(folder()).unwrap();
        fs::write(&path, written()).unwrap();
    }
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn given_golden_json_when_read_and_written_then_it_is_the_same_event() {
    for (file, event) in everything() {
        let json =
            read(&file, "json", || (serde_json::to_string_pretty(&event).unwrap() + "\n").into_bytes());
        let golden: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(serde_json::from_slice::<Event>(&json).unwrap(), event, "{file}");
        assert_eq!(serde_json::to_value(&event).unwrap(), golden, "{file}");
    }
}

#[test]
fn given_golden_messagepack_when_read_and_written_then_every_byte_is_the_same() {
    for (file, event) in everything() {
        let packed = read(&file, "msgpack", || rmp_serde::to_vec_named(&event).unwrap());
        assert_eq!(rmp_serde::from_slice::<Event>(&packed).unwrap(), event, "{file}");
        assert_eq!(rmp_serde::to_vec_named(&event).unwrap(), packed, "{file}");
    }
}

#[test]
fn given_the_list_of_events_when_compared_with_the_golden_ones_then_none_is_missing_and_none_is_over() {
    let everything = everything();
    for name in NAMES {
        let (_, event) =
            everything.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("no {name}"));
        let recorded = match serde_json::to_value(event).unwrap() {
            Value::String(word) => word,
            Value::Object(fields) => fields.into_iter().next().unwrap().0,
            other => panic!("{name}: {other}"),
        };
        assert_eq!(recorded, *name, "the name stands in the record");
    }
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(everything.iter().any(|(file, _)| file == stem), "{stem} is no event any more");
    }
}

#[test]
fn given_words_that_are_recorded_when_written_then_they_are_those_of_the_wire() {
    let word = |value: Value| value.as_str().unwrap().to_owned();
    for kind in [
        ExceptionKind::AmountDiffers,
        ExceptionKind::EffectRefused,
        ExceptionKind::DepartedTooMuch,
        ExceptionKind::DepartedUncommitted,
        ExceptionKind::AmbiguousAnswer,
        ExceptionKind::NoAnswer,
        ExceptionKind::UnknownValue,
    ] {
        assert_eq!(word(serde_json::to_value(kind).unwrap()), kind.as_str());
    }
    for kind in [
        DocumentKind::Book,
        DocumentKind::Amend,
        DocumentKind::Cancel,
        DocumentKind::Ship,
        DocumentKind::Invoice,
        DocumentKind::Receipt,
    ] {
        assert_eq!(word(serde_json::to_value(kind).unwrap()), kind.as_str());
    }
    let states = [EffectState::Waiting, EffectState::Sent, EffectState::Retrying];
    let states: Vec<String> = states.iter().map(|state| word(serde_json::to_value(state).unwrap())).collect();
    assert_eq!(states, ["waiting", "sent", "retrying"]);
}
