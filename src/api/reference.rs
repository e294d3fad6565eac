//! Reference data: how much is in force, and which values were refused and why.

use actix_web::{HttpResponse, web};

use super::Surface;
use super::openapi::AProblem;
use super::problem::Problem;
use crate::reference::report::ReferenceReport;

/// Shows which reference data decisions go by, and every value that was refused: all its mistakes, and what is in force instead.
#[utoipa::path(get, path = "/api/v1/reference", tag = "reference",
    responses((status = 200, description = "Reference data in force", body = ReferenceReport), (status = "default", response = AProblem)))]
pub(in crate::api) async fn reference(surface: web::Data<dyn Surface>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(surface.reference()?))
}
