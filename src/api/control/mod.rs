//! What an operator can see and change while the server runs: flow control, breakers, and the audit of all that was changed.
//!
//! An act is a POST, PATCH or DELETE with an `Idempotency-Key` and a reason. Reading order: `act` (its way), `body` (its
//! fields), then one file for each kind of thing.

pub(super) mod act;
pub(super) mod audit;
mod body;
pub(super) mod breakers;
pub(super) mod flow;
pub(super) mod requests;
mod same_site;

use std::sync::Arc;

use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, web};

use super::Unreadable;
use super::problem::Problem;
use super::problem_code::Code;
use crate::control::Control;

pub use act::{IDEMPOTENCY_KEY, OPERATOR};
pub(super) use same_site::Hosts;

/// What stands behind the control endpoints.
pub trait Steering: Send + Sync + 'static {
    /// The control of the running node.
    ///
    /// # Errors
    /// The server is not that far, or not any more.
    fn control(&self) -> Result<Arc<Control>, Unreadable>;
}

/// The largest body of an act.
const MOST_BODY: usize = 64 * 1024;

/// The routes below `/api/v1` that are for operators.
pub(super) fn routes(service: &mut web::ServiceConfig) {
    let scopes = [
        web::scope("/flow").configure(flow::routes),
        web::scope("/breakers").configure(breakers::routes),
        web::scope("/audit").configure(audit::routes),
    ];
    for scope in scopes {
        let scope = scope
            .app_data(web::PayloadConfig::new(MOST_BODY))
            .app_data(web::QueryConfig::default().error_handler(|error, _| bad_query(&error).into()))
            .wrap(from_fn(same_site::own_pages_only));
        service.service(scope);
    }
}

fn bad_query(error: &actix_web::error::QueryPayloadError) -> Problem {
    Problem::new(Code::BadRequest, format!("the query cannot be read: {error}"))
        .hint("acts take dry_run=true or false, the audit after=<sequence> and limit=<number>")
}

fn not_known(what: &str, known: &str) -> Problem {
    Problem::new(Code::NotFound, format!("there is no {what}")).hint(format!("known are: {known}"))
}

fn ok(body: impl serde::Serialize) -> HttpResponse {
    HttpResponse::Ok().json(body)
}

#[cfg(test)]
mod tests;
