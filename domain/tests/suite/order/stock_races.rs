//! Letters late, twice, lost, and against what happens meanwhile.

use domain::decider::Decider;
use domain::order::Order;
use domain::order::policies::UnknownAtDeadline;
use domain::order::state::Phase;
use serde_json::{Value, json};

use super::desk::{Desk, departed, departed_from};
use super::holds::policy;
use super::shelf::{Shelf, Shop};
use super::steps::{two_cards, units};

fn held(body: Value) -> Value {
    policy(body, "hold_at_submit")
}

fn full() -> Shelf {
    Shelf::default().with("SKU-A", "n-1", 10).with("SKU-B", "n-1", 10)
}

#[test]
fn given_a_hold_on_its_way_when_the_order_is_cancelled_then_the_release_follows_it_and_a_late_answer_says_nothing()
 {
    let mut shop = Shop::with(full(), &held(units(3)));
    assert!(shop.hear(false), "the shelf has taken it, nobody knows yet");
    assert_eq!(shop.shelf.held(), 3);
    shop.desk.cancel(&[]).unwrap();
    assert_eq!(shop.desk.code("order.rejected"), "cancelled_by_customer");
    assert_eq!(shop.desk.letter_names(), ["hold", "release"]);
    assert_eq!(shop.desk.open_kinds(), ["reservation.release"]);
    shop.post();
    assert_eq!((shop.shelf.held(), shop.desk.effects().len()), (0, 0));
    assert!(Order::is_final(&shop.desk.state));
    let version = shop.desk.version;
    for (name, body) in shop.heard.clone() {
        shop.desk.write(name, &body);
    }
    assert_eq!(shop.desk.version, version, "late and double letters say nothing new");
}

#[test]
fn given_a_hold_that_was_lost_when_the_order_is_rejected_then_the_release_lets_no_hold_come_later() {
    let mut shop = Shop::with(full(), &held(units(3)));
    let hold = shop.desk.letters[0].clone();
    assert!(shop.hear(true));
    shop.desk.cancel(&[]).unwrap();
    shop.post();
    let (name, _) = shop.shelf.answer(&hold).unwrap();
    assert_eq!((name, shop.shelf.held()), ("reservation_refused", 0));
}

#[test]
fn given_a_reservation_that_says_nothing_when_the_deadline_passes_then_the_order_is_rejected_whatever_the_policy()
 {
    for unknown in [UnknownAtDeadline::Wait, UnknownAtDeadline::Reject] {
        let mut shop = Shop::of(full());
        shop.desk.policies.unknown_at_deadline = unknown;
        shop.silent = ["hold"].into();
        shop.desk.submit(&held(units(3))).unwrap();
        shop.desk.pass_ms(31_000);
        assert_eq!(shop.desk.code("order.rejected"), "commit_deadline");
        assert!(shop.desk.letters_named("hold") > 3, "it was asked again and again");
        let holds: Vec<_> = shop.desk.letters.iter().filter(|letter| letter.name == "hold").collect();
        assert!(holds.windows(2).all(|pair| pair[0] == pair[1]), "in the same words");
        shop.silent.clear();
        shop.settle();
        assert!(shop.desk.effects().is_empty() && shop.desk.state.holds.is_empty());
    }
}

#[test]
fn given_a_refusal_after_the_deadline_when_it_comes_then_it_changes_nothing() {
    let mut shop = Shop::with(Shelf::default(), &held(units(3)));
    shop.desk.pass_ms(31_000);
    shop.post();
    let version = shop.desk.version;
    shop.desk.write(
        "reservation_refused",
        &json!({"reservation_id": "o-1~1", "code": "out_of_stock", "lines": []}),
    );
    assert_eq!((shop.desk.version, shop.desk.code("order.rejected").as_str()), (version, "commit_deadline"));
}

#[test]
fn given_an_unknown_payment_at_the_deadline_when_the_stock_is_held_then_it_stays_held_and_counts_if_the_answer_comes()
 {
    let mut shop = Shop::with(full(), &held(units(3)));
    shop.post();
    shop.desk.pass_ms(31_000);
    assert_eq!((shop.desk.phase(), shop.shelf.held()), (Phase::Reserving, 3));
    shop.settle();
    assert_eq!(shop.desk.phase(), Phase::Fulfilling);
}

#[test]
fn given_any_letter_when_it_is_lost_then_it_is_written_again_and_applied_once() {
    for lost in 0..5 {
        let mut shop = Shop::with(full(), &held(units(3)));
        let mut heard = 0;
        for _ in 0..200 {
            let is_lost = heard == lost;
            if shop.hear(is_lost) {
                heard += 1;
            } else if !shop.tell() {
                shop.desk.say_yes("n-1");
                match shop.desk.phase() {
                    Phase::Fulfilling
                        if shop.desk.state.departures.is_empty() && shop.desk.effects().is_empty() =>
                    {
                        shop.desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
                        shop.desk.cancel(&[(1, 1)]).unwrap();
                    }
                    Phase::Completed => break,
                    _ => shop.desk.pass_ms(2_600),
                }
            }
        }
        assert_eq!((shop.desk.phase(), shop.shelf.held()), (Phase::Completed, 0), "letter {lost} was lost");
        assert_eq!(
            (shop.shelf.all(), shop.shelf.left.values().sum::<u64>()),
            (20, 2),
            "letter {lost} was lost"
        );
    }
}

#[test]
fn given_a_reservation_that_expires_when_the_order_has_just_committed_then_its_units_look_for_stock_anew() {
    let mut shop = Shop::with(full(), &held(units(3)));
    shop.post();
    shop.shelf.expire("o-1~1");
    shop.settle();
    assert_eq!(shop.desk.letter_names(), ["hold", "commit", "hold"]);
    let hold = shop.desk.letter("hold");
    assert_eq!((&hold["reservation_id"], &hold["hard"]), (&json!("o-1~2"), &json!(true)));
    shop.desk.fact("shipment.departed", &departed("p1", &[(1, 3)]));
    shop.settle();
    assert_eq!(shop.desk.letter("consume")["reservation_id"], "o-1~2");
    assert_eq!((shop.desk.phase(), shop.shelf.held()), (Phase::Completed, 0));
}

#[test]
fn given_refusals_without_end_when_the_order_is_committed_then_it_stops_asking_and_is_cancelled() {
    let mut shop = Shop::with(Shelf::default(), &policy(two_cards(), "allocate_after_commit"));
    shop.desk.say_yes("n-1");
    for number in 1..10 {
        let Some(id) = shop.desk.letters.last().map(|letter| letter.to.key.clone()) else { break };
        if shop.desk.phase() == Phase::Cancelled || shop.desk.all_units_cancelled() {
            break;
        }
        // It lies: there is one unit of each line, and then there is not.
        let lines = json!([{"line": 1, "sku": "SKU-A", "available": 1}]);
        shop.desk.write(
            "reservation_refused",
            &json!({"reservation_id": id.as_str(), "code": "out_of_stock", "lines": lines}),
        );
        assert!(number < 6, "it asks for ever");
    }
    shop.desk.ends_as(Phase::Cancelled);
    assert!(shop.desk.letters_named("hold") <= 4);
    assert_eq!(shop.desk.code("order.cancelled"), "out_of_stock");
}

#[test]
fn given_a_departure_before_the_commit_is_answered_when_the_answer_comes_then_it_counts_as_used() {
    // invariant: facts-are-never-refused
    let mut shop = Shop::with(full(), &held(units(3)));
    shop.post();
    shop.desk.say_yes("n-1");
    assert_eq!(shop.desk.phase(), Phase::Committed);
    shop.desk.fact("shipment.departed", &departed_from("store-7", "p0", &[(1, 1)]));
    assert_eq!(shop.desk.letter_names(), ["hold", "commit"], "first it must be known what is held");
    shop.settle();
    assert_eq!(shop.desk.letter("consume")["lines"][0]["node"], "n-1");
    assert_eq!(Desk::body(shop.desk.last("fulfillment.release"))["lines"][0]["quantity"], 2);
    assert_eq!(shop.desk.state.lines[0].ahead, 0);
    shop.desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    shop.settle();
    assert_eq!(
        (shop.desk.phase(), shop.shelf.held(), shop.desk.letters_named("release")),
        (Phase::Completed, 0, 0)
    );
}

#[test]
fn given_units_that_left_from_elsewhere_when_the_order_ends_then_what_was_held_for_them_goes_back() {
    for deaf_to_nodes in [false, true] {
        let mut shelf = Shelf::default().with("SKU-A", "n-1", 1).with("SKU-A", "n-2", 2);
        shelf.deaf_to_nodes = deaf_to_nodes;
        let mut shop = Shop::with(shelf, &held(units(3)));
        shop.settle();
        let mut fact = departed_from("o-1-s2", "p1", &[(1, 2)]);
        fact["node"] = json!("store-7");
        shop.desk.fact("shipment.departed", &fact);
        shop.settle();
        assert_eq!(shop.desk.letter("release")["lines"], json!([{"line": 1, "node": "n-2", "quantity": 2}]));
        shop.desk.fact("shipment.departed", &departed_from("o-1-s1", "p1", &[(1, 1)]));
        shop.settle();
        assert_eq!(shop.desk.phase(), Phase::Completed);
        let last = shop.desk.letter("release");
        assert_eq!((&last["reason"], &last["lines"][0]["quantity"]), (&json!("order_ended"), &json!(3)));
        assert_eq!(shop.shelf.held(), 0, "deaf to nodes: {deaf_to_nodes}");
    }
}

#[test]
fn given_stock_found_for_a_unit_that_was_just_cancelled_when_both_letters_cross_then_it_goes_back_once() {
    let mut shop = Shop::of(Shelf::default().with("SKU-A", "n-1", 1));
    shop.desk.policies.stock.backorder = true;
    shop.desk.submit(&held(units(2))).unwrap();
    shop.settle();
    shop.receive("SKU-A", "n-2", 1);
    shop.desk.cancel(&[(1, 1)]).unwrap();
    shop.settle();
    assert_eq!((shop.shelf.held(), shop.shelf.all()), (1, 2));
    assert_eq!((shop.desk.letters_named("release"), shop.desk.letters_named("allocation_seen")), (1, 1));
    assert_eq!(shop.desk.sent_of("fulfillment.release").len(), 1);
}

#[test]
fn given_units_that_wait_when_their_reservation_gives_them_up_then_they_are_cancelled_once_with_their_money()
{
    let mut shop = Shop::of(Shelf::default().with("SKU-A", "n-1", 1));
    shop.desk.policies.stock.backorder = true;
    shop.desk.submit(&held(units(3))).unwrap();
    shop.settle();
    let lines = json!([{"line": 1, "sku": "SKU-A", "quantity": 2}]);
    let given_up = json!({"reservation_id": "o-1~1", "allocation_id": "gone-1", "lines": lines});
    for times in 1..3 {
        shop.desk.write("reservation_given_up", &given_up);
        assert_eq!(shop.desk.letters_named("allocation_seen"), times);
        assert_eq!(
            (shop.desk.line(0)["cancelled"].clone(), shop.desk.line(0)["backordered"].clone()),
            (json!(2), json!(0))
        );
    }
    assert_eq!(shop.desk.numbers("payment.void", "amount_minor"), [2380]);
    assert_eq!(shop.desk.status("stock"), "allocated");
    shop.desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
    shop.settle();
    assert_eq!(shop.desk.phase(), Phase::Completed);
}

#[test]
fn given_an_allocation_that_is_told_again_when_it_was_applied_then_it_is_answered_again_without_an_event() {
    let mut shop = Shop::of(Shelf::default());
    shop.desk.policies.stock.backorder = true;
    shop.desk.submit(&held(units(2))).unwrap();
    shop.settle();
    shop.receive("SKU-A", "n-1", 2);
    let (name, body) = shop.said[0].clone();
    shop.settle();
    let version = shop.desk.version;
    shop.desk.write(name, &body);
    assert_eq!((shop.desk.version, shop.desk.letters_named("allocation_seen")), (version, 2));
    shop.desk.fact("shipment.departed", &departed("p1", &[(1, 2)]));
    shop.settle();
    assert_eq!(shop.desk.phase(), Phase::Completed);
    let version = shop.desk.version;
    shop.desk.write(name, &body);
    assert_eq!((shop.desk.version, shop.desk.letters_named("allocation_seen")), (version, 3));
}

#[test]
fn given_stock_that_was_found_when_it_is_told_before_what_waits_is_known_then_it_is_not_answered_yet() {
    let mut shop = Shop::of(Shelf::default());
    shop.desk.policies.stock.backorder = true;
    shop.desk.submit(&held(units(2))).unwrap();
    shop.post();
    shop.desk.say_yes("n-1");
    assert!(shop.hear(false), "the answer to the commit is on its way");
    shop.receive("SKU-A", "n-1", 2);
    let (name, body) = shop.said[1].clone();
    shop.desk.write(name, &body);
    assert_eq!(shop.desk.letters_named("allocation_seen"), 0);
    shop.settle();
    assert_eq!(shop.desk.letters_named("allocation_seen"), 1);
    assert_eq!(shop.desk.line(0)["released"], 2);
}

#[test]
fn given_an_order_that_nobody_knows_when_stock_is_found_for_it_then_who_tells_it_gets_his_answer() {
    let mut desk = Desk::new();
    let found = json!({"reservation_id": "o-1~1", "allocation_id": "a-1", "lines": []});
    desk.write("reservation_allocated", &found);
    assert_eq!((desk.letter("allocation_seen")["allocation_id"].clone(), desk.version), (json!("a-1"), 0));
    desk.write("reservation_held", &json!({"reservation_id": "o-1~1"}));
    assert_eq!((desk.version, desk.letters.len()), (0, 1), "and nothing waits for it");
}

#[test]
fn given_a_reservation_that_holds_less_than_asked_when_it_answers_then_the_order_is_not_sold() {
    let mut shop = Shop::with(full(), &held(units(3)));
    let rows = json!([{"line": 1, "sku": "SKU-A", "node": "n-1", "quantity": 2}]);
    shop.desk.write("reservation_held", &json!({"reservation_id": "o-1~1", "lines": rows}));
    assert_eq!(shop.desk.code("order.rejected"), "out_of_stock");
    shop.settle();
    assert!(shop.desk.effects().is_empty() && shop.shelf.held() == 0);
}

#[test]
fn given_a_cancel_while_the_commit_is_on_its_way_when_it_was_applied_then_everything_goes_back() {
    let mut shop = Shop::with(full(), &held(units(3)));
    shop.post();
    shop.desk.say_yes("n-1");
    assert!(shop.hear(false));
    shop.desk.cancel(&[]).unwrap();
    shop.settle();
    assert_eq!((shop.desk.phase(), shop.shelf.held()), (Phase::Cancelled, 0));
    assert!(shop.desk.sent_of("fulfillment.release").is_empty());
}
