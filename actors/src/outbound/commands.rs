//! Commands as they are published; every send of the same attempt is the same but for its time.

use bus::layout::Layout;
use bus::ports::Outgoing;
use domain::decider::{Command, Trace};
use domain::envelope::Headers;
use domain::ids::EntityId;
use domain::time::Timestamp;

use super::{SOURCE, rfc3339};

/// A command of an entity.
pub(crate) fn command(
    layout: &Layout,
    entity: &EntityId,
    trace: Trace<'_>,
    now: Timestamp,
    command: Command,
) -> Outgoing {
    let domain = command.participant.as_str();
    let partition = entity.key.partition(layout.partitions);
    let mut headers = Headers::with_capacity(12);
    let epoch = command.epoch.to_string();
    headers.push("ce-id", [&command.effect_id, ":", &epoch].concat());
    headers.push("ce-type", ["retail.", domain, ".", command.name, ".v1"].concat());
    headers.push("ce-source", SOURCE);
    headers.push("ce-time", rfc3339(now));
    headers.push("content-type", "application/json");
    headers.push("Key", entity.key.as_str().to_owned());
    headers.push("Effect-Epoch", epoch);
    headers.push("Effect-Id", command.effect_id);
    headers.push("Idempotency-Key", command.idempotency_key);
    add_trace(&mut headers, trace);
    let subject = layout.command(&entity.tenant, domain, command.name, partition);
    Outgoing { subject, headers, body: command.body.into() }
}

/// Correlation and trace, as far as they are known.
pub(super) fn add_trace(headers: &mut Headers, trace: Trace<'_>) {
    let known = [
        ("ce-correlationid", trace.correlation_id),
        ("traceparent", trace.traceparent),
        ("tracestate", trace.tracestate),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            headers.push(name, value.to_owned());
        }
    }
}
