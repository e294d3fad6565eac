//! Two small kinds that write to each other: one asks, the other counts. That they run together shows that the actors have no
//! rule for any kind.

use domain::decider::{
    Addressed, Answer, Command, Context, Decider, Decision, EffectState, Input, Letter, OpenEffect, Outcome,
    Party, Published, Trace,
};
use domain::envelope::{Envelope, Plane};
use domain::gates::Urgency;
use domain::ids::{EntityId, Key, Token};
use domain::kinds::{Both, Kind};
use domain::letter::recipient;
use domain::messages::outbound::answers::QueuePlace;
use domain::reason::{DeadReason, Reason, Refusal};
use domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Both on one runtime.
pub(crate) type Pair = Both<Asker, Answerer>;

/// The amount of which the asker writes a letter that nobody can read.
pub(crate) const UNREADABLE: i64 = -13;
/// The amount that breaks the rules of the answerer.
pub(crate) const BREAKS: i64 = -666;

const RESEND_MS: i64 = 2_000;

fn refusal(reason: DeadReason, text: &str) -> Refusal {
    Refusal::new(reason, "", text)
}

fn entity(tenant: &Token, kind: &str, key: &str) -> EntityId {
    let (kind, key) = (Token::new(kind).unwrap(), Key::new(key).unwrap());
    EntityId { tenant: tenant.clone(), kind, key }
}

/// Asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Asking {
    asked: u32,
    open: Vec<Question>,
    /// What came back, by number of the question.
    answers: Vec<(u32, i64)>,
    /// What the board said when the last question was asked.
    seen: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Question {
    id: String,
    number: u32,
    to: String,
    amount: i64,
    attempts: u32,
    deadline: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asks {
    Asked { question: Question, seen: Option<i64> },
    AskedAgain { id: String, deadline: Timestamp },
    Answered { number: u32, sum: i64 },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    Ask { to: String, amount: i64 },
    Counted { number: u32, sum: i64 },
}

fn decided<D: Decider>(
    events: Vec<D::Event>,
    state: &D::State,
    entity: &EntityId,
    letters: Vec<Letter>,
) -> Decision<D> {
    let (mut state, mut published) = (state.clone(), Published::default());
    for event in &events {
        D::evolve(&mut state, event);
        D::tell(entity, &state, event, &mut published);
    }
    let (settled, dead) = (Vec::new(), Vec::new());
    Decision { events, state, published, answer: Answer::Accepted, settled, dead, letters }
}

impl Decider for Asker {
    type State = Asking;
    type Message = Said;
    type Event = Asks;
    type Policies = ();
    type Posted = i64;

    fn decode(envelope: &Envelope) -> Result<Addressed<Said>, Refusal> {
        #[derive(Deserialize)]
        struct Ask {
            asker_id: String,
            to: String,
            amount: i64,
        }
        let wrong = |error: serde_json::Error| refusal(DeadReason::Schema, &error.to_string());
        let (entity, message) = match (envelope.plane, envelope.kind().as_str()) {
            (Plane::Fact, "asker.ask") => {
                let body: Ask = serde_json::from_slice(&envelope.body).map_err(wrong)?;
                let asker = entity(&envelope.tenant, "asker", &body.asker_id);
                (asker, Said::Ask { to: body.to, amount: body.amount })
            }
            (Plane::Internal, "asker.counted") => {
                (recipient(envelope)?, serde_json::from_slice(&envelope.body).map_err(wrong)?)
            }
            _ => return Err(refusal(DeadReason::UnknownType, "an asker does not know it")),
        };
        Ok(Addressed { entity, pointer: "/asker_id", message })
    }

    fn decide(
        state: &Asking,
        input: Input<'_, Said>,
        context: &Context<'_, (), i64>,
    ) -> Result<Decision<Self>, Reason> {
        let deadline = context.now.plus_ms(RESEND_MS);
        let events = match input {
            Input::Message(_, Said::Ask { to, amount }) => {
                let number = state.asked + 1;
                let id = format!("{}:ask:{number}", context.entity);
                let question =
                    Question { id, number, to: to.clone(), amount: *amount, attempts: 1, deadline };
                vec![Asks::Asked { question, seen: context.board.look("answerer", to) }]
            }
            Input::Message(_, Said::Counted { number, sum }) => {
                let is_open = state.open.iter().any(|question| question.number == *number);
                is_open.then_some(Asks::Answered { number: *number, sum: *sum }).into_iter().collect()
            }
            Input::Timer => {
                let due = state.open.iter().filter(|question| question.deadline <= context.now);
                due.map(|question| Asks::AskedAgain { id: question.id.clone(), deadline }).collect()
            }
            Input::Release(_) => Vec::new(),
        };
        Ok(decided(events, state, context.entity, Vec::new()))
    }

    fn evolve(state: &mut Asking, event: &Asks) {
        match event {
            Asks::Asked { question, seen } => {
                state.asked += 1;
                state.open.push(question.clone());
                state.seen = *seen;
            }
            Asks::AskedAgain { id, deadline } => {
                for question in state.open.iter_mut().filter(|question| question.id == *id) {
                    question.attempts += 1;
                    question.deadline = *deadline;
                }
            }
            Asks::Answered { number, sum } => {
                state.open.retain(|question| question.number != *number);
                state.answers.push((*number, *sum));
            }
        }
    }

    fn tell(_: &EntityId, _: &Asking, event: &Asks, told: &mut Published) {
        if let Asks::Answered { sum, .. } = event {
            told.add("order.completed", &json!({"sum": sum}));
        }
    }

    fn exists(state: &Asking) -> bool {
        state.asked > 0
    }

    fn outcome(_: &Asking) -> Option<Outcome> {
        None
    }

    fn next_deadline(state: &Asking) -> Option<Timestamp> {
        state.open.iter().map(|question| question.deadline).min()
    }

    fn effects(state: &Asking) -> Vec<OpenEffect<'_>> {
        let open = state.open.iter().map(|question| OpenEffect {
            id: &question.id,
            party: Party::Entity,
            state: EffectState::Sent,
            attempts: question.attempts,
            sent_at: Some(question.deadline.plus_ms(-RESEND_MS)),
            urgency: Urgency::Ordinary,
        });
        open.collect()
    }

    fn command(_: &EntityId, _: &Asking, _: &str) -> Option<Command> {
        None
    }

    fn letter(from: &EntityId, state: &Asking, effect_id: &str) -> Option<Letter> {
        let question = state.open.iter().find(|question| question.id == effect_id)?;
        let Question { number, to, amount, .. } = question;
        let body = if *amount == UNREADABLE {
            "{}".into()
        } else {
            json!({"asker": from.key.as_str(), "number": number, "amount": amount}).to_string().into()
        };
        Some(Letter { to: entity(&from.tenant, "answerer", to), name: "count", body })
    }

    fn trace(_: &Asking) -> Trace<'_> {
        Trace::default()
    }

    fn phase(state: &Asking) -> &'static str {
        if state.open.is_empty() { "content" } else { "asking" }
    }

    fn phases() -> &'static [&'static str] {
        &["content", "asking"]
    }

    fn is_unsettled(_: &'static str) -> bool {
        false
    }

    fn view(_: &EntityId, state: &Asking, _: u64) -> String {
        let Asking { open, answers, seen, .. } = state;
        json!({"open": open.len(), "answers": answers.len(), "seen": seen}).to_string()
    }

    fn queued_view(_: &EntityId, _: &QueuePlace) -> String {
        "{}".to_owned()
    }

    fn is_final(_: &Asking) -> bool {
        false
    }

    fn kind() -> Token {
        Token::new("asker").unwrap()
    }
}

impl Kind for Asker {
    const NAME: &'static str = "asker";
}

/// Counts what it is asked to count, each question once, and posts the sum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answerer;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Counting {
    sum: i64,
    /// What was answered to which question of whom.
    counted: Vec<(String, u32, i64)>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Counts {
    Counted { asker: String, number: u32, amount: i64 },
}

#[derive(Debug, Deserialize)]
pub(crate) struct Count {
    asker: String,
    number: u32,
    amount: i64,
}

impl Decider for Answerer {
    type State = Counting;
    type Message = Count;
    type Event = Counts;
    type Policies = ();
    type Posted = i64;

    fn decode(envelope: &Envelope) -> Result<Addressed<Count>, Refusal> {
        if envelope.kind() != "answerer.count" {
            return Err(refusal(DeadReason::UnknownType, "an answerer does not know it"));
        }
        let message = serde_json::from_slice(&envelope.body)
            .map_err(|error| refusal(DeadReason::Schema, &error.to_string()))?;
        Ok(Addressed { entity: recipient(envelope)?, pointer: "", message })
    }

    fn decide(
        state: &Counting,
        input: Input<'_, Count>,
        context: &Context<'_, (), i64>,
    ) -> Result<Decision<Self>, Reason> {
        let Input::Message(_, Count { asker, number, amount }) = input else {
            return Ok(decided(Vec::new(), state, context.entity, Vec::new()));
        };
        assert!(*amount != BREAKS, "there is nothing to count");
        let known = state.counted.iter().find(|(from, at, _)| from == asker && at == number);
        let sum = known.map_or(state.sum + amount, |(.., sum)| *sum);
        let letter = Letter {
            to: entity(&context.entity.tenant, "asker", asker),
            name: "counted",
            body: json!({"counted": {"number": number, "sum": sum}}).to_string().into(),
        };
        let counted = Counts::Counted { asker: asker.clone(), number: *number, amount: *amount };
        let events = if known.is_some() { Vec::new() } else { vec![counted] };
        Ok(decided(events, state, context.entity, vec![letter]))
    }

    fn evolve(state: &mut Counting, event: &Counts) {
        let Counts::Counted { asker, number, amount } = event;
        state.sum += amount;
        state.counted.push((asker.clone(), *number, state.sum));
    }

    fn tell(_: &EntityId, _: &Counting, _: &Counts, _: &mut Published) {}

    fn exists(state: &Counting) -> bool {
        !state.counted.is_empty()
    }

    fn outcome(_: &Counting) -> Option<Outcome> {
        None
    }

    fn next_deadline(_: &Counting) -> Option<Timestamp> {
        None
    }

    fn effects(_: &Counting) -> Vec<OpenEffect<'_>> {
        Vec::new()
    }

    fn command(_: &EntityId, _: &Counting, _: &str) -> Option<Command> {
        None
    }

    fn posted(state: &Counting) -> Option<i64> {
        Some(state.sum)
    }

    fn trace(_: &Counting) -> Trace<'_> {
        Trace::default()
    }

    fn phase(_: &Counting) -> &'static str {
        "counting"
    }

    fn phases() -> &'static [&'static str] {
        &["counting"]
    }

    fn is_unsettled(_: &'static str) -> bool {
        false
    }

    fn view(_: &EntityId, state: &Counting, _: u64) -> String {
        json!({"sum": state.sum, "counted": state.counted.len()}).to_string()
    }

    fn queued_view(_: &EntityId, _: &QueuePlace) -> String {
        "{}".to_owned()
    }

    fn is_final(_: &Counting) -> bool {
        false
    }

    fn kind() -> Token {
        Token::new("answerer").unwrap()
    }
}

impl Kind for Answerer {
    const NAME: &'static str = "answerer";
}
