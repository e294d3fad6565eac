//! The watermarks of back-pressure: from when on the intake slows, refuses, tells, and reads no further. All of them can be changed
//! while the node runs; the next cycle of each partition goes by them.

use std::collections::BTreeMap;

use super::limits::{Class, FlowConfig, MOST_NAME_BYTES, MOST_QUOTAS, is_name};
use crate::config::NodeConfig;

/// How many watermarks there are.
pub const WATERMARKS: usize = 10;

/// One watermark. As a number, its place among all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watermark {
    /// Answers and facts that wait longer for us mean that only the least may be begun, in milliseconds.
    AnswerDelay,
    /// So many orders may be begun and not committed whatever waits.
    LiveOrdersLeast,
    /// How long work of the class normal may queue, in milliseconds; 0 = until it expires.
    PatienceNormal,
    /// How long work of the class low may queue, in milliseconds; 0 = until it expires.
    PatienceLow,
    /// What a refused sender is told at least to wait, in milliseconds.
    RetryAfter,
    /// From this delay of new work on, those who wait are told, in milliseconds.
    HeraldAfter,
    /// Messages of a lane that are read and not taken; beyond it a partition reads on no more.
    LaneBatch,
    /// Bytes of their bodies, likewise.
    LaneBytes,
    /// Per cent of the bound on live orders: once so many are begun, work of the class low is refused for now.
    LowPercent,
    /// Per cent of the bound on live orders: once so many are begun, nothing of the bulk lane is begun.
    BulkPercent,
}

const WEEK_MS: u64 = 7 * 86_400_000;

/// Key in the configuration, unit, least and most of each, in their order.
pub const RANGES: [(&str, &str, u64, u64); WATERMARKS] = [
    ("answer_delay_ms", "ms", 10, 60_000),
    ("live_orders_least", "orders", 1, super::limits::MOST_LIVE_ORDERS),
    ("patience_normal_ms", "ms", 0, WEEK_MS),
    ("patience_low_ms", "ms", 0, WEEK_MS),
    ("retry_after_ms", "ms", 1, 3_600_000),
    ("herald_after_ms", "ms", 10, 60_000),
    ("lane_batch", "messages", 1, 10_000),
    ("lane_bytes", "bytes", 1, 1024 * 1024 * 1024),
    ("low_percent", "per cent", 1, 100),
    ("bulk_percent", "per cent", 1, 100),
];

/// The value of each, in their order.
pub type Watermarks = [u64; WATERMARKS];

/// As they are configured.
pub fn configured(config: &NodeConfig) -> Watermarks {
    let flow = &config.flow;
    [
        flow.answer_delay_ms,
        flow.live_orders_least,
        flow.patience_normal_ms,
        flow.patience_low_ms,
        flow.retry_after_ms,
        flow.herald_after_ms,
        config.lane_batch as u64,
        config.lane_bytes as u64,
        flow.low_percent,
        flow.bulk_percent,
    ]
}

/// Other watermarks, and classes of channels. What is not named is as configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WatermarkChange {
    /// The value of each, in the order of [`RANGES`].
    pub numbers: [Option<u64>; WATERMARKS],
    /// The class of a channel, `*` being all that have none of their own.
    pub classes: BTreeMap<String, Class>,
}

/// Watermarks and classes as they are configured, and as they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatermarkState {
    /// As configured.
    pub configured: Watermarks,
    /// As they hold.
    pub effective: Watermarks,
    /// The class of each channel that has one of its own, as configured; `*` is there always.
    pub configured_classes: BTreeMap<String, Class>,
    /// The same, as they hold.
    pub effective_classes: BTreeMap<String, Class>,
    /// True if somebody has set some.
    pub is_set: bool,
}

impl WatermarkChange {
    /// These watermarks with what is changed.
    pub(super) fn on(&self, mut watermarks: Watermarks) -> Watermarks {
        for (place, given) in watermarks.iter_mut().zip(self.numbers) {
            *place = given.unwrap_or(*place);
        }
        watermarks
    }

    /// What is wrong with it, each as key, value and what would be right; empty = nothing.
    pub fn problems(&self) -> Vec<(String, String, String)> {
        let outside = |((key, unit, least, most), given): (&(&str, &str, u64, u64), Option<u64>)| {
            let value = given.filter(|value| !(*least..=*most).contains(value))?;
            Some(((*key).to_owned(), value.to_string(), format!("must be from {least} to {most} {unit}")))
        };
        let numbers = RANGES.iter().zip(self.numbers).filter_map(outside);
        let names = self.classes.keys().filter(|name| !is_name(name)).map(|name| {
            let remedy = format!("the name of a channel has 1 to {MOST_NAME_BYTES} bytes and no space");
            ("classes".to_owned(), name.clone(), remedy)
        });
        let many = (self.classes.len() > MOST_QUOTAS).then(|| {
            let remedy = format!("must be classes of at most {MOST_QUOTAS} channels");
            ("classes".to_owned(), self.classes.len().to_string(), remedy)
        });
        numbers.chain(names).chain(many).collect()
    }
}

/// The class of each channel that has one of its own, and of all others as `*`.
pub(super) fn classes(config: &FlowConfig) -> BTreeMap<String, Class> {
    let named = config.channels.iter().map(|quota| (quota.name.clone(), quota.class));
    [("*".to_owned(), Class::default())].into_iter().chain(named).collect()
}

#[cfg(test)]
mod tests {
    use super::{RANGES, Watermark, WatermarkChange, configured};
    use crate::config::NodeConfig;
    use crate::flow::limits::{Class, FlowConfig};

    #[test]
    fn every_watermark_stands_where_its_number_says() {
        let flow = FlowConfig {
            answer_delay_ms: 11,
            live_orders_least: 12,
            patience_normal_ms: 13,
            patience_low_ms: 14,
            retry_after_ms: 15,
            herald_after_ms: 16,
            low_percent: 19,
            bulk_percent: 20,
            ..FlowConfig::default()
        };
        let all = configured(&NodeConfig { flow, lane_batch: 17, lane_bytes: 18, ..NodeConfig::default() });
        for (watermark, key, value) in [
            (Watermark::AnswerDelay, "answer_delay_ms", 11),
            (Watermark::LiveOrdersLeast, "live_orders_least", 12),
            (Watermark::PatienceNormal, "patience_normal_ms", 13),
            (Watermark::PatienceLow, "patience_low_ms", 14),
            (Watermark::RetryAfter, "retry_after_ms", 15),
            (Watermark::HeraldAfter, "herald_after_ms", 16),
            (Watermark::LaneBatch, "lane_batch", 17),
            (Watermark::LaneBytes, "lane_bytes", 18),
            (Watermark::LowPercent, "low_percent", 19),
            (Watermark::BulkPercent, "bulk_percent", 20),
        ] {
            assert_eq!((RANGES[watermark as usize].0, all[watermark as usize]), (key, value));
        }
    }

    #[test]
    fn the_defaults_are_in_their_own_ranges() {
        let numbers = configured(&NodeConfig::default()).map(Some);
        assert_eq!(WatermarkChange { numbers, ..WatermarkChange::default() }.problems(), []);
    }

    #[test]
    fn what_is_wrong_is_named_with_key_value_and_remedy() {
        let mut change = WatermarkChange::default();
        change.numbers[Watermark::AnswerDelay as usize] = Some(5);
        change.numbers[Watermark::LaneBatch as usize] = Some(10);
        change.classes.insert("a b".to_owned(), Class::Low);
        let told: Vec<_> = change.problems().into_iter().map(|(key, value, _)| (key, value)).collect();
        let expected = [("answer_delay_ms", "5"), ("classes", "a b")];
        assert_eq!(told, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        change.classes = (0..257).map(|number| (format!("c{number}"), Class::Low)).collect();
        assert!(change.problems()[1].2.contains("at most 256"), "bounded-everything");
    }
}
