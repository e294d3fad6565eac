//! Several reservations fight over few units while letters are lost, late and repeated. In the end cells and reservations agree
//! about every unit.

use std::collections::BTreeMap;

use domain::decider::Decider;
use domain::envelope::Plane;
use domain::reservation::Reservation;
use domain::reservation::state::{ClaimState, Phase, Target};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::desk::{Desk, at, skus};

const CELLS: [&str; 5] = ["A~n1", "A~n2", "B~n1", "B~n3", "coupon~C"];

#[derive(Debug, Clone)]
struct Story {
    stock: Vec<u8>,
    park: bool,
    steps: Vec<(u8, u8, u8)>,
}

fn stories() -> impl Strategy<Value = Story> {
    (
        proptest::collection::vec(0..8_u8, CELLS.len()),
        any::<bool>(),
        proptest::collection::vec((0..26_u8, any::<u8>(), any::<u8>()), 1..120),
    )
        .prop_map(|(stock, park, steps)| Story { stock, park, steps })
}

struct Play {
    desk: Desk,
    /// Wishes by reservation: what was asked, to be asked again.
    asked: BTreeMap<String, Vec<(&'static str, Value)>>,
    lost_units: i64,
    received: i64,
    ids: u32,
}

impl Play {
    fn new(story: &Story) -> Self {
        let cells: Vec<(&str, u32)> =
            CELLS.into_iter().zip(story.stock.iter().map(|n| u32::from(*n))).collect();
        let mut desk = Desk::new(&cells);
        desk.policies.unfillable_park_ms = if story.park { 200_000 } else { 0 };
        Self { desk, asked: BTreeMap::new(), lost_units: 0, received: 0, ids: 0 }
    }

    fn letter(&mut self, id: &str, name: &'static str, body: &Value) {
        self.asked.entry(id.to_owned()).or_default().push((name, body.clone()));
        self.desk.letter(name, body);
    }

    fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("x-{}", self.ids)
    }

    fn step(&mut self, (what, which, size): (u8, u8, u8)) {
        let number = which % 4;
        let id = format!("o-{number}");
        let by_shop = number == 3;
        let quantity = u32::from(size % 4) + 1;
        match what {
            0..=2 if by_shop => {
                let body = json!({"reservation_id": id, "lines": skus(&[(1, "A", 2), (2, "B", 1)]), "ttl_ms": 90_000});
                self.desk.say(Plane::Intake, "hold", &body).ok();
            }
            0..=2 => {
                let lines = [(1, "A", 1 + u32::from(number)), (2, "B", 2)];
                let counters = json!([{"counter": "coupon", "id": "C", "uses": 1, "amount_minor": 5}]);
                let counters = if number == 0 { counters } else { json!([]) };
                let body = json!({"reservation_id": id, "order_id": id, "lines": skus(&lines), "counters": counters,
                                  "hard": number == 2, "backorder": number != 0});
                self.letter(&id, "hold", &body);
            }
            3 if by_shop => {
                let body =
                    json!({"reservation_id": id, "order_id": id, "lines": skus(&[(1, "A", 1), (2, "B", 1)])});
                self.letter(&id, "attach", &body);
            }
            4 if by_shop => {
                drop(self.desk.say(Plane::Ask, "extend", &json!({"reservation_id": id, "ttl_ms": 60_000})));
            }
            5 if by_shop => {
                drop(self.desk.say(Plane::Ask, "release", &json!({"reservation_id": id, "reason": "x"})));
            }
            3..=6 => self.letter(&id, "commit", &json!({"reservation_id": id, "order_id": id})),
            7 | 8 => {
                let (line, node) = [(1, "n1"), (1, "n2"), (2, "n1"), (2, "n3")][usize::from(size / 4 % 4)];
                let movement = self.next_id();
                let body = json!({"reservation_id": id, "order_id": id, "movement_id": movement,
                                  "lines": at(&[(line, node, quantity)])});
                if self.desk.sheets.contains_key(&id) {
                    self.letter(&id, "consume", &body);
                }
            }
            9 | 10 => {
                let release = self.next_id();
                let mut row = json!({"line": 1 + u32::from(size & 1), "quantity": quantity});
                if size & 2 == 0 {
                    row["node"] = json!("n1");
                }
                let body =
                    json!({"reservation_id": id, "order_id": id, "release_id": release, "lines": [row]});
                self.letter(&id, "release", &body);
            }
            11 if size < 60 => {
                let release = self.next_id();
                let body = json!({"reservation_id": id, "order_id": id, "release_id": release, "all": true});
                self.letter(&id, "release", &body);
            }
            12 => {
                let again = self.asked.get(&id).and_then(|asked| asked.last().cloned());
                if let Some((name, body)) = again {
                    self.desk.letter(name, &body);
                }
            }
            13 => {
                let key = CELLS[usize::from(size) % 4];
                self.received += i64::from(quantity);
                self.desk.receive(key, quantity);
            }
            14 => self.lose(usize::from(size)),
            15 | 16 => self.desk.pass_ms(i64::from(size) * 200),
            17 => self.desk.step_mail(usize::from(size), 0),
            18 => self.desk.step_mail(usize::from(size), 2),
            _ => self.desk.step_mail(usize::from(size), 1),
        }
    }

    /// A cell loses what is soft and known to be held.
    fn lose(&mut self, pick: usize) {
        let key = CELLS[pick % 4];
        let toy = self.desk.toys.get_mut(key).unwrap();
        let soft = toy.claims.iter().find(|(_, claim)| !claim.hard && claim.waits_since.is_none());
        if let Some((id, quantity)) = soft.map(|(id, claim)| (id.clone(), claim.quantity)) {
            toy.lose(&id);
            self.lost_units += i64::from(quantity);
        }
    }

    /// Everything on its way arrives, and every deadline of a letter is kept.
    fn settle(&mut self) {
        for _ in 0..40 {
            self.desk.run();
            self.desk.pass_ms(31_000);
        }
        self.desk.run();
    }
}

fn open_at(desk: &Desk, key: &str) -> u32 {
    let sheets = desk.sheets.values().filter(|sheet| sheet.state.content.is_some());
    let claims = sheets.flat_map(|sheet| {
        // A claim of uses that is final is gone, and its uses are counted.
        let held = sheet.state.indexed().filter(|(_, claim)| match claim.target {
            Target::Cell { .. } => claim.state.is_held(),
            // What was bought with uses has left: they are used.
            Target::Counter(_) => claim.state.is_held() || claim.state == ClaimState::Consumed,
        });
        held.filter(|(_, claim)| sheet.state.target_key(&claim.target) == key)
            .map(
                |(_, claim)| {
                    if matches!(claim.target, Target::Counter(_)) { claim.quantity } else { claim.open }
                },
            )
            .collect::<Vec<_>>()
    });
    claims.sum()
}

fn check_quiet(play: &Play, on_hand: i64) -> Result<(), TestCaseError> {
    let desk = &play.desk;
    for (key, toy) in &desk.toys {
        prop_assert!(
            i64::from(toy.held()) <= toy.on_hand.max(0) || toy.unclaimed > 0 || play.lost_units > 0,
            "{}",
            key
        );
    }
    if play.lost_units == 0 {
        for (key, toy) in &desk.toys {
            prop_assert_eq!(
                toy.held(),
                open_at(desk, key),
                "{} holds what stands: {:#?} {:#?}",
                key,
                toy,
                desk.sheets
            );
        }
    }
    let left: u32 = desk.toys.values().map(|toy| toy.consumed + toy.unclaimed).sum();
    let told: u32 = desk
        .sheets
        .values()
        .flat_map(|sheet| sheet.state.lines.iter().map(|line| line.consumed + line.unclaimed))
        .sum();
    prop_assert_eq!(left, told, "every departure is taken off once");
    let now: i64 = desk.toys.values().map(|toy| toy.on_hand).sum();
    prop_assert_eq!(
        now,
        on_hand + play.received - play.lost_units - i64::from(left),
        "only what left is gone"
    );
    for (id, sheet) in &desk.sheets {
        prop_assert!(
            sheet.state.phase != Phase::Requested && sheet.state.phase != Phase::Committing,
            "{} is settled",
            id
        );
        let waits = sheet.state.indexed().filter(|(_, claim)| claim.state == ClaimState::Waiting).count();
        prop_assert_eq!(
            sheet.state.effects.len(),
            waits,
            "{} asks only for what waits: {:#?}",
            id,
            sheet.state
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    // invariant: reserved-units-conserved
    // invariant: reservation-ends-once
    #[test]
    fn whatever_is_lost_or_repeated_cells_and_reservations_agree_in_the_end(story in stories()) {
        let mut play = Play::new(&story);
        let on_hand: i64 = play.desk.toys.values().map(|toy| toy.on_hand).sum();
        for step in &story.steps {
            play.step(*step);
        }
        play.settle();
        check_quiet(&play, on_hand)?;
        // The orders end: nothing of theirs stays held.
        for number in 0..4 {
            let id = format!("o-{number}");
            let body = json!({"reservation_id": id, "order_id": id, "release_id": "end", "all": true});
            play.desk.letter("release", &body);
            play.desk.say(Plane::Ask, "release", &json!({"reservation_id": id, "reason": "end"})).ok();
        }
        play.settle();
        check_quiet(&play, on_hand)?;
        for (id, sheet) in &play.desk.sheets {
            prop_assert!(Reservation::is_final(&sheet.state), "{} is over: {:#?}", id, sheet.state);
        }
        let held: usize = play.desk.toys.values().map(|toy| toy.claims.len()).sum();
        prop_assert_eq!(held, 0, "no live hold belongs to what is over: {:#?} {:#?}", play.desk.toys, play.desk.sheets);
    }
}
