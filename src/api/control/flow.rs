//! Flow control: how much new work is taken, and how much of it at the same time.

use actix_web::{HttpResponse, web};
use actors::flow::Class;
use actors::flow::watermarks::{RANGES, WatermarkChange};

use super::act::{Asked, participant, perform, refused};
use super::body::Fields;
use super::requests::{
    ActHeaders, ActQuery, BackpressureRequest, BulkheadRequest, LimitPath, LimitRequest, List, PauseRequest,
    ResumeRequest, SystemPath, Why, WhyAndHowLong,
};
use super::{Steering, not_known, ok};
use crate::api::methods::{only_acts, only_reads, reads_and_changes};
use crate::api::openapi::AProblem;
use crate::api::problem::{Mistake, Problem};
use crate::control::Done;
use crate::control::act::{Act, Limit};
use crate::control::pressure::BackpressureReport;
use crate::control::report::{BulkheadReport, FlowReport, LimitReport};
use crate::control::scope::Scope;

/// The largest number that a limit can have, whatever it limits: what JSON readers still read exactly.
const MOST: u64 = (1 << 53) - 1;

pub(super) fn routes(service: &mut web::ServiceConfig) {
    service
        .service(only_reads("", |route| route.to(flow)))
        .service(only_acts("/actions/pause", web::post().to(pause)))
        .service(only_acts("/actions/resume", web::post().to(resume)))
        .service(only_acts("/actions/drain", web::post().to(drain)))
        .service(only_acts("/actions/undrain", web::post().to(undrain)))
        .service(reads_and_changes(
            "/backpressure",
            |route| route.to(backpressure),
            web::patch().to(set_backpressure),
            web::delete().to(reset_backpressure),
        ))
        .service(only_reads("/limits", |route| route.to(limits)))
        .service(reads_and_changes(
            "/limits/{name}",
            |route| route.to(limit),
            web::patch().to(set_limit),
            web::delete().to(reset_limit),
        ))
        .service(only_reads("/bulkheads", |route| route.to(bulkheads)))
        .service(reads_and_changes(
            "/bulkheads/{system}",
            |route| route.to(bulkhead),
            web::patch().to(set_bulkhead),
            web::delete().to(reset_bulkhead),
        ));
}

/// Shows what the intake does, all limits and bulkheads, and what is not as it is configured.
#[utoipa::path(get, path = "/api/v1/flow", tag = "flow",
    responses((status = 200, description = "How it is", body = FlowReport), (status = "default", response = AProblem)))]
pub(in crate::api) async fn flow(steering: web::Data<dyn Steering>) -> Result<HttpResponse, Problem> {
    Ok(ok(steering.control()?.flow().await.map_err(refused)?))
}

/// Shows who holds whom back and why: what waits in lanes and lists, and how near the limits are.
#[utoipa::path(get, path = "/api/v1/flow/backpressure", tag = "flow",
    responses((status = 200, description = "How it is", body = BackpressureReport), (status = "default", response = AProblem)))]
pub(in crate::api) async fn backpressure(steering: web::Data<dyn Steering>) -> Result<HttpResponse, Problem> {
    Ok(ok(steering.control()?.backpressure().await.map_err(refused)?))
}

fn watermarks(fields: &mut Fields) -> WatermarkChange {
    let numbers = RANGES.map(|(key, unit, least, most)| fields.number(key, least..=most, unit));
    let classes = fields.texts("classes", |name, class| {
        Class::parse(class).ok_or_else(|| format!("the class of {name} must be low, normal or high"))
    });
    let change = WatermarkChange { numbers, classes };
    if change == WatermarkChange::default() && fields.is_right() {
        let keys = RANGES.map(|(key, ..)| key).join(", ");
        fields.mistake(Mistake::new("", "missing", format!("give at least one of {keys} and classes")));
    }
    change
}

/// Sets other watermarks: from when on the intake slows, refuses, tells and reads no further, and which channels give way first. What
/// is left out is as configured, also if it was set before.
#[utoipa::path(patch, path = "/api/v1/flow/backpressure", tag = "flow", request_body = BackpressureRequest,
    params(ActHeaders, ActQuery), responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn set_backpressure(asked: Asked) -> Result<HttpResponse, Problem> {
    perform(asked, |fields| Some(Act::SetBackpressure(watermarks(fields)))).await
}

/// Puts the configured watermarks and classes in force again.
#[utoipa::path(delete, path = "/api/v1/flow/backpressure", tag = "flow", request_body = Why,
    params(ActHeaders, ActQuery), responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn reset_backpressure(asked: Asked) -> Result<HttpResponse, Problem> {
    perform(asked, |_| Some(Act::ResetBackpressure)).await
}

fn scope(fields: &mut Fields) -> Scope {
    fields.optional("scope", str::parse).unwrap_or(Scope::All)
}

/// Takes no new work of a scope. What is begun goes on; answers, facts and compensation are never held up.
#[utoipa::path(post, path = "/api/v1/flow/actions/pause", tag = "flow", request_body = PauseRequest,
    params(ActHeaders, ActQuery), responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn pause(asked: Asked) -> Result<HttpResponse, Problem> {
    perform(asked, |fields| Some(Act::Pause(scope(fields)))).await
}

/// Takes new work of a scope again.
#[utoipa::path(post, path = "/api/v1/flow/actions/resume", tag = "flow", request_body = ResumeRequest,
    params(ActHeaders, ActQuery), responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn resume(asked: Asked) -> Result<HttpResponse, Problem> {
    perform(asked, |fields| Some(Act::Resume(scope(fields)))).await
}

/// Takes no new work at all and finishes what is begun; `/readyz` says so. The process goes on.
#[utoipa::path(post, path = "/api/v1/flow/actions/drain", tag = "flow", request_body = WhyAndHowLong,
    params(ActHeaders, ActQuery), responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn drain(asked: Asked) -> Result<HttpResponse, Problem> {
    perform(asked, |_| Some(Act::Drain)).await
}

/// Ends a drain.
#[utoipa::path(post, path = "/api/v1/flow/actions/undrain", tag = "flow", request_body = Why,
    params(ActHeaders, ActQuery), responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn undrain(asked: Asked) -> Result<HttpResponse, Problem> {
    perform(asked, |_| Some(Act::Undrain)).await
}

/// Shows all limits: configured, in force, and how much of each is used.
#[utoipa::path(get, path = "/api/v1/flow/limits", tag = "flow",
    responses((status = 200, description = "All limits", body = List<LimitReport>), (status = "default", response = AProblem)))]
pub(in crate::api) async fn limits(steering: web::Data<dyn Steering>) -> Result<HttpResponse, Problem> {
    Ok(ok(List { data: steering.control()?.flow().await.map_err(refused)?.limits }))
}

/// Shows one limit.
#[utoipa::path(get, path = "/api/v1/flow/limits/{name}", tag = "flow", params(LimitPath),
    responses((status = 200, description = "The limit", body = LimitReport), (status = "default", response = AProblem)))]
pub(in crate::api) async fn limit(
    steering: web::Data<dyn Steering>,
    path: web::Path<LimitPath>,
) -> Result<HttpResponse, Problem> {
    let limits = steering.control()?.flow().await.map_err(refused)?.limits;
    let known: Vec<_> = limits.iter().map(|limit| limit.name.clone()).collect();
    let found = limits.into_iter().find(|limit| limit.name == path.name);
    let unknown = || not_known(&format!("limit {:?}", path.name), &known.join(", "));
    Ok(ok(found.ok_or_else(unknown)?))
}

/// Sets other numbers for a limit.
#[utoipa::path(patch, path = "/api/v1/flow/limits/{name}", tag = "flow", request_body = LimitRequest,
    params(LimitPath, ActHeaders, ActQuery),
    responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn set_limit(
    path: web::Path<LimitPath>,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    perform(asked, |fields| {
        let mut number = |name, unit| fields.number(name, 0..=MOST, unit);
        let limit = Limit {
            rate: number("rate", "a second"),
            burst: number("burst", "at once"),
            cap: number("cap", "at the same time, or bytes"),
        };
        if limit == Limit::default() && fields.is_right() {
            fields.mistake(Mistake::new("", "missing", "give at least one of rate, burst and cap"));
        }
        Some(Act::SetLimit(path.name.clone(), limit))
    })
    .await
}

/// Puts the configured numbers of a limit in force again.
#[utoipa::path(delete, path = "/api/v1/flow/limits/{name}", tag = "flow", request_body = Why,
    params(LimitPath, ActHeaders, ActQuery),
    responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn reset_limit(
    path: web::Path<LimitPath>,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    perform(asked, |_| Some(Act::ResetLimit(path.name.clone()))).await
}

/// Shows how many commands may be open at each participant, and how many are.
#[utoipa::path(get, path = "/api/v1/flow/bulkheads", tag = "flow",
    responses((status = 200, description = "All bulkheads", body = List<BulkheadReport>), (status = "default", response = AProblem)))]
pub(in crate::api) async fn bulkheads(steering: web::Data<dyn Steering>) -> Result<HttpResponse, Problem> {
    Ok(ok(List { data: steering.control()?.flow().await.map_err(refused)?.bulkheads }))
}

/// Shows the bulkhead of one participant.
#[utoipa::path(get, path = "/api/v1/flow/bulkheads/{system}", tag = "flow", params(SystemPath),
    responses((status = 200, description = "The bulkhead", body = BulkheadReport), (status = "default", response = AProblem)))]
pub(in crate::api) async fn bulkhead(
    steering: web::Data<dyn Steering>,
    path: web::Path<SystemPath>,
) -> Result<HttpResponse, Problem> {
    let system = participant(&path.system)?.as_str();
    let bulkheads = steering.control()?.flow().await.map_err(refused)?.bulkheads;
    let found = bulkheads.into_iter().find(|bulkhead| bulkhead.system == system);
    Ok(ok(found.expect("every participant has a bulkhead")))
}

/// Sets how many commands may be open at a participant.
#[utoipa::path(patch, path = "/api/v1/flow/bulkheads/{system}", tag = "flow", request_body = BulkheadRequest,
    params(SystemPath, ActHeaders, ActQuery),
    responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn set_bulkhead(
    path: web::Path<SystemPath>,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let system = participant(&path.system)?;
    perform(asked, |fields| {
        let most = fields.needed_number("max_in_flight", 1..=u64::from(u32::MAX), "commands")?;
        Some(Act::SetBulkhead(system, u32::try_from(most).ok()?))
    })
    .await
}

/// Puts the configured number of open commands in force again.
#[utoipa::path(delete, path = "/api/v1/flow/bulkheads/{system}", tag = "flow", request_body = Why,
    params(SystemPath, ActHeaders, ActQuery),
    responses((status = 200, description = "It was done; with `dry_run`, it could be done", body = Done), (status = "default", response = AProblem)))]
pub(in crate::api) async fn reset_bulkhead(
    path: web::Path<SystemPath>,
    asked: Asked,
) -> Result<HttpResponse, Problem> {
    let system = participant(&path.system)?;
    perform(asked, |_| Some(Act::ResetBulkhead(system))).await
}
