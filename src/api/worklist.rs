//! What somebody has to look at in stock: cells that drift, and who goes without where more is held than there is.

use actix_web::{HttpResponse, web};
use domain::ids::{EntityId, Key, Token};
use serde::{Deserialize, Serialize};

use super::openapi::AProblem;
use super::orders::tenant;
use super::problem::Problem;
use super::{Surface, Unreadable};
use crate::availability::Mistaken;
use crate::worklist::{Drift, Question, Show};

/// The most oversold cells of one page: the document of each is read.
const MOST_OVERSOLD: usize = 50;

/// A page of cells.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct Place {
    /// The tenant; `main` without it.
    #[param(example = "main")]
    tenant: Option<String>,
    /// The cell behind which the page begins: `next` of the page before.
    #[param(example = "SKU-A~berlin")]
    after: Option<String>,
    /// How many cells at most: 1 to 1,000 that drift, 100 without it; 1 to 50 that are oversold, 50 without it.
    #[param(example = "100")]
    limit: Option<String>,
}

/// Which cells.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct Which {
    /// `drifted` (the last count found other units than the books had; without it), `stale` (nothing was heard for too long),
    /// `uncounted`, `oversold` or `all`.
    #[param(example = "drifted")]
    show: Option<String>,
}

/// A page of cells that hold more than there is and may be sold beyond it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::api) struct Oversold {
    /// When it was looked up.
    as_of: String,
    /// The cells, by item and node.
    cells: Vec<OversoldCell>,
    /// What `after` of the next page is; null if this is the last.
    next: Option<String>,
}

/// Who goes without in a cell.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::api) struct OversoldCell {
    /// The item.
    sku: String,
    /// The node.
    node: String,
    /// Units that are missing.
    oversold: i64,
    /// The newest claims that together hold them, newest first; at most 100.
    victims: Vec<Victim>,
}

/// A claim that cannot be served if nothing comes in.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub(in crate::api) struct Victim {
    /// Whose.
    reservation_id: String,
    /// The claim.
    claim_id: String,
    /// How many of its units.
    quantity: u32,
    /// Are they promised?
    hard: bool,
}

/// What is read of the document of a cell.
#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    oversold: i64,
    #[serde(default)]
    victims: Vec<Victim>,
}

/// Lists cells whose last count differed from the books, or of which nothing is heard, as they said last.
#[utoipa::path(get, path = "/api/v1/stock/drift", tag = "stock", params(Place, Which),
    responses((status = 200, description = "A page of cells", body = Drift), (status = "default", response = AProblem)))]
pub(in crate::api) async fn drift(
    surface: web::Data<dyn Surface>,
    place: web::Query<Place>,
    which: web::Query<Which>,
) -> Result<HttpResponse, Problem> {
    let show = which.show.as_deref().map_or(Ok(Show::default()), shown)?;
    let limit = place.limit.as_deref().map(number).transpose()?;
    let question = Question { show, after: place.after.clone(), limit };
    Ok(HttpResponse::Ok().json(look(surface, tenant(place.tenant.as_deref())?, question).await?))
}

/// Lists cells that hold more than there is, with those who go without, newest first.
#[utoipa::path(get, path = "/api/v1/stock/oversold", tag = "stock", params(Place),
    responses((status = 200, description = "A page of cells", body = Oversold), (status = "default", response = AProblem)))]
pub(in crate::api) async fn oversold(
    surface: web::Data<dyn Surface>,
    place: web::Query<Place>,
) -> Result<HttpResponse, Problem> {
    let limit = place.limit.as_deref().map(number).transpose()?.unwrap_or(MOST_OVERSOLD);
    if limit > MOST_OVERSOLD {
        let message = format!("found {limit}, expected 1 to {MOST_OVERSOLD} cells");
        return Err(Mistaken { field: "limit", message }.into());
    }
    let tenant = tenant(place.tenant.as_deref())?;
    let question = Question { show: Show::Oversold, after: place.after.clone(), limit: Some(limit) };
    let Drift { as_of, cells: listed, next } = look(surface.clone(), tenant.clone(), question).await?;
    let mut cells = Vec::with_capacity(listed.len());
    for cell in listed {
        let key = Key::new(&format!("{}~{}", cell.sku, cell.node)).expect("it was the key of a cell");
        let kind = Token::new("stock").expect("a lower-case word");
        let view = surface.entity(&EntityId { tenant: tenant.clone(), kind, key }).await?;
        let document = view.and_then(|view| serde_json::from_str::<Document>(&view.json).ok());
        // It may be over by now.
        if let Some(Document { oversold, victims }) = document.filter(|document| document.oversold > 0) {
            cells.push(OversoldCell { sku: cell.sku, node: cell.node, oversold, victims });
        }
    }
    Ok(HttpResponse::Ok().json(Oversold { as_of, cells, next }))
}

/// All rows of the board are looked at, so not on the thread that answers everybody.
async fn look(surface: web::Data<dyn Surface>, tenant: Token, question: Question) -> Result<Drift, Problem> {
    let looked = web::block(move || surface.drift(&tenant, &question)).await;
    let looked = looked.map_err(|error| Unreadable::NotNow(format!("nobody is free to look: {error}")))?;
    Ok(looked??)
}

fn number(text: &str) -> Result<usize, Problem> {
    text.parse().map_err(|_| {
        let message = format!("found {text:.20}, expected a number");
        Mistaken { field: "limit", message }.into()
    })
}

fn shown(word: &str) -> Result<Show, Problem> {
    Show::ALL.into_iter().find(|show| show.as_str() == word).ok_or_else(|| {
        let known = Show::ALL.map(Show::as_str).join(", ");
        Mistaken { field: "show", message: format!("found {word:.20}, expected one of {known}") }.into()
    })
}
