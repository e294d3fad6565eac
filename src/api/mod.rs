//! HTTP on loopback: probes, metrics, orders, and what an operator can change while the server runs. Work comes in over NATS.
//!
//! Reading order: [`problem`] (every answer that is no success), `request_id` (what holds for every request), then what can be
//! asked: `probes`, `orders`, `reservations`, `stock`, `worklist`, `reference`,
//! [`control`]; `openapi` describes it all.

pub mod control;
mod methods;
pub mod openapi;
mod orders;
mod probes;
pub mod problem;
pub mod problem_code;
mod reference;
mod request_id;
mod reservations;
mod stock;
mod worklist;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, HttpServer, web};
use actors::node::ReadError;
use async_trait::async_trait;
use domain::ids::{EntityId, Token};

use crate::availability::{Availability, Mistaken, Question};
use crate::exit::Failure;
use crate::reference::report::ReferenceReport;
use crate::worklist::{Drift, Question as WorklistQuestion};
use control::{Hosts, Steering};
use methods::only_reads;
use problem::Problem;
use problem_code::Code;

/// One order as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// How many decisions the order has; the `ETag`.
    pub version: u64,
    /// The JSON document.
    pub json: String,
}

/// Why nothing can be said about an order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Not now; the same question may be answered later.
    #[error("{0}")]
    NotNow(String),
    /// It was there and is no more.
    #[error("{0}")]
    Gone(String),
    /// A fault of ours; an operator has to look at it.
    #[error("{0}")]
    Fault(String),
}

impl From<ReadError> for Unreadable {
    fn from(error: ReadError) -> Self {
        let text = error.to_string();
        match error {
            ReadError::Unavailable(_) | ReadError::Overloaded => Self::NotNow(text),
            ReadError::Quarantined => Self::Fault(text),
            ReadError::Purged { .. } => Self::Gone(text),
        }
    }
}

/// Whether the server takes work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It does; with the durability profile in words.
    Ready(String),
    /// It does not; with the reason, and the remedy where there is one.
    NotReady(String),
}

/// What stands behind the HTTP surface.
#[async_trait]
pub trait Surface: Send + Sync + 'static {
    /// Whether the server takes work.
    fn readiness(&self) -> Readiness;

    /// All metrics as text for Prometheus.
    fn metrics(&self) -> String;

    /// An order, a reservation or any other entity; none = nobody has heard of it.
    async fn entity(&self, id: &EntityId) -> Result<Option<View>, Unreadable>;

    /// The timeline of an order as JSON; none = nobody has heard of it.
    async fn timeline(&self, id: &EntityId) -> Result<Option<String>, Unreadable>;

    /// Reference data in force.
    fn reference(&self) -> Result<ReferenceReport, Unreadable> {
        Err(Unreadable::NotNow("nobody watches reference data here".to_owned()))
    }

    /// How much of some items can be sold where, or what is wrong with the question.
    fn availability(&self, _: &Token, _: &Question) -> Result<Result<Availability, Mistaken>, Unreadable> {
        Err(Unreadable::NotNow("nobody looks at stock here".to_owned()))
    }

    /// Cells that somebody has to look at, or what is wrong with the question.
    fn drift(&self, _: &Token, _: &WorklistQuestion) -> Result<Result<Drift, Mistaken>, Unreadable> {
        Err(Unreadable::NotNow("nobody looks at stock here".to_owned()))
    }
}

/// What is behind the HTTP surface, and who may ask for it.
#[derive(Clone)]
pub struct Behind {
    /// What can be read.
    pub surface: Arc<dyn Surface>,
    /// What can be controlled; none = the control endpoints are not there.
    pub steering: Option<Arc<dyn Steering>>,
    /// Names under which the server is reached besides loopback.
    pub hosts: Vec<String>,
}

impl std::fmt::Debug for Behind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Behind").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// Binds `address` and serves what is behind it on one thread of its own until the server is stopped.
///
/// # Errors
/// The address cannot be bound: exit code 3, because another process holds it.
pub fn start(address: SocketAddr, behind: Behind) -> Result<Server, Failure> {
    let listener = TcpListener::bind(address).map_err(|error| cannot_listen(address, &error))?;
    let server = HttpServer::new(move || App::new().configure(|service| routes(service, &behind)))
        .workers(1)
        .max_connections(512)
        .client_request_timeout(Duration::from_secs(5))
        .keep_alive(Duration::from_secs(30))
        .shutdown_timeout(5)
        .disable_signals()
        .listen(listener)
        .map_err(|error| cannot_listen(address, &error))?;
    Ok(server.run())
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Failure {
    Failure::unavailable(
        format!("http.address = {address}: cannot listen there: {error}"),
        "stop what listens there, or choose another port with --http",
    )
}

fn routes(service: &mut web::ServiceConfig, behind: &Behind) {
    let mut api = web::scope("/api/v1")
        .service(only_reads("/openapi.json", |route| route.to(openapi::openapi)))
        .service(only_reads("/reference", |route| route.to(reference::reference)))
        .service(only_reads("/stock", |route| route.to(stock::bulk_stock)))
        .service(only_reads("/stock/drift", |route| route.to(worklist::drift)))
        .service(only_reads("/stock/oversold", |route| route.to(worklist::oversold)))
        .service(only_reads("/stock/{sku}", |route| route.to(stock::stock)))
        .service(only_reads("/reservations/{reservation_id}", |route| route.to(reservations::reservation)))
        .service(only_reads("/orders/{order_id}", |route| route.to(orders::order)))
        .service(only_reads("/orders/{order_id}/timeline", |route| route.to(orders::timeline)));
    if let Some(steering) = &behind.steering {
        api = api
            .app_data(web::Data::from(Arc::clone(steering)))
            .app_data(web::Data::new(Hosts(behind.hosts.clone())))
            .configure(control::routes);
    }
    let all = web::scope("")
        .app_data(web::Data::from(Arc::clone(&behind.surface)))
        .service(only_reads("/livez", |route| route.to(probes::livez)))
        .service(only_reads("/readyz", |route| route.to(probes::readyz)))
        .service(only_reads("/metrics", |route| route.to(probes::metrics)))
        .service(api)
        .default_service(web::to(nowhere))
        .wrap(from_fn(request_id::identified));
    service.service(all);
}

async fn nowhere(request: HttpRequest) -> Problem {
    Problem::new(Code::NotFound, format!("there is no {} {}", request.method(), request.path()))
        .hint("GET /api/v1/openapi.json lists all paths")
}

#[cfg(test)]
mod tests;
