//! Memory that every decision of a partition is written in, one after the other. What is written is copied from here to where it
//! stays: one warm place costs less than a new one for each decision.

use domain::envelope::HeaderWriter;
use domain::time::Timestamp;

use super::{PageRows, rfc3339};

/// Memory beyond this is given back after a decision that was unusually large.
const MOST_KEPT_BYTES: usize = 64 * 1024;

/// What a decision is written in.
#[derive(Debug, Default)]
pub(crate) struct Workbench {
    /// Entries of the record.
    pub(crate) entries: Vec<u8>,
    pub(crate) rows: PageRows,
    pub(crate) headers: HeaderWriter,
    pub(crate) clock: WrittenTime,
}

/// The last moment that was written. Many decisions are of one millisecond.
#[derive(Debug, Default)]
pub(crate) struct WrittenTime {
    at: Timestamp,
    text: String,
}

impl WrittenTime {
    /// The moment as the contract writes it.
    pub(crate) fn text(&mut self, at: Timestamp) -> &str {
        if self.text.is_empty() || self.at != at {
            (self.at, self.text) = (at, rfc3339(at));
        }
        &self.text
    }
}

impl Workbench {
    /// Clears what a decision may have left that was given up half-way.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.rows.clear();
        self.headers.clear();
    }

    /// Takes memory back, once what stood in it is copied.
    pub(crate) fn take_back(&mut self, entries: Vec<u8>, rows: PageRows) {
        if entries.capacity() <= MOST_KEPT_BYTES && rows.page_bytes() <= MOST_KEPT_BYTES {
            (self.entries, self.rows) = (entries, rows);
            self.clear();
        }
    }
}
