//! Idempotency keys: a request that comes again under its key gets the answer of the first one, and does nothing.
//!
//! Bounded and with an expiry. When it is full, the oldest answer goes: an operator's act is not refused for it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::time::Timestamp;

/// What a request is recognised by.
pub type Fingerprint = [u8; 32];

/// An answer as it is given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// What a key says about a request.
#[derive(Debug)]
pub enum Known {
    /// Nobody has used it: do it, and say how it went.
    New(Running),
    /// The same request is at work.
    Running,
    /// It was another request.
    Other,
    /// The same request was answered so.
    Answered(Answer),
    /// Everything that may be kept is still at work.
    Full,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    fingerprint: Fingerprint,
    since: Timestamp,
    answer: Option<Answer>,
}

#[derive(Debug, Default)]
struct Kept {
    next: u64,
    entries: HashMap<String, Entry>,
    /// Oldest first.
    order: VecDeque<(u64, String)>,
}

/// All keys that are known.
#[derive(Debug, Clone)]
pub struct Keys {
    kept: Arc<Mutex<Kept>>,
    most: usize,
    expiry_ms: i64,
}

/// A request at work. Dropped without an answer, its key is free again.
#[derive(Debug)]
pub struct Running {
    kept: Arc<Mutex<Kept>>,
    key: String,
    number: u64,
}

fn locked(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Keys {
    /// How many are kept at most.
    pub const fn most(&self) -> usize {
        self.most
    }

    /// Keeps at most `most` answers, each for `expiry_ms`.
    pub fn new(most: usize, expiry_ms: i64) -> Self {
        Self { kept: Arc::default(), most, expiry_ms }
    }

    /// Looks a request up, and takes its key if it is new.
    pub fn begin(&self, key: &str, fingerprint: Fingerprint, now: Timestamp) -> Known {
        let mut kept = locked(&self.kept);
        kept.expire(now, self.expiry_ms);
        if let Some(entry) = kept.entries.get(key) {
            return match &entry.answer {
                _ if entry.fingerprint != fingerprint => Known::Other,
                None => Known::Running,
                Some(answer) => Known::Answered(answer.clone()),
            };
        }
        if kept.entries.len() >= self.most && !kept.drop_oldest_answer() {
            return Known::Full;
        }
        let number = kept.next;
        kept.next += 1;
        kept.order.push_back((number, key.to_owned()));
        kept.entries.insert(key.to_owned(), Entry { number, fingerprint, since: now, answer: None });
        Known::New(Running { kept: Arc::clone(&self.kept), key: key.to_owned(), number })
    }

    /// How many keys are kept.
    pub fn len(&self) -> usize {
        locked(&self.kept).entries.len()
    }

    /// True if none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Kept {
    fn expire(&mut self, now: Timestamp, expiry_ms: i64) {
        while let Some((_, key)) = self.order.front() {
            let old = |entry: &Entry| entry.answer.is_some() && now.ms_since(entry.since) >= expiry_ms;
            if !self.entries.get(key).is_some_and(old) {
                return;
            }
            self.entries.remove(key);
            self.order.pop_front();
        }
    }

    /// False: all of them are at work.
    fn drop_oldest_answer(&mut self) -> bool {
        let answered =
            |(_, key): &(u64, String)| self.entries.get(key).is_some_and(|entry| entry.answer.is_some());
        let Some(at) = self.order.iter().position(answered) else { return false };
        let (_, key) = self.order.remove(at).expect("its place was just found");
        self.entries.remove(&key);
        true
    }
}

impl Running {
    /// Keeps the answer for whoever comes again.
    pub fn answered(self, answer: Answer) {
        let mut kept = locked(&self.kept);
        if let Some(entry) = kept.entries.get_mut(&self.key).filter(|entry| entry.number == self.number) {
            entry.answer = Some(answer);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut kept = locked(&self.kept);
        if kept.entries.get(&self.key).is_some_and(|e| e.number == self.number && e.answer.is_none()) {
            kept.entries.remove(&self.key);
            kept.order.retain(|(number, _)| *number != self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;

    use super::{Answer, Fingerprint, Keys, Known, Running};

    const ONE: Fingerprint = [1; 32];
    const TWO: Fingerprint = [2; 32];

    fn answer(body: &str) -> Answer {
        Answer { status: 200, body: body.to_owned() }
    }

    fn fresh(keys: &Keys, key: &str, now: i64) -> Running {
        match keys.begin(key, ONE, Timestamp(now)) {
            Known::New(running) => running,
            other => panic!("{key}: {other:?}"),
        }
    }

    #[test]
    fn the_same_request_is_done_once_and_answered_always() {
        let keys = Keys::new(10, 1_000);
        let running = fresh(&keys, "k", 0);
        assert!(matches!(keys.begin("k", ONE, Timestamp(1)), Known::Running));
        assert!(matches!(keys.begin("k", TWO, Timestamp(1)), Known::Other));
        running.answered(answer("done"));
        assert!(matches!(keys.begin("k", ONE, Timestamp(2)), Known::Answered(it) if it == answer("done")));
        assert!(matches!(keys.begin("k", TWO, Timestamp(2)), Known::Other));
    }

    #[test]
    fn a_request_that_came_to_nothing_frees_its_key() {
        let keys = Keys::new(10, 1_000);
        drop(fresh(&keys, "k", 0));
        assert!(keys.is_empty());
        fresh(&keys, "k", 1).answered(answer("second"));
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn answers_expire_and_work_does_not() {
        let keys = Keys::new(10, 1_000);
        fresh(&keys, "done", 0).answered(answer("done"));
        let running = fresh(&keys, "running", 0);
        assert!(matches!(keys.begin("running", ONE, Timestamp(5_000)), Known::Running));
        assert!(matches!(keys.begin("done", TWO, Timestamp(5_000)), Known::New(_)));
        running.answered(answer("late"));
        assert!(matches!(keys.begin("running", ONE, Timestamp(5_001)), Known::New(_)), "kept from its begin");
    }

    #[test]
    fn at_the_bound_the_oldest_answer_goes_and_work_never_does() {
        // invariant: bounded-everything
        let keys = Keys::new(2, 1_000);
        let working = fresh(&keys, "a", 0);
        fresh(&keys, "b", 0).answered(answer("b"));
        let second = fresh(&keys, "c", 1);
        assert_eq!(keys.len(), 2);
        assert!(matches!(keys.begin("d", ONE, Timestamp(2)), Known::Full));
        working.answered(answer("a"));
        let _third = fresh(&keys, "b", 3);
        assert!(matches!(keys.begin("c", ONE, Timestamp(3)), Known::Running));
        drop(second);
    }
}
