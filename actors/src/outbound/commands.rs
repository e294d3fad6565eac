//! Commands as they are published; every send of the same attempt is the same but for its time.

use bus::layout::Layout;
use bus::ports::Outgoing;
use domain::decider::{Command, Trace};
use domain::envelope::Header;
use domain::ids::EntityId;

use super::SOURCE;

/// A command of an entity; `time` is when it was decided, as text.
pub(crate) fn command(
    layout: &Layout,
    entity: &EntityId,
    trace: Trace<'_>,
    time: &str,
    command: Command,
) -> Outgoing {
    let domain = command.participant.as_str();
    let partition = entity.key.partition(layout.partitions);
    let epoch = command.epoch.to_string();
    let mut headers: Vec<Header> = Vec::with_capacity(12);
    headers.extend([
        ("ce-id".into(), [&command.effect_id, ":", &epoch].concat().into()),
        ("ce-type".into(), ["retail.", domain, ".", command.name, ".v1"].concat().into()),
        ("ce-source".into(), SOURCE.into()),
        ("ce-time".into(), time.to_owned().into()),
        ("content-type".into(), "application/json".into()),
        ("Key".into(), entity.key.as_str().to_owned().into()),
        ("Effect-Epoch".into(), epoch.into()),
        ("Effect-Id".into(), command.effect_id.into()),
        ("Idempotency-Key".into(), command.idempotency_key.into()),
    ]);
    headers.extend(known(trace));
    let subject = layout.command(&entity.tenant, domain, command.name, partition);
    Outgoing { subject, headers: headers.into(), body: command.body.into() }
}

/// Correlation and trace, as far as they are known.
pub(super) fn known(trace: Trace<'_>) -> impl Iterator<Item = Header> {
    let known = [
        ("ce-correlationid", trace.correlation_id),
        ("traceparent", trace.traceparent),
        ("tracestate", trace.tracestate),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name.into(), value?.to_owned().into())))
}
