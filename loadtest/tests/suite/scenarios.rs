//! Load tests on a bus in memory, without anybody who serves the orders: what is told must be the truth all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bus::layout::{Bounds, Layout, StreamId};
use bus::memory::MemoryBus;
use bus::ports::{Expect, Outgoing, Position, SharedBus, StoreOutcome};
use domain::envelope::Headers;
use loadtest::contract::Naming;
use loadtest::run::summary::Environment;
use loadtest::run::{Ending, Heard, Place, Setting, Summary, drive};
use loadtest::scenario::Scenario;
use loadtest::scenario::objective::Leg;
use serde_json::Value;
use tokio::time::sleep;

fn scenario(more: &str) -> Scenario {
    let least = "schema = \"doorbuster-loadtest/1\"\n\
                 [[phases]]\nlabel = \"p\"\nrate = \"50/s\"\nover = \"4s\"\n";
    let text = format!("{least}{more}");
    Scenario::parse("t", &text, None).unwrap_or_else(|problems| panic!("{problems}"))
}

async fn played(layout: &Layout, scenario: Scenario, ends: Option<Duration>) -> (Summary, usize) {
    played_on(Arc::new(MemoryBus::new(layout, Arc::new(|| 1))), scenario, ends).await
}

async fn played_on(bus: SharedBus, scenario: Scenario, ends: Option<Duration>) -> (Summary, usize) {
    let setting = Setting {
        scenario: Arc::new(scenario),
        run: "r1".to_owned(),
        naming: Naming::default(),
        partitions: 8,
        external_participants: false,
        bus,
        place: Place::Here,
        restarts: None,
        environment: Environment::default(),
    };
    let told = AtomicUsize::new(0);
    let heard = Heard {
        progress: |_: &_| {
            told.fetch_add(1, Ordering::Relaxed);
        },
        asked_to_end: async {
            match ends {
                Some(after) => sleep(after).await,
                None => std::future::pending().await,
            }
        },
    };
    let summary = drive(setting, heard).await.unwrap();
    (summary, told.load(Ordering::Relaxed))
}

fn memory() -> Layout {
    Layout::new("retail", 8, 1).in_memory()
}

#[tokio::test(start_paused = true)]
async fn given_nobody_who_serves_when_run_then_orders_still_come_at_their_rate_and_all_are_missed() {
    let text = "[run]\npatience = \"5s\"\nwarmup = \"1s\"\narrivals = \"even\"\n[[slo]]\nmetric = \"ack.p99\"\nvalue = \"50ms\"\n";
    let (summary, told) = played(&memory(), scenario(text), None).await;
    assert_eq!((summary.orders.submitted, summary.orders.open), (200, 200));
    assert_eq!(
        (summary.measured.counted, summary.legs[0].corrected.count),
        (150, 150),
        "the warm-up is not measured"
    );
    assert!(summary.lateness.p99 <= 5.0, "{:?}", summary.lateness);
    assert!(summary.objectives[0].met, "the broker took them: {:?}", summary.objectives);
    assert_eq!((summary.ending.how, summary.ending.code), (Ending::InvariantViolated, 11));
    assert!(summary.ending.reasons[0].contains("no_lost: 200"), "{:?}", summary.ending.reasons);
    assert!(told >= 8, "{told}");
    assert!(
        summary.points.iter().take(4).all(|point| (point.sent - 50.0).abs() < 2.0),
        "{:?}",
        summary.points
    );
}

#[tokio::test(start_paused = true)]
async fn given_a_full_intake_when_run_then_it_gives_up_in_the_end_and_tells_why() {
    let layout = memory().with_bounds(StreamId::Intake, Bounds::messages(20));
    let (summary, _) = played(&layout, scenario("[run]\npatience = \"3s\"\n"), None).await;
    assert_eq!(summary.legs[0].corrected.count, 20);
    let codes: Vec<&str> = summary.errors.iter().map(|error| error.code.as_str()).collect();
    assert_eq!(codes, ["stream full, sent again", "given up at the end"]);
    assert!(summary.errors[0].example.starts_with("retail.v1.intake.main.order.submit.r1-"));
    assert_eq!(
        summary.ending.how,
        Ending::InvariantViolated,
        "an order that was given up may have been stored"
    );
}

#[tokio::test(start_paused = true)]
async fn given_no_room_for_more_orders_when_run_then_the_generator_is_late_and_says_so() {
    let text =
        "[run]\npatience = \"3s\"\narrivals = \"even\"\nin_flight = 60\n[invariants]\nno_lost = false\n";
    let (summary, _) = played(&memory(), scenario(text), None).await;
    assert_eq!(summary.orders.submitted, 60, "never more under way than there is room for");
    assert_eq!((summary.ending.how, summary.measured.unsent), (Ending::RunInvalid, 140));
}

#[tokio::test(start_paused = true)]
async fn given_an_interruption_when_run_then_what_was_measured_until_then_is_told() {
    let (summary, _) = played(&memory(), scenario(""), Some(Duration::from_secs(2))).await;
    assert_eq!((summary.ending.how, summary.ending.code), (Ending::Interrupted, 130));
    assert!((80..120).contains(&summary.orders.submitted), "{:?}", summary.orders);
    assert_eq!(summary.ending.reasons.len(), 1, "orders that had no time to end are not lost");
    let read = Summary::parse(&summary.json()).unwrap();
    assert!(!summary.hdr_log.is_empty(), "it is not in the summary, but beside it");
    assert!(read == Summary { hdr_log: String::new(), ..summary }, "a summary can be read again");
}

#[tokio::test(start_paused = true)]
async fn given_poison_when_nobody_makes_dead_letters_then_that_is_a_violation() {
    let text = "[run]\npatience = \"2s\"\n[mix]\npoison = \"10%\"\n";
    let (summary, _) = played(&memory(), scenario(text), None).await;
    assert!((5..40).contains(&summary.measured.poison), "{:?}", summary.measured);
    assert_eq!(summary.verdict.by_check["dead-letters-are-expected"], 1);
}

/// Answers each order with a receipt that says that it was not begun. Of those that are too late it makes dead letters, and one of
/// the others it works on all the same if it `lies`.
async fn turn_away(bus: SharedBus, code: &'static str, lies: bool) {
    let mut reader = bus.open("RETAIL_INTAKE", None, Position::default()).await.unwrap();
    let mut lie = lies;
    loop {
        for submit in reader.next(64, Duration::from_millis(50)).await.unwrap() {
            let body: Value = serde_json::from_slice(&submit.body).unwrap();
            let order = body["order_id"].as_str().unwrap();
            let receipt = format!(
                r#"{{"order_id":"{order}","outcome":"rejected","order_version":0,"reason":{{"code":"{code}"}}}}"#
            );
            let subject = submit.headers.get("Reply-To").unwrap().to_owned();
            assert_eq!(submit.headers.get("ce-expirytime").is_some(), code == "expired");
            assert!(bus.send(Outgoing { subject, headers: Headers::new(), body: receipt.into() }));
            let (subject, headers, body) = if code == "expired" {
                let body = format!(r#"{{"key":"{order}"}}"#);
                ("retail.v1.dlq.main.order.expired.3", Headers::new(), body)
            } else if std::mem::take(&mut lie) {
                let headers =
                    [("Key", order), ("Idempotency-Key", "k"), ("Effect-Id", "e"), ("Effect-Epoch", "1")];
                let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
                let body = format!(r#"{{"order_id":"{order}","points":5,"member_id":"m-1"}}"#);
                ("retail.v1.cmd.main.loyalty.reserve.3", headers.into_iter().collect(), body)
            } else {
                continue;
            };
            let more = Outgoing { subject: subject.to_owned(), headers, body: body.into() };
            assert!(matches!(bus.store(more, Expect::Anything).await, StoreOutcome::Stored(_)));
        }
    }
}

async fn turned_away(code: &'static str, lies: bool, text: &str) -> Summary {
    let bus: SharedBus = Arc::new(MemoryBus::new(&memory(), Arc::new(|| 1)));
    let server = tokio::spawn(turn_away(Arc::clone(&bus), code, lies));
    let (summary, _) = played_on(bus, scenario(text), None).await;
    server.abort();
    let orders = summary.orders;
    assert!(orders.submitted > 150, "{orders:?}");
    assert_eq!((orders.turned_away, orders.open), (orders.submitted, 0));
    assert_eq!(summary.leg(Leg::Commit).map(|leg| leg.corrected.count), Some(0), "that is no commit");
    assert!((summary.measured.errors_rate - 1.0).abs() < 1e-9, "to who wanted to buy it is an error");
    summary
}

#[tokio::test(start_paused = true)]
async fn given_a_server_that_turns_orders_away_when_run_then_they_are_not_lost() {
    let summary = turned_away("overloaded", false, "").await;
    assert_eq!(summary.ending.how, Ending::Good, "{:?}", summary.ending);
}

#[tokio::test(start_paused = true)]
async fn given_orders_that_expire_when_nobody_begins_them_then_each_is_a_dead_letter() {
    let summary = turned_away("expired", false, "[run]\nexpires = \"1s\"\n").await;
    assert_eq!(summary.ending.how, Ending::Good, "{:?}", summary.ending);
    assert_eq!(summary.measured.dead_letters, summary.orders.turned_away);
}

#[tokio::test(start_paused = true)]
async fn given_an_order_that_was_turned_away_when_it_is_begun_all_the_same_then_that_is_a_violation() {
    let summary = turned_away("overloaded", true, "").await;
    assert_eq!(summary.ending.how, Ending::InvariantViolated);
    assert_eq!(summary.verdict.by_check["final-is-final"], 1, "{:?}", summary.verdict);
}
