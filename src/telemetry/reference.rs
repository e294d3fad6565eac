//! What is said of reference data: how much was taken and refused, and what is in force.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::reference::report::Report;

/// Reads the report whenever it is rendered.
#[derive(Debug)]
pub(super) struct ReferenceCollector(pub(super) Arc<Report>);

impl Collector for ReferenceCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(report) = self;
        let help = "Values of reference data that were read, by whether they could be used";
        let mut family = encoder.encode_descriptor("reference_values", help, None, MetricType::Counter)?;
        for (outcome, counter) in [("taken", &report.taken), ("refused", &report.refused)] {
            ConstCounter::new(counter.get()).encode(family.encode_family(&[("outcome", outcome)])?)?;
        }
        let shown = report.show();
        for (name, help, number) in [
            ("reference_revision", "The newest revision of reference data that was read", shown.revision),
            (
                "reference_refused",
                "Values of reference data whose newest version is refused, at most 100",
                u64::try_from(shown.refused.len()).unwrap_or(u64::MAX),
            ),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX)).encode(metric)?;
        }
        Ok(())
    }
}
