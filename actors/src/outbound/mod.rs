//! What leaves, in the form of the contract. Pure: the same decision gives the same bytes, live and in recovery.

mod commands;
mod dead_letters;
mod digits;
mod events;
mod marker;
mod workbench;

pub(crate) use commands::command;
pub(crate) use dead_letters::dead_letter;
pub(crate) use events::{PageRows, Told, pages, rows_and_notices};
pub(crate) use marker::Marker;
pub(crate) use workbench::Workbench;

use domain::time::Timestamp;

/// The source of everything that we publish.
pub(crate) const SOURCE: &str = "/doorbuster";

/// A moment as the contract writes it.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// The moment that the contract's text means.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Timestamp(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;

    use super::{parse_time, rfc3339};

    #[test]
    fn moments_are_written_in_utc_and_read_back() {
        assert_eq!(rfc3339(Timestamp(1_795_766_400_123)), "2026-11-27T08:00:00.123Z");
        assert_eq!(parse_time("2026-11-27T09:00:00.123+01:00"), Some(Timestamp(1_795_766_400_123)));
        assert_eq!(parse_time("tomorrow"), None);
    }
}
