//! Reading the audit: the newest entries, and whether the chain is whole.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::layout::{Layout, StreamId};
use bus::ports::{Bus, OpenError, Position, Stored, Unavailable};
use serde::Serialize;

use super::entry::{Entry, Kind, NOTHING_BEFORE, hash};

/// Entries read at once.
const PORTION: usize = 500;

/// How long the next entries are waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Breaks and open intents that are named; more are counted.
const MOST_NAMED: usize = 100;

/// Intents that are remembered while their outcome is looked for.
const MOST_OPEN: usize = 100_000;

/// An entry with its place in the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AuditRow)]
pub struct Numbered {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// When the broker stored it: milliseconds since the Unix epoch.
    pub stored_ms: i64,
    /// The entry; none = the message is not one of ours.
    pub entry: Option<Entry>,
}

/// A part of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AuditPart)]
pub struct Part {
    /// The entries, oldest first.
    pub data: Vec<Numbered>,
    /// Ask for what comes after this sequence next.
    pub next_after: u64,
    /// Whether there is something after it now.
    pub has_more: bool,
}

/// Where the chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AuditBreak)]
pub struct Break {
    /// The entry at which it shows.
    pub sequence: u64,
    /// What does not fit.
    pub what: String,
}

/// An act that was begun and of which nobody wrote how it ended: the server was killed in the middle, or refused to begin
/// because it had no answer from the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AuditOpenIntent)]
pub struct Open {
    /// The sequence of the intent.
    pub sequence: u64,
    /// Its id.
    pub intent: String,
}

/// What a check of the whole chain found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AuditVerdict)]
pub struct Verdict {
    /// True: every entry is one of ours and names the one before it.
    pub intact: bool,
    /// How many entries there are.
    pub entries: u64,
    /// The sequence of the last one.
    pub last: u64,
    /// Its hash. Kept elsewhere, it proves later that nothing was cut off at the end.
    pub last_hash: String,
    /// How many breaks there are.
    pub broken: u64,
    /// The first of them.
    pub breaks: Vec<Break>,
    /// Intents without an outcome.
    pub open: Vec<Open>,
}

/// The newest `most` entries, or the first `most` after `after`.
///
/// # Errors
/// The broker does not answer.
pub async fn read(
    bus: &dyn Bus,
    layout: &Layout,
    after: Option<u64>,
    most: u64,
) -> Result<Part, Unavailable> {
    let stream = layout.name(StreamId::Audit);
    let bounds = bus.bounds(&stream).await?;
    let newest = bounds.last.saturating_sub(most);
    let from = after.unwrap_or(newest).max(bounds.first.saturating_sub(1)).min(bounds.last);
    let to = from.saturating_add(most).min(bounds.last);
    let mut data = Vec::new();
    for sequence in from + 1..=to {
        if let Some(stored) = bus.get(&stream, sequence).await? {
            data.push(numbered(&stored));
        }
    }
    Ok(Part { data, next_after: to, has_more: to < bounds.last })
}

fn numbered(stored: &Stored) -> Numbered {
    Numbered {
        sequence: stored.sequence,
        stored_ms: stored.timestamp_ns / 1_000_000,
        entry: serde_json::from_slice(&stored.body).ok(),
    }
}

/// Reads the whole audit and checks each link.
///
/// # Errors
/// The broker does not answer, or the beginning is gone.
pub async fn verify(bus: &dyn Bus, layout: &Layout) -> Result<Verdict, OpenError> {
    let stream = layout.name(StreamId::Audit);
    let last = bus.bounds(&stream).await?.last;
    let mut reader = bus.open(&stream, None, Position::default()).await?;
    let mut check = Check::default();
    while check.sequence < last {
        let portion = reader.next(PORTION, PATIENCE).await?;
        if portion.is_empty() {
            let cause = format!("nothing behind {} for {} s", check.sequence, PATIENCE.as_secs());
            return Err(Unavailable { what: format!("read {stream}"), cause }.into());
        }
        for stored in portion.iter().filter(|stored| stored.sequence <= last) {
            check.take(stored);
        }
        // A long audit shall not keep others from being served.
        tokio::task::yield_now().await;
    }
    Ok(check.verdict())
}

/// The links that were checked so far.
#[derive(Debug, Default)]
struct Check {
    entries: u64,
    sequence: u64,
    hash: Option<String>,
    broken: u64,
    breaks: Vec<Break>,
    open: BTreeMap<String, u64>,
}

impl Check {
    fn take(&mut self, stored: &Stored) {
        let (sequence, expected) = (stored.sequence, self.sequence + 1);
        if sequence != expected {
            self.broken(sequence, format!("the entries {expected} to {} are gone", sequence - 1));
        }
        match serde_json::from_slice::<Entry>(&stored.body) {
            Ok(entry) => self.link(sequence, &entry),
            Err(error) => self.broken(sequence, format!("is no entry of ours: {error}")),
        }
        self.entries += 1;
        self.sequence = sequence;
        self.hash = Some(hash(&stored.body));
    }

    fn link(&mut self, sequence: u64, entry: &Entry) {
        let before = self.hash.as_deref().unwrap_or(NOTHING_BEFORE);
        if entry.prev_hash != before {
            let what = format!("names {} as the entry before it, which is {before}", entry.prev_hash);
            self.broken(sequence, what);
        }
        match entry.kind {
            Kind::Intent if self.open.len() < MOST_OPEN => {
                self.open.insert(entry.id.clone(), sequence);
            }
            Kind::Outcome => {
                self.open.remove(&entry.intent);
            }
            Kind::Intent | Kind::Reverted | Kind::Refused => {}
        }
    }

    fn broken(&mut self, sequence: u64, what: String) {
        self.broken += 1;
        if self.breaks.len() < MOST_NAMED {
            self.breaks.push(Break { sequence, what });
        }
    }

    fn verdict(self) -> Verdict {
        let mut open: Vec<_> =
            self.open.into_iter().map(|(intent, sequence)| Open { sequence, intent }).collect();
        open.sort_by_key(|open| open.sequence);
        open.truncate(MOST_NAMED);
        Verdict {
            intact: self.broken == 0,
            entries: self.entries,
            last: self.sequence,
            last_hash: self.hash.unwrap_or_else(|| NOTHING_BEFORE.to_owned()),
            broken: self.broken,
            breaks: self.breaks,
            open,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bus::layout::Layout;
    use bus::memory::MemoryBus;
    use bus::ports::{Bus, Expect, Outgoing, Stored};
    use bytes::Bytes;
    use domain::envelope::Headers;
    use domain::time::Timestamp;

    use super::{Check, read, verify};
    use crate::control::act::Act;
    use crate::control::entry::{Caller, Entry, Kind};
    use crate::control::scope::Scope;
    use crate::control::trail::Trail;

    async fn audit(acts: u32) -> (MemoryBus, Layout) {
        let layout = Layout::default();
        let bus = MemoryBus::real_time(&layout);
        let mut trail = Trail::new(Arc::new(bus.clone()), layout.clone());
        let (act, caller) = (Act::Pause(Scope::All), Caller::default());
        for number in 0..acts {
            let id = format!("e-{number}");
            let intent = Entry::intent(id, "test", &act, "a test", (Timestamp(0), None), &caller);
            trail.write(intent.clone()).await.unwrap();
            let outcome = intent.followed_by(format!("o-{number}"), Kind::Outcome, Timestamp(1), "applied");
            trail.write(outcome).await.unwrap();
        }
        (bus, layout)
    }

    async fn stored(bus: &MemoryBus, layout: &Layout) -> Vec<Stored> {
        let part = read(bus, layout, Some(0), 100).await.unwrap();
        let mut all = Vec::new();
        for row in part.data {
            all.push(bus.get("RETAIL_AUDIT", row.sequence).await.unwrap().unwrap());
        }
        all
    }

    fn checked(all: &[Stored]) -> (bool, Vec<u64>, usize) {
        let mut check = Check::default();
        for stored in all {
            check.take(stored);
        }
        let verdict = check.verdict();
        (verdict.intact, verdict.breaks.iter().map(|at| at.sequence).collect(), verdict.open.len())
    }

    #[tokio::test]
    async fn an_untouched_chain_is_intact_and_an_empty_one_too() {
        let (bus, layout) = audit(0).await;
        assert!(verify(&bus, &layout).await.unwrap().intact);
        let (bus, layout) = audit(5).await;
        let verdict = verify(&bus, &layout).await.unwrap();
        assert_eq!((verdict.intact, verdict.entries, verdict.last, verdict.open.len()), (true, 10, 10, 0));
    }

    #[tokio::test]
    async fn a_changed_a_missing_and_a_swapped_entry_show_at_the_next_one() {
        let (bus, layout) = audit(3).await;
        let whole = stored(&bus, &layout).await;
        let mut changed = whole.clone();
        let text = String::from_utf8(changed[2].body.to_vec()).unwrap();
        changed[2].body = Bytes::from(text.replace("a test", "nothing"));
        assert_eq!(checked(&changed), (false, vec![4], 0));
        let mut missing = whole.clone();
        missing.remove(2);
        assert_eq!(checked(&missing), (false, vec![4, 4], 0), "the hole, and the link over it");
        let mut swapped = whole.clone();
        swapped.swap(2, 3);
        (swapped[2].sequence, swapped[3].sequence) = (3, 4);
        assert_eq!(checked(&swapped).1, [3, 4, 5]);
        assert_eq!(
            checked(&whole[..5]),
            (true, vec![], 1),
            "an intent without its outcome is open, not broken"
        );
    }

    #[tokio::test]
    async fn what_others_put_there_is_named_and_does_not_hide_the_rest() {
        let (bus, layout) = audit(1).await;
        let foreign = Outgoing {
            subject: layout.audit("main", "flow", "pause", 0),
            headers: Headers::new(),
            body: Bytes::from_static(b"{}"),
        };
        bus.store(foreign, Expect::Anything).await;
        let mut trail = Trail::new(Arc::new(bus.clone()), layout.clone());
        let caller = Caller::default();
        let act = Act::Drain;
        trail
            .write(Entry::intent("e".to_owned(), "test", &act, "a test", (Timestamp(0), None), &caller))
            .await
            .unwrap();
        let verdict = verify(&bus, &layout).await.unwrap();
        assert_eq!((verdict.intact, verdict.broken, verdict.breaks[0].sequence), (false, 1, 3));
    }

    #[tokio::test]
    async fn it_is_read_from_its_end_or_behind_a_place() {
        let (bus, layout) = audit(5).await;
        let sequences = |part: &super::Part| part.data.iter().map(|row| row.sequence).collect::<Vec<_>>();
        let newest = read(&bus, &layout, None, 3).await.unwrap();
        assert_eq!((sequences(&newest), newest.next_after, newest.has_more), (vec![8, 9, 10], 10, false));
        let behind = read(&bus, &layout, Some(4), 3).await.unwrap();
        assert_eq!((sequences(&behind), behind.next_after, behind.has_more), (vec![5, 6, 7], 7, true));
        let end = read(&bus, &layout, Some(99), 3).await.unwrap();
        assert_eq!((sequences(&end), end.next_after, end.has_more), (vec![], 10, false));
    }
}
