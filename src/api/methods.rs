//! A path with its methods; any other is told which there are.

use actix_web::http::StatusCode;
use actix_web::http::header::ALLOW;
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError, Route, web};

use super::problem::Problem;
use super::problem_code::Code;

/// A path that is only read: GET, and HEAD which answers the same without the body.
pub(super) fn only_reads(path: &str, get: impl Fn(Route) -> Route) -> Resource {
    web::resource(path)
        .route(get(web::get()))
        .route(get(web::head()))
        .default_service(web::to(|request: HttpRequest| async move { refuse(&request, "GET, HEAD") }))
}

/// A path for one act.
pub(super) fn only_acts(path: &str, post: Route) -> Resource {
    web::resource(path)
        .route(post)
        .default_service(web::to(|request: HttpRequest| async move { refuse(&request, "POST") }))
}

/// A path that can be read, changed, and put back.
pub(super) fn reads_and_changes(
    path: &str,
    get: impl Fn(Route) -> Route,
    change: Route,
    restore: Route,
) -> Resource {
    web::resource(path)
        .route(get(web::get()))
        .route(get(web::head()))
        .route(change)
        .route(restore)
        .default_service(web::to(|request: HttpRequest| async move {
            refuse(&request, "GET, HEAD, PATCH, DELETE")
        }))
}

/// The answer to a method that a path does not take.
pub(super) fn refuse(request: &HttpRequest, allowed: &'static str) -> HttpResponse {
    let detail = format!("{} does not take {}; it takes {allowed}", request.path(), request.method());
    let problem = Problem::new(Code::MethodNotAllowed, detail);
    let mut answer = problem.error_response();
    debug_assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    answer.headers_mut().insert(ALLOW, actix_web::http::header::HeaderValue::from_static(allowed));
    answer
}
