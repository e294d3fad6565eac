//! Circuit breakers: one in front of each participant, which an operator may force.

use actix_web::{HttpResponse, web};
use actors::participant::control::{MOST_IN_FLIGHT, SettingsChange};
use actors::participant::settings::RANGES;

use super::act::{Asked, participant, perform, refused};
use super::body::Fields;
use super::requests::{ActHeaders, ActQuery, BreakerRequest, List, SystemPath, Why, WhyAndHowLong};
use super::{Steering, ok};
use crate::api::methods::{only_acts, only_reads, reads_and_changes};
use crate::api::openapi::AProblem;
use crate::api::problem::{Mistake, Problem};
use crate::control::Done;
use crate::control::act::{Act, BreakerAct};
use crate::control::report::BreakerReport;

pub(super) fn routes(service: &mut web::ServiceConfig) {
    service
        .service(only_reads("", |route| route.to(breakers)))
        .service(reads_and_changes(
            "/{system}",
            |route| route.to(breaker),
            web::patch().to(set_breaker),
            web::delete().to(reset_breaker_settings),
        ))
        .service(only_acts("/{system}/actions/force_open", web::post().to(force_open)))
        .service(only_acts("/{system}/actions/force_close", web::post().to(force_close)))
        .service(only_acts("/{system}/actions/half_open", web::post().to(half_open)))
        .service(only_acts("/{system}/actions/reset", web::post().to(reset_breaker)));
}

/// Shows all breakers: state, since when, by what it judges, and what was forced.
#[utoipa::path(get, path = "/api/v1/breakers", tag = "breakers",
    responses((status = 200, description = "All breakers", body = List<BreakerReport>), (status = "default", response = AProblem)))]
pub(in crate::api) async fn breakers(steering: web::Data<dyn Steering>) -> Result<HttpResponse, Problem> {
    Ok(ok(List { data: steering.control()?.breakers().await.map_err(refused)? }))
}

/// Shows one breaker.
#[utoipa::path(get, path = "/api/v1/breakers/{system}", tag = "breakers", params(SystemPath),
    responses((status = 200, description = "The breaker", body = BreakerReport), (status = "default", response = AProblem)))]
pub(in crate::api) async fn breaker(
    steering: web::Data<dyn Steering>,
    path: web::Path<SystemPath>,
) -> Result<HttpResponse, Problem> {
    let system = participant(&path.system)?.as_str();
    let breakers = steering.control()?.breakers().await.map_err(refused)?;
    let found = breakers.into_iter().find(|breaker| breaker.system == system);
    Ok(ok(found.expect("every participant has a breaker")))
}

fn settings(fields: &mut Fields) -> SettingsChange {
    let mut number = |key, least: u32, most: u32, unit| {
        let given = fields.number(key, least.into()..=most.into(), unit)?;
        u32::try_from(given).ok()
    };
    let numbers = RANGES.map(|(key, unit, least, most)| number(key, least, most, unit));
    let change =
        SettingsChange { numbers, in_flight: number("max_in_flight", 1, MOST_IN_FLIGHT, "commands") };
    if change == SettingsChange::default() && fields.is_right() {
        let keys = RANGES.map(|(key, ..)| key).join(", ");
        let message = format!("give at least one of {keys} and max_in_flight");
        fields.mistake(Mistake::new("", "missing", message));
    }
    change
}

/// Sets other settings of a participant: when its breaker opens, its rate and cap, how it comes back, how much is asked again. What
/// is left out is as configured, also if it was set before.
#[utoipa::path(patch, path = "/api/v1/breakers/{system}", tag = "breakers", request_body = BreakerRequest,
    params(SystemPath, ActHeaders, ActQuery),
    responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn set_breaker(
    path: web::Path<SystemPath>,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let system = participant(&path.system)?;
    perform(asked, |fields| Some(Act::SetBreaker(system, settings(fields)))).await
}

/// Puts the configured settings of a participant in force again.
#[utoipa::path(delete, path = "/api/v1/breakers/{system}", tag = "breakers", request_body = Why,
    params(SystemPath, ActHeaders, ActQuery),
    responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn reset_breaker_settings(
    path: web::Path<SystemPath>,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let system = participant(&path.system)?;
    perform(asked, |_| Some(Act::ResetBreakerSettings(system))).await
}

async fn force(path: &SystemPath, asked: Asked, act: BreakerAct) -> Result<HttpResponse, Problem> {
    let system = participant(&path.system)?;
    perform(asked, |_| Some(Act::Breaker(system, act))).await
}

/// Holds all commands to a participant back, whatever it answers. They wait in a list, oldest first, and cost no retries.
#[utoipa::path(post, path = "/api/v1/breakers/{system}/actions/force_open", tag = "breakers",
    request_body = WhyAndHowLong, params(SystemPath, ActHeaders, ActQuery),
    responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn force_open(
    path: web::Path<SystemPath>,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    force(&path, asked, BreakerAct::ForceOpen).await
}

/// Lets commands to a participant through, whatever it answers.
#[utoipa::path(post, path = "/api/v1/breakers/{system}/actions/force_close", tag = "breakers",
    request_body = WhyAndHowLong, params(SystemPath, ActHeaders, ActQuery),
    responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn force_close(
    path: web::Path<SystemPath>,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    force(&path, asked, BreakerAct::ForceClose).await
}

/// Tries a participant with a few commands now, and goes on by what it answers.
#[utoipa::path(post, path = "/api/v1/breakers/{system}/actions/half_open", tag = "breakers",
    request_body = Why, params(SystemPath, ActHeaders, ActQuery),
    responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn half_open(
    path: web::Path<SystemPath>,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    force(&path, asked, BreakerAct::HalfOpen).await
}

/// Forgets what was forced and what was counted: the breaker is closed, and judges by the answers from now on.
#[utoipa::path(post, path = "/api/v1/breakers/{system}/actions/reset", tag = "breakers",
    request_body = Why, params(SystemPath, ActHeaders, ActQuery),
    responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn reset_breaker(
    path: web::Path<SystemPath>,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    force(&path, asked, BreakerAct::Reset).await
}
