//! The times of a run as a log of `HdrHistogram`s in the V2 format, for the tools that read those.

use std::time::Duration;

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::recorder::{Legs, Times};
use crate::scenario::objective::Leg;

/// The log of a run: an interval for each leg, from the end of the warm-up on, tagged with its name, and one with `-raw` for the
/// times from the real sending. Values are microseconds; the column of the largest is in milliseconds.
///
/// # Panics
/// Never: memory takes what is written, and times are far below the bound of a histogram.
pub(super) fn log(corrected: &Legs, raw: &Legs, (begins, lasts): (Duration, Duration)) -> String {
    let (mut text, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("Values are microseconds, intervals seconds from the beginning of the run.")
        .with_max_value_divisor(1_000.0);
    let mut writer = builder.begin_log_with(&mut text, &mut serializer).expect("memory takes it");
    let mut write = |name: &str, times: &Times| {
        let written = writer.write_histogram(times.histogram(), begins, lasts, Tag::new(name));
        written.expect("memory takes it, and times are small");
    };
    for leg in Leg::ALL {
        write(leg.as_str(), &corrected[leg.place()]);
        write(&format!("{}-raw", leg.as_str()), &raw[leg.place()]);
    }
    String::from_utf8(text).expect("a log is text")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::log;
    use crate::run::recorder::Legs;

    #[test]
    fn a_reader_of_such_logs_finds_the_times_of_each_leg() {
        let (mut corrected, mut raw) = (Legs::default(), Legs::default());
        for ms in 1..=100 {
            corrected[2].record(Duration::from_millis(ms));
        }
        raw[2].record(Duration::from_millis(7));
        let text = log(&corrected, &raw, (Duration::from_secs(2), Duration::from_secs(30)));
        let mut found = Vec::new();
        for entry in IntervalLogIterator::new(text.as_bytes()) {
            let LogEntry::Interval(interval) = entry.expect("it is a log") else { continue };
            let bytes = from_base64(interval.encoded_histogram());
            let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
            let tag = interval.tag().unwrap().as_str().to_owned();
            let times = (interval.start_timestamp().as_secs(), interval.duration().as_secs());
            found.push((tag, times, histogram.len(), histogram.value_at_quantile(0.5)));
        }
        let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
        let expected =
            ["ack", "ack-raw", "accept", "accept-raw", "commit", "commit-raw", "complete", "complete-raw"];
        assert_eq!(names, expected);
        let (_, times, count, median) = &found[4];
        assert_eq!((*times, *count), ((2, 30), 100));
        assert!((49_900..=50_100).contains(median), "{median}");
        assert_eq!(found[5].2, 1);
        assert_eq!(found[0].2, 0);
    }

    /// Base64 as such logs use it.
    fn from_base64(text: &str) -> Vec<u8> {
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let (mut bytes, mut bits, mut have) = (Vec::new(), 0_u32, 0);
        for letter in text.bytes().filter(|letter| *letter != b'=') {
            let place = LETTERS.iter().position(|known| *known == letter).expect("it is base64");
            bits = (bits << 6 | u32::try_from(place).unwrap()) & 0xff_ffff;
            have += 6;
            if have >= 8 {
                have -= 8;
                bytes.push(u8::try_from(bits >> have & 0xff).unwrap());
            }
        }
        bytes
    }
}
