//! The way of an act through HTTP: its key, its body, then the control, and the answer that is kept for the same key.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use domain::decider::Participant;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::body::Fields;
use super::{Steering, not_known};
use crate::api::problem::{Mistake, PROBLEM, Problem};
use crate::api::problem_code::Code;
use crate::api::request_id::request_id;
use crate::control::act::Act;
use crate::control::entry::Caller;
use crate::control::keys::{Answer, Fingerprint, Known};
use crate::control::knobs::Refusal;
use crate::control::{Control, Done, NotDone, Wish};

/// The header of the key.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The header that says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The header in which operators say who they are. Nobody checks it.
pub const OPERATOR: &str = "Operator";

const LONGEST_KEY: usize = 128;
const LONGEST_OPERATOR: usize = 64;

/// How long a reason is, in characters.
const REASON: std::ops::RangeInclusive<usize> = 5..=500;

/// From a second to a week: what shall hold longer belongs into the configuration.
const TTL_MS: std::ops::RangeInclusive<u64> = 1_000..=7 * 86_400_000;

/// What can be said in the query of an act.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Options {
    /// Only look whether it could be done.
    #[serde(default)]
    dry_run: bool,
}

/// What an act comes with.
pub(in crate::api) type Asked = (HttpRequest, web::Data<dyn Steering>, web::Query<Options>, web::Bytes);

/// Does what `read` makes of the body.
pub(super) async fn perform(
    (request, steering, options, body): Asked,
    read: impl FnOnce(&mut Fields) -> Option<Act>,
) -> Result<HttpResponse, Problem> {
    let key = key(&request)?;
    let mut fields = Fields::read(&body)?;
    let act = read(&mut fields);
    let reason = fields.text("reason", REASON, "why it is done, for whoever reads the audit");
    let ttl_ms = match &act {
        Some(act) if act.undo().is_none() => None,
        _ => fields.number("ttl_ms", TTL_MS, "ms").and_then(|ttl| i64::try_from(ttl).ok()),
    };
    let operator = operator(&request, &mut fields);
    let mistakes = fields.finish();
    let Some(act) = act.filter(|_| mistakes.is_empty()) else {
        return Err(Problem::validation(mistakes));
    };
    let wish = Wish { act, reason, ttl_ms };
    let control = steering.control()?;
    if options.dry_run {
        let done = control.try_out(&wish).await.map_err(refused)?;
        return Ok(HttpResponse::Ok().json(done));
    }
    let running = match control.keys().begin(&key, fingerprint(&request, &body), control.now()) {
        Known::New(running) => running,
        Known::Answered(answer) => {
            control.counters().replayed.add_one();
            return Ok(replayed(&answer));
        }
        Known::Running => {
            return Err(Problem::new(Code::IdempotencyKeyRunning, "wait for it, then ask again"));
        }
        Known::Other => {
            return Err(Problem::new(
                Code::IdempotencyKeyReused,
                format!("{key:?} came with another method, path or body before"),
            )
            .hint("take a new key for each act, and the same key only to send the same act again"));
        }
        Known::Full => {
            return Err(Problem::new(Code::Overloaded, "too many acts are at work"));
        }
    };
    let caller = Caller {
        operator,
        auth: "none".to_owned(),
        remote: request.peer_addr().map(|address| address.to_string()),
        request_id: request_id(&request),
        idempotency_key: key,
    };
    let path = request.path().to_owned();
    // Whoever asked may go away in the middle: the act goes on to its end, and its answer is there under its key.
    let work = actix_web::rt::spawn(async move {
        let (answer, keep) = answer(&control, &wish, &caller, &path).await;
        if keep {
            running.answered(answer.clone());
        }
        answer
    });
    let answer =
        work.await.map_err(|error| Problem::new(Code::Fault, format!("the act ended early: {error}")))?;
    Ok(respond(&answer))
}

/// Does the act; says whether its answer is kept. What came to nothing may be tried again under its key.
async fn answer(control: &Arc<Control>, wish: &Wish, caller: &Caller, path: &str) -> (Answer, bool) {
    let problem = match control.act(wish, caller).await {
        Ok(done) => return (Answer { status: 200, body: json(&done) }, true),
        Err(NotDone::RefusedAndWritten(refusal)) => (refused(refusal), true),
        Err(NotDone::Refused(refusal)) => (refused(refusal), false),
        Err(error @ NotDone::Unwritten(_)) => {
            let hint = "see /readyz for the connection; `doorbuster setup --diff` shows the stream";
            (Problem::new(Code::AuditUnavailable, error.to_string()).hint(hint), false)
        }
        Err(error @ NotDone::Busy) => (Problem::new(Code::Overloaded, error.to_string()), false),
    };
    let (problem, keep) = problem;
    let problem = problem.of_request(&caller.request_id, path);
    (Answer { status: problem.status().as_u16(), body: problem.to_json() }, keep)
}

fn json(done: &Done) -> String {
    serde_json::to_string(done).expect("what was done is plain data")
}

fn respond(answer: &Answer) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = if status.is_success() { "application/json" } else { PROBLEM };
    HttpResponse::build(status).content_type(kind).body(answer.body.clone())
}

fn replayed(answer: &Answer) -> HttpResponse {
    let mut response = respond(answer);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// The problem behind a refusal.
pub(super) fn refused(refusal: Refusal) -> Problem {
    let text = refusal.to_string();
    match refusal {
        Refusal::Unknown { what, known } => not_known(&what, &known),
        Refusal::Value { field, value, remedy } => {
            Problem::validation(vec![Mistake::new(format!("/{field}"), "out_of_range", remedy).given(value)])
        }
        Refusal::Invalid(_) => Problem::new(Code::Validation, text),
        Refusal::Conflict(_) => Problem::new(Code::Conflict, text),
        Refusal::NotNow(_) => Problem::new(Code::Unavailable, text),
    }
}

/// The key of the request, with or without quotes.
fn key(request: &HttpRequest) -> Result<String, Problem> {
    let hint =
        "send a new one with each act, for example a UUID, and the same one only to send the same act again";
    let given = request.headers().get(IDEMPOTENCY_KEY);
    let Some(given) = given else {
        let detail = format!("the header {IDEMPOTENCY_KEY} is missing");
        return Err(Problem::new(Code::IdempotencyKeyMissing, detail).hint(hint));
    };
    let text = given.to_str().unwrap_or_default().trim();
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    if (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    let message = format!("must have 1 to {LONGEST_KEY} printable ASCII characters without blanks");
    let mistake = Mistake::new(format!("header:{IDEMPOTENCY_KEY}"), "malformed", message.clone())
        .given(Value::String(String::from_utf8_lossy(given.as_bytes()).into_owned()));
    let detail = format!("the header {IDEMPOTENCY_KEY} {message}");
    Err(Problem::new(Code::BadRequest, detail).errors(vec![mistake]).hint(hint))
}

fn operator(request: &HttpRequest, fields: &mut Fields) -> Option<String> {
    let given = request.headers().get(OPERATOR)?;
    let text = given.to_str().unwrap_or_default().trim();
    if (1..=LONGEST_OPERATOR).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(text.to_owned());
    }
    let message = format!("must have 1 to {LONGEST_OPERATOR} printable ASCII characters without blanks");
    let value = Value::String(String::from_utf8_lossy(given.as_bytes()).into_owned());
    fields.mistake(Mistake::new(format!("header:{OPERATOR}"), "malformed", message).given(value));
    None
}

/// Method, path and what the body says, whatever its blanks and the order of its fields are.
fn fingerprint(request: &HttpRequest, body: &Bytes) -> Fingerprint {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut hasher = Sha256::new();
    for part in [request.method().as_str(), request.path(), &value.to_string()] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

/// The participant that a path names.
pub(super) fn participant(name: &str) -> Result<Participant, Problem> {
    let found = Participant::ALL.into_iter().find(|known| known.as_str() == name);
    found.ok_or_else(|| {
        let known: Vec<_> = Participant::ALL.iter().map(|known| known.as_str()).collect();
        not_known(&format!("the system {name:?}"), &known.join(", "))
    })
}
