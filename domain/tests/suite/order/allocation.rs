//! Answers of allocation: which node has which units, and what no node has.

use domain::order::state::Phase;
use serde_json::{Value, json};

use super::desk::{Desk, departed, departed_from, worked_example};
use super::steps::{lines, two_cards, units};

fn row(reference: &str, line: u32, quantity: u32, node: &str) -> Value {
    json!({"allocation_ref": reference, "line": line, "sku": "S", "quantity": quantity, "node": node})
}

fn allocated(desk: &mut Desk, rows: &[Value]) {
    desk.answer("allocation.allocate", "allocation.allocated", &json!({"allocations": rows}));
}

#[test]
fn given_an_allocation_over_two_nodes_when_it_is_answered_then_each_node_gets_one_shipment() {
    let mut desk = Desk::committed(&worked_example());
    allocated(&mut desk, &[row("a", 1, 2, "n-1"), row("b", 1, 1, "n-2"), row("c", 2, 1, "n-1")]);
    let released: Vec<Value> = desk.sent_of("fulfillment.release").into_iter().map(Desk::body).collect();
    assert_eq!(released.len(), 2);
    assert_eq!((&released[0]["node"], &released[0]["shipment_id"]), (&json!("n-1"), &json!("o-1-s1")));
    assert_eq!((&released[1]["node"], &released[1]["shipment_id"]), (&json!("n-2"), &json!("o-1-s2")));
    assert_eq!(released[0]["lines"].as_array().unwrap().len(), 2);
    assert_eq!(desk.count("order.fulfilling"), 1);
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed_from("o-1-s2", "p1", &[(1, 1)]));
    desk.fact("shipment.departed", &departed_from("o-1-s1", "p1", &[(1, 2), (2, 1)]));
    desk.ends_as(Phase::Completed);
    assert_eq!(desk.numbers("payment.capture", "amount_minor").iter().sum::<i64>(), 7998);
}

#[test]
fn given_an_answer_that_omits_units_when_it_comes_then_those_are_out_of_stock() {
    let mut desk = Desk::committed(&worked_example());
    allocated(&mut desk, &[row("a", 1, 2, "n-1")]);
    assert_eq!((desk.line(0)["cancelled"].clone(), desk.line(1)["cancelled"].clone()), (json!(1), json!(1)));
    assert_eq!(desk.sent_of("allocation.allocate").len(), 1, "nobody is asked for them again");
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    desk.ends_as(Phase::Completed);
    let amended: Vec<_> = desk.documents("amend")[0]["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["quantity"].clone())
        .collect();
    assert_eq!(amended, [1, 1]);
}

#[test]
fn given_a_refusal_of_one_line_when_it_comes_then_that_line_goes_and_the_other_is_asked_for_again() {
    let mut desk = Desk::committed(&worked_example());
    desk.answer(
        "allocation.allocate",
        "allocation.refused",
        &json!({"lines": lines(&[(2, 1)]), "code": "none"}),
    );
    assert_eq!(desk.line(1)["cancelled"], 1);
    assert_eq!(desk.sent_of("allocation.allocate").len(), 2);
    let again = Desk::body(desk.last("allocation.allocate"));
    assert_eq!(again["lines"], json!([{"line": 1, "sku": "SKU-A", "quantity": 3}]));
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p1", &[(1, 3)]));
    desk.ends_as(Phase::Completed);
}

#[test]
fn given_a_refusal_of_everything_when_it_comes_then_the_order_is_cancelled_out_of_stock() {
    let mut desk = Desk::committed(&worked_example());
    let refusal = json!({"lines": lines(&[(1, 3), (2, 1)]), "code": "none"});
    desk.answer("allocation.allocate", "allocation.refused", &refusal);
    assert_eq!(desk.phase(), Phase::Cancelling);
    desk.ends_as(Phase::Cancelled);
    assert_eq!(desk.code("order.cancelled"), "out_of_stock");
    assert_eq!(desk.numbers("payment.void", "amount_minor"), [7998]);
    assert_eq!(desk.numbers("loyalty.release", "points"), [2000]);
    assert_eq!(desk.documents("cancel").len(), 1);
}

#[test]
fn given_a_refusal_that_names_a_line_twice_or_too_many_when_it_comes_then_only_what_waits_is_cancelled() {
    // invariant: facts-are-never-refused
    let mut desk = Desk::committed(&units(3));
    let refusal = json!({"lines": lines(&[(1, 2), (1, 2), (8, 1)]), "code": "none"});
    desk.answer("allocation.allocate", "allocation.refused", &refusal);
    assert_eq!(desk.line(0)["cancelled"], 3);
    desk.ends_as(Phase::Cancelled);
}

#[test]
fn given_a_refusal_that_names_nothing_that_waits_when_it_comes_then_all_that_was_asked_for_is_refused() {
    let mut desk = Desk::committed(&units(2));
    let refusal = json!({"lines": lines(&[(8, 1)]), "code": "none"});
    desk.answer("allocation.allocate", "allocation.refused", &refusal);
    assert_eq!(desk.sent_of("allocation.allocate").len(), 1, "this must not go on for ever");
    desk.ends_as(Phase::Cancelled);
}

#[test]
fn given_an_answer_for_more_than_was_asked_when_it_comes_then_the_excess_goes_back() {
    let mut desk = Desk::committed(&units(2));
    allocated(&mut desk, &[row("a", 1, 1, "n-1"), row("b", 1, 4, "n-2")]);
    let back = Desk::body(desk.last("allocation.release"));
    assert_eq!(back["releases"], json!([{"allocation_ref": "b", "line": 1, "quantity": 3}]));
    let quantities: Vec<_> = desk
        .sent_of("fulfillment.release")
        .into_iter()
        .map(|command| Desk::body(command)["lines"][0]["quantity"].clone())
        .collect();
    assert_eq!(quantities, [1, 1]);
}

#[test]
fn given_an_answer_for_a_line_that_the_order_does_not_have_when_it_comes_then_a_person_is_told() {
    let mut desk = Desk::committed(&units(2));
    allocated(&mut desk, &[row("a", 1, 2, "n-1"), row("x", 9, 1, "n-1")]);
    assert_eq!(desk.exceptions(), ["unknown_value"]);
    assert_eq!(desk.line(0)["released"], 2);
    assert_eq!(desk.told_last("stock.allocated")["allocations"].as_array().unwrap().len(), 1);
}

#[test]
fn given_a_departure_before_the_allocation_is_answered_when_the_answer_comes_then_it_counts_as_used() {
    // invariant: facts-are-never-refused
    let mut desk = Desk::committed(&units(3));
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    assert_eq!(desk.phase(), Phase::Fulfilling);
    allocated(&mut desk, &[row("a", 1, 3, "n-1")]);
    assert_eq!(Desk::body(desk.last("fulfillment.release"))["lines"][0]["quantity"], 2);
    assert!(desk.sent_of("allocation.release").is_empty());
    assert_eq!(desk.state.lines[0].ahead, 0, "used up once");
    desk.say_yes("n-1");
    desk.fact("shipment.departed", &departed("p2", &[(1, 2)]));
    desk.ends_as(Phase::Completed);
    assert_eq!(desk.numbers("payment.capture", "amount_minor"), [1190, 2380]);
}

#[test]
fn given_a_departure_before_a_refusal_when_the_rest_is_asked_for_again_then_its_allocation_is_for_the_rest() {
    let mut desk = Desk::committed(&two_cards());
    desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    desk.answer(
        "allocation.allocate",
        "allocation.refused",
        &json!({"lines": lines(&[(2, 2)]), "code": "none"}),
    );
    assert_eq!(Desk::body(desk.last("allocation.allocate"))["lines"][0]["quantity"], 1);
    allocated(&mut desk, &[row("a", 1, 1, "n-1")]);
    assert_eq!((desk.line(0)["released"].clone(), desk.line(0)["cancelled"].clone()), (json!(1), json!(0)));
}

#[test]
fn given_units_cancelled_while_allocation_is_asked_when_it_answers_then_they_go_back() {
    let mut desk = Desk::committed(&units(3));
    desk.cancel(&[(1, 1)]).unwrap();
    allocated(&mut desk, &[row("a", 1, 3, "n-1")]);
    assert_eq!(Desk::body(desk.last("allocation.release"))["releases"][0]["quantity"], 1);
    assert_eq!(Desk::body(desk.last("fulfillment.release"))["lines"][0]["quantity"], 2);
    desk.yes_to("allocation.release");
    assert_eq!(desk.told_last("stock.released")["releases"][0]["allocation_ref"], "a");
}
