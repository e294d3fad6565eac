//! Live progress on stderr: one line that is redrawn on a terminal, one line a second elsewhere.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

use loadtest::run::Progress;
use loadtest::scenario::objective::Leg;

/// Where progress is shown. Leaves the redrawn line when it goes.
#[derive(Debug)]
pub(super) struct Display {
    is_quiet: bool,
    is_terminal: bool,
    has_shown: Cell<bool>,
}

impl Display {
    pub(super) fn new(is_quiet: bool) -> Self {
        Self { is_quiet, is_terminal: std::io::stderr().is_terminal(), has_shown: Cell::new(false) }
    }

    /// Shows `progress`, which comes once a second.
    pub(super) fn show(&self, progress: &Progress) {
        if self.is_quiet {
            return;
        }
        self.has_shown.set(true);
        let line = line(progress);
        // On a terminal: carriage return, erase to the end of the line, and no wrapping, so that what does not fit is cut off.
        put(&if self.is_terminal { format!("\r\x1b[K\x1b[?7l{line}\x1b[?7h") } else { format!("{line}\n") });
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if self.is_terminal && self.has_shown.get() {
            put("\n");
        }
    }
}

fn put(text: &str) {
    let mut out = std::io::stderr();
    // Progress that nobody can see is no reason to stop.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn line(progress: &Progress) -> String {
    let (orders, elapsed) = (progress.orders, progress.elapsed.as_secs_f64());
    let phase = progress.phase.as_deref().unwrap_or("finishing");
    let last = progress.last.map_or((0.0, 0.0), |point| (point.sent, point.completed));
    let (commit, complete) = (progress.legs[Leg::Commit.place()], progress.legs[Leg::Complete.place()]);
    let mut line = format!(
        "{elapsed:6.1}/{:.0} s  {phase}  {:.0} meant, {:.0} sent, {:.0} completed/s  {} open  commit p50 {:.1} p99 {:.1}  complete p99 {:.1} ms  late p99 {:.1} ms",
        progress.duration.as_secs_f64(),
        progress.target,
        last.0,
        last.1,
        orders.open,
        commit.p50,
        commit.p99,
        complete.p99,
        progress.lateness_p99,
    );
    // Writing into a string does not fail.
    for fault in &progress.faults {
        let _ = write!(line, "  [{fault}]");
    }
    for missed in &progress.missed {
        let _ = write!(line, "  MISSED {missed}");
    }
    line
}
