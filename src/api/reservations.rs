//! One reservation: its state with the version as `ETag`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::Surface;
use super::openapi::AProblem;
use super::orders::{Scope, entity, shown};
use super::problem::Problem;

/// Which reservation.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::api) struct ReservationPath {
    /// The id of the reservation; those that an order made have its id with a number, such as `o-1001~1`.
    #[param(example = "r-1001", pattern = "[A-Za-z0-9_~-]{1,96}")]
    reservation_id: String,
}

/// Shows a reservation with its claims and the plan that they come from.
#[utoipa::path(get, path = "/api/v1/reservations/{reservation_id}", tag = "reservations", params(ReservationPath, Scope),
    responses((status = 200, description = "The document", body = serde_json::Value, content_type = "application/json"),
        (status = 304, description = "The version in `If-None-Match` is the current one"),
        (status = "default", response = AProblem)))]
pub(in crate::api) async fn reservation(
    request: HttpRequest,
    surface: web::Data<dyn Surface>,
    path: web::Path<ReservationPath>,
    scope: web::Query<Scope>,
) -> Result<HttpResponse, Problem> {
    let id = entity("reservation", &path.reservation_id, &scope)?;
    shown(&request, surface.as_ref(), &id).await
}
