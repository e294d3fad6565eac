//! The kinds of problems that the API knows: a closed list, each with one title and one status.

use actix_web::http::StatusCode;

/// A kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The request is not HTTP as documented, or its body no JSON.
    BadRequest,
    /// A header that the request needs is missing.
    IdempotencyKeyMissing,
    /// The key was used for another request.
    IdempotencyKeyReused,
    /// The first request with this key is still at work.
    IdempotencyKeyRunning,
    /// The body is JSON, and something in it cannot be done.
    Validation,
    /// It came under a name that is not the server's own.
    HostRefused,
    /// It came from a page of somebody else.
    OriginRefused,
    /// There is no such path, order, limit or participant.
    NotFound,
    /// The path is there, but not for this method.
    MethodNotAllowed,
    /// It does not fit to how things are.
    Conflict,
    /// It was there and is no more.
    Gone,
    /// The body is too large.
    TooLarge,
    /// The body is not said to be JSON.
    UnsupportedMediaType,
    /// Too many at once.
    Overloaded,
    /// Something that is needed is not there now.
    Unavailable,
    /// The audit stream cannot be written, so nothing was done.
    AuditUnavailable,
    /// A fault of ours.
    Fault,
}

impl Code {
    /// All of them; of those with one status the most general first.
    pub const ALL: [Self; 17] = [
        Self::BadRequest,
        Self::Validation,
        Self::HostRefused,
        Self::OriginRefused,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::Gone,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Overloaded,
        Self::Unavailable,
        Self::Fault,
        Self::IdempotencyKeyMissing,
        Self::IdempotencyKeyReused,
        Self::IdempotencyKeyRunning,
        Self::AuditUnavailable,
    ];

    /// As it stands in `code`.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// As it stands in `title`.
    pub const fn title(self) -> &'static str {
        self.row().1
    }

    /// The HTTP status.
    pub const fn status(self) -> StatusCode {
        self.row().2
    }

    /// May the same request succeed later?
    pub const fn retryable(self) -> bool {
        matches!(
            self,
            Self::IdempotencyKeyRunning | Self::Overloaded | Self::Unavailable | Self::AuditUnavailable
        )
    }

    /// The kind for an answer of which only the status is known.
    pub fn of_status(status: StatusCode) -> Self {
        let known = Self::ALL.into_iter().find(|code| code.status() == status);
        known.unwrap_or(if status.is_client_error() { Self::BadRequest } else { Self::Fault })
    }

    const fn row(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Self::BadRequest => ("bad_request", "The request cannot be read", StatusCode::BAD_REQUEST),
            Self::IdempotencyKeyMissing => {
                ("idempotency_key_missing", "An act needs an Idempotency-Key", StatusCode::BAD_REQUEST)
            }
            Self::IdempotencyKeyReused => (
                "idempotency_key_reused",
                "This Idempotency-Key belongs to another request",
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            Self::IdempotencyKeyRunning => (
                "idempotency_key_running",
                "The first request with this Idempotency-Key is still at work",
                StatusCode::CONFLICT,
            ),
            Self::Validation => ("validation", "The request has mistakes", StatusCode::UNPROCESSABLE_ENTITY),
            Self::HostRefused => {
                ("host_refused", "This host name is not the server's", StatusCode::MISDIRECTED_REQUEST)
            }
            Self::OriginRefused => {
                ("origin_refused", "Pages of others may not ask for this", StatusCode::FORBIDDEN)
            }
            Self::NotFound => ("not_found", "There is nothing of that name", StatusCode::NOT_FOUND),
            Self::MethodNotAllowed => {
                ("method_not_allowed", "This path does not take this method", StatusCode::METHOD_NOT_ALLOWED)
            }
            Self::Conflict => ("conflict", "It does not fit to how things are", StatusCode::CONFLICT),
            Self::Gone => ("gone", "It is not kept any more", StatusCode::GONE),
            Self::TooLarge => ("too_large", "The body is too large", StatusCode::PAYLOAD_TOO_LARGE),
            Self::UnsupportedMediaType => {
                ("unsupported_media_type", "The body must be JSON", StatusCode::UNSUPPORTED_MEDIA_TYPE)
            }
            Self::Overloaded => ("overloaded", "Too many requests at once", StatusCode::TOO_MANY_REQUESTS),
            Self::Unavailable => ("unavailable", "It is not available now", StatusCode::SERVICE_UNAVAILABLE),
            Self::AuditUnavailable => (
                "audit_unavailable",
                "Nothing was done, because the audit stream cannot be written",
                StatusCode::SERVICE_UNAVAILABLE,
            ),
            Self::Fault => ("fault", "A fault of the server", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use actix_web::http::StatusCode;

    use super::Code;

    #[test]
    fn codes_and_titles_are_distinct() {
        let codes: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        let titles: BTreeSet<_> = Code::ALL.iter().map(|code| code.title()).collect();
        assert_eq!((codes.len(), titles.len()), (Code::ALL.len(), Code::ALL.len()));
    }

    #[test]
    fn the_documentation_lists_every_code_with_its_status() {
        let text = include_str!("../../docs/control.md");
        for code in Code::ALL {
            let row = format!("| `{}` | {} |", code.as_str(), code.status().as_u16());
            assert!(text.contains(&row), "{row}");
        }
    }

    #[test]
    fn a_status_has_the_most_general_code() {
        for (status, code) in [
            (StatusCode::BAD_REQUEST, Code::BadRequest),
            (StatusCode::NOT_FOUND, Code::NotFound),
            (StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge),
            (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
            (StatusCode::IM_A_TEAPOT, Code::BadRequest),
            (StatusCode::BAD_GATEWAY, Code::Fault),
        ] {
            assert_eq!(Code::of_status(status), code);
        }
    }
}
