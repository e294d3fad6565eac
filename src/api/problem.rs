//! Problems as RFC 9457 describes them: every answer that is no success is one, with a code of a closed list.

use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpRequest, HttpResponse, Responder, ResponseError};
use serde::Serialize;
use serde_json::Value;

use super::Unreadable;
use super::problem_code::Code;
use crate::availability::Mistaken;

/// The content type of problems.
pub const PROBLEM: &str = "application/problem+json";

/// One answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(Box<ProblemBody>);

/// The body of such an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// A name for the kind of problem: `urn:doorbuster:problem:<code>`.
    #[schema(example = "urn:doorbuster:problem:validation")]
    r#type: String,
    /// The kind of problem in words; always the same for one code.
    title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// One of a closed list; programs decide by it.
    #[schema(example = "validation")]
    code: String,
    /// What is the matter this time.
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// Each mistake of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Mistake>,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// Whether the same request may succeed later.
    retryable: bool,
    /// The id of the request, also in the header `X-Request-Id` and in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Mistake {
    /// Where in the body it stands, as a JSON pointer; of a header or a parameter its name, as `header:Idempotency-Key`.
    #[schema(example = "/ttl_ms")]
    pub pointer: String,
    /// What kind of mistake it is: `missing`, `unknown_field`, `wrong_type`, `out_of_range`, `malformed`, `unknown`.
    #[schema(example = "out_of_range")]
    pub code: String,
    /// What is wrong and what would be right.
    pub message: String,
    /// What was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub value: Option<Value>,
}

impl Mistake {
    /// A mistake at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: code.to_owned(), message: message.into(), value: None }
    }

    /// The same mistake, and what was given.
    #[must_use]
    pub fn given(mut self, value: Value) -> Self {
        self.value = Some(value);
        self
    }
}

impl Problem {
    /// A problem of this kind.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(ProblemBody {
            r#type: format!("urn:doorbuster:problem:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status().as_u16(),
            code: code.as_str().to_owned(),
            detail: detail.into(),
            hint: None,
            errors: Vec::new(),
            instance: None,
            retryable: code.retryable(),
            request_id: None,
        }))
    }

    /// A request that cannot be done as it is, with all that is wrong with it.
    pub fn validation(errors: Vec<Mistake>) -> Self {
        let number = errors.len();
        let detail = match errors.as_slice() {
            [only] => format!("{}: {}", only.pointer, only.message),
            _ => format!("the request has {number} mistakes; each stands in `errors`"),
        };
        Self::new(Code::Validation, detail).errors(errors)
    }

    /// The same problem with a remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The same problem with the mistakes that led to it.
    #[must_use]
    pub fn errors(mut self, errors: Vec<Mistake>) -> Self {
        self.0.errors = errors;
        self
    }

    /// The same problem, said about this request.
    #[must_use]
    pub fn of_request(mut self, request_id: &str, path: &str) -> Self {
        self.0.request_id = Some(request_id.to_owned());
        self.0.instance = Some(path.to_owned());
        self
    }

    /// Its HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Its code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// As JSON.
    ///
    /// # Panics
    /// Never: it is plain data.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).expect("a problem is plain data")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.0.code, self.0.detail)
    }
}

impl Responder for Problem {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    /// The problem itself travels beside the answer, so that the request's id can be written into it on the way out.
    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status());
        if self.0.retryable {
            answer.insert_header((RETRY_AFTER, "1"));
        }
        let mut answer = answer.content_type(PROBLEM).body(self.to_json());
        answer.extensions_mut().insert(self.clone());
        answer
    }
}

impl From<Mistaken> for Problem {
    fn from(mistaken: Mistaken) -> Self {
        let pointer = format!("query:{}", mistaken.field);
        Self::validation(vec![Mistake::new(pointer, "malformed", mistaken.message)])
    }
}

impl From<Unreadable> for Problem {
    fn from(why: Unreadable) -> Self {
        match why {
            Unreadable::NotNow(detail) => Self::new(Code::Unavailable, detail),
            Unreadable::Gone(detail) => Self::new(Code::Gone, detail),
            Unreadable::Fault(detail) => Self::new(Code::Fault, detail),
        }
    }
}
