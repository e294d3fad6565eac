//! The shape that every kind of entity has: inputs are judged, events are absorbed.
//!
//! A decider is pure. The actor around it journals what was decided and carries out what the new state asks for.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::bounds::Note;
use crate::envelope::{Envelope, Plane};
use crate::gates::Urgency;
use crate::ids::{EntityId, Token};
use crate::messages::outbound::answers::{QueuePlace, Receipt};
use crate::reason::{DeadReason, Reason, Refusal};
use crate::time::Timestamp;

pub use crate::further::Further;
pub use crate::gates::Gates;
pub use crate::letter::{Board, EmptyBoard, Letter};

/// What a decision may know besides the state and the input. What it uses of it goes into its events.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a, P, T> {
    /// Who decides.
    pub entity: &'a EntityId,
    /// The greater of the clock and the last journaled time.
    pub now: Timestamp,
    /// The version that the entity has if this decision has events.
    pub version: u64,
    /// The rules in force that can be configured.
    pub policies: &'a P,
    /// Which participants may be sent to right now.
    pub gates: Gates,
    /// What other entities let it look at.
    pub board: &'a dyn Board<T>,
    /// Which events are told that have to be asked for.
    pub further: Further,
}

/// Something outside that we command and that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Participant {
    /// The loyalty platform: points.
    Loyalty,
    /// The payment gateways.
    Payment,
    /// Who decides which node ships what.
    Allocation,
    /// Warehouses and stores.
    Fulfillment,
    /// The ERP: documents.
    Erp,
}

impl Participant {
    /// All of them, in a fixed order.
    pub const ALL: [Self; 5] = [Self::Loyalty, Self::Payment, Self::Allocation, Self::Fulfillment, Self::Erp];

    /// The domain token of its commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Loyalty => "loyalty",
            Self::Payment => "payment",
            Self::Allocation => "allocation",
            Self::Fulfillment => "fulfillment",
            Self::Erp => "erp",
        }
    }

    /// Its place in [`Participant::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Who has to answer an open effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// Somebody outside: the effect is a [`Command`], and waits while his gate is closed.
    Participant(Participant),
    /// Another entity: the effect is a [`Letter`], and never waits.
    Entity,
}

/// What an entity is asked to judge.
#[derive(Debug)]
pub enum Input<'a, M> {
    /// A message from outside or a letter, with the bytes it came in.
    Message(&'a Envelope, &'a M),
    /// A deadline of the entity has passed.
    Timer,
    /// A waiting effect may go out now.
    Release(&'a str),
}

/// How far a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectState {
    /// Journaled, not sent: its participant's gate was closed.
    Waiting,
    /// Possibly sent, not answered.
    Sent,
    /// Answered "not applied, try again"; sent again at its deadline with the same key.
    Retrying,
}

/// One open command or letter, as the runtime sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenEffect<'a> {
    /// `{tenant}:{order}:{kind}:{ordinal}`.
    pub id: &'a str,
    /// Who must answer it.
    pub party: Party,
    /// How far it is.
    pub state: EffectState,
    /// How often it was sent, re-sends included.
    pub attempts: u32,
    /// Since when who must answer may know it; none while it was not sent.
    pub sent_at: Option<Timestamp>,
    /// Does it go before others?
    pub urgency: Urgency,
}

/// A command in the form in which it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Who gets it.
    pub participant: Participant,
    /// The name token, `authorize` for example.
    pub name: &'static str,
    /// `Effect-Id`.
    pub effect_id: Arc<str>,
    /// `Effect-Epoch`.
    pub epoch: u32,
    /// `Idempotency-Key`.
    pub idempotency_key: String,
    /// The JSON body.
    pub body: Bytes,
}

/// A business event in the form in which it is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedEvent<'a> {
    /// `order.committed` for example.
    pub kind: &'static str,
    /// The `data`: a JSON object.
    pub data: &'a [u8],
}

/// Business events in their order. Their data share one buffer: there are many of them, and most are short. The default tells
/// everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    data: Vec<u8>,
    /// The kind of each, and where its data end.
    events: Vec<(&'static str, usize)>,
    /// Which are told of those that have to be asked for.
    further: Further,
    /// Those of them that were.
    told: Further,
}

impl Default for Published {
    fn default() -> Self {
        Self::telling(Further::ALL)
    }
}

/// What most decisions tell at most, so that they need not grow for it.
const USUAL_DATA_BYTES: usize = 1_024;
/// See [`USUAL_DATA_BYTES`].
const USUAL_EVENTS: usize = 4;

impl Published {
    /// Nothing so far; of the events that have to be asked for, `further` will be told.
    pub const fn telling(further: Further) -> Self {
        Self { data: Vec::new(), events: Vec::new(), further, told: Further::NONE }
    }

    /// Which events were told that have to be asked for.
    pub const fn told_further(&self) -> Further {
        self.told
    }

    /// Tells one more event that has to be asked for, if it was.
    ///
    /// # Panics
    /// As [`Published::add`].
    pub fn add_further<T: Serialize>(&mut self, kind: &'static str, data: &T) {
        if self.further.tells(kind) {
            self.told.add(kind);
            self.add(kind, data);
        }
    }

    /// Tells one more event.
    ///
    /// # Panics
    /// If `data` cannot be written as JSON: texts, numbers and lists always can.
    pub fn add<T: Serialize>(&mut self, kind: &'static str, data: &T) {
        if self.events.is_empty() {
            self.data.reserve(USUAL_DATA_BYTES);
            self.events.reserve(USUAL_EVENTS);
        }
        serde_json::to_writer(&mut self.data, data).expect("texts, numbers and lists can always be written");
        self.events.push((kind, self.data.len()));
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// True if nothing is told.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Bytes of all data together.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// The events in their order.
    pub fn iter(&self) -> impl Iterator<Item = PublishedEvent<'_>> {
        let mut begin = 0;
        self.events.iter().map(move |&(kind, end)| {
            let data = &self.data[begin..end];
            begin = end;
            PublishedEvent { kind, data }
        })
    }
}

/// How a wish was settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Journaled and legal (or it held already).
    Accepted,
    /// Refused for good.
    Rejected(Reason),
    /// Not settled yet: see [`Decider::outcome`] and [`Decision::settled`].
    Later,
}

/// The settled outcome of the message that made an entity (a submit); remembered, so it can be told again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Outcome {
    /// The version of the entity when it was settled.
    pub version: u64,
    /// Why not; none = accepted.
    pub rejected: Option<Reason>,
}

/// What a receipt answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// New work: how it was settled.
    NewWork,
    /// A wish about what is there: whether it holds.
    Wish,
}

impl Asked {
    /// What a message of this plane asks for.
    pub const fn of(plane: Plane) -> Self {
        if matches!(plane, Plane::Intake) { Self::NewWork } else { Self::Wish }
    }
}

/// Correlation and trace that go on into everything an entity sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trace<'a> {
    /// `ce-correlationid`.
    pub correlation_id: Option<&'a str>,
    /// `traceparent`.
    pub traceparent: Option<&'a str>,
    /// `tracestate`.
    pub tracestate: Option<&'a str>,
}

/// What was decided: the events, and the state after them.
#[derive(Debug, Clone)]
pub struct Decision<D: Decider> {
    /// What happened, in order; none = nothing changed, and nothing is journaled.
    pub events: Vec<D::Event>,
    /// The state after `events`: always equal to evolving the old state by them.
    pub state: D::State,
    /// What the outside is told, in order.
    pub published: Published,
    /// The answer to this input.
    pub answer: Answer,
    /// Answers to earlier inputs that had to wait, by `ce-source` and `ce-id`.
    pub settled: Vec<((String, String), Answer)>,
    /// Parked messages that nobody came for.
    pub dead: Vec<(Envelope, DeadReason)>,
    /// Answers to other entities: sent once after the ack, also when there are no events. If one is lost, who asked asks
    /// again with the same letter, and gets the same answer.
    pub letters: Vec<Letter>,
}

/// A message with the entity that it names.
#[derive(Debug)]
pub struct Addressed<M> {
    /// Whom the body names.
    pub entity: EntityId,
    /// JSON pointer to the field that names it.
    pub pointer: &'static str,
    /// What it says.
    pub message: M,
}

/// A kind of entity: a pure function from state and input to events.
pub trait Decider: Sized + 'static {
    /// What is known about one entity. The default is an entity that nobody has heard of. Persisted in snapshots, which are
    /// a shortcut: what is written must read back as the same state, and what cannot be read costs a longer replay.
    type State: Default + Clone + std::fmt::Debug + Serialize + DeserializeOwned;
    /// A decoded message.
    type Message: std::fmt::Debug + Send + 'static;
    /// What is recorded. Persisted: see the golden files.
    type Event: Clone + std::fmt::Debug + Serialize + DeserializeOwned;
    /// Configurable rules.
    type Policies: Clone + std::fmt::Debug + Send + 'static;
    /// What an entity lets all decisions of the node look at. In memory only.
    type Posted: Clone + std::fmt::Debug + PartialEq + Send + Sync + 'static;

    /// Does a message with this domain and name belong to this kind, and on which plane? None = unknown type.
    /// Nobody looks at the body before: nesting, and lengths that a body only claims, are checked here, before it is read.
    fn decode(envelope: &Envelope) -> Result<Addressed<Self::Message>, Refusal>;

    /// Judges `input`. `Err` refuses it and changes nothing (only asks and new work can be refused).
    fn decide(
        state: &Self::State,
        input: Input<'_, Self::Message>,
        context: &Context<'_, Self::Policies, Self::Posted>,
    ) -> Result<Decision<Self>, Reason>;

    /// Absorbs a recorded event. Total: whatever was recorded can be replayed.
    fn evolve(state: &mut Self::State, event: &Self::Event);

    /// Tells the outside of an event, given the state after it. Frozen for each version of the contract.
    fn tell(entity: &EntityId, state: &Self::State, event: &Self::Event, told: &mut Published);

    /// True once somebody has made this entity; parked messages alone do not make one.
    fn exists(state: &Self::State) -> bool;

    /// How the message that made it was settled; none = not yet.
    fn outcome(state: &Self::State) -> Option<Outcome>;

    /// The receipt that says how that message was settled, or whether a wish holds, if this kind has a form of its own: a JSON object.
    /// None = the form that all share.
    fn receipt(_entity: &EntityId, _state: &Self::State, _outcome: &Outcome, _asked: Asked) -> Option<Bytes> {
        None
    }

    /// A receipt of new work or of a wish of this domain that says nothing of the entity, if the domain has a form of its own: pending,
    /// or refused. None = the form that all share.
    fn early_receipt(_domain: &str, _asked: Asked, _receipt: &Receipt<'_>) -> Option<Bytes> {
        None
    }

    /// When a timer must come next.
    fn next_deadline(state: &Self::State) -> Option<Timestamp>;

    /// The open commands and letters, oldest first.
    fn effects(state: &Self::State) -> Vec<OpenEffect<'_>>;

    /// An open command in the form in which it is published; the same every time it is sent.
    fn command(entity: &EntityId, state: &Self::State, effect_id: &str) -> Option<Command>;

    /// An open effect that another entity must answer, as a letter; the same every time it is sent.
    fn letter(_entity: &EntityId, _state: &Self::State, _effect_id: &str) -> Option<Letter> {
        None
    }

    /// What the entity posts on the board of the node; none = nothing.
    fn posted(_state: &Self::State) -> Option<Self::Posted> {
        None
    }

    /// Says of everything bounded that the entity keeps how much there is, and how much there may be; for metrics.
    fn fill(_state: &Self::State, _policies: &Self::Policies, _note: &mut Note<'_>) {}

    /// Correlation and trace of what made it.
    fn trace(state: &Self::State) -> Trace<'_>;

    /// The phase, as a word for metrics and lists.
    fn phase(state: &Self::State) -> &'static str;

    /// All words that [`Decider::phase`] gives.
    fn phases() -> &'static [&'static str];

    /// Does an entity in this phase count against the bound on work that is begun and not settled? No, if the phase is another kind's.
    fn is_unsettled(phase: &'static str) -> bool;

    /// The channel that new work comes from, if it names one: quotas and classes are by channel.
    fn channel(_message: &Self::Message) -> Option<&str> {
        None
    }

    /// The JSON document that the API shows.
    fn view(entity: &EntityId, state: &Self::State, version: u64) -> String;

    /// The JSON document that the API shows while the message that would make it still queues.
    fn queued_view(entity: &EntityId, place: &QueuePlace) -> String;

    /// True once nothing can happen any more and nothing is open.
    fn is_final(state: &Self::State) -> bool;

    /// The kind of the entities, as it stands in ids and paths.
    fn kind() -> Token;
}
