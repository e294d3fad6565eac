//! The JSON document that the API shows of an order.

use serde::Serialize;

use super::state::{DocumentState, LineUnits, State};
use super::status::Status;
use crate::decider::EffectState;
use crate::ids::EntityId;
use crate::messages::outbound::answers::QueuePlace;
use crate::order::event::Exception;

#[derive(Serialize)]
struct View<'a> {
    order_id: &'a str,
    version: u64,
    phase: &'static str,
    currency: &'a str,
    total_minor: i64,
    status: Status,
    lines: Vec<LineView<'a>>,
    tenders: Vec<TenderView<'a>>,
    redemption: RedemptionView,
    accrual: AccrualView,
    documents: Vec<DocumentView<'a>>,
    effects: Vec<EffectView<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reservations: Vec<ReservationView<'a>>,
    holds: Vec<HoldView>,
    exceptions: Vec<ExceptionView<'a>>,
}

/// An order that nobody has looked at yet: only its place is known.
#[derive(Serialize)]
struct QueuedView<'a> {
    order_id: &'a str,
    version: u64,
    phase: &'static str,
    status: Status,
    queue: &'a QueuePlace,
}

/// Renders an order that still queues in the intake.
pub(super) fn queued(entity: &EntityId, place: &QueuePlace) -> String {
    let order_id = entity.key.as_str();
    let view = QueuedView { order_id, version: 0, phase: "queued", status: Status::default(), queue: place };
    serde_json::to_string(&view).expect("texts and numbers can always be written")
}

/// All states of the contract stand here; those without a rule yet are always 0.
#[derive(Serialize)]
struct LineView<'a> {
    line: u32,
    sku: &'a str,
    ordered: u32,
    pending: u32,
    backordered: u32,
    allocated: u32,
    released: u32,
    picked: u32,
    shipped: u32,
    delivered: u32,
    lost: u32,
    cancelled: u32,
    substituted: u32,
}

#[derive(Serialize)]
struct TenderView<'a> {
    tender: &'a str,
    authorized_minor: i64,
    capturing_minor: i64,
    captured_minor: i64,
    releasing_minor: i64,
    released_minor: i64,
    refunding_minor: i64,
    refunded_minor: i64,
    charged_back_minor: i64,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the contract carry their unit")]
struct RedemptionView {
    reserved_points: i64,
    finalized_points: i64,
    released_points: i64,
    reversed_points: i64,
}

#[derive(Serialize)]
struct AccrualView {
    target_points: i64,
    posted_points: i64,
}

#[derive(Serialize)]
struct DocumentView<'a> {
    document: &'static str,
    document_key: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    document_no: Option<&'a str>,
}

#[derive(Serialize)]
struct EffectView<'a> {
    effect_id: &'a str,
    kind: &'static str,
    state: EffectState,
    epoch: u32,
    attempts: u32,
    deadline: Option<i64>,
}

/// Where the stock of the order stands. Orders that are allocated outside show none.
#[derive(Serialize)]
struct ReservationView<'a> {
    reservation_id: &'a str,
    stage: &'static str,
    lines: Vec<HeldView<'a>>,
}

#[derive(Serialize)]
struct HeldView<'a> {
    line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    quantity: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    promised_at: Option<i64>,
}

#[derive(Serialize)]
struct HoldView {
    hold_id: &'static str,
    r#type: &'static str,
}

#[derive(Serialize)]
struct ExceptionView<'a> {
    exception_id: String,
    kind: &'static str,
    cause: &'a str,
    exposure_minor: i64,
    exposure_points: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect_id: Option<&'a str>,
}

/// Renders the view; an order that nobody has submitted is shown empty.
pub(super) fn view(entity: &EntityId, state: &State, version: u64) -> String {
    let content = state.content.as_ref().map(|frozen| &frozen.content);
    let view = View {
        order_id: entity.key.as_str(),
        version,
        phase: state.phase.as_str(),
        currency: content.map_or("", |content| &content.currency),
        total_minor: content.map_or(0, |content| content.total_minor),
        status: state.status,
        lines: content.map_or_else(Vec::new, |content| {
            content
                .lines
                .iter()
                .zip(&state.lines)
                .map(|(line, units)| line_view(line.line, &line.sku, units))
                .collect()
        }),
        tenders: tenders(state),
        redemption: RedemptionView {
            reserved_points: state.redemption.reserved,
            finalized_points: state.redemption.finalized,
            released_points: state.redemption.released,
            reversed_points: 0,
        },
        accrual: AccrualView {
            target_points: if content.is_some() { state.accrual_target() } else { 0 },
            posted_points: state.accrual.posted,
        },
        documents: documents(state),
        effects: effects(state),
        reservations: reservations(state),
        holds: state
            .holds
            .iter()
            .map(|hold| HoldView { hold_id: hold.as_str(), r#type: hold.as_str() })
            .collect(),
        exceptions: state.exceptions.iter().map(exception).collect(),
    };
    serde_json::to_string(&view).expect("a view has only text keys and plain numbers")
}

fn line_view<'a>(line: u32, sku: &'a str, units: &LineUnits) -> LineView<'a> {
    LineView {
        line,
        sku,
        ordered: units.ordered(),
        pending: units.pending - units.backordered,
        backordered: units.backordered,
        allocated: 0,
        released: units.released,
        picked: 0,
        shipped: units.shipped,
        delivered: units.delivered,
        lost: 0,
        cancelled: units.cancelled,
        substituted: 0,
    }
}

fn tenders(state: &State) -> Vec<TenderView<'_>> {
    let Some(frozen) = &state.content else { return Vec::new() };
    let tenders = frozen.content.tenders.iter().zip(&state.tenders).map(|(tender, ledger)| TenderView {
        tender: &tender.tender,
        authorized_minor: ledger.authorized,
        capturing_minor: ledger.capturing,
        captured_minor: ledger.captured,
        releasing_minor: ledger.releasing,
        released_minor: ledger.released,
        refunding_minor: 0,
        refunded_minor: 0,
        charged_back_minor: 0,
    });
    tenders.collect()
}

fn documents(state: &State) -> Vec<DocumentView<'_>> {
    let documents = state.documents.iter().enumerate().filter_map(|(index, document)| {
        let (word, document_no) = match &document.state {
            DocumentState::Queued => ("queued", None),
            DocumentState::Posting => ("posting", None),
            DocumentState::Posted(number) => ("posted", Some(&**number)),
            DocumentState::Rejected(_) => ("rejected", None),
        };
        let document_key = state.document_key(u16::try_from(index).ok()?);
        Some(DocumentView { document: document.due.kind.as_str(), document_key, state: word, document_no })
    });
    documents.collect()
}

fn effects(state: &State) -> Vec<EffectView<'_>> {
    let effects = state.effects.iter().map(|effect| EffectView {
        effect_id: &effect.id,
        kind: effect.kind.name(),
        state: effect.state,
        epoch: effect.epoch,
        attempts: effect.attempts,
        deadline: effect.deadline.map(|deadline| deadline.0),
    });
    effects.collect()
}

fn reservations(state: &State) -> Vec<ReservationView<'_>> {
    let Some(stock) = &state.stock else { return Vec::new() };
    let number = |line: u16| state.content().lines[usize::from(line)].line;
    let reservations = stock.reservations.iter().map(|known| {
        let held = known.rows.iter().filter(|row| row.node.is_some()).map(|row| HeldView {
            line: number(row.line),
            node: row.node.as_deref(),
            quantity: row.quantity,
            promised_at: None,
        });
        let waiting = known.backordered.iter().map(|row| HeldView {
            line: number(row.line),
            node: None,
            quantity: row.quantity,
            promised_at: row.promised_at.map(|moment| moment.0),
        });
        ReservationView {
            reservation_id: known.id.as_str(),
            stage: known.stage.as_str(),
            lines: held.chain(waiting).collect(),
        }
    });
    reservations.collect()
}

fn exception(exception: &Exception) -> ExceptionView<'_> {
    ExceptionView {
        exception_id: exception.id.to_string(),
        kind: exception.kind.as_str(),
        cause: &exception.cause,
        exposure_minor: exception.exposure_minor,
        exposure_points: exception.exposure_points,
        effect_id: exception.effect_id.as_deref(),
    }
}
