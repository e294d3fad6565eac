//! Problems as RFC 9457 describes them: `application/problem+json` with title, status and detail.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use serde::Serialize;

use super::Unreadable;

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

fn problem(status: StatusCode, title: &'static str, detail: &str) -> HttpResponse {
    let body = Problem { r#type: "about:blank", title, status: status.as_u16(), detail };
    let text = serde_json::to_string(&body).expect("four plain fields have a JSON form");
    let mut answer = HttpResponse::build(status);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        answer.insert_header((RETRY_AFTER, "1"));
    }
    answer.content_type("application/problem+json").body(text)
}

/// 400: the request does not have the documented form.
pub fn bad_request(detail: &str) -> HttpResponse {
    problem(StatusCode::BAD_REQUEST, "bad request", detail)
}

/// 404: nothing of that name.
pub fn not_found(detail: &str) -> HttpResponse {
    problem(StatusCode::NOT_FOUND, "not found", detail)
}

/// 503, 410 or 500, as the reason wants it.
pub fn unreadable(why: &Unreadable) -> HttpResponse {
    match why {
        Unreadable::NotNow(detail) => unavailable(detail),
        Unreadable::Gone(detail) => problem(StatusCode::GONE, "gone", detail),
        Unreadable::Fault(detail) => problem(StatusCode::INTERNAL_SERVER_ERROR, "fault", detail),
    }
}

/// 503: not now; the same request may succeed later.
pub fn unavailable(detail: &str) -> HttpResponse {
    problem(StatusCode::SERVICE_UNAVAILABLE, "not available now", detail)
}
