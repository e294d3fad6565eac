//! Dead letters as they are published: the message as it came, and everything that is wrong with it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bus::layout::Layout;
use bus::ports::Outgoing;
use domain::envelope::Headers;
use domain::reason::{Code, DeadReason, Violation};
use domain::time::Timestamp;
use serde::Serialize;

use super::{Marker, SOURCE, rfc3339};
use crate::record::DeadLetter;

#[derive(Serialize)]
struct Body<'a> {
    reason: DeadReason,
    code: Code,
    violations: &'a [Violation],
    subject: String,
    stream: &'a str,
    sequence: u64,
    ce_id: String,
    ce_source: &'a str,
    headers: BTreeMap<&'a str, &'a str>,
    payload_base64: String,
}

/// A dead letter of a record; `place` is its place among those of the record.
pub(crate) fn dead_letter(
    layout: &Layout,
    partition: u16,
    journal_sequence: u64,
    place: u32,
    letter: &DeadLetter,
) -> (Marker, Outgoing) {
    let envelope = &letter.envelope;
    let body = Body {
        reason: letter.reason,
        code: letter.reason.code(),
        violations: &letter.violations,
        subject: envelope.subject(&layout.root, letter.key.as_ref()),
        stream: &envelope.stream,
        sequence: envelope.sequence,
        ce_id: envelope.id(),
        ce_source: envelope.source(),
        headers: envelope.headers.iter().collect(),
        payload_base64: STANDARD.encode(&envelope.body),
    };
    let marker = Marker { sequence: journal_sequence, place };
    let (tenant, domain, reason) = (&envelope.tenant, &envelope.domain, letter.reason.as_str());
    let mut headers = Headers::new();
    headers.push("ce-id", marker.id(&format!("{tenant}:dead_letter"), partition));
    headers.push("ce-type", format!("retail.{domain}.{reason}.v1"));
    headers.push("ce-source", SOURCE);
    headers.push("ce-time", rfc3339(Timestamp(envelope.stored_at.0)));
    headers.push("content-type", "application/json");
    if let Some(key) = &letter.key {
        headers.push("Key", key.as_str());
    }
    let body = serde_json::to_vec(&body).expect("a dead letter is plain data").into();
    (marker, Outgoing { subject: layout.dead_letter(tenant, domain, reason, partition), headers, body })
}
