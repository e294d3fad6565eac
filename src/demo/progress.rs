//! Live progress on stderr: one line that is redrawn on a terminal, one line a second elsewhere.

use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use loadtest::demo::Progress;

/// Between two redraws on a terminal.
const REDRAW: Duration = Duration::from_millis(200);

/// Between two lines elsewhere.
const LINE: Duration = Duration::from_secs(1);

/// What was shown last, and where.
#[derive(Debug)]
pub(super) struct Display {
    orders: u64,
    terminal: bool,
    begin: Instant,
    last: Cell<Option<Shown>>,
}

#[derive(Debug, Clone, Copy)]
struct Shown {
    at: Instant,
    ended: u64,
}

impl Display {
    pub(super) fn new(orders: u64) -> Self {
        Self {
            orders,
            terminal: std::io::stderr().is_terminal(),
            begin: Instant::now(),
            last: Cell::new(None),
        }
    }

    /// Shows `progress` if enough time has passed since the last time.
    pub(super) fn show(&self, progress: &Progress) {
        let now = Instant::now();
        let (since, before) = self.last.get().map_or((self.begin, 0), |shown| (shown.at, shown.ended));
        if now - since < if self.terminal { REDRAW } else { LINE } {
            return;
        }
        let ended = progress.ended();
        self.last.set(Some(Shown { at: now, ended }));
        let line = line(progress, self.orders, rate(ended - before, now - since));
        self.write(&line);
    }

    /// Leaves the redrawn line.
    pub(super) fn end(&self) {
        if self.terminal && self.last.get().is_some() {
            self.put("\n");
        }
    }

    fn write(&self, line: &str) {
        if self.terminal {
            // Carriage return, erase to the end of the line.
            self.put(&format!("\r\x1b[K{line}"));
        } else {
            self.put(&format!("{line}\n"));
        }
    }

    fn put(&self, text: &str) {
        let mut out = std::io::stderr();
        // Progress that nobody can see is no reason to stop.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
