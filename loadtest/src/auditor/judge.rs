//! The auditor itself: hands what it sees to the case of the order, closes cases, and forgets clean ones.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bus::ports::Stored;

use super::case::{Case, Stage};
use super::check::{Check, Findings};
use super::events::End;
use super::stock::{Concerns, Heard, Stock, order_of};
use super::verdict::{Record, Tally, Verdict};
use crate::contract::{Command, Page, PageEvent, StockFact, Submit};
use crate::ledger::{Entry, Witness};
use crate::workload::Ends;

/// How the auditor works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Starts every order id of this run; other orders on the same streams are somebody else's.
    pub prefix: String,
    /// How many clean orders are still watched before the oldest is forgotten.
    pub quiet_orders: usize,
    /// False if answers may be so late, or so often missing, that an order is given up at its commit deadline.
    pub patient: bool,
}

/// Something that the pages told and that others wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The order, or the reservation.
    pub order: Arc<str>,
    /// What is new.
    pub kind: NewsKind,
    /// It has ended, and as `completed`.
    pub completed: bool,
}

/// What is new about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewsKind {
    /// Its first event was told.
    Received,
    /// It is committed.
    Committed,
    /// A node was asked to send units of it.
    AtNode,
    /// A reservation holds everything; its id stands instead of the order's.
    Held,
    /// A reservation cannot be held; its id stands instead of the order's.
    HoldRefused,
    /// It has ended.
    Ended,
}

/// Judges orders from messages and books; see [`Check`] for what is judged.
#[derive(Debug)]
pub struct Auditor {
    settings: Settings,
    sees_books: bool,
    cases: HashMap<Arc<str>, Case>,
    quiet: VecDeque<Arc<str>>,
    unsettled: usize,
    forgotten: Vec<Arc<str>>,
    /// The last record by tenant and partition: a record has pages for each of its tenants.
    pages: BTreeMap<(Box<str>, u32), u64>,
    stock: Stock,
    record: Record,
    tally: Tally,
}

impl Auditor {
    /// An auditor that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            sees_books: true,
            cases: HashMap::new(),
            quiet: VecDeque::new(),
            unsettled: 0,
            forgotten: Vec::new(),
            pages: BTreeMap::new(),
            stock: Stock::default(),
            record: Record::default(),
            tally: Tally::default(),
        }
    }

    /// An auditor of orders whose participants are somebody else's: it judges what receipts and events tell, and no books.
    #[must_use]
    pub fn without_books(mut self) -> Self {
        self.sees_books = false;
        self.stock.without_books();
        self
    }

    fn closing(&self, case: &Case) -> Findings {
        if self.sees_books { case.closing(self.settings.patient) } else { case.closing_by_events() }
    }

    /// An order is about to be handed to the broker; told before it can be processed.
    pub fn submitted(&mut self, submit: &Submit, legal: Ends) {
        self.tally.submitted += 1;
        self.tally.open += 1;
        self.cases.insert(submit.order_id.as_str().into(), Case::new(submit, legal));
    }

    /// The broker refused the order for good: it was never handed over.
    pub fn withdrawn(&mut self, order: &str) {
        if self.cases.remove(order).is_some() {
            self.tally.submitted -= 1;
            self.tally.open -= 1;
        }
    }

    /// A customer is about to hold something.
    pub fn holding(&mut self, reservation: &str) {
        self.stock.asked(reservation);
    }

    /// A warehouse or the ERP is about to say something of the stock of an item.
    pub fn stock(&mut self, fact: &StockFact) {
        self.stock.fact(fact);
    }

    /// Of this counter (`promotion~<id>`, `coupon~<code>`) there are so many uses.
    pub fn limited(&mut self, counter: String, uses: u32) {
        self.stock.limited(counter, uses);
    }

    /// Has everything that was said of the stock been heard?
    pub fn stock_is_heard(&self) -> bool {
        self.stock.is_heard()
    }

    /// A receipt says that the order was refused without being begun. It is out of the books: nothing may have happened to it, and
    /// whatever is heard of it from now on is a violation.
    pub fn turned_away(&mut self, order: &str) {
        let Some(case) = self.cases.get(order) else { return };
        let (is_open, is_untouched) = (case.stage == Stage::Open, case.is_untouched());
        let mut findings = Findings::default();
        findings.holds(Check::ReceiptIsTrue, is_untouched, || {
            "a receipt says that it was not begun, but something has happened to it".to_owned()
        });
        self.record.add(order, findings);
        if is_open && is_untouched {
            self.cases.remove(order);
            self.tally.open -= 1;
            self.tally.turned_away += 1;
        }
    }

    /// The customer is about to ask that something be cancelled.
    pub fn asked(&mut self, order: &str) {
        if let Some(case) = self.cases.get_mut(order) {
            case.asked = true;
        }
    }

    /// The receipt of a submit has come.
    pub fn receipt(&mut self, order: &str, accepted: bool) {
        let Some(case) = self.cases.get_mut(order) else { return };
        let mut findings = Findings::default();
        findings.holds(Check::ReceiptIsTrue, case.accepted.is_none_or(|before| before == accepted), || {
            format!("a second receipt says accepted = {accepted}")
        });
        case.accepted = Some(accepted);
        self.record.add(order, findings);
    }

    /// A participant has read a command.
    pub fn command(&mut self, command: &Command<'_>) {
        // A command of an order that is forgotten can only be read again: participants remember longer, and answer the same.
        let Some(case) = self.cases.get_mut(command.key) else { return };
        let mut findings = Findings::default();
        case.command(command, &mut findings);
        self.record.add(command.key, findings);
        self.settle(command.key);
    }

    /// A participant has written into its books.
    pub fn applied(&mut self, entry: Entry<'_>) {
        let mut findings = Findings::default();
        if let Some(case) = self.cases.get_mut(entry.order) {
            case.applied(&entry, &mut findings);
            if let Some((node, taken)) = case.taken_by(entry.change) {
                for (sku, units) in taken {
                    self.stock.departed(sku, node, units);
                }
            }
        } else if entry.order.starts_with(&self.settings.prefix) {
            findings.holds(Check::FinalIsFinal, false, || format!("{:?} after the end", entry.change));
        }
        self.record.add(entry.order, findings);
        self.settle(entry.order);
    }

    /// A message could not be read.
    pub fn unreadable(&mut self, what: &str) {
        let mut findings = Findings::default();
        findings.holds(Check::Form, false, || what.to_owned());
        self.record.add("-", findings);
    }

    /// A page was read. Gives what others wait for.
    pub fn page(&mut self, stored: &Stored) -> Vec<News> {
        let page = match Page::read(stored) {
            Ok(page) => page,
            Err(cause) => {
                self.unreadable(&cause.to_string());
                return Vec::new();
            }
        };
        let tenant = stored.subject.split('.').nth(3).unwrap_or_default();
        let place = (tenant.into(), page.partition);
        let last = self.pages.insert(place, page.journal_sequence).unwrap_or(0);
        let mut findings = Findings::default();
        findings.holds(Check::PagesInOrder, page.journal_sequence > last, || {
            format!(
                "{tenant}, partition {}: page {} came after page {last}",
                page.partition, page.journal_sequence
            )
        });
        self.record.add("-", findings);
        let news = page.events.iter().filter_map(|event| self.event(event)).collect();
        self.forget_oldest();
        news
    }

    fn event(&mut self, event: &PageEvent<'_>) -> Option<News> {
        let key = event.key.as_ref();
        let concerns = Concerns::of(event);
        if concerns != Concerns::Order {
            return self.stock_event(concerns, event);
        }
        let mut findings = Findings::default();
        let Some((order, _)) = self.cases.get_key_value(key) else {
            if key.starts_with(&self.settings.prefix) {
                findings.holds(Check::FinalIsFinal, false, || format!("{} after the end", event.kind));
                self.record.add(key, findings);
            }
            return None;
        };
        let order = Arc::clone(order);
        let case = self.cases.get_mut(key)?;
        let has_ended = case.event(event, &mut findings);
        let end = case.events.end;
        self.record.add(key, findings);
        if has_ended {
            self.tally.open -= 1;
            match end {
                Some(End::Completed) => self.tally.completed += 1,
                Some(End::Cancelled) => self.tally.cancelled += 1,
                Some(End::Rejected) | None => self.tally.rejected += 1,
            }
            self.unsettled += 1;
            case_of(&mut self.cases, key).stage = Stage::Unsettled;
        }
        self.settle(key);
        let kind = match event.kind.as_ref() {
            "order.received" => NewsKind::Received,
            "order.committed" => NewsKind::Committed,
            "shipment.requested" => NewsKind::AtNode,
            _ if has_ended => NewsKind::Ended,
            _ => return None,
        };
        Some(News { order, kind, completed: has_ended && end == Some(End::Completed) })
    }

    /// An event of a cell, a counter or a reservation of this run.
    fn stock_event(&mut self, concerns: Concerns, event: &PageEvent<'_>) -> Option<News> {
        let key = event.key.as_ref();
        let name = if concerns == Concerns::Counter { key.split_once('~')?.1 } else { key };
        if !name.starts_with(&self.settings.prefix) {
            return None;
        }
        let mut findings = Findings::default();
        let heard = self.stock.event(concerns, event, &mut findings);
        self.record.add(key, findings);
        let order = order_of(key);
        if heard == Some(Heard::Refused)
            && let Some(case) = self.cases.get_mut(order)
        {
            case.refused = true;
            self.settle(order);
        }
        let kind = match heard? {
            Heard::Held => NewsKind::Held,
            Heard::Refused => NewsKind::HoldRefused,
            Heard::Other => return None,
        };
        Some(News { order: key.into(), kind, completed: false })
    }

    /// Closes an ended order as soon as everything about it holds.
    fn settle(&mut self, order: &str) {
        let Some((name, case)) = self.cases.get_key_value(order) else { return };
        if case.stage != Stage::Unsettled {
            return;
        }
        let findings = self.closing(case);
        if !findings.is_clean() {
            return;
        }
        let name = Arc::clone(name);
        self.record.add(order, findings);
        self.unsettled -= 1;
        case_of(&mut self.cases, order).stage = Stage::Quiet;
        self.quiet.push_back(name);
    }

    /// Forgets the oldest clean orders; never within a page, which may still tell of an order that has just ended.
    fn forget_oldest(&mut self) {
        while self.quiet.len() > self.settings.quiet_orders {
            let Some(order) = self.quiet.pop_front() else { return };
            if let Some(case) = self.cases.remove(&order) {
                // Something may have come after it was found clean.
                let findings = self.closing(&case);
                self.record.add(&order, findings);
            }
            self.forgotten.push(order);
        }
    }

    /// The orders that were forgotten since the last call: participants may forget them too.
    pub fn take_forgotten(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.forgotten)
    }

    /// How the orders have ended so far.
    pub const fn tally(&self) -> Tally {
        self.tally
    }

    /// True if every order has ended and nothing about any is still to come.
    pub fn is_settled(&self) -> bool {
        self.tally.open == 0 && self.unsettled == 0 && self.stock.is_settled(|order| self.is_sold(order))
    }

    /// May something of the order have left? Those that are forgotten were clean, and are not looked at again.
    fn is_sold(&self, order: &str) -> bool {
        self.cases.get(order).is_none_or(|case| case.events.end.is_none_or(|end| end == End::Completed))
    }

    /// The verdict if nothing more were to come.
    pub fn verdict(&self) -> Verdict {
        let mut record = self.record.clone();
        let mut rest: Vec<(&Arc<str>, &Case)> = self.cases.iter().collect();
        rest.sort_by_key(|(order, _)| *order);
        for (order, case) in rest {
            record.add(order, self.closing(case));
        }
        let is_live = |order: &str| self.cases.get(order).is_some_and(|case| case.stage == Stage::Open);
        record.add("-", self.stock.closing(is_live, |order| self.is_sold(order)));
        Verdict {
            clean: record.total == 0,
            checks: record.checks,
            violations: record.kept,
            violations_total: record.total,
            by_check: record.by_check.iter().map(|(check, count)| ((*check).to_owned(), *count)).collect(),
            orders: self.tally,
        }
    }
}

fn case_of<'a>(cases: &'a mut HashMap<Arc<str>, Case>, order: &str) -> &'a mut Case {
    cases.get_mut(order).expect("it was found a moment ago under the same exclusive borrow")
}

impl Witness for Mutex<Auditor> {
    fn command(&self, command: &Command<'_>) {
        self.lock().unwrap_or_else(PoisonError::into_inner).command(command);
    }

    fn applied(&self, entry: Entry<'_>) {
        self.lock().unwrap_or_else(PoisonError::into_inner).applied(entry);
    }

    fn unreadable(&self, what: &str) {
        self.lock().unwrap_or_else(PoisonError::into_inner).unreadable(what);
    }
}
