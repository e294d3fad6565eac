//! Group commit: everything that is decided while one append is on its way, or until the next beat, goes into the next
//! one. Nothing leaves before its ack.

use std::rc::Rc;

use bus::append::{Appended, append_until_definite};
use bus::layout::{Lane, StreamId};
use bus::ports::Outgoing;
use domain::decider::{Decider, Participant};
use domain::envelope::Headers;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::commit_queue::{Consumed, Gathered, TenantRows};
use super::company::Company;
use super::core::{Halt, Partition, Stage};
use super::publisher::{Ordered, OutputJob};
use crate::outbound;
use crate::record::{Encoded, Entry, Positions, RecordHash, RecordHead, encode, encode_entry};

/// The end of the journal, as this owner left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct JournalEnd {
    pub(crate) epoch: u64,
    /// The number of the last record.
    pub(crate) batch: u64,
    /// Its sequence in the stream.
    pub(crate) sequence: u64,
    pub(crate) hash: RecordHash,
    /// The positions that it records.
    pub(crate) positions: Positions,
    /// How far it says that outputs are out.
    pub(crate) outputs_through: u64,
}

/// Commits until the partition is drained, fenced, or broken.
pub(crate) async fn run<D: Decider>(
    partition: Rc<Partition<D>>,
    mut end: JournalEnd,
    outputs: mpsc::Sender<OutputJob>,
) -> Result<(), Halt> {
    let interval = partition.env.config.position_interval();
    let mut recorded_at = Instant::now();
    let mut company = Company::new(partition.env.began, partition.env.config.record_interval());
    loop {
        if partition.queue.is_empty() {
            if partition.current_stage() == Stage::Draining && partition.is_quiet() {
                record_positions(&partition, &mut end, &outputs).await?;
                if !partition.is_quiet() {
                    continue; // another partition has handed something over meanwhile
                }
                partition.enter(Stage::Recorded);
                return Ok(());
            }
            tokio::select! {
                biased;
                () = partition.queue.filled.notified() => {}
                () = tokio::time::sleep_until(recorded_at + interval) => {
                    record_positions(&partition, &mut end, &outputs).await?;
                    recorded_at = Instant::now();
                }
            }
            continue;
        }
        if partition.queue.has_to_record()
            && partition.current_stage() == Stage::Running
            && let Some(until) = company.waits_until(Instant::now())
        {
            tokio::select! {
                biased;
                () = partition.queue.crowded() => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
        let gathered = partition.queue.take();
        for consumed in gathered.outcomes.iter().filter_map(|queued| queued.consumed) {
            if let Consumed::Read(lane, ordinal) = consumed {
                partition.lane(lane).tracker.borrow_mut().settle(ordinal);
            }
        }
        if gathered.entry_count == 0 {
            // No append is on its way, so all that these had to wait for is recorded.
            release(&partition, gathered, None, &outputs).await;
            continue;
        }
        company.closed(gathered.decisions, Instant::now());
        append(&partition, &mut end, &gathered.entries, gathered.entry_count).await?;
        recorded_at = Instant::now();
        partition.env.metrics.record_decisions.record(gathered.decisions as u64);
        release(&partition, gathered, Some(end.sequence), &outputs).await;
    }
}

/// Appends one record and moves the end of the journal behind it.
pub(crate) async fn append<D: Decider>(
    partition: &Partition<D>,
    end: &mut JournalEnd,
    entries: &[u8],
    count: usize,
) -> Result<(), Halt> {
    let (env, positions) = (&partition.env, partition.positions());
    let head = RecordHead {
        previous: end.hash,
        epoch: end.epoch,
        batch: end.batch + 1,
        positions,
        ahead: partition.ahead(),
        outputs_through: partition.published.through.get(),
    };
    let Encoded { bytes, hash } = encode(&head, entries, count);
    let started = Instant::now();
    env.metrics.records.add_one();
    env.metrics.record_bytes.add(bytes.len() as u64);
    let stream = env.layout.name(StreamId::Journal(partition.number));
    let record =
        Outgoing { subject: env.layout.journal(partition.number), headers: Headers::new(), body: bytes };
    match append_until_definite(&*env.bus, &stream, record, end.sequence).await {
        Appended::Stored(sequence) => {
            env.metrics.append_us.record_us(started.elapsed());
            let (batch, outputs_through) = (head.batch, head.outputs_through);
            *end = JournalEnd { epoch: end.epoch, batch, sequence, hash, positions, outputs_through };
            env.board.recorded(partition.number, positions);
            partition.recorded.set(sequence);
            Ok(())
        }
        Appended::Fenced => Err(Halt::Fenced),
    }
}

async fn record_positions<D: Decider>(
    partition: &Rc<Partition<D>>,
    end: &mut JournalEnd,
    outputs: &mpsc::Sender<OutputJob>,
) -> Result<(), Halt> {
    // Retention may empty a subject of pages while nothing happens; only the record can tell then that they were out.
    if partition.positions() == end.positions && partition.published.stored.get() <= end.outputs_through {
        return Ok(());
    }
    let mut entries = Vec::new();
    encode_entry(&mut entries, &Entry::<()>::Position);
    append(partition, end, &entries, 1).await?;
    release(partition, Gathered::default(), Some(end.sequence), outputs).await;
    Ok(())
}

/// Lets everything go that waited for the ack: `sequence` is the record's, none if there was nothing to record.
async fn release<D: Decider>(
    partition: &Rc<Partition<D>>,
    mut gathered: Gathered,
    sequence: Option<u64>,
    outputs: &mpsc::Sender<OutputJob>,
) {
    let env = &partition.env;
    let mut commands: [Vec<Outgoing>; 5] = Default::default();
    let (mut dead_letters, mut notices, mut credits) = (Vec::new(), Vec::new(), 0);
    for queued in gathered.outcomes.drain(..) {
        for (participant, command) in queued.commands {
            commands[participant.index()].push(command);
        }
        if let (Some(number), Some(sequence)) = (queued.decider, sequence) {
            partition.decision_recorded(number, sequence);
        }
        for receipt in queued.receipts {
            let _lost = env.bus.send(receipt); // the sender asks again
        }
        if let Some(then) = queued.then {
            then();
        }
        for letter in queued.letters {
            env.mail.send(letter);
        }
        dead_letters.extend(queued.dead_letters);
        notices.extend(queued.notices);
        match queued.consumed {
            // These take along the credit that they brought.
            Some(Consumed::Guest(number)) => partition.guest_settled(number),
            Some(Consumed::Letter) => partition.letter_settled(),
            Some(Consumed::Read(..)) | None => credits += queued.credits,
        }
    }
    for participant in Participant::ALL {
        let commands = std::mem::take(&mut commands[participant.index()]);
        if !commands.is_empty() {
            env.senders.send(participant, commands);
        }
    }
    if let Some(sequence) = sequence {
        let ordered = ordered(partition, sequence, &gathered.told, &dead_letters);
        // A full queue holds the next record back: outputs never run away from the journal.
        let job = OutputJob { journal_sequence: sequence, ordered, notices };
        assert!(outputs.send(job).await.is_ok(), "the publisher ends after the committer");
        partition.show_outputs(outputs.max_capacity() - outputs.capacity());
    }
    partition.queue.take_back(gathered);
    partition.return_credits(credits);
}

/// Pages and dead letters of a record; recovery makes them again from the record with this very function.
pub(crate) fn ordered<D: Decider>(
    partition: &Partition<D>,
    sequence: u64,
    told: &TenantRows,
    letters: &[crate::record::DeadLetter],
) -> Vec<Ordered> {
    let (env, number) = (&partition.env, partition.number);
    let mut ordered = Vec::new();
    for (tenant, (time, rows)) in told {
        env.metrics.events.add(rows.len() as u64);
        for (marker, message) in outbound::pages(&env.layout, number, tenant, sequence, *time, rows) {
            ordered.push(Ordered { stream: StreamId::Events, marker, message });
        }
    }
    for (letter, place) in letters.iter().zip(0..) {
        env.metrics.dead_letter(letter.reason);
        let (marker, message) = outbound::dead_letter(&env.layout, number, sequence, place, letter);
        ordered.push(Ordered { stream: StreamId::Dlq, marker, message });
    }
    ordered
}

impl<D: Decider> Partition<D> {
    /// True if nothing is read, taken or undecided in a lane.
    pub(crate) fn is_idle(&self, lane: Lane) -> bool {
        let state = self.lane(lane);
        state.buffer.borrow().is_empty() && state.tracker.borrow().is_idle()
    }
}
