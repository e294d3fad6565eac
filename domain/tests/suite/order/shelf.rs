//! A small honest model of reservations with their stock, to answer an order's letters: each question is applied once, and the
//! same question gets the same answer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::decider::{Letter, Trace};
use domain::ids::{EntityId, Key, Token};
use domain::time::Timestamp;
use serde_json::{Value, json};

use super::desk::Desk;

/// What a reservation says: the name of the letter and its body.
pub(super) type Said = (&'static str, Value);

#[derive(Debug, Clone, Default)]
struct Reservation {
    order_id: Option<String>,
    ended: bool,
    /// (line, sku, node, units).
    rows: Vec<(u64, String, String, u64)>,
    /// (line, sku, units) that wait for stock.
    waits: Vec<(u64, String, u64)>,
    answers: BTreeMap<String, Said>,
    /// Uses of promotions and coupons, by `counter~id`.
    uses: BTreeMap<String, u64>,
}

/// Stock by sku and node, and everything that was reserved of it.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) stock: BTreeMap<(String, String), u64>,
    /// Uses that are left, by `counter~id`.
    pub(super) uses: BTreeMap<String, u64>,
    /// Units that have left, by sku and node.
    pub(super) left: BTreeMap<(String, String), u64>,
    /// It does as if it could not read which node units go back from.
    pub(super) deaf_to_nodes: bool,
    reservations: BTreeMap<String, Reservation>,
    found: u32,
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl Shelf {
    /// So many units of `sku` at `node`.
    pub(super) fn with(mut self, sku: &str, node: &str, units: u64) -> Self {
        self.stock.insert((sku.to_owned(), node.to_owned()), units);
        self
    }

    /// A reservation that a customer made: (line, sku, units), of what is there.
    pub(super) fn reserved(mut self, id: &str, lines: &[(u64, &str, u64)]) -> Self {
        let lines: Vec<(u64, String, u64)> =
            lines.iter().map(|(line, sku, units)| (*line, (*sku).to_owned(), *units)).collect();
        let (rows, short) = self.take(&lines);
        assert!(short.is_empty(), "not there: {short:?}");
        self.reservations.insert(id.to_owned(), Reservation { rows, ..Reservation::default() });
        self
    }

    /// The time of a reservation is over.
    pub(super) fn expire(&mut self, id: &str) {
        let known = self.reservations.entry(id.to_owned()).or_default();
        known.ended = true;
        let rows = std::mem::take(&mut known.rows);
        self.put_back(&rows);
    }

    /// Units that are held or waited for, in all.
    pub(super) fn held(&self) -> u64 {
        let rows = self.reservations.values().flat_map(|known| known.rows.iter().map(|row| row.3));
        let waits = self.reservations.values().flat_map(|known| known.waits.iter().map(|row| row.2));
        rows.chain(waits).sum()
    }

    /// Units on the shelf, held, or gone.
    pub(super) fn all(&self) -> i128 {
        let rows = self.reservations.values().flat_map(|known| known.rows.iter().map(|row| row.3));
        let all = self.stock.values().copied().chain(rows).chain(self.left.values().copied());
        all.map(i128::from).sum()
    }

    fn put_back(&mut self, rows: &[(u64, String, String, u64)]) {
        for (_, sku, node, units) in rows {
            *self.stock.entry((sku.clone(), node.clone())).or_default() += units;
        }
    }

    /// Takes what is there of these lines, first nodes first; gives what was taken, and what is missing.
    fn take(&mut self, lines: &[(u64, String, u64)]) -> TakenAndShort {
        let (mut rows, mut short) = (Vec::new(), Vec::new());
        for (line, sku, units) in lines {
            let mut missing = *units;
            for ((known, node), there) in &mut self.stock {
                let taken = missing.min(*there);
                if known == sku && taken > 0 {
                    *there -= taken;
                    missing -= taken;
                    rows.push((*line, sku.clone(), node.clone(), taken));
                }
            }
            if missing > 0 {
                short.push((*line, sku.clone(), missing));
            }
        }
        (rows, short)
    }

    /// What the reservation of a letter answers.
    pub(super) fn answer(&mut self, letter: &Letter) -> Option<Said> {
        let body: Value = serde_json::from_slice(&letter.body).unwrap();
        assert_eq!(letter.to.key.as_str(), body["reservation_id"], "it is written to whom it names");
        let id = text(&body["reservation_id"]);
        let question = match letter.name {
            "consume" => format!("consume {}", body["movement_id"]),
            "release" => format!("release {}", body["release_id"]),
            other => other.to_owned(),
        };
        if let Some(said) = self.reservations.get(&id).and_then(|known| known.answers.get(&question)) {
            return Some(said.clone());
        }
        let said = match letter.name {
            "hold" => self.hold(&id, &body),
            "attach" => self.attach(&id, &body),
            "commit" => self.commit(&id),
            "consume" => self.consume(&id, &body),
            "release" => self.release(&id, &body),
            "allocation_seen" => return None,
            other => panic!("no letter {other}"),
        };
        self.reservations.entry(id).or_default().answers.insert(question, said.clone());
        Some(said)
    }

    fn refuse(&mut self, id: &str, code: &str, lines: &Value) -> Said {
        self.reservations.entry(id.to_owned()).or_default().ended = true;
        ("reservation_refused", json!({"reservation_id": id, "code": code, "lines": lines}))
    }

    fn hold(&mut self, id: &str, body: &Value) -> Said {
        if self.reservations.get(id).is_some_and(|known| known.ended) {
            return self.refuse(id, "expired", &json!([]));
        }
        let mut uses = BTreeMap::new();
        for counter in body["counters"].as_array().unwrap() {
            let key = format!("{}~{}", text(&counter["counter"]), text(&counter["id"]));
            let wanted = number(&counter["uses"]);
            if self.uses.get(&key).copied().unwrap_or_default() < wanted {
                return self.refuse(id, "policy_refused", &json!([]));
            }
            uses.insert(key, wanted);
        }
        let lines = body["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (number(&row["line"]), text(&row["sku"]), number(&row["quantity"])));
        let lines: Vec<(u64, String, u64)> = lines.collect();
        let (rows, short) = self.take(&lines);
        if !short.is_empty() && body["backorder"] == false {
            self.put_back(&rows);
            let named: Vec<Value> = short
                .iter()
                .map(|(line, sku, missing)| {
                    let asked = lines.iter().find(|row| row.0 == *line).unwrap().2;
                    json!({"line": line, "sku": sku, "available": asked - missing})
                })
                .collect();
            return self.refuse(id, "out_of_stock", &Value::from(named));
        }
        for (key, wanted) in &uses {
            *self.uses.get_mut(key).unwrap() -= wanted;
        }
        let order_id = Some(text(&body["order_id"]));
        self.reservations.insert(
            id.to_owned(),
            Reservation { order_id, rows, waits: short, uses, ..Reservation::default() },
        );
        self.says_what_it_holds("reservation_held", id)
    }

    fn attach(&mut self, id: &str, body: &Value) -> Said {
        let order_id = text(&body["order_id"]);
        let Some(known) = self.reservations.get(id) else {
            return self.refuse(id, "unknown_entity", &json!([]));
        };
        if known.ended {
            return self.refuse(id, "expired", &json!([]));
        }
        if known.order_id.as_ref().is_some_and(|other| *other != order_id) {
            return (
                "reservation_refused",
                json!({"reservation_id": id, "code": "unknown_entity", "lines": []}),
            );
        }
        let fits = body["lines"].as_array().unwrap().iter().all(|row| {
            let of_line = known
                .rows
                .iter()
                .filter(|held| held.0 == number(&row["line"]) && held.1 == text(&row["sku"]));
            of_line.map(|held| held.3).sum::<u64>() == number(&row["quantity"])
        });
        if !fits {
            return (
                "reservation_refused",
                json!({"reservation_id": id, "code": "out_of_stock", "lines": []}),
            );
        }
        self.reservations.get_mut(id).unwrap().order_id = Some(order_id);
        self.says_what_it_holds("reservation_held", id)
    }

    fn commit(&mut self, id: &str) -> Said {
        match self.reservations.get(id) {
            Some(known) if !known.ended => self.says_what_it_holds("reservation_committed", id),
            _ => self.refuse(id, "expired", &json!([])),
        }
    }

    fn says_what_it_holds(&self, name: &'static str, id: &str) -> Said {
        let known = &self.reservations[id];
        let rows = known.rows.iter().map(
            |(line, sku, node, units)| json!({"line": line, "sku": sku, "node": node, "quantity": units}),
        );
        let waits = known.waits.iter().map(|(line, sku, units)| {
            json!({"line": line, "sku": sku, "quantity": units, "promised_at": 5_000_000})
        });
        let (rows, waits): (Vec<Value>, Vec<Value>) = (rows.collect(), waits.collect());
        (name, json!({"reservation_id": id, "lines": rows, "backordered": waits}))
    }

    /// What is not held at that node leaves all the same.
    fn consume(&mut self, id: &str, body: &Value) -> Said {
        let known = self.reservations.entry(id.to_owned()).or_default();
        for row in body["lines"].as_array().unwrap() {
            let (line, node, units) = (number(&row["line"]), text(&row["node"]), number(&row["quantity"]));
            let mut rest = units;
            for held in known.rows.iter_mut().filter(|held| held.0 == line && held.2 == node) {
                let taken = rest.min(held.3);
                held.3 -= taken;
                rest -= taken;
                *self.left.entry((held.1.clone(), node.clone())).or_default() += taken;
            }
            known.rows.retain(|held| held.3 > 0);
        }
        ("reservation_consumed", json!({"reservation_id": id, "movement_id": body["movement_id"]}))
    }

    fn release(&mut self, id: &str, body: &Value) -> Said {
        let known = self.reservations.entry(id.to_owned()).or_default();
        let mut back = Vec::new();
        if body["all"] == true {
            known.ended = true;
            known.waits.clear();
            back.append(&mut known.rows);
            for (key, used) in std::mem::take(&mut known.uses) {
                *self.uses.get_mut(&key).unwrap() += used;
            }
        }
        for row in body["lines"].as_array().unwrap() {
            let (line, mut rest) = (number(&row["line"]), number(&row["quantity"]));
            let node = row["node"].as_str().filter(|_| !self.deaf_to_nodes);
            for waiting in known.waits.iter_mut().filter(|waiting| waiting.0 == line && node.is_none()) {
                let taken = rest.min(waiting.2);
                waiting.2 -= taken;
                rest -= taken;
            }
            let here = |held: &&mut (u64, String, String, u64)| {
                held.0 == line && node.is_none_or(|node| held.2 == node)
            };
            for held in known.rows.iter_mut().filter(here) {
                let taken = rest.min(held.3);
                held.3 -= taken;
                rest -= taken;
                back.push((line, held.1.clone(), held.2.clone(), taken));
            }
            known.waits.retain(|waiting| waiting.2 > 0);
            known.rows.retain(|held| held.3 > 0);
        }
        self.put_back(&back);
        ("reservation_released", json!({"reservation_id": id, "release_id": body["release_id"]}))
    }

    /// New stock goes to who waits for it, oldest reservation first; the rest stays on the shelf.
    pub(super) fn receive(&mut self, sku: &str, node: &str, mut units: u64) -> Vec<Said> {
        let mut told = Vec::new();
        for (id, known) in &mut self.reservations {
            let mut lines = Vec::new();
            for waiting in known.waits.iter_mut().filter(|waiting| waiting.1 == sku) {
                let taken = units.min(waiting.2);
                if taken > 0 {
                    waiting.2 -= taken;
                    units -= taken;
                    lines.push(json!({"line": waiting.0, "sku": sku, "node": node, "quantity": taken}));
                    known.rows.push((waiting.0, sku.to_owned(), node.to_owned(), taken));
                }
            }
            known.waits.retain(|waiting| waiting.2 > 0);
            if !lines.is_empty() {
                self.found += 1;
                let body = json!({"reservation_id": id, "allocation_id": format!("found-{}", self.found), "lines": lines});
                told.push(("reservation_allocated", body));
            }
        }
        *self.stock.entry((sku.to_owned(), node.to_owned())).or_default() += units;
        told
    }
}

type TakenAndShort = (Vec<(u64, String, String, u64)>, Vec<(u64, String, u64)>);

impl Desk {
    /// A letter of one of the order's reservations.
    pub(super) fn write(&mut self, name: &'static str, body: &Value) {
        let key = body["reservation_id"].as_str().unwrap();
        let from = EntityId {
            tenant: self.entity.tenant.clone(),
            kind: Token::new("reservation").unwrap(),
            key: Key::new(key).unwrap(),
        };
        let letter = Letter { to: self.entity.clone(), name, body: body.to_string().into() };
        let envelope = letter.envelope(&from, 1, Trace::default(), Timestamp(self.now.0));
        self.deliver(&envelope).unwrap();
    }

    /// The newest letter with this name.
    pub(super) fn letter(&self, name: &str) -> Value {
        let letter = self.letters.iter().rev().find(|letter| letter.name == name);
        let letter = letter.unwrap_or_else(|| panic!("no letter {name}; written: {:?}", self.letter_names()));
        serde_json::from_slice(&letter.body).unwrap()
    }

    pub(super) fn letter_names(&self) -> Vec<&'static str> {
        self.letters.iter().map(|letter| letter.name).collect()
    }

    pub(super) fn letters_named(&self, name: &str) -> usize {
        self.letters.iter().filter(|letter| letter.name == name).count()
    }
}

/// An order and the shelf that serves it: letters go to and fro in the order in which they were written.
pub(super) struct Shop {
    pub(super) desk: Desk,
    pub(super) shelf: Shelf,
    read: usize,
    /// What the shelf said and the order has not heard yet.
    pub(super) said: VecDeque<Said>,
    /// Everything that the order was told.
    pub(super) heard: Vec<Said>,
    /// Questions that the shelf never hears.
    pub(super) silent: BTreeSet<&'static str>,
}

impl Shop {
    /// Nothing is submitted yet.
    pub(super) fn of(shelf: Shelf) -> Self {
        let (said, heard, silent) = (VecDeque::new(), Vec::new(), BTreeSet::new());
        Self { desk: Desk::new(), shelf, read: 0, said, heard, silent }
    }

    /// A submitted order; its letters wait.
    pub(super) fn with(shelf: Shelf, body: &Value) -> Self {
        let mut shop = Self::of(shelf);
        shop.desk.submit(body).unwrap();
        shop
    }

    /// The shelf hears the oldest letter that it has not heard. False = there is none.
    pub(super) fn hear(&mut self, is_lost: bool) -> bool {
        let Some(letter) = self.desk.letters.get(self.read).cloned() else { return false };
        self.read += 1;
        if !is_lost && !self.silent.contains(letter.name) {
            self.said.extend(self.shelf.answer(&letter));
        }
        true
    }

    /// The order hears the oldest thing that the shelf said. False = there is none.
    pub(super) fn tell(&mut self) -> bool {
        let Some((name, body)) = self.said.pop_front() else { return false };
        self.desk.write(name, &body);
        self.heard.push((name, body));
        true
    }

    /// Letters go to and fro until nobody says anything.
    pub(super) fn post(&mut self) {
        while self.hear(false) || self.tell() {}
    }

    /// Stock arrives, and who waits for it is told.
    pub(super) fn receive(&mut self, sku: &str, node: &str, units: u64) {
        self.said.extend(self.shelf.receive(sku, node, units));
    }

    /// Letters and commands are answered with yes until nothing is open. Nothing departs.
    pub(super) fn settle(&mut self) {
        loop {
            self.post();
            self.desk.say_yes("n-1");
            if self.desk.letters.len() == self.read && self.said.is_empty() {
                return;
            }
        }
    }
}
