//! What all participants share: a key is applied once, and its answer is remembered.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::contract::Command;
use crate::ledger::Change;

/// What a participant has decided about a command.
#[derive(Debug)]
pub(super) struct Decided {
    /// Domain and name of the answer.
    pub(super) kind: (&'static str, &'static str),
    /// The body of the answer.
    pub(super) body: String,
    /// What it has written into its books.
    pub(super) change: Change,
    /// How many parcels will leave because of it.
    pub(super) parcels: u32,
}

impl Decided {
    pub(super) const fn new(kind: (&'static str, &'static str), body: String, change: Change) -> Self {
        Self { kind, body, change, parcels: 0 }
    }
}

/// A parcel that has left a node.
#[derive(Debug)]
pub(super) struct Departure {
    /// What tells it apart.
    pub(super) parcel: String,
    /// The body of the fact.
    pub(super) body: String,
    /// What was written into the books.
    pub(super) change: Change,
}

/// What is particular to one participant.
pub(super) trait Trade: Send {
    /// What it keeps of one order.
    type Book: Default + Send;

    /// The domain of its commands.
    const DOMAIN: &'static str;

    /// Applies a command that it has not seen before. None = it does not know it.
    fn decide(&self, command: &Command<'_>, is_refused: bool, book: &mut Self::Book) -> Option<Decided>;

    /// A parcel leaves; none = nothing is left to send.
    fn depart(
        &self,
        _order: &str,
        _shipment: &str,
        _parcel: u32,
        _book: &mut Self::Book,
    ) -> Option<Departure> {
        None
    }

    /// How long after the answer the first parcel leaves, and after that each next one.
    fn parcel_gap(&self) -> Duration {
        Duration::from_millis(1)
    }
}

/// An answer as it is given, each time the command comes.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) kind: (&'static str, &'static str),
    pub(super) body: Arc<str>,
}

/// What a participant remembers of one order.
#[derive(Debug)]
pub(super) struct Memory<B> {
    pub(super) book: B,
    /// By idempotency key: how often it came, and the answer once there is one.
    pub(super) keys: HashMap<Box<str>, (u32, Option<Answer>)>,
}

impl<B: Default> Default for Memory<B> {
    fn default() -> Self {
        Self { book: B::default(), keys: HashMap::new() }
    }
}

/// What a participant remembers of all orders; forgets those it is told to forget, some time later.
#[derive(Debug)]
pub(super) struct Desk<B> {
    orders: HashMap<Box<str>, Memory<B>>,
    leaving: VecDeque<Arc<str>>,
    kept: usize,
}

impl<B: Default> Desk<B> {
    /// `kept`: how many orders that may be forgotten are still remembered, because their commands may come again.
    pub(super) fn new(kept: usize) -> Self {
        Self { orders: HashMap::new(), leaving: VecDeque::new(), kept }
    }

    pub(super) fn memory(&mut self, order: &str) -> &mut Memory<B> {
        if !self.orders.contains_key(order) {
            self.orders.insert(order.into(), Memory::default());
        }
        self.orders.get_mut(order).expect("it was put there if it was missing")
    }

    pub(super) fn forget(&mut self, orders: impl IntoIterator<Item = Arc<str>>) {
        self.leaving.extend(orders);
        while self.leaving.len() > self.kept {
            if let Some(order) = self.leaving.pop_front() {
                self.orders.remove(&*order);
            }
        }
    }
}
