//! One order: its state with the version as `ETag`, and its timeline from the journal.

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};
use domain::ids::{EntityId, InvalidId, Key, Token};
use serde::Deserialize;

use super::Surface;
use super::openapi::AProblem;
use super::problem::{Mistake, Problem};
use super::problem_code::Code;

/// Whose order it is.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct Scope {
    /// The tenant; `main` without it.
    #[param(example = "main")]
    tenant: Option<String>,
}

/// Which order.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::api) struct OrderPath {
    /// The id of the order.
    #[param(example = "o-1001", pattern = "[A-Za-z0-9_~-]{1,96}")]
    order_id: String,
}

/// Shows an order as it is recorded; its version is the `ETag`.
#[utoipa::path(get, path = "/api/v1/orders/{order_id}", tag = "orders", params(OrderPath, Scope),
    responses((status = 200, description = "The document, see docs/contract", body = serde_json::Value, content_type = "application/json"),
        (status = 304, description = "The version in `If-None-Match` is the current one"),
        (status = "default", response = AProblem)))]
pub(in crate::api) async fn order(
    request: HttpRequest,
    surface: web::Data<dyn Surface>,
    path: web::Path<OrderPath>,
    scope: web::Query<Scope>,
) -> Result<HttpResponse, Problem> {
    let id = order_id(&path, &scope)?;
    shown(&request, surface.as_ref(), &id).await
}

/// The view of an entity, with its version as `ETag`.
pub(super) async fn shown(
    request: &HttpRequest,
    surface: &dyn Surface,
    id: &EntityId,
) -> Result<HttpResponse, Problem> {
    let view = surface.entity(id).await?.ok_or_else(|| unknown(id))?;
    let tag = format!("\"{}\"", view.version);
    if known_already(request, &tag) {
        return Ok(HttpResponse::NotModified().insert_header((ETAG, tag)).finish());
    }
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, tag))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .content_type("application/json")
        .body(view.json))
}

/// Shows the whole history of an order, read from the journal.
#[utoipa::path(get, path = "/api/v1/orders/{order_id}/timeline", tag = "orders", params(OrderPath, Scope),
    responses((status = 200, description = "The document, see docs/contract", body = serde_json::Value, content_type = "application/json"),
        (status = "default", response = AProblem)))]
pub(in crate::api) async fn timeline(
    surface: web::Data<dyn Surface>,
    path: web::Path<OrderPath>,
    scope: web::Query<Scope>,
) -> Result<HttpResponse, Problem> {
    let id = order_id(&path, &scope)?;
    let json = surface.timeline(&id).await?.ok_or_else(|| unknown(&id))?;
    Ok(HttpResponse::Ok().content_type("application/json").body(json))
}

fn order_id(path: &OrderPath, scope: &Scope) -> Result<EntityId, Problem> {
    entity("order", &path.order_id, scope)
}

/// The entity that a path names.
pub(super) fn entity(kind: &str, key: &str, scope: &Scope) -> Result<EntityId, Problem> {
    let key = Key::new(key)
        .map_err(|problem| wrong(&format!("{kind} id"), &format!("path:{kind}_id"), &problem))?;
    let tenant = tenant(scope.tenant.as_deref())?;
    let kind = Token::new(kind).expect("a literal of the allowed form");
    Ok(EntityId { tenant, kind, key })
}

/// The tenant that a query names; `main` if it names none.
pub(super) fn tenant(named: Option<&str>) -> Result<Token, Problem> {
    Token::new(named.unwrap_or("main")).map_err(|problem| wrong("tenant", "query:tenant", &problem))
}

fn wrong(what: &str, pointer: &str, problem: &InvalidId) -> Problem {
    let mistake = Mistake::new(pointer, "malformed", format!("must be {}", problem.expected));
    let mistake = mistake.given(problem.text.clone().into());
    Problem::new(Code::BadRequest, format!("{what} {problem}")).errors(vec![mistake])
}

fn unknown(id: &EntityId) -> Problem {
    Problem::new(Code::NotFound, format!("tenant {} has no {} {}", id.tenant, id.kind, id.key))
}

/// Does the client say that it has this version? Weak and strong tags are the same here: the version is the content.
fn known_already(request: &HttpRequest, tag: &str) -> bool {
    let mut given = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    given.any(|list| {
        list.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
    })
}
