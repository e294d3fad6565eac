//! Liveness, readiness and metrics.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::{Readiness, Surface, problem};

/// `GET /livez`: the process answers.
pub(super) async fn livez() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(r#"{"live":true}"#)
}

#[derive(Serialize)]
struct Ready<'a> {
    ready: bool,
    durability: &'a str,
}

/// `GET /readyz`: 200 with the durability profile, or 503 with the reason.
pub(super) async fn readyz(surface: web::Data<dyn Surface>) -> HttpResponse {
    match surface.readiness() {
        Readiness::Ready(durability) => {
            HttpResponse::Ok().json(Ready { ready: true, durability: &durability })
        }
        Readiness::NotReady(reason) => problem::unavailable(&reason),
    }
}

/// `GET /metrics`: as text for Prometheus.
pub(super) async fn metrics(surface: web::Data<dyn Surface>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(surface.metrics())
}
