//! Who changed what, when and why; and whether that record is whole.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{Steering, ok};
use crate::api::methods::only_reads;
use crate::api::problem::{Mistake, Problem};
use crate::api::problem_code::Code;
use crate::control::chain::{Part, Verdict};

/// Entries given at once, if nobody says how many.
const USUAL: u64 = 50;

/// The most entries given at once.
const MOST: u64 = 500;

/// The whole audit is read by one request at a time.
static VERIFYING: Semaphore = Semaphore::const_new(1);

pub(super) fn routes(service: &mut web::ServiceConfig) {
    service
        .service(only_reads("", |route| route.to(audit)))
        .service(only_reads("/verify", |route| route.to(verify_audit)));
}

/// Which entries.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct Which {
    /// Those after this sequence, oldest first; without it, the newest.
    pub after: Option<u64>,
    /// How many, 1 to 500; 50 without it.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u64>,
}

/// Shows entries of the audit, oldest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(Which),
    responses((status = 200, description = "The entries", body = Part), (status = "default", response = crate::api::openapi::AProblem)))]
pub(in crate::api) async fn audit(
    steering: web::Data<dyn Steering>,
    which: web::Query<Which>,
) -> Result<HttpResponse, Problem> {
    let limit = which.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        let message = format!("must be from 1 to {MOST} entries");
        let mistake = Mistake::new("query:limit", "out_of_range", message).given(limit.into());
        return Err(Problem::validation(vec![mistake]));
    }
    let control = steering.control()?;
    let part = control.audit(which.after, limit).await;
    Ok(ok(part.map_err(|error| Problem::new(Code::Unavailable, error.to_string()))?))
}

/// Reads the whole audit and says whether any entry was changed, taken out or put in.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "audit",
    responses((status = 200, description = "What was found", body = Verdict), (status = "default", response = crate::api::openapi::AProblem)))]
pub(in crate::api) async fn verify_audit(steering: web::Data<dyn Steering>) -> Result<HttpResponse, Problem> {
    let control = steering.control()?;
    let Ok(_only_one) = VERIFYING.try_acquire() else {
        return Err(Problem::new(Code::Overloaded, "the audit is being verified for somebody else"));
    };
    let verdict = control.verify().await;
    Ok(ok(verdict.map_err(|error| Problem::new(Code::Unavailable, error.to_string()))?))
}
