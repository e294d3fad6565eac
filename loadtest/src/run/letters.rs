//! Dead letters of a run: each poison message must have become one, and nothing else.

use std::time::Duration;

use bus::ports::{OpenError, Position, SharedBus};
use tokio::time::Instant;

use crate::simulators::open;

/// How long the last of them may take.
const WITHIN: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(100);
const AT_ONCE: usize = 256;

/// Counts the dead letters about keys that begin with `prefix`, from `from` on; waits a while until there are `expected`.
pub(super) async fn count(
    bus: &SharedBus,
    stream: &str,
    from: Position,
    prefix: &str,
    expected: u64,
) -> Result<(u64, Option<String>), OpenError> {
    let last = bus.bounds(stream).await?.last;
    let mut reader = open(bus, stream, from).await?;
    let deadline = Instant::now() + WITHIN;
    let (mut found, mut read, mut unexpected) = (0, from.sequence, None);
    while (read < last || found < expected) && Instant::now() < deadline {
        match reader.next(AT_ONCE, LOOK).await {
            Ok(letters) => {
                for letter in &letters {
                    read = letter.sequence;
                    let is_ours = is_in(&letter.body, prefix.as_bytes());
                    if is_ours {
                        found += 1;
                        let is_poison = is_in(&letter.body, b"-poison-");
                        if !is_poison && unexpected.is_none() {
                            let text: String =
                                String::from_utf8_lossy(&letter.body).chars().take(400).collect();
                            unexpected = Some(format!("{}: {text}", letter.subject));
                        }
                    }
                }
            }
            Err(OpenError::Unavailable(cause)) => {
                tracing::debug!(%cause, "waiting for the broker");
                tokio::time::sleep(LOOK).await;
            }
            Err(definite) => return Err(definite),
        }
    }
    Ok((found, unexpected))
}

fn is_in(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
