//! The faulty adapter: without faults it is the bus inside; with them it does what its plan says, the same way every time.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use bus::faulty::{CrashAt, FaultPlan, Faults, FaultyBus, Step};
use bus::layout::StreamId;
use bus::memory::MemoryBus;
use bus::ports::{Bus, Expect, Position, SharedBus, StoreOutcome};
use tokio::time::{sleep, timeout};

use crate::contract::{all, bodies, layout, message, stored, work};

fn faultless() -> Ready<(SharedBus, ())> {
    ready((Arc::new(FaultyBus::new(Arc::new(MemoryBus::real_time(&layout())), FaultPlan::none(1))), ()))
}

crate::contract::whole_contract!(faultless);

/// A fixed traffic over a rough bus; gives what arrived and what went wrong.
async fn traffic(seed: u64) -> (Vec<String>, Vec<StoreOutcome>, Faults) {
    let memory: SharedBus = Arc::new(MemoryBus::real_time(&layout()));
    let faulty = FaultyBus::new(memory.clone(), FaultPlan::rough(seed));
    let mut outcomes = Vec::new();
    for number in 0..300 {
        assert!(faulty.send(work("o-1", format!("s{number}"))));
        outcomes.push(faulty.store(work("o-1", format!("t{number}")), Expect::Anything).await);
    }
    sleep(Duration::from_secs(1)).await;
    (bodies(&all(&memory, &layout().name(StreamId::Work)).await), outcomes, faulty.faults())
}

#[tokio::test(start_paused = true)]
async fn given_a_seed_when_the_same_calls_come_twice_then_the_same_faults_happen() {
    let first = traffic(42).await;
    assert_eq!(first, traffic(42).await);
    assert_ne!(first.0, traffic(43).await.0);
    let seen = first.2;
    for (what, count) in [
        ("lost acks", seen.lost_acks),
        ("refused stores", seen.refused_stores),
        ("late stores", seen.late_stores),
        ("duplicated sends", seen.duplicated_sends),
        ("dropped sends", seen.dropped_sends),
        ("reordered sends", seen.reordered_sends),
        ("delays", seen.delays),
    ] {
        assert!(count > 0, "no {what} in 300 calls: {seen:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn given_faults_when_a_store_is_acknowledged_then_it_is_there_and_unknown_ones_come_at_most_once() {
    let (arrived, outcomes, seen) = traffic(7).await;
    let times = |body: &str| arrived.iter().filter(|other| *other == body).count();
    for (number, outcome) in outcomes.iter().enumerate() {
        let expected = match outcome {
            StoreOutcome::Stored(_) => 1..=1,
            _ => 0..=1,
        };
        assert!(expected.contains(&times(&format!("t{number}"))), "t{number}: {outcome:?}");
    }
    let twice = (0..300).filter(|number| times(&format!("s{number}")) == 2).count();
    let never = (0..300).filter(|number| times(&format!("s{number}")) == 0).count();
    assert_eq!((twice as u64, never as u64), (seen.duplicated_sends, seen.dropped_sends));
}

/// One call for each step that has a subject.
async fn one_of_each(bus: &dyn Bus) {
    let layout = layout();
    bus.store(message(layout.journal(0), "record"), Expect::LastSequence(0)).await;
    let marker = vec![message(layout.snapshot(0, "marker"), "marker")];
    bus.store_batch(marker, Expect::LastOnSubject(0)).await;
    bus.store(message(layout.page("main", 0), "page"), Expect::LastOnSubject(0)).await;
    bus.store(message(layout.dead_letter("main", "order", "schema", 0), "letter"), Expect::LastOnSubject(0))
        .await;
    for subject in [
        layout.command("main", "payment", "authorize", 0),
        layout.notice("main", "order", "committed", 0),
        "_INBOX.shop.1".to_owned(),
    ] {
        bus.send(message(subject, "sent"));
    }
    for stream in [StreamId::Work, StreamId::Journal(0), StreamId::Snapshots] {
        let mut reader = bus.open(&layout.name(stream), None, Position::default()).await.unwrap();
        reader.next(1, Duration::from_secs(1)).await.unwrap();
    }
    bus.purge_filtered(&layout.name(StreamId::Snapshots), &layout.snapshot(0, "marker"), 1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn given_a_crash_at_each_step_when_it_is_reached_then_the_bus_is_dead_and_the_one_inside_lives() {
    for step in Step::ALL {
        let memory = MemoryBus::real_time(&layout());
        stored(&memory, work("o-1", "input")).await;
        let plan = FaultPlan::none(1).with_crash(CrashAt { step, nth: 1 });
        let faulty = FaultyBus::new(Arc::new(memory.clone()), plan);
        let running = faulty.clone();
        let node = tokio::spawn(async move {
            one_of_each(&running).await;
            // Sends do not wait, so only the next call that waits notices.
            let _ = running.bounds("RETAIL_WORK").await;
        });
        timeout(Duration::from_secs(10), faulty.crashed())
            .await
            .unwrap_or_else(|_| panic!("{step:?} was not reached"));
        assert!(timeout(Duration::from_secs(10), node).await.is_err(), "{step:?}: the node went on");
        assert!(faulty.is_crashed() && !faulty.connected() && !faulty.send(work("o-1", "ghost")));
        let count = |stream| {
            let memory = memory.clone();
            async move { memory.bounds(&layout().name(stream)).await.unwrap().messages }
        };
        assert_eq!(count(StreamId::Work).await, 1, "{step:?}");
        let record = u64::from(step != Step::BeforeAppend);
        let page = u64::from(!matches!(
            step,
            Step::BeforeAppend
                | Step::AfterAppend
                | Step::BeforeSnapshots
                | Step::AfterSnapshots
                | Step::BeforePage
        ));
        assert_eq!(
            (count(StreamId::Journal(0)).await, count(StreamId::Events).await),
            (record, page),
            "{step:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn given_a_crash_at_the_third_append_when_two_were_stored_then_only_those_are_there() {
    let memory = MemoryBus::real_time(&layout());
    let crash = CrashAt { step: Step::BeforeAppend, nth: 3 };
    let faulty = FaultyBus::new(Arc::new(memory.clone()), FaultPlan::none(1).with_crash(crash));
    for number in 0..2 {
        let outcome =
            faulty.store(message(layout().journal(0), "record"), Expect::LastSequence(number)).await;
        assert_eq!(outcome, StoreOutcome::Stored(number + 1));
    }
    let third = faulty.store(message(layout().journal(0), "record"), Expect::LastSequence(2));
    assert!(timeout(Duration::from_mins(1), third).await.is_err());
    assert_eq!(memory.bounds(&layout().name(StreamId::Journal(0))).await.unwrap().last, 2);
}
