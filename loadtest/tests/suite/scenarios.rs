//! Load tests on a bus in memory, without anybody who serves the orders: what is told must be the truth all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bus::layout::{Bounds, Layout, StreamId};
use bus::memory::MemoryBus;
use bus::ports::SharedBus;
use loadtest::contract::Naming;
use loadtest::run::summary::Environment;
use loadtest::run::{Ending, Heard, Place, Setting, Summary, drive};
use loadtest::scenario::Scenario;
use tokio::time::sleep;

fn scenario(more: &str) -> Scenario {
    let least = "schema = \"doorbuster-loadtest/1\"\n\
                 [[phases]]\nlabel = \"p\"\nrate = \"50/s\"\nover = \"4s\"\n";
    let text = format!("{least}{more}");
    Scenario::parse("t", &text, None).unwrap_or_else(|problems| panic!("{problems}"))
}

async fn played(layout: &Layout, scenario: Scenario, ends: Option<Duration>) -> (Summary, usize) {
    let bus: SharedBus = Arc::new(MemoryBus::new(layout, Arc::new(|| 1)));
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
