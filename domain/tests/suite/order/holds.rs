//! `hold_at_submit` and `allocate_after_commit`: our own stock serves the order.

use domain::order::state::Phase;
use serde_json::{Value, json};

use super::desk::{Desk, departed, departed_from, worked_example};
use super::shelf::{Shelf, Shop};
use super::steps::{two_cards, units};

pub(super) fn policy(mut body: Value, policy: &str) -> Value {
    body["fulfillment"] = json!({"policy": policy});
    body
}

fn held(body: Value) -> Value {
    policy(body, "hold_at_submit")
}

fn full() -> Shelf {
    Shelf::default().with("SKU-A", "n-1", 10).with("SKU-B", "n-1", 10)
}

#[test]
fn given_a_hold_at_submit_when_it_is_submitted_then_stock_is_asked_beside_points_and_money_after_both() {
    let mut shop = Shop::with(full(), &held(worked_example()));
    assert_eq!(shop.desk.phase(), Phase::Reserving);
    let hold = shop.desk.letter("hold");
    assert_eq!((&hold["reservation_id"], &hold["order_id"]), (&json!("o-1~1"), &json!("o-1")));
    assert_eq!(
        (&hold["hard"], &hold["backorder"], &hold["counters"]),
        (&json!(false), &json!(false), &json!([]))
    );
    assert_eq!(hold["region"], "DE-BE");
    assert_eq!(
        hold["lines"],
        json!([{"line": 1, "sku": "SKU-A", "quantity": 3}, {"line": 2, "sku": "SKU-B", "quantity": 1}])
    );
    assert_eq!(shop.desk.sent_kinds(), ["loyalty.reserve"]);
    shop.desk.yes_to("loyalty.reserve");
    assert!(shop.desk.sent_of("payment.authorize").is_empty(), "nothing is authorized for what is not held");
    assert_eq!(shop.desk.status("stock"), "none");
    shop.post();
    assert_eq!(shop.desk.status("stock"), "soft");
    assert_eq!(shop.desk.open_kinds(), ["payment.authorize"]);
}

#[test]
fn given_stock_that_is_held_when_the_points_are_not_then_no_money_is_asked_for() {
    let mut shop = Shop::with(full(), &held(worked_example()));
    shop.post();
    assert_eq!(shop.desk.open_kinds(), ["loyalty.reserve"]);
    shop.desk.yes_to("loyalty.reserve");
    assert_eq!(shop.desk.open_kinds(), ["payment.authorize"]);
}

#[test]
fn given_a_hold_at_submit_when_everything_goes_well_then_it_completes_without_the_allocation_participant() {
    let mut shop = Shop::with(full(), &held(worked_example()));
    shop.settle();
    assert_eq!(shop.desk.phase(), Phase::Fulfilling);
    assert_eq!(shop.desk.status("stock"), "allocated");
    let allocated = shop.desk.told_last("stock.allocated");
    assert_eq!(allocated["allocations"][0]["allocation_ref"], "o-1~1");
    shop.desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    let consume = shop.desk.letter("consume");
    assert_eq!(consume["lines"], json!([{"line": 1, "node": "n-1", "quantity": 2, "sku": "SKU-A"}]));
    shop.desk.fact("shipment.departed", &departed("p2", &[(1, 1), (2, 1)]));
    shop.settle();
    assert_eq!(shop.desk.phase(), Phase::Completed);
    assert_eq!(shop.desk.status("stock"), "consumed");
    assert_eq!(shop.desk.letter_names(), ["hold", "commit", "consume", "consume"], "and nothing else");
    assert!(!shop.desk.sent_kinds().iter().any(|kind| kind.starts_with("allocation")));
    assert_eq!((shop.shelf.held(), shop.shelf.all()), (0, 20));
    assert_eq!(shop.desk.numbers("payment.capture", "amount_minor").iter().sum::<i64>(), 7998);
}

#[test]
fn given_the_same_order_when_it_is_held_at_submit_then_it_costs_no_more_commands_and_events_than_outside() {
    // What the letters replace: `allocate` and its answer. What they add to the broker: nothing.
    let mut outside = Desk::released(&worked_example());
    outside.fact("shipment.departed", &departed("p1", &[(1, 3), (2, 1)]));
    outside.ends_as(Phase::Completed);
    let mut shop = Shop::with(full(), &held(worked_example()));
    shop.settle();
    shop.desk.fact("shipment.departed", &departed("p1", &[(1, 3), (2, 1)]));
    shop.settle();
    assert_eq!(shop.desk.phase(), Phase::Completed);
    assert_eq!(shop.desk.sent.len() + 1, outside.sent.len());
    let alone = |desk: &Desk| {
        let singles = ["order.", "shipment.dispatched", "refund.completed", "exception."];
        desk.told_kinds().iter().filter(|kind| singles.iter().any(|single| kind.starts_with(single))).count()
    };
    assert_eq!(alone(&shop.desk), alone(&outside), "as many notices");
}

#[test]
fn given_too_little_stock_when_the_hold_is_refused_then_the_order_is_out_of_stock_and_gives_its_points_back()
{
    let mut shop = Shop::with(Shelf::default().with("SKU-A", "n-1", 2), &held(worked_example()));
    shop.desk.yes_to("loyalty.reserve");
    shop.post();
    assert_eq!(shop.desk.phase(), Phase::Rejected);
    assert_eq!(shop.desk.code("order.rejected"), "out_of_stock");
    let message = shop.desk.told_last("order.rejected")["reason"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("line 1 (SKU-A): 3 units ordered, 2 to be had"), "{message}");
    assert!(shop.desk.sent_of("payment.authorize").is_empty());
    shop.settle();
    assert_eq!(shop.desk.letter_names(), ["hold"], "nothing was taken, nothing goes back");
    assert!(shop.desk.effects().is_empty());
    assert_eq!(shop.desk.state.redemption.released, 2000);
}

#[test]
fn given_a_declined_card_when_the_stock_is_held_then_it_goes_back_whole() {
    let mut shop = Shop::with(full(), &held(units(3)));
    shop.post();
    assert_eq!(shop.shelf.held(), 3);
    shop.desk.answer(
        "payment.authorize",
        "payment.declined",
        &json!({"tender": "t1", "code": "funds", "kind": "hard"}),
    );
    assert_eq!(shop.desk.code("order.rejected"), "payment_declined");
    assert_eq!(shop.desk.letter("release")["all"], true);
    shop.settle();
    assert_eq!((shop.shelf.held(), shop.desk.effects().len()), (0, 0));
    assert_eq!(shop.desk.told_last("stock.released")["releases"][0]["quantity"], 3);
    assert_eq!(shop.desk.status("stock"), "none");
}

#[test]
fn given_stock_at_two_nodes_when_the_order_commits_then_each_node_gets_its_shipment() {
    let shelf = Shelf::default().with("SKU-A", "n-1", 2).with("SKU-A", "n-2", 5).with("SKU-B", "n-2", 1);
    let mut shop = Shop::with(shelf, &held(worked_example()));
    shop.settle();
    let released: Vec<Value> = shop.desk.sent_of("fulfillment.release").into_iter().map(Desk::body).collect();
    assert_eq!(released.len(), 2);
    assert_eq!((&released[0]["node"], &released[0]["lines"][0]["quantity"]), (&json!("n-1"), &json!(2)));
    assert_eq!(released[1]["node"], "n-2");
    assert_eq!(released[1]["lines"].as_array().unwrap().len(), 2);
    shop.desk.fact("shipment.departed", &departed_from("o-1-s2", "p1", &[(1, 1), (2, 1)]));
    shop.desk.fact("shipment.departed", &departed_from("o-1-s1", "p1", &[(1, 2)]));
    shop.settle();
    assert_eq!(shop.desk.phase(), Phase::Completed);
}

#[test]
fn given_units_cancelled_when_a_node_gives_them_back_then_exactly_those_are_released_where_they_were() {
    let shelf = Shelf::default().with("SKU-A", "n-1", 1).with("SKU-A", "n-2", 2);
    let mut shop = Shop::with(shelf, &held(units(3)));
    shop.settle();
    shop.desk.cancel(&[(1, 1)]).unwrap();
    shop.settle();
    let release = shop.desk.letter("release");
    assert_eq!((&release["all"], &release["reason"]), (&json!(false), &json!("not_needed")));
    assert_eq!(release["lines"], json!([{"line": 1, "node": "n-2", "quantity": 1}]));
    assert_eq!((shop.shelf.held(), shop.desk.letters_named("release")), (2, 1));
    assert_eq!(shop.desk.told_last("demand.signal")["units_delta"], -1);
}

#[test]
fn given_a_committed_order_when_it_is_cancelled_whole_then_everything_goes_back_at_once() {
    let mut shop = Shop::with(full(), &held(worked_example()));
    shop.settle();
    shop.desk.cancel(&[]).unwrap();
    shop.settle();
    assert_eq!(shop.desk.phase(), Phase::Cancelled);
    assert_eq!((shop.shelf.held(), shop.shelf.all()), (0, 20));
    assert!(shop.desk.sent_of("allocation.release").is_empty(), "nobody outside is asked");
}

#[test]
fn given_units_noted_before_the_commit_when_it_commits_then_they_are_released_after_it() {
    let mut shop = Shop::with(full(), &held(units(3)));
    shop.post();
    shop.desk.cancel(&[(1, 1)]).unwrap();
    shop.settle();
    assert_eq!(shop.shelf.held(), 2);
    assert_eq!(shop.desk.letter("release")["lines"], json!([{"line": 1, "node": "n-1", "quantity": 1}]));
    assert_eq!(
        shop.desk.told_last("demand.signal")["units_delta"],
        2,
        "told once, without what was cancelled"
    );
    assert_eq!(shop.desk.count("demand.signal"), 1);
}

#[test]
fn given_backorders_are_allowed_when_stock_is_short_then_the_rest_waits_and_ships_when_it_comes() {
    let mut shop = Shop::of(Shelf::default().with("SKU-A", "n-1", 1));
    shop.desk.policies.stock.backorder = true;
    shop.desk.submit(&held(units(3))).unwrap();
    shop.settle();
    assert_eq!(shop.desk.status("stock"), "backordered");
    let line = shop.desk.line(0);
    assert_eq!(
        (&line["released"], &line["backordered"], &line["pending"]),
        (&json!(1), &json!(2), &json!(0))
    );
    assert_eq!(shop.desk.view()["reservations"][0]["lines"][1]["promised_at"], 5_000_000);
    shop.desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    shop.receive("SKU-A", "n-2", 1);
    shop.settle();
    assert_eq!(shop.desk.letter("allocation_seen")["allocation_id"], "found-1");
    assert_eq!(Desk::body(shop.desk.last("fulfillment.release"))["node"], "n-2");
    shop.desk.cancel(&[(1, 1)]).unwrap();
    shop.settle();
    assert_eq!(
        shop.desk.letter("release")["lines"],
        json!([{"line": 1, "quantity": 1}]),
        "what waits stands nowhere"
    );
    shop.desk.fact("shipment.departed", &departed_from("o-1-s2", "p1", &[(1, 1)]));
    shop.settle();
    assert_eq!(shop.desk.phase(), Phase::Completed);
    assert_eq!(shop.shelf.held(), 0);
}

#[test]
fn given_allocate_after_commit_when_it_commits_then_the_stock_is_taken_hard_and_stands_with_the_answer() {
    let mut shop = Shop::with(full(), &policy(worked_example(), "allocate_after_commit"));
    assert!(shop.desk.letters.is_empty(), "nothing is held before the commit");
    shop.desk.yes_to("loyalty.reserve");
    shop.desk.yes_to("payment.authorize");
    assert_eq!(shop.desk.phase(), Phase::Committed);
    assert_eq!(shop.desk.letter("hold")["hard"], true);
    shop.settle();
    assert_eq!(shop.desk.letter_names(), ["hold"]);
    shop.desk.fact("shipment.departed", &departed("p1", &[(1, 3), (2, 1)]));
    shop.settle();
    assert_eq!((shop.desk.phase(), shop.shelf.held()), (Phase::Completed, 0));
}

#[test]
fn given_allocate_after_commit_when_stock_is_short_then_what_is_missing_is_cancelled_with_its_money() {
    let mut shop =
        Shop::with(Shelf::default().with("SKU-A", "n-1", 1), &policy(two_cards(), "allocate_after_commit"));
    shop.settle();
    assert_eq!(shop.desk.letters_named("hold"), 2, "what there is is asked for again");
    assert_eq!(shop.desk.letter("hold")["reservation_id"], "o-1~2");
    assert_eq!(shop.desk.letter("hold")["lines"], json!([{"line": 1, "sku": "SKU-A", "quantity": 1}]));
    assert_eq!(
        (shop.desk.line(0)["cancelled"].clone(), shop.desk.line(1)["cancelled"].clone()),
        (json!(1), json!(2))
    );
    shop.desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    shop.settle();
    assert_eq!(shop.desk.phase(), Phase::Completed);
    let captured: i64 = shop.desk.numbers("payment.capture", "amount_minor").iter().sum();
    let voided: i64 = shop.desk.numbers("payment.void", "amount_minor").iter().sum();
    // The first unit of a line is charged what its cells give, rounded down: 11.89 of 11.90.
    assert_eq!((captured, voided), (1189 + 400, 5160 - 1189 - 400));
}

#[test]
fn given_allocate_after_commit_when_nothing_is_there_then_the_order_is_cancelled_as_out_of_stock() {
    let mut shop = Shop::with(Shelf::default(), &policy(units(2), "allocate_after_commit"));
    shop.settle();
    assert_eq!(
        (shop.desk.phase(), shop.desk.code("order.cancelled").as_str()),
        (Phase::Cancelled, "out_of_stock")
    );
}
