//! Reservations on a desk with toy cells: what goes in, what comes out, who answers whom. After every input the state is compared
//! with a replay of all events (invariant: replay-equals-live).

use std::collections::{BTreeMap, VecDeque};

use domain::decider::{Answer, Board, Context, Decider, Further, Gates, Input, Letter, Published, Trace};
use domain::envelope::{Envelope, Headers, Plane};
use domain::ids::{EntityId, Key, Token};
use domain::reason::Reason;
use domain::reference::Reference;
use domain::reservation::state::{ClaimState, Phase, Target};
use domain::reservation::{Event, Policies, Reservation, State};
use domain::stock::Posted;
use domain::time::Timestamp;
use serde_json::{Value, json};

use super::toy::{Said, Toy};

/// One reservation and everything that it has said.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) state: State,
    pub(super) version: u64,
    pub(super) events: Vec<Event>,
    /// Business events, oldest first.
    pub(super) told: Vec<(&'static str, Value)>,
}

/// A letter on its way.
#[derive(Debug, Clone)]
pub(super) struct Mail {
    from: String,
    to: EntityId,
    name: String,
    body: Value,
}

impl Mail {
    /// Which kind gets it, its name and body.
    pub(super) fn parts(&self) -> (String, String, Value) {
        (self.to.kind.to_string(), self.name.clone(), self.body.clone())
    }
}

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) now: Timestamp,
    pub(super) policies: Policies,
    pub(super) toys: BTreeMap<String, Toy>,
    pub(super) sheets: BTreeMap<String, Sheet>,
    /// Letters on their way, oldest first.
    pub(super) mail: VecDeque<Mail>,
    /// What orders were told, oldest first.
    pub(super) inbox: Vec<(String, String, Value)>,
}

/// What the cells show.
#[derive(Debug)]
struct Shown(BTreeMap<String, u32>);

impl Board<Posted> for Shown {
    fn look(&self, kind: &str, key: &str) -> Option<Posted> {
        let available = (kind == "stock").then(|| self.0.get(key)).flatten()?;
        Some(Posted { available: *available, ..Posted::default() })
    }
}

pub(super) fn entity(kind: &str, key: &str) -> EntityId {
    EntityId {
        tenant: Token::new("main").unwrap(),
        kind: Token::new(kind).unwrap(),
        key: Key::new(key).unwrap(),
    }
}

pub(super) fn reference(nodes: &[&str]) -> Reference {
    let mut reference = Reference::default();
    let node = json!({"kind": "warehouse", "region": "DE-BE", "capacity_per_day": 1000, "sla_hours": 24,
                      "cost_minor": 500, "pickup": false, "active": true});
    for (revision, id) in (1..).zip(nodes) {
        reference.put(revision, &format!("node.{id}"), Some(node.to_string().as_bytes())).unwrap();
    }
    reference
}

impl Desk {
    /// Cells by `<sku>~<node>` (or counters by their key) and what they have.
    pub(super) fn new(cells: &[(&str, u32)]) -> Self {
        let mut nodes: Vec<&str> = cells.iter().map(|(key, _)| key.rsplit_once('~').unwrap().1).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let policies = Policies { reference: reference(&nodes), ..Policies::default() };
        let toys = cells.iter().map(|(key, on_hand)| (key.to_string(), Toy::new(key, *on_hand)));
        Self {
            now: Timestamp(1_000_000),
            policies,
            toys: toys.collect(),
            sheets: BTreeMap::new(),
            mail: VecDeque::new(),
            inbox: Vec::new(),
        }
    }

    pub(super) fn state(&self, id: &str) -> &State {
        &self.sheets[id].state
    }

    pub(super) fn phase(&self, id: &str) -> Phase {
        self.state(id).phase
    }

    /// A letter of an order arrives.
    pub(super) fn letter(&mut self, name: &'static str, body: &Value) {
        let to = entity("reservation", body["reservation_id"].as_str().unwrap());
        let order = body["order_id"].as_str().unwrap_or("o-1").to_owned();
        self.deliver(&Mail {
            from: format!("main:order:{order}"),
            to,
            name: name.to_owned(),
            body: body.clone(),
        });
    }

    /// A message from outside arrives.
    pub(super) fn say(&mut self, plane: Plane, name: &str, body: &Value) -> Result<Answer, Reason> {
        let envelope = Envelope {
            tenant: Token::new("main").unwrap(),
            plane,
            domain: Token::new("reservation").unwrap(),
            name: Token::new(name).unwrap(),
            headers: Headers::new().with("ce-id", "m-1").with("ce-source", "/desk"),
            body: body.to_string().into(),
            stream: "RETAIL_TEST".into(),
            sequence: 1,
            item: None,
            stored_at: self.now,
        };
        let id = body["reservation_id"].as_str().unwrap().to_owned();
        self.hear(&id, &envelope)
    }

    fn hear(&mut self, id: &str, envelope: &Envelope) -> Result<Answer, Reason> {
        let addressed = Reservation::decode(envelope)
            .unwrap_or_else(|refusal| panic!("{}: {refusal:?} in {:?}", envelope.kind(), envelope.body));
        assert_eq!(addressed.entity, entity("reservation", id));
        self.decide(id, Input::Message(envelope, &addressed.message))
    }

    fn decide(&mut self, id: &str, input: Input<'_, domain::reservation::Message>) -> Result<Answer, Reason> {
        let entity = entity("reservation", id);
        let shown = Shown(self.toys.iter().map(|(key, toy)| (key.clone(), toy.available())).collect());
        let sheet = self.sheets.entry(id.to_owned()).or_default();
        let context = Context {
            entity: &entity,
            now: self.now,
            version: sheet.version + 1,
            policies: &self.policies,
            gates: Gates::OPEN,
            board: &shown,
            further: Further::ALL,
        };
        let decision = Reservation::decide(&sheet.state, input, &context)?;
        let version = sheet.version + u64::from(!decision.events.is_empty());
        if decision.events.is_empty() {
            let same = format!("{:?}", decision.state) == format!("{:?}", sheet.state);
            assert!(same, "no event, no change");
        }
        let before: BTreeMap<String, u32> = Reservation::effects(&sheet.state)
            .iter()
            .map(|open| (open.id.to_owned(), open.attempts))
            .collect();
        sheet.version = version;
        sheet.state = decision.state;
        sheet.events.extend(decision.events);
        sheet.told.extend(
            decision.published.iter().map(|event| (event.kind, serde_json::from_slice(event.data).unwrap())),
        );
        let open = Reservation::effects(&sheet.state);
        let sent = open.iter().filter(|open| before.get(open.id).copied() != Some(open.attempts));
        let sent = sent.map(|open| Reservation::letter(&entity, &sheet.state, open.id).unwrap());
        let letters: Vec<Letter> = decision.letters.into_iter().chain(sent).collect();
        sheet.check(&entity);
        for letter in letters {
            self.post(&entity, version, letter);
        }
        Ok(decision.answer)
    }

    fn post(&mut self, from: &EntityId, version: u64, letter: Letter) {
        // As the runtime carries it, so that what it looks like on arrival is tested, too.
        let envelope = letter.envelope(from, version, Trace::default(), self.now);
        let to = domain::letter::recipient(&envelope).unwrap();
        let body = serde_json::from_slice(&envelope.body).unwrap();
        self.mail.push_back(Mail { from: from.to_string(), to, name: envelope.name.to_string(), body });
    }

    fn said(&mut self, from: &str, said: Vec<Said>) {
        for (reservation, name, body) in said {
            let to = entity("reservation", &reservation);
            self.mail.push_back(Mail { from: from.to_owned(), to, name: name.to_owned(), body });
        }
    }

    pub(super) fn deliver(&mut self, mail: &Mail) {
        let key = mail.to.key.as_str().to_owned();
        match mail.to.kind.as_str() {
            "reservation" => {
                let from = entity("stock", "x");
                let letter = Letter { to: mail.to.clone(), name: "take", body: mail.body.to_string().into() };
                let mut envelope = letter.envelope(&from, 1, Trace::default(), self.now);
                envelope.name = Token::new(&mail.name).unwrap();
                self.hear(&key, &envelope).unwrap();
            }
            "order" => {
                let body = mail.body.clone();
                if let Some(allocation) = body.get("allocation_id") {
                    let seen = json!({"reservation_id": body["reservation_id"], "allocation_id": allocation});
                    let (from, to) = (
                        mail.to.to_string(),
                        entity("reservation", body["reservation_id"].as_str().unwrap()),
                    );
                    self.mail.push_back(Mail { from, to, name: "allocation_seen".to_owned(), body: seen });
                }
                self.inbox.push((key, mail.name.clone(), body));
            }
            _ => {
                let toy = self.toys.get_mut(&key).unwrap_or_else(|| panic!("no cell {key}"));
                let said = toy.hear(&mail.name, &mail.body);
                self.said(&mail.to.to_string(), said);
            }
        }
    }

    /// Whatever is on its way arrives, and what it leads to.
    pub(super) fn run(&mut self) {
        for _ in 0..10_000 {
            let Some(mail) = self.mail.pop_front() else { return };
            self.deliver(&mail);
        }
        panic!("the letters do not end: {:?}", self.mail);
    }

    /// Lets the oldest letter of one pair arrive (twice, or not at all). Two of one pair never overtake each other.
    pub(super) fn step_mail(&mut self, pick: usize, times: usize) {
        let mut pairs: Vec<(&str, &EntityId)> = Vec::new();
        let mut heads = Vec::new();
        for (at, mail) in self.mail.iter().enumerate() {
            if !pairs.contains(&(mail.from.as_str(), &mail.to)) {
                pairs.push((&mail.from, &mail.to));
                heads.push(at);
            }
        }
        let Some(at) = heads.get(pick % heads.len().max(1)).copied() else { return };
        let mail = self.mail.remove(at).unwrap();
        for _ in 0..times {
            self.deliver(&mail);
        }
    }

    pub(super) fn receive(&mut self, key: &str, quantity: u32) {
        let said = self.toys.get_mut(key).unwrap().receive(quantity);
        self.said(&format!("main:stock:{key}"), said);
    }

    /// Time passes; every deadline on the way is kept. Letters wait meanwhile.
    pub(super) fn pass_ms(&mut self, milliseconds: i64) {
        let end = self.now.plus_ms(milliseconds);
        for _ in 0..10_000 {
            let due = self.sheets.iter().filter_map(|(id, sheet)| {
                Some((Reservation::next_deadline(&sheet.state).filter(|at| *at <= end)?, id.clone()))
            });
            let Some((at, id)) = due.min() else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            self.decide(&id, Input::Timer).unwrap();
            let next = Reservation::next_deadline(self.state(&id));
            assert_ne!(next, Some(at), "a timer must move or remove its deadline");
        }
        panic!("the timers do not end");
    }

    /// What the newest letter of this name told an order.
    pub(super) fn told_order(&self, name: &str) -> &Value {
        let told = self.inbox.iter().rev().find(|(_, known, _)| known == name);
        &told.unwrap_or_else(|| panic!("no {name} in {:?}", self.inbox)).2
    }

    pub(super) fn count_told(&self, name: &str) -> usize {
        self.inbox.iter().filter(|(_, known, _)| known == name).count()
    }

    /// The business events of a reservation.
    pub(super) fn events(&self, id: &str) -> Vec<&'static str> {
        self.sheets[id].told.iter().map(|(kind, _)| *kind).collect()
    }

    pub(super) fn view(&self, id: &str) -> Value {
        let sheet = &self.sheets[id];
        serde_json::from_str(&Reservation::view(&entity("reservation", id), &sheet.state, sheet.version))
            .unwrap()
    }
}

impl Sheet {
    fn check(&self, entity: &EntityId) {
        let bytes = rmp_serde::to_vec_named(&self.events).unwrap();
        let recorded: Vec<Event> = rmp_serde::from_slice(&bytes).unwrap();
        let (mut replayed, mut told) = (State::default(), Published::default());
        for event in &recorded {
            Reservation::evolve(&mut replayed, event);
            Reservation::tell(entity, &replayed, event, &mut told);
        }
        assert_eq!(format!("{replayed:?}"), format!("{:?}", self.state));
        let told: Vec<(&'static str, Value)> =
            told.iter().map(|event| (event.kind, serde_json::from_slice(event.data).unwrap())).collect();
        assert_eq!(told, self.told);
        let packed = rmp_serde::to_vec_named(&self.state).unwrap();
        let back: State = rmp_serde::from_slice(&packed).unwrap();
        assert_eq!(format!("{back:?}"), format!("{:?}", self.state), "a snapshot is the same state");
        self.check_units();
        self.check_not_stuck();
        self.check_ends_once();
    }

    /// invariant: reserved-units-conserved
    fn check_units(&self) {
        let Some(content) = &self.state.content else { return };
        for (index, line) in content.asked.lines.iter().enumerate() {
            let of_line = u16::try_from(index).unwrap();
            let done = self.state.lines[index];
            let open = self.state.open_units(of_line);
            let sum = open + done.consumed + done.released + done.given_up;
            assert_eq!(sum, line.quantity, "line {} of {:#?}", line.line, self.state);
            if matches!(self.state.phase, Phase::Soft | Phase::Hard) {
                let unsure = self.state.claims.iter().filter(|claim| {
                    matches!(claim.target, Target::Cell { line, .. } if line == of_line)
                        && matches!(claim.state, ClaimState::Planned | ClaimState::Taking)
                });
                let unsure = unsure.map(|claim| claim.open).sum::<u32>();
                assert!(self.state.phase == Phase::Hard || unsure == 0, "all or nothing");
            }
        }
        if self.state.phase.is_final() {
            assert!(!self.state.any_open(), "nothing stands for what is over: {:#?}", self.state);
        }
    }

    /// invariant: no-stuck-reservation
    fn check_not_stuck(&self) {
        let state = &self.state;
        let uses_only = state.phase == Phase::Hard && state.content().asked.lines.is_empty();
        let rests =
            state.phase == Phase::Unborn || Reservation::is_final(state) || uses_only || state.overdue;
        let shops = state.phase == Phase::Hard && !state.is_an_orders;
        let moves = Reservation::next_deadline(state).is_some();
        assert!(rests || moves || shops, "the reservation stands still: {state:#?}");
    }

    /// invariant: reservation-ends-once
    fn check_ends_once(&self) {
        let ends =
            ["reservation.refused", "reservation.released", "reservation.expired", "reservation.consumed"];
        let count = self.told.iter().filter(|(kind, _)| ends.contains(kind)).count();
        let barred = self.state.content.is_none();
        assert_eq!(count, usize::from(self.state.phase.is_final() && !barred), "{:?}", self.told);
    }
}

/// `hold` of order `id` with lines as (line, sku, quantity).
pub(super) fn hold(id: &str, lines: &[(u32, &str, u32)]) -> Value {
    json!({"reservation_id": id, "order_id": id, "lines": skus(lines), "counters": [], "hard": false,
           "backorder": false})
}

pub(super) fn skus(lines: &[(u32, &str, u32)]) -> Value {
    lines
        .iter()
        .map(|(line, sku, quantity)| json!({"line": line, "sku": sku, "quantity": quantity}))
        .collect()
}

pub(super) fn at(rows: &[(u32, &str, u32)]) -> Value {
    rows.iter()
        .map(|(line, node, quantity)| json!({"line": line, "node": node, "quantity": quantity}))
        .collect()
}
