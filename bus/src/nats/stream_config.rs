//! A stream of the layout in the server's terms, and back as far as that goes.

use std::time::Duration;

use async_nats::jetstream::stream::{
    Config, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType, SubjectTransform,
};

use crate::layout::{Discard, Persistence, StreamSpec};

/// Sets in `config` what the layout says, and leaves the rest as it is.
pub(super) fn apply(spec: &StreamSpec, config: &mut Config) {
    config.name.clone_from(&spec.name);
    config.subjects.clone_from(&spec.subjects);
    config.subject_transform = spec.transform.as_ref().map(|transform| SubjectTransform {
        source: transform.source.clone(),
        destination: transform.destination.clone(),
    });
    config.storage = StorageType::File;
    config.retention = RetentionPolicy::Limits;
    config.num_replicas = usize::from(spec.replicas);
    config.persist_mode = Some(mode(spec.persistence));
    config.max_messages = limit(spec.bounds.messages);
    config.max_bytes = limit(spec.bounds.bytes);
    config.max_age = spec.bounds.age.unwrap_or(Duration::ZERO);
    config.max_messages_per_subject = limit(spec.per_subject);
    config.discard = match spec.discard {
        Discard::New => DiscardPolicy::New,
        Discard::Old => DiscardPolicy::Old,
    };
    config.duplicate_window = spec.duplicate_window;
    config.deny_delete = spec.deny_delete;
    config.deny_purge = spec.deny_purge;
    config.allow_direct = spec.allow_direct;
    config.allow_atomic_publish = spec.allow_atomic;
    config.allow_message_ttl = spec.allow_message_ttl;
    config.allow_rollup = spec.allow_rollup;
}

fn mode(persistence: Persistence) -> PersistenceMode {
    match persistence {
        Persistence::BeforeAck => PersistenceMode::Default,
        Persistence::AfterAck => PersistenceMode::Async,
    }
}

fn limit(bound: Option<u64>) -> i64 {
    bound.map_or(-1, |bound| i64::try_from(bound).unwrap_or(i64::MAX))
}

/// Every setting of the layout by its name on the server and its value in words, in a fixed order.
pub(super) fn settings(config: &Config) -> Vec<(&'static str, String)> {
    // The server says "no limit" as -1 or as 0, and lists subjects in any order.
    let bound = |limit: i64| if limit <= 0 { "none".to_owned() } else { limit.to_string() };
    let mut subjects = config.subjects.clone();
    subjects.sort();
    let transform = config.subject_transform.as_ref().map_or_else(
        || "none".to_owned(),
        |transform| format!("{} -> {}", transform.source, transform.destination),
    );
    let persist = if config.persist_mode == Some(PersistenceMode::Async) { "async" } else { "default" };
    let discard = if matches!(config.discard, DiscardPolicy::New) { "new" } else { "old" };
    let storage = if matches!(config.storage, StorageType::File) { "file" } else { "memory" };
    let retention = if matches!(config.retention, RetentionPolicy::Limits) { "limits" } else { "other" };
    vec![
        ("subjects", subjects.join(" ")),
        (SUBJECT_TRANSFORM, transform),
        (STORAGE, storage.to_owned()),
        (PERSIST_MODE, persist.to_owned()),
        (RETENTION, retention.to_owned()),
        ("num_replicas", config.num_replicas.max(1).to_string()),
        ("max_msgs", bound(config.max_messages)),
        ("max_bytes", bound(config.max_bytes)),
        ("max_age", format!("{:?}", config.max_age)),
        ("max_msgs_per_subject", bound(config.max_messages_per_subject)),
        ("discard", discard.to_owned()),
        ("duplicate_window", format!("{:?}", config.duplicate_window)),
        (DENY_DELETE, config.deny_delete.to_string()),
        (DENY_PURGE, config.deny_purge.to_string()),
        ("allow_direct", config.allow_direct.to_string()),
        ("allow_atomic", config.allow_atomic_publish.to_string()),
        ("allow_msg_ttl", config.allow_message_ttl.to_string()),
        ("allow_rollup_hdrs", config.allow_rollup.to_string()),
    ]
}

const SUBJECT_TRANSFORM: &str = "subject_transform";
const STORAGE: &str = "storage";
const PERSIST_MODE: &str = "persist_mode";
const RETENTION: &str = "retention";
const DENY_DELETE: &str = "deny_delete";
const DENY_PURGE: &str = "deny_purge";

/// Why a setting of an existing stream cannot be changed; none = it can.
pub(super) fn why_fixed(setting: &str) -> Option<&'static str> {
    match setting {
        SUBJECT_TRANSFORM => Some(
            "the number of partitions is fixed when the streams are made; drain the installation, or set up another root",
        ),
        PERSIST_MODE => Some(
            "the server fixes it when the stream is made; drain and delete the stream, then run setup again",
        ),
        STORAGE | RETENTION | DENY_DELETE | DENY_PURGE => Some(
            "the server does not change it on an existing stream; drain and delete the stream, then run setup again",
        ),
        _ => None,
    }
}
