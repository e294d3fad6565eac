//! What the control says of itself: acts by how they went, and how full its bounded memories are.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::control::Control;
use crate::control::overrides::Overrides;
use crate::control::trail::MOST_OWED;

/// Reads the control whenever it is rendered.
#[derive(Debug)]
pub(super) struct ControlCollector(pub(super) Arc<Control>);

impl Collector for ControlCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self(control) = self;
        let counters = control.counters();
        let help = "Acts of operators, by how they went";
        let mut family = encoder.encode_descriptor("control_acts", help, None, MetricType::Counter)?;
        for (outcome, counter) in [
            ("applied", &counters.applied),
            ("refused", &counters.refused),
            ("unwritten", &counters.unwritten),
            ("reverted", &counters.reverted),
            ("replayed", &counters.replayed),
        ] {
            ConstCounter::new(counter.get()).encode(family.encode_family(&[("outcome", outcome)])?)?;
        }
        for (name, help, there, most) in [
            (
                "control_overrides",
                "What is not as it is configured because somebody set it, and how much may be",
                control.set().len(),
                Overrides::MOST,
            ),
            (
                "idempotency_keys",
                "Idempotency keys that are kept, and how many may be",
                control.keys().len(),
                control.keys().most(),
            ),
            (
                "audit_owed",
                "Entries about done acts that the audit did not take yet, and how many may wait before no act is done",
                control.owed().unwrap_or(0),
                MOST_OWED,
            ),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (bound, number) in [("there", there), ("most", most)] {
                let number = i64::try_from(number).unwrap_or(i64::MAX);
                ConstGauge::new(number).encode(family.encode_family(&[("bound", bound)])?)?;
            }
        }
        Ok(())
    }
}
