//! How much can be sold where: one item, or many at once.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::Surface;
use super::openapi::AProblem;
use super::orders::tenant;
use super::problem::Problem;
use crate::availability::{Availability, Question};

/// Which item.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::api) struct SkuPath {
    /// The item.
    #[param(example = "SKU-A", pattern = "[A-Za-z0-9_-]{1,96}")]
    sku: String,
}

/// Which items.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct Skus {
    /// 1 to 100 items, with commas between them.
    #[param(example = "SKU-A,SKU-B", required)]
    skus: Option<String>,
}

/// Where.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct Places {
    /// The tenant; `main` without it.
    #[param(example = "main")]
    tenant: Option<String>,
    /// Up to 100 nodes, with commas between them; all that reference data has without it.
    #[param(example = "berlin,hamburg")]
    nodes: Option<String>,
    /// Only nodes that ship to this region.
    #[param(example = "DE-BE")]
    region: Option<String>,
}

/// Shows where an item is and how much of it can be sold, as the cells said last.
#[utoipa::path(get, path = "/api/v1/stock/{sku}", tag = "stock", params(SkuPath, Places),
    responses((status = 200, description = "The cells that are known", body = Availability), (status = "default", response = AProblem)))]
pub(in crate::api) async fn stock(
    surface: web::Data<dyn Surface>,
    path: web::Path<SkuPath>,
    places: web::Query<Places>,
) -> Result<HttpResponse, Problem> {
    look(surface.as_ref(), vec![path.sku.clone()], &places)
}

/// Shows the same of many items at once.
#[utoipa::path(get, path = "/api/v1/stock", tag = "stock", params(Skus, Places),
    responses((status = 200, description = "The cells that are known", body = Availability), (status = "default", response = AProblem)))]
pub(in crate::api) async fn bulk_stock(
    surface: web::Data<dyn Surface>,
    skus: web::Query<Skus>,
    places: web::Query<Places>,
) -> Result<HttpResponse, Problem> {
    look(surface.as_ref(), skus.skus.as_deref().map(listed).unwrap_or_default(), &places)
}

fn look(surface: &dyn Surface, skus: Vec<String>, places: &Places) -> Result<HttpResponse, Problem> {
    let tenant = tenant(places.tenant.as_deref())?;
    let nodes = places.nodes.as_deref().map(listed).unwrap_or_default();
    let question = Question { skus, nodes, region: places.region.clone() };
    Ok(HttpResponse::Ok().json(surface.availability(&tenant, &question)??))
}

fn listed(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}
