//! What the tests of the rules do again and again: bring an order to a stage, let somebody say no, count.

use domain::envelope::{Envelope, Headers, Plane};
use domain::order::state::Phase;
use serde_json::{Value, json};

use super::desk::{Desk, kind_of, yes};

impl Desk {
    /// A committed order; nothing that the commit asked for is answered.
    pub(super) fn committed(body: &Value) -> Self {
        let mut desk = Self::with(body);
        while matches!(desk.phase(), Phase::Received | Phase::Reserving) {
            let command = desk.open_commands().remove(0);
            desk.yes_to(&kind_of(&command));
        }
        assert_eq!(desk.phase(), Phase::Committed);
        desk
    }

    /// An order whose units are all released to `n-1` under one shipment; everything is answered.
    pub(super) fn released(body: &Value) -> Self {
        let mut desk = Self::with(body);
        desk.say_yes("n-1");
        assert_eq!(desk.phase(), Phase::Fulfilling);
        desk
    }

    /// Yes to the oldest open command of this kind; allocates to `n-1`.
    pub(super) fn yes_to(&mut self, kind: &str) {
        let open = self.open_commands();
        let command = open
            .iter()
            .find(|command| kind_of(command) == kind)
            .unwrap_or_else(|| panic!("no open {kind}; open: {:?}", self.open_kinds()));
        let (kind, body) = yes(command, "n-1");
        self.answer_to(command, kind, &body);
    }

    /// The newest command of this kind fails.
    pub(super) fn fail(&mut self, kind: &str, class: &str) {
        let command = self.last(kind).clone();
        let participant = command.participant.as_str();
        let domain = if participant == "fulfillment" { "shipment" } else { participant };
        self.answer_to(&command, &format!("{domain}.failed"), &json!({"code": "e-42", "class": class}));
    }

    /// Yes to everything but commands of this kind.
    pub(super) fn answer_all_but(&mut self, kind: &str) {
        while let Some(command) = self.open_commands().into_iter().find(|command| kind_of(command) != kind) {
            self.yes_to(&kind_of(&command));
        }
    }

    /// A reply that echoes no `Effect-Id`.
    pub(super) fn tell(&mut self, kind: &str, body: &Value) {
        self.say(Plane::Reply, kind, body, Headers::new()).unwrap();
    }

    /// A message as it came, to be delivered more than once.
    pub(super) fn message(&self, plane: Plane, kind: &str, body: &Value, id: &str) -> Envelope {
        let (domain, name) = kind.split_once('.').unwrap();
        let token = |text| domain::ids::Token::new(text).unwrap();
        let mut body = body.clone();
        body["order_id"] = json!("o-1");
        Envelope {
            tenant: self.entity.tenant.clone(),
            plane,
            domain: token(domain),
            name: token(name),
            headers: Headers::new().with("ce-id", id).with("ce-source", "/desk"),
            body: body.to_string().into(),
            stream: "RETAIL_TEST".into(),
            sequence: 1,
            item: None,
            stored_at: self.now,
        }
    }

    /// A number of every send of this kind.
    pub(super) fn numbers(&self, kind: &str, field: &str) -> Vec<i64> {
        self.sent_of(kind).into_iter().map(|command| Self::body(command)[field].as_i64().unwrap()).collect()
    }

    /// The kinds of all open commands, oldest first.
    pub(super) fn open_kinds(&self) -> Vec<String> {
        let open = self.effects().into_iter();
        let kinds = open.map(|effect| effect.id.split(':').nth(2).unwrap().to_owned());
        kinds.collect()
    }

    /// How often the outside was told an event of this kind.
    pub(super) fn count(&self, kind: &str) -> usize {
        self.told.iter().filter(|event| event.kind == kind).count()
    }

    /// The code of `order.rejected` or `order.cancelled`.
    pub(super) fn code(&self, kind: &str) -> String {
        assert_eq!(self.count(kind), 1, "{kind} is told once");
        self.told_last(kind)["reason"]["code"].as_str().unwrap().to_owned()
    }

    /// The kinds of the open exceptions, oldest first.
    pub(super) fn exceptions(&self) -> Vec<&'static str> {
        self.state.exceptions.iter().map(|exception| exception.kind.as_str()).collect()
    }

    /// The bodies of the posted documents of this kind, oldest first.
    pub(super) fn documents(&self, document: &str) -> Vec<Value> {
        let posted = self.sent_of("erp.post").into_iter().map(Self::body);
        posted.filter(|body| body["document"] == document).collect()
    }

    /// A word of the view's status.
    pub(super) fn status(&self, of: &str) -> String {
        self.view()["status"][of].as_str().unwrap().to_owned()
    }

    /// Will nothing leave any more?
    pub(super) fn all_units_cancelled(&self) -> bool {
        self.state.all_cancelled()
    }

    /// One line of the view.
    pub(super) fn line(&self, index: usize) -> Value {
        self.view()["lines"][index].clone()
    }

    /// Everything that can be answered is; the order has ended as `phase` and nothing is open.
    /// invariant: no-stuck-order
    pub(super) fn ends_as(&mut self, phase: Phase) {
        self.say_yes("n-1");
        for _ in 0..20 {
            if self.effects().is_empty() {
                break;
            }
            self.pass_ms(40_000);
            self.say_yes("n-1");
        }
        assert_eq!(self.phase(), phase, "open: {:?}", self.open_kinds());
        assert!(self.effects().is_empty(), "open: {:?}", self.open_kinds());
    }
}

/// A card order of one line: `quantity` units for 11.90 each.
pub(super) fn units(quantity: u32) -> Value {
    json!({
        "order_id": "o-1", "channel": "web", "currency": "EUR",
        "lines": [{"line": 1, "sku": "SKU-A", "quantity": quantity,
                   "net_minor": 1000 * quantity, "tax_minor": 190 * quantity}],
        "total_minor": 1190 * quantity,
        "tenders": [{"tender": "t1", "type": "card", "gateway": "psp-a", "token": "tok"}],
    })
}

/// Two lines of two units for 11.90 each and shipping for 4.00, paid with two cards: 20.00 and the rest.
pub(super) fn two_cards() -> Value {
    json!({
        "order_id": "o-1", "channel": "web", "currency": "EUR",
        "lines": [{"line": 1, "sku": "SKU-A", "quantity": 2, "net_minor": 2000, "tax_minor": 380},
                  {"line": 2, "sku": "SKU-B", "quantity": 2, "net_minor": 2000, "tax_minor": 380}],
        "fees": [{"fee": "shipping", "net_minor": 400, "tax_minor": 0}],
        "total_minor": 5160,
        "tenders": [{"tender": "t1", "type": "card", "gateway": "psp-a", "token": "k1", "amount_minor": 2000},
                    {"tender": "t2", "type": "card", "gateway": "psp-b", "token": "k2"}],
    })
}

/// `lines` as they stand in messages.
pub(super) fn lines(units: &[(u32, u32)]) -> Value {
    units.iter().map(|(line, quantity)| json!({"line": line, "quantity": quantity})).collect()
}
