//! A toy of a cell or counter: the simplest honest answerer of the letters that a reservation writes. It never holds more than it
//! has, forgets a claim with its last unit, and applies every movement and release once. As a counter it forgets a claim that is
//! final, and takes it for a fault if one is asked for again that was given back.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

#[derive(Debug, Clone, Default)]
pub(super) struct Claim {
    pub(super) quantity: u32,
    pub(super) hard: bool,
    /// Since when it waits; none = it is held.
    pub(super) waits_since: Option<i64>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Toy {
    pub(super) key: String,
    pub(super) on_hand: i64,
    /// It lets nothing wait any more.
    pub(super) closed: bool,
    /// It keeps what it holds, and promises none of it.
    pub(super) promises_nothing: bool,
    /// It shows what it has and gives nothing.
    pub(super) refuses: bool,
    pub(super) claims: BTreeMap<String, Claim>,
    pub(super) consumed: u32,
    pub(super) unclaimed: u32,
    /// Final uses, by their claim.
    pub(super) finished: BTreeMap<String, u32>,
    applied: BTreeSet<String>,
}

/// A letter of a toy: to which reservation, which, what.
pub(super) type Said = (String, &'static str, Value);

fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body[field].as_str().unwrap()
}

fn units(body: &Value) -> u32 {
    u32::try_from(body["quantity"].as_u64().unwrap()).unwrap()
}

impl Toy {
    pub(super) fn new(key: &str, on_hand: u32) -> Self {
        Self { key: key.to_owned(), on_hand: i64::from(on_hand), ..Self::default() }
    }

    pub(super) fn held(&self) -> u32 {
        let held = self.claims.values().filter(|claim| claim.waits_since.is_none());
        held.map(|claim| claim.quantity).chain(self.finished.values().copied()).sum()
    }

    fn is_counter(&self) -> bool {
        self.key.starts_with("coupon~") || self.key.starts_with("promotion~")
    }

    pub(super) fn available(&self) -> u32 {
        u32::try_from((self.on_hand - i64::from(self.held())).max(0)).unwrap()
    }

    fn say(&self, claim_id: &str, name: &'static str, more: &Value) -> Said {
        let reservation = claim_id.split(':').next().unwrap().to_owned();
        let mut body = json!({"claim_id": claim_id, "cell": self.key});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        (reservation, name, body)
    }

    pub(super) fn hear(&mut self, name: &str, body: &Value) -> Vec<Said> {
        let mut said = Vec::new();
        match name {
            "take" => said.push(self.take(body)),
            "harden" if self.is_counter() => {
                let id = text(body, "claim_id");
                if let Some(claim) = self.claims.remove(id) {
                    self.finished.insert(id.to_owned(), claim.quantity);
                }
                said.push(self.say(id, "hardened", &json!({})));
            }
            "reopen" => {
                let id = text(body, "claim_id");
                if !self.claims.contains_key(id) {
                    let quantity = self.finished.remove(id).expect("final uses are asked back once");
                    assert_eq!(quantity, units(body));
                    let claim = Claim { quantity, hard: false, waits_since: None };
                    self.claims.insert(id.to_owned(), claim);
                }
                said.push(self.say(id, "reopened", &json!({})));
            }
            "harden" => {
                let id = text(body, "claim_id");
                said.push(match self.claims.get_mut(id) {
                    Some(claim) if claim.waits_since.is_none() && !self.promises_nothing => {
                        claim.hard = true;
                        self.say(id, "hardened", &json!({}))
                    }
                    _ => {
                        let available = self.available();
                        self.say(id, "not_taken", &json!({"available": available, "code": "unknown_claim"}))
                    }
                });
            }
            "give_back" => {
                let (id, release) = (text(body, "claim_id"), text(body, "release_id"));
                if self.applied.insert(release.to_owned()) {
                    self.lessen(id, units(body));
                }
                said.push(self.say(id, "given_back", &json!({"release_id": release})));
                said.extend(self.wake());
            }
            "consume" => {
                let (id, movement) = (text(body, "claim_id"), text(body, "movement_id"));
                if self.applied.insert(movement.to_owned()) {
                    let held = self.claims.get(id).map_or(0, |claim| claim.quantity).min(units(body));
                    self.lessen(id, held);
                    self.on_hand -= i64::from(units(body));
                    self.consumed += units(body);
                }
                said.push(self.say(id, "consumed", &json!({"movement_id": movement})));
            }
            "consume_unclaimed" => {
                let movement = text(body, "movement_id");
                if self.applied.insert(movement.to_owned()) {
                    self.on_hand -= i64::from(units(body));
                    self.unclaimed += units(body);
                }
                let reservation = text(body, "reservation_id").to_owned();
                said.push((reservation, "consumed", json!({"cell": self.key, "movement_id": movement})));
            }
            other => panic!("no such letter: {other}"),
        }
        said
    }

    fn take(&mut self, body: &Value) -> Said {
        let (id, quantity) = (text(body, "claim_id"), units(body));
        let (available, since) = (self.available(), body["backorder_since"].as_i64());
        if self.refuses {
            return self.say(id, "not_taken", &json!({"available": 0, "code": "out_of_stock"}));
        }
        let known = self.claims.get(id).cloned();
        let (quantity, waits_since) = match known {
            Some(known) => (known.quantity, known.waits_since),
            None if quantity <= available => (quantity, None),
            None => (quantity, Some(since.unwrap_or(i64::MAX))),
        };
        if waits_since.is_some() && (since.is_none() || self.closed) {
            self.claims.remove(id);
            return self.say(id, "not_taken", &json!({"available": available, "code": "out_of_stock"}));
        }
        let hard = body["hard"].as_bool().unwrap();
        self.claims.entry(id.to_owned()).or_insert(Claim { quantity, hard, waits_since });
        match waits_since {
            Some(_) => self.say(id, "backordered", &json!({"promised_at": 9_000_000})),
            None => self.say(id, "taken", &json!({"quantity": quantity})),
        }
    }

    fn lessen(&mut self, id: &str, quantity: u32) {
        let Some(claim) = self.claims.get_mut(id) else { return };
        claim.quantity -= claim.quantity.min(quantity);
        if claim.quantity == 0 {
            self.claims.remove(id);
        }
    }

    /// Who has waited longest comes first; nobody overtakes him.
    fn wake(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        loop {
            let waiting = self.claims.iter().filter_map(|(id, claim)| Some((claim.waits_since?, id.clone())));
            let Some((_, id)) = waiting.min() else { return said };
            let quantity = self.claims[&id].quantity;
            if self.available() < quantity {
                return said;
            }
            self.claims.get_mut(&id).unwrap().waits_since = None;
            said.push(self.say(&id, "taken", &json!({"quantity": quantity})));
        }
    }

    pub(super) fn receive(&mut self, quantity: u32) -> Vec<Said> {
        self.on_hand += i64::from(quantity);
        self.wake()
    }

    /// It loses a claim: what it was made on is not there.
    pub(super) fn lose(&mut self, id: &str) {
        let lost = self.claims.remove(id).unwrap();
        self.on_hand -= i64::from(lost.quantity);
    }
}
