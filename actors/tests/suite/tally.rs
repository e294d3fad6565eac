//! A small decider that is no order: it adds numbers and posts each sum. That it runs shows that the actors are generic.

use std::cell::Cell;

use bytes::Bytes;
use domain::decider::{
    Addressed, Answer, Asked, Command, Context, Decider, Decision, EffectState, Input, OpenEffect, Outcome,
    Participant, Party, Published, Trace,
};
use domain::envelope::{Envelope, Plane};
use domain::gates::Urgency;
use domain::ids::{EntityId, Key, Token};
use domain::messages::depth::check_pack;
use domain::messages::outbound::answers::QueuePlace;
use domain::reason::{Code, DeadReason, Reason, Refusal};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The number that breaks `decide`.
pub(crate) const BREAKS_DECIDE: i64 = 13;
/// The number that breaks `evolve` while [`BREAK_EVOLVE`] is set.
pub(crate) const BREAKS_EVOLVE: i64 = 666;

thread_local! {
    pub(crate) static BREAK_EVOLVE: Cell<bool> = const { Cell::new(false) };
}

const RESEND_MS: i64 = 2_000;

#[derive(Debug)]
pub(crate) struct Tally;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct State {
    opened: bool,
    closed: bool,
    waits: bool,
    sum: i64,
    effects: Vec<Effect>,
    made: u32,
    outcome: Option<Outcome>,
    correlation: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Effect {
    id: String,
    state: EffectState,
    attempts: u32,
    deadline: Timestamp,
    amount: i64,
    to: Participant,
    urgent: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    Opened { waits: bool, correlation: Option<String> },
    Accepted { version: u64 },
    Added { amount: i64 },
    Sent { effect: String, amount: i64, deadline: Timestamp, to: Participant, urgent: bool },
    Delayed { effect: String, amount: i64, to: Participant, urgent: bool },
    SentAgain { effect: String, deadline: Timestamp },
    Posted { effect: String },
    Told { events: usize, bytes: usize },
    Closed,
}

#[derive(Debug)]
pub(crate) enum Message {
    Open {
        waits: bool,
        channel: String,
    },
    /// A number, who is told, and whether that goes before others.
    Add(i64, Participant, bool),
    Accept,
    Close,
    Posted(String),
    /// So many events of so many bytes.
    Tell(usize, usize),
}

#[derive(Deserialize)]
struct Body {
    tally_id: String,
    #[serde(default)]
    amount: i64,
    #[serde(default)]
    to: Option<Participant>,
    #[serde(default)]
    urgent: bool,
    #[serde(default)]
    waits: bool,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    effect: String,
    #[serde(default)]
    events: usize,
    #[serde(default)]
    bytes: usize,
}

const fn urgency(urgent: bool) -> Urgency {
    if urgent { Urgency::Urgent } else { Urgency::Ordinary }
}

fn schema(pointer: &str, text: &str) -> Refusal {
    Refusal::new(DeadReason::Schema, pointer, text)
}

fn decided(
    events: Vec<Event>,
    state: &State,
    context: &Context<'_, (), ()>,
    answer: Answer,
) -> Decision<Tally> {
    let (mut state, mut published) = (state.clone(), Published::default());
    for event in &events {
        Tally::evolve(&mut state, event);
        Tally::tell(context.entity, &state, event, &mut published);
    }
    Decision { events, state, published, answer, settled: Vec::new(), dead: Vec::new(), letters: Vec::new() }
}

impl Decider for Tally {
    type State = State;
    type Message = Message;
    type Event = Event;
    type Policies = ();
    type Posted = ();

    fn decode(envelope: &Envelope) -> Result<Addressed<Message>, Refusal> {
        let kind = envelope.kind();
        let known = ["tally.open", "tally.add", "tally.accept", "tally.close", "tally.tell", "erp.posted"];
        if !known.contains(&kind.as_str()) {
            return Err(Refusal::new(DeadReason::UnknownType, "", format!("{kind} is not known")));
        }
        let packed = envelope.headers.get("content-type") == Some("application/msgpack");
        let body: Body = if packed {
            check_pack(&envelope.body).map_err(|fault| schema("", &fault.to_string()))?;
            rmp_serde::from_slice(&envelope.body).map_err(|error| schema("", &error.to_string()))?
        } else {
            serde_json::from_slice(&envelope.body).map_err(|error| schema("", &error.to_string()))?
        };
        let key = Key::new(&body.tally_id).map_err(|error| schema("/tally_id", &error.to_string()))?;
        let message = match kind.as_str() {
            "tally.open" => Message::Open { waits: body.waits, channel: body.channel },
            "tally.add" => Message::Add(body.amount, body.to.unwrap_or(Participant::Erp), body.urgent),
            "tally.accept" => Message::Accept,
            "tally.close" => Message::Close,
            "tally.tell" => Message::Tell(body.events, body.bytes),
            _ => Message::Posted(body.effect),
        };
        let entity = EntityId { tenant: envelope.tenant.clone(), kind: Self::kind(), key };
        Ok(Addressed { entity, pointer: "/tally_id", message })
    }

    fn decide(
        state: &State,
        input: Input<'_, Message>,
        context: &Context<'_, (), ()>,
    ) -> Result<Decision<Self>, Reason> {
        let deadline = context.now.plus_ms(RESEND_MS);
        let (events, answer) = match input {
            Input::Message(envelope, Message::Open { waits, .. }) => {
                let correlation = envelope.headers.get("ce-correlationid").map(str::to_owned);
                let mut events = vec![Event::Opened { waits: *waits, correlation }];
                if !waits {
                    events.push(Event::Accepted { version: context.version });
                }
                (
                    if state.opened { Vec::new() } else { events },
                    if *waits { Answer::Later } else { Answer::Accepted },
                )
            }
            // A number that overtakes the opening counts too.
            Input::Message(_, Message::Add(amount, to, urgent)) => {
                assert!(*amount != BREAKS_DECIDE, "thirteen is not a number");
                let (effect, amount) = (format!("{}:post:{}", context.entity, state.made + 1), *amount);
                let (to, urgent) = (*to, *urgent);
                let then = if context.gates.open_for(to, urgency(urgent)) {
                    Event::Sent { effect, amount, deadline, to, urgent }
                } else {
                    Event::Delayed { effect, amount, to, urgent }
                };
                (vec![Event::Added { amount }, then], Answer::Accepted)
            }
            Input::Message(_, Message::Accept) if state.opened && state.outcome.is_none() => {
                (vec![Event::Accepted { version: context.version }], Answer::Accepted)
            }
            Input::Message(_, Message::Posted(effect))
                if state.effects.iter().any(|known| known.id == *effect) =>
            {
                (vec![Event::Posted { effect: effect.clone() }], Answer::Accepted)
            }
            Input::Message(_, Message::Tell(events, bytes)) => {
                (vec![Event::Told { events: *events, bytes: *bytes }], Answer::Accepted)
            }
            Input::Message(_, Message::Close) if state.closed => (Vec::new(), Answer::Accepted),
            Input::Message(_, Message::Close) if state.opened => (vec![Event::Closed], Answer::Accepted),
            Input::Message(envelope, Message::Close) if envelope.plane == Plane::Ask => {
                return Err(Reason::new(Code::NotCancellable, "nothing to close"));
            }
            Input::Message(..) => (Vec::new(), Answer::Accepted),
            Input::Timer => {
                let due = state.effects.iter().filter(|effect| effect.deadline <= context.now);
                let due = due.filter(|effect| effect.state == EffectState::Sent);
                (
                    due.map(|effect| Event::SentAgain { effect: effect.id.clone(), deadline }).collect(),
                    Answer::Accepted,
                )
            }
            Input::Release(id) => {
                let waiting = state
                    .effects
                    .iter()
                    .find(|known| known.id == id && known.state == EffectState::Waiting)
                    .filter(|known| context.gates.open_for(known.to, urgency(known.urgent)));
                let events = waiting.map(|_| Event::SentAgain { effect: id.to_owned(), deadline });
                (events.into_iter().collect(), Answer::Accepted)
            }
        };
        Ok(decided(events, state, context, answer))
    }

    fn evolve(state: &mut State, event: &Event) {
        let never = Timestamp(i64::MAX);
        let mut add = |id: &str, kind, attempts, deadline, (amount, to, urgent)| {
            state.made += 1;
            let id = id.to_owned();
            state.effects.push(Effect { id, state: kind, attempts, deadline, amount, to, urgent });
        };
        match event {
            Event::Opened { waits, correlation } => {
                (state.opened, state.waits, state.correlation) = (true, *waits, correlation.clone());
            }
            Event::Accepted { version } => {
                state.outcome = Some(Outcome { version: *version, rejected: None });
            }
            Event::Added { amount } => {
                let breaks = *amount == BREAKS_EVOLVE && BREAK_EVOLVE.get();
                assert!(!breaks, "a poisoned record");
                state.sum += amount;
            }
            Event::Sent { effect, amount, deadline, to, urgent } => {
                add(effect, EffectState::Sent, 1, *deadline, (*amount, *to, *urgent));
            }
            Event::Delayed { effect, amount, to, urgent } => {
                add(effect, EffectState::Waiting, 0, never, (*amount, *to, *urgent));
            }
            Event::SentAgain { effect, deadline } => {
                for known in state.effects.iter_mut().filter(|known| known.id == *effect) {
                    (known.state, known.deadline) = (EffectState::Sent, *deadline);
                    known.attempts += 1;
                }
            }
            Event::Posted { effect } => state.effects.retain(|known| known.id != *effect),
            Event::Told { .. } => {}
            Event::Closed => state.closed = true,
        }
    }

    fn tell(_: &EntityId, state: &State, event: &Event, told: &mut Published) {
        let kind = match event {
            Event::Opened { .. } => "order.received",
            Event::Added { .. } => "payment.captured",
            Event::Closed => "order.completed",
            Event::Told { events, bytes } => {
                let text = "x".repeat(*bytes);
                return (0..*events).for_each(|_| told.add("stock.reserved", &json!({"text": text})));
            }
            _ => return,
        };
        told.add(kind, &json!({"sum": state.sum}));
    }

    fn exists(state: &State) -> bool {
        state.opened
    }

    fn outcome(state: &State) -> Option<Outcome> {
        state.outcome.clone()
    }

    /// The tally called `own` has a receipt of its own form.
    fn receipt(entity: &EntityId, _: &State, outcome: &Outcome, _: Asked) -> Option<Bytes> {
        let key = entity.key.as_str();
        let told = json!({"tally_id": key, "outcome": "accepted", "version": outcome.version});
        (key == "own").then(|| told.to_string().into())
    }

    fn next_deadline(state: &State) -> Option<Timestamp> {
        let sent = state.effects.iter().filter(|effect| effect.state == EffectState::Sent);
        sent.map(|effect| effect.deadline).min()
    }

    fn effects(state: &State) -> Vec<OpenEffect<'_>> {
        let open = |effect: &'_ Effect| (effect.state, effect.attempts);
        state
            .effects
            .iter()
            .map(|effect| {
                let (state, attempts) = open(effect);
                OpenEffect {
                    id: &effect.id,
                    party: Party::Participant(effect.to),
                    state,
                    attempts,
                    sent_at: Some(effect.deadline.plus_ms(-RESEND_MS)),
                    urgency: urgency(effect.urgent),
                }
            })
            .collect()
    }

    fn command(_: &EntityId, state: &State, effect_id: &str) -> Option<Command> {
        let effect = state.effects.iter().find(|known| known.id == effect_id)?;
        Some(Command {
            participant: effect.to,
            name: "post",
            effect_id: effect_id.into(),
            epoch: 1,
            idempotency_key: format!("{effect_id}:1"),
            body: format!(r#"{{"effect":"{effect_id}","amount":{}}}"#, effect.amount).into(),
        })
    }

    fn trace(state: &State) -> Trace<'_> {
        Trace { correlation_id: state.correlation.as_deref(), ..Trace::default() }
    }

    fn phase(state: &State) -> &'static str {
        match (state.closed, state.opened && state.outcome.is_none()) {
            (true, _) => "closed",
            (false, true) => "waiting",
            (false, false) => "open",
        }
    }

    fn phases() -> &'static [&'static str] {
        &["closed", "open", "waiting"]
    }

    fn is_unsettled(phase: &'static str) -> bool {
        phase == "waiting"
    }

    fn channel(message: &Message) -> Option<&str> {
        match message {
            Message::Open { channel, .. } => Some(channel),
            _ => None,
        }
    }

    fn view(entity: &EntityId, state: &State, version: u64) -> String {
        let open = state.effects.len();
        format!(r#"{{"tally_id":"{}","version":{version},"sum":{},"open":{open}}}"#, entity.key, state.sum)
    }

    fn queued_view(entity: &EntityId, place: &QueuePlace) -> String {
        format!(r#"{{"tally_id":"{}","phase":"queued","position":{}}}"#, entity.key, place.position)
    }

    fn is_final(state: &State) -> bool {
        state.closed && state.effects.is_empty()
    }

    fn kind() -> Token {
        Token::new("tally").expect("a word is a token")
    }
}
