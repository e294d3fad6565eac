//! The limits of one participant besides its cap: how fast it is sent to, when its breaker opens, how it comes back, and how much
//! is asked again.

use serde::{Deserialize, Serialize};

/// How a participant is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ParticipantSettings {
    /// Commands a second, re-sends included, over all partitions of the node.
    pub rate_per_second: u32,
    /// Commands that may go at once after a pause. At least a fiftieth of the rate, or the rate cannot be reached.
    pub burst: u32,
    /// Failed answers and silence until the first re-send, in percent of all outcomes of the window, at which the breaker opens.
    pub error_percent: u32,
    /// Slow answers, in percent of all answers of the window, at which the breaker opens.
    pub slow_percent: u32,
    /// An answer is slow if it takes longer, in milliseconds.
    pub slow_ms: u32,
    /// The length of the window, in milliseconds.
    pub window_ms: u32,
    /// Fewer outcomes in a window open nothing.
    pub least_outcomes: u32,
    /// How long the breaker stays open before the participant is probed, in milliseconds.
    pub open_ms: u32,
    /// Commands that go out while it is half open; the majority of their outcomes closes it or opens it again.
    pub probes: u32,
    /// How long it takes from the first answer after an outage to the full rate, in milliseconds.
    pub ramp_ms: u32,
    /// The rate right after an outage, in percent of the full one.
    pub ramp_from_percent: u32,
    /// Re-sends, in percent of the commands sent for the first time.
    pub retry_percent: u32,
    /// Re-sends a second that are allowed in any case.
    pub retries_per_second: u32,
}

impl Default for ParticipantSettings {
    fn default() -> Self {
        Self {
            rate_per_second: 100_000,
            burst: 100_000,
            error_percent: 60,
            slow_percent: 80,
            slow_ms: 10_000,
            window_ms: 10_000,
            least_outcomes: 50,
            open_ms: 5_000,
            probes: 5,
            ramp_ms: 30_000,
            ramp_from_percent: 10,
            retry_percent: 20,
            retries_per_second: 100,
        }
    }
}

/// The highest rate and the largest burst: what a second of the largest machine could send, a few times over.
pub const MOST_RATE: u32 = 1_000_000;

/// The fraction of a second that a burst has to cover at least: waiting commands are let go at this pace.
const BURSTS_PER_SECOND: u32 = 50;

/// Key, unit, least and most of each number.
pub const RANGES: [(&str, &str, u32, u32); 13] = [
    ("rate_per_second", "commands", 1, MOST_RATE),
    ("burst", "commands", 1, MOST_RATE),
    ("error_percent", "%", 1, 100),
    ("slow_percent", "%", 1, 100),
    ("slow_ms", "ms", 1, 3_600_000),
    ("window_ms", "ms", 100, 600_000),
    ("least_outcomes", "outcomes", 1, 1_000_000),
    ("open_ms", "ms", 10, 3_600_000),
    ("probes", "commands", 1, 10_000),
    ("ramp_ms", "ms", 0, 3_600_000),
    ("ramp_from_percent", "%", 1, 100),
    ("retry_percent", "%", 0, 1_000),
    ("retries_per_second", "commands", 1, MOST_RATE),
];

impl ParticipantSettings {
    /// What is wrong with the numbers, in words that begin with the key.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for ((key, unit, least, most), value) in RANGES.into_iter().zip(self.values()) {
            if !(least..=most).contains(&value) {
                problems.push(format!("{key} = {value} {unit}: must be from {least} to {most} {unit}"));
            }
        }
        problems.extend(burst_problem(self.rate_per_second, self.burst));
        problems
    }

    /// The numbers in the order of [`RANGES`].
    pub const fn values(&self) -> [u32; 13] {
        [
            self.rate_per_second,
            self.burst,
            self.error_percent,
            self.slow_percent,
            self.slow_ms,
            self.window_ms,
            self.least_outcomes,
            self.open_ms,
            self.probes,
            self.ramp_ms,
            self.ramp_from_percent,
            self.retry_percent,
            self.retries_per_second,
        ]
    }

    const fn from_values(values: [u32; 13]) -> Self {
        let [
            rate_per_second,
            burst,
            error_percent,
            slow_percent,
            slow_ms,
            window_ms,
            least_outcomes,
            open_ms,
            probes,
            ramp_ms,
            ramp_from_percent,
            retry_percent,
            retries_per_second,
        ] = values;
        Self {
            rate_per_second,
            burst,
            error_percent,
            slow_percent,
            slow_ms,
            window_ms,
            least_outcomes,
            open_ms,
            probes,
            ramp_ms,
            ramp_from_percent,
            retry_percent,
            retries_per_second,
        }
    }

    /// The same, with other numbers in the order of [`RANGES`]; what is none stays.
    #[must_use]
    pub fn with(&self, numbers: [Option<u32>; 13]) -> Self {
        let mut values = self.values();
        for (value, number) in values.iter_mut().zip(numbers) {
            *value = number.unwrap_or(*value);
        }
        Self::from_values(values)
    }
}

/// A burst that is too small for its rate.
pub(super) fn burst_problem(rate_per_second: u32, burst: u32) -> Option<String> {
    let least = rate_per_second.div_ceil(BURSTS_PER_SECOND);
    (burst < least).then(|| {
        format!("burst = {burst} commands: {rate_per_second} commands a second cannot be reached with less than {least}")
    })
}

#[cfg(test)]
mod tests {
    use super::{ParticipantSettings, RANGES};

    #[test]
    fn every_number_has_the_range_of_its_own_key() {
        let text = serde_json::to_value(ParticipantSettings::default()).unwrap();
        for (at, (key, ..)) in RANGES.into_iter().enumerate() {
            let mut numbers = [None; 13];
            numbers[at] = Some(77);
            let changed = serde_json::to_value(ParticipantSettings::default().with(numbers)).unwrap();
            let mut expected = text.clone();
            expected[key] = 77.into();
            assert_eq!(changed, expected, "{key}");
        }
    }

    #[test]
    fn the_defaults_are_in_their_own_ranges() {
        assert_eq!(ParticipantSettings::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn a_number_out_of_range_is_named_with_its_range_and_a_burst_with_what_it_needs() {
        let settings =
            ParticipantSettings { error_percent: 0, rate_per_second: 1_000, burst: 19, ..Default::default() };
        assert_eq!(
            settings.problems(),
            [
                "error_percent = 0 %: must be from 1 to 100 %",
                "burst = 19 commands: 1000 commands a second cannot be reached with less than 20"
            ]
        );
    }
}
