//! Connections to the server: how they are set, and that the server is new enough.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event};
use tokio::sync::watch;

/// The oldest nats-server that is known to keep what the journal needs.
pub const OLDEST_SERVER: Version = Version { major: 2, minor: 14, patch: 5 };

/// A dead peer is noticed after two of these.
const PING_INTERVAL: Duration = Duration::from_secs(2);
/// How many commands wait at most in one connection for the socket.
const CLIENT_CAPACITY: usize = 16_384;
/// How many messages wait at most in one subscription.
const SUBSCRIPTION_CAPACITY: usize = 65_536;
const LONGEST_RECONNECT_DELAY: Duration = Duration::from_secs(2);

/// How to reach a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NatsOptions {
    /// One or more addresses, with commas between: `nats://127.0.0.1:4222`.
    pub url: String,
    /// The name under which the server lists the connections.
    pub name: String,
    /// How long the first connection may take.
    pub connect_patience: Duration,
    /// How long one request may take before its outcome is unknown.
    pub request_patience: Duration,
}

impl NatsOptions {
    /// The defaults for this address: 5 s for everything.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            name: "doorbuster".to_owned(),
            connect_patience: Duration::from_secs(5),
            request_patience: Duration::from_secs(5),
        }
    }
}

/// A server version, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 2 of 2.14.5.
    pub major: u32,
    /// 14 of 2.14.5.
    pub minor: u32,
    /// 5 of 2.14.5.
    pub patch: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = ConnectError;

    /// Reads `2.14.5`, also with a suffix: `2.15.0-RC.1`.
    fn from_str(text: &str) -> Result<Self, ConnectError> {
        let unreadable = || ConnectError::UnreadableVersion(text.to_owned());
        let release = text.trim_start_matches('v').split(['-', '+']).next().unwrap_or_default();
        let mut numbers = release.split('.').map(str::parse);
        let mut next = || numbers.next().and_then(Result::ok).ok_or_else(unreadable);
        Ok(Self { major: next()?, minor: next()?, patch: next()? })
    }
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers there, or not in time, or refuses us.
    #[error("no NATS server at {url}: {cause}")]
    Unreachable {
        /// Where.
        url: String,
        /// What the client library said.
        cause: String,
    },
    /// The server is older than what the journal can rely on.
    #[error(
        "nats-server {found} at {url} is too old: {OLDEST_SERVER} or newer is needed; upgrade the server"
    )]
    TooOld {
        /// Where.
        url: String,
        /// What runs there.
        found: Version,
    },
    /// The server says something that is no version.
    #[error("the server calls itself version {0:?}, which cannot be compared with {OLDEST_SERVER}")]
    UnreadableVersion(String),
}

/// One connection, and a counter of how often it was lost.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) client: Client,
    losses: watch::Receiver<u64>,
}

impl Connection {
    pub(super) async fn open(options: &NatsOptions, role: &str) -> Result<Self, ConnectError> {
        let unreachable = |cause: String| ConnectError::Unreachable { url: options.url.clone(), cause };
        let addresses: Vec<_> = options.url.split(',').map(|url| url.trim().to_owned()).collect();
        let (lost, losses) = watch::channel(0);
        let connecting = ConnectOptions::new()
            .name(format!("{} {role}", options.name))
            .ping_interval(PING_INTERVAL)
            .connection_timeout(options.connect_patience)
            .request_timeout(Some(options.request_patience))
            .client_capacity(CLIENT_CAPACITY)
            .subscription_capacity(SUBSCRIPTION_CAPACITY)
            .max_reconnects(None)
            .reconnect_delay_callback(|attempt| {
                let delay =
                    Duration::from_millis(u64::try_from(attempt).unwrap_or(u64::MAX).saturating_mul(50));
                delay.min(LONGEST_RECONNECT_DELAY)
            })
            .event_callback(move |event| {
                match event {
                    Event::Disconnected | Event::Closed => {
                        lost.send_modify(|times| *times += 1);
                        tracing::warn!(%event, "NATS connection");
                    }
                    Event::Connected => tracing::info!(%event, "NATS connection"),
                    other => tracing::warn!(event = %other, "NATS connection"),
                }
                std::future::ready(())
            })
            .connect(addresses);
        let client = match tokio::time::timeout(options.connect_patience, connecting).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(unreachable(error.to_string())),
            Err(_) => return Err(unreachable(format!("no answer in {:?}", options.connect_patience))),
        };
        Ok(Self { client, losses })
    }

    pub(super) fn is_up(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    /// How often it was lost so far.
    pub(super) fn times_lost(&self) -> u64 {
        *self.losses.borrow()
    }

    /// Sees connection losses from now on.
    pub(super) fn watch(&self) -> LossWatch {
        let mut losses = self.losses.clone();
        losses.mark_unchanged();
        LossWatch { losses }
    }

    /// The version of the server, if it is new enough.
    pub(super) fn checked_version(&self, url: &str) -> Result<Version, ConnectError> {
        check(&self.client.server_info().version, url)
    }
}

fn check(version: &str, url: &str) -> Result<Version, ConnectError> {
    let found: Version = version.parse()?;
    if found < OLDEST_SERVER { Err(ConnectError::TooOld { url: url.to_owned(), found }) } else { Ok(found) }
}

/// Says when the connection was lost.
#[derive(Debug)]
pub(super) struct LossWatch {
    losses: watch::Receiver<u64>,
}

impl LossWatch {
    /// Comes back at the next loss.
    pub(super) async fn lost(&mut self) {
        if self.losses.changed().await.is_err() {
            // The client is gone for good; whoever waits beside this has its own answer.
            std::future::pending::<()>().await;
        }
    }

    /// Was the connection lost since this watch was made or asked?
    pub(super) fn was_lost(&mut self) -> bool {
        let lost = self.losses.has_changed().unwrap_or(true);
        self.losses.mark_unchanged();
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectError, Version, check};

    #[test]
    fn servers_older_than_the_oldest_are_refused_with_both_versions() {
        for good in ["2.14.5", "2.15.1", "v2.15.0-RC.2", "3.0.0"] {
            assert!(check(good, "nats://here").is_ok(), "{good}");
        }
        for old in ["2.14.4", "2.10.29", "1.99.99"] {
            let error = check(old, "nats://here").unwrap_err();
            assert_eq!(
                error,
                ConnectError::TooOld { url: "nats://here".to_owned(), found: old.parse().unwrap() }
            );
            let text = error.to_string();
            assert!(text.contains(old) && text.contains("2.14.5") && text.contains("nats://here"), "{text}");
        }
        assert!("two".parse::<Version>().is_err());
    }
}
