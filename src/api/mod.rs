//! HTTP on loopback: probes, metrics, one order and its timeline. It only reads; work comes in over NATS.

mod orders;
mod probes;
pub mod problem;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::Method;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use async_trait::async_trait;
use domain::ids::EntityId;

use crate::exit::Failure;

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

    /// An order; none = nobody has heard of it.
    async fn order(&self, id: &EntityId) -> Result<Option<View>, Unreadable>;

    /// The timeline of an order as JSON; none = nobody has heard of it.
    async fn timeline(&self, id: &EntityId) -> Result<Option<String>, Unreadable>;
}

/// Binds `address` and serves `surface` on one thread of its own until the server is stopped.
///
/// # Errors
/// The address cannot be bound: exit code 3, because another process holds it.
pub fn start(address: SocketAddr, surface: Arc<dyn Surface>) -> Result<Server, Failure> {
    let listener = TcpListener::bind(address).map_err(|error| cannot_listen(address, &error))?;
    let data = web::Data::from(surface);
    let server = HttpServer::new(move || App::new().app_data(data.clone()).configure(routes))
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

fn routes(service: &mut web::ServiceConfig) {
    for method in [Method::GET, Method::HEAD] {
        let reads = || web::method(method.clone());
        service
            .route("/livez", reads().to(probes::livez))
            .route("/readyz", reads().to(probes::readyz))
            .route("/metrics", reads().to(probes::metrics))
            .route("/api/v1/orders/{order_id}", reads().to(orders::order))
            .route("/api/v1/orders/{order_id}/timeline", reads().to(orders::timeline));
    }
    service.default_service(web::to(nowhere));
}

async fn nowhere(request: HttpRequest) -> HttpResponse {
    problem::not_found(&format!(
        "there is no {} {}; see /livez, /readyz, /metrics, /api/v1/orders/{{order_id}} and its /timeline",
        request.method(),
        request.path()
    ))
}

#[cfg(test)]
mod tests;
