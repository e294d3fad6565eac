//! Points in time, as the rules see them: they come in with the context and are never asked of a clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// This moment plus `milliseconds`; saturates instead of overflowing.
    #[must_use]
    pub const fn plus_ms(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to this moment; negative if `earlier` is later.
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

const DAY_MS: i64 = 86_400_000;

impl Timestamp {
    /// The moment that `text` means, RFC 3339; parts of a millisecond are cut off. None if it has another form, or if the month
    /// has no such day.
    pub fn read(text: &str) -> Option<Self> {
        let number = |from: usize, to: usize| -> Option<i64> {
            let digits = text.get(from..to)?;
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let bytes = text.as_bytes();
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if separators.iter().any(|(at, expected)| bytes.get(*at) != Some(expected)) {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if !(1..=12).contains(&month) || day < 1 || day > days_of_month(year, month) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let rest = text.get(19..)?;
        let (milliseconds, zone) = match rest.strip_prefix('.') {
            None => (0, rest),
            Some(rest) => {
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let thousandths = rest.get(..digits.min(3)).filter(|digits| !digits.is_empty())?;
                (format!("{thousandths:0<3}").parse().ok()?, &rest[digits..])
            }
        };
        let offset_minutes = match zone.as_bytes() {
            b"Z" => 0,
            [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
                let start = text.len() - zone.len();
                let (hours, minutes) = (number(start + 1, start + 3)?, number(start + 4, start + 6)?);
                if hours > 23 || minutes > 59 {
                    return None;
                }
                (hours * 60 + minutes) * if *sign == b'-' { -1 } else { 1 }
            }
            _ => return None,
        };
        let seconds = (hour * 60 + minute - offset_minutes) * 60 + second;
        Some(Self(days_before(year, month, day) * DAY_MS + seconds * 1000 + milliseconds))
    }
}

/// As the contract writes it: RFC 3339, UTC, milliseconds only where there are some.
impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, in_day) = (self.0.div_euclid(DAY_MS), self.0.rem_euclid(DAY_MS));
        let (year, month, day) = civil(days);
        let (seconds, milliseconds) = (in_day / 1000, in_day % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if milliseconds > 0 {
            write!(out, ".{milliseconds:03}")?;
        }
        out.write_str("Z")
    }
}

const fn days_of_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar. Years are counted from March, so that the leap day is their last.
const fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The reverse of [`days_before`]: year, month, day.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::{DAY_MS, Timestamp, civil, days_before};

    #[test]
    fn moments_are_written_in_utc_and_read_from_every_zone() {
        for (text, milliseconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-27T08:00:00Z", 1_795_766_400_000),
            ("2026-11-27T08:00:00.123Z", 1_795_766_400_123),
            ("2024-02-29T23:59:59Z", 1_709_251_199_000),
            ("1969-12-31T23:59:59.999Z", -1),
        ] {
            assert_eq!(Timestamp::read(text), Some(Timestamp(milliseconds)), "{text}");
            assert_eq!(Timestamp(milliseconds).to_string(), text);
        }
        assert_eq!(Timestamp::read("2026-11-27T09:30:00.1239+01:30"), Some(Timestamp(1_795_766_400_123)));
        assert_eq!(Timestamp::read("2026-11-27T07:00:00.1-01:00"), Some(Timestamp(1_795_766_400_100)));
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "tomorrow",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-27T24:00:00Z",
            "2026-11-27T08:00:00",
            "2026-11-27T08:00:00.Z",
            "2026-11-27T08:00:00+1:00",
            "2026-11-27T08:00:00+ä:3",
            "käse-11-27T08:00:00Z",
        ] {
            assert_eq!(Timestamp::read(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_is_its_own() {
        let first = days_before(1799, 12, 31);
        for day in first..first + 146_099 {
            let (year, month, of_month) = civil(day);
            assert_eq!(days_before(year, month, of_month), day);
        }
        assert_eq!(civil(Timestamp(0).0 / DAY_MS), (1970, 1, 1));
    }
}
