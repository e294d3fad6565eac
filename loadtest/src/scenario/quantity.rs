//! Rates, times and shares as people write them.

use std::time::Duration;

/// A rate that may change evenly over a phase, in orders a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    /// At the beginning.
    pub from: f64,
    /// At the end.
    pub to: f64,
}

impl Ramp {
    /// The same rate throughout.
    pub const fn steady(rate: f64) -> Self {
        Self { from: rate, to: rate }
    }
}

/// `200/s`, `1.5k/s`, `0..20k/s`.
pub fn ramp(text: &str) -> Option<Ramp> {
    let rates = text.trim().strip_suffix("/s")?;
    match rates.split_once("..") {
        Some((from, to)) => Some(Ramp { from: thousands(from)?, to: thousands(to)? }),
        None => thousands(rates).map(Ramp::steady),
    }
}

/// One rate: `200/s`.
pub fn rate(text: &str) -> Option<f64> {
    ramp(text).filter(|ramp| ramp.from.total_cmp(&ramp.to).is_eq()).map(|ramp| ramp.from)
}

fn thousands(text: &str) -> Option<f64> {
    let text = text.trim();
    match text.strip_suffix('k') {
        Some(number) => decimal(number).map(|number| number * 1_000.0),
        None => decimal(text),
    }
}

/// `250ms`, `20s`, `1m30s`, `1.5h`.
pub fn time(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number = rest.find(|letter: char| !(letter.is_ascii_digit() || letter == '.'))?;
        let unit =
            rest[number..].find(|letter: char| letter.is_ascii_digit()).map_or(rest.len(), |at| number + at);
        let seconds = match &rest[number..unit] {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(decimal(&rest[..number])? * seconds).ok()?;
        total = total.checked_add(part)?;
        rest = &rest[unit..];
    }
    Some(total)
}

/// `1ms..20ms`, or one time for both.
pub fn times(text: &str) -> Option<(Duration, Duration)> {
    let (least, most) = match text.split_once("..") {
        Some((least, most)) => (time(least)?, time(most)?),
        None => (time(text)?, time(text)?),
    };
    (least <= most).then_some((least, most))
}

/// `0.5%`: as a part of one.
pub fn share(text: &str) -> Option<f64> {
    let percent = decimal(text.trim().strip_suffix('%')?)?;
    (percent <= 100.0).then_some(percent / 100.0)
}

/// Digits with at most one point: what `f64` takes besides (`inf`, `1e9`, signs) is not meant here.
fn decimal(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_plain = text.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
    if is_plain && text.len() <= 15 { text.parse().ok() } else { None }
}

/// A time in milliseconds, as it is told.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// How a time is written: `1m30s`.
pub fn written(time: Duration) -> String {
    let (seconds, millis) = (time.as_secs(), time.subsec_millis());
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60, millis) {
        (0, 0, 0, 0) if !time.is_zero() => format!("{}us", time.subsec_micros()),
        (0, 0, 0, millis) => format!("{millis}ms"),
        (0, 0, seconds, 0) => format!("{seconds}s"),
        (0, 0, _, _) => format!("{}s", time.as_secs_f64()),
        (0, minutes, 0, _) => format!("{minutes}m"),
        (0, minutes, seconds, _) => format!("{minutes}m{seconds}s"),
        (hours, 0, 0, _) => format!("{hours}h"),
        (hours, minutes, _, _) => format!("{hours}h{minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Ramp, ramp, rate, share, time, times, written};

    #[test]
    fn quantities_are_read_as_people_write_them() {
        assert_eq!(ramp("0..20k/s"), Some(Ramp { from: 0.0, to: 20_000.0 }));
        assert_eq!(ramp("667/s"), Some(Ramp::steady(667.0)));
        assert_eq!(time("1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(time("1.5s"), Some(Duration::from_millis(1_500)));
        assert_eq!(times("1ms..20ms"), Some((Duration::from_millis(1), Duration::from_millis(20))));
        assert!(share("0.05%").is_some_and(|share| (share - 0.0005).abs() < 1e-12));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", "fast", "-5/s", "1e9/s", "5", "5/m", "inf/s", "1..2..3/s"] {
            assert_eq!(ramp(text), None, "{text}");
        }
        assert_eq!(rate("1..2/s"), None);
        for text in ["", "5", "5 days", "ms", "1s1", "-1s"] {
            assert_eq!(time(text), None, "{text}");
        }
        assert_eq!(times("20ms..1ms"), None);
        for text in ["5", "101%", "%", "-1%"] {
            assert_eq!(share(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_written_so_that_they_can_be_read_again() {
        for text in ["250ms", "20s", "1.5s", "1m30s", "2h", "1h5m", "500us"] {
            assert_eq!(written(time(text).unwrap()), text);
        }
    }
}
