//! Cells that refuse, before and after units were sold.

use domain::reservation::state::{ClaimState, Phase};
use serde_json::{Value, json};

use super::desk::{Desk, hold};

fn commit(desk: &mut Desk) {
    desk.letter("commit", &json!({"reservation_id": "o-1", "order_id": "o-1"}));
    desk.run();
}

fn lose(desk: &mut Desk, key: &str) {
    let toy = desk.toys.get_mut(key).unwrap();
    let id = toy.claims.keys().next().unwrap().clone();
    toy.lose(&id);
}

#[test]
fn given_units_that_nobody_has_when_held_then_it_is_refused_with_what_there_is() {
    let mut desk = Desk::new(&[("A~n1", 5), ("B~n1", 1)]);
    desk.letter("hold", &hold("o-1", &[(1, "A", 2), (2, "B", 3)]));
    desk.run();
    let told = desk.told_order("reservation_refused");
    assert_eq!(told["code"], "out_of_stock");
    assert_eq!(told["lines"], json!([{"line": 2, "sku": "B", "available": 1}]));
    assert!(desk.toys.values().all(|toy| toy.claims.is_empty()), "no cell was asked");
    assert_eq!(desk.events("o-1"), ["reservation.refused"]);
    let again = told.clone();
    desk.letter("hold", &hold("o-1", &[(1, "A", 2), (2, "B", 3)]));
    desk.run();
    assert_eq!(desk.told_order("reservation_refused"), &again);
}

#[test]
fn given_a_cell_that_has_less_than_it_shows_when_it_refuses_then_another_node_serves() {
    let mut desk = Desk::new(&[("A~n1", 3), ("A~n2", 3)]);
    desk.letter("hold", &hold("o-1", &[(1, "A", 2)]));
    desk.toys.get_mut("A~n1").unwrap().on_hand = 1;
    desk.run();
    assert_eq!(desk.phase("o-1"), Phase::Soft);
    assert_eq!((desk.toys["A~n1"].held(), desk.toys["A~n2"].held()), (0, 2));
    let states: Vec<ClaimState> = desk.state("o-1").claims.iter().map(|claim| claim.state).collect();
    assert_eq!(states, [ClaimState::Refused, ClaimState::Soft]);
}

#[test]
fn given_a_node_with_little_capacity_when_a_refused_line_is_sourced_again_then_what_it_ships_already_counts()
{
    let mut desk = Desk::new(&[("A~n1", 3), ("B~n1", 3), ("B~n2", 3), ("B~n3", 3)]);
    let small = json!({"kind": "warehouse", "region": "DE-BE", "capacity_per_day": 3, "sla_hours": 24,
                       "cost_minor": 500, "pickup": false, "active": true});
    desk.policies.reference.put(9, "node.n1", Some(small.to_string().as_bytes())).unwrap();
    desk.letter("hold", &hold("o-1", &[(1, "A", 2), (2, "B", 2)]));
    desk.toys.get_mut("B~n2").unwrap().on_hand = 0;
    desk.run();
    assert_eq!(desk.phase("o-1"), Phase::Soft);
    assert_eq!(["A~n1", "B~n1", "B~n2", "B~n3"].map(|cell| desk.toys[cell].held()), [2, 0, 0, 2]);
    let used: Vec<(&str, u32)> = Vec::from([("n1", 2), ("n3", 2)]);
    let known = desk.state("o-1").used_nodes();
    assert_eq!(known.iter().map(|(node, units)| (&**node, *units)).collect::<Vec<_>>(), used);
}

#[test]
fn given_a_refusal_without_another_node_when_other_cells_hold_already_then_all_of_it_goes_back() {
    let mut desk = Desk::new(&[("A~n1", 3), ("B~n1", 3)]);
    desk.letter("hold", &hold("o-1", &[(1, "A", 2), (2, "B", 2)]));
    desk.toys.get_mut("B~n1").unwrap().on_hand = 0;
    desk.run();
    assert_eq!(desk.phase("o-1"), Phase::Refused);
    assert!(desk.toys.values().all(|toy| toy.claims.is_empty()));
    assert!(desk.state("o-1").effects.is_empty());
}

#[test]
fn given_cells_that_keep_refusing_when_held_then_the_tries_end() {
    let nodes: Vec<String> = (0..9).map(|node| format!("A~n{node}")).collect();
    let cells: Vec<(&str, u32)> = nodes.iter().map(|key| (key.as_str(), 5)).collect();
    let mut desk = Desk::new(&cells);
    desk.letter("hold", &hold("o-1", &[(1, "A", 2)]));
    desk.toys.values_mut().for_each(|toy| toy.refuses = true);
    desk.run();
    assert_eq!(desk.phase("o-1"), Phase::Refused);
    assert_eq!(desk.state("o-1").claims.len(), 1 + usize::from(desk.policies.tries_most));
}

#[test]
fn given_a_coupon_that_is_used_up_when_held_then_it_is_refused_and_no_goods_stay_held() {
    let mut desk = Desk::new(&[("A~n1", 3), ("coupon~C", 0)]);
    let mut body = hold("o-1", &[(1, "A", 2)]);
    body["counters"] = json!([{"counter": "coupon", "id": "C", "uses": 1, "amount_minor": 1}]);
    desk.letter("hold", &body);
    desk.run();
    assert_eq!(desk.told_order("reservation_refused")["code"], "policy_refused");
    assert_eq!(desk.toys["A~n1"].held(), 0);
}

#[test]
fn given_counters_that_make_no_sense_when_held_then_they_are_refused_with_the_remedy() {
    let row = |id: &str, uses: u32| json!({"counter": "coupon", "id": id, "uses": uses, "amount_minor": 1});
    for (counters, says) in [
        (json!([row("C", 0)]), "expected at least 1"),
        (json!([row("käse", 1)]), "expected [A-Za-z0-9_-]"),
        (json!([row("C", 1), row("C", 1)]), "add its uses up"),
        (json!([{"counter": "points", "id": "C", "uses": 1, "amount_minor": 1}]), "promotion or coupon"),
    ] {
        let mut desk = Desk::new(&[("A~n1", 3)]);
        let mut body = hold("o-1", &[(1, "A", 2)]);
        body["counters"] = counters;
        desk.letter("hold", &body);
        desk.run();
        let told = desk.told_order("reservation_refused");
        assert_eq!(told["code"], "validation");
        assert!(told["message"].as_str().unwrap().contains(says), "{told}");
    }
}

#[test]
fn given_a_cell_that_lost_its_units_when_they_are_sold_then_another_node_serves_and_the_answer_names_it() {
    let mut desk = Desk::new(&[("A~n1", 3), ("A~n2", 3)]);
    desk.letter("hold", &hold("o-1", &[(1, "A", 3)]));
    desk.run();
    lose(&mut desk, "A~n1");
    commit(&mut desk);
    assert_eq!(desk.phase("o-1"), Phase::Hard);
    let told = desk.told_order("reservation_committed");
    assert_eq!(told["lines"], json!([{"line": 1, "sku": "A", "node": "n2", "quantity": 3}]));
    assert_eq!(desk.state("o-1").claims[0].state, ClaimState::Reassigned);
    assert!(desk.toys["A~n2"].claims.values().all(|claim| claim.hard));
}

#[test]
fn given_a_cell_that_cannot_promise_what_it_holds_when_it_is_sold_then_another_serves_and_it_holds_nothing_more()
 {
    let mut desk = Desk::new(&[("A~n1", 3), ("A~n2", 3)]);
    desk.letter("hold", &hold("o-1", &[(1, "A", 3)]));
    desk.run();
    desk.toys.get_mut("A~n1").unwrap().promises_nothing = true;
    commit(&mut desk);
    let told = desk.told_order("reservation_committed");
    assert_eq!(told["lines"], json!([{"line": 1, "sku": "A", "node": "n2", "quantity": 3}]));
    assert_eq!((desk.toys["A~n1"].held(), desk.toys["A~n2"].held()), (0, 3));
}

#[test]
fn given_a_cell_that_lost_its_units_when_no_other_has_them_then_they_wait_if_they_may() {
    let mut desk = Desk::new(&[("A~n1", 3)]);
    let mut body = hold("o-1", &[(1, "A", 3)]);
    body["backorder"] = json!(true);
    desk.letter("hold", &body);
    desk.run();
    lose(&mut desk, "A~n1");
    commit(&mut desk);
    let told = desk.told_order("reservation_committed");
    assert_eq!((&told["lines"], &told["backordered"][0]["quantity"]), (&json!([]), &json!(3)));
    desk.receive("A~n1", 3);
    desk.run();
    assert_eq!(desk.told_order("reservation_allocated")["lines"][0]["quantity"], 3);
}

fn lost_without_a_way(desk: &mut Desk) -> Value {
    desk.letter("hold", &hold("o-1", &[(1, "A", 3), (2, "B", 1)]));
    desk.run();
    lose(desk, "A~n1");
    commit(desk);
    desk.told_order("reservation_committed").clone()
}

#[test]
fn given_units_that_can_neither_be_found_nor_wait_when_sold_then_the_answer_leaves_them_out() {
    let mut desk = Desk::new(&[("A~n1", 3), ("B~n1", 1)]);
    let told = lost_without_a_way(&mut desk);
    assert_eq!(told["lines"], json!([{"line": 2, "sku": "B", "node": "n1", "quantity": 1}]));
    assert_eq!(told["backordered"], json!([]));
    assert_eq!(desk.view("o-1")["lines"][0]["given_up"], 3);
    assert_eq!(desk.events("o-1"), ["reservation.held", "reservation.given_up", "reservation.committed"]);
}

#[test]
fn given_parking_when_units_are_unfillable_then_they_are_looked_for_and_found() {
    let mut desk = Desk::new(&[("A~n1", 3), ("A~n2", 0), ("B~n1", 1)]);
    desk.policies.unfillable_park_ms = 600_000;
    let told = lost_without_a_way(&mut desk);
    assert_eq!(told["backordered"], json!([{"line": 1, "sku": "A", "quantity": 3}]));
    assert_eq!(desk.view("o-1")["lines"][0]["unfillable"], 3);
    desk.pass_ms(130_000);
    assert_eq!(desk.events("o-1").iter().filter(|kind| **kind == "reservation.parked").count(), 1);
    desk.receive("A~n2", 3);
    desk.pass_ms(60_000);
    desk.run();
    assert_eq!(desk.told_order("reservation_allocated")["lines"][0]["node"], "n2");
    assert_eq!(desk.view("o-1")["lines"][0]["unfillable"], 0);
    assert!(desk.state("o-1").give_up_at.is_none());
}

#[test]
fn given_parking_when_its_time_is_over_or_an_operator_cancels_then_it_ends() {
    for is_cancelled in [false, true] {
        let mut desk = Desk::new(&[("A~n1", 3), ("B~n1", 1)]);
        desk.policies.unfillable_park_ms = 600_000;
        lost_without_a_way(&mut desk);
        if is_cancelled {
            let lines = json!([{"line": 1, "quantity": 3}]);
            desk.letter(
                "release",
                &json!({"reservation_id": "o-1", "order_id": "o-1", "release_id": "r", "lines": lines}),
            );
        } else {
            desk.pass_ms(600_000);
        }
        desk.run();
        assert!(desk.state("o-1").missing.is_empty());
        assert!(desk.state("o-1").effects.is_empty());
        let told = desk.inbox.iter().filter(|(_, name, _)| name == "reservation_given_up").count();
        assert_eq!(told, usize::from(!is_cancelled));
        assert_eq!(desk.phase("o-1"), Phase::Hard, "the other line stands");
    }
}

#[test]
fn given_a_queue_that_is_closed_when_units_wait_there_then_they_are_given_up_and_the_order_is_told() {
    let mut desk = Desk::new(&[("A~n1", 0), ("B~n1", 1)]);
    let mut body = hold("o-1", &[(1, "A", 3), (2, "B", 1)]);
    (body["backorder"], body["hard"]) = (json!(true), json!(true));
    desk.letter("hold", &body);
    desk.run();
    desk.toys.get_mut("A~n1").unwrap().closed = true;
    desk.pass_ms(desk.policies.backorder_ask_ms + 1);
    desk.run();
    assert_eq!(
        desk.told_order("reservation_given_up")["lines"],
        json!([{"line": 1, "sku": "A", "quantity": 3}])
    );
    assert_eq!(desk.phase("o-1"), Phase::Hard);
    assert!(desk.state("o-1").effects.is_empty());
}

#[test]
fn given_a_question_that_is_on_its_way_twice_when_the_first_is_refused_then_a_yes_to_the_second_is_taken_back()
 {
    let mut desk = Desk::new(&[("A~n1", 2)]);
    desk.letter("hold", &hold("o-1", &[(1, "A", 2)]));
    desk.pass_ms(3_000);
    assert_eq!(desk.mail.len(), 2, "the same question twice");
    desk.toys.get_mut("A~n1").unwrap().on_hand = 0;
    desk.step_mail(0, 1);
    desk.step_mail(1, 1);
    assert_eq!(desk.phase("o-1"), Phase::Refused);
    desk.receive("A~n1", 2);
    desk.run();
    assert_eq!(desk.toys["A~n1"].held(), 0);
    assert!(desk.state("o-1").effects.is_empty());
}
