//! Log lines on stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Sends log lines to stderr, coloured on a terminal. `filter` has the form of `EnvFilter`; where it has not, `info` holds.
/// A second call changes nothing.
pub fn log_to_stderr(filter: &str) {
    let filter = filter.parse::<EnvFilter>().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // Only the first subscriber of a process counts; a test may have set one.
    let _ = lines.try_init();
}
