//! The `OpenAPI` document: made from the handlers, committed as `docs/openapi.json`, served as `/api/v1/openapi.json`.

use actix_web::HttpResponse;
use utoipa::OpenApi;

use super::control::{audit, breakers, flow};
use super::problem::{Mistake, ProblemBody};
use super::{orders, probes, reference, reservations, stock, worklist};

/// Every answer that is no success (RFC 9457).
#[derive(Debug, utoipa::ToResponse)]
#[response(
    description = "A problem (RFC 9457); `code` is one of a closed list",
    content_type = "application/problem+json"
)]
#[expect(dead_code, reason = "it names the body of a response in the document")]
pub(in crate::api) struct AProblem(ProblemBody);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Doorbuster",
        description = "Reads orders, and controls the flow of work. Acts need an Idempotency-Key and a reason, and stand \
                       in the audit before they are done. Only on loopback, until there are access tokens."
    ),
    paths(
        probes::livez, probes::readyz, probes::metrics,
        orders::order, orders::timeline,
        reservations::reservation, stock::stock, stock::bulk_stock, worklist::drift, worklist::oversold,
        reference::reference,
        flow::flow, flow::backpressure, flow::set_backpressure, flow::reset_backpressure, flow::pause, flow::resume, flow::drain, flow::undrain,
        flow::limits, flow::limit, flow::set_limit, flow::reset_limit,
        flow::bulkheads, flow::bulkhead, flow::set_bulkhead, flow::reset_bulkhead,
        breakers::breakers, breakers::breaker, breakers::force_open, breakers::force_close, breakers::half_open,
        breakers::reset_breaker, breakers::set_breaker, breakers::reset_breaker_settings,
        audit::audit, audit::verify_audit,
    ),
    components(schemas(ProblemBody, Mistake), responses(AProblem)),
    tags(
        (name = "probes", description = "Whether the server lives and takes work, and its numbers"),
        (name = "orders", description = "Orders, read only: work comes in over NATS"),
        (name = "reservations", description = "Reservations, read only"),
        (name = "stock", description = "How much can be sold where, and what somebody has to look at"),
        (name = "reference", description = "Nodes, items, promotions and coupons in force, and what of them was refused"),
        (name = "flow", description = "How much new work is taken, and how much at the same time"),
        (name = "breakers", description = "Circuit breakers in front of the participants"),
        (name = "audit", description = "Who changed what, when and why"),
    )
)]
struct Document;

/// The document as it is committed.
///
/// # Panics
/// Never: it is plain data.
pub fn document() -> String {
    let mut text = Document::openapi().to_pretty_json().expect("a document is plain data");
    text.push('\n');
    text
}

/// `GET /api/v1/openapi.json`.
pub(super) async fn openapi() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document())
}
