//! Documents: what is due, in which order it is posted, and what the ERP answers.

use std::sync::Arc;

use super::deciding::Deciding;
use super::failed;
use super::matching::answered;
use crate::envelope::Envelope;
use crate::messages::inbound::erp::{Posted, Rejected};
use crate::money::{Minor, Span};
use crate::order::State;
use crate::order::content::Content;
use crate::order::effect::{Effect, Kind, Units};
use crate::order::event::{DocumentDue, DocumentKind, Event};
use crate::order::state::DocumentState;

/// The order as it was committed: every line and fee as submitted.
pub(super) fn book_due(order: &mut Deciding<'_>) {
    let content = order.state.content();
    let tenders = content.tenders.iter().enumerate().filter(|(_, tender)| tender.amount_minor > 0);
    let tenders =
        tenders.filter_map(|(index, tender)| Some((u16::try_from(index).ok()?, tender.amount_minor, None)));
    let due = DocumentDue {
        kind: DocumentKind::Book,
        spans: content.whole(),
        depends_on: Vec::new(),
        tenders: tenders.collect(),
        points_value_minor: content.redemption.value_minor,
        shipment_id: None,
    };
    order.emit(Event::DocumentDue(Arc::new(due)));
}

/// Units that were just cancelled are taken off the books; the fees go with the last of them if nothing ever left.
pub(super) fn taken_away_due(order: &mut Deciding<'_>, lines: &[Units]) {
    let state = &order.state;
    let mut spans: Vec<Span> = lines.iter().map(|units| cancelled_span(state, *units)).collect();
    let is_all = state.all_cancelled() && !state.any_departed();
    if is_all {
        spans.extend(state.content().fee_spans());
    }
    let kind = if is_all { DocumentKind::Cancel } else { DocumentKind::Amend };
    let depends_on = state.first_document(DocumentKind::Book).into_iter().collect();
    let points_value_minor = points_value(state, &spans);
    order.emit(Event::DocumentDue(Arc::new(DocumentDue {
        kind,
        spans,
        depends_on,
        tenders: Vec::new(),
        points_value_minor,
        shipment_id: None,
    })));
}

/// Cancelled units are the suffix of their line: the newest stand right behind those that live.
fn cancelled_span(state: &State, units: Units) -> Span {
    let live = state.lines[usize::from(units.line)].live();
    Content::line_span(usize::from(units.line), live, live + units.quantity)
}

/// What left is issued from stock, and charged.
pub(super) fn departure_due(order: &mut Deciding<'_>, goods: &[Span], charged: &[Span], shipment_id: &str) {
    let book = order.state.first_document(DocumentKind::Book).into_iter().collect();
    let ship = u16::try_from(order.state.documents.len()).expect("an order has fewer documents than 65,536");
    order.emit(Event::DocumentDue(Arc::new(DocumentDue {
        kind: DocumentKind::Ship,
        spans: goods.to_vec(),
        depends_on: book,
        tenders: Vec::new(),
        points_value_minor: 0,
        shipment_id: Some(shipment_id.into()),
    })));
    let points_value_minor = points_value(&order.state, charged);
    order.emit(Event::DocumentDue(Arc::new(DocumentDue {
        kind: DocumentKind::Invoice,
        spans: charged.to_vec(),
        depends_on: vec![ship],
        tenders: Vec::new(),
        points_value_minor,
        shipment_id: Some(shipment_id.into()),
    })));
}

fn points_value(state: &State, spans: &[Span]) -> Minor {
    spans.iter().map(|span| state.cells().points_value(*span)).sum()
}

/// What was captured for a departure.
pub(super) fn receipt_due(
    order: &mut Deciding<'_>,
    tender: u16,
    amount: Minor,
    departure: u16,
    settlement_ref: &str,
) {
    let state = &order.state;
    let shipment_id = state.departures[usize::from(departure)].departure.shipment_id.clone();
    // Departures and invoices come in pairs, so the n-th invoice is that of the n-th departure.
    let mut invoices =
        state.documents.iter().enumerate().filter(|(_, document)| document.due.kind == DocumentKind::Invoice);
    let invoice = invoices.nth(usize::from(departure)).and_then(|(index, _)| u16::try_from(index).ok());
    order.emit(Event::DocumentDue(Arc::new(DocumentDue {
        kind: DocumentKind::Receipt,
        spans: Vec::new(),
        depends_on: invoice.into_iter().collect(),
        tenders: vec![(tender, amount, Some(settlement_ref.into()))],
        points_value_minor: 0,
        shipment_id: Some(shipment_id),
    })));
}

/// A document goes out when all that it names in `depends_on` are posted.
pub(super) fn post_ready(order: &mut Deciding<'_>) {
    let state = &order.state;
    let ready = state.documents.iter().enumerate().filter(|(_, document)| {
        document.state == DocumentState::Queued
            && document.due.depends_on.iter().all(|needed| state.is_posted(*needed))
    });
    for document in ready.filter_map(|(index, _)| u16::try_from(index).ok()).collect::<Vec<_>>() {
        order.intend(Kind::Post { document });
    }
}

pub(super) fn posted(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Posted) {
    let Some((effect, document)) = of_document(order, envelope, answer.document_key.as_str()) else { return };
    let document_no = answer.document_no.share();
    order.emit(Event::DocumentPosted { effect: effect.id, document, document_no });
}

pub(super) fn rejected(order: &mut Deciding<'_>, envelope: &Envelope, answer: &Rejected) {
    let Some((effect, _)) = of_document(order, envelope, answer.document_key.as_str()) else { return };
    failed::refused(order, &effect, answer.code.as_str());
}

fn of_document(order: &mut Deciding<'_>, envelope: &Envelope, key: &str) -> Option<(Effect, u16)> {
    let document = order.state.document_index(key)?;
    let effect = answered(order, envelope, |kind| *kind == Kind::Post { document }, |_| true)?;
    Some((effect, document))
}
