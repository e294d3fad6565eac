//! Names, units and help texts of all metrics. Labels are closed sets, so the number of series is bounded.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use actors::flow::watermarks::RANGES;
use actors::metrics::{Counter, Gauge, Histogram, Metrics, REASONS, RefusedFor};
use actors::node::FlowControl;
use bus::layout::Lane;
use domain::bounds::Bound;
use domain::decider::Participant;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::control::ControlCollector;
use super::kinds::PHASES;
use super::pressure::PressureCollector;
use super::reference::ReferenceCollector;
use crate::control::Control;
use crate::reference::report::Report;

/// What a partition does right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionState {
    /// Which partition.
    pub partition: u16,
    /// One word of a closed set: `recovering`, `ready`, `broken` and so on.
    pub state: &'static str,
}

/// Where the states of the partitions are asked for.
type AskStates = Arc<dyn Fn() -> Vec<PartitionState> + Send + Sync>;

/// All metrics of a node, as text.
#[derive(Debug)]
pub struct Exposition {
    registry: Registry,
}

impl Exposition {
    /// Reads `metrics` and asks `states` whenever it is rendered.
    pub fn new(metrics: Arc<Metrics>, states: AskStates) -> Self {
        let mut registry = Registry::with_prefix("doorbuster");
        registry.register_collector(Box::new(NodeCollector { metrics, states }));
        Self { registry }
    }

    /// The same, and what the control says of itself.
    #[must_use]
    pub fn with_control(mut self, control: Arc<Control>) -> Self {
        self.registry.register_collector(Box::new(ControlCollector(control)));
        self
    }

    /// The same, and what waits in the partitions.
    #[must_use]
    pub fn with_flow(mut self, flow: FlowControl) -> Self {
        self.registry.register_collector(Box::new(PressureCollector(flow)));
        self
    }

    /// The same, and what is known of reference data.
    #[must_use]
    pub fn with_reference(mut self, report: Arc<Report>) -> Self {
        self.registry.register_collector(Box::new(ReferenceCollector(report)));
        self
    }

    /// The text that a scrape gets.
    ///
    /// # Panics
    /// Never: writing into a string does not fail.
    pub fn render(&self) -> String {
        let mut out = String::new();
        text::encode(&mut out, &self.registry).expect("writing into a string does not fail");
        out
    }
}

struct NodeCollector {
    metrics: Arc<Metrics>,
    states: AskStates,
}

impl fmt::Debug for NodeCollector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("NodeCollector").finish_non_exhaustive()
    }
}

impl Collector for NodeCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut sheet = Sheet { encoder: &mut encoder };
        self.encode_inputs(&mut sheet)?;
        self.encode_journal(&mut sheet)?;
        self.encode_outputs(&mut sheet)?;
        self.encode_flow(&mut sheet)?;
        self.encode_bounds(&mut sheet)?;
        self.encode_states(&mut sheet)
    }
}

impl NodeCollector {
    fn encode_inputs(&self, sheet: &mut Sheet<'_, '_>) -> fmt::Result {
        let metrics = &self.metrics;
        let by_lane =
            |counters: &'static str, help: &'static str, values: &[Counter; 4], sheet: &mut Sheet<'_, '_>| {
                let rows = Lane::ALL.iter().map(|lane| (stream(*lane), values[lane.index()].get()));
                sheet.counters(counters, help, "stream", rows)
            };
        by_lane("inputs", "Messages taken from each inbound stream", &metrics.inputs, sheet)?;
        by_lane(
            "lost_inputs",
            "Messages that a stream lost at its end; they were read again",
            &metrics.lost,
            sheet,
        )?;
        by_lane(
            "missing_inputs",
            "Messages that were gone from a stream before they were read",
            &metrics.missing,
            sheet,
        )?;
        sheet.counter("duplicates", "Repeated inputs that were recognised", &metrics.repeated)?;
        sheet.counter(
            "handed_on",
            "Items of batches that went on to their own partition",
            &metrics.handed_on,
        )?;
        sheet.counter("letters", "Letters from one entity to another, through memory", &metrics.letters)?;
        sheet.counter(
            "letters_dropped",
            "Letters for which there was no room, or nobody; they are sent again",
            &metrics.letters_dropped,
        )?;
        let waiting =
            [("there", metrics.letters_waiting.get()), ("most", metrics.letters_waiting_limit.get())];
        let help = "Letters that wait for their partition, and how many all boxes hold";
        sheet.gauges("letters_waiting", help, "bound", waiting.into_iter())?;
        let posted = [("there", metrics.posted.get())].into_iter();
        sheet.gauges("posted", "Rows on the board that all decisions look at", "bound", posted)?;
        sheet.counter("timers", "Deadlines delivered to entities", &metrics.timers)?;
        let rows =
            REASONS.iter().zip(&metrics.dead_letters).map(|(reason, count)| (reason.as_str(), count.get()));
        sheet.counters("dead_letters", "Messages that could not be taken", "reason", rows)
    }

    fn encode_journal(&self, sheet: &mut Sheet<'_, '_>) -> fmt::Result {
        let metrics = &self.metrics;
        sheet.counter("decisions", "Versions of entities that were decided", &metrics.decisions)?;
        sheet.counter("journal_appends", "Records appended to the journal", &metrics.records)?;
        sheet.counter("journal_bytes", "Size of these records as stored", &metrics.record_bytes)?;
        sheet.counter("replayed_decisions", "Decisions read again by recoveries", &metrics.replayed)?;
        sheet.counter("snapshots", "Entities written to the snapshots", &metrics.snapshots)?;
        sheet.counter(
            "passivated",
            "Entities that left memory, their snapshots being stored",
            &metrics.passivated,
        )?;
        sheet.counter("packed", "Entities packed in memory, because they rest", &metrics.packed)?;
        sheet.counter("unpacked", "Entities opened again for a message", &metrics.unpacked)?;
        sheet.counter("loaded", "Entities read back from their snapshots", &metrics.loaded)?;
        let places = [("known", metrics.known.get()), ("in_memory", metrics.in_memory.get())];
        let help = "Entities that are known, and those of them that are in memory";
        sheet.gauges("entities", help, "place", places.into_iter())?;
        sheet.counter(
            "rewritten",
            "Snapshots written again so that an old page can go",
            &metrics.rewritten,
        )?;
        sheet.counter("forgotten", "Closed entities that are not known any more", &metrics.forgotten)?;
        sheet.counter(
            "purged_records",
            "Journal records purged because snapshots cover them",
            &metrics.purged_records,
        )?;
        sheet.counter("panics", "Faults caught in the rules; each set one entity aside", &metrics.panics)?;
        sheet.counter("fenced", "Partitions lost to another owner", &metrics.fenced)?;
        let batch_size = ("batch_size", "Decisions in one record", None);
        sheet.histogram(batch_size, 1..10, 1.0, &metrics.record_decisions)?;
        let help = "From closing a record to its acknowledgement";
        let commit_latency = ("commit_latency", help, Some(&Unit::Seconds));
        sheet.histogram(commit_latency, 6..25, 1e-6, &metrics.append_us)
    }

    fn encode_outputs(&self, sheet: &mut Sheet<'_, '_>) -> fmt::Result {
        let metrics = &self.metrics;
        sheet.by_participant("commands", "Commands sent, again ones included", &metrics.commands)?;
        let help = "Commands dropped before the broker; their deadlines send them again";
        sheet.by_participant("commands_dropped", help, &metrics.commands_dropped)?;
        sheet.gauges(
            "in_flight",
            "Commands sent and not answered",
            "participant",
            named(&metrics.in_flight),
        )?;
        self.encode_gates(sheet)?;
        sheet.counter("events", "Business events published in pages", &metrics.events)?;
        sheet.counter("pages", "Event pages stored", &metrics.pages)?;
        sheet.counter("notices", "Events that were also published alone", &metrics.notices)?;
        let receipts = [
            ("accepted", metrics.receipts_accepted.get()),
            ("rejected", metrics.receipts_rejected.get()),
            ("pending", metrics.receipts_pending.get()),
        ];
        sheet.counters("receipts", "Receipts sent", "outcome", receipts.into_iter())
    }

    fn encode_gates(&self, sheet: &mut Sheet<'_, '_>) -> fmt::Result {
        let metrics = &self.metrics;
        for (name, help, gauges) in [
            ("in_flight_limit", "Commands that may be sent and not answered", &metrics.in_flight_limit),
            ("waiting", "Commands that wait for their participant's gate: its backlog", &metrics.waiting),
            ("rate_limit", "Commands a second that are allowed now", &metrics.rate_limit),
            ("breaker_state", "The circuit breaker: 0 closed, 1 half open, 2 open", &metrics.breaker_state),
        ] {
            sheet.gauges(name, help, "participant", named(gauges))?;
        }
        for (name, help, counters) in [
            ("breaker_opened", "How often the circuit breaker opened", &metrics.breaker_opened),
            ("breaker_waits", "Commands that had to wait for the circuit breaker", &metrics.breaker_waits),
            ("rate_waits", "Commands that had to wait for the rate", &metrics.rate_waits),
            ("retries", "Commands sent again because they were not answered", &metrics.retries),
            (
                "retries_refused",
                "Commands not sent again when due: the breaker, the rate or the retry budget held them back",
                &metrics.retries_refused,
            ),
        ] {
            sheet.by_participant(name, help, counters)?;
        }
        let help = "New orders not taken because what they need is not there (degraded mode refuse_new)";
        sheet.counter("refused_new", help, &metrics.refused_new)
    }

    fn encode_flow(&self, sheet: &mut Sheet<'_, '_>) -> fmt::Result {
        let metrics = &self.metrics;
        let live = [("there", metrics.live_orders.get()), ("most", metrics.live_orders_limit.get())];
        let help = "Orders begun and not committed, and how many there may be right now";
        sheet.gauges("live_orders", help, "bound", live.into_iter())?;
        let marks = RANGES.iter().zip(&metrics.watermarks).map(|((key, ..), gauge)| (*key, gauge.get()));
        let help = "The watermarks of back-pressure that are in force, in the units of their keys";
        sheet.gauges("backpressure", help, "watermark", marks)?;
        let memory = [("there", metrics.resident_bytes.get()), ("most", metrics.memory_limit.get())];
        let help = "Resident memory of the process in bytes, and how much it may take; 0 is no budget";
        sheet.gauges("memory_bytes", help, "bound", memory.into_iter())?;
        sheet.gauges(
            "queued_orders",
            "Orders known to queue in the broker",
            "bound",
            [("there", metrics.queued.get())].into_iter(),
        )?;
        let refused = RefusedFor::ALL.map(|cause| (cause.as_str(), metrics.refused[cause as usize].get()));
        let help = "New orders that were refused for now";
        sheet.counters("refused", help, "cause", refused.into_iter())
    }

    /// How full the fullest of all entities are.
    fn encode_bounds(&self, sheet: &mut Sheet<'_, '_>) -> fmt::Result {
        for bound in Bound::ALL {
            let fullest = &self.metrics.fullest[bound.index()];
            let number = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
            let rows = [("there", number(fullest.there())), ("most", number(fullest.most()))];
            let help = format!("{}: the fullest of the last minute, and how many it may have", bound.help());
            sheet.gauges(bound.as_str(), &help, "bound", rows.into_iter())?;
        }
        Ok(())
    }

    fn encode_states(&self, sheet: &mut Sheet<'_, '_>) -> fmt::Result {
        let mut phases: Vec<(&str, i64)> =
            self.metrics.phases.iter().map(|phase| (*phase.key(), *phase.value())).collect();
        phases.sort_unstable();
        for (name, help, of_kind) in PHASES {
            let rows = phases.iter().copied().filter(|(phase, _)| of_kind(phase));
            sheet.gauges(name, help, "phase", rows)?;
        }
        let help = "1 for the state that a partition is in";
        let mut family = sheet.encoder.encode_descriptor("partition_state", help, None, MetricType::Gauge)?;
        for PartitionState { partition, state } in (self.states)() {
            let number = partition.to_string();
            let labels = [("partition", number.as_str()), ("state", state)];
            ConstGauge::new(1_i64).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

const fn stream(lane: Lane) -> &'static str {
    match lane {
        Lane::Replies => "replies",
        Lane::Work => "work",
        Lane::Intake => "intake",
        Lane::Bulk => "bulk",
    }
}

fn named(gauges: &[Gauge; 5]) -> impl Iterator<Item = (&'static str, i64)> {
    Participant::ALL.into_iter().map(|participant| (participant.as_str(), gauges[participant.index()].get()))
}

/// What is written to: one line of code for each kind of metric.
struct Sheet<'a, 'b> {
    encoder: &'a mut DescriptorEncoder<'b>,
}

impl Sheet<'_, '_> {
    fn counter(&mut self, name: &str, help: &str, counter: &Counter) -> fmt::Result {
        let metric = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(counter.get()).encode(metric)
    }

    fn counters<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        rows: impl Iterator<Item = (&'v str, u64)>,
    ) -> fmt::Result {
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, count) in rows {
            ConstCounter::new(count).encode(family.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }

    fn by_participant(&mut self, name: &str, help: &str, counters: &[Counter; 5]) -> fmt::Result {
        let rows = Participant::ALL.into_iter().map(|to| (to.as_str(), counters[to.index()].get()));
        self.counters(name, help, "participant", rows)
    }

    fn gauges<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        rows: impl Iterator<Item = (&'v str, i64)>,
    ) -> fmt::Result {
        let mut family = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value, number) in rows {
            ConstGauge::new(number).encode(family.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }

    /// Shows the powers of two in `shown`; smaller values count to the first, larger ones to infinity. `scale` turns the
    /// recorded unit into the one that is shown.
    fn histogram(
        &mut self,
        (name, help, unit): (&str, &str, Option<&Unit>),
        shown: Range<usize>,
        scale: f64,
        histogram: &Histogram,
    ) -> fmt::Result {
        let counts = histogram.buckets();
        let beyond: u64 = counts[shown.end..].iter().sum();
        let below: u64 = counts[..shown.start].iter().sum();
        let mut upper = scale * 2_f64.powi(i32::try_from(shown.start).expect("at most 32 buckets"));
        let mut buckets = Vec::with_capacity(shown.len() + 1);
        for (number, count) in counts[shown].iter().enumerate() {
            buckets.push((upper, if number == 0 { count + below } else { *count }));
            upper *= 2.0;
        }
        buckets.push((f64::INFINITY, beyond));
        #[expect(
            clippy::cast_precision_loss,
            reason = "a sum beyond 2^53 microseconds loses nothing that matters"
        )]
        let sum = histogram.sum() as f64 * scale;
        let mut metric = self.encoder.encode_descriptor(name, help, unit, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actors::metrics::Metrics;

    use super::{Exposition, PartitionState};

    #[test]
    fn a_scrape_names_every_counter_with_its_labels() {
        let metrics = Arc::new(Metrics::default());
        metrics.inputs[0].add(3);
        metrics.dead_letters[1].add_one();
        metrics.record_decisions.record(5);
        metrics.append_us.record(1_500);
        metrics.fullest[0].note(domain::time::Timestamp(60_000), 7, 10_000);
        for (phase, number) in [("committed", 2), ("soft", 3), ("fresh", 4), ("open", 5), ("unborn", 1)] {
            metrics.phases.insert(phase, number);
        }
        let states = Arc::new(|| vec![PartitionState { partition: 3, state: "recovering" }]);
        let text = Exposition::new(metrics, states).render();
        for line in [
            "doorbuster_dead_letters_total{reason=\"version\"} 1",
            "doorbuster_orders{phase=\"committed\"} 2",
            "doorbuster_orders{phase=\"unborn\"} 1",
            "doorbuster_reservations{phase=\"soft\"} 3",
            "doorbuster_stock_cells{phase=\"fresh\"} 4",
            "doorbuster_counters{phase=\"open\"} 5",
            "doorbuster_stock_claims{bound=\"there\"} 7",
            "doorbuster_stock_claims{bound=\"most\"} 10000",
            "doorbuster_partition_state{partition=\"3\",state=\"recovering\"} 1",
            "doorbuster_batch_size_bucket{le=\"8.0\"} 1",
            "doorbuster_batch_size_bucket{le=\"+Inf\"} 1",
            "doorbuster_commit_latency_seconds_sum 0.0015",
            "doorbuster_commit_latency_seconds_bucket{le=\"0.002048\"} 1",
            "doorbuster_in_flight{participant=\"erp\"} 0",
            "doorbuster_breaker_state{participant=\"erp\"} 0",
            "doorbuster_retries_refused_total{participant=\"loyalty\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(text.contains("doorbuster_inputs_total{stream=\""), "{text}");
        let phases = |name: &str| {
            text.lines().filter(|line| line.starts_with(&format!("doorbuster_{name}{{"))).count()
        };
        assert_eq!(["orders", "reservations", "stock_cells", "counters"].map(phases), [2, 1, 1, 1]);
        assert!(text.ends_with("# EOF\n"));
    }
}
