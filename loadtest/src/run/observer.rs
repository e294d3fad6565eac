//! Hears everything: what the shop notes, what participants do, what pages and receipts tell; hands it to auditor and recorder.
//!
//! The shop must never wait for the auditor, so it only leaves notes. They are taken up before anything else is looked at, and
//! since a note about an order is left before the order is sent, nobody hears of an order that is not known.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus::ports::{Outgoing, Stored};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;

use super::orders::Orders;
use super::recorder::{Begun, Recorder};
use crate::auditor::{Auditor, NewsKind};
use crate::contract::{Command, ReceiptBody, Submit};
use crate::ledger::{Change, Entry, Witness};
use crate::scenario::objective::Leg;
use crate::simulators::Audits;
use crate::workload::{Ends, Moment};

/// What the shop has done.
#[derive(Debug)]
pub(super) enum Note {
    /// An order is about to be handed to the broker.
    Begun { begun: Begun, submit: Box<Submit>, legal: Ends },
    /// A customer is about to hold something.
    Holding(String),
    /// Something is to be sent when it is time; the text is the order or the reservation.
    Later(String, Moment, Outgoing),
    /// Somebody waits for the moment when this reservation is held, or cannot be.
    Awaited(String, oneshot::Sender<()>),
    /// The customer is about to ask that something be cancelled.
    Asked(String),
    /// The broker has stored the submit.
    Acked { number: u64, at: Instant },
    /// The broker has stored a poison message.
    PoisonStored,
    /// Something did not go at once.
    Trouble(Trouble, String),
    /// So many orders were due and never sent.
    Unsent(u64),
    /// The submit was never stored, for this reason.
    Withdrawn { number: u64, order: String },
}

/// What can go wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trouble {
    Full,
    Unknown,
    Refused,
    GivenUp,
}

impl Trouble {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "stream full, sent again",
            Self::Unknown => "no definite answer, sent again",
            Self::Refused => "refused by the broker",
            Self::GivenUp => "given up at the end",
        }
    }
}

/// Everything that is known.
#[derive(Debug)]
pub(super) struct State {
    pub(super) auditor: Auditor,
    pub(super) recorder: Recorder,
    pub(super) errors: BTreeMap<Trouble, (u64, String)>,
    /// By order or reservation.
    later: HashMap<Box<str>, (Moment, Outgoing)>,
    awaited: HashMap<Box<str>, oneshot::Sender<()>>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Observer {
    orders: Arc<Orders>,
    room: Arc<Semaphore>,
    notes: Mutex<Vec<Note>>,
    state: Mutex<State>,
}

impl Observer {
    pub(super) fn new(
        orders: Arc<Orders>,
        room: Arc<Semaphore>,
        auditor: Auditor,
        recorder: Recorder,
    ) -> Self {
        let (errors, later, awaited) = (BTreeMap::new(), HashMap::new(), HashMap::new());
        let state = State { auditor, recorder, errors, later, awaited };
        Self { orders, room, notes: Mutex::default(), state: Mutex::new(state) }
    }

    pub(super) fn orders(&self) -> Arc<Orders> {
        Arc::clone(&self.orders)
    }

    /// The room for orders under way.
    pub(super) fn room(&self) -> Arc<Semaphore> {
        Arc::clone(&self.room)
    }

    /// Leaves a note.
    pub(super) fn note(&self, note: Note) {
        locked(&self.notes).push(note);
    }

    /// What is known now, all notes taken up.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        let mut state = locked(&self.state);
        let notes = std::mem::take(&mut *locked(&self.notes));
        for note in notes {
            self.take_up(&mut state, note);
        }
        state
    }

    fn take_up(&self, state: &mut State, note: Note) {
        match note {
            Note::Begun { begun, submit, legal } => {
                state.auditor.submitted(&submit, legal);
                state.recorder.begun(begun);
            }
            Note::Holding(reservation) => state.auditor.holding(&reservation),
            Note::Later(whom, moment, message) => {
                state.later.insert(whom.into(), (moment, message));
            }
            Note::Awaited(reservation, waiting) => {
                state.awaited.insert(reservation.into(), waiting);
            }
            Note::Asked(order) => state.auditor.asked(&order),
            Note::Acked { number, at } => state.recorder.reached(number, Leg::Ack, at),
            Note::Unsent(orders) => state.recorder.counts.unsent += orders,
            Note::PoisonStored => state.recorder.counts.poison += 1,
            Note::Trouble(trouble, example) => {
                let counts = &mut state.recorder.counts;
                match trouble {
                    Trouble::Full => counts.full += 1,
                    Trouble::Unknown => counts.unknown += 1,
                    Trouble::Refused => counts.refused += 1,
                    Trouble::GivenUp => counts.given_up += 1,
                }
                state.errors.entry(trouble).or_insert((0, example)).0 += 1;
            }
            Note::Withdrawn { number, order } => {
                state.auditor.withdrawn(&order);
                state.later.remove(&*order);
                state.recorder.withdrawn(number, Instant::now());
                self.room.add_permits(1);
            }
        }
    }

    /// A page was read. Gives the wishes that are due, and whether anything of this run was in it.
    pub(super) fn page(&self, stored: &Stored, at: Instant) -> (Vec<Outgoing>, bool) {
        let mut due = Vec::new();
        let mut state = self.state();
        let news = state.auditor.page(stored);
        for one in &news {
            if matches!(one.kind, NewsKind::Held | NewsKind::HoldRefused) {
                if let Some(waiting) = state.awaited.remove(&*one.order) {
                    // Whoever does not wait any more has given up.
                    let _ = waiting.send(());
                }
                due.extend(state.later.remove(&*one.order).map(|(_, message)| message));
                continue;
            }
            let Some(number) = self.orders.number_in(&one.order) else { continue };
            let moment = match one.kind {
                NewsKind::Received => {
                    state.recorder.reached(number, Leg::Accept, at);
                    continue;
                }
                NewsKind::Committed => {
                    state.recorder.reached(number, Leg::Commit, at);
                    Moment::Committed
                }
                NewsKind::AtNode => Moment::AtNode,
                NewsKind::Held | NewsKind::HoldRefused => continue,
                NewsKind::Ended => {
                    // A rejected order is settled by its end; of one that was committed, only the first sign counts.
                    state.recorder.reached(number, Leg::Commit, at);
                    if one.completed {
                        state.recorder.reached(number, Leg::Complete, at);
                    }
                    state.recorder.ended(number, at);
                    state.later.remove(&*one.order);
                    self.room.add_permits(1);
                    continue;
                }
            };
            let is_due = state.later.get(&*one.order).is_some_and(|(when, _)| *when == moment);
            if is_due && let Some((_, wish)) = state.later.remove(&*one.order) {
                state.auditor.asked(&one.order);
                due.push(wish);
            }
        }
        (due, !news.is_empty())
    }

    /// The server has not begun an order, and says so.
    fn turned_away(&self, state: &mut State, receipt: &ReceiptBody<'_>, at: Instant) {
        let Some(number) = self.orders.number_in(&receipt.order_id) else { return };
        if !state.recorder.turned_away(number, at) {
            return;
        }
        state.auditor.turned_away(&receipt.order_id);
        state.recorder.counts.expired += u64::from(receipt.is_expired());
        state.later.remove(&*receipt.order_id);
        self.room.add_permits(1);
    }

    /// A receipt has come.
    pub(super) fn receipt(&self, body: &[u8], at: Instant) {
        let mut state = self.state();
        let Ok(receipt) = serde_json::from_slice::<ReceiptBody<'_>>(body) else {
            state.auditor.unreadable("a receipt that is not of the form of the contract");
            return;
        };
        if receipt.is_turned_away() {
            self.turned_away(&mut state, &receipt, at);
            return;
        }
        let accepted = match receipt.outcome.as_ref() {
            "accepted" => true,
            "rejected" => false,
            _ => return, // pending: the settlement is still to come
        };
        state.auditor.receipt(&receipt.order_id, accepted);
        if let Some(number) = self.orders.number_in(&receipt.order_id) {
            state.recorder.reached(number, Leg::Commit, at);
        }
    }
}

impl Audits for Observer {
    fn audit<T>(&self, act: impl FnOnce(&mut Auditor) -> T) -> T {
        act(&mut self.state().auditor)
    }
}

impl Witness for Observer {
    fn command(&self, command: &Command<'_>) {
        self.state().auditor.command(command);
    }

    fn applied(&self, entry: Entry<'_>) {
        let mut state = self.state();
        if let Change::Departed { lines: units, .. } = entry.change
            && let Some(number) = self.orders.number_in(entry.order)
            && state.recorder.is_hot(number)
        {
            // The hot item is always the first line.
            let departed =
                units.iter().filter(|row| row.line == 1).map(|row| u64::from(row.quantity)).sum::<u64>();
            state.recorder.counts.hot_departed += departed;
        }
        state.auditor.applied(entry);
    }

    fn unreadable(&self, what: &str) {
        self.state().auditor.unreadable(what);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
