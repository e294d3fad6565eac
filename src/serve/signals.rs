//! The signals that ask the process to end.

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Failure;

/// Completes at the first SIGTERM or SIGINT. They are caught from this call on, not from the first poll.
///
/// # Errors
/// The operating system refuses a handler.
pub(crate) fn until_asked_to_end() -> Result<impl Future<Output = ()>, Failure> {
    let refused = |error: std::io::Error| {
        Failure::unavailable(format!("cannot catch signals: {error}"), "run on a system with POSIX signals")
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("asked to end by SIGTERM"),
            _ = interrupt.recv() => tracing::info!("asked to end by SIGINT"),
        }
    })
}
