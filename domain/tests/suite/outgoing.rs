//! What we send, against golden files: a subscriber of version 1 must find every field where it was.

use std::collections::BTreeMap;
use std::fs;

use domain::decider::Published;
use domain::envelope::Plane;
use domain::messages::body::{Format, read};
use domain::messages::inbound::Submit;
use domain::messages::outbound::answers::{DeadLetter, Page, PageRow, QueuePlace, Receipt, ReceiptOutcome};
use domain::messages::outbound::commands::*;
use domain::messages::outbound::events::*;
use domain::messages::outbound::render;
use domain::messages::shape::List;
use domain::reason::{Code, Reason, Violation};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::golden::{file, golden, updating};

const ORDER: &str = "o-1001";
const SHIPMENT: &str = "o-1001-s1";
const EUR: &str = "EUR";

fn units() -> Vec<Units> {
    vec![Units { line: 1, quantity: 2 }]
}

fn skus() -> Vec<SkuQuantity<'static>> {
    vec![
        SkuQuantity { line: 1, sku: "SKU-A", quantity: 3 },
        SkuQuantity { line: 2, sku: "SKU-B", quantity: 1 },
    ]
}

fn releases() -> Vec<ReleaseUnits<'static>> {
    vec![ReleaseUnits { allocation_ref: "al-2", line: 1, quantity: 1 }]
}

fn money_commands() -> Vec<CommandBody<'static>> {
    vec![
        CommandBody::LoyaltyReserve(LoyaltyReserve {
            order_id: ORDER,
            member_id: "m-77",
            points: 2000,
            value_minor: 1000,
            currency: EUR,
        }),
        CommandBody::LoyaltyFinalize(LoyaltyFinalize {
            order_id: ORDER,
            reservation_ref: "res-1",
            points: 1555,
            value_minor: 778,
            shipment_id: SHIPMENT,
        }),
        CommandBody::LoyaltyRelease(LoyaltyRelease {
            order_id: ORDER,
            reservation_ref: "res-1",
            points: 445,
            value_minor: 222,
        }),
        CommandBody::LoyaltyAccrue(LoyaltyAccrue {
            order_id: ORDER,
            member_id: "m-77",
            points_delta: 47,
            target_points: 47,
            basis_minor: 4700,
            milestone: "shipped",
            rule: Some("base"),
        }),
        CommandBody::PaymentAuthorize(PaymentAuthorize {
            order_id: ORDER,
            tender: "t1",
            gateway: "psp-a",
            token: "tok_9f3",
            amount_minor: 7998,
            currency: EUR,
        }),
        CommandBody::PaymentCapture(PaymentCapture {
            order_id: ORDER,
            tender: "t1",
            authorization_ref: "auth-1",
            amount_minor: 4086,
            currency: EUR,
            shipment_id: SHIPMENT,
            settlement_ref: "main:o-1001:capture:1",
        }),
        CommandBody::PaymentVoid(PaymentVoid {
            order_id: ORDER,
            tender: "t1",
            authorization_ref: "auth-1",
            amount_minor: 1779,
            currency: EUR,
        }),
    ]
}

fn goods_commands(submit: &Submit) -> Vec<CommandBody<'_>> {
    let ship_to = submit.ship_to.as_ref();
    vec![
        CommandBody::AllocationAllocate(AllocationAllocate { order_id: ORDER, lines: skus(), ship_to }),
        CommandBody::AllocationRelease(AllocationRelease {
            order_id: ORDER,
            releases: releases(),
            reason: "cancelled",
        }),
        CommandBody::FulfillmentRelease(FulfillmentRelease {
            order_id: ORDER,
            shipment_id: SHIPMENT,
            node: "n-1",
            lines: skus(),
            ship_to,
        }),
        CommandBody::FulfillmentCancel(FulfillmentCancel {
            order_id: ORDER,
            shipment_id: SHIPMENT,
            node: "n-1",
            lines: units(),
        }),
        CommandBody::ErpPost(ErpPost {
            order_id: ORDER,
            document: "invoice",
            document_key: "main:o-1001:invoice:1",
            currency: EUR,
            lines: vec![
                DocumentRow::Line {
                    line: 1,
                    sku: Some("SKU-A"),
                    quantity: 2,
                    net_minor: 3333,
                    tax_minor: 667,
                },
                DocumentRow::Fee { fee: "shipping", quantity: 1, net_minor: 499, tax_minor: 100 },
            ],
            tenders: vec![DocumentTender {
                tender: "t1",
                amount_minor: 4086,
                settlement_ref: Some("main:o-1001:capture:1"),
            }],
            loyalty_value_minor: Some(513),
            shipment_id: Some(SHIPMENT),
            depends_on: vec!["main:o-1001:ship:1"],
        }),
    ]
}

fn order_events(reason: &Reason) -> Vec<EventData<'_>> {
    let committed = OrderCommitted {
        order_id: ORDER,
        tenders: vec![TenderAuthorized { tender: "t1", authorized_minor: 7998 }],
        points: 2000,
        lines: skus(),
    };
    vec![
        EventData::OrderReceived(OrderReceived {
            order_id: ORDER,
            channel: "web",
            currency: EUR,
            total_minor: 8998,
        }),
        EventData::OrderCommitted(committed.clone()),
        EventData::OrderAccepted(committed),
        EventData::OrderRejected(OrderEnded { order_id: ORDER, reason }),
        EventData::OrderFulfilling(OrderOnly { order_id: ORDER }),
        EventData::OrderCancelling(OrderOnly { order_id: ORDER }),
        EventData::OrderCancelled(OrderEnded { order_id: ORDER, reason }),
        EventData::OrderCompleted(OrderCompleted {
            order_id: ORDER,
            captured_minor: 6219,
            voided_minor: 1779,
            finalized_points: 1555,
            released_points: 445,
            accrued_points: 47,
        }),
        EventData::OrderStatusChanged(OrderStatusChanged {
            order_id: ORDER,
            status: Status {
                payment: "captured",
                fulfillment: "shipped",
                loyalty: "finalized",
                erp: "posted",
                r#return: "none",
                stock: "consumed",
                display: "shipped",
            },
        }),
    ]
}

fn money_events() -> Vec<EventData<'static>> {
    let points = |points| PointsMoved { order_id: ORDER, points };
    let money = |amount_minor, settlement_ref| MoneyMoved {
        order_id: ORDER,
        tender: "t1",
        amount_minor,
        settlement_ref,
    };
    let document = |document_no| DocumentChanged {
        order_id: ORDER,
        document: "book",
        document_key: "main:o-1001:book:1",
        document_no,
    };
    vec![
        EventData::PointsReserved(points(2000)),
        EventData::PointsFinalized(points(1555)),
        EventData::PointsReleased(points(445)),
        EventData::PointsAccrued(PointsAccrued { order_id: ORDER, points_delta: 47, target_points: 47 }),
        EventData::AccrualDeferred(PointsAccrued { order_id: ORDER, points_delta: 47, target_points: 47 }),
        EventData::PaymentAuthorized(money(7998, None)),
        EventData::PaymentDeclined(money(7998, None)),
        EventData::PaymentCaptured(money(4086, Some("main:o-1001:capture:1"))),
        EventData::PaymentCaptureFailed(money(4086, Some("main:o-1001:capture:1"))),
        EventData::PaymentVoided(money(1779, None)),
        EventData::ErpQueued(document(None)),
        EventData::ErpPosted(document(Some("4500017"))),
        EventData::ErpRejected(document(None)),
    ]
}

fn goods_events() -> Vec<EventData<'static>> {
    let at_node = || ShipmentAtNode { order_id: ORDER, shipment_id: SHIPMENT, node: "n-1", lines: units() };
    let of_shipment = || ShipmentUnits { order_id: ORDER, shipment_id: SHIPMENT, lines: units() };
    let hold = || HoldChanged { order_id: ORDER, hold: Hold { hold_id: "h-1", r#type: "unknown_outcome" } };
    let exception = ExceptionChanged {
        order_id: Some(ORDER),
        reservation_id: None,
        exception: Exception {
            exception_id: "x-1",
            kind: "erp_rejected",
            cause: "main:o-1001:book:1",
            exposure_minor: 8998,
            exposure_points: 0,
            effect_id: Some("main:o-1001:erp.post:1"),
        },
    };
    let of_reservation = ExceptionChanged {
        order_id: Some(ORDER),
        reservation_id: Some("r-1001"),
        exception: Exception {
            exception_id: "overdue",
            kind: "overdue",
            cause: "it is held, and its order has done nothing for too long",
            exposure_minor: 0,
            exposure_points: 0,
            effect_id: None,
        },
    };
    let allocation_ref = "al-1";
    vec![
        EventData::StockAllocated(StockAllocated {
            order_id: ORDER,
            allocations: vec![AllocatedUnits {
                allocation_ref,
                line: 1,
                sku: "SKU-A",
                quantity: 3,
                node: "n-1",
            }],
        }),
        EventData::StockReleased(StockReleased { order_id: ORDER, releases: releases() }),
        EventData::DemandSignal(DemandSignal {
            order_id: ORDER,
            channel: "web",
            line: 1,
            sku: "SKU-A",
            units_delta: 3,
            region: Some("DE-BE"),
        }),
        EventData::ShipmentRequested(at_node()),
        EventData::ShipmentAccepted(at_node()),
        EventData::ShipmentDispatched(ShipmentDispatched {
            order_id: ORDER,
            shipment_id: SHIPMENT,
            parcel_id: Some("p-1"),
            node: "n-1",
            carrier: Some("dhl"),
            tracking: Some("T-1"),
            lines: units(),
        }),
        EventData::ShipmentDelivered(of_shipment()),
        EventData::ShipmentCancelled(of_shipment()),
        EventData::HoldPlaced(hold()),
        EventData::HoldResolved(hold()),
        EventData::ExceptionOpened(exception),
        EventData::ExceptionResolved(of_reservation),
    ]
}

fn answers(reason: &Reason) -> Vec<(String, String)> {
    let receipt = Receipt {
        order_id: Some(ORDER),
        outcome: ReceiptOutcome::Rejected,
        order_version: 7,
        reason: Some(reason),
        queue: Some(QueuePlace { position: 12, estimated_wait_ms: 340 }),
        retry_after_ms: Some(1_500),
    };
    let violations = [Violation { pointer: "/total_minor".to_owned(), message: "missing".to_owned() }];
    let letter = DeadLetter {
        reason: "schema",
        code: "schema_invalid",
        violations: &violations,
        subject: "retail.v1.intake.main.order.submit.o-1001",
        stream: "RETAIL_INTAKE",
        sequence: 4711,
        ce_id: "m-1",
        ce_source: Some("/shop"),
        headers: BTreeMap::from([("ce-id", "m-1"), ("ce-source", "/shop")]),
        payload_base64: "e30=".to_owned(),
    };
    let data = RawValue::from_string("{\"order_id\":\"o-1001\"}".to_owned()).unwrap();
    let row = PageRow {
        r#type: "order.fulfilling",
        key: ORDER,
        id: "main:order:o-1001:9:1",
        sequence: 14,
        order_version: 9,
        time: "2026-11-27T08:00:01.250Z",
        correlation_id: Some("m-1"),
        data: &data,
    };
    let page = Page { partition: 3, journal_sequence: 815, page: None, pages: None, events: vec![row] };
    vec![
        ("receipt/receipt".to_owned(), render(&receipt)),
        ("dlq/dead_letter".to_owned(), render(&letter)),
        ("evt/all.page".to_owned(), render(&page)),
    ]
}

/// One of everything that we send, with all of its fields, by the path of its golden file.
fn everything() -> Vec<(String, String)> {
    let submit: Submit = read(Format::Json, golden("intake/order.submit").to_string().as_bytes()).unwrap();
    let reason =
        Reason::new(Code::PaymentDeclined, "tender t1 was declined").from_participant("insufficient_funds");
    let commands = money_commands().into_iter().chain(goods_commands(&submit));
    let commands = commands.map(|command| {
        (format!("cmd/{}.{}", command.participant().as_str(), command.name()), command.render())
    });
    let events = order_events(&reason).into_iter().chain(money_events()).chain(goods_events());
    let mut told = Published::default();
    events.for_each(|event| event.publish(&mut told));
    let text = |data: &[u8]| String::from_utf8(data.to_vec()).unwrap();
    let published: Vec<_> =
        told.iter().map(|event| (format!("evt/{}", event.kind), text(event.data))).collect();
    commands.chain(published).chain(answers(&reason)).collect()
}

#[test]
fn given_one_of_everything_when_written_then_it_is_as_it_was() {
    for (path, body) in everything() {
        let written: Value = serde_json::from_str(&body).unwrap();
        if updating() {
            let file = file(&path, "json");
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, serde_json::to_string_pretty(&written).unwrap() + "\n").unwrap();
        }
        assert_eq!(written, golden(&path), "{path}");
    }
}

#[test]
fn given_the_list_of_events_when_compared_with_the_golden_ones_then_none_is_missing() {
    let golden: Vec<String> = everything().into_iter().map(|(path, _)| path).collect();
    for kind in KINDS {
        assert!(golden.contains(&format!("evt/{kind}")), "{kind}");
    }
}

#[test]
fn given_optional_fields_that_are_none_when_written_then_they_are_left_out_but_a_reason_is_null() {
    let post = ErpPost {
        order_id: ORDER,
        document: "book",
        document_key: "k",
        currency: EUR,
        lines: vec![DocumentRow::Line { line: 1, sku: None, quantity: 1, net_minor: 5, tax_minor: 0 }],
        tenders: vec![],
        loyalty_value_minor: None,
        shipment_id: None,
        depends_on: vec![],
    };
    assert_eq!(
        serde_json::from_str::<Value>(&render(&post)).unwrap(),
        json!({ "order_id": ORDER, "document": "book", "document_key": "k", "currency": "EUR",
                "lines": [{ "line": 1, "quantity": 1, "net_minor": 5, "tax_minor": 0 }] })
    );
    let receipt = Receipt {
        order_id: Some(ORDER),
        outcome: ReceiptOutcome::Accepted,
        order_version: 3,
        reason: None,
        queue: None,
        retry_after_ms: None,
    };
    assert_eq!(
        render(&receipt),
        r#"{"order_id":"o-1001","outcome":"accepted","order_version":3,"reason":null}"#
    );
}

#[test]
fn given_a_place_to_ship_to_when_it_has_fields_that_we_do_not_know_then_they_are_passed_on() {
    let submit: Submit = read(Format::Json, golden("intake/order.submit").to_string().as_bytes()).unwrap();
    for command in goods_commands(&submit) {
        let body: Value = serde_json::from_str(&command.render()).unwrap();
        if let Some(ship_to) = body.get("ship_to") {
            assert_eq!(ship_to["locker"], json!({ "number": 7 }), "{}", command.name());
        }
    }
    let nobody = AllocationAllocate { order_id: ORDER, lines: skus(), ship_to: None };
    assert!(!render(&nobody).contains("ship_to"));
}

#[test]
fn given_a_list_when_it_is_too_long_or_too_short_then_it_cannot_be_made() {
    assert!(List::<i64, 1, 2>::new(vec![]).is_none() && List::<i64, 1, 2>::new(vec![1, 2, 3]).is_none());
    assert_eq!(List::<i64, 1, 2>::new(vec![1, 2]).unwrap().into_vec(), [1, 2]);
    assert_eq!(Plane::parse("reply"), Some(Plane::Reply));
}
