//! Dead letters of a run: each poison message and each order that came too late must have become one. Wishes about orders that were
//! turned away may.

use std::time::Duration;

use bus::ports::{OpenError, Position, SharedBus};
use tokio::time::Instant;

use crate::simulators::open;

/// How long the last of them may take.
const WITHIN: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(100);
const AT_ONCE: usize = 256;

/// Dead letters of a run by what became one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Letters {
    pub(super) poison: u64,
    /// Orders that were too late to be begun.
    pub(super) expired: u64,
    /// Wishes about orders that do not exist.
    pub(super) wishes: u64,
    /// Of all others the first.
    pub(super) unexpected: Option<String>,
    /// How many others there are.
    pub(super) others: u64,
}

impl Letters {
    /// All of them.
    pub(super) const fn all(&self) -> u64 {
        self.poison + self.expired + self.wishes + self.others
    }

    fn add(&mut self, subject: &str, body: &[u8]) {
        let reason = subject.rsplit('.').nth(1);
        if is_in(body, b"-poison-") {
            self.poison += 1;
        } else if reason == Some("expired") {
            self.expired += 1;
        } else if reason == Some("unknown_entity") {
            self.wishes += 1;
        } else {
            self.others += 1;
            self.unexpected.get_or_insert_with(|| {
                let text: String = String::from_utf8_lossy(body).chars().take(400).collect();
                format!("{subject}: {text}")
            });
        }
    }
}

/// Counts the dead letters about keys that begin with `prefix`, from `from` on; waits a while until there are `expected`.
pub(super) async fn count(
    bus: &SharedBus,
    stream: &str,
    from: Position,
    prefix: &str,
    expected: u64,
) -> Result<Letters, OpenError> {
    let last = bus.bounds(stream).await?.last;
    let mut reader = open(bus, stream, from).await?;
    let deadline = Instant::now() + WITHIN;
    let (mut found, mut read) = (Letters::default(), from.sequence);
    while (read < last || found.poison + found.expired < expected) && Instant::now() < deadline {
        match reader.next(AT_ONCE, LOOK).await {
            Ok(letters) => {
                for letter in &letters {
                    read = letter.sequence;
                    if is_in(&letter.body, prefix.as_bytes()) {
                        found.add(&letter.subject, &letter.body);
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
    Ok(found)
}

fn is_in(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::Letters;

    #[test]
    fn given_letters_when_they_are_counted_then_each_has_its_kind() {
        let mut letters = Letters::default();
        for (reason, body) in [
            ("schema", "r1-poison-7"),
            ("expired", "r1-8"),
            ("unknown_entity", "r1-9"),
            ("schema", "r1-10"),
            ("conflict", "r1-11"),
        ] {
            letters.add(&format!("retail.v1.dlq.main.order.{reason}.3"), body.as_bytes());
        }
        let unexpected = Some("retail.v1.dlq.main.order.schema.3: r1-10".to_owned());
        assert_eq!(letters, Letters { poison: 1, expired: 1, wishes: 1, others: 2, unexpected });
        assert_eq!(letters.all(), 5);
    }
}
