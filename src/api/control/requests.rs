//! What the acts are asked with, as the `OpenAPI` document shows it. Bodies are read field by field (`body`), so that all their
//! mistakes are told at once.

use serde::{Deserialize, Serialize};

/// What the headers of an act say.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "headers are read by name; this is their documentation")]
pub(in crate::api) struct ActHeaders {
    /// A new one for each act, and the same one to send the same act again: then the first answer is given again.
    #[serde(rename = "Idempotency-Key")]
    #[param(min_length = 1, max_length = 128, example = "3f0c5a1e-8a51-4d0e-9a35-0c7f1f5c0a11")]
    idempotency_key: String,
    /// Who asks, for the audit. Nobody proves it.
    #[serde(rename = "Operator")]
    #[param(max_length = 64, example = "kim")]
    operator: Option<String>,
}

/// What the query of an act says.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the query is read elsewhere; this is its documentation")]
pub(in crate::api) struct ActQuery {
    /// Only look whether it could be done: the answer says `applied: false`, and nothing is written.
    dry_run: Option<bool>,
}

/// Which limit.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::api) struct LimitPath {
    /// Its name, as `GET /api/v1/flow/limits` shows it.
    #[param(example = "participant:erp")]
    pub(super) name: String,
}

/// Which participant.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::api) struct SystemPath {
    /// `loyalty`, `payment`, `allocation`, `fulfillment` or `erp`.
    #[param(example = "erp")]
    pub(super) system: String,
}

/// A list of things.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::api) struct List<T> {
    /// All of them.
    pub(in crate::api) data: Vec<T>,
}

/// An act with nothing to say but why.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[expect(
    dead_code,
    reason = "it is read field by field, so that all mistakes are told at once; this is its documentation"
)]
pub(in crate::api) struct Why {
    /// Why it is done, for whoever reads the audit: 5 to 500 characters.
    #[schema(min_length = 5, max_length = 500, example = "the sale begins in ten minutes")]
    reason: String,
}

/// An act that can be taken back by itself.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "see `Why`")]
pub(in crate::api) struct WhyAndHowLong {
    /// Why it is done, for whoever reads the audit: 5 to 500 characters.
    #[schema(min_length = 5, max_length = 500, example = "the ERP is being upgraded")]
    reason: String,
    /// After how many milliseconds it is taken back by itself, a second to a week; without it, somebody has to.
    #[schema(minimum = 1000, maximum = 604_800_000, example = 600_000)]
    ttl_ms: Option<u64>,
}

/// A pause.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "see `Why`")]
pub(in crate::api) struct PauseRequest {
    /// `all` (also if it is left out), `tenant:<name>`, `channel:<name>` or `partition:<number>`.
    #[schema(example = "channel:marketplace")]
    scope: Option<String>,
    /// Why it is done, for whoever reads the audit: 5 to 500 characters.
    #[schema(min_length = 5, max_length = 500, example = "prices of the marketplace are wrong")]
    reason: String,
    /// After how many milliseconds it is taken back by itself, a second to a week; without it, somebody has to.
    #[schema(minimum = 1000, maximum = 604_800_000, example = 600_000)]
    ttl_ms: Option<u64>,
}

/// The end of a pause.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "see `Why`")]
pub(in crate::api) struct ResumeRequest {
    /// The scope that was paused; `all` if it is left out.
    #[schema(example = "channel:marketplace")]
    scope: Option<String>,
    /// Why it is done, for whoever reads the audit: 5 to 500 characters.
    #[schema(min_length = 5, max_length = 500, example = "prices are corrected")]
    reason: String,
}

/// Other numbers for a limit; what is left out stays as it is.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "see `Why`")]
pub(in crate::api) struct LimitRequest {
    /// So many a second; 0 = as many as come.
    #[schema(example = 200)]
    rate: Option<u64>,
    /// So many at once.
    #[schema(example = 400)]
    burst: Option<u64>,
    /// So many at the same time, or so many bytes.
    cap: Option<u64>,
    /// Why it is done, for whoever reads the audit: 5 to 500 characters.
    #[schema(min_length = 5, max_length = 500, example = "the ERP asked for less")]
    reason: String,
    /// After how many milliseconds the configured numbers hold again, a second to a week; without it, somebody has to say so.
    #[schema(minimum = 1000, maximum = 604_800_000, example = 600_000)]
    ttl_ms: Option<u64>,
}

/// Another number of commands that may be open.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "see `Why`")]
pub(in crate::api) struct BulkheadRequest {
    /// The most commands that may be open at this participant.
    #[schema(minimum = 1, example = 50)]
    max_in_flight: u64,
    /// Why it is done, for whoever reads the audit: 5 to 500 characters.
    #[schema(min_length = 5, max_length = 500, example = "the ERP has half its nodes")]
    reason: String,
    /// After how many milliseconds the configured number holds again, a second to a week; without it, somebody has to say so.
    #[schema(minimum = 1000, maximum = 604_800_000, example = 600_000)]
    ttl_ms: Option<u64>,
}
