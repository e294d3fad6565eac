//! The path of an act, with a knob that is turned by hand.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actors::clock::RuntimeClock;
use bus::layout::Layout;
use bus::memory::MemoryBus;
use bus::ports::SharedBus;
use domain::time::Timestamp;
use serde_json::json;

use super::act::Act;
use super::chain::read;
use super::entry::{Caller, Kind};
use super::knobs::{Knobs, Refusal};
use super::lever::Lever;
use super::scope::Scope;
use super::{Bounds, Control, NotDone, Wish};

struct World {
    bus: MemoryBus,
    lever: Arc<Lever>,
    control: Arc<Control>,
}

impl World {
    /// A control with its clock, as the server runs it. Call it on a paused runtime.
    fn new() -> Self {
        let layout = Layout::default();
        let bus = MemoryBus::real_time(&layout);
        let lever = Arc::new(Lever::new(bus.clone()));
        let shared: SharedBus = Arc::new(bus.clone());
        let clock = Arc::new(RuntimeClock::starting_at(Timestamp(1_000_000)));
        let bounds = Bounds { keys: 10, key_expiry_ms: 1_000 };
        let knobs: Arc<dyn Knobs> = lever.clone();
        let control = Arc::new(Control::new(knobs, (shared, layout), clock, "start".to_owned(), bounds));
        let keeper = Arc::clone(&control);
        tokio::spawn(async move { keeper.keep_time().await });
        Self { bus, lever, control }
    }

    async fn act(&self, act: Act, ttl_ms: Option<i64>) -> Result<super::Done, NotDone> {
        let caller = Caller { request_id: "req".to_owned(), ..Caller::default() };
        self.control.act(&Wish { act, reason: "a test".to_owned(), ttl_ms }, &caller).await
    }

    async fn audit(&self) -> Vec<(Kind, String, Option<String>)> {
        let part = read(&self.bus, &Layout::default(), Some(0), 100).await.unwrap();
        let entries = part.data.into_iter().map(|row| row.entry.expect("an entry of ours"));
        entries.map(|entry| (entry.kind, entry.action, entry.result)).collect()
    }
}

fn row(kind: Kind, action: &str, result: Option<&str>) -> (Kind, String, Option<String>) {
    (kind, action.to_owned(), result.map(str::to_owned))
}

#[tokio::test(start_paused = true)]
async fn the_intent_is_written_before_the_act_and_the_outcome_after_it() {
    // invariant: audit-before-act
    let world = World::new();
    let done = world.act(Act::Pause(Scope::All), None).await.unwrap();
    assert_eq!(world.lever.audit_at_turn.load(Ordering::SeqCst), 1, "only the intent stood there");
    assert_eq!((done.audit.intent, done.audit.outcome, done.applied), (Some(1), Some(2), true));
    assert_eq!((done.before, done.after), (json!({ "paused": false }), json!({ "paused": true })));
    let expected = [row(Kind::Intent, "pause", None), row(Kind::Outcome, "pause", Some("applied"))];
    assert_eq!(world.audit().await, expected);
    let verdict = world.control.verify().await.unwrap();
    assert!(verdict.intact && verdict.open.is_empty(), "{verdict:?}");
}

#[tokio::test(start_paused = true)]
async fn without_an_intent_nothing_is_done() {
    let world = World::new();
    world.bus.disconnect();
    let refused = world.act(Act::Pause(Scope::All), None).await.unwrap_err();
    assert!(matches!(refused, NotDone::Unwritten(_)), "{refused:?}");
    assert!(world.lever.turned.lock().unwrap().is_empty());
    world.bus.reconnect();
    world.act(Act::Pause(Scope::All), None).await.unwrap();
    assert!(world.control.verify().await.unwrap().intact);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_is_not_begun_and_the_audit_has_it_as_refused() {
    let world = World::new();
    let unknown = Act::SetLimit("none".to_owned(), super::act::Limit::default());
    assert!(matches!(world.act(unknown, None).await, Err(NotDone::Refused(Refusal::Unknown { .. }))));
    assert_eq!(world.audit().await, [row(Kind::Refused, "set_limit", Some("not_found"))]);
    *world.lever.refuses.lock().unwrap() = Some(Refusal::Conflict("draining".to_owned()));
    let refused = world.act(Act::Pause(Scope::All), Some(1_000)).await;
    assert!(matches!(refused, Err(NotDone::RefusedAndWritten(Refusal::Conflict(_)))));
    let expected = [row(Kind::Intent, "pause", None), row(Kind::Outcome, "pause", Some("conflict"))];
    assert_eq!(world.audit().await[1..], expected);
    assert!(world.control.verify().await.unwrap().intact);
    assert!(world.control.set().is_empty(), "nothing is set that would have to be taken back");
}

#[tokio::test(start_paused = true)]
async fn what_is_set_for_a_time_is_taken_back_and_the_audit_says_so() {
    let world = World::new();
    world.act(Act::Pause(Scope::All), Some(60_000)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!((world.control.set().len(), world.lever.turned.lock().unwrap().len()), (1, 1));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let turned = world.lever.turned.lock().unwrap().clone();
    assert_eq!(turned, [Act::Pause(Scope::All), Act::Resume(Scope::All)]);
    assert_eq!(world.audit().await[2..], [row(Kind::Reverted, "pause", Some("applied"))]);
    assert!(world.control.set().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_back_by_hand_is_not_taken_back_again() {
    let world = World::new();
    world.act(Act::Pause(Scope::All), Some(60_000)).await.unwrap();
    world.act(Act::Resume(Scope::All), None).await.unwrap();
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(world.audit().await.len(), 4);
    assert!(world.audit().await.iter().all(|(kind, ..)| *kind != Kind::Reverted));
}

#[tokio::test(start_paused = true)]
async fn the_time_of_an_act_ends_without_the_broker_and_is_written_when_it_is_back() {
    let world = World::new();
    world.act(Act::Pause(Scope::All), Some(60_000)).await.unwrap();
    world.bus.disconnect();
    tokio::time::sleep(Duration::from_secs(90)).await;
    assert!(!world.lever.paused.load(Ordering::SeqCst), "taken back");
    world.bus.reconnect();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(world.audit().await[2..], [row(Kind::Reverted, "pause", Some("applied"))]);
    assert!(world.control.verify().await.unwrap().intact);
}

#[tokio::test(start_paused = true)]
async fn acts_whose_times_end_without_the_broker_end_together() {
    let world = World::new();
    let scopes = || (0..20).map(Scope::Partition);
    for scope in scopes() {
        world.act(Act::Pause(scope), Some(60_000)).await.unwrap();
    }
    world.bus.disconnect();
    tokio::time::sleep(Duration::from_secs(61)).await;
    let turned = world.lever.turned.lock().unwrap().clone();
    let mut ended: Vec<_> = turned.into_iter().filter(|act| matches!(act, Act::Resume(_))).collect();
    ended.sort_by_key(Act::slot);
    let mut expected: Vec<_> = scopes().map(Act::Resume).collect();
    expected.sort_by_key(Act::slot);
    assert_eq!(ended, expected, "none waits until the audit has taken those before it");
    world.bus.reconnect();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let audit = world.audit().await;
    assert_eq!(audit.iter().filter(|(kind, ..)| *kind == Kind::Reverted).count(), 20);
    assert!(world.control.verify().await.unwrap().intact);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_back_now_is_tried_again() {
    let world = World::new();
    world.act(Act::Pause(Scope::All), Some(1_000)).await.unwrap();
    *world.lever.refuses.lock().unwrap() = Some(Refusal::NotNow("recovering".to_owned()));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(world.lever.paused.load(Ordering::SeqCst) && world.control.set().len() == 1);
    *world.lever.refuses.lock().unwrap() = None;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!world.lever.paused.load(Ordering::SeqCst));
    assert_eq!(world.audit().await[2..], [row(Kind::Reverted, "pause", Some("applied"))]);
}

#[tokio::test(start_paused = true)]
async fn trying_out_changes_and_writes_nothing() {
    let world = World::new();
    let wish = Wish { act: Act::Pause(Scope::All), reason: "a test".to_owned(), ttl_ms: Some(1_000) };
    let tried = world.control.try_out(&wish).await.unwrap();
    assert!(!tried.applied && tried.until.is_some());
    assert!(world.audit().await.is_empty() && world.lever.turned.lock().unwrap().is_empty());
}
