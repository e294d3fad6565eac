//! Promotions and coupons with limits: reserved before the commit, finalized with it, given back with the whole order.

use domain::order::state::Phase;
use serde_json::{Value, json};

use super::desk::{Desk, departed};
use super::holds::policy;
use super::shelf::{Shelf, Shop};
use super::steps::two_cards;

fn limited(desk: &mut Desk) {
    for key in ["promotion.bf26", "coupon.BF26"] {
        desk.policies.reference.put(1, key, Some(br#"{"uses": 500}"#)).unwrap();
    }
}

fn order() -> Value {
    let mut body = two_cards();
    body["lines"][0]["promotion"] = json!({"id": "bf26", "version": 3});
    body["lines"][1]["promotion"] = json!({"id": "endless"});
    body["coupons"] = json!(["BF26", "BF26", "FREE"]);
    body["customer"] = json!({"customer_id": "c-9"});
    body
}

fn shop(body: &Value, promotion_uses: u64) -> Shop {
    let mut shelf = Shelf::default().with("SKU-A", "n-1", 9).with("SKU-B", "n-1", 9);
    shelf.uses = [("promotion~bf26".to_owned(), promotion_uses), ("coupon~BF26".to_owned(), 1)].into();
    let mut shop = Shop::of(shelf);
    limited(&mut shop.desk);
    shop.desk.submit(body).unwrap();
    shop
}

#[test]
fn given_an_external_allocation_when_nothing_is_limited_then_no_letter_is_written_and_nothing_is_kept() {
    let desk = Desk::with(&order());
    assert!(desk.letters.is_empty());
    assert!(desk.state.stock.is_none() && desk.state.content().supply.is_none());
    let mut desk = Desk::new();
    limited(&mut desk);
    desk.submit(&two_cards()).unwrap();
    assert!(desk.letters.is_empty() && desk.state.content().supply.is_none());
}

#[test]
fn given_an_external_allocation_when_uses_are_limited_then_they_are_held_before_money_and_finalized_by_the_commit()
 {
    let mut shop = shop(&order(), 2);
    let hold = shop.desk.letter("hold");
    assert_eq!((&hold["reservation_id"], &hold["lines"]), (&json!("o-1~1"), &json!([])));
    assert_eq!(
        hold["counters"],
        json!([
            {"counter": "promotion", "id": "bf26", "uses": 2, "amount_minor": 2380, "customer_id": "c-9"},
            {"counter": "coupon", "id": "BF26", "uses": 1, "amount_minor": 5160, "customer_id": "c-9"},
        ])
    );
    assert!(shop.desk.sent.is_empty());
    shop.settle();
    assert_eq!(shop.desk.letter_names(), ["hold", "commit"]);
    assert_eq!(shop.desk.sent_of("allocation.allocate").len(), 1);
    shop.desk.fact("shipment.departed", &departed("p1", &[(1, 2), (2, 2)]));
    shop.settle();
    assert_eq!(shop.desk.phase(), Phase::Completed);
    assert_eq!(shop.desk.letter_names(), ["hold", "commit", "consume"]);
    let consume: Value = serde_json::from_slice(&shop.desk.letters.last().unwrap().body).unwrap();
    assert_eq!(consume["lines"], json!([]), "uses alone: stock of others is not consumed here");
    assert_eq!(shop.shelf.uses["promotion~bf26"], 0);
    assert_eq!(shop.desk.count("demand.signal"), 2, "once for each line, whoever allocates it");
}

#[test]
fn given_a_promotion_that_is_used_up_when_the_order_comes_then_it_is_refused_by_policy() {
    for name in ["external_allocation", "hold_at_submit", "allocate_after_commit"] {
        let mut shop = shop(&policy(order(), name), 1);
        shop.settle();
        assert_eq!(shop.desk.code("order.rejected"), "policy_refused", "{name}");
        assert_eq!((shop.shelf.held(), shop.shelf.uses["coupon~BF26"]), (0, 1), "{name}");
        assert!(shop.desk.sent.is_empty(), "{name}");
    }
}

#[test]
fn given_a_whole_cancel_when_uses_were_finalized_then_they_come_back_but_not_after_something_left() {
    for (name, leaves) in
        [("external_allocation", false), ("hold_at_submit", false), ("hold_at_submit", true)]
    {
        let mut shop = shop(&policy(order(), name), 2);
        shop.settle();
        if leaves {
            shop.desk.fact("shipment.departed", &departed("p1", &[(1, 1)]));
        }
        shop.desk.cancel(&[]).unwrap();
        shop.settle();
        let (phase, uses) = if leaves { (Phase::Completed, 0) } else { (Phase::Cancelled, 2) };
        assert_eq!((shop.desk.phase(), shop.shelf.uses["promotion~bf26"]), (phase, uses), "{name}");
        assert_eq!(shop.shelf.held(), 0, "{name}");
    }
}

#[test]
fn given_uses_apart_from_the_goods_when_both_must_be_held_then_each_has_its_own_reservation() {
    let mut after = shop(&policy(order(), "allocate_after_commit"), 2);
    after.settle();
    let ids: Vec<Value> =
        ["hold", "commit"].iter().map(|name| after.desk.letter(name)["reservation_id"].clone()).collect();
    assert_eq!(ids, [json!("o-1~2"), json!("o-1~1")], "the goods came second");
    assert_eq!(after.desk.phase(), Phase::Fulfilling);

    let shelf = Shelf::default().with("SKU-A", "n-1", 2).with("SKU-B", "n-1", 2);
    let mut shelf = shelf.reserved("r-7", &[(1, "SKU-A", 2), (2, "SKU-B", 2)]);
    shelf.uses = [("promotion~bf26".to_owned(), 2), ("coupon~BF26".to_owned(), 1)].into();
    let mut used = Shop::of(shelf);
    limited(&mut used.desk);
    let mut body = order();
    body["reservation_id"] = json!("r-7");
    used.desk.submit(&body).unwrap();
    assert_eq!(used.desk.letter_names(), ["attach", "hold"]);
    assert!(used.hear(false) && used.tell());
    assert!(used.desk.sent.is_empty(), "both must be held");
    used.settle();
    assert_eq!(used.desk.letters_named("commit"), 2);
    assert_eq!(used.desk.phase(), Phase::Fulfilling);
}

#[test]
fn given_uses_that_are_lost_when_the_order_has_committed_then_it_goes_on_and_a_person_is_told() {
    let mut shop = shop(&order(), 2);
    shop.post();
    shop.shelf.expire("o-1~1");
    shop.settle();
    assert_eq!(shop.desk.phase(), Phase::Fulfilling);
    assert_eq!(shop.desk.exceptions(), ["effect_refused"]);
}
