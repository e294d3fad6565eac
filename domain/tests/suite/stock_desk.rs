//! One cell or counter on a desk: what goes in, what comes out. After every input the state is compared with a replay of all events
//! (invariant: replay-equals-live), and what is told with what a recovery would tell.

use bytes::Bytes;
use domain::decider::{Context, Decider, EmptyBoard, Further, Gates, Input, Letter, Published};
use domain::envelope::{Envelope, Headers, Plane};
use domain::ids::{EntityId, Key, Token};
use domain::time::Timestamp;
use serde_json::{Value, json};

/// A letter as it is compared: name and body.
pub(crate) type Said = (String, Value);

pub(crate) struct Desk<D: Decider> {
    pub(crate) entity: EntityId,
    pub(crate) state: D::State,
    pub(crate) policies: D::Policies,
    pub(crate) now: Timestamp,
    pub(crate) version: u64,
    /// Every business event: type and data.
    pub(crate) told: Vec<Said>,
    /// Every event, as it is recorded.
    pub(crate) events: Vec<D::Event>,
    replayed: D::State,
}

impl<D: Decider> Desk<D>
where
    D::State: PartialEq,
    D::Policies: Default,
{
    pub(crate) fn new(key: &str) -> Self {
        let tenant = Token::new("main").unwrap();
        Self {
            entity: EntityId { tenant, kind: D::kind(), key: Key::new(key).unwrap() },
            state: D::State::default(),
            policies: D::Policies::default(),
            now: Timestamp(1_795_766_400_000),
            version: 0,
            told: Vec::new(),
            events: Vec::new(),
            replayed: D::State::default(),
        }
    }

    /// A letter of the reservation that its claim names.
    pub(crate) fn ask(&mut self, name: &str, body: &Value) -> Vec<Said> {
        let to = self.entity.clone();
        let headers = Headers::new().with("ce-subject", to.key.as_str());
        self.hear(Plane::Internal, name, headers, body)
    }

    /// A fact from outside.
    pub(crate) fn fact(&mut self, name: &str, body: &Value) -> Vec<Said> {
        self.hear(Plane::Fact, name, Headers::new(), body)
    }

    /// A message as it comes.
    pub(crate) fn hear(&mut self, plane: Plane, name: &str, headers: Headers, body: &Value) -> Vec<Said> {
        let envelope = Envelope {
            tenant: self.entity.tenant.clone(),
            plane,
            domain: D::kind(),
            name: Token::new(name).unwrap(),
            headers,
            body: Bytes::from(body.to_string()),
            stream: "RETAIL_WORK".into(),
            sequence: self.version,
            item: None,
            stored_at: self.now,
        };
        let addressed = D::decode(&envelope).unwrap_or_else(|refusal| panic!("{name}: {refusal:?}"));
        assert_eq!(addressed.entity, self.entity);
        let message = addressed.message;
        self.decide(Input::Message(&envelope, &message))
    }

    /// Moves the clock and rings all timers that are due by then.
    pub(crate) fn pass_ms(&mut self, milliseconds: i64) -> Vec<Said> {
        let until = self.now.plus_ms(milliseconds);
        let mut said = Vec::new();
        for _ in 0..1_000 {
            let due = D::next_deadline(&self.state).filter(|deadline| *deadline <= until);
            let Some(due) = due else {
                self.now = until;
                return said;
            };
            self.now = self.now.max(due);
            let before = self.events.len();
            said.extend(self.decide(Input::Timer));
            assert!(self.events.len() > before, "a timer that is due changes something");
        }
        panic!("timers without end");
    }

    fn decide(&mut self, input: Input<'_, D::Message>) -> Vec<Said> {
        let context = Context {
            entity: &self.entity,
            now: self.now,
            version: self.version + 1,
            policies: &self.policies,
            gates: Gates::OPEN,
            board: &EmptyBoard,
            further: Further::ALL,
        };
        let decision = D::decide(&self.state, input, &context).unwrap();
        let mut told = Published::default();
        for event in &decision.events {
            let packed = rmp_serde::to_vec_named(event).unwrap();
            let event: D::Event = rmp_serde::from_slice(&packed).unwrap();
            D::evolve(&mut self.replayed, &event);
            D::tell(&self.entity, &self.replayed, &event, &mut told);
        }
        assert!(self.replayed == decision.state, "{:?}\n{:?}", self.replayed, decision.state);
        assert_eq!(told, decision.published);
        self.version += u64::from(!decision.events.is_empty());
        self.events.extend(decision.events);
        self.state = decision.state;
        let value = |data: &[u8]| serde_json::from_slice(data).unwrap();
        self.told.extend(told.iter().map(|event| (event.kind.to_owned(), value(event.data))));
        decision.letters.iter().map(|letter| self.read(letter)).collect()
    }

    fn read(&self, letter: &Letter) -> Said {
        assert_eq!(letter.to.kind.as_str(), "reservation");
        let body: Value = serde_json::from_slice(&letter.body).unwrap();
        let claim = body.get("claim_id").and_then(Value::as_str);
        assert!(claim.is_none_or(|claim| claim.split(':').next() == Some(letter.to.key.as_str())));
        assert_eq!(body["cell"], json!(self.entity.key));
        (letter.name.to_owned(), body)
    }

    /// Something is in the journal already.
    pub(crate) fn happened(&mut self, event: &D::Event) {
        D::evolve(&mut self.state, event);
        D::evolve(&mut self.replayed, event);
        self.version += 1;
    }

    /// The data of the newest business event of this type.
    pub(crate) fn last(&self, kind: &str) -> &Value {
        let newest = self.told.iter().rev().find(|(told, _)| told == kind);
        &newest.unwrap_or_else(|| panic!("no {kind} in {:?}", self.told)).1
    }

    /// How many business events of this type there were.
    pub(crate) fn count(&self, kind: &str) -> usize {
        self.told.iter().filter(|(told, _)| told == kind).count()
    }
}

/// What an answer says: its name, and its code or nothing.
pub(crate) fn names(said: &[Said]) -> Vec<String> {
    let name = |(name, body): &Said| match body.get("code") {
        Some(code) => format!("{name} {}", code.as_str().unwrap()),
        None => name.clone(),
    };
    said.iter().map(name).collect()
}

/// The body of a `take` of this claim.
pub(crate) fn take(claim: &str, quantity: u32) -> Value {
    let reservation = claim.split(':').next().unwrap();
    json!({"claim_id": claim, "reservation_id": reservation, "quantity": quantity, "hard": false})
}

impl<D: Decider> Desk<D> {
    /// The document that the API shows.
    pub(crate) fn view(&self) -> String {
        D::view(&self.entity, &self.state, self.version)
    }
}
