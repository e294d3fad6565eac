//! Core messages: subscriptions, and requests with one answer. Nothing is stored.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::layout::matches;
use crate::ports::{Outgoing, Request, Subscription};

/// A subscriber that lags by more loses what comes, as with the real server.
const MOST_WAITING: usize = 65_536;

#[derive(Debug)]
struct Listener {
    id: u64,
    pattern: String,
    inbox: mpsc::Sender<Request>,
}

#[derive(Debug, Default)]
struct Listeners {
    exact: HashMap<String, Vec<Listener>>,
    wild: Vec<Listener>,
    next_id: u64,
}

#[derive(Debug, Default)]
pub(super) struct Core {
    /// So that a publish without any listener takes no lock.
    count: AtomicUsize,
    listeners: Mutex<Listeners>,
}

impl Core {
    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn listen(self: &Arc<Self>, pattern: &str) -> CoreSubscription {
        let (inbox, messages) = mpsc::channel(MOST_WAITING);
        let mut listeners = self.listeners();
        listeners.next_id += 1;
        let listener = Listener { id: listeners.next_id, pattern: pattern.to_owned(), inbox };
        let subscription =
            CoreSubscription { core: self.clone(), id: listener.id, pattern: pattern.to_owned(), messages };
        if is_wild(pattern) {
            listeners.wild.push(listener);
        } else {
            listeners.exact.entry(pattern.to_owned()).or_default().push(listener);
        }
        self.count.fetch_add(1, Ordering::Release);
        subscription
    }

    /// A subject that nobody else listens to.
    pub(super) fn new_inbox(&self) -> String {
        let mut listeners = self.listeners();
        listeners.next_id += 1;
        format!("_INBOX.memory.{}", listeners.next_id)
    }

    /// Gives a message to everybody who listens; says how many did.
    pub(super) fn deliver(&self, message: &Outgoing, reply_to: Option<&str>) -> usize {
        if self.count.load(Ordering::Acquire) == 0 {
            return 0;
        }
        let listeners = self.listeners();
        let exact = listeners.exact.get(&message.subject).into_iter().flatten();
        let wild = listeners.wild.iter().filter(|listener| matches(&listener.pattern, &message.subject));
        let mut heard = 0;
        for listener in exact.chain(wild) {
            let request = Request {
                subject: message.subject.clone(),
                reply_to: reply_to.map(str::to_owned),
                headers: message.headers.clone(),
                body: message.body.clone(),
            };
            if let Err(error) = listener.inbox.try_send(request) {
                tracing::warn!(pattern = listener.pattern, %error, "a subscriber lags, a message is lost");
            }
            heard += 1;
        }
        heard
    }
}

fn is_wild(pattern: &str) -> bool {
    pattern.split('.').any(|token| token == "*" || token == ">")
}

#[derive(Debug)]
pub(super) struct CoreSubscription {
    core: Arc<Core>,
    id: u64,
    pattern: String,
    messages: mpsc::Receiver<Request>,
}

#[async_trait]
impl Subscription for CoreSubscription {
    async fn next(&mut self) -> Option<Request> {
        self.messages.recv().await
    }
}

impl Drop for CoreSubscription {
    fn drop(&mut self) {
        let mut listeners = self.core.listeners();
        if is_wild(&self.pattern) {
            listeners.wild.retain(|listener| listener.id != self.id);
        } else if let Some(same) = listeners.exact.get_mut(&self.pattern) {
            same.retain(|listener| listener.id != self.id);
            if same.is_empty() {
                listeners.exact.remove(&self.pattern);
            }
        }
        self.core.count.fetch_sub(1, Ordering::Release);
    }
}
