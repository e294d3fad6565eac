//! Persisted bytes: every record format that was ever written stays readable. New files are added, old ones never change.

use actors::record::{
    Ahead, Cause, DeadLetter, Decided, Entry, Fence, HandedOn, IndexName, IndexPage, OpenCommands, Positions,
    Quarantined, Record, RecordHash, RecordHead, ReplayEntry, Snapshot, SnapshotMarker, SnapshotPage, decode,
    decode_item, encode, encode_entry, encode_item, encode_snapshot,
};
use bus::ports::Position;
use domain::envelope::{Envelope, Headers, Plane};
use domain::further::Further;
use domain::ids::{Key, Token};
use domain::reason::{DeadReason, Violation};
use domain::time::Timestamp;

use crate::tally::Event;
use crate::world::id;

fn envelope(name: &str) -> Envelope {
    let token = |text| Token::new(text).unwrap();
    Envelope {
        tenant: token("main"),
        plane: Plane::Fact,
        domain: token("tally"),
        name: token(name),
        headers: Headers::new().with("ce-id", "e-1").with("ce-source", "/test"),
        body: r#"{"tally_id":"t-1","amount":5}"#.into(),
        stream: "RETAIL_WORK".into(),
        sequence: 41,
        item: None,
        stored_at: Timestamp(1_795_766_400_000),
    }
}

fn decided(version: u64, cause: Cause, events: Vec<Event>) -> Entry<Event> {
    let seen = matches!(cause, Cause::Message(_)).then_some((0x0123_4567_89ab_cdef, 0x0bad_cafe));
    let now = Timestamp(1_795_766_400_123);
    Entry::Decision(Decided {
        entity: id("t-1"),
        version,
        now,
        cause,
        seen,
        first_sequence: 2,
        published: 1,
        further: Further::NONE,
        events,
    })
}

fn entries() -> Vec<Entry<Event>> {
    let violation = Violation { pointer: "/amount".to_owned(), message: "expected a number".to_owned() };
    let letter = DeadLetter {
        envelope: Envelope { item: Some(3), ..envelope("add") },
        key: Some(Key::new("t-1").unwrap()),
        reason: DeadReason::Schema,
        violations: vec![violation],
    };
    let handed =
        HandedOn { stream: "RETAIL_WORK".into(), sequence: 7, item: 2, subject: "retail.v1.x".to_owned() };
    let again = Event::SentAgain { effect: "main:tally:t-1:post:1".to_owned(), deadline: Timestamp(2) };
    vec![
        Entry::Fence(Fence { hash_key: [9; 16], partitions: 2, instance: "start 1".to_owned() }),
        decided(2, Cause::Message(envelope("add")), vec![Event::Added { amount: 5 }]),
        decided(3, Cause::Timer, vec![again.clone()]),
        decided(4, Cause::Release("main:tally:t-1:post:1".to_owned()), vec![again]),
        Entry::DeadLetter(letter),
        Entry::HandedOn(handed),
        Entry::Position,
        Entry::Quarantined(Quarantined {
            entity: id("t-2"),
            cause: "a fault".to_owned(),
            envelope: Some(envelope("add")),
        }),
    ]
}

fn head() -> RecordHead {
    let at = |sequence| Position { sequence, timestamp_ns: 1_795_766_400_000_000_000 };
    RecordHead {
        previous: RecordHash([7; 16]),
        epoch: 2,
        batch: 41,
        positions: Positions { replies: at(1), work: at(2), intake: at(3), bulk: at(4) },
        ahead: Ahead { work: vec![at(6), at(8)], ..Ahead::default() },
        outputs_through: 40,
    }
}

fn encoded(entries: &[Entry<Event>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        encode_entry(&mut bytes, entry);
    }
    encode(&head(), &bytes, entries.len()).bytes.to_vec()
}

fn many() -> Vec<Entry<Event>> {
    entries().into_iter().cycle().take(64).collect()
}

fn check(name: &str, expected: &[Entry<Event>]) {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let (record, _) = decode::<Record<Entry<Event>>>(&bytes).unwrap();
    let RecordHead { previous, epoch, batch, positions, ahead, outputs_through } = head();
    assert_eq!((record.previous, record.epoch, record.batch), (previous, epoch, batch), "{name}");
    assert_eq!((record.positions, record.ahead), (positions, ahead), "{name}");
    assert_eq!((record.outputs_through, record.entries.as_slice()), (outputs_through, expected), "{name}");
    let (lean, _) = decode::<Record<ReplayEntry<Event>>>(&bytes).unwrap();
    let events = |entry: &ReplayEntry<Event>| match entry {
        ReplayEntry::Decision(decided) => decided.events.len(),
        _ => 0,
    };
    let lean_events: usize = lean.entries.iter().map(events).sum();
    assert_eq!(lean_events, expected.len() / 8 * 3, "{name}: replay sees the same events");
}

#[test]
fn records_of_format_1_plain_are_read() {
    check("record.v1.plain.bin", &entries());
}

#[test]
fn records_of_format_2_compressed_are_read() {
    check("record.v1.lz4.bin", &many());
}

#[test]
fn records_are_still_written_as_the_golden_files_show() {
    let golden =
        |name: &str| std::fs::read(format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    assert!(
        encoded(&entries()) == golden("record.v1.plain.bin"),
        "a change of the bytes needs a new golden file"
    );
    assert!(encoded(&many()) == golden("record.v1.lz4.bin"), "a change of the bytes needs a new golden file");
}

fn snapshot() -> Snapshot<String> {
    Snapshot {
        entity: id("t-1"),
        version: 7,
        event_sequence: 9,
        quarantined: true,
        seen: vec![(0x0123_4567_89ab_cdef, 0x0bad_cafe), (1, 2)],
        trail: vec![1, 5, 0x81, 0x01].into(),
        state: "a state".to_owned(),
    }
}

fn marker() -> SnapshotMarker {
    SnapshotMarker {
        epoch: 3,
        number: 4,
        index: Some(IndexName { token: "2-00c0ffee-7".to_owned(), pages: 3 }),
        partitions: 8,
        hash_key: [9; 16],
        journal_sequence: 40,
        journal_batch: 41,
        journal_hash: RecordHash([7; 16]),
        outputs_through: 42,
        last_time: Timestamp(1_795_766_400_123),
    }
}

fn page() -> SnapshotPage {
    SnapshotPage {
        written_at: Timestamp(1_795_766_400_321),
        items: vec![encode_item(&snapshot()), encode_item(&snapshot())],
    }
}

fn index() -> IndexPage {
    IndexPage {
        hashes: vec![0xfedc_ba98_7654_3210, 2],
        versions: vec![7, 1],
        pages: vec![2, 0],
        are_distances: true,
        items: vec![0, 1],
        closed: vec![(1, Timestamp(1_795_766_400_000))],
        deadlines: vec![(0, Timestamp(1_795_766_400_456))],
        phase_names: vec!["open".to_owned(), "closed".to_owned()],
        phases: vec![0, 1],
        posting: Vec::new(),
        open: vec![(
            0,
            OpenCommands {
                in_flight: [0, 1, 0, 0, 2],
                waiting: [0, 0, 0, 0, 3],
                urgent: [0; 5],
                since: Timestamp(1_795_766_400_007),
            },
        )],
        forgotten: vec![9],
    }
}

fn golden(name: &str, written: &[u8]) -> Vec<u8> {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, written).unwrap();
    }
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(written == bytes, "a change of the bytes needs a new golden file");
    bytes
}

#[test]
fn snapshots_their_pages_index_and_markers_are_read_and_written_as_the_golden_files_show() {
    let bytes = golden("snapshot_page.v1.bin", &encode_snapshot(&page()));
    let read = decode::<SnapshotPage>(&bytes).unwrap().0;
    assert_eq!(read, page());
    assert_eq!(decode_item::<Snapshot<String>>(&read.items[1]).unwrap(), snapshot());
    let bytes = golden("index_page.v1.bin", &encode_snapshot(&index()));
    assert_eq!(decode::<IndexPage>(&bytes).unwrap().0, index());
    let bytes = golden("marker.v2.bin", &encode_snapshot(&marker()));
    assert_eq!(decode::<SnapshotMarker>(&bytes).unwrap().0, marker());
}

#[test]
fn a_marker_without_an_index_is_read_so_that_the_journal_is_used_instead() {
    let path = format!("{}/tests/golden/marker.v1.bin", env!("CARGO_MANIFEST_DIR"));
    let (marker, _) = decode::<SnapshotMarker>(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!((marker.epoch, marker.journal_sequence, marker.index), (3, 40, None));
}

#[test]
fn a_snapshot_that_stood_alone_is_still_read() {
    let path = format!("{}/tests/golden/snapshot.v1.bin", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(decode::<Snapshot<String>>(&std::fs::read(&path).unwrap()).unwrap().0, snapshot());
}
