//! Fire and forget: a bounded queue and one task that empties it into the connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use super::connect::Connection;
use super::translate;
use crate::ports::Outgoing;

/// How many messages wait at most; more are dropped and counted.
const MOST_WAITING: usize = 16_384;

#[derive(Debug)]
pub(super) struct Sender {
    connection: Connection,
    queue: mpsc::Sender<Outgoing>,
    dropped: Arc<AtomicU64>,
}

impl Sender {
    /// Starts the task; it ends with this sender.
    pub(super) fn start(connection: Connection) -> Self {
        let (queue, messages) = mpsc::channel(MOST_WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        drop(tokio::spawn(empty(connection.clone(), messages, dropped.clone())));
        Self { connection, queue, dropped }
    }

    pub(super) fn send(&self, message: Outgoing) -> bool {
        let sent = self.connection.is_up() && self.queue.try_send(message).is_ok();
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        sent
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

async fn empty(connection: Connection, mut messages: mpsc::Receiver<Outgoing>, dropped: Arc<AtomicU64>) {
    let mut batch = Vec::new();
    while messages.recv_many(&mut batch, 256).await > 0 {
        for message in batch.drain(..) {
            // What waited while the connection went away is old news when it comes back; the state re-sends what matters.
            if !connection.is_up() || !publish(&connection, message).await {
                dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

async fn publish(connection: &Connection, message: Outgoing) -> bool {
    let Some(headers) = translate::header_map(&message.headers) else { return false };
    let client = &connection.client;
    let published = if headers.is_empty() {
        client.publish(message.subject, message.body).await
    } else {
        client.publish_with_headers(message.subject, headers, message.body).await
    };
    if let Err(error) = &published {
        tracing::warn!(%error, "a message was not sent");
    }
    published.is_ok()
}
