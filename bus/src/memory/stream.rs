//! One stream: its rules around its messages.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::kept::Kept;
use super::transform::Rewriter;
use crate::layout::{Bounds, Discard, StreamSpec};
use crate::ports::{Expect, Outgoing, StoreOutcome, StreamBounds};

/// What the server adds to each stored message.
const OVERHEAD: usize = 30;

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) spec: StreamSpec,
    rewriter: Option<Rewriter>,
    created_ns: i64,
    kept: Mutex<Kept>,
}

impl Stream {
    pub(super) fn new(spec: StreamSpec, created_ns: i64) -> Self {
        let rewriter = spec.transform.as_ref().map(|transform| {
            Rewriter::new(transform).expect("the layout writes only transforms that are known")
        });
        Self { spec, rewriter, created_ns, kept: Mutex::new(Kept::new()) }
    }

    // A panic elsewhere leaves the messages whole: no method of `Kept` panics between two changes.
    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One attempt to store, as the leader of a stream does it: expectation first, then the bound.
    pub(super) fn store(&self, message: Outgoing, expect: Expect, now_ns: i64) -> StoreOutcome {
        let rewritten = self.rewriter.as_ref().and_then(|rewriter| rewriter.rewrite(&message.subject));
        let subject = rewritten.as_deref().unwrap_or(&message.subject);
        let mut kept = self.kept();
        if !holds(&kept, subject, expect) {
            return StoreOutcome::Conflict;
        }
        self.expire(&mut kept, now_ns);
        let size = size(subject, &message);
        if !self.make_room(&mut kept, subject, size) {
            return StoreOutcome::Full;
        }
        StoreOutcome::Stored(kept.push(subject, message.headers, message.body, size, now_ns))
    }

    /// One attempt to store messages all together: the expectation holds for the first.
    pub(super) fn store_batch(&self, messages: Vec<Outgoing>, expect: Expect, now_ns: i64) -> StoreOutcome {
        if !self.spec.allow_atomic {
            return StoreOutcome::Refused(format!("{} takes no batches", self.spec.name));
        }
        let mut kept = self.kept();
        if messages.first().is_some_and(|first| !holds(&kept, &first.subject, expect)) {
            return StoreOutcome::Conflict;
        }
        self.expire(&mut kept, now_ns);
        let bytes: u64 = messages.iter().map(|message| size(&message.subject, message)).sum();
        let count = u64::try_from(messages.len()).expect("a length is a u64");
        let Bounds { messages: most_messages, bytes: most_bytes, .. } = self.spec.bounds;
        // What the messages replace is not taken off: near the bound a batch is refused a little early, never half stored.
        let too_much = most_messages.is_some_and(|most| kept.count + count > most)
            || most_bytes.is_some_and(|most| kept.bytes + bytes > most);
        if self.spec.discard == Discard::New && too_much {
            return StoreOutcome::Full;
        }
        let first = kept.last + 1;
        for message in messages {
            let size = size(&message.subject, &message);
            let room = self.make_room(&mut kept, &message.subject, size);
            debug_assert!(room, "the room for all of them was there above");
            kept.push(&message.subject, message.headers, message.body, size, now_ns);
        }
        StoreOutcome::Stored(first)
    }

    /// Messages past their age go.
    fn expire(&self, kept: &mut Kept, now_ns: i64) {
        let Some(age) = self.spec.bounds.age.and_then(|age| i64::try_from(age.as_nanos()).ok()) else {
            return;
        };
        while kept.oldest_ns().is_some_and(|oldest| oldest.saturating_add(age) <= now_ns) {
            kept.remove(kept.first);
        }
    }

    fn make_room(&self, kept: &mut Kept, subject: &str, size: u64) -> bool {
        let at_most = self.spec.per_subject.unwrap_or(u64::MAX);
        let replaced = if kept.count_on(subject) >= at_most { kept.first_on(subject) } else { None };
        let (messages, bytes) = (self.spec.bounds.messages, self.spec.bounds.bytes);
        let too_much = |kept: &Kept| {
            let freed = u64::from(replaced.is_some());
            messages.is_some_and(|most| kept.count + 1 - freed > most)
                || bytes.is_some_and(|most| kept.bytes + size > most)
        };
        if self.spec.discard == Discard::New && too_much(kept) {
            return false;
        }
        if let Some(sequence) = replaced {
            kept.remove(sequence);
        }
        while kept.count > 0 && too_much(kept) {
            kept.remove(kept.first);
        }
        true
    }

    pub(super) fn bounds(&self, now_ns: i64) -> StreamBounds {
        let mut kept = self.kept();
        self.expire(&mut kept, now_ns);
        StreamBounds {
            first: kept.first,
            last: kept.last,
            messages: kept.count,
            bytes: kept.bytes,
            created_ns: self.created_ns,
            most_messages: self.spec.bounds.messages,
            most_bytes: self.spec.bounds.bytes,
        }
    }
}

fn holds(kept: &Kept, subject: &str, expect: Expect) -> bool {
    match expect {
        Expect::Anything => true,
        Expect::LastSequence(sequence) => kept.last == sequence,
        Expect::LastOnSubject(sequence) => kept.last_on(subject) == sequence,
    }
}

fn size(subject: &str, message: &Outgoing) -> u64 {
    let headers = message.headers.bytes() + 4 * message.headers.len();
    u64::try_from(subject.len() + headers + message.body.len() + OVERHEAD).expect("a length is a u64")
}
