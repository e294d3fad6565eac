//! The JSON document that the API shows of a reservation.

use bytes::Bytes;
use serde::Serialize;

use super::state::State;
use crate::decider::{Asked, Outcome};
use crate::ids::{EntityId, Key};
use crate::messages::outbound::answers::{QueuePlace, Receipt, ReceiptOutcome};
use crate::messages::outbound::reservations::{ReservationReceipt, UnitsAtNode};
use crate::reason::Reason;
use crate::sourcing::Record;

#[derive(Serialize)]
struct View<'a> {
    reservation_id: &'a str,
    version: u64,
    phase: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a Reason>,
    lines: Vec<LineView<'a>>,
    allocations: Vec<UnitsAtNode<'a>>,
    claims: Vec<ClaimView<'a>>,
    overdue: bool,
    letters: Vec<LetterView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sourcing: Option<&'a Record>,
}

#[derive(Serialize)]
struct LineView<'a> {
    line: u32,
    sku: &'a str,
    quantity: u32,
    held: u32,
    backordered: u32,
    /// Sold, without a node and without a place to wait: looked for until it is given up.
    unfillable: u32,
    consumed: u32,
    released: u32,
    given_up: u32,
}

#[derive(Serialize)]
struct ClaimView<'a> {
    claim_id: String,
    at: String,
    state: &'static str,
    quantity: u32,
    open: u32,
    consumed: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    promised_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<&'a str>,
}

#[derive(Serialize)]
struct LetterView<'a> {
    effect_id: &'a str,
    kind: &'static str,
    attempts: u32,
    deadline: String,
}

#[derive(Serialize)]
struct QueuedView<'a> {
    reservation_id: &'a str,
    version: u64,
    phase: &'static str,
    queue: &'a QueuePlace,
}

/// Renders a reservation that still queues in the intake.
pub(super) fn queued(entity: &EntityId, place: &QueuePlace) -> String {
    let reservation_id = entity.key.as_str();
    let view = QueuedView { reservation_id, version: 0, phase: "queued", queue: place };
    serde_json::to_string(&view).expect("texts and numbers can always be written")
}

/// Renders the view; one that nobody has asked for is shown empty.
pub(super) fn view(entity: &EntityId, state: &State, version: u64) -> String {
    let letters = state.effects.iter().map(|effect| LetterView {
        effect_id: &effect.id,
        kind: effect.kind.name(),
        attempts: effect.attempts,
        deadline: effect.deadline.to_string(),
    });
    let view = View {
        reservation_id: entity.key.as_str(),
        version,
        phase: state.phase.as_str(),
        order_id: state.order_id.as_ref().map(Key::as_str),
        expires_at: state.expires_at.map(|at| at.to_string()),
        reason: state.outcome.as_ref().and_then(|(_, reason)| reason.as_ref()),
        lines: lines(state),
        allocations: if state.content.is_some() { state.placed() } else { Vec::new() },
        claims: claims(state),
        overdue: state.overdue,
        letters: letters.collect(),
        sourcing: state.record.as_deref(),
    };
    serde_json::to_string(&view).expect("a view has only text keys and plain numbers")
}

/// The receipt of `reservation.hold`, and of a wish: what is held by now.
pub(super) fn receipt(entity: &EntityId, state: &State, outcome: &Outcome, asked: Asked) -> Bytes {
    let rejected = outcome.rejected.as_ref();
    // A wish that is refused changes nothing of what is held.
    let is_held = (rejected.is_none() || asked == Asked::Wish) && state.content.is_some();
    let receipt = ReservationReceipt {
        reservation_id: Some(entity.key.as_str()),
        order_id: (asked == Asked::Wish).then(|| entity.key.as_str()),
        outcome: if rejected.is_none() { ReceiptOutcome::Accepted } else { ReceiptOutcome::Rejected },
        version: outcome.version,
        order_version: (asked == Asked::Wish).then_some(outcome.version),
        lines: if is_held { state.placed() } else { Vec::new() },
        expires_at: state.expires_at.map(|at| at.to_string()),
        reason: rejected,
        queue: None,
        retry_after_ms: None,
    };
    serde_json::to_vec(&receipt).expect("a receipt is plain data").into()
}

/// The same before there is anything to say of what is held.
pub(super) fn early_receipt(asked: Asked, receipt: &Receipt<'_>) -> Bytes {
    let Receipt { order_id, outcome, order_version, reason, queue, retry_after_ms } = receipt;
    let receipt = ReservationReceipt {
        reservation_id: *order_id,
        order_id: order_id.filter(|_| asked == Asked::Wish),
        outcome: *outcome,
        version: *order_version,
        order_version: (asked == Asked::Wish).then_some(*order_version),
        lines: Vec::new(),
        expires_at: None,
        reason: *reason,
        queue: queue.clone(),
        retry_after_ms: *retry_after_ms,
    };
    serde_json::to_vec(&receipt).expect("a receipt is plain data").into()
}

fn lines(state: &State) -> Vec<LineView<'_>> {
    let Some(content) = &state.content else { return Vec::new() };
    let waiting = state.waiting();
    let nowhere = state.named(&state.nowhere()).into_iter().map(|row| (row.line, row.quantity));
    let nowhere: Vec<(u32, u32)> = nowhere.collect();
    let lines = content.asked.lines.iter().zip(&state.lines).map(|(line, units)| {
        let of = |rows: &mut dyn Iterator<Item = (u32, u32)>| -> u32 {
            rows.filter(|(number, _)| *number == line.line).map(|(_, quantity)| quantity).sum()
        };
        let held = state.claims.iter().filter(|claim| claim.state.is_held());
        let held = held.filter_map(|claim| Some((state.cell(claim)?.0.line, claim.open)));
        let unfillable = of(&mut nowhere.iter().copied());
        LineView {
            line: line.line,
            sku: &line.sku,
            quantity: line.quantity,
            held: of(&mut { held }),
            backordered: of(&mut waiting.iter().map(|row| (row.line, row.quantity))) - unfillable,
            unfillable,
            consumed: units.consumed + units.unclaimed,
            released: units.released,
            given_up: units.given_up,
        }
    });
    lines.collect()
}

fn claims(state: &State) -> Vec<ClaimView<'_>> {
    let claims = state.indexed().map(|(index, claim)| {
        let customer_id = match claim.target {
            super::state::Target::Counter(counter) => {
                state.content().asked.counters[usize::from(counter)].customer_id.as_deref()
            }
            super::state::Target::Cell { .. } => None,
        };
        ClaimView {
            claim_id: state.claim_id(index),
            at: state.target_key(&claim.target),
            state: claim.state.as_str(),
            quantity: claim.quantity,
            open: claim.open,
            consumed: claim.consumed,
            promised_at: claim.promised_at.map(|at| at.to_string()),
            customer_id,
        }
    });
    claims.collect()
}
