//! Orders, reservations, cells and counters of one town, with all their letters: units that are set aside for a promotion are sold
//! under it and under nothing else.

use std::collections::{BTreeMap, VecDeque};

use domain::counter::Counter;
use domain::decider::{Board, Context, Decider, EffectState, Further, Gates, Input, Letter, Party, Trace};
use domain::envelope::{Envelope, Plane};
use domain::ids::EntityId;
use domain::kinds::Both;
use domain::order::Order;
use domain::reference::Reference;
use domain::reservation::Reservation;
use domain::stock::{Posted, Stock};
use domain::time::Timestamp;
use serde_json::{Value, json};

use crate::golden::envelope;

type Kinds = Both<Both<Both<Order, Reservation>, Stock>, Counter>;
type State = <Kinds as Decider>::State;
type Policies = <Kinds as Decider>::Policies;

const NOW: Timestamp = Timestamp(1_795_766_400_000);

/// What the cells show, by kind and key.
#[derive(Debug)]
struct Shown(BTreeMap<String, Posted>);

impl Board<Posted> for Shown {
    fn look(&self, kind: &str, key: &str) -> Option<Posted> {
        self.0.get(&format!("{kind} {key}")).cloned()
    }
}

#[derive(Default)]
struct Town {
    states: BTreeMap<EntityId, State>,
    policies: Policies,
    mail: VecDeque<Envelope>,
    version: u64,
}

impl Town {
    fn new() -> Self {
        let mut town = Self::default();
        let mut reference = Reference::default();
        let node = json!({"kind": "warehouse", "region": "DE-BE", "capacity_per_day": 1000, "sla_hours": 24,
                          "cost_minor": 500, "pickup": false, "active": true});
        reference.put(1, "node.n-1", Some(node.to_string().as_bytes())).unwrap();
        let (((order, reservation), _), _) = &mut town.policies;
        order.reference = reference.clone();
        reservation.reference = reference;
        town
    }

    fn say(&mut self, plane: Plane, domain: &str, name: &str, body: &Value) {
        self.mail.push_back(envelope(plane, domain, name, body.to_string()));
        while let Some(envelope) = self.mail.pop_front() {
            self.hear(&envelope);
        }
    }

    fn hear(&mut self, envelope: &Envelope) {
        let addressed = Kinds::decode(envelope).unwrap();
        let (entity, message) = (addressed.entity, addressed.message);
        let shown = self
            .states
            .iter()
            .filter_map(|(id, state)| Some((format!("{} {}", id.kind, id.key), Kinds::posted(state)?)));
        let board = Shown(shown.collect());
        let before = self.states.get(&entity).cloned().unwrap_or_default();
        self.version += 1;
        let context = Context {
            entity: &entity,
            now: NOW,
            version: self.version,
            policies: &self.policies,
            gates: Gates::OPEN,
            board: &board,
            further: Further::NONE,
        };
        let decision = Kinds::decide(&before, Input::Message(envelope, &message), &context).unwrap();
        let known: Vec<&str> = Kinds::effects(&before).iter().map(|effect| effect.id).collect();
        let effects = Kinds::effects(&decision.state);
        let sent = effects.iter().filter(|effect| {
            effect.party == Party::Entity && effect.state == EffectState::Sent && !known.contains(&effect.id)
        });
        let sent = sent.map(|effect| Kinds::letter(&entity, &decision.state, effect.id).unwrap());
        let letters: Vec<Letter> = decision.letters.iter().cloned().chain(sent).collect();
        for letter in letters {
            self.mail.push_back(letter.envelope(&entity, self.version, Trace::default(), NOW));
        }
        self.states.insert(entity, decision.state);
    }

    fn view(&self, kind: &str, key: &str) -> Value {
        let found = self.states.iter().find(|(id, _)| id.kind.as_str() == kind && id.key.as_str() == key);
        let (id, state) = found.unwrap();
        serde_json::from_str(&Kinds::view(id, state, 1)).unwrap()
    }

    fn order(&mut self, id: &str, promotion: Option<&str>) -> Value {
        let mut line =
            json!({"line": 1, "sku": "SKU-A", "quantity": 3, "net_minor": 5000, "tax_minor": 1000});
        if let Some(promotion) = promotion {
            line["promotion"] = json!({"id": promotion});
        }
        let body = json!({"order_id": id, "channel": "web", "currency": "EUR", "lines": [line], "total_minor": 6000,
                          "tenders": [{"tender": "t1", "type": "card", "gateway": "psp-a", "token": "tok"}],
                          "fulfillment": {"policy": "hold_at_submit"}});
        self.say(Plane::Intake, "order", "submit", &body);
        self.view("order", id)
    }

    fn set_aside(&self) -> Value {
        let cell = self.view("stock", "SKU-A~n-1");
        json!([cell["level"]["available"], cell["set_aside"][0]["used"]])
    }
}

#[test]
fn given_units_set_aside_when_orders_and_carts_come_then_those_of_the_promotion_get_them_and_no_other() {
    let mut town = Town::new();
    let cell = json!({"sku": "SKU-A", "node": "n-1"});
    let fact = |more: Value| {
        let mut body = cell.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let count = json!({"on_hand": 8, "movement_id": "c-1", "as_of": "2026-11-27T06:00:00Z"});
    town.say(Plane::Fact, "stock", "baseline", &fact(count));
    let aside = json!({"promotion": "bf26", "quantity": 6, "movement_id": "a-1"});
    town.say(Plane::Fact, "stock", "set_aside", &fact(aside));
    assert_eq!(town.set_aside(), json!([2, 0]));

    let refused = town.order("o-1", None);
    assert_eq!((&refused["phase"], town.set_aside()), (&json!("rejected"), json!([2, 0])));
    let refused = town.order("o-2", Some("other"));
    assert_eq!((&refused["phase"], town.set_aside()), (&json!("rejected"), json!([2, 0])));
    let held = town.order("o-3", Some("bf26"));
    assert_eq!((&held["phase"], town.set_aside()), (&json!("reserving"), json!([2, 3])));

    let mut cart = json!({"reservation_id": "r-1", "lines": [{"line": 1, "sku": "SKU-A", "quantity": 3}]});
    town.say(Plane::Intake, "reservation", "hold", &cart);
    assert_eq!(town.view("reservation", "r-1")["phase"], "refused");
    (cart["reservation_id"], cart["lines"][0]["promotion"]) = (json!("r-2"), json!("bf26"));
    town.say(Plane::Intake, "reservation", "hold", &cart);
    assert_eq!(
        (&town.view("reservation", "r-2")["phase"], town.set_aside()),
        (&json!("soft"), json!([2, 6]))
    );

    let reason = json!({"reservation_id": "r-2", "reason": "left the shop"});
    town.say(Plane::Ask, "reservation", "release", &reason);
    assert_eq!(town.set_aside(), json!([2, 3]), "they are the promotion's again");
}
