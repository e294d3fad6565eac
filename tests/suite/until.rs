//! Waiting for a condition, with a bound.

use std::time::Duration;

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Looks at `condition` until it gives something; after `bound` the test fails and says `what` never came.
pub(crate) async fn until<T, F>(bound: Duration, what: &str, mut condition: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let looks = async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let found = tokio::time::timeout(bound, looks).await;
    found.unwrap_or_else(|_| panic!("{what}: not within {} s", bound.as_secs()))
}
