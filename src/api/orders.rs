//! One order: its state with the version as `ETag`, and its timeline from the journal.

use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};
use domain::ids::{EntityId, Key, Token};
use serde::Deserialize;

use super::{Surface, problem};

/// Whose order it is.
#[derive(Debug, Deserialize)]
pub(super) struct Scope {
    tenant: Option<String>,
}

/// `GET /api/v1/orders/{order_id}`.
pub(super) async fn order(
    request: HttpRequest,
    surface: web::Data<dyn Surface>,
    path: web::Path<String>,
    scope: web::Query<Scope>,
) -> HttpResponse {
    let id = match order_id(&path, &scope) {
        Ok(id) => id,
        Err(mistake) => return problem::bad_request(&mistake),
    };
    match surface.order(&id).await {
        Ok(Some(view)) => {
            let tag = format!("\"{}\"", view.version);
            if known_already(&request, &tag) {
                return HttpResponse::NotModified().insert_header((ETAG, tag)).finish();
            }
            HttpResponse::Ok()
                .insert_header((ETAG, tag))
                .insert_header((CACHE_CONTROL, "no-cache"))
                .content_type("application/json")
                .body(view.json)
        }
        Ok(None) => unknown(&id),
        Err(why) => problem::unreadable(&why),
    }
}

/// `GET /api/v1/orders/{order_id}/timeline`.
pub(super) async fn timeline(
    surface: web::Data<dyn Surface>,
    path: web::Path<String>,
    scope: web::Query<Scope>,
) -> HttpResponse {
    let id = match order_id(&path, &scope) {
        Ok(id) => id,
        Err(mistake) => return problem::bad_request(&mistake),
    };
    match surface.timeline(&id).await {
        Ok(Some(json)) => HttpResponse::Ok().content_type("application/json").body(json),
        Ok(None) => unknown(&id),
        Err(why) => problem::unreadable(&why),
    }
}

fn order_id(path: &str, scope: &Scope) -> Result<EntityId, String> {
    let key = Key::new(path).map_err(|problem| format!("order id {problem}"))?;
    let tenant = scope.tenant.as_deref().unwrap_or("main");
    let tenant = Token::new(tenant).map_err(|problem| format!("tenant {problem}"))?;
    let kind = Token::new("order").expect("a literal of the allowed form");
    Ok(EntityId { tenant, kind, key })
}

fn unknown(id: &EntityId) -> HttpResponse {
    problem::not_found(&format!("tenant {} has no order {}", id.tenant, id.key))
}

/// Does the client say that it has this version? Weak and strong tags are the same here: the version is the content.
fn known_already(request: &HttpRequest, tag: &str) -> bool {
    let mut given = request.headers().get_all(IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    given.any(|list| {
        list.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
    })
}
