//! Who may ask the control endpoints at all: they have no access tokens yet, so nothing that a browser was tricked into sends an act.
//!
//! A page of somebody else can make a browser send requests to loopback, and can give its own name the address of loopback. So
//! the request must name the server as it is reached here (`Host`), must not come from another page (`Origin`,
//! `Sec-Fetch-Site`), and its body must be JSON, which no form can send.

use actix_web::HttpMessage;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError, web};

use crate::api::problem::Problem;
use crate::api::problem_code::Code;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names under which the server is reached on loopback.
const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Names under which it is reached besides loopback.
#[derive(Debug, Clone, Default)]
pub(in crate::api) struct Hosts(pub(in crate::api) Vec<String>);

impl Hosts {
    /// Is this the server, with any port?
    fn allow(&self, authority: &str) -> bool {
        let end = authority.rfind(']').map_or(0, |bracket| bracket + 1);
        let name = authority[end..].find(':').map_or(authority, |colon| &authority[..end + colon]);
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        LOOPBACK.into_iter().any(is) || self.0.iter().any(|known| is(known))
    }
}

/// Lets through what comes from here.
pub(super) async fn own_pages_only(
    hosts: web::Data<Hosts>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    match check(&hosts, &request) {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(problem) => Ok(request.into_response(problem.error_response()).map_into_right_body()),
    }
}

fn check(hosts: &Hosts, request: &ServiceRequest) -> Result<(), Problem> {
    let value = |name: &HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let host = value(&header::HOST).unwrap_or_default();
    if !hosts.allow(host) {
        let detail = format!("the header Host says {host:?}, which is not a name of this server");
        return Err(Problem::new(Code::HostRefused, detail)
            .hint("use http://127.0.0.1:<port>, or name the host in control.hosts"));
    }
    let own = |origin: &str| origin.split_once("://").is_some_and(|(_, authority)| authority == host);
    if let Some(origin) = value(&header::ORIGIN).filter(|origin| !own(origin)) {
        return Err(Problem::new(Code::OriginRefused, format!("the request comes from a page of {origin}")));
    }
    if let Some(site) = value(&SEC_FETCH_SITE).filter(|site| matches!(*site, "cross-site" | "same-site")) {
        return Err(Problem::new(Code::OriginRefused, format!("the request is {site}")));
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let kind = request.content_type();
    if !reads && !kind.eq_ignore_ascii_case("application/json") {
        let detail = format!("the header Content-Type says {kind:?}");
        return Err(Problem::new(Code::UnsupportedMediaType, detail)
            .hint("send the body with Content-Type: application/json"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Hosts;

    #[test]
    fn the_server_is_known_by_its_names_with_any_port() {
        let hosts = Hosts(vec!["orders.example".to_owned()]);
        for good in
            ["127.0.0.1", "127.0.0.1:8470", "LOCALHOST:1", "[::1]", "[::1]:8470", "orders.example:443"]
        {
            assert!(hosts.allow(good), "{good}");
        }
        for bad in ["", "evil.example", "127.0.0.1.evil.example", "127.0.0.2", "::1", "localhost.evil:8470"] {
            assert!(!hosts.allow(bad), "{bad}");
        }
        assert!(!Hosts::default().allow("orders.example"));
    }
}
