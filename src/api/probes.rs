//! Liveness, readiness and metrics.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::openapi::AProblem;
use super::problem::Problem;
use super::problem_code::Code;
use super::{Readiness, Surface};

/// The process answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::api) struct Live {
    live: bool,
}

/// The server takes work.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::api) struct Ready {
    ready: bool,
    /// What a power cut may take, in words.
    durability: String,
}

/// Answers as long as the process does.
#[utoipa::path(get, path = "/livez", tag = "probes", responses((status = 200, description = "It does", body = Live)))]
pub(in crate::api) async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(Live { live: true })
}

/// Says whether the server takes work, with its durability profile, or why not.
#[utoipa::path(get, path = "/readyz", tag = "probes",
    responses((status = 200, description = "It takes work", body = Ready), (status = "default", response = AProblem)))]
pub(in crate::api) async fn readyz(surface: web::Data<dyn Surface>) -> Result<HttpResponse, Problem> {
    match surface.readiness() {
        Readiness::Ready(durability) => Ok(HttpResponse::Ok().json(Ready { ready: true, durability })),
        Readiness::NotReady(reason) => Err(Problem::new(Code::Unavailable, reason)),
    }
}

/// Gives all metrics in the text format of `OpenMetrics`.
#[utoipa::path(get, path = "/metrics", tag = "probes",
    responses((status = 200, description = "The metrics", body = String, content_type = "application/openmetrics-text")))]
pub(in crate::api) async fn metrics(surface: web::Data<dyn Surface>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(surface.metrics())
}
