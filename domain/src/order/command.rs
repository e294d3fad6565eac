//! Open effects in the form in which they are published. Made from frozen data alone, so that every send of an effect
//! says the same.

use std::sync::Arc;

use bytes::Bytes;

use super::content::Content;
use super::effect::{Effect, Kind, Units, idempotency_key};
use super::event::DocumentDue;
use super::published::{giveback_rows, merged};
use super::state::State;
use crate::decider::{Command, Party};
use crate::messages::outbound::commands::{
    AllocationAllocate, AllocationRelease, CommandBody, DocumentRow, DocumentTender, ErpPost,
    FulfillmentCancel, FulfillmentRelease, LoyaltyAccrue, LoyaltyFinalize, LoyaltyRelease, LoyaltyReserve,
    PaymentAuthorize, PaymentCapture, PaymentVoid, SkuQuantity,
};

/// The milestone at which points are earned.
const MILESTONE: &str = "shipped";

/// Why allocations are given back.
const NOT_NEEDED: &str = "not_needed";

/// The command of an open effect; none = there is none, or it is a letter.
pub(super) fn command(state: &State, effect_id: &str) -> Option<Command> {
    let effect = state.effect(effect_id)?;
    let Party::Participant(participant) = effect.kind.party() else { return None };
    Some(Command {
        participant,
        name: effect.kind.command(),
        effect_id: Arc::clone(&effect.id),
        epoch: effect.epoch,
        idempotency_key: idempotency_key(&effect.id, effect.epoch),
        body: body(state, effect),
    })
}

fn body(state: &State, effect: &Effect) -> Bytes {
    match effect.kind {
        Kind::ReservePoints
        | Kind::FinalizePoints { .. }
        | Kind::ReleasePoints { .. }
        | Kind::Accrue { .. } => loyalty(state, &effect.kind),
        Kind::Authorize { .. } | Kind::Capture { .. } | Kind::Void { .. } => payment(state, effect),
        Kind::Allocate { .. }
        | Kind::ReleaseAllocation { .. }
        | Kind::ReleaseShipment { .. }
        | Kind::CancelShipment { .. } => goods(state, &effect.kind),
        Kind::Post { document } => post(state, document),
        Kind::HoldStock(_)
        | Kind::AttachReservation { .. }
        | Kind::CommitReservation { .. }
        | Kind::ConsumeStock { .. }
        | Kind::ReleaseStock { .. } => Bytes::new(),
    }
}

fn loyalty(state: &State, kind: &Kind) -> Bytes {
    let content = state.content();
    let order_id = content.order_id.as_str();
    let member_id = content.member_id.as_deref().unwrap_or_default();
    let reservation_ref = state.redemption.reservation_ref.as_deref().unwrap_or_default();
    let shipment_id = shipment_of(state, kind);
    match *kind {
        Kind::FinalizePoints { points, value_minor, .. } => CommandBody::LoyaltyFinalize(LoyaltyFinalize {
            order_id,
            reservation_ref,
            points,
            value_minor,
            shipment_id,
        }),
        Kind::ReleasePoints { points, value_minor } => {
            CommandBody::LoyaltyRelease(LoyaltyRelease { order_id, reservation_ref, points, value_minor })
        }
        Kind::Accrue { points_delta, target_points, basis_minor } => {
            CommandBody::LoyaltyAccrue(LoyaltyAccrue {
                order_id,
                member_id,
                points_delta,
                target_points,
                basis_minor,
                milestone: MILESTONE,
                rule: content.accrual.rule.as_deref(),
            })
        }
        _ => CommandBody::LoyaltyReserve(LoyaltyReserve {
            order_id,
            member_id,
            points: content.redemption.points,
            value_minor: content.redemption.value_minor,
            currency: &content.currency,
        }),
    }
    .to_bytes()
}

fn payment(state: &State, effect: &Effect) -> Bytes {
    let content = state.content();
    let (order_id, currency) = (content.order_id.as_str(), &*content.currency);
    let of = |tender: u16| (&content.tenders[usize::from(tender)], &state.tenders[usize::from(tender)]);
    match effect.kind {
        Kind::Capture { tender, amount_minor, .. } => {
            let (named, ledger) = of(tender);
            CommandBody::PaymentCapture(PaymentCapture {
                order_id,
                tender: &named.tender,
                authorization_ref: ledger.authorization_ref.as_deref().unwrap_or_default(),
                amount_minor,
                currency,
                shipment_id: shipment_of(state, &effect.kind),
                settlement_ref: &effect.id,
            })
        }
        Kind::Void { tender, amount_minor } => {
            let (named, ledger) = of(tender);
            CommandBody::PaymentVoid(PaymentVoid {
                order_id,
                tender: &named.tender,
                authorization_ref: ledger.authorization_ref.as_deref().unwrap_or_default(),
                amount_minor,
                currency,
            })
        }
        Kind::Authorize { tender } => {
            let (named, _) = of(tender);
            CommandBody::PaymentAuthorize(PaymentAuthorize {
                order_id,
                tender: &named.tender,
                gateway: &named.gateway,
                token: &named.token,
                amount_minor: named.amount_minor,
                currency,
            })
        }
        _ => return Bytes::new(),
    }
    .to_bytes()
}

fn goods(state: &State, kind: &Kind) -> Bytes {
    let content = state.content();
    let order_id = content.order_id.as_str();
    let ship_to = content.ship_to.as_ref();
    match kind {
        Kind::Allocate { lines } => CommandBody::AllocationAllocate(AllocationAllocate {
            order_id,
            lines: with_sku(state, lines.iter().copied()),
            ship_to,
        }),
        Kind::ReleaseAllocation { releases } => CommandBody::AllocationRelease(AllocationRelease {
            order_id,
            releases: giveback_rows(state, releases),
            reason: NOT_NEEDED,
        }),
        Kind::ReleaseShipment { shipment } => {
            let known = &state.shipments[usize::from(*shipment)];
            return CommandBody::FulfillmentRelease(FulfillmentRelease {
                order_id,
                shipment_id: &state.shipment_id(*shipment),
                node: &known.node,
                lines: with_sku(
                    state,
                    known.rows.iter().map(|row| Units { line: row.line, quantity: row.quantity }),
                ),
                ship_to,
            })
            .to_bytes();
        }
        Kind::CancelShipment { shipment, lines } => {
            return CommandBody::FulfillmentCancel(FulfillmentCancel {
                order_id,
                shipment_id: &state.shipment_id(*shipment),
                node: &state.shipments[usize::from(*shipment)].node,
                lines: merged(state, lines.iter().copied()),
            })
            .to_bytes();
        }
        _ => return Bytes::new(),
    }
    .to_bytes()
}

/// Units with the shop's line numbers and skus, each line once.
fn with_sku(state: &State, units: impl Iterator<Item = Units>) -> Vec<SkuQuantity<'_>> {
    let content = state.content();
    let rows = merged(state, units).into_iter().filter_map(|units| {
        let line = &content.lines[content.line_index(units.line)?];
        Some(SkuQuantity { line: line.line, sku: &line.sku, quantity: units.quantity })
    });
    rows.collect()
}

/// The shipment id as the departure named it that this pays for.
fn shipment_of<'a>(state: &'a State, kind: &Kind) -> &'a str {
    kind.departure().map_or("", |departure| &*state.departures[usize::from(departure)].departure.shipment_id)
}

fn post(state: &State, document: u16) -> Bytes {
    let content = state.content();
    let due = &state.documents[usize::from(document)].due;
    let depends_on: Vec<String> = due.depends_on.iter().map(|needed| state.document_key(*needed)).collect();
    let tenders = due.tenders.iter().map(|(tender, amount_minor, settlement_ref)| DocumentTender {
        tender: &content.tenders[usize::from(*tender)].tender,
        amount_minor: *amount_minor,
        settlement_ref: settlement_ref.as_deref(),
    });
    CommandBody::ErpPost(ErpPost {
        order_id: content.order_id.as_str(),
        document: due.kind.as_str(),
        document_key: &state.document_key(document),
        currency: &content.currency,
        lines: rows(state, content, due),
        tenders: tenders.collect(),
        loyalty_value_minor: (due.points_value_minor > 0).then_some(due.points_value_minor),
        shipment_id: due.shipment_id.as_deref(),
        depends_on: depends_on.iter().map(String::as_str).collect(),
    })
    .to_bytes()
}

/// Lines and fees of a document, each a sum of cells.
fn rows<'a>(state: &State, content: &'a Content, due: &DocumentDue) -> Vec<DocumentRow<'a>> {
    let rows = due.spans.iter().map(|span| {
        let amounts = state.cells().amounts(*span);
        let index = usize::from(span.row);
        match content.lines.get(index) {
            Some(line) => DocumentRow::Line {
                line: line.line,
                sku: Some(&line.sku),
                quantity: span.units(),
                net_minor: amounts.net,
                tax_minor: amounts.tax,
            },
            None => DocumentRow::Fee {
                fee: &content.fees[index - content.lines.len()].fee,
                quantity: 1,
                net_minor: amounts.net,
                tax_minor: amounts.tax,
            },
        }
    });
    rows.collect()
}
