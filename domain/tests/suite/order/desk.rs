//! One order on a desk: what goes in, what comes out. After every input the state is compared with a replay of all
//! events (invariant: replay-equals-live).

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::decider::{
    Answer, Command, Context, Decider, EffectState, EmptyBoard, Further, Gates, Input, Letter, OpenEffect,
    Outcome, Party, Published,
};
use domain::envelope::{Envelope, Headers, Plane};
use domain::ids::{EntityId, Key, Token};
use domain::order::event::ExceptionKind;
use domain::order::state::Phase;
use domain::order::{Event, Order, Policies, State};
use domain::reason::{DeadReason, Reason};
use domain::time::Timestamp;
use serde_json::{Value, json};

pub(super) struct Desk {
    pub(super) entity: EntityId,
    pub(super) state: State,
    pub(super) version: u64,
    pub(super) now: Timestamp,
    pub(super) policies: Policies,
    pub(super) gates: Gates,
    /// Every send of every command, oldest first.
    pub(super) sent: Vec<Command>,
    /// Every send of every letter, oldest first; also answers to letters.
    pub(super) letters: Vec<Letter>,
    /// Every business event.
    pub(super) told: Vec<ToldEvent>,
    pub(super) dead: Vec<(Envelope, DeadReason)>,
    pub(super) settled: BTreeMap<(String, String), Answer>,
    events: Vec<Event>,
    messages: u32,
}

/// A business event that the outside was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToldEvent {
    pub(super) kind: &'static str,
    pub(super) data: String,
}

impl ToldEvent {
    fn all(told: &Published) -> Vec<Self> {
        let text = |data: &[u8]| String::from_utf8(data.to_vec()).unwrap();
        told.iter().map(|event| Self { kind: event.kind, data: text(event.data) }).collect()
    }
}

impl Desk {
    pub(super) fn new() -> Self {
        let token = |text| Token::new(text).unwrap();
        Self {
            entity: EntityId { tenant: token("main"), kind: token("order"), key: Key::new("o-1").unwrap() },
            state: State::default(),
            version: 0,
            now: Timestamp(1_000_000),
            policies: Policies::default(),
            gates: Gates::OPEN,
            sent: Vec::new(),
            letters: Vec::new(),
            told: Vec::new(),
            dead: Vec::new(),
            settled: BTreeMap::new(),
            events: Vec::new(),
            messages: 0,
        }
    }

    /// A desk with a submitted order.
    pub(super) fn with(body: &Value) -> Self {
        let mut desk = Self::new();
        desk.submit(body).unwrap();
        desk
    }

    pub(super) fn submit(&mut self, body: &Value) -> Result<Answer, Reason> {
        self.say(Plane::Intake, "order.submit", body, Headers::new())
    }

    /// `lines` as (line, quantity); none = the whole order.
    pub(super) fn cancel(&mut self, lines: &[(u32, u32)]) -> Result<Answer, Reason> {
        let lines: Vec<Value> =
            lines.iter().map(|(line, quantity)| json!({"line": line, "quantity": quantity})).collect();
        let body = json!({"order_id": "o-1", "reason": "changed my mind", "lines": lines});
        self.say(Plane::Ask, "order.cancel", &body, Headers::new())
    }

    /// An answer to the newest command of this kind.
    pub(super) fn answer(&mut self, command: &str, kind: &str, body: &Value) {
        let command = self.last(command).clone();
        self.answer_to(&command, kind, body);
    }

    pub(super) fn answer_to(&mut self, command: &Command, kind: &str, body: &Value) {
        let headers = Headers::new()
            .with("Effect-Id", command.effect_id.clone())
            .with("Effect-Epoch", command.epoch.to_string());
        self.say(Plane::Reply, kind, body, headers).unwrap();
    }

    pub(super) fn fact(&mut self, kind: &str, body: &Value) {
        self.say(Plane::Fact, kind, body, Headers::new()).unwrap();
    }

    pub(super) fn say(
        &mut self,
        plane: Plane,
        kind: &str,
        body: &Value,
        headers: Headers,
    ) -> Result<Answer, Reason> {
        self.messages += 1;
        let (domain, name) = kind.split_once('.').unwrap();
        let mut body = body.clone();
        if body.get("order_id").is_none() {
            body["order_id"] = json!("o-1");
        }
        let envelope = Envelope {
            tenant: self.entity.tenant.clone(),
            plane,
            domain: Token::new(domain).unwrap(),
            name: Token::new(name).unwrap(),
            headers: headers.with("ce-id", format!("m-{}", self.messages)).with("ce-source", "/desk"),
            body: Bytes::from(body.to_string()),
            stream: "RETAIL_TEST".into(),
            sequence: u64::from(self.messages),
            item: None,
            stored_at: self.now,
        };
        self.deliver(&envelope)
    }

    pub(super) fn deliver(&mut self, envelope: &Envelope) -> Result<Answer, Reason> {
        let addressed =
            Order::decode(envelope).unwrap_or_else(|refusal| panic!("{}: {refusal:?}", envelope.kind()));
        assert_eq!(addressed.entity, self.entity);
        self.decide(Input::Message(envelope, &addressed.message))
    }

    /// Time passes; every deadline on the way is kept.
    pub(super) fn pass_ms(&mut self, milliseconds: i64) {
        let end = self.now.plus_ms(milliseconds);
        while let Some(deadline) = Order::next_deadline(&self.state).filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            let before = Order::next_deadline(&self.state);
            self.decide(Input::Timer).unwrap();
            assert_ne!(Order::next_deadline(&self.state), before, "a timer must move or remove its deadline");
        }
        self.now = end;
    }

    /// The clock jumps, and one timer judges all that is due by then.
    pub(super) fn judge_late(&mut self, milliseconds: i64) {
        self.now = self.now.plus_ms(milliseconds);
        self.decide(Input::Timer).unwrap();
    }

    pub(super) fn release(&mut self, effect: &str) {
        self.decide(Input::Release(effect)).unwrap();
    }

    fn decide(&mut self, input: Input<'_, domain::messages::Message>) -> Result<Answer, Reason> {
        let context = Context {
            entity: &self.entity,
            now: self.now,
            version: self.version + 1,
            policies: &self.policies,
            gates: self.gates,
            board: &EmptyBoard,
            further: Further::ALL,
        };
        let decision = Order::decide(&self.state, input, &context)?;
        self.dead.extend(decision.dead);
        self.letters.extend(decision.letters);
        if decision.events.is_empty() {
            assert_eq!(format!("{:?}", decision.state), format!("{:?}", self.state), "no event, no change");
            return Ok(decision.answer);
        }
        let before: BTreeMap<String, u32> = Order::effects(&self.state)
            .iter()
            .map(|effect| (effect.id.to_owned(), effect.attempts))
            .collect();
        self.version += 1;
        self.state = decision.state;
        self.told.extend(ToldEvent::all(&decision.published));
        self.settled.extend(decision.settled);
        for effect in Order::effects(&self.state) {
            if effect.state == EffectState::Sent && before.get(effect.id).copied() != Some(effect.attempts) {
                match effect.party {
                    Party::Participant(_) => {
                        self.sent.push(Order::command(&self.entity, &self.state, effect.id).unwrap());
                    }
                    Party::Entity => {
                        self.letters.push(Order::letter(&self.entity, &self.state, effect.id).unwrap());
                    }
                }
            }
        }
        self.events.extend(decision.events);
        self.check_replay();
        self.check_ledgers();
        Ok(decision.answer)
    }

    /// invariant: replay-equals-live
    fn check_replay(&self) {
        let bytes = rmp_serde::to_vec_named(&self.events).unwrap();
        let recorded: Vec<Event> = rmp_serde::from_slice(&bytes).unwrap();
        let mut replayed = State::default();
        let mut told = Published::default();
        for event in &recorded {
            Order::evolve(&mut replayed, event);
            Order::tell(&self.entity, &replayed, event, &mut told);
        }
        assert_eq!(format!("{replayed:?}"), format!("{:?}", self.state));
        assert_eq!(ToldEvent::all(&told), self.told);
    }

    /// invariant: ledger-bounds
    fn check_ledgers(&self) {
        let Some(frozen) = &self.state.content else { return };
        for (line, units) in frozen.content.lines.iter().zip(&self.state.lines) {
            assert_eq!(units.ordered(), line.quantity, "units of line {} are conserved", line.line);
        }
        for ledger in &self.state.tenders {
            let used = ledger.captured + ledger.capturing + ledger.released + ledger.releasing;
            // Only a fact can go over: then a person was told.
            let told = self.state.exceptions.iter().any(|open| open.kind == ExceptionKind::AmountDiffers);
            assert!(told || used <= ledger.authorized, "money is taken or given back once: {ledger:?}");
        }
        let points = &self.state.redemption;
        let used = points.finalized + points.finalizing + points.released + points.releasing;
        assert!(used <= points.reserved, "points are used or given back once: {points:?}");
        self.check_not_stuck();
    }

    /// invariant: no-stuck-order
    fn check_not_stuck(&self) {
        let waits = Order::effects(&self.state).iter().any(|effect| effect.state == EffectState::Waiting);
        let with_others =
            self.state.lines.iter().any(|line| line.released + line.shipped + line.backordered > 0);
        let moves = Order::next_deadline(&self.state).is_some() || waits || !self.state.exceptions.is_empty();
        let is_final = Order::is_final(&self.state) || self.state.phase == Phase::Unborn;
        assert!(is_final || moves || with_others, "the order stands still: {:?}", self.state);
    }

    /// The newest command of this kind.
    pub(super) fn last(&self, kind: &str) -> &Command {
        self.sent_of(kind)
            .last()
            .copied()
            .unwrap_or_else(|| panic!("no command {kind}; sent: {:?}", self.sent_kinds()))
    }

    /// Every send of this kind.
    pub(super) fn sent_of(&self, kind: &str) -> Vec<&Command> {
        self.sent.iter().filter(|command| kind_of(command) == kind).collect()
    }

    pub(super) fn sent_kinds(&self) -> Vec<String> {
        self.sent.iter().map(kind_of).collect()
    }

    pub(super) fn told_kinds(&self) -> Vec<&'static str> {
        self.told.iter().map(|event| event.kind).filter(|kind| *kind != "order.status_changed").collect()
    }

    /// The data of the newest event of this kind.
    pub(super) fn told_last(&self, kind: &str) -> Value {
        let event = self
            .told
            .iter()
            .rev()
            .find(|event| event.kind == kind)
            .unwrap_or_else(|| panic!("no event {kind}"));
        serde_json::from_str(&event.data).unwrap()
    }

    pub(super) fn view(&self) -> Value {
        serde_json::from_str(&Order::view(&self.entity, &self.state, self.version)).unwrap()
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        Order::outcome(&self.state)
    }

    pub(super) fn phase(&self) -> Phase {
        self.state.phase
    }

    pub(super) fn effects(&self) -> Vec<OpenEffect<'_>> {
        Order::effects(&self.state)
    }

    /// Open commands that were sent, ready to be answered.
    pub(super) fn open_commands(&self) -> Vec<Command> {
        let is_sent =
            |effect: &OpenEffect<'_>| effect.state == EffectState::Sent && effect.party != Party::Entity;
        let sent = self.effects().into_iter().filter(is_sent);
        sent.map(|effect| Order::command(&self.entity, &self.state, effect.id).unwrap()).collect()
    }

    /// Answers every open command with a yes until nothing is open; allocates to `node`. Nothing departs.
    pub(super) fn say_yes(&mut self, node: &str) {
        while let Some(command) = self.open_commands().into_iter().next() {
            let (kind, body) = yes(&command, node);
            self.answer_to(&command, kind, &body);
        }
    }

    /// The body of a sent command.
    pub(super) fn body(command: &Command) -> Value {
        serde_json::from_slice(&command.body).unwrap()
    }
}

pub(super) fn kind_of(command: &Command) -> String {
    format!("{}.{}", command.participant.as_str(), command.name)
}

/// The definitive yes to a command.
pub(super) fn yes(command: &Command, node: &str) -> (&'static str, Value) {
    let body = Desk::body(command);
    match kind_of(command).as_str() {
        "loyalty.reserve" => {
            ("loyalty.reserved", json!({"points": body["points"], "reservation_ref": "res-1"}))
        }
        "loyalty.finalize" => ("loyalty.finalized", json!({"points": body["points"]})),
        "loyalty.release" => ("loyalty.released", json!({"points": body["points"]})),
        "loyalty.accrue" => (
            "loyalty.accrued",
            json!({"points_delta": body["points_delta"], "target_points": body["target_points"]}),
        ),
        "payment.authorize" => ("payment.authorized", with(&body, "authorization_ref", "auth-1")),
        "payment.capture" => ("payment.captured", body),
        "payment.void" => ("payment.voided", body),
        "allocation.allocate" => {
            let rows = body["lines"].as_array().unwrap().iter();
            let rows = rows.map(|row| {
                let row = with(row, "node", node);
                let reference = format!("al-{}-{}", command.effect_id, row["line"]);
                with(&row, "allocation_ref", &reference)
            });
            ("allocation.allocated", json!({"allocations": rows.collect::<Vec<_>>()}))
        }
        "allocation.release" => ("allocation.released", body),
        "fulfillment.release" => ("shipment.accepted", body),
        "fulfillment.cancel" => ("shipment.cancel_accepted", body),
        "erp.post" => ("erp.posted", with(&body, "document_no", "4500001")),
        other => panic!("no answer for {other}"),
    }
}

fn with(body: &Value, field: &str, value: &str) -> Value {
    let mut body = body.clone();
    body[field] = json!(value);
    body
}

/// LIFECYCLE 3.12: 89.98 in all, 10.00 of it in 2,000 points, 79.98 on the card.
pub(super) fn worked_example() -> Value {
    json!({
        "order_id": "o-1", "channel": "web", "currency": "EUR",
        "customer": {"customer_id": "c-9", "member_id": "m-77"},
        "lines": [
            {"line": 1, "sku": "SKU-A", "quantity": 3, "net_minor": 5000, "tax_minor": 1000},
            {"line": 2, "sku": "SKU-B", "quantity": 1, "net_minor": 1999, "tax_minor": 400},
        ],
        "fees": [{"fee": "shipping", "net_minor": 499, "tax_minor": 100}],
        "total_minor": 8998,
        "redemption": {"points": 2000, "value_minor": 1000},
        "tenders": [{"tender": "t1", "type": "card", "gateway": "psp-a", "token": "tok_9f3"}],
        "ship_to": {"region": "DE-BE", "postcode": "10115"},
    })
}

/// One line of two units on a card, nobody's points.
pub(super) fn card_only() -> Value {
    json!({
        "order_id": "o-1", "channel": "web", "currency": "EUR",
        "lines": [{"line": 1, "sku": "SKU-A", "quantity": 2, "net_minor": 2000, "tax_minor": 380}],
        "total_minor": 2380,
        "tenders": [{"tender": "t1", "type": "card", "gateway": "psp-a", "token": "tok_9f3"}],
    })
}

/// `shipment.departed` of some units of the first shipment.
pub(super) fn departed(parcel: &str, lines: &[(u32, u32)]) -> Value {
    departed_from("o-1-s1", parcel, lines)
}

pub(super) fn departed_from(shipment: &str, parcel: &str, lines: &[(u32, u32)]) -> Value {
    let lines: Vec<Value> =
        lines.iter().map(|(line, quantity)| json!({"line": line, "quantity": quantity})).collect();
    json!({
        "order_id": "o-1", "shipment_id": shipment, "parcel_id": parcel, "node": "n-1", "carrier": "dhl",
        "tracking": format!("T-{parcel}"), "lines": lines, "departed_at": "2026-11-27T10:00:00Z",
    })
}
