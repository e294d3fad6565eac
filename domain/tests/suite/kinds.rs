//! Kinds side by side: whose rules judge whom, and that what an order writes stays as it is, whoever stands beside it.

use std::fs;
use std::path::PathBuf;

use domain::decider::{
    Addressed, Answer, Command, Context, Decider, Decision, EmptyBoard, Further, Gates, Input, OpenEffect,
    Outcome, Published, Trace,
};
use domain::envelope::{Envelope, Headers, Plane};
use domain::ids::{EntityId, Key, Token};
use domain::kinds::{Both, Either, Event, Kind, State};
use domain::messages::outbound::answers::QueuePlace;
use domain::order::{Order, Policies};
use domain::reason::{DeadReason, Reason, Refusal};
use domain::stock::Posted;
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::recorded::everything;

/// A kind with a lamp that is on or off; two of them, so that three kinds can stand together.
struct Lamp<const RED: bool>;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Light {
    on: bool,
    turns: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Turned {
    On { at: Timestamp },
    Off,
}

#[derive(Debug)]
struct Turn;

impl<const RED: bool> Kind for Lamp<RED> {
    const NAME: &'static str = if RED { "red" } else { "green" };
}

impl<const RED: bool> Decider for Lamp<RED> {
    type State = Light;
    type Message = Turn;
    type Event = Turned;
    /// It may be turned so often.
    type Policies = u32;
    type Posted = Posted;

    fn decode(envelope: &Envelope) -> Result<Addressed<Turn>, Refusal> {
        if envelope.kind() != format!("{}.turn", Self::NAME) {
            return Err(Refusal::new(DeadReason::UnknownType, "", "not for a lamp"));
        }
        Ok(Addressed { entity: id(Self::NAME), pointer: "/lamp_id", message: Turn })
    }

    fn decide(
        state: &Light,
        input: Input<'_, Turn>,
        context: &Context<'_, u32, Posted>,
    ) -> Result<Decision<Self>, Reason> {
        let event = if state.on { Turned::Off } else { Turned::On { at: context.now } };
        let may = matches!(input, Input::Message(..)) && state.turns < *context.policies;
        let events: Vec<Turned> = may.then_some(event).into_iter().collect();
        let (mut state, published) = (state.clone(), Published::default());
        for event in &events {
            Self::evolve(&mut state, event);
        }
        let (settled, dead, letters) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Decision { events, state, published, answer: Answer::Accepted, settled, dead, letters })
    }

    fn evolve(state: &mut Light, event: &Turned) {
        state.on = matches!(event, Turned::On { .. });
        state.turns += 1;
    }

    fn tell(_: &EntityId, state: &Light, _: &Turned, told: &mut Published) {
        told.add(Self::NAME, &json!({"on": state.on}));
    }

    fn exists(state: &Light) -> bool {
        state.turns > 0
    }

    fn outcome(_: &Light) -> Option<Outcome> {
        None
    }

    fn next_deadline(state: &Light) -> Option<Timestamp> {
        state.on.then_some(Timestamp(99))
    }

    fn effects(_: &Light) -> Vec<OpenEffect<'_>> {
        Vec::new()
    }

    fn command(_: &EntityId, _: &Light, _: &str) -> Option<Command> {
        None
    }

    fn trace(_: &Light) -> Trace<'_> {
        Trace::default()
    }

    fn phase(_: &Light) -> &'static str {
        Self::NAME
    }

    fn phases() -> &'static [&'static str] {
        if RED { &["red"] } else { &["green"] }
    }

    fn is_unsettled(phase: &'static str) -> bool {
        phase == "red"
    }

    fn view(_: &EntityId, state: &Light, version: u64) -> String {
        format!("{} {} {version}", Self::NAME, state.on)
    }

    fn queued_view(_: &EntityId, _: &QueuePlace) -> String {
        Self::NAME.to_owned()
    }

    fn is_final(_: &Light) -> bool {
        false
    }

    fn kind() -> Token {
        Token::new(Self::NAME).unwrap()
    }
}

/// Three kinds, of which the order is the first.
type All = Both<Both<Order, Lamp<true>>, Lamp<false>>;
type AllEvents = Event<Both<Order, Lamp<true>>, Lamp<false>>;
type AllStates = State<Both<Order, Lamp<true>>, Lamp<false>>;

fn id(kind: &str) -> EntityId {
    let token = |text| Token::new(text).unwrap();
    EntityId { tenant: token("main"), kind: token(kind), key: Key::new("x-1").unwrap() }
}

fn of_order(event: domain::order::Event) -> AllEvents {
    Event(Either::First(Event(Either::First(event))))
}

fn golden(file: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn given_golden_events_of_orders_when_other_kinds_stand_beside_them_then_every_byte_is_the_same() {
    for (file, event) in everything() {
        let (packed, json) =
            (golden(&format!("events/v1/{file}.msgpack")), golden(&format!("events/v1/{file}.json")));
        for read in [
            rmp_serde::from_slice::<AllEvents>(&packed).unwrap_or_else(|error| panic!("{file}: {error}")),
            rmp_serde::from_read(packed.as_slice()).unwrap_or_else(|error| panic!("{file}: {error}")),
            serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{file}: {error}")),
        ] {
            assert_eq!(format!("{read:?}"), format!("{:?}", of_order(event.clone())), "{file}");
            assert_eq!(rmp_serde::to_vec_named(&read).unwrap(), packed, "{file}");
        }
    }
}

#[test]
fn given_the_golden_state_of_an_order_when_other_kinds_stand_beside_it_then_it_is_the_same() {
    let packed = golden("state.v1.msgpack");
    let state: domain::order::State = rmp_serde::from_slice(&packed).unwrap();
    let read: AllStates = rmp_serde::from_slice(&packed).unwrap();
    assert_eq!(format!("{read:?}"), format!("{state:?}"));
    assert_eq!(rmp_serde::to_vec_named(&read).unwrap(), rmp_serde::to_vec_named(&state).unwrap());
    let nobody: AllStates =
        rmp_serde::from_slice(&rmp_serde::to_vec_named(&AllStates::default()).unwrap()).unwrap();
    assert!(nobody.0.is_none());
}

#[test]
fn given_kinds_beside_the_order_when_they_are_written_then_they_stand_under_their_names() {
    let turned: AllEvents = Event(Either::First(Event(Either::Second(Turned::On { at: Timestamp(5) }))));
    let green: AllEvents = Event(Either::Second(Turned::Off));
    assert_eq!(serde_json::to_value(&turned).unwrap(), json!({"red": {"on": {"at": 5}}}));
    assert_eq!(serde_json::to_value(&green).unwrap(), json!({"green": "off"}));
    let light: AllStates = State(Some(Either::Second(Light { on: true, turns: 3 })));
    assert_eq!(serde_json::to_value(&light).unwrap(), json!({"green": {"on": true, "turns": 3}}));
    for event in [turned, green] {
        let packed = rmp_serde::to_vec_named(&event).unwrap();
        assert_eq!(
            format!("{:?}", rmp_serde::from_slice::<AllEvents>(&packed).unwrap()),
            format!("{event:?}")
        );
    }
    let packed = rmp_serde::to_vec_named(&light).unwrap();
    let read: AllStates = rmp_serde::from_slice(&packed).unwrap();
    assert!(matches!(read.0, Some(Either::Second(Light { on: true, turns: 3 }))), "{read:?}");
}

fn envelope(domain: &str, name: &str, body: &str) -> Envelope {
    let token = |text| Token::new(text).unwrap();
    Envelope {
        tenant: token("main"),
        plane: Plane::Ask,
        domain: token(domain),
        name: token(name),
        headers: Headers::new(),
        body: body.to_owned().into(),
        stream: "s".into(),
        sequence: 1,
        item: None,
        stored_at: Timestamp(1),
    }
}

#[test]
fn given_a_message_when_it_comes_then_the_rules_of_its_kind_judge_it_by_its_policies() {
    let policies = ((Policies::default(), 2), 1);
    for (kind, turns) in [("red", 2), ("green", 1)] {
        let (entity, envelope) = (id(kind), envelope(kind, "turn", "{}"));
        let addressed = All::decode(&envelope).unwrap();
        assert_eq!(addressed.entity, entity);
        let mut state = AllStates::default();
        assert!(!All::exists(&state));
        for version in 1..=3 {
            let (now, gates) = (Timestamp(7), Gates::OPEN);
            let (policies, board, further) = (&policies, &EmptyBoard, Further::NONE);
            let context = Context { entity: &entity, now, version, policies, gates, board, further };
            let input = Input::Message(&envelope, &addressed.message);
            let decision = All::decide(&state, input, &context).unwrap();
            assert_eq!(decision.events.is_empty(), version > turns, "{kind} {version}");
            let mut evolved = state.clone();
            decision.events.iter().for_each(|event| All::evolve(&mut evolved, event));
            // A kind that is asked for the first time and does nothing is still nobody.
            assert_eq!(format!("{evolved:?}"), format!("{:?}", decision.state));
            state = evolved;
        }
        let on = turns == 1;
        assert_eq!(All::view(&entity, &state, 9), format!("{kind} {on} 9"));
        assert_eq!((All::phase(&state), All::next_deadline(&state)), (kind, on.then_some(Timestamp(99))));
    }
    let cancel = All::decode(&envelope("order", "cancel", r#"{"order_id": "x-1", "reason": "no"}"#)).unwrap();
    assert_eq!(cancel.entity, id("order"));
}

#[test]
fn given_a_message_that_nobody_knows_when_it_comes_then_the_first_kind_says_what_it_knows() {
    let refusal = All::decode(&envelope("order", "frobnicate", "{}")).unwrap_err();
    let alone = Order::decode(&envelope("order", "frobnicate", "{}")).unwrap_err();
    assert_eq!(format!("{refusal:?}"), format!("{alone:?}"));
    let wrong = All::decode(&envelope("order", "cancel", "{}")).unwrap_err();
    assert_eq!(
        wrong.reason,
        DeadReason::Schema,
        "a fault in a known message is not hidden by who does not know it"
    );
}

#[test]
fn given_three_kinds_when_their_phases_are_listed_then_all_are_there_once() {
    let phases = All::phases();
    assert_eq!(phases.len(), Order::phases().len() + 2);
    assert!(phases.ends_with(&["red", "green"]));
    assert!(std::ptr::eq(phases, All::phases()), "the list is made once");
    assert!(All::is_unsettled("red") && !All::is_unsettled("green") && All::is_unsettled("received"));
}
