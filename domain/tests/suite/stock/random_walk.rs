//! Many reservations at one cell, in any interleaving, with questions and facts that come again. The numbers that are told add up at
//! every prefix.

use std::collections::{BTreeMap, BTreeSet};

use domain::stock::policies::StalePolicy;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Cell, fact};
use crate::stock_desk::take;

/// What a reader of all events knows of a claim: taken, consumed, given back; and whether it waits.
#[derive(Debug, Default)]
struct Followed {
    taken: i64,
    consumed: i64,
    given_back: i64,
    waits: i64,
}

#[derive(Default)]
struct Reader {
    on_hand: i64,
    claims: BTreeMap<String, Followed>,
    /// Claims that hold nothing any more.
    ended: BTreeSet<String>,
    read: usize,
}

impl Reader {
    /// Reads what was told since.
    fn read(&mut self, cell: &Cell) {
        for (kind, data) in &cell.told[self.read..] {
            let quantity = data["quantity"].as_i64().unwrap_or_default();
            let claim = data["claim_id"].as_str().map(str::to_owned);
            match (kind.as_str(), data["move"].as_str().unwrap_or_default()) {
                ("stock.reserved", _) => {
                    let claim = self.claims.entry(claim.unwrap()).or_default();
                    assert!(claim.taken == 0, "a claim is taken once");
                    (claim.taken, claim.waits) = (quantity, 0);
                    let level = &data["level"];
                    let held = level["soft"].as_i64().unwrap() + level["hard"].as_i64().unwrap();
                    let (safety, cap) = (i64::from(cell.state.safety), i64::from(cell.state.oversell_cap));
                    let there = level["on_hand"].as_i64().unwrap();
                    // invariant: no-oversell
                    assert!(held <= there - safety + cap, "{held} held of {there}");
                }
                ("stock.backordered", _) => self.claims.entry(claim.unwrap()).or_default().waits = quantity,
                ("stock.moved", "consumed") => {
                    self.on_hand -= quantity;
                    if let Some(claim) = claim {
                        self.claims.get_mut(&claim).unwrap().consumed += quantity;
                    }
                }
                ("stock.moved", "given_back") => {
                    let claim = self.claims.get_mut(&claim.unwrap()).unwrap();
                    if claim.waits > 0 { claim.waits -= quantity } else { claim.given_back += quantity }
                }
                ("stock.moved", "hardened") => {}
                ("stock.moved", _) => self.on_hand += quantity,
                ("stock.discrepancy", _) if data["kind"] == "unclaimed_departure" && claim.is_none() => {}
                _ => {}
            }
        }
        self.read = cell.told.len();
    }

    fn compare(&mut self, cell: &Cell) {
        self.read(cell);
        let level = cell.state.level();
        // invariant: units-conserved
        assert_eq!(level.on_hand, self.on_hand);
        let waits: i64 = self.claims.values().map(|claim| claim.waits).sum();
        assert_eq!(level.backordered, waits);
        let mut held = 0;
        for (id, claim) in &self.claims {
            let live = cell.state.claims.get(id).map_or(0, |live| live.live().units);
            held += live;
            assert!(live == 0 || !self.ended.contains(id), "a claim ends once");
            if claim.taken > 0 && live == 0 {
                // More may have departed than was held.
                assert!(claim.consumed + claim.given_back >= claim.taken, "{id}: {claim:?}");
                self.ended.insert(id.clone());
            } else if live > 0 {
                assert_eq!(claim.taken, live + claim.consumed + claim.given_back, "{id}");
            }
        }
        assert_eq!(level.soft + level.hard, held);
    }
}

fn question(claim: &str, (what, size, n): (u8, u32, usize)) -> (&'static str, Value) {
    match what {
        0..=3 => {
            let mut body = take(claim, size);
            if what == 2 {
                body["hard"] = json!(true);
            }
            if what == 3 {
                body["backorder_since"] = json!(1_795_766_400_000_i64 + i64::from(size) * 1_000);
            }
            if size % 4 == 0 {
                body["promotion"] = json!("bf26");
            }
            ("take", body)
        }
        4..=6 => ("harden", json!({"claim_id": claim})),
        7 | 8 => ("consume", json!({"claim_id": claim, "quantity": size, "movement_id": format!("p-{n}")})),
        9 => {
            let reservation = claim.split(':').next().unwrap();
            let body =
                json!({"reservation_id": reservation, "quantity": size, "movement_id": format!("p-{n}")});
            ("consume_unclaimed", body)
        }
        _ => ("give_back", json!({"claim_id": claim, "quantity": size, "release_id": format!("x-{n}")})),
    }
}

fn told(cell: &Cell, (what, size, n): (u8, u32, usize)) -> (&'static str, Value) {
    let movement = format!("m-{n}");
    match what {
        0 | 1 => ("received", fact(&json!({"quantity": size * 3, "movement_id": movement}))),
        2 => {
            let delta = i64::from(size) - 4;
            ("adjusted", fact(&json!({"delta": delta, "movement_id": movement, "reason": "r"})))
        }
        3 => {
            let on_hand = cell.state.on_hand + i64::from(size) - 4;
            let as_of = cell.now.plus_ms(-i64::from(size) * 100).to_string();
            let (safety, cap) = (size % 3, size % 2);
            let body = json!({"on_hand": on_hand, "as_of": as_of, "movement_id": movement, "safety": safety, "oversell_cap": cap});
            ("baseline", fact(&body))
        }
        4 => {
            let expected_at = cell.now.plus_ms(i64::from(size) * 10_000).to_string();
            ("inbound", fact(&json!({"quantity": size, "expected_at": expected_at, "movement_id": movement})))
        }
        _ => {
            let until = cell.now.plus_ms(i64::from(size) * 500).to_string();
            let body =
                json!({"promotion": "bf26", "quantity": size, "until": until, "movement_id": movement});
            ("set_aside", fact(&body))
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Ask(u8, u8, u32),
    Fact(u8, u32),
    Again(prop::sample::Index),
    Pass(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0_u8..12, 0_u8..10, 1_u32..8).prop_map(|(what, which, size)| Step::Ask(what, which, size)),
        3 => (0_u8..6, 1_u32..8).prop_map(|(what, size)| Step::Fact(what, size)),
        3 => any::<prop::sample::Index>().prop_map(Step::Again),
        1 => (0_u16..3_000).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    // invariant: applied-once
    #[test]
    fn any_interleaving_with_repetitions_conserves_every_unit_and_sells_none_twice(
        on_hand in 0_u32..30, policy in 0_u8..4, steps in steps(),
    ) {
        let mut cell = Cell::new("SKU-A~n-1");
        cell.policies.thresholds = vec![0, 3];
        cell.policies.stale_after_ms = if policy == 3 { 0 } else { 4_000 };
        cell.policies.when_stale = match policy {
            0 => StalePolicy::UseLastKnownMinusBuffer,
            1 => StalePolicy::StopSelling,
            _ => StalePolicy::AcceptAsBackorder,
        };
        cell.policies.stale_buffer = 2;
        cell.count_units(i64::from(on_hand), "count-1");
        let mut reader = Reader::default();
        let mut said: Vec<(bool, &'static str, Value)> = Vec::new();
        for (n, step) in steps.into_iter().enumerate() {
            match step {
                Step::Ask(what, which, size) => {
                    let claim = format!("r-{which}:1:1");
                    // Who was given a claim never asks for it anew once it has ended.
                    if what <= 3 && reader.ended.contains(&claim) {
                        continue;
                    }
                    let (name, body) = question(&claim, (what, size, n));
                    let answers = cell.ask(name, &body);
                    prop_assert!(!answers.is_empty());
                    said.push((true, name, body));
                }
                Step::Fact(what, size) => {
                    let (name, body) = told(&cell, (what, size, n));
                    cell.fact(name, &body);
                    said.push((false, name, body));
                }
                Step::Again(which) if !said.is_empty() => {
                    let (is_letter, name, body) = said[which.index(said.len())].clone();
                    // A question for a claim that was refused is a new one.
                    let is_new = is_letter && name == "take";
                    let before = cell.state.on_hand;
                    if is_new {
                        if !reader.ended.contains(body["claim_id"].as_str().unwrap()) {
                            cell.ask(name, &body);
                        }
                    } else if is_letter {
                        cell.ask(name, &body);
                    } else {
                        cell.fact(name, &body);
                    }
                    if name != "consume" && name != "harden" {
                        prop_assert!(cell.state.on_hand == before, "{} came again", name);
                    }
                }
                Step::Again(_) => {}
                Step::Pass(milliseconds) => drop(cell.pass_ms(i64::from(milliseconds))),
            }
            reader.compare(&cell);
        }
        // In the end everybody gives back what he has, and what is there is there.
        for which in 0..10 {
            cell.give_back(&format!("r-{which}:1:1"), u32::MAX, "end");
            cell.give_back(&format!("r-{which}:1:1"), u32::MAX, "end-2");
        }
        reader.compare(&cell);
        prop_assert_eq!((cell.state.claims.live().units, cell.state.waiting.len()), (0, 0));
        prop_assert!(cell.state.claims.bytes() == 0 && cell.state.waiting.bytes() == 0);
    }
}
