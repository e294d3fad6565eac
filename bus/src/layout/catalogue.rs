//! The streams of one installation: which there are, and how each is set up.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::decider::Participant;

use super::stream::{Bounds, Discard, Persistence, Service, StreamId, StreamSpec, Transform};

const MIB: u64 = 1 << 20;
const DAY: Duration = Duration::from_hours(24);

/// The smallest that the server accepts. Nobody sends `Nats-Msg-Id`; who does shall not lose a retry to it.
const DUPLICATE_WINDOW: Duration = Duration::from_millis(100);

/// How many revisions of each value of reference data are kept, so that a start finds the last good one behind some that were refused.
const REFERENCE_REVISIONS: u64 = 8;

/// The domains of events that are also published alone. The domain `all` is the pages' own.
const EVENT_DOMAINS: [&str; 12] = [
    "order",
    "payment",
    "loyalty",
    "stock",
    "shipment",
    "return",
    "refund",
    "erp",
    "reservation",
    "demand",
    "hold",
    "exception",
];

/// One installation in a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// First token of every subject, and in upper case the beginning of every stream's name: `retail`.
    pub root: String,
    /// Number of partitions, 1 to 64; never changes once the streams are there.
    pub partitions: u16,
    /// How many servers hold each stream.
    pub replicas: u8,
    /// Bounds that differ from the defaults.
    pub bounds: BTreeMap<StreamId, Bounds>,
}

impl Default for Layout {
    fn default() -> Self {
        Self::new("retail", 8, 1)
    }
}

impl Layout {
    /// The largest number of partitions.
    pub const MOST_PARTITIONS: u16 = 64;

    /// A layout with the default bounds.
    pub fn new(root: &str, partitions: u16, replicas: u8) -> Self {
        Self { root: root.to_owned(), partitions, replicas, bounds: BTreeMap::new() }
    }

    /// The same layout with other bounds for one stream.
    #[must_use]
    pub fn with_bounds(mut self, stream: StreamId, bounds: Bounds) -> Self {
        self.bounds.insert(stream, bounds);
        self
    }

    /// The same layout with bounds for a broker that keeps everything in the memory of this process; bounds that were set
    /// before stay.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        for id in self.ids() {
            self.bounds.entry(id).or_insert_with(|| memory_bounds(id));
        }
        self
    }

    /// The name of a stream in the broker: `RETAIL_INTAKE`, `RETAIL_COMMANDS_PAYMENT`, `RETAIL_JOURNAL_3`.
    pub fn name(&self, stream: StreamId) -> String {
        let root = self.root.to_ascii_uppercase();
        match stream {
            StreamId::Intake => format!("{root}_INTAKE"),
            StreamId::Work => format!("{root}_WORK"),
            StreamId::Replies => format!("{root}_REPLIES"),
            StreamId::Bulk => format!("{root}_BULK"),
            StreamId::Commands(to) => format!("{root}_COMMANDS_{}", to.as_str().to_ascii_uppercase()),
            StreamId::ServiceCommands(to) => format!("{root}_COMMANDS_{}", to.as_str().to_ascii_uppercase()),
            StreamId::Events => format!("{root}_EVENTS"),
            StreamId::Notices => format!("{root}_NOTICES"),
            StreamId::Dlq => format!("{root}_DLQ"),
            StreamId::Audit => format!("{root}_AUDIT"),
            StreamId::Journal(partition) => format!("{root}_JOURNAL_{partition}"),
            StreamId::Snapshots => format!("{root}_SNAPSHOTS"),
            // A bucket is a stream whose name begins with KV_.
            StreamId::Owners => format!("KV_{root}_OWNERS"),
            StreamId::Reference => format!("KV_{root}_REFERENCE"),
        }
    }

    /// All streams, in a fixed order.
    pub fn ids(&self) -> Vec<StreamId> {
        let mut ids = vec![StreamId::Intake, StreamId::Work, StreamId::Replies, StreamId::Bulk];
        ids.extend(Participant::ALL.map(StreamId::Commands));
        ids.extend(Service::ALL.map(StreamId::ServiceCommands));
        ids.extend([StreamId::Events, StreamId::Notices, StreamId::Dlq, StreamId::Audit]);
        ids.extend((0..self.partitions).map(StreamId::Journal));
        ids.extend([StreamId::Snapshots, StreamId::Owners, StreamId::Reference]);
        ids
    }

    /// Everything that has to be there, in a fixed order.
    pub fn streams(&self) -> Vec<StreamSpec> {
        self.ids().into_iter().map(|id| self.stream(id)).collect()
    }

    /// One stream as it has to be.
    pub fn stream(&self, id: StreamId) -> StreamSpec {
        let mut spec = StreamSpec {
            id,
            name: self.name(id),
            subjects: self.subjects_of(id),
            transform: None,
            persistence: Persistence::BeforeAck,
            bounds: self.bounds.get(&id).copied().unwrap_or_else(|| default_bounds(id)),
            per_subject: None,
            discard: Discard::New,
            duplicate_window: DUPLICATE_WINDOW,
            deny_delete: false,
            deny_purge: false,
            allow_direct: true,
            allow_atomic: false,
            allow_message_ttl: false,
            allow_rollup: false,
            replicas: self.replicas,
        };
        match id {
            StreamId::Intake | StreamId::Work | StreamId::Replies | StreamId::Bulk => {
                spec.transform = Some(self.partitioning());
                spec.persistence = self.fast_if(id == StreamId::Replies);
            }
            StreamId::Commands(_) | StreamId::ServiceCommands(_) | StreamId::Notices => {
                spec.persistence = self.fast_if(true);
                spec.discard = Discard::Old;
            }
            StreamId::Events => {
                spec.discard = Discard::Old;
                spec.allow_atomic = true;
            }
            // The journal record holds each dead letter too, so a flood of them may push old ones out but stop no lane.
            StreamId::Dlq => spec.discard = Discard::Old,
            StreamId::Audit => (spec.deny_delete, spec.deny_purge) = (true, true),
            StreamId::Journal(_) => spec.deny_delete = true,
            StreamId::Snapshots => spec.allow_atomic = true,
            StreamId::Owners | StreamId::Reference => {
                spec.per_subject = Some(if id == StreamId::Reference { REFERENCE_REVISIONS } else { 1 });
                spec.deny_delete = true;
                spec.allow_rollup = true;
                spec.allow_message_ttl = true;
            }
        }
        spec
    }

    /// The bucket behind [`StreamId::Owners`] or [`StreamId::Reference`], `RETAIL_OWNERS`; any other stream's name.
    pub fn bucket(&self, stream: StreamId) -> String {
        let name = self.name(stream);
        name.strip_prefix("KV_").map_or_else(|| name.clone(), str::to_owned)
    }

    // Replicated streams refuse to write after the ack (10052), and need not: Raft writes once for many messages.
    fn fast_if(&self, wanted: bool) -> Persistence {
        if wanted && self.replicas == 1 { Persistence::AfterAck } else { Persistence::BeforeAck }
    }

    fn partitioning(&self) -> Transform {
        let (root, partitions) = (&self.root, self.partitions);
        let wildcards = "{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}.{{wildcard(4)}}";
        Transform {
            source: format!("{root}.v1.*.*.*.*.*"),
            destination: format!("{root}.v1.p.{{{{partition({partitions},5)}}}}.{wildcards}"),
        }
    }

    fn subjects_of(&self, id: StreamId) -> Vec<String> {
        let root = &self.root;
        let plane = |plane: &str| format!("{root}.v1.{plane}.*.*.*.*");
        match id {
            StreamId::Intake => vec![plane("intake")],
            StreamId::Work => vec![plane("ask"), plane("fact")],
            StreamId::Replies => vec![plane("reply")],
            StreamId::Bulk => vec![plane("bulk")],
            StreamId::Commands(to) => vec![format!("{root}.v1.cmd.*.{}.*.*", to.as_str())],
            StreamId::ServiceCommands(to) => vec![format!("{root}.v1.cmd.*.{}.*.*", to.as_str())],
            StreamId::Events => vec![format!("{root}.v1.evt.*.all.page.*")],
            StreamId::Notices => {
                EVENT_DOMAINS.iter().map(|domain| format!("{root}.v1.evt.*.{domain}.*.*")).collect()
            }
            StreamId::Dlq => vec![plane("dlq")],
            StreamId::Audit => vec![plane("audit")],
            StreamId::Journal(partition) => vec![self.journal(partition)],
            StreamId::Snapshots => vec![format!("{root}.v1.snap.*.>")],
            StreamId::Owners | StreamId::Reference => vec![format!("$KV.{}.>", self.bucket(id))],
        }
    }
}

/// Fit for a developer's disk: 6.5 GiB in sum, because the server sets all bytes aside when it makes a stream.
fn default_bounds(id: StreamId) -> Bounds {
    match id {
        StreamId::Intake => Bounds::bytes(512 * MIB).with_messages(1_000_000),
        StreamId::Replies => Bounds::bytes(512 * MIB),
        StreamId::Work => Bounds::bytes(1024 * MIB),
        StreamId::Bulk => Bounds::bytes(2048 * MIB),
        StreamId::Commands(_) | StreamId::Notices => Bounds::bytes(128 * MIB).with_age(DAY),
        StreamId::ServiceCommands(_) => Bounds::bytes(32 * MIB).with_age(DAY),
        StreamId::Events => Bounds::bytes(1024 * MIB).with_age(7 * DAY),
        StreamId::Dlq => Bounds::bytes(256 * MIB).with_age(30 * DAY),
        StreamId::Audit => Bounds::bytes(256 * MIB),
        // A bound here would stop all deciding once it is reached; both are cut by checkpoint and retention.
        StreamId::Journal(_) | StreamId::Snapshots => Bounds::default(),
        StreamId::Owners => Bounds::bytes(MIB),
        StreamId::Reference => Bounds::bytes(128 * MIB),
    }
}

/// Fit for the memory of one process that runs for minutes.
fn memory_bounds(id: StreamId) -> Bounds {
    match id {
        StreamId::Intake => Bounds::bytes(32 * MIB).with_messages(100_000),
        StreamId::Replies | StreamId::Work | StreamId::Bulk => Bounds::bytes(48 * MIB),
        StreamId::Events => Bounds::bytes(64 * MIB),
        StreamId::Commands(_) | StreamId::ServiceCommands(_) | StreamId::Dlq | StreamId::Audit => {
            Bounds::bytes(16 * MIB)
        }
        StreamId::Notices => Bounds::bytes(8 * MIB),
        StreamId::Journal(_) | StreamId::Snapshots | StreamId::Owners | StreamId::Reference => {
            default_bounds(id)
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::decider::Participant;

    use super::super::pattern::{matches, overlap};
    use super::{Layout, Persistence, StreamId};

    #[test]
    fn names_are_the_root_in_upper_case_and_the_role() {
        let layout = Layout::default();
        assert_eq!(layout.name(StreamId::Intake), "RETAIL_INTAKE");
        assert_eq!(layout.name(StreamId::Commands(Participant::Payment)), "RETAIL_COMMANDS_PAYMENT");
        assert_eq!(layout.name(StreamId::Journal(3)), "RETAIL_JOURNAL_3");
        assert_eq!(layout.name(StreamId::Owners), "KV_RETAIL_OWNERS");
        assert_eq!(layout.bucket(StreamId::Owners), "RETAIL_OWNERS");
    }

    #[test]
    fn no_two_streams_take_the_same_subject() {
        let streams = Layout::default().streams();
        let all: Vec<_> = streams.iter().flat_map(|s| s.subjects.iter().map(|p| (&s.name, p))).collect();
        for (at, (name, pattern)) in all.iter().enumerate() {
            for (other_name, other) in &all[at + 1..] {
                assert!(!overlap(pattern, other), "{name} {pattern} overlaps {other_name} {other}");
            }
        }
    }

    #[test]
    fn every_plane_has_a_stream_and_stored_inbound_subjects_have_none() {
        let streams = Layout::default().streams();
        let takes = |subject: &str| streams.iter().any(|s| s.subjects.iter().any(|p| matches(p, subject)));
        for plane in ["intake", "ask", "fact", "reply", "bulk", "dlq", "audit"] {
            assert!(takes(&format!("retail.v1.{plane}.main.order.submit.o-1")), "{plane}");
        }
        assert!(takes("retail.v1.cmd.main.payment.authorize.3") && takes("retail.v1.cmd.main.fraud.check.3"));
        assert!(takes("retail.v1.evt.main.all.page.3") && takes("retail.v1.evt.main.order.committed.3"));
        assert!(!takes("retail.v1.p.3.intake.main.order.submit") && !takes("retail.v1.receipt.main.x"));
    }

    #[test]
    fn replicated_streams_never_write_after_the_ack() {
        let fast = |replicas| {
            Layout::new("retail", 8, replicas)
                .streams()
                .iter()
                .filter(|s| s.persistence == Persistence::AfterAck)
                .count()
        };
        assert_eq!((fast(1), fast(3)), (10, 0));
    }
}
