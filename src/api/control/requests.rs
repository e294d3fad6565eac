//! What the acts are asked with, as the `OpenAPI` document shows it. Bodies are read field by field (`body`), so that all their
//! mistakes are told at once.

use std::collections::BTreeMap;

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

/// Other watermarks of back-pressure; what is left out is as configured.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "see `Why`")]
pub(in crate::api) struct BackpressureRequest {
    /// Answers and facts that wait longer for us mean that only the least is begun, in milliseconds.
    #[schema(minimum = 10, maximum = 60_000)]
    answer_delay_ms: Option<u64>,
    /// So many orders may be begun and not committed whatever waits; not more than the limit `orders`.
    #[schema(minimum = 1, maximum = 10_000_000)]
    live_orders_least: Option<u64>,
    /// How long work of class normal may queue before it is refused for now, in milliseconds; 0 = until it expires.
    #[schema(maximum = 604_800_000, example = 30_000)]
    patience_normal_ms: Option<u64>,
    /// How long work of class low may.
    #[schema(maximum = 604_800_000, example = 1_000)]
    patience_low_ms: Option<u64>,
    /// What a refused sender is told at least to wait, in milliseconds.
    #[schema(minimum = 1, maximum = 3_600_000)]
    retry_after_ms: Option<u64>,
    /// Once new work waits longer, those who wait are told, in milliseconds.
    #[schema(minimum = 10, maximum = 60_000)]
    herald_after_ms: Option<u64>,
    /// Messages of a lane that are read and not taken; beyond it a partition reads on no more.
    #[schema(minimum = 1, maximum = 10_000)]
    lane_batch: Option<u64>,
    /// Bytes of their bodies, likewise.
    #[schema(minimum = 1, maximum = 1_073_741_824)]
    lane_bytes: Option<u64>,
    /// Once so many per cent of the orders that may be are begun and not committed, work of class low is refused for now.
    #[schema(minimum = 1, maximum = 100)]
    low_percent: Option<u64>,
    /// Once so many are, late sales (the bulk lane) wait.
    #[schema(minimum = 1, maximum = 100)]
    bulk_percent: Option<u64>,
    /// `low`, `normal` or `high` by channel, at most 256; `*` are all channels that are not named here or in the configuration.
    #[schema(example = json!({ "marketplace": "low" }))]
    classes: Option<BTreeMap<String, String>>,
    /// Why it is done, for whoever reads the audit: 5 to 500 characters.
    #[schema(min_length = 5, max_length = 500, example = "the sale begins in ten minutes")]
    reason: String,
    /// After how many milliseconds the configured ones hold again, a second to a week; without it, somebody has to say so.
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

/// Other settings of a participant; what is left out is as configured.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "see `Why`")]
pub(in crate::api) struct BreakerRequest {
    /// Commands a second, re-sends included.
    #[schema(minimum = 1, maximum = 1_000_000)]
    rate_per_second: Option<u32>,
    /// Commands that may go at once after a pause.
    #[schema(minimum = 1, maximum = 1_000_000)]
    burst: Option<u32>,
    /// Failed answers and silence, in per cent of all outcomes of the window, at which the breaker opens.
    #[schema(minimum = 1, maximum = 100)]
    error_percent: Option<u32>,
    /// Slow answers, in per cent of all answers of the window, at which it opens.
    #[schema(minimum = 1, maximum = 100)]
    slow_percent: Option<u32>,
    /// An answer is slow if it takes longer, in milliseconds.
    #[schema(minimum = 1, maximum = 3_600_000)]
    slow_ms: Option<u32>,
    /// The length of the window, in milliseconds. A window of another length begins empty.
    #[schema(minimum = 100, maximum = 600_000)]
    window_ms: Option<u32>,
    /// Fewer outcomes in a window open nothing.
    #[schema(minimum = 1, maximum = 1_000_000)]
    least_outcomes: Option<u32>,
    /// How long the breaker stays open before the participant is probed, in milliseconds.
    #[schema(minimum = 10, maximum = 3_600_000)]
    open_ms: Option<u32>,
    /// Commands that go out while it is half open.
    #[schema(minimum = 1, maximum = 10_000)]
    probes: Option<u32>,
    /// How long it takes from the first answer after an outage to the full rate, in milliseconds.
    #[schema(minimum = 0, maximum = 3_600_000)]
    ramp_ms: Option<u32>,
    /// The rate right after an outage, in per cent of the full one.
    #[schema(minimum = 1, maximum = 100)]
    ramp_from_percent: Option<u32>,
    /// Re-sends, in per cent of the commands sent for the first time.
    #[schema(minimum = 0, maximum = 1000)]
    retry_percent: Option<u32>,
    /// Re-sends a second that are allowed in any case.
    #[schema(minimum = 1, maximum = 1_000_000)]
    retries_per_second: Option<u32>,
    /// The most commands that may be open.
    #[schema(minimum = 1, maximum = 10_000_000)]
    max_in_flight: Option<u32>,
    /// Why it is done, for whoever reads the audit: 5 to 500 characters.
    #[schema(min_length = 5, max_length = 500, example = "the gateway is slow today")]
    reason: String,
    /// After how many milliseconds the configured settings hold again, a second to a week; without it, somebody has to say so.
    #[schema(minimum = 1000, maximum = 604_800_000, example = 600_000)]
    ttl_ms: Option<u64>,
}
