//! How each event changes the state. Total and free of judgement: whatever was recorded can be replayed.

mod goods;
mod stock;

use std::sync::Arc;

use bytes::Bytes;

use super::content::Content;
use super::effect::{Effect, Kind, Units, effect_id};
use super::event::{DocumentDue, Event};
use super::state::{Document, DocumentState, Frozen, LineUnits, Parked, Phase, State, TenderLedger};
use crate::decider::EffectState;
use crate::envelope::Envelope;
use crate::money::Minor;
use crate::reason::Reason;
use crate::time::Timestamp;

/// Absorbs one event.
pub(super) fn evolve(state: &mut State, event: &Event) {
    match event {
        Event::Parked { envelope, until } => {
            // Its body may be a slice of a whole batch, which must not stay in memory for one item.
            let body = Bytes::copy_from_slice(&envelope.body);
            let envelope = Envelope { body, ..Envelope::clone(envelope) };
            state.parked.push(Parked { envelope, until: *until });
        }
        Event::ParkedExpired { messages } => {
            state.parked.drain(..usize::from(*messages).min(state.parked.len()));
        }
        Event::Submitted(content) => submitted(state, content),
        Event::Rejected { reason, version } => rejected(state, reason, *version),
        Event::Committed { version } => {
            state.phase = Phase::Committed;
            state.outcome = Some((*version, None));
        }
        Event::CancelNoted { lines } => {
            each(lines, |units| state.lines[index(units)].noted += units.quantity);
        }
        Event::CancelWished { reason } => state.cancel_reason = Some(reason.clone()),
        Event::Fulfilling => {
            state.phase = Phase::Fulfilling;
            state.cancel_reason = None;
        }
        Event::Cancelling => state.phase = Phase::Cancelling,
        Event::Cancelled { reason } => {
            state.phase = Phase::Cancelled;
            state.cancelled_reason = Some(reason.clone());
        }
        Event::Completed => state.phase = Phase::Completed,
        Event::HoldPlaced { hold } => state.holds.push(*hold),
        Event::HoldResolved { hold } => state.holds.retain(|placed| placed != hold),
        Event::ExceptionOpened(exception) => state.exceptions.push((**exception).clone()),
        Event::StatusChanged(status) => state.status = *status,
        // Told to the outside; the effect that waits says it all.
        Event::AccrualDeferred { .. } => {}
        Event::EffectIntended { kind, at, deadline } => intended(state, kind, *at, *deadline),
        Event::EffectSent { .. }
        | Event::EffectRetrying { .. }
        | Event::EffectWaits { .. }
        | Event::EffectSuperseded { .. }
        | Event::EffectExhausted { .. }
        | Event::EffectRefused { .. } => evolve_effect(state, event),
        Event::PointsReserved { .. }
        | Event::PointsRefused { .. }
        | Event::PointsFinalized { .. }
        | Event::PointsReleased { .. }
        | Event::Accrued { .. } => evolve_points(state, event),
        Event::Authorized { .. }
        | Event::Declined { .. }
        | Event::Captured { .. }
        | Event::CaptureDeclined { .. }
        | Event::Voided { .. } => evolve_money(state, event),
        Event::Allocated { .. }
        | Event::AllocationRefused { .. }
        | Event::AllocationReleased { .. }
        | Event::ShipmentPlanned { .. }
        | Event::ShipmentAccepted { .. }
        | Event::ShipmentCancelled { .. }
        | Event::ShipmentCancelRejected { .. }
        | Event::Departed(_)
        | Event::Delivered { .. }
        | Event::DeliveryNoted { .. }
        | Event::UnitsCancelled { .. } => goods::evolve(state, event),
        Event::DocumentDue(_) | Event::DocumentPosted { .. } | Event::DocumentRejected { .. } => {
            evolve_documents(state, event);
        }
        Event::StockHeld { .. }
        | Event::StockCommitted { .. }
        | Event::StockRefused { .. }
        | Event::StockFound { .. }
        | Event::StockGivenUp { .. }
        | Event::StockConsumed { .. }
        | Event::StockReleased { .. }
        | Event::DemandSignalled { .. } => stock::evolve(state, event),
    }
}

fn submitted(state: &mut State, content: &Content) {
    state.parked = Vec::new();
    state.phase = Phase::Received;
    let lines = content.lines.iter();
    let lines = lines.map(|line| LineUnits { pending: line.quantity, ..LineUnits::default() });
    state.lines = lines.collect::<Vec<_>>().into();
    state.tenders = vec![TenderLedger::default(); content.tenders.len()].into();
    state.content = Some(Arc::new(Frozen::from(content.clone())));
}

fn rejected(state: &mut State, reason: &Reason, version: u64) {
    state.phase = Phase::Rejected;
    state.outcome = Some((version, Some(reason.clone())));
}

fn intended(state: &mut State, kind: &Kind, at: Timestamp, deadline: Option<Timestamp>) {
    if state.phase == Phase::Received {
        state.phase = Phase::Reserving;
    }
    match kind {
        Kind::FinalizePoints { points, .. } => state.redemption.finalizing += points,
        Kind::ReleasePoints { points, value_minor } => {
            state.redemption.releasing += points;
            state.redemption.released_value += value_minor;
        }
        Kind::Accrue { points_delta, .. } => state.accrual.posting = *points_delta,
        Kind::Capture { tender, amount_minor, .. } => {
            state.tenders[usize::from(*tender)].capturing += amount_minor;
        }
        Kind::Void { tender, amount_minor } => state.tenders[usize::from(*tender)].releasing += amount_minor,
        Kind::Post { document } => state.documents[usize::from(*document)].state = DocumentState::Posting,
        Kind::ReservePoints
        | Kind::Authorize { .. }
        | Kind::Allocate { .. }
        | Kind::ReleaseAllocation { .. }
        | Kind::ReleaseShipment { .. }
        | Kind::CancelShipment { .. } => {}
        Kind::HoldStock(_)
        | Kind::AttachReservation { .. }
        | Kind::CommitReservation { .. }
        | Kind::ConsumeStock { .. }
        | Kind::ReleaseStock { .. } => stock::intended(state, kind),
    }
    let ordinal = state.next_ordinal(kind);
    let content = state.content();
    let id = effect_id(content.tenant.as_str(), content.order_id.as_str(), kind, ordinal);
    let (effect_state, attempts) =
        if deadline.is_some() { (EffectState::Sent, 1) } else { (EffectState::Waiting, 0) };
    state.effects.push(Effect {
        id,
        kind: kind.clone(),
        epoch: 1,
        state: effect_state,
        attempts,
        in_doubt: false,
        sent_at: deadline.map(|_| at),
        deadline,
    });
}

fn evolve_effect(state: &mut State, event: &Event) {
    match event {
        Event::EffectSent { effect, at, deadline } => change(state, effect, |open| {
            if open.may_be_applied() {
                open.in_doubt = true;
            } else {
                open.sent_at = Some(*at);
            }
            open.state = EffectState::Sent;
            open.attempts += 1;
            open.deadline = Some(*deadline);
        }),
        Event::EffectRetrying { effect, deadline } => change(state, effect, |open| {
            open.state = EffectState::Retrying;
            open.deadline = Some(*deadline);
        }),
        Event::EffectWaits { effect } => change(state, effect, |open| {
            open.state = EffectState::Waiting;
            open.deadline = None;
        }),
        Event::EffectExhausted { effect } => change(state, effect, |open| open.deadline = None),
        // It may have been sent more often than we decided to: again by a recovery, or twice by the broker.
        Event::EffectSuperseded { effect } => {
            // No copy of a letter comes after the release that follows it.
            let given_up = take(&mut state.effects, effect);
            let given_up = given_up.filter(|effect| effect.attempts > 0 && !effect.kind.is_letter());
            state.given_up.extend(given_up);
        }
        Event::EffectRefused { effect, .. } => drop(settle(state, effect)),
        _ => {}
    }
}

fn evolve_points(state: &mut State, event: &Event) {
    match event {
        Event::PointsReserved { effect, points, reservation_ref } => {
            settle(state, effect);
            state.redemption.reserved += points;
            state.redemption.reservation_ref = Some(reservation_ref.clone());
        }
        Event::PointsRefused { effect } => {
            settle(state, effect);
            state.redemption.refused = true;
        }
        Event::PointsFinalized { effect, points } => {
            if let Some(Kind::FinalizePoints { points: asked, .. }) = settle(state, effect) {
                state.redemption.finalizing -= asked;
            }
            state.redemption.finalized += points;
        }
        Event::PointsReleased { effect, points } => {
            if let Some(Kind::ReleasePoints { points: asked, .. }) = settle(state, effect) {
                state.redemption.releasing -= asked;
            }
            state.redemption.released += points;
        }
        Event::Accrued { effect, points_delta, .. } => {
            settle(state, effect);
            state.accrual.posting = 0;
            state.accrual.posted += points_delta;
        }
        _ => {}
    }
}

fn evolve_money(state: &mut State, event: &Event) {
    match event {
        Event::Authorized { effect, tender, amount_minor, authorization_ref } => {
            settle(state, effect);
            let ledger = &mut state.tenders[usize::from(*tender)];
            ledger.authorized += amount_minor;
            ledger.authorization_ref = Some(authorization_ref.clone());
        }
        Event::Declined { effect, tender, .. } => {
            settle(state, effect);
            state.tenders[usize::from(*tender)].declined = true;
        }
        Event::Captured { effect, tender, amount_minor, .. } => {
            let asked = settled_amount(state, effect);
            let ledger = &mut state.tenders[usize::from(*tender)];
            ledger.capturing -= asked;
            ledger.captured += amount_minor;
        }
        Event::CaptureDeclined { effect, tender, .. } => {
            let asked = settled_amount(state, effect);
            state.tenders[usize::from(*tender)].capturing -= asked;
        }
        Event::Voided { effect, tender, amount_minor } => {
            let asked = settled_amount(state, effect);
            let ledger = &mut state.tenders[usize::from(*tender)];
            ledger.releasing -= asked;
            ledger.released += amount_minor;
        }
        _ => {}
    }
}

/// Closes a capture or a void and gives the amount that it asked for.
fn settled_amount(state: &mut State, effect: &str) -> Minor {
    match settle(state, effect) {
        Some(Kind::Capture { amount_minor, .. } | Kind::Void { amount_minor, .. }) => amount_minor,
        _ => 0,
    }
}

fn evolve_documents(state: &mut State, event: &Event) {
    match event {
        Event::DocumentDue(due) => document_due(state, due),
        Event::DocumentPosted { effect, document, document_no } => {
            settle(state, effect);
            state.documents[usize::from(*document)].state = DocumentState::Posted(document_no.clone());
        }
        Event::DocumentRejected { effect, document, code } => {
            settle(state, effect);
            state.documents[usize::from(*document)].state = DocumentState::Rejected(code.clone());
        }
        _ => {}
    }
}

fn document_due(state: &mut State, due: &Arc<DocumentDue>) {
    let ordinal = &mut state.document_ordinals[due.kind as usize];
    *ordinal += 1;
    state.documents.push(Document { due: Arc::clone(due), ordinal: *ordinal, state: DocumentState::Queued });
}

fn settle(state: &mut State, effect: &str) -> Option<Kind> {
    take(&mut state.effects, effect).or_else(|| take(&mut state.given_up, effect)).map(|effect| effect.kind)
}

fn take(effects: &mut Vec<Effect>, id: &str) -> Option<Effect> {
    let at = effects.iter().position(|effect| *effect.id == *id)?;
    Some(effects.remove(at))
}

fn change(state: &mut State, effect: &str, change: impl FnOnce(&mut Effect)) {
    if let Some(open) = state.effects.iter_mut().find(|open| *open.id == *effect) {
        change(open);
    }
}

fn each(lines: &[Units], act: impl FnMut(Units)) {
    lines.iter().copied().for_each(act);
}

fn index(units: Units) -> usize {
    usize::from(units.line)
}
