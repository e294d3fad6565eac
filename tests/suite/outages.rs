//! Participants that are away for a while, or never quite there, with real orders: on one thread with a paused clock, judged by the auditor.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix::System;
use actors::clock::RuntimeClock;
use actors::config::{InFlight, NodeConfig, Participants};
use actors::node::{self, Node, Placement};
use actors::participant::settings::ParticipantSettings;
use async_trait::async_trait;
use bus::around::Around;
use bus::layout::{Layout, StreamId};
use bus::memory::MemoryBus;
use bus::ports::{Bus, Expect, Outgoing, SharedBus, StoreOutcome, Stored};
use domain::decider::Participant;
use domain::gates::BreakerState;
use domain::order::{Order, Policies};
use domain::time::Timestamp;
use loadtest::contract::Naming;
use loadtest::demo::{Report, RunOptions};
use loadtest::simulators::{Profile, Profiles};
use serde_json::Value;
use tokio::time::Instant;

use crate::world::everything;

/// 2026-11-27T08:00:00Z, the hour of the promotion.
const BEGIN: Timestamp = Timestamp(1_795_766_400_000);

const ORDERS: u64 = 300;
/// Orders a second.
const QUICKLY: u32 = 20;
/// So that some come while a participant is away and some after it.
const SLOWLY: u32 = 4;

/// A bus on which one participant says nothing for a while; what it wanted to say it says afterwards.
#[derive(Debug)]
struct Away {
    inner: SharedBus,
    who: Participant,
    until: Instant,
}

#[async_trait]
impl Around for Away {
    fn inner(&self) -> &dyn Bus {
        &*self.inner
    }

    async fn store(&self, message: Outgoing, expect: Expect) -> StoreOutcome {
        let mut tokens = message.subject.split('.').skip(2);
        let (plane, domain) = (tokens.next(), tokens.nth(1));
        // A warehouse answers and tells its facts as `shipment`.
        let domain_of_it = match self.who {
            Participant::Fulfillment => "shipment",
            other => other.as_str(),
        };
        if plane == Some("reply") && domain == Some(domain_of_it) {
            tokio::time::sleep_until(self.until).await;
        }
        self.inner.store(message, expect).await
    }
}

/// What an outage looked like.
struct Seen {
    report: Report,
    /// The kinds of all events.
    events: Vec<String>,
    /// Right before it ended.
    opened: u64,
    waiting: i64,
    committed: i64,
    commands: Vec<Stored>,
    /// How many of them were sent before it ended.
    before: usize,
}

/// Orders at a steady rate, one participant away for so long from the beginning.
fn outage(who: Participant, away: Duration, per_second: u32) -> Seen {
    outage_among(&Profiles::all(Profile::CALM), who, away, per_second)
}

/// The same among participants that behave so.
fn outage_among(profiles: &Profiles, who: Participant, away: Duration, per_second: u32) -> Seen {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().expect("a runtime without I/O needs nothing")
    };
    System::with_tokio_rt(runtime).block_on(async move {
        let (begin, layout) = (Instant::now(), Layout::new("retail", 2, 1));
        let broker_clock =
            move || BEGIN.0 * 1_000_000 + i64::try_from(begin.elapsed().as_nanos()).expect("hours fit");
        let broker: SharedBus = Arc::new(MemoryBus::new(&layout, Arc::new(broker_clock)));
        let clock = Arc::new(RuntimeClock::starting_at(BEGIN));
        let bus = broker.clone();
        let node =
            node::start::<Order>(config(), Policies::default(), bus, layout.clone(), clock, Placement::Here);
        let options = RunOptions {
            rate: Some(per_second),
            in_flight: 2_000,
            profiles: *profiles,
            ..RunOptions::new(ORDERS, 7, "away")
        };
        let outside: SharedBus = Arc::new(Away { inner: broker.clone(), who, until: begin + away });
        let load = actix::spawn(loadtest::demo::run(options, outside, Naming::default(), |_| ()));
        tokio::time::sleep_until(begin + away - Duration::from_millis(1)).await;
        let at = who.index();
        let (waiting, committed) = (node.metrics().waiting[at].get(), beyond_the_commit(&node));
        let opened = node.metrics().breaker_opened[at].get();
        let stream = layout.name(StreamId::Commands(who));
        let before = everything(&broker, &stream).await.len();
        let report = load.await.expect("the load does not panic").expect("the memory bus is always there");
        let breaker = node.participants().status().await.expect("the keeper lives")[at].breaker;
        assert_eq!(breaker, BreakerState::Closed);
        node.drain().await;
        let pages = everything(&broker, &layout.name(StreamId::Events)).await;
        let events = pages.iter().flat_map(kinds).collect();
        let commands = everything(&broker, &stream).await;
        Seen { report, events, opened, waiting, committed, commands, before }
    })
}

fn config() -> NodeConfig {
    let limited = ParticipantSettings {
        rate_per_second: 200,
        burst: 20,
        least_outcomes: 10,
        open_ms: 2_000,
        ramp_ms: 5_000,
        ..ParticipantSettings::default()
    };
    let payment =
        ParticipantSettings { least_outcomes: 10, open_ms: 2_000, ..ParticipantSettings::default() };
    NodeConfig {
        participants: Participants { loyalty: limited, payment, erp: limited, ..Participants::default() },
        in_flight_commands: InFlight { loyalty: 50, erp: 50, ..NodeConfig::default().in_flight_commands },
        ..NodeConfig::default()
    }
}

fn kinds(page: &Stored) -> Vec<String> {
    let page: Value = serde_json::from_slice(&page.body).expect("a page is JSON");
    let events = page["events"].as_array().expect("a page has events");
    events.iter().map(|event| event["type"].as_str().expect("an event has a type").to_owned()).collect()
}

fn beyond_the_commit(node: &Node) -> i64 {
    let metrics = node.metrics();
    let committed = ["committed", "fulfilling", "completed", "cancelling", "cancelled"];
    committed.iter().map(|phase| metrics.phases.get(phase).map_or(0, |count| *count)).sum()
}

fn assert_clean(report: &Report) {
    let first: Vec<_> = report.verdict.violations.iter().take(5).collect();
    assert!(report.verdict.clean, "{} violations: {first:#?}", report.verdict.violations.len());
    assert_eq!(report.orders.open, 0, "every order ends");
}

#[test]
fn given_the_erp_is_away_when_orders_come_then_no_submit_takes_longer_and_its_documents_are_posted_afterwards()
 {
    let calm = outage(Participant::Erp, Duration::from_millis(10), QUICKLY);
    let seen = outage(Participant::Erp, Duration::from_secs(30), QUICKLY);
    assert_clean(&calm.report);
    assert_clean(&seen.report);
    assert!(seen.opened > 0 && seen.waiting > 200, "opened {}, {} wait", seen.opened, seen.waiting);
    assert!(seen.committed > 200, "{} committed without the ERP", seen.committed);
    let (calm, away) = (calm.report.submit_to_committed, seen.report.submit_to_committed);
    assert!(calm.p50 > 0.0, "{calm:?}");
    assert!(away.p50 <= calm.p50 * 1.1 && away.p99 <= calm.p99 * 1.1, "{away:?} instead of {calm:?}");
    let times: Vec<i64> =
        seen.commands[seen.before..].iter().map(|command| command.timestamp_ns / 1_000_000).collect();
    for (index, begin) in times.iter().enumerate() {
        let within = times[index..].iter().take_while(|time| **time < begin + 1_000).count();
        assert!(within <= 221, "{within} documents in a second: the backlog drains at the limit");
    }
}

#[test]
fn given_loyalty_is_away_when_orders_come_then_those_without_points_commit_and_accruals_are_posted_once() {
    let seen = outage(Participant::Loyalty, Duration::from_secs(20), QUICKLY);
    assert_clean(&seen.report);
    let count = |kind: &str| seen.events.iter().filter(|event| *event == kind).count();
    assert!(seen.opened > 0 && seen.committed > 50, "opened {}, {} committed", seen.opened, seen.committed);
    assert!(count("loyalty.deferred") > 10 && count("loyalty.accrued") >= count("loyalty.deferred"));
}

#[test]
fn given_payment_is_away_when_deadlines_pass_behind_its_breaker_then_those_orders_are_rejected_and_later_ones_commit()
 {
    // invariant: no-stuck-order
    // The auditor holds a rejection legal only where somebody is known to let deadlines pass.
    let payment = Profile { silences: 20, ..Profile::CALM };
    let profiles = Profiles { payment, ..Profiles::all(Profile::CALM) };
    let seen = outage_among(&profiles, Participant::Payment, Duration::from_secs(45), SLOWLY);
    let count = |kind: &str| seen.events.iter().filter(|event| *event == kind).count();
    assert_clean(&seen.report);
    assert!(seen.opened > 0 && seen.waiting > 20, "opened {}, {} wait", seen.opened, seen.waiting);
    // The deadline of a commit is half a minute: those of the first quarter of a minute have passed.
    let rejected = count("order.rejected");
    assert!(rejected > 20, "{rejected} were given up without an answer of payment");
    // What waited behind the breaker was never asked for: of 180 orders that came meanwhile, each would be asked for several times.
    assert!(seen.before < 120, "{} commands went to who was away", seen.before);
    let completed = seen.report.orders.completed;
    assert!(completed > 100, "{completed} completed once it was back");
}

#[test]
fn given_participants_that_are_later_than_any_deadline_now_and_then_when_orders_come_then_each_ends_and_all_books_agree()
 {
    // invariant: no-stuck-order
    // What is refused for good, a document say, waits for a person.
    let unreliable = Profile { refusals: 0, ..Profile::UNRELIABLE };
    let seen =
        outage_among(&Profiles::all(unreliable), Participant::Payment, Duration::from_millis(10), QUICKLY);
    assert_clean(&seen.report);
    let orders = seen.report.orders;
    assert!(orders.completed > ORDERS / 2, "{orders:?}");
    let keys: BTreeSet<_> =
        seen.commands.iter().filter_map(|command| command.headers.get("Idempotency-Key")).collect();
    assert!(keys.len() > 300 && seen.commands.len() > keys.len() + 20, "payment was asked again, and again");
}
