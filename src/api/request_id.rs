//! What holds for every request: it has an id, and an answer that is no success is a problem that names it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, ResponseError};

use super::problem::{PROBLEM, Problem};
use super::problem_code::Code;

/// The header that carries the id of a request, both ways.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from the client.
const LONGEST: usize = 64;

/// The id of a request.
#[derive(Debug, Clone)]
struct RequestId(String);

/// The id of this request.
pub(super) fn request_id(request: &HttpRequest) -> String {
    request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default()
}

/// Gives the request an id, and writes it into the answer.
///
/// # Errors
/// None of its own.
pub(super) async fn identified(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let given = request.headers().get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let id = given.filter(|id| is_id(id)).map_or_else(new_id, str::to_owned);
    request.extensions_mut().insert(RequestId(id.clone()));
    let path = request.path().to_owned();
    let mut answer = next.call(request).await?.map_into_boxed_body();
    if answer.status().is_client_error() || answer.status().is_server_error() {
        answer = as_problem(answer, &id, &path);
    }
    let id = HeaderValue::from_str(&id).expect("the characters of an id are allowed in a header");
    answer.headers_mut().insert(REQUEST_ID, id);
    Ok(answer)
}

/// The same answer with a problem for a body; also those that the framework made.
fn as_problem(answer: ServiceResponse, id: &str, path: &str) -> ServiceResponse {
    let known = answer.response().extensions().get::<Problem>().cloned();
    let is_one = answer.headers().get("content-type").is_some_and(|kind| kind == PROBLEM);
    if known.is_none() && is_one {
        // Told before under this key, with the id of that request.
        return answer;
    }
    let problem = known.unwrap_or_else(|| {
        let code = Code::of_status(answer.status());
        let cause = answer.response().error().map_or_else(|| code.title().to_owned(), ToString::to_string);
        Problem::new(code, cause)
    });
    let (request, old) = answer.into_parts();
    let mut new = problem.of_request(id, path).error_response();
    for (name, value) in old.headers() {
        if !new.headers().contains_key(name) && name != actix_web::http::header::CONTENT_LENGTH {
            new.headers_mut().append(name.clone(), value.clone());
        }
    }
    ServiceResponse::new(request, new)
}

fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(allowed)
}

/// An id that no other request has: a beginning that differs between starts, and a number.
fn new_id() -> String {
    static START: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    format!("req-{:016x}-{}", *START, NUMBER.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::{is_id, new_id};

    #[test]
    fn an_id_of_the_client_is_taken_over_if_it_cannot_spoil_a_log() {
        assert!(is_id("req-1") && is_id("4bf92f3577b34da6a3ce929d0e0e4736") && is_id(&new_id()));
        for bad in ["", "a b", "a\nb", "ä", &"a".repeat(65)] {
            assert!(!is_id(bad), "{bad:?}");
        }
    }
}
