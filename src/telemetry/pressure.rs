//! What waits in each partition, beside how much may: the fullest of all partitions. The sums, and who holds whom back, stand in the API.

use std::fmt;

use actors::node::FlowControl;
use actors::node::backpressure::LanePressure;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// What a lane has, and the most that it may have.
type Row = fn(&LanePressure) -> (u64, u64);

/// Looks at the intake whenever it is rendered.
#[derive(Debug)]
pub(super) struct PressureCollector(pub(super) FlowControl);

impl Collector for PressureCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let pressure = self.0.backpressure();
        let there_and_most = |there, most| [("there", there), ("most", most)];
        let messages: Row = |lane| (lane.fullest_messages, lane.messages_most);
        let bytes: Row = |lane| (lane.fullest_bytes, lane.bytes_most);
        for (name, help, row) in [
            (
                "lane_messages",
                "Messages that are read and not taken: the fullest partition, and at how many it stops",
                messages,
            ),
            (
                "lane_bytes",
                "The size of their bodies: the fullest partition, and at how much it stops",
                bytes,
            ),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for lane in &pressure.lanes {
                let (there, most) = row(lane);
                for (bound, value) in there_and_most(there, most) {
                    gauge(value).encode(family.encode_family(&[("stream", lane.lane), ("bound", bound)])?)?;
                }
            }
        }
        let help = "Messages of a stream behind the partition that is furthest behind";
        let mut family = encoder.encode_descriptor("lane_backlog", help, None, MetricType::Gauge)?;
        for lane in &pressure.lanes {
            gauge(lane.stream_lag).encode(family.encode_family(&[("stream", lane.lane)])?)?;
        }
        for (name, help, fullest) in [
            (
                "inputs_under_way",
                "Inputs that are taken and not recorded: the fullest partition, and its bound",
                pressure.inputs,
            ),
            (
                "receipts_waiting",
                "Receipts that wait for their order: the fullest partition, and its bound",
                pressure.receipts,
            ),
            (
                "outputs_waiting",
                "Records that wait until what they tell is out: the fullest partition, and its bound",
                pressure.outputs,
            ),
            (
                "queue_known",
                "Orders that are known to queue: the fullest partition, and its bound",
                pressure.queued,
            ),
        ] {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for (bound, value) in there_and_most(fullest.there, fullest.most) {
                gauge(value).encode(family.encode_family(&[("bound", bound)])?)?;
            }
        }
        Ok(())
    }
}

fn gauge(value: u64) -> ConstGauge<i64> {
    ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX))
}
