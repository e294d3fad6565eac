//! Live progress on stderr: one line that is redrawn on a terminal, one line a second elsewhere.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use loadtest::demo::Progress;

/// Between two lines where nothing can be redrawn.
const LINE: Duration = Duration::from_secs(1);

/// Where progress is shown, and when it was shown last. Leaves the redrawn line when it goes.
#[derive(Debug)]
pub(super) struct Display {
    terminal: bool,
    last: Cell<Option<Instant>>,
}

impl Display {
    pub(super) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), last: Cell::new(None) }
    }

    /// Shows `progress`; elsewhere than on a terminal only if a second has passed since the last time.
    pub(super) fn show(&self, progress: &Progress) {
        let too_soon = self.last.get().is_some_and(|last| last.elapsed() < LINE);
        if too_soon && !self.terminal {
            return;
        }
        self.last.set(Some(Instant::now()));
        let line = line(progress);
        // On a terminal: carriage return, erase to the end of the line.
        put(&if self.terminal { format!("\r\x1b[K{line}") } else { format!("{line}\n") });
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if self.terminal && self.last.get().is_some() {
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
    let (orders, latency) = (progress.orders, progress.latency);
    format!(
        "{:5.1} s  {:6.0} orders/s  {} submitted, {} completed, {} cancelled, {} rejected, {} open  commit p50 {:.1} ms, p99 {:.1} ms",
        progress.seconds,
        progress.orders_per_second,
        orders.submitted,
        orders.completed,
        orders.cancelled,
        orders.rejected,
        orders.open,
        latency.p50,
        latency.p99
    )
}
