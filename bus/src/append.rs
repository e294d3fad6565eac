//! Makes an append to a journal definite: stored, or fenced off by another owner. There is no third answer.

use std::time::Duration;

use crate::ports::{Bus, Expect, Outgoing, StoreOutcome};

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What became of a record in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It stands in the stream under this sequence, once.
    Stored(u64),
    /// Something else stands where it should: another owner writes this stream. The record is not there and never will be.
    Fenced,
}

/// Appends `record` behind sequence `expected_last` of `stream`, and comes back only with a definite answer.
///
/// Not found is not "not stored": an attempt without an answer may still be on its way. So the identical record goes out
/// again with the identical expectation until the stream says which it is; at most one of the attempts can be stored.
/// While the broker is away, full or without the stream, this waits: the pauses grow from 20 ms to 2 s, so that a
/// replicated stream that has to catch up is left in peace. The caller appends nothing else to the stream meanwhile, and
/// its records differ from those of any other owner (they carry the epoch).
pub async fn append_until_definite(
    bus: &dyn Bus,
    stream: &str,
    record: Outgoing,
    expected_last: u64,
) -> Appended {
    let mut pause = FIRST_PAUSE;
    for attempt in 1_u64.. {
        let outcome = bus.store(record.clone(), Expect::LastSequence(expected_last)).await;
        let in_doubt = match outcome {
            StoreOutcome::Stored(sequence) => return Appended::Stored(sequence),
            StoreOutcome::Conflict => true,
            StoreOutcome::Unknown(_) => false,
            // This attempt was not stored. An earlier one may have been, so even now only the stream itself knows.
            StoreOutcome::Full | StoreOutcome::Refused(_) => {
                tracing::error!(
                    stream,
                    attempt,
                    ?outcome,
                    "the journal takes no records; nothing is decided until it does"
                );
                false
            }
        };
        if let Some(definite) = look(bus, stream, &record, expected_last, in_doubt).await {
            return definite;
        }
        tracing::warn!(stream, attempt, expected_last, ?outcome, "an append has no definite answer yet");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    unreachable!("the attempts are counted in 64 bits")
}

/// Reads from the leader what stands behind `expected_last`; none = nothing definite.
async fn look(
    bus: &dyn Bus,
    stream: &str,
    record: &Outgoing,
    expected_last: u64,
    conflict: bool,
) -> Option<Appended> {
    match bus.get(stream, expected_last + 1).await {
        Ok(Some(found)) if found.body == record.body => Some(Appended::Stored(found.sequence)),
        Ok(Some(_)) => Some(Appended::Fenced),
        Err(_) => None,
        Ok(None) if !conflict => None,
        // Nothing there, and yet the stream does not end where we left it: it was cut or purged by somebody else.
        // If it does end there, an earlier attempt of the same record is in process.
        Ok(None) => match bus.bounds(stream).await {
            Ok(bounds) if bounds.last != expected_last => match bus.get(stream, expected_last + 1).await {
                Ok(Some(found)) if found.body == record.body => Some(Appended::Stored(found.sequence)),
                Ok(_) => Some(Appended::Fenced),
                Err(_) => None,
            },
            Ok(_) | Err(_) => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use domain::envelope::Headers;

    use super::{Appended, append_until_definite};
    use crate::faulty::{FaultPlan, FaultyBus};
    use crate::layout::{Layout, StreamId};
    use crate::memory::MemoryBus;
    use crate::ports::{Bus, Expect, Outgoing, StoreOutcome};

    fn journal() -> (MemoryBus, String) {
        let layout = Layout::default();
        (MemoryBus::real_time(&layout), layout.name(StreamId::Journal(0)))
    }

    fn record(body: &str) -> Outgoing {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Outgoing { subject: Layout::default().journal(0), headers: Headers::new(), body }
    }

    async fn bodies(bus: &MemoryBus, stream: &str) -> Vec<Bytes> {
        let mut bodies = Vec::new();
        for sequence in 1..=bus.bounds(stream).await.unwrap().last {
            bodies.push(bus.get(stream, sequence).await.unwrap().unwrap().body);
        }
        bodies
    }

    #[tokio::test(start_paused = true)]
    async fn given_lost_late_and_refused_appends_when_all_are_definite_then_each_record_stands_once_in_order()
    {
        let (bus, stream) = journal();
        let plan = FaultPlan {
            lost_acks: 200,
            refused_stores: 200,
            late_stores: 200,
            failed_reads: 200,
            ..FaultPlan::none(7)
        };
        let faulty = FaultyBus::new(Arc::new(bus.clone()), plan);
        for number in 0..300 {
            let appended =
                append_until_definite(&faulty, &stream, record(&format!("r{number}")), number).await;
            assert_eq!(appended, Appended::Stored(number + 1));
        }
        let expected: Vec<_> = (0..300).map(|number| Bytes::from(format!("r{number}"))).collect();
        assert_eq!(bodies(&bus, &stream).await, expected);
        let seen = faulty.faults();
        assert!(seen.lost_acks > 20 && seen.refused_stores > 20 && seen.late_stores > 20, "{seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn given_another_owners_record_in_the_place_when_appending_then_it_is_fenced() {
        let (bus, stream) = journal();
        let fence = bus.store(record("fence of the next epoch"), Expect::LastSequence(0)).await;
        assert_eq!(fence, StoreOutcome::Stored(1));
        assert_eq!(append_until_definite(&bus, &stream, record("mine"), 0).await, Appended::Fenced);
        assert_eq!(bus.bounds(&stream).await.unwrap().messages, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn given_a_journal_that_lost_its_end_when_appending_then_it_is_fenced_instead_of_waiting_for_ever()
    {
        let (bus, stream) = journal();
        assert_eq!(append_until_definite(&bus, &stream, record("one"), 0).await, Appended::Stored(1));
        assert_eq!(bus.lose_tail(&stream, 1), 1);
        assert_eq!(append_until_definite(&bus, &stream, record("two"), 1).await, Appended::Fenced);
    }

    #[tokio::test(start_paused = true)]
    async fn given_no_connection_when_it_comes_back_then_the_append_is_stored_once() {
        let (bus, stream) = journal();
        bus.disconnect();
        let other = bus.clone();
        let back = async move {
            tokio::time::sleep(std::time::Duration::from_secs(9)).await;
            other.reconnect();
        };
        let (appended, ()) = tokio::join!(append_until_definite(&bus, &stream, record("one"), 0), back);
        assert_eq!(appended, Appended::Stored(1));
        assert_eq!(bodies(&bus, &stream).await, [Bytes::from("one")]);
    }
}
