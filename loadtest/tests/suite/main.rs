//! The harness, judged from outside: the auditor on fabricated runs, the participants on a bus in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod defects;
mod fabricated;
mod participants;
mod runs;
mod scenarios;
mod stock_defects;
