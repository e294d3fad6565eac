//! The messages of one stream with their indexes. Every operation costs the same however many messages there are.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use domain::envelope::Headers;
use tokio::sync::Notify;

use crate::layout::matches;
use crate::ports::{Position, Stored};

#[derive(Debug)]
struct Message {
    subject: Arc<str>,
    headers: Headers,
    body: Bytes,
    timestamp_ns: i64,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Subject {
    sequences: VecDeque<u64>,
    filters: Vec<usize>,
}

/// What readers with the same filter share: the sequences that it takes, and a bell.
#[derive(Debug)]
struct Filter {
    pattern: String,
    sequences: VecDeque<u64>,
    bell: Arc<Notify>,
    readers: usize,
}

#[derive(Debug)]
pub(super) struct Kept {
    /// Removed messages in the middle leave a hole; the front is never one.
    messages: VecDeque<Option<Message>>,
    pub(super) first: u64,
    pub(super) last: u64,
    last_timestamp_ns: i64,
    pub(super) count: u64,
    pub(super) bytes: u64,
    subjects: HashMap<Arc<str>, Subject>,
    filters: Vec<Option<Filter>>,
    /// How often the stream has lost its end.
    pub(super) losses: u64,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self {
            messages: VecDeque::new(),
            first: 1,
            last: 0,
            last_timestamp_ns: 0,
            count: 0,
            bytes: 0,
            subjects: HashMap::new(),
            filters: Vec::new(),
            losses: 0,
        }
    }

    /// Stores a message and rings for its readers. Timestamps only grow, also when the clock does not.
    pub(super) fn push(
        &mut self,
        subject: &str,
        headers: Headers,
        body: Bytes,
        bytes: u64,
        now_ns: i64,
    ) -> u64 {
        self.last += 1;
        let sequence = self.last;
        self.last_timestamp_ns = now_ns.max(self.last_timestamp_ns + 1);
        let subject = self.indexed(subject, sequence);
        let timestamp_ns = self.last_timestamp_ns;
        self.messages.push_back(Some(Message { subject, headers, body, timestamp_ns, bytes }));
        self.count += 1;
        self.bytes += bytes;
        sequence
    }

    fn indexed(&mut self, subject: &str, sequence: u64) -> Arc<str> {
        if !self.subjects.contains_key(subject) {
            let filters = (0..self.filters.len()).filter(|at| self.filter_takes(*at, subject)).collect();
            self.subjects.insert(subject.into(), Subject { sequences: VecDeque::new(), filters });
        }
        let most = usize::try_from(self.count).unwrap_or(usize::MAX).saturating_mul(2).saturating_add(1024);
        for at in &self.subjects[subject].filters {
            let Some(Some(filter)) = self.filters.get_mut(*at) else { continue };
            if filter.sequences.len() > most {
                let (messages, first) = (&self.messages, self.first);
                filter.sequences.retain(|sequence| is_there(messages, first, *sequence));
            }
            filter.sequences.push_back(sequence);
            filter.bell.notify_waiters();
        }
        let (name, _) = self.subjects.get_key_value(subject).expect("it was put there above");
        let name = name.clone();
        self.subjects.get_mut(subject).expect("it was put there above").sequences.push_back(sequence);
        name
    }

    fn filter_takes(&self, at: usize, subject: &str) -> bool {
        self.filters[at].as_ref().is_some_and(|filter| matches(&filter.pattern, subject))
    }

    /// The sequence of the last message on `subject`, 0 for none.
    pub(super) fn last_on(&self, subject: &str) -> u64 {
        if subject.contains(['*', '>']) {
            let taken = self.subjects.iter().filter(|(known, _)| matches(subject, known));
            return taken.filter_map(|(_, known)| known.sequences.back().copied()).max().unwrap_or(0);
        }
        self.subjects.get(subject).and_then(|known| known.sequences.back().copied()).unwrap_or(0)
    }

    /// How many messages there are on `subject`.
    pub(super) fn count_on(&self, subject: &str) -> u64 {
        let count = self.subjects.get(subject).map_or(0, |known| known.sequences.len());
        u64::try_from(count).expect("a length is a u64")
    }

    /// The sequence of the oldest message on `subject`.
    pub(super) fn first_on(&self, subject: &str) -> Option<u64> {
        self.subjects.get(subject)?.sequences.front().copied()
    }

    pub(super) fn get(&self, sequence: u64) -> Option<Stored> {
        let message = find(&self.messages, self.first, sequence)?;
        Some(Stored {
            subject: message.subject.to_string(),
            headers: message.headers.clone(),
            body: message.body.clone(),
            sequence,
            timestamp_ns: message.timestamp_ns,
        })
    }

    /// Timestamp of the oldest message.
    pub(super) fn oldest_ns(&self) -> Option<i64> {
        self.messages.front().and_then(Option::as_ref).map(|message| message.timestamp_ns)
    }

    /// Removes one message; readers that have not come to it never see it.
    pub(super) fn remove(&mut self, sequence: u64) {
        let Some(at) = sequence.checked_sub(self.first).and_then(|at| usize::try_from(at).ok()) else {
            return;
        };
        let Some(message) = self.messages.get_mut(at).and_then(Option::take) else { return };
        self.count -= 1;
        self.bytes -= message.bytes;
        self.forget(&message.subject, sequence);
        while let Some(None) = self.messages.front() {
            self.messages.pop_front();
            self.first += 1;
        }
    }

    fn forget(&mut self, name: &Arc<str>, sequence: u64) {
        let Some(subject) = self.subjects.get_mut(name) else { return };
        if subject.sequences.front() == Some(&sequence) {
            subject.sequences.pop_front();
        } else if let Ok(at) = subject.sequences.binary_search(&sequence) {
            subject.sequences.remove(at);
        }
        for at in &subject.filters {
            let Some(Some(filter)) = self.filters.get_mut(*at) else { continue };
            // Removal is at an end nearly always; a hole in the middle is skipped by readers and cleared later.
            if filter.sequences.front() == Some(&sequence) {
                filter.sequences.pop_front();
            } else if filter.sequences.back() == Some(&sequence) {
                filter.sequences.pop_back();
            }
        }
        if subject.sequences.is_empty() {
            self.subjects.remove(name);
        }
    }

    /// Removes everything below `sequence`.
    pub(super) fn remove_below(&mut self, sequence: u64) {
        while self.first < sequence && !self.messages.is_empty() {
            self.remove(self.first);
        }
    }

    /// How many messages behind `sequence` are gone.
    pub(super) fn missing_after(&self, sequence: u64) -> u64 {
        let behind = usize::try_from((sequence + 1).saturating_sub(self.first)).unwrap_or(usize::MAX);
        let there = self.messages.iter().skip(behind).filter(|message| message.is_some()).count();
        self.last.saturating_sub(sequence).saturating_sub(u64::try_from(there).expect("a length is a u64"))
    }

    /// How many messages on subjects of `filter` there are behind `after` up to `through`.
    pub(super) fn count_between(&self, filter: &str, after: u64, through: u64) -> u64 {
        let taken = self.subjects.iter().filter(|(name, _)| matches(filter, name));
        let until = |subject: &Subject, last: u64| subject.sequences.partition_point(|at| *at <= last);
        let count = taken.map(|(_, subject)| until(subject, through).saturating_sub(until(subject, after)));
        u64::try_from(count.sum::<usize>()).expect("a length is a u64")
    }

    /// Removes what is below `sequence` and on a subject that `filter` takes.
    pub(super) fn remove_filtered(&mut self, filter: &str, sequence: u64) {
        let taken = self.subjects.iter().filter(|(name, _)| matches(filter, name));
        let below = |subject: &Subject| subject.sequences.partition_point(|at| *at < sequence);
        let removed = taken.flat_map(|(_, subject)| subject.sequences.range(..below(subject)).copied());
        for sequence in removed.collect::<Vec<_>>() {
            self.remove(sequence);
        }
    }

    /// Loses the last `most` messages; their sequences will be given out again.
    pub(super) fn lose_tail(&mut self, most: u64) -> u64 {
        let mut lost = 0;
        while lost < most && self.last >= self.first {
            self.remove(self.last);
            // Holes behind the front are not at the back; the slot itself goes here.
            self.messages
                .truncate(usize::try_from(self.last.saturating_sub(self.first)).unwrap_or(usize::MAX));
            self.last -= 1;
            self.first = self.first.min(self.last + 1);
            lost += 1;
        }
        self.losses += 1;
        self.ring();
        lost
    }

    /// Wakes every reader, so that it looks again.
    pub(super) fn ring(&self) {
        for filter in self.filters.iter().flatten() {
            filter.bell.notify_waiters();
        }
    }

    /// Joins the readers with this filter.
    pub(super) fn join(&mut self, pattern: &str) -> (usize, Arc<Notify>) {
        let known = |slot: &Option<Filter>| slot.as_ref().is_some_and(|filter| filter.pattern == pattern);
        if let Some(at) = self.filters.iter().position(known) {
            let filter = self.filters[at].as_mut().expect("its pattern was just read");
            filter.readers += 1;
            return (at, filter.bell.clone());
        }
        let taken = |message: &Message| matches(pattern, &message.subject);
        let sequences = (self.first..)
            .zip(&self.messages)
            .filter_map(|(sequence, message)| message.as_ref().is_some_and(taken).then_some(sequence))
            .collect();
        let bell = Arc::new(Notify::new());
        let filter = Filter { pattern: pattern.to_owned(), sequences, bell: bell.clone(), readers: 1 };
        let at = self.filters.iter().position(Option::is_none).unwrap_or(self.filters.len());
        if at == self.filters.len() {
            self.filters.push(Some(filter));
        } else {
            self.filters[at] = Some(filter);
        }
        for (name, subject) in &mut self.subjects {
            if matches(pattern, name) {
                subject.filters.push(at);
            }
        }
        (at, bell)
    }

    /// Leaves the readers of a filter; the last one takes the index with it.
    pub(super) fn leave(&mut self, at: usize) {
        let Some(Some(filter)) = self.filters.get_mut(at) else { return };
        filter.readers -= 1;
        if filter.readers > 0 {
            return;
        }
        self.filters[at] = None;
        for subject in self.subjects.values_mut() {
            subject.filters.retain(|filter| *filter != at);
        }
    }

    /// The next messages of a filter after `after`, at most `most`.
    pub(super) fn read(&self, filter: usize, after: u64, most: usize) -> Vec<Stored> {
        let Some(Some(filter)) = self.filters.get(filter) else { return Vec::new() };
        let from = filter.sequences.partition_point(|sequence| *sequence <= after);
        filter.sequences.range(from..).filter_map(|sequence| self.get(*sequence)).take(most).collect()
    }

    /// Is there a message of a filter after `after`?
    pub(super) fn has_more(&self, filter: usize, after: u64) -> bool {
        let Some(Some(filter)) = self.filters.get(filter) else { return false };
        let newer = filter.sequences.iter().rev().take_while(|sequence| **sequence > after);
        newer.into_iter().any(|sequence| find(&self.messages, self.first, *sequence).is_some())
    }

    /// Is the message of `position` still what it was? None = it cannot be told: its message is purged.
    pub(super) fn confirms(&self, position: Position) -> Option<bool> {
        if position.sequence > self.last {
            return Some(false);
        }
        let message = find(&self.messages, self.first, position.sequence)?;
        Some(position.timestamp_ns == 0 || message.timestamp_ns == position.timestamp_ns)
    }

    /// The sequence of the newest message that is not younger than `timestamp_ns`.
    pub(super) fn newest_until(&self, timestamp_ns: i64) -> u64 {
        let old =
            |message: &Option<Message>| message.as_ref().is_some_and(|m| m.timestamp_ns <= timestamp_ns);
        let from_end = self.messages.iter().rev().position(old).unwrap_or(self.messages.len());
        self.last - u64::try_from(from_end).expect("a length is a u64")
    }
}

fn find(messages: &VecDeque<Option<Message>>, first: u64, sequence: u64) -> Option<&Message> {
    messages.get(usize::try_from(sequence.checked_sub(first)?).ok()?)?.as_ref()
}

fn is_there(messages: &VecDeque<Option<Message>>, first: u64, sequence: u64) -> bool {
    find(messages, first, sequence).is_some()
}
