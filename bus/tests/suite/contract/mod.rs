//! The contract suite: the same cases for every adapter. The numbers are those of the guarantees in `bus::ports`.

use std::time::Duration;

use bus::layout::{Bounds, Layout, StreamId};
use bus::ports::{Bus, Expect, Outgoing, Position, Reader, SharedBus, StoreOutcome, Stored};
use bytes::Bytes;
use domain::envelope::{Headers, Plane};

pub(crate) mod core;
pub(crate) mod purging;
pub(crate) mod reading;
pub(crate) mod storing;

/// How many messages the intake of the suite takes.
pub(crate) const MOST_INTAKE: u64 = 5;
/// How many messages the notices of the suite keep.
pub(crate) const MOST_NOTICES: u64 = 3;
/// Longer than anything here should take; a case that needs it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The layout that an adapter is set up with before a case.
pub(crate) fn layout() -> Layout {
    Layout::new("retail", 4, 1)
        .with_bounds(StreamId::Intake, Bounds::messages(MOST_INTAKE))
        .with_bounds(StreamId::Notices, Bounds::messages(MOST_NOTICES))
}

pub(crate) fn message(subject: String, body: impl AsRef<[u8]>) -> Outgoing {
    let headers = Headers::new().with("Key", "o-1").with("ce-id", "m-1");
    Outgoing { subject, headers, body: Bytes::copy_from_slice(body.as_ref()) }
}

/// A message to the work stream, whose key decides its partition.
pub(crate) fn work(key: &str, body: impl AsRef<[u8]>) -> Outgoing {
    message(layout().inbound(Plane::Fact, "main", "shipment", "departed", key), body)
}

pub(crate) fn reply(key: &str, body: impl AsRef<[u8]>) -> Outgoing {
    message(layout().inbound(Plane::Reply, "main", "payment", "captured", key), body)
}

/// Stores without expectation and gives the sequence.
pub(crate) async fn stored(bus: &dyn Bus, message: Outgoing) -> u64 {
    match bus.store(message, Expect::Anything).await {
        StoreOutcome::Stored(sequence) => sequence,
        other => panic!("expected the message to be stored: {other:?}"),
    }
}

/// Reads until `count` messages are there.
pub(crate) async fn read(reader: &mut dyn Reader, count: usize) -> Vec<Stored> {
    let mut messages = Vec::new();
    let reading = async {
        while messages.len() < count {
            let missing = count - messages.len();
            messages.extend(reader.next(missing, PATIENCE).await.expect("the reader gives messages"));
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the messages come in time");
    messages
}

pub(crate) fn bodies(messages: &[Stored]) -> Vec<String> {
    messages.iter().map(|stored| String::from_utf8_lossy(&stored.body).into_owned()).collect()
}

pub(crate) fn after(stored: &Stored) -> Position {
    Position { sequence: stored.sequence, timestamp_ns: stored.timestamp_ns }
}

/// All messages that a stream holds.
pub(crate) async fn all(bus: &SharedBus, stream: &str) -> Vec<Stored> {
    let bounds = bus.bounds(stream).await.unwrap();
    let mut messages = Vec::new();
    for sequence in bounds.first..=bounds.last {
        messages.extend(bus.get(stream, sequence).await.unwrap());
    }
    messages
}

/// Makes one test of each case for one adapter; `$on` makes the adapter and keeps it alive.
macro_rules! contract {
    ($on:path; $($module:ident :: $case:ident),+ $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let (bus, _alive) = $on().await;
            crate::contract::$module::$case(bus).await;
        })+
    };
}
pub(crate) use contract;

/// The whole suite for one adapter.
macro_rules! whole_contract {
    ($on:path) => {
        crate::contract::contract! { $on;
            storing::sequences_and_timestamps_grow,
            storing::the_partition_is_fnv_1a_of_the_key,
            storing::a_full_stream_refuses_and_loses_nothing,
            storing::a_stream_that_discards_old_keeps_the_newest,
            storing::an_expectation_on_the_stream_holds_once,
            storing::an_expectation_on_the_subject_is_zero_once_it_is_emptied,
            storing::of_many_with_the_same_expectation_one_is_stored,
            storing::what_no_stream_takes_is_refused,
            storing::headers_and_bytes_come_back_as_they_went,
            storing::an_entry_of_a_bucket_replaces_the_one_before,
            storing::the_bucket_of_reference_data_keeps_the_newest_eight_of_each_value,
            storing::a_batch_is_stored_whole_or_not_at_all,
            storing::a_batch_of_the_largest_size_is_taken_and_a_larger_one_is_not,
            storing::a_marked_batch_is_stored_or_deposed,
            storing::a_purge_by_filter_takes_only_what_fits_and_stands_before,
            purging::a_purge_by_filter_leaves_everything_else_where_it_is,
            purging::a_purge_by_filter_takes_nothing_at_or_behind_its_sequence,
            purging::a_purge_by_filter_makes_room,
            purging::what_is_gone_is_counted_however_it_went,
            purging::the_audit_cannot_be_purged,
            storing::an_append_is_stored_or_fenced,
            reading::a_reader_gives_its_partition_in_order_and_once,
            reading::a_reader_starts_after_its_position,
            reading::a_reader_waits_for_what_comes_later,
            reading::a_reader_of_nothing_comes_back_empty,
            reading::a_gap_before_the_first_message_is_an_error,
            reading::a_purge_of_everything_is_a_gap_unless_the_position_is_at_the_end,
            reading::a_reader_with_a_filter_goes_on_behind_what_others_had_purged,
            reading::a_position_beyond_the_end_goes_back,
            reading::another_timestamp_at_the_position_goes_back,
            reading::an_unknown_stream_is_named,
            core::a_send_reaches_the_stream_and_the_listeners,
            core::a_request_gets_its_answer,
            core::a_request_that_nobody_hears_fails_at_once,
        }
    };
}
pub(crate) use whole_contract;
