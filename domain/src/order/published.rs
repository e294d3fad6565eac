//! What the outside is told of each event: exactly one business event of each type per cause. Frozen for this version
//! of the contract, because recovery makes pages again from recorded events.

use super::content::Content;
use super::effect::{Giveback, Kind, Units, UnitsAt};
use super::event::{AllocatedUnits, DeliveredParcel, DemandChange, Event, Exception, HoldType};
use super::state::State;
use super::status::Status;
use super::stock::{Reservation, Stage};
use crate::decider::Published;
use crate::ids::EntityId;
use crate::messages::outbound::commands as wire;
use crate::messages::outbound::events as data;
use crate::messages::outbound::events::EventData;

/// Tells the business events of `event`, given the state after it.
pub(super) fn tell(entity: &EntityId, state: &State, event: &Event, told: &mut Published) {
    let order_id = entity.key.as_str();
    match event {
        Event::Submitted(content) => received(order_id, content, told),
        Event::Rejected { reason, .. } => {
            EventData::OrderRejected(data::OrderEnded { order_id, reason }).publish(told);
        }
        Event::Committed { .. } => {
            let committed = committed(order_id, state);
            EventData::OrderCommitted(committed.clone()).publish(told);
            EventData::OrderAccepted(committed).publish(told);
        }
        Event::Fulfilling => EventData::OrderFulfilling(data::OrderOnly { order_id }).publish(told),
        Event::Cancelling => EventData::OrderCancelling(data::OrderOnly { order_id }).publish(told),
        Event::Cancelled { reason } => {
            EventData::OrderCancelled(data::OrderEnded { order_id, reason }).publish(told);
        }
        Event::Completed => EventData::OrderCompleted(completed(order_id, state)).publish(told),
        Event::StatusChanged(status) => status_changed(order_id, *status, told),
        Event::PointsReserved { points, .. } => {
            points_moved(order_id, *points, EventData::PointsReserved, told);
        }
        Event::PointsFinalized { points, .. } => {
            points_moved(order_id, *points, EventData::PointsFinalized, told);
        }
        Event::PointsReleased { points, .. } => {
            points_moved(order_id, *points, EventData::PointsReleased, told);
        }
        Event::Accrued { points_delta, target_points, .. } => EventData::PointsAccrued(data::PointsAccrued {
            order_id,
            points_delta: *points_delta,
            target_points: *target_points,
        })
        .publish(told),
        Event::AccrualDeferred { points_delta, target_points } => {
            EventData::AccrualDeferred(data::PointsAccrued {
                order_id,
                points_delta: *points_delta,
                target_points: *target_points,
            })
            .publish(told);
        }
        Event::Authorized { tender, amount_minor, .. } => {
            money(state, *tender, *amount_minor, None, EventData::PaymentAuthorized, told);
        }
        Event::Declined { tender, amount_minor, .. } => {
            money(state, *tender, *amount_minor, None, EventData::PaymentDeclined, told);
        }
        Event::Captured { tender, amount_minor, settlement_ref, .. } => {
            money(state, *tender, *amount_minor, Some(settlement_ref), EventData::PaymentCaptured, told);
        }
        Event::CaptureDeclined { tender, amount_minor, effect, .. } => {
            money(state, *tender, *amount_minor, Some(effect), EventData::PaymentCaptureFailed, told);
        }
        Event::Voided { tender, amount_minor, .. } => {
            money(state, *tender, *amount_minor, None, EventData::PaymentVoided, told);
        }
        Event::HoldPlaced { hold } => EventData::HoldPlaced(hold_changed(order_id, *hold)).publish(told),
        Event::HoldResolved { hold } => EventData::HoldResolved(hold_changed(order_id, *hold)).publish(told),
        Event::ExceptionOpened(exception) => exception_opened(order_id, exception, told),
        _ => goods_and_documents(order_id, state, event, told),
    }
}

fn goods_and_documents(order_id: &str, state: &State, event: &Event, told: &mut Published) {
    match event {
        Event::Allocated { allocations, .. } => allocated(order_id, state, allocations, told),
        Event::AllocationReleased { releases, .. } => EventData::StockReleased(data::StockReleased {
            order_id,
            releases: giveback_rows(state, releases),
        })
        .publish(told),
        Event::StockHeld { reservation, lines, .. }
        | Event::StockCommitted { reservation, lines, .. }
        | Event::StockFound { reservation, lines, .. } => {
            stock_allocated(order_id, state, *reservation, lines, told);
        }
        Event::StockReleased { reservation, lines, .. } => {
            stock_released(order_id, state, *reservation, lines, told);
        }
        Event::DemandSignalled { lines } => demand(order_id, state, lines, told),
        Event::ShipmentPlanned { node, units } => {
            let shipment_id = &*state.shipment_id(last_index(state.shipments.len()));
            let lines =
                merged(state, units.iter().map(|row| Units { line: row.line, quantity: row.quantity }));
            EventData::ShipmentRequested(data::ShipmentAtNode { order_id, shipment_id, node, lines })
                .publish(told);
        }
        Event::ShipmentAccepted { shipment, .. } => {
            let shipment_id = &*state.shipment_id(*shipment);
            let known = &state.shipments[usize::from(*shipment)];
            let rows = known.rows.iter().map(|row| Units { line: row.line, quantity: row.quantity });
            let lines = merged(state, rows);
            EventData::ShipmentAccepted(data::ShipmentAtNode {
                order_id,
                shipment_id,
                node: &known.node,
                lines,
            })
            .publish(told);
        }
        Event::ShipmentCancelled { shipment, lines, .. } => {
            let shipment_id = &*state.shipment_id(*shipment);
            let lines = merged(state, lines.iter().copied());
            EventData::ShipmentCancelled(data::ShipmentUnits { order_id, shipment_id, lines }).publish(told);
        }
        Event::Departed(departure) => {
            let units = departure.units.iter();
            let units =
                units.map(|units| Units { line: units.line, quantity: units.released + units.pending });
            EventData::ShipmentDispatched(data::ShipmentDispatched {
                order_id,
                shipment_id: &departure.shipment_id,
                parcel_id: departure.parcel_id.as_deref(),
                node: &departure.node,
                carrier: departure.carrier.as_deref(),
                tracking: departure.tracking.as_deref(),
                lines: merged(state, units),
            })
            .publish(told);
        }
        Event::Delivered { shipment_id, parcels, .. } => {
            let lines = merged(
                state,
                parcels.iter().flat_map(|parcel: &DeliveredParcel| parcel.units.iter().copied()),
            );
            EventData::ShipmentDelivered(data::ShipmentUnits { order_id, shipment_id, lines }).publish(told);
        }
        Event::DocumentDue(_) => {
            let index = last_index(state.documents.len());
            EventData::ErpQueued(document(order_id, state, index, &state.document_key(index), None))
                .publish(told);
        }
        Event::DocumentPosted { document: index, document_no, .. } => {
            let document_key = &state.document_key(*index);
            EventData::ErpPosted(document(order_id, state, *index, document_key, Some(document_no)))
                .publish(told);
        }
        Event::DocumentRejected { document: index, .. } => {
            EventData::ErpRejected(document(order_id, state, *index, &state.document_key(*index), None))
                .publish(told);
        }
        _ => {}
    }
}

fn received(order_id: &str, content: &Content, told: &mut Published) {
    EventData::OrderReceived(data::OrderReceived {
        order_id,
        channel: &content.channel,
        currency: &content.currency,
        total_minor: content.total_minor,
    })
    .publish(told);
}

fn committed<'a>(order_id: &'a str, state: &'a State) -> data::OrderCommitted<'a> {
    let content = state.content();
    let tenders = content.tenders.iter().zip(&state.tenders);
    let lines = content.lines.iter();
    data::OrderCommitted {
        order_id,
        tenders: tenders
            .map(|(tender, ledger)| data::TenderAuthorized {
                tender: &tender.tender,
                authorized_minor: ledger.authorized,
            })
            .collect(),
        points: state.redemption.reserved,
        lines: lines
            .map(|line| wire::SkuQuantity { line: line.line, sku: &line.sku, quantity: line.quantity })
            .collect(),
    }
}

fn completed<'a>(order_id: &'a str, state: &State) -> data::OrderCompleted<'a> {
    data::OrderCompleted {
        order_id,
        captured_minor: state.tenders.iter().map(|ledger| ledger.captured).sum(),
        voided_minor: state.tenders.iter().map(|ledger| ledger.released).sum(),
        finalized_points: state.redemption.finalized,
        released_points: state.redemption.released,
        accrued_points: state.accrual.posted,
    }
}

fn status_changed(order_id: &str, status: Status, told: &mut Published) {
    let status = data::Status {
        payment: status.payment.as_str(),
        fulfillment: status.fulfillment.as_str(),
        loyalty: status.loyalty.as_str(),
        erp: status.erp.as_str(),
        r#return: status.returns.as_str(),
        stock: status.stock.as_str(),
        display: status.display.as_str(),
    };
    EventData::OrderStatusChanged(data::OrderStatusChanged { order_id, status }).publish(told);
}

fn points_moved<'a>(
    order_id: &'a str,
    points: i64,
    event: impl FnOnce(data::PointsMoved<'a>) -> EventData<'a>,
    told: &mut Published,
) {
    event(data::PointsMoved { order_id, points }).publish(told);
}

fn money<'a>(
    state: &'a State,
    tender: u16,
    amount_minor: i64,
    settlement_ref: Option<&'a str>,
    event: impl FnOnce(data::MoneyMoved<'a>) -> EventData<'a>,
    told: &mut Published,
) {
    let content = state.content();
    let (order_id, tender) = (content.order_id.as_str(), &*content.tenders[usize::from(tender)].tender);
    event(data::MoneyMoved { order_id, tender, amount_minor, settlement_ref }).publish(told);
}

fn hold_changed(order_id: &str, hold: HoldType) -> data::HoldChanged<'_> {
    data::HoldChanged { order_id, hold: data::Hold { hold_id: hold.as_str(), r#type: hold.as_str() } }
}

fn exception_opened(order_id: &str, exception: &Exception, told: &mut Published) {
    EventData::ExceptionOpened(data::ExceptionChanged {
        order_id: Some(order_id),
        reservation_id: None,
        exception: data::Exception {
            exception_id: &exception.id.to_string(),
            kind: exception.kind.as_str(),
            cause: &exception.cause,
            exposure_minor: exception.exposure_minor,
            exposure_points: exception.exposure_points,
            effect_id: exception.effect_id.as_deref(),
        },
    })
    .publish(told);
}

fn allocated(order_id: &str, state: &State, rows: &[AllocatedUnits], told: &mut Published) {
    let content = state.content();
    let rows = rows.iter().map(|row| {
        let line = &content.lines[usize::from(row.line)];
        data::AllocatedUnits {
            allocation_ref: &row.allocation_ref,
            line: line.line,
            sku: &line.sku,
            quantity: row.quantity,
            node: &row.node,
        }
    });
    EventData::StockAllocated(data::StockAllocated { order_id, allocations: rows.collect() }).publish(told);
}

/// Units that our own stock has given: each is an allocation of its reservation. While they are only held, `order.status_changed`
/// says so.
fn stock_allocated(order_id: &str, state: &State, index: u16, rows: &[UnitsAt], told: &mut Published) {
    let Some(known) = reservation(state, index).filter(|known| known.stage == Stage::Allocated) else {
        return;
    };
    let allocations: Vec<AllocatedUnits> = rows.iter().filter_map(|row| row.allocated(&known.id)).collect();
    if !allocations.is_empty() {
        allocated(order_id, state, &allocations, told);
    }
}

fn stock_released(order_id: &str, state: &State, index: u16, rows: &[UnitsAt], told: &mut Published) {
    let Some(known) = reservation(state, index).filter(|_| !rows.is_empty()) else { return };
    let content = state.content();
    let releases = rows.iter().map(|row| wire::ReleaseUnits {
        allocation_ref: known.id.as_str(),
        line: content.lines[usize::from(row.line)].line,
        quantity: row.quantity,
    });
    EventData::StockReleased(data::StockReleased { order_id, releases: releases.collect() }).publish(told);
}

fn reservation(state: &State, index: u16) -> Option<&Reservation> {
    state.stock.as_ref()?.reservations.get(usize::from(index))
}

/// One for each line.
fn demand(order_id: &str, state: &State, lines: &[DemandChange], told: &mut Published) {
    let content = state.content();
    for change in lines {
        let line = &content.lines[usize::from(change.line)];
        EventData::DemandSignal(data::DemandSignal {
            order_id,
            channel: &content.channel,
            line: line.line,
            sku: &line.sku,
            units_delta: change.units,
            region: content.supply.as_ref().and_then(|supply| supply.region.as_deref()),
        })
        .publish(told);
    }
}

/// Rows of given back allocations with the shop's line numbers.
pub(super) fn giveback_rows<'a>(state: &State, releases: &'a [Giveback]) -> Vec<wire::ReleaseUnits<'a>> {
    let content = state.content();
    let rows = releases.iter().map(|row| wire::ReleaseUnits {
        allocation_ref: &row.allocation_ref,
        line: content.lines[usize::from(row.line)].line,
        quantity: row.quantity,
    });
    rows.collect()
}

/// Units with the shop's line numbers, each line once.
pub(super) fn merged(state: &State, units: impl Iterator<Item = Units>) -> Vec<wire::Units> {
    let content = state.content();
    let mut lines: Vec<wire::Units> = Vec::new();
    for Units { line, quantity } in units {
        let number = content.lines[usize::from(line)].line;
        match lines.iter_mut().find(|known| known.line == number) {
            Some(known) => known.quantity += quantity,
            None => lines.push(wire::Units { line: number, quantity }),
        }
    }
    lines
}

fn document<'a>(
    order_id: &'a str,
    state: &State,
    index: u16,
    document_key: &'a str,
    document_no: Option<&'a str>,
) -> data::DocumentChanged<'a> {
    let document = state.documents[usize::from(index)].due.kind.as_str();
    data::DocumentChanged { order_id, document, document_key, document_no }
}

fn last_index(length: usize) -> u16 {
    u16::try_from(length - 1).expect("an order has fewer than 65,536 of anything")
}

impl Kind {
    /// The index of the departure that it pays for.
    pub(super) const fn departure(&self) -> Option<u16> {
        match self {
            Self::FinalizePoints { departure, .. } | Self::Capture { departure, .. } => Some(*departure),
            _ => None,
        }
    }
}
