//! Commands as they are published; every send of the same attempt is the same but for its time.

use bus::layout::Layout;
use bus::ports::Outgoing;
use domain::decider::{Command, Trace};
use domain::envelope::HeaderWriter;
use domain::ids::EntityId;

use super::SOURCE;
use super::digits::Digits;

/// A command of an entity; `time` is when it was decided, as text.
pub(crate) fn command(
    layout: &Layout,
    entity: &EntityId,
    trace: Trace<'_>,
    time: &str,
    command: &Command,
    headers: &mut HeaderWriter,
) -> Outgoing {
    let domain = command.participant.as_str();
    let partition = entity.key.partition(layout.partitions);
    let epoch = Digits::of(command.epoch.into());
    let epoch = epoch.as_str();
    headers.push_pieces("ce-id", &[&command.effect_id, ":", epoch]);
    headers.push_pieces("ce-type", &["retail.", domain, ".", command.name, ".v1"]);
    headers.push("ce-source", SOURCE);
    headers.push("ce-time", time);
    headers.push("content-type", "application/json");
    headers.push("Key", entity.key.as_str());
    headers.push("Effect-Epoch", epoch);
    headers.push("Effect-Id", &command.effect_id);
    headers.push("Idempotency-Key", &command.idempotency_key);
    push_known(headers, trace);
    let subject = layout.command(&entity.tenant, domain, command.name, partition);
    Outgoing { subject, headers: headers.finish(), body: command.body.clone() }
}

/// Correlation and trace, as far as they are known.
pub(super) fn push_known(headers: &mut HeaderWriter, trace: Trace<'_>) {
    let known = [
        ("ce-correlationid", trace.correlation_id),
        ("traceparent", trace.traceparent),
        ("tracestate", trace.tracestate),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            headers.push(name, value);
        }
    }
}
